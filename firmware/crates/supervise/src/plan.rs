//! Decisions without effects: is a child well, and what follows when its process has ended.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::spec::{BackoffPolicy, Health, RestartPolicy};
use crate::status::Exit;

/// The waits between restarts in a row: none, then `base`, doubling up to `max`, with jitter.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: BackoffPolicy,
    waits: ExponentialBackoff,
    /// The wait before the newest start; `None` before the first end.
    last: Option<Duration>,
}

impl Backoff {
    pub(crate) fn new(policy: BackoffPolicy) -> Self {
        let waits = ExponentialBuilder::new()
            .with_min_delay(policy.base)
            .with_max_delay(policy.max)
            .with_factor(2.0)
            .without_max_times()
            .with_jitter()
            .build();
        Self { policy, waits, last: None }
    }

    /// The wait before the next start of a child that was well for `well_for`.
    pub(crate) fn next(&mut self, well_for: Duration) -> Duration {
        if self.last.is_some_and(|last| well_for >= self.forgiven_after(last)) {
            *self = Self::new(self.policy);
        }
        let wait = match self.last {
            None => Duration::ZERO,
            // The library's jitter may double a wait; the longest is the longest all the same.
            Some(_) => self.waits.next().unwrap_or(self.policy.max).min(self.policy.max),
        };
        *self.last.insert(wait)
    }

    /// How long a child must have been well since a start that it waited `last` for.
    fn forgiven_after(&self, last: Duration) -> Duration {
        (self.policy.settled_after + last * 4).min(self.policy.healthy_after)
    }
}

/// What follows when a child has no process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is started at once.
    Start,
    /// It is started after this time.
    StartIn(Duration),
    /// A person has to mend something; it is tried after this time (`None`: never).
    Hopeless(Option<Duration>),
    /// It is not started until someone asks.
    Rest,
}

/// How it came that a child has no process, as far as the restart policy cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The process ended by itself, or someone else ended it.
    Exited(Exit),
    /// It was killed because it did not show signs of life.
    Hung,
    /// It could not be started; the system may manage next time.
    NotStarted,
    /// It could not be started, or does not die, until a person mends the cause.
    Hopeless,
    /// A restart was asked for.
    RestartAsked,
    /// A stop was asked for.
    StopAsked,
}

/// The restart policy of a child with the state it needs.
#[derive(Debug)]
pub(crate) struct Restarts {
    policy: RestartPolicy,
    backoff: Option<Backoff>,
}

impl Restarts {
    pub(crate) fn new(policy: RestartPolicy) -> Self {
        let backoff = match policy {
            RestartPolicy::Always(backoff) | RestartPolicy::OnFailure(backoff) => {
                Some(Backoff::new(backoff))
            }
            RestartPolicy::Never => None,
        };
        Self { policy, backoff }
    }

    /// What follows an end of a child that was well for `well_for`.
    pub(crate) fn after(&mut self, end: End, well_for: Duration) -> Next {
        match end {
            End::StopAsked => Next::Rest,
            End::RestartAsked => {
                *self = Self::new(self.policy);
                Next::Start
            }
            End::Hopeless => Next::Hopeless(self.backoff.as_ref().map(|b| b.policy.hopeless)),
            End::Exited(exit)
                if exit.is_success() && matches!(self.policy, RestartPolicy::OnFailure(_)) =>
            {
                Next::Rest
            }
            End::Exited(_) | End::Hung | End::NotStarted => match &mut self.backoff {
                Some(backoff) => match backoff.next(well_for) {
                    Duration::ZERO => Next::Start,
                    wait => Next::StartIn(wait),
                },
                None => Next::Rest,
            },
        }
    }
}

/// Looks at the signs of life of one process.
///
/// Times are monotonic. The watch must be asked again after the time that it names: when it is
/// asked much later, `edgecamd` itself was held up (suspended machine, stopped in a debugger), has
/// had no chance to see heartbeats, and the child gets its time anew.
#[derive(Debug)]
pub(crate) struct Watch {
    health: Health,
    /// From when silence counts, without heartbeats.
    since: Duration,
    /// When the next question is due.
    due: Duration,
}

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing to complain of; look again after this time.
    Fine(Duration),
    /// No first heartbeat within the time allowed.
    NeverStarted(Duration),
    /// No heartbeat for so long.
    Silent(Duration),
}

impl Watch {
    /// Longest time between two looks.
    pub(crate) const PERIOD: Duration = Duration::from_millis(500);
    /// A look that is later than this means that `edgecamd` itself was held up.
    const HELD_UP: Duration = Duration::from_secs(1);

    pub(crate) fn new(health: Health, started: Duration) -> Self {
        Self { health, since: started, due: started }
    }

    /// Looks at `now`, the newest heartbeat of this process being `beat`.
    pub(crate) fn look(&mut self, now: Duration, beat: Option<Duration>) -> Verdict {
        let Health::Heartbeat { start_within, every } = self.health else {
            return Verdict::Fine(Duration::MAX);
        };
        if now.saturating_sub(self.due) > Self::HELD_UP {
            self.since = now;
        }
        let allowed = if beat.is_some() { every } else { start_within };
        let silent = now.saturating_sub(self.since.max(beat.unwrap_or_default()));
        if silent < allowed {
            let wait = (allowed - silent).min(Self::PERIOD);
            self.due = now + wait;
            return Verdict::Fine(wait);
        }
        match beat {
            Some(_) => Verdict::Silent(silent),
            None => Verdict::NeverStarted(silent),
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
