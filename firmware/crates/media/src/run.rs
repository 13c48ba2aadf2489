//! The life of a camera's pipeline: tries, retries, and the way down the encoder ladder.

use std::sync::Arc;
use std::time::{Duration, Instant};

use config::CameraConfig;

use crate::attempt::{Attempt, Outcome};
use crate::blame::Blame;
use crate::event::{EncoderRung, MediaEvent};
use crate::ladder::LadderFile;
use crate::plan::{PipelinePlan, RungPlan, key_frame_period};
use crate::shared::Shared;

/// The firmware that failures of encoder rungs are remembered for.
const FIRMWARE: &str = env!("CARGO_PKG_VERSION");
/// First and longest wait before a source is tried again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));
/// A source that gave pictures for this long begins with the first wait again.
const HEALTHY: Duration = Duration::from_secs(20);

/// Runs a camera's pipelines one after the other.
pub(crate) struct Runner {
    plan: PipelinePlan,
    blame: Blame,
    key_interval: Duration,
    key_frame_period: u32,
    ladder: LadderFile,
    /// Rungs that failed since the start, with the reason.
    failed: Vec<(usize, String)>,
    shared: Arc<Shared>,
}

impl Runner {
    pub(crate) fn new(
        plan: PipelinePlan,
        camera: &CameraConfig,
        ladder: LadderFile,
        shared: Arc<Shared>,
    ) -> Self {
        let blame = Blame::new(&camera.source);
        let key_interval = camera.encoder.key_frame_interval;
        let key_frame_period = key_frame_period(camera);
        let failed = Vec::new();
        Self { plan, blame, key_interval, key_frame_period, ladder, failed, shared }
    }

    /// Until the stop, the end of the clip, or a failure that another try would not mend.
    pub(crate) fn run(mut self) {
        let mut backoff = BACKOFF.0;
        while !self.shared.is_stopping() {
            let began = Instant::now();
            let rung = self.choose();
            let outcome = match self.blame.absent() {
                Ok(()) => self.attempt(rung).run(),
                Err(reason) => Outcome::SourceLost(reason),
            };
            match outcome {
                Outcome::Stopped => break,
                Outcome::Ended => {
                    self.shared.tell(MediaEvent::Ended);
                    break;
                }
                Outcome::SourceUnusable(reason) => {
                    tracing::error!(reason, "the camera cannot run");
                    self.shared.tell(MediaEvent::Failed { reason });
                    break;
                }
                Outcome::RungFailed(reason) if rung + 1 < self.plan.rungs.len() => {
                    self.give_up(rung, reason);
                }
                Outcome::SourceLost(reason) | Outcome::RungFailed(reason) => {
                    if began.elapsed() > HEALTHY {
                        backoff = BACKOFF.0;
                    }
                    if self.wait(reason, backoff) {
                        break;
                    }
                    backoff = (backoff * 2).min(BACKOFF.1);
                }
            }
        }
        self.shared.frames.close();
    }

    /// Tells why there is no picture and waits; `true` at the stop.
    fn wait(&self, reason: String, backoff: Duration) -> bool {
        tracing::warn!(reason, ?backoff, "the camera waits for its source");
        self.shared.tell(MediaEvent::Waiting { reason, retry_in: backoff });
        let stopped = self.shared.wait(backoff);
        self.shared.counters.source_restarts.add(1);
        stopped
    }

    fn give_up(&mut self, index: usize, reason: String) {
        let RungPlan { rung, .. } = self.plan.rungs[index];
        tracing::warn!(%rung, reason, "an encoder rung is given up");
        self.ladder.record(rung, &reason, FIRMWARE);
        self.shared.tell(MediaEvent::RungFailed { rung, reason: reason.clone() });
        self.failed.push((index, reason));
    }

    /// The best rung that has not failed: now or as far as is remembered. The last one is always
    /// left.
    fn choose(&self) -> usize {
        let last = self.plan.rungs.len() - 1;
        (0..last).find(|&index| self.trouble_with(index).is_none()).unwrap_or(last)
    }

    fn trouble_with(&self, index: usize) -> Option<String> {
        let now = self.failed.iter().find(|(failed, _)| *failed == index);
        let remembered = || {
            let rung = self.plan.rungs[index].rung;
            let failure = self.ladder.ladder.failure(rung, FIRMWARE, base::clock::wall())?;
            Some(format!("{} (remembered until {})", failure.reason, failure.until))
        };
        now.map(|(_, reason)| reason.clone()).or_else(remembered)
    }

    fn attempt(&self, index: usize) -> Attempt<'_> {
        Attempt {
            plan: &self.plan,
            rung: &self.plan.rungs[index],
            rung_reason: self.reason_for(index),
            encoders: self.encoders(),
            more_rungs: index + 1 < self.plan.rungs.len(),
            blame: &self.blame,
            key_interval: self.key_interval,
            key_frame_period: self.key_frame_period,
            shared: &self.shared,
        }
    }

    /// All rungs, best first, with what is wrong with them.
    fn encoders(&self) -> Vec<(EncoderRung, Option<String>)> {
        let there = self.plan.rungs.iter().enumerate();
        let mut all: Vec<_> =
            there.map(|(index, plan)| (plan.rung, self.trouble_with(index))).collect();
        all.extend(self.plan.missing.iter().map(|one| (one.rung, Some(one.reason.clone()))));
        all.sort_by_key(|(rung, _)| *rung);
        all
    }

    /// Why this rung and no better one.
    fn reason_for(&self, index: usize) -> String {
        let rung = self.plan.rungs[index].rung;
        let missing = self.plan.missing.iter().filter(|missing| missing.rung < rung);
        let missing = missing.map(|missing| format!("{}: {}", missing.rung, missing.reason));
        let failed = (0..index).filter_map(|better| {
            Some(format!("{}: {}", self.plan.rungs[better].rung, self.trouble_with(better)?))
        });
        let reasons: Vec<_> = missing.chain(failed).collect();
        if reasons.is_empty() { "the best there is".to_owned() } else { reasons.join("; ") }
    }
}

#[cfg(test)]
mod tests;
