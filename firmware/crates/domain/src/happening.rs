//! What the rules report: happenings with a snapshot of their object, and counts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::detection::ClassId;
use crate::geometry::BBox;
use crate::lines::{Direction, LineId, LineTotals};
use crate::track::{TrackId, Velocity};
use crate::zones::ZoneId;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// Time of the frame in which it was noticed.
    pub at: Duration,
    /// The object, as it is after this frame; `None` where this concerns none alone: crowding.
    pub object: Option<ObjectSnapshot>,
    /// What happened.
    pub kind: HappeningKind,
}

impl Happening {
    /// The track of the object that this concerns.
    pub fn track(&self) -> Option<TrackId> {
        self.object.as_ref().map(|object| object.id)
    }
}

/// Why a stay or an episode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndReason {
    /// The object walked out, or no longer is one that the zone looks at; the crowd is gone.
    Over,
    /// The object itself ended.
    ObjectEnded,
    /// The zone's schedule is over.
    ScheduleEnded,
    /// The zone was moved or taken away, or no longer looks for this.
    RuleChanged,
    /// Nothing is seen any more.
    Unseen,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum HappeningKind {
    /// It is there. Always the first happening of its id.
    ObjectStart,
    /// Something about it is new.
    ObjectUpdate,
    /// It is gone. Always the last happening of its id.
    ObjectEnd,
    /// It entered a zone. Followed by one [`HappeningKind::ZoneLeft`] for the same zone.
    ZoneEntered {
        /// The zone.
        zone: ZoneId,
    },
    /// It left a zone, or ended or lost the zone while inside.
    ZoneLeft {
        /// The zone.
        zone: ZoneId,
        /// How long this stay was, from the first to the last frame inside.
        dwell: Duration,
        /// Why it ended.
        reason: EndReason,
    },
    /// It has been in a zone for longer than the zone's loitering time. Once per stay.
    Loitering {
        /// The zone.
        zone: ZoneId,
        /// How long this stay is by now.
        dwell: Duration,
    },
    /// It crossed a line.
    LineCrossed {
        /// The line.
        line: LineId,
        /// Which way.
        direction: Direction,
        /// The line's totals, this crossing included.
        totals: LineTotals,
    },
    /// More objects than its limit were in a zone for its time. Followed by one
    /// [`HappeningKind::CrowdingEnded`] for the same zone.
    CrowdingStarted {
        /// The zone.
        zone: ZoneId,
        /// Objects inside now.
        count: u32,
        /// The limit that this is above.
        limit: u32,
        /// Since when there are too many.
        since: Duration,
    },
    /// There are no longer too many.
    CrowdingEnded {
        /// The zone.
        zone: ZoneId,
        /// Objects inside now.
        count: u32,
        /// Most objects at a time.
        peak: u32,
        /// The limit that they were above when it started.
        limit: u32,
        /// Since when there were too many.
        since: Duration,
        /// Why it ended.
        reason: EndReason,
    },
}

/// An object at the time of a happening.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectSnapshot {
    /// Its track.
    pub id: TrackId,
    /// Its class.
    pub class: ClassId,
    /// The name of its class.
    pub label: String,
    /// Score of its newest detection, 0..=1.
    pub score: f32,
    /// Best score of all its detections, 0..=1.
    pub top_score: f32,
    /// Where it was last seen, smoothed, in shares of the picture.
    pub bbox: BBox,
    /// How it moves.
    pub velocity: Velocity,
    /// Whether it stands in one place.
    pub stationary: bool,
    /// Time of its first detection.
    pub first_seen: Duration,
    /// Time of its newest detection.
    pub last_seen: Duration,
    /// How long it has been seen: the time between the two.
    pub age: Duration,
    /// Its zones.
    pub zones: ObjectZones,
}

/// The zones of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectZones {
    /// Those it is in, in the order in which the zones were given.
    pub current: Vec<ZoneId>,
    /// Those it ever entered, in the order in which it first did.
    pub entered: Vec<ZoneId>,
    /// How long it was in each zone of `entered`, in the same order, over all its stays.
    pub dwell: Vec<(ZoneId, Duration)>,
}

/// How many objects there are, and how many crossed. Labels that were seen once stay listed, with
/// 0, so that a reader of single numbers learns that they are gone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Live objects.
    pub all: u32,
    /// Live objects of each label.
    pub labels: BTreeMap<String, u32>,
    /// The zones, in the order in which they were given.
    pub zones: Vec<ZoneCount>,
    /// The lines, in the order in which they were given.
    pub lines: Vec<LineCount>,
}

/// Who is in a zone.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneCount {
    /// The zone.
    pub zone: ZoneId,
    /// Objects inside; the zone is occupied when it is not 0.
    pub all: u32,
    /// Objects inside of each label.
    pub labels: BTreeMap<String, u32>,
}

impl ZoneCount {
    /// Whether anything is inside.
    pub fn occupied(&self) -> bool {
        self.all > 0
    }
}

/// Who crossed a line.
#[derive(Clone, Debug, PartialEq)]
pub struct LineCount {
    /// The line.
    pub line: LineId,
    /// Its crossings.
    pub totals: LineTotals,
}
