//! Other zones and lines, tried on the past: a job.

use std::ops::Range;
use std::path::PathBuf;

use api::backtest::{
    RuleBacktest, RuleEvent, RuleTally, RuleTrial, TrialChange, TrialEvent, TrialReason,
};
use api::jobs::{Job, JobKind, JobResult};
use api::problem::FieldProblem;
use base::error::{ErrorKind, Kind};
use control::PortError;
use control::ports::{Answer, Beginner, RuleTrials};
use domain::Direction;
use domain::backtest::{Difference, Fired, Report, Rule, RuleSet, What};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use store::TrackReader;

use super::models::blocking;
use crate::backtest;
use crate::jobs::{Jobs, Lane, Order};
use crate::settings::Engine;

/// The longest time to look back over.
const LONGEST: SignedDuration = SignedDuration::from_hours(31 * 24);
/// Events that are told.
const MOST_EVENTS: usize = 1000;

/// Tries rules.
#[derive(Clone, Debug)]
pub(crate) struct TrialPort {
    /// Checks them.
    pub(crate) engine: Engine,
    /// Runs the trials.
    pub(crate) jobs: Jobs,
    /// Where the past is kept.
    pub(crate) data: PathBuf,
}

impl RuleTrials for TrialPort {
    fn backtest<'a>(&'a self, camera: &'a str, trial: RuleTrial, by: Beginner) -> Answer<'a, Job> {
        async move {
            let window = window(&trial)?;
            let old = rules(self.engine.tried(json!({})).await?, camera)?;
            let new = rules(self.engine.tried(patch(camera, trial)).await?, camera)?;
            let camera = camera.to_owned();
            let kind = JobKind::BacktestRules;
            let order = Order { kind, camera: Some(camera.clone()), lane: Lane::Busy, by };
            let data = self.data.clone();
            self.jobs.begin(order, move |context| async move {
                let run = move || {
                    let unread = |error: store::StoreError| {
                        PortError::new(error.kind(), base::error::chain(&error))
                    };
                    let past = TrackReader::open(&data).map_err(unread)?;
                    let stop = || context.is_stopping();
                    let report = backtest::run(&past, &camera, old, new, &window, &stop);
                    let report = report.map_err(unread)?;
                    Ok(shown(camera, window, &report))
                };
                blocking(run).await.map(JobResult::BacktestRules)
            })
        }
        .boxed()
    }
}

fn window(trial: &RuleTrial) -> Result<Range<Timestamp>, PortError> {
    let to = trial.to.unwrap_or_else(base::clock::wall);
    let day = SignedDuration::from_hours(24);
    let from = trial.from.unwrap_or_else(|| to.saturating_sub(day).unwrap_or(Timestamp::MIN));
    let wrong = |detail: &str| {
        let problem = FieldProblem { pointer: "/from".into(), detail: detail.into() };
        Err(PortError::input("a field is wrong; nothing was begun", vec![problem]))
    };
    if from >= to {
        return wrong("must be before `to`");
    }
    if to.duration_since(from) > LONGEST {
        return wrong("must be at most 31 days before `to`");
    }
    if from < Timestamp::UNIX_EPOCH {
        return wrong("must not be before 1970");
    }
    Ok(from..to)
}

/// The patch of the settings that `trial` is.
fn patch(camera: &str, trial: RuleTrial) -> Value {
    let table =
        |rows: std::collections::BTreeMap<String, Value>| Value::Object(rows.into_iter().collect());
    let mut patch = Map::new();
    for (key, rows) in [("zones", trial.zones), ("lines", trial.lines)] {
        patch.extend(rows.map(|rows| (key.to_owned(), table(rows))));
    }
    json!({ "cameras": { camera: patch } })
}

fn rules(loaded: config::Loaded, camera: &str) -> Result<RuleSet, PortError> {
    let mut cameras = loaded.config.cameras.into_iter();
    let found = cameras.find(|one| one.id.as_str() == camera);
    let found = found.map(|one| RuleSet { zones: one.zones, lines: one.lines });
    let gone = || PortError::new(ErrorKind::NotFound, format!("there is no camera \"{camera}\""));
    found.ok_or_else(gone)
}

fn shown(camera: String, window: Range<Timestamp>, report: &Report) -> RuleBacktest {
    let kept = report.kept.iter().map(|fired| event(fired, TrialChange::Kept, None));
    let gained = report.gained.iter();
    let gained = gained.map(|one| event(&one.fired, TrialChange::Gained, Some(one.because)));
    let lost = report.lost.iter();
    let lost = lost.map(|one| event(&one.fired, TrialChange::Lost, Some(one.because)));
    let mut events: Vec<_> = kept.chain(gained).chain(lost).collect();
    // What has changed is what was asked for: it goes before what has not when there is too much.
    events.sort_by_key(|event| (event.change == TrialChange::Kept, event.from));
    let more_events = events.len().saturating_sub(MOST_EVENTS) as u64;
    events.truncate(MOST_EVENTS);
    events.sort_by_key(|event| event.from);
    let tally = |tally: &domain::backtest::RuleTally| {
        let (zone, line) = place(&tally.rule);
        let event = what(tally.what);
        RuleTally { zone, line, event, before: tally.before(), after: tally.after() }
    };
    RuleBacktest {
        camera,
        from: window.start,
        to: window.end,
        tracks: report.tracks,
        pictures: report.steps,
        rules: report.rules.iter().map(tally).collect(),
        events,
        more_events,
    }
}

fn event(fired: &Fired, change: TrialChange, because: Option<Difference>) -> TrialEvent {
    let (zone, line) = place(&fired.rule);
    TrialEvent {
        change,
        because: because.map(reason),
        zone,
        line,
        event: what(fired.what),
        label: fired.label.clone(),
        from: time(fired.from),
        to: time(fired.to),
    }
}

fn time(since_epoch: std::time::Duration) -> Timestamp {
    let ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

fn place(rule: &Rule) -> (Option<String>, Option<String>) {
    match rule {
        Rule::Zone(zone) => (Some(zone.to_string()), None),
        Rule::Line(line) => (None, Some(line.to_string())),
    }
}

fn what(what: What) -> RuleEvent {
    match what {
        What::Stay => RuleEvent::Stay,
        What::Loitering => RuleEvent::Loitering,
        What::Crowding => RuleEvent::Crowding,
        What::Crossing(Direction::In) => RuleEvent::CrossingIn,
        What::Crossing(Direction::Out) => RuleEvent::CrossingOut,
    }
}

fn reason(because: Difference) -> TrialReason {
    match because {
        Difference::NoRule => TrialReason::NoRule,
        Difference::Label => TrialReason::Label,
        Difference::Size => TrialReason::Size,
        Difference::Schedule => TrialReason::Schedule,
        Difference::Place => TrialReason::Place,
        Difference::Limit => TrialReason::Limit,
        Difference::Course => TrialReason::Course,
    }
}
