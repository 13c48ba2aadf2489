//! Any detections at any times through tracker and rules: every object starts once and ends once,
//! every stay in a zone and every crowd has its end.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::{
    BBox, ClassId, Crowding, Detection, Happening, HappeningKind, Labels, Line, LineId, Point,
    Rules, Schedule, TrackId, Tracker, TrackerParams, WeekMinute, Zone, ZoneId,
};
use libfuzzer_sys::fuzz_target;

type Frame = (u16, Vec<(u8, f32, [f32; 4])>);

fuzz_target!(|frames: Vec<Frame>| {
    let labels = Labels::new(["person", "car", "dog"].map(str::to_owned));
    let mut tracker = Tracker::new(TrackerParams::default().with_alike_of(&labels));
    let mut rules = Rules::new(vec![zone()], vec![line()], &labels);
    let mut diary = Diary::default();
    let mut at = Duration::ZERO;
    for (millis, boxes) in frames {
        at += Duration::from_millis(millis.into());
        let boxes: Vec<_> = boxes.into_iter().take(64).map(detection).collect();
        // A frame without boxes may be one that nobody looked at.
        let unseen = boxes.is_empty() && millis % 2 == 1;
        let update = if unseen { tracker.hold(at) } else { tracker.step(at, &boxes) };
        let ids: BTreeSet<_> = update.tracks.iter().map(|track| track.id).collect();
        assert_eq!(ids.len(), update.tracks.len(), "an id stands for two tracks");
        let happenings = rules.step(&update, WeekMinute::new(0, 0).plus(millis));
        happenings.iter().for_each(|happening| diary.note(happening));
    }
    rules.finish(at).iter().for_each(|happening| diary.note(happening));
    assert!(diary.open.is_empty(), "{:?} never ended", diary.open);
    assert!(!diary.crowded, "a crowd never ended");
});

/// What is still open of what was told.
#[derive(Default)]
struct Diary {
    started: BTreeSet<TrackId>,
    /// Live objects, and how many stays of each are open.
    open: BTreeMap<TrackId, u32>,
    crowded: bool,
}

impl Diary {
    fn note(&mut self, happening: &Happening) {
        match (happening.track(), &happening.kind) {
            (None, HappeningKind::CrowdingStarted { .. }) => {
                assert!(!std::mem::replace(&mut self.crowded, true), "a crowd in a crowd");
            }
            (None, HappeningKind::CrowdingEnded { .. }) => {
                assert!(std::mem::take(&mut self.crowded), "no crowd that could end");
            }
            (Some(id), HappeningKind::ObjectStart) => {
                assert!(self.started.insert(id), "{id} started twice");
                self.open.insert(id, 0);
            }
            (Some(id), HappeningKind::ObjectEnd) => {
                assert_eq!(self.open.remove(&id), Some(0), "{id} ended inside a zone or unknown");
            }
            (Some(id), HappeningKind::ZoneEntered { .. }) => *self.of(id) += 1,
            (Some(id), HappeningKind::ZoneLeft { .. }) => *self.of(id) -= 1,
            (Some(id), _) => _ = self.of(id),
            (None, kind) => panic!("{kind:?} concerns nobody"),
        }
    }

    fn of(&mut self, id: TrackId) -> &mut u32 {
        self.open.get_mut(&id).expect("a live object")
    }
}

fn zone() -> Zone {
    let corners = [(0.2, 0.2), (0.8, 0.3), (0.7, 0.9), (0.3, 0.7)];
    let polygon = corners.map(|(x, y)| Point::new(x, y)).to_vec();
    let mut zone = Zone::new(ZoneId::new("yard"), polygon).expect("a polygon");
    let second = Duration::from_secs(1);
    zone.crowding = Some(Crowding { more_than: 2, after: second, clear_after: second });
    zone.scope.schedule = Some(Schedule::new([(WeekMinute::new(0, 60), 6000)]));
    zone
}

fn line() -> Line {
    let (from, to) = (Point::new(0.5, 0.0), Point::new(0.5, 1.0));
    Line::new(LineId::new("gate"), from, to).expect("a line")
}

fn detection((class, score, [x, y, w, h]): (u8, f32, [f32; 4])) -> Detection {
    Detection { class: ClassId(u16::from(class % 5)), score, bbox: BBox::new(x, y, w, h) }
}
