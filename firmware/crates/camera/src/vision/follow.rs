//! What becomes of found objects: tracks, rules, boxes on the picture, and what is told of them.

use std::time::{Duration, Instant};

use api::status::Counts;
use config::CameraConfig;
use domain::history::Sight;
use domain::{Detection, Frame, Labels, Rules, TrackUpdate, Tracker};
use media::{OverlayBox, OverlayHandle};
use tokio::sync::mpsc::Sender;
use ulid::Ulid;

use super::{Told, Watched};
use crate::history::History;
use crate::meter::SharedMeter;
use crate::to_link::{self, Names, Seen};

/// Follows what the detector finds.
pub(super) struct Follow {
    overlay: OverlayHandle,
    tell: Sender<Told>,
    meter: SharedMeter,
    watched: Watched,
    tracker: Tracker,
    rules: Rules,
    labels: Labels,
    names: Names,
    history: History,
    counts: Counts,
    /// The newest look.
    seen: Option<Seen>,
}

impl Follow {
    /// Follows nothing yet; detections are to be of the classes in `labels`.
    pub(super) fn new(
        config: &CameraConfig,
        labels: Labels,
        overlay: OverlayHandle,
        tell: Sender<Told>,
        meter: SharedMeter,
        watched: Watched,
    ) -> Self {
        let session = Ulid::generate();
        Self {
            tracker: Tracker::new(config.tracker.clone().with_alike_of(&labels)),
            rules: Rules::new(config.zones.clone(), config.lines.clone(), &labels),
            names: Names::new(session),
            history: History::new(session, labels.clone(), config.history),
            labels,
            counts: Counts::default(),
            seen: None,
            overlay,
            tell,
            meter,
            watched,
        }
    }

    /// Takes over the tracker's parameters, the zones and the lines.
    pub(super) fn apply(&mut self, config: &CameraConfig) {
        self.tracker.set_params(config.tracker.clone().with_alike_of(&self.labels));
        self.rules.set(config.zones.clone(), config.lines.clone(), &self.labels);
        self.history.apply(config.history);
        self.tell_counts();
    }

    /// Carries on with what was found in `frame`.
    pub(super) fn step(&mut self, frame: &Frame, detections: &[Detection], seen: Seen) {
        let began = Instant::now();
        let update = self.tracker.step(frame.captured, detections);
        self.meter.lock().track.record(began.elapsed());
        self.carry_on(frame, &update, seen);
    }

    /// Carries on with `frame` as one that shows what was found in the one before, and nothing else.
    pub(super) fn hold(&mut self, frame: &Frame, seen: Seen) {
        let update = self.tracker.hold(frame.captured);
        self.carry_on(frame, &update, seen);
    }

    fn carry_on(&mut self, frame: &Frame, update: &TrackUpdate, seen: Seen) {
        self.draw(frame, update);
        self.seen = Some(seen);
        self.tell_happenings(update, Sight::Seeing);
    }

    /// Whether nothing found so far asks for another look.
    pub(super) fn is_settled(&self) -> bool {
        self.tracker.is_settled()
    }

    /// Ends everything that is tracked: nothing is seen any more.
    pub(super) fn go_blind(&mut self, now: Duration) {
        let update = self.tracker.end_all(now);
        if !update.ended.is_empty() || self.rules.is_waiting() {
            self.overlay.set_boxes(Vec::new());
            self.tell_happenings(&update, Sight::Blind);
        }
    }

    /// Says `told` to the rest of the process; waits while too much is waiting there.
    pub(super) fn tell(&self, told: Told) {
        // A closed channel means that the process is on its way out: nobody is left to be told.
        let _ = self.tell.blocking_send(told);
    }

    /// Hands the boxes to the overlay, in the pipeline's time.
    fn draw(&self, frame: &Frame, update: &TrackUpdate) {
        let boxes = update.tracks.iter().map(|track| {
            let late = frame.captured.saturating_sub(track.last_seen);
            OverlayBox {
                bbox: track.bbox,
                label: self.labels.name(track.class).into(),
                score: track.score,
                track: Some(track.id),
                class: track.class.0,
                velocity: track.velocity,
                at: frame.pts.saturating_sub(late),
            }
        });
        self.overlay.set_boxes(boxes.collect());
    }

    /// Tells those who look now, unless too much waits already: nothing may wait for them.
    fn tell_live(&self, update: &TrackUpdate) {
        if self.watched.get() {
            let of_track = |track| self.names.track(track, &self.labels, update.at);
            let objects = update.tracks.iter().map(of_track).collect();
            let _ = self.tell.try_send(Told::Live(objects, update.at));
        }
    }

    fn tell_happenings(&mut self, update: &TrackUpdate, sight: Sight) {
        self.tell_live(update);
        self.meter.lock().tracks = u32::try_from(update.tracks.len()).unwrap_or(u32::MAX);
        let mut happenings = self.rules.step(update, config::schedule::local_now());
        if sight == Sight::Blind {
            happenings.extend(self.rules.finish(update.at));
        }
        if let (Some(seen), false) = (&self.seen, happenings.is_empty()) {
            let names = &mut self.names;
            let told = happenings.iter().map(|h| names.happening(h, seen)).collect();
            self.tell(Told::Happened(told));
        }
        self.tell_counts();
        if let Some((batch, blob)) = self.history.record(update, sight) {
            self.tell(Told::Tracks(Box::new(batch), blob));
        }
    }

    fn tell_counts(&mut self) {
        let counts = to_link::counts(&self.rules.counts());
        if counts != self.counts {
            self.counts = counts.clone();
            self.tell(Told::Counts(counts));
        }
    }
}
