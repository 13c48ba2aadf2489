//! What is done to revisions, and what has to come of it: the truth that a stop is judged by.

use std::path::Path;
use std::time::Duration;

use base::durable::Disk;
use edgecam_config::revisions::{
    Confirm, ConfirmedBy, Draft, Moment, RevisionError, Revisions, SCHEMA, Settled,
};
use serde_json::{Value, json};

/// The time that a confirmation is given.
const WITHIN: Duration = Duration::from_secs(60);

/// Something that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A change.
    Make,
    /// A change that has to be confirmed; nothing where one waits already.
    Try,
    /// Confirm what waits; nothing where nothing waits.
    Confirm,
    /// What waits failed; nothing where nothing waits.
    TakeBack,
    /// The daemon starts again.
    Start,
    /// The machine starts again.
    Boot,
}

/// What counts about revisions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Truth {
    /// The settings in force.
    pub(crate) settings: Value,
    /// What comes back when nobody confirms them.
    pub(crate) back_to: Option<Value>,
}

impl Truth {
    /// Nothing was made.
    pub(crate) fn first() -> Self {
        Self { settings: json!({}), back_to: None }
    }

    /// What `step`, the `number`th, makes of it.
    pub(crate) fn after(&self, step: Step, number: usize) -> Self {
        let new = json!({ "step": number });
        let sure = |settings: &Value| Self { settings: settings.clone(), back_to: None };
        match (step, &self.back_to) {
            (Step::Make, _) => sure(&new),
            (Step::Try, None) => Self { settings: new, back_to: Some(self.settings.clone()) },
            (Step::Confirm, Some(_)) => sure(&self.settings),
            (Step::TakeBack | Step::Boot, Some(before)) => sure(before),
            _ => self.clone(),
        }
    }

    /// What `revisions` show.
    pub(crate) fn of<D: Disk>(revisions: &Revisions<D>) -> Self {
        let settings_of = |number| revisions.get(number).map_or(json!({}), |found| found.settings);
        let back_to = revisions.pending().map(|pending| settings_of(pending.back_to));
        Self { settings: revisions.settings(), back_to }
    }
}

/// A daemon's view of its revisions, through starts and boots.
pub(crate) struct Stage<'a, D: Disk + Clone> {
    pub(crate) disk: D,
    data: &'a Path,
    boot: usize,
    pub(crate) revisions: Revisions<D>,
}

impl<'a, D: Disk + Clone> Stage<'a, D> {
    /// What is found on `disk` in the boot `boot`, as a start finds it.
    pub(crate) fn open(disk: D, data: &'a Path, boot: usize) -> Result<Self, RevisionError> {
        let mut revisions = Revisions::open_on(disk.clone(), data, SCHEMA)?;
        revisions.settle(&moment(boot))?;
        Ok(Self { disk, data, boot, revisions })
    }

    /// Does `step`, the `number`th.
    pub(crate) fn play(&mut self, step: Step, number: usize) -> Result<(), RevisionError> {
        let waits = self.revisions.pending().is_some();
        match step {
            Step::Make => self.revisions.make(draft(number), None),
            Step::Try if !waits => self.revisions.make(draft(number), Some(confirm(self.boot))),
            Step::Confirm if waits => self.revisions.confirm(),
            Step::TakeBack if waits => self.revisions.take_back("it failed"),
            Step::Start | Step::Boot => {
                self.boot += usize::from(step == Step::Boot);
                *self = Self::open(self.disk.clone(), self.data, self.boot)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The boot it is in.
    pub(crate) fn boot(&self) -> usize {
        self.boot
    }
}

fn draft(number: usize) -> Draft {
    let settings = json!({ "step": number });
    Draft { made_by: "test".into(), note: None, undoes: None, settings }
}

fn confirm(boot: usize) -> Confirm {
    Confirm { from: moment(boot), within: WITHIN, by: ConfirmedBy::Owner }
}

fn moment(boot: usize) -> Moment {
    Moment { kernel_boot: boot.to_string(), since_boot: Duration::from_secs(5) }
}

/// Holds what is found on `disk` after a stop against what has to be there: `before` or `after` the
/// step that was stopped, nothing else; and it can be gone on with.
pub(crate) fn judge<D: Disk + Clone>(
    disk: D,
    data: &Path,
    boot: usize,
    [before, after]: [&Truth; 2],
    of: &str,
) {
    let mut stage = Stage::open(disk, data, boot).unwrap();
    let found = Truth::of(&stage.revisions);
    assert!(found == *before || found == *after, "{of}:\n{found:?}\n{before:?}\n{after:?}");
    let number = stage.revisions.number();
    if let Some(back_to) = found.back_to {
        let mut later = moment(boot);
        later.since_boot += WITHIN;
        assert_eq!(stage.revisions.settle(&later).unwrap(), Settled::TakenBack, "{of}");
        assert_eq!(stage.revisions.settings(), back_to, "{of}");
        let made = stage.revisions.in_force().unwrap();
        assert_eq!(made.undoes, Some(number), "{of}");
    }
    for step in [Step::Make, Step::Try, Step::Confirm] {
        stage.play(step, 1000).unwrap();
    }
    assert!(stage.revisions.number() >= number + 2, "{of}: a number was given twice");
    stage.play(Step::Boot, 0).unwrap();
    let last = Truth { settings: json!({ "step": 1000 }), back_to: None };
    assert_eq!(Truth::of(&stage.revisions), last, "{of}");
}
