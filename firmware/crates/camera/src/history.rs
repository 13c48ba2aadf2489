//! Writes down what is tracked and hands it out in batches. Must not wait for anyone.

use std::time::Duration;

use config::HistoryConfig;
use domain::history::{Recorder, Sight, Stretch, Tolerance, encode};
use domain::{Labels, TrackUpdate};
use link::TrackBatch;
use ulid::Ulid;

/// Longest batch: what a process that is killed may not have handed out yet.
const BATCH: Duration = Duration::from_secs(10);

/// Writes down what is tracked.
#[derive(Debug)]
pub(crate) struct History {
    session: Ulid,
    labels: Labels,
    recorder: Recorder,
    config: HistoryConfig,
}

impl History {
    /// Nothing is written down yet. Tracks are numbered within `session`, their classes are those of
    /// `labels`.
    pub(crate) fn new(session: Ulid, labels: Labels, config: HistoryConfig) -> Self {
        Self { session, labels, recorder: Recorder::default(), config }
    }

    /// Takes over a new configuration; what was not handed out when it is switched off is forgotten.
    pub(crate) fn apply(&mut self, config: HistoryConfig) {
        if config == HistoryConfig::Off && self.config != config {
            self.recorder = Recorder::default();
            // Nobody will write down how the tracks of this one end: it ends here.
            self.session = Ulid::generate();
        }
        self.config = config;
    }

    /// Writes down a step; the batch that is complete with it, if one is, and its tracks as bytes.
    pub(crate) fn record(
        &mut self,
        update: &TrackUpdate,
        sight: Sight,
    ) -> Option<(TrackBatch, Vec<u8>)> {
        if self.config == HistoryConfig::Off {
            return None;
        }
        self.recorder.record(update, sight);
        let complete =
            sight == Sight::Blind || self.recorder.is_complete() || self.recorder.span() >= BATCH;
        if !complete {
            return None;
        }
        self.recorder.take().map(|stretch| self.batch(&stretch))
    }

    fn batch(&self, stretch: &Stretch) -> (TrackBatch, Vec<u8>) {
        let nanos = |time: Option<&Duration>| {
            u64::try_from(time.copied().unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
        };
        let batch = TrackBatch {
            session: self.session,
            from_ns: nanos(stretch.steps.first()),
            to_ns: nanos(stretch.steps.last()),
            labels: self.labels.names().to_vec(),
        };
        (batch, encode(stretch, &Tolerance::USUAL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::history::decode;
    use domain::{BBox, ClassId, Detection, Tracker, TrackerParams};

    /// Ten frames a second, an object in those of `seen`; the batches with their lengths.
    fn batches(history: &mut History, frames: u64, seen: std::ops::Range<u64>) -> Vec<Stretch> {
        let mut tracker = Tracker::new(TrackerParams::default());
        let mut stretches = Vec::new();
        for frame in 0..frames {
            let bbox = BBox::new(0.4, 0.4, 0.1, 0.2);
            let found = Detection { class: ClassId(0), score: 0.9, bbox };
            let found: Vec<_> = seen.contains(&frame).then_some(found).into_iter().collect();
            let at = Duration::from_millis(1000 + frame * 100);
            let batch = history.record(&tracker.step(at, &found), Sight::Seeing);
            stretches.extend(batch.map(|(batch, blob)| {
                decode(&blob, Duration::from_nanos(batch.from_ns)).expect("what was written")
            }));
        }
        stretches
    }

    fn history(config: HistoryConfig) -> History {
        History::new(Ulid::from(7), Labels::new(["person".to_owned()]), config)
    }

    #[test]
    fn a_batch_goes_out_every_ten_seconds_and_when_the_last_track_ended() {
        let mut kept = history(HistoryConfig::Kept);
        let stretches = batches(&mut kept, 300, 0..150);
        let spans: Vec<Duration> = stretches.iter().map(Stretch::span).collect();
        assert!(spans[0] == BATCH && spans.iter().all(|span| *span <= BATCH), "{spans:?}");
        let (last, before) = stretches.split_last().expect("batches");
        assert!(before.iter().all(|stretch| stretch.paths[0].ended.is_none()));
        let ended = last.paths[0].ended.expect("an end");
        assert_eq!(ended as usize, last.steps.len() - 1, "and out it went");
    }

    #[test]
    fn where_nothing_is_nothing_goes_out() {
        assert!(batches(&mut history(HistoryConfig::Kept), 500, 0..0).is_empty());
        assert!(batches(&mut history(HistoryConfig::Off), 500, 0..500).is_empty());
    }

    #[test]
    fn going_blind_hands_out_the_rest() {
        let mut history = history(HistoryConfig::Kept);
        let mut tracker = Tracker::new(TrackerParams::default());
        let found =
            |_| Detection { class: ClassId(0), score: 0.9, bbox: BBox::new(0.4, 0.4, 0.1, 0.2) };
        for frame in 0..10_u64 {
            let update = tracker.step(Duration::from_millis(frame * 100), &[found(frame)]);
            assert_eq!(history.record(&update, Sight::Seeing), None);
        }
        let ended = tracker.end_all(Duration::from_secs(2));
        let (_, blob) = history.record(&ended, Sight::Blind).expect("the rest");
        let stretch = decode(&blob, Duration::ZERO).expect("what was written");
        assert_eq!((stretch.sight, stretch.paths.len()), (Sight::Blind, 1));
    }

    #[test]
    fn what_is_written_down_after_it_was_off_is_of_a_session_of_its_own() {
        let mut history = history(HistoryConfig::Kept);
        let mut tracker = Tracker::new(TrackerParams::default());
        let mut step = |history: &mut History, second: u64| {
            let found =
                Detection { class: ClassId(0), score: 0.9, bbox: BBox::new(0.4, 0.4, 0.1, 0.2) };
            let update = tracker.step(Duration::from_secs(second), &[found]);
            history.record(&update, Sight::Seeing).map(|(batch, _)| batch.session)
        };
        let before = (0..20).find_map(|second| step(&mut history, second)).expect("a batch");
        history.apply(HistoryConfig::Kept);
        let still = (20..40).find_map(|second| step(&mut history, second)).expect("a batch");
        history.apply(HistoryConfig::Off);
        history.apply(HistoryConfig::Kept);
        let after = (40..60).find_map(|second| step(&mut history, second)).expect("a batch");
        assert_eq!(before, still);
        assert_ne!(before, after);
    }
}
