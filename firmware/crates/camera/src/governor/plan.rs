//! The governor: when to step down, when to step up. Pure: time and readings come in, steps go out.
//!
//! The rules:
//! - A step down comes when a limit is not held and the step before had [`Limits::settle`] to act;
//!   at the critical temperature at once, and down to the pause.
//! - A step up comes when everything was calm (held with a margin) for [`Limits::calm`] without a
//!   break.
//! - A step in the other direction comes no sooner than [`Limits::calm`] after the last one, so it
//!   changes its direction at most once in that time, whatever the sensors say. The critical
//!   temperature alone does not wait for that.
//! - A step up that had to be undone doubles the calm that the next one needs, up to
//!   [`MAX_BACK_OFF`] times; one that stood until the next step up ends that.

use std::collections::BTreeMap;
use std::time::Duration;

use api::governor::{Dial, GovernorStep, StepReason};

use super::ladder::{Ladder, Setting};
use super::limits::{Excess, Limits, Readings};

/// Most that the calm before a step up is multiplied with.
pub(crate) const MAX_BACK_OFF: u32 = 16;
/// A step that was taken for want of time is undone when an inference takes no more than this share of
/// the time there would be.
const CALM_TIME: f32 = 0.8;

/// Where the last step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Down,
    Up,
}

/// The governor of one camera. Times are of one clock that does not go back.
#[derive(Clone, Debug)]
pub(crate) struct Governor {
    ladder: Ladder,
    limits: Limits,
    level: usize,
    /// Why each level that is given up was left, the top first: as many as the level says.
    causes: Vec<StepReason>,
    last: (Direction, Duration),
    calm_since: Option<Duration>,
    back_off: u32,
    steps: BTreeMap<StepReason, u64>,
}

impl Governor {
    /// A governor that reduces nothing yet, at `now`.
    pub(crate) fn new(ladder: Ladder, limits: Limits, now: Duration) -> Self {
        Self {
            ladder,
            limits,
            level: 0,
            causes: Vec::new(),
            last: (Direction::Down, now),
            calm_since: None,
            back_off: 1,
            steps: BTreeMap::new(),
        }
    }

    /// What the camera is to run on.
    pub(crate) fn setting(&self) -> Setting {
        self.ladder.rung(self.level).setting
    }

    /// Steps below what the settings ask for.
    pub(crate) fn level(&self) -> usize {
        self.level
    }

    /// The ladder it stands on.
    pub(crate) fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// What it holds.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Steps so far, by reason.
    pub(crate) fn steps(&self) -> &BTreeMap<StepReason, u64> {
        &self.steps
    }

    /// Takes one step, if there is one to take.
    pub(crate) fn step(&mut self, now: Duration, readings: &Readings) -> Option<GovernorStep> {
        match self.limits.excess(readings, interval(self.setting().fps)) {
            Some(excess) => {
                self.calm_since = None;
                self.down(now, &excess)
            }
            None => self.up(now, readings),
        }
    }

    fn down(&mut self, now: Duration, excess: &Excess) -> Option<GovernorStep> {
        let lowest = match excess.reason {
            StepReason::Critical => self.ladder.lowest(),
            // Fewer bits are less heat, and no help to a detector that is late.
            StepReason::Temperature | StepReason::Throttled => self.ladder.lowest_of(Dial::Bitrate),
            _ => self.ladder.lowest_of(Dial::Model),
        };
        let wait = match (self.last.0, excess.reason) {
            (_, StepReason::Critical) => Duration::ZERO,
            (Direction::Up, _) => self.limits.calm,
            (Direction::Down, _) => self.limits.settle,
        };
        if self.level >= lowest || now.saturating_sub(self.last.1) < wait {
            return None;
        }
        if self.last.0 == Direction::Up {
            self.back_off = (self.back_off * 2).min(MAX_BACK_OFF);
        }
        let level = match excess.reason {
            StepReason::Critical => lowest,
            _ => self.level + 1,
        };
        self.last = (Direction::Down, now);
        Some(self.go(level, excess))
    }

    fn up(&mut self, now: Duration, readings: &Readings) -> Option<GovernorStep> {
        let above = self.level.checked_sub(1)?;
        // Where time was not what was wanting, what fitted before fits again.
        let share = match self.causes.last() {
            Some(StepReason::DetectorTime | StepReason::QueueDrops) => CALM_TIME,
            _ => 1.0,
        };
        let room = interval(self.ladder.rung(above).setting.fps).mul_f32(share);
        let work = self.ladder.work(above) / self.ladder.work(self.level);
        if !self.limits.is_calm(readings, room, work) {
            self.calm_since = None;
            return None;
        }
        let since = *self.calm_since.get_or_insert(now);
        let needed = self.limits.calm * self.back_off;
        if now.saturating_sub(since.max(self.last.1)) < needed {
            return None;
        }
        if self.last.0 == Direction::Up {
            self.back_off = 1;
        }
        self.last = (Direction::Up, now);
        let sentence = format!("all limits were held with a margin for {} s", needed.as_secs());
        let calm = Excess { reason: StepReason::Calm, reading: None, limit: None, sentence };
        Some(self.go(above, &calm))
    }

    /// Stands on `level` from now on, and says so.
    fn go(&mut self, level: usize, why: &Excess) -> GovernorStep {
        let before = std::mem::replace(&mut self.level, level);
        self.causes.resize(level, why.reason);
        *self.steps.entry(why.reason).or_default() += 1;
        let dial = self.ladder.rung(before.max(level)).dial;
        let (from, to) = (self.ladder.shown(dial, before), self.ladder.shown(dial, level));
        GovernorStep {
            sentence: format!("{}: {} {from} → {to}", why.sentence, name(dial)),
            dial,
            from,
            to,
            reason: why.reason,
            reading: why.reading,
            limit: why.limit,
            level: u32::try_from(level).unwrap_or(u32::MAX),
        }
    }

    /// Takes over another ladder (other settings, other models at hand) and limits, and stays as
    /// low as it was; tells a step where that means another level.
    pub(crate) fn set(&mut self, ladder: Ladder, limits: Limits) -> Option<GovernorStep> {
        self.limits = limits;
        if ladder == self.ladder {
            return None;
        }
        let level = ladder.level_like(&self.ladder, self.level);
        let shown = |ladder: &Ladder, level: usize, dial| ladder.shown(dial, level);
        let dial = self.ladder.rung(self.level).dial;
        let from = shown(&self.ladder, self.level, dial);
        let same = level == self.level;
        self.ladder = ladder;
        if same {
            return None;
        }
        let sentence = "the settings or the models at hand changed".to_owned();
        let why = Excess { reason: StepReason::Settings, reading: None, limit: None, sentence };
        let to = shown(&self.ladder, level, dial);
        let step = self.go(level, &why);
        Some(GovernorStep { dial, from, to, ..step })
    }
}

/// Time between two inferences at `fps`.
pub(crate) fn interval(fps: f32) -> Duration {
    // Settings keep the rate above 0; a year is as good as never.
    Duration::try_from_secs_f32(1.0 / fps).unwrap_or(Duration::from_secs(31_536_000))
}

/// What a dial is called in a sentence.
fn name(dial: Dial) -> &'static str {
    match dial {
        Dial::DetectRate => "detect rate",
        Dial::InputSize => "input size",
        Dial::Model => "model",
        Dial::Bitrate => "bit rate",
        Dial::Detection => "detection",
    }
}
