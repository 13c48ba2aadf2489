//! What other rules would have made of what was tracked: which events would have fired and which
//! would not.
//!
//! Both sets of rules run over the same history, by the very code that runs live ([`Rules`]), so
//! over a history that nothing was left out of, they tell what they told then. Two events are the
//! same one if they are of the same track, rule and kind and less than [`SAME_WITHIN`] apart, or
//! overlap. Deterministic: the same input gives the same report.
//!
//! | module | owns |
//! |---|---|
//! | `replay` | stretches → the updates that the tracker gave |
//! | `fired` | what a set of rules fired: happenings → events with a begin and an end |
//! | `compare` | which events of two sets are the same, and why the others are not |

mod compare;
mod fired;
mod replay;

use std::ops::Range;
use std::time::Duration;

use crate::detection::Labels;
use crate::history::{Sight, Stretch};
use crate::lines::Line;
use crate::rules::{RuleParams, Rules};
use crate::schedule::LocalClock;
use crate::zones::Zone;

pub use compare::{Change, Difference, Report, RuleTally, SAME_WITHIN};
pub use fired::{Fired, Rule, What};
pub use replay::Replay;

/// The zones and lines of a camera.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSet {
    /// Zones, with unique ids.
    pub zones: Vec<Zone>,
    /// Lines, with unique ids.
    pub lines: Vec<Line>,
}

/// What one camera process tracked, whole.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its number, unique within a history.
    pub id: u64,
    /// Names of the classes.
    pub labels: Labels,
    /// What it tracked, in order.
    pub stretches: Vec<Stretch>,
}

/// Compares what `old` and `new` make of `history`, sessions in order of time. Events that begin
/// within `window` count; what lies before it is played all the same, so that a stay that was going
/// on is known. `clock` shows the local time of the history.
pub fn backtest(
    history: &[Session],
    old: &RuleSet,
    new: &RuleSet,
    window: Range<Duration>,
    clock: &LocalClock,
) -> Report {
    let mut backtest = Backtest::new(old.clone(), new.clone(), window, clock.clone());
    for session in history {
        backtest.begin(session.id, &session.labels);
        session.stretches.iter().for_each(|stretch| backtest.play(stretch));
    }
    backtest.report()
}

/// A comparison that is fed stretch by stretch, for a history that does not fit into memory whole.
#[derive(Debug)]
pub struct Backtest {
    old: Side,
    new: Side,
    window: Range<Duration>,
    clock: LocalClock,
    replay: Replay,
    steps: u64,
    tracks: u64,
}

/// One of the two sets of rules.
#[derive(Debug)]
struct Side {
    set: RuleSet,
    rules: Rules,
    fired: fired::Collector,
}

impl Side {
    fn new(set: RuleSet) -> Self {
        let rules = Rules::new(Vec::new(), Vec::new(), &Labels::new([]));
        Self { set, rules, fired: fired::Collector::default() }
    }

    fn begin(&mut self, session: u64, labels: &Labels) {
        self.rules = Rules::new(self.set.zones.clone(), self.set.lines.clone(), labels);
        // How often an object is told of is no rule: nobody would listen here.
        self.rules.set_params(RuleParams {
            update_every: Duration::MAX,
            stationary_update_every: Duration::MAX,
            score_step: f32::INFINITY,
        });
        self.fired.begin(session);
    }

    fn finish(&mut self, at: Duration) {
        let happenings = self.rules.finish(at);
        self.fired.hear(&happenings);
    }
}

impl Backtest {
    /// A comparison of `old` and `new`; see [`backtest`].
    pub fn new(old: RuleSet, new: RuleSet, window: Range<Duration>, clock: LocalClock) -> Self {
        let (old, new) = (Side::new(old), Side::new(new));
        Self { old, new, window, clock, replay: Replay::default(), steps: 0, tracks: 0 }
    }

    /// The session `id` begins, and the one before it, if any, is over: what was open there ended
    /// with its last step.
    pub fn begin(&mut self, id: u64, labels: &Labels) {
        self.end();
        self.replay = Replay::default();
        self.old.begin(id, labels);
        self.new.begin(id, labels);
    }

    fn end(&mut self) {
        if let Some(at) = self.replay.last() {
            self.old.finish(at);
            self.new.finish(at);
        }
    }

    /// Plays the next stretch of the session.
    pub fn play(&mut self, stretch: &Stretch) {
        let (old, new) = (&mut self.old, &mut self.new);
        while let Some(first) = stretch.steps.first()
            && (old.rules.is_waiting() || new.rules.is_waiting())
            && let Some(idle) = self.replay.idle_before(*first)
        {
            let now = self.clock.at(idle.at);
            for side in [&mut *old, &mut *new] {
                let happenings = side.rules.step(&idle, now);
                side.fired.hear(&happenings);
            }
        }
        let (clock, steps, tracks) = (&self.clock, &mut self.steps, &mut self.tracks);
        self.replay.play(stretch, |update| {
            *steps += 1;
            *tracks += update.started.len() as u64;
            let now = clock.at(update.at);
            for side in [&mut *old, &mut *new] {
                let happenings = side.rules.step(update, now);
                side.fired.hear(&happenings);
            }
        });
        if stretch.sight == Sight::Blind {
            self.end();
        }
    }

    /// What came of it.
    pub fn report(mut self) -> Report {
        self.end();
        let Self { old, new, window, clock, steps, tracks, .. } = self;
        let within = |fired: Vec<Fired>| -> Vec<Fired> {
            fired.into_iter().filter(|fired| window.contains(&fired.from)).collect()
        };
        let (fired_old, fired_new) = (within(old.fired.into_all()), within(new.fired.into_all()));
        let mut report = compare::compare(fired_old, fired_new, (&old.set, &new.set), &clock);
        (report.steps, report.tracks) = (steps, tracks);
        report
    }
}
