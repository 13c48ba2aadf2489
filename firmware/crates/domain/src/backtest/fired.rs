//! What a set of rules fired: happenings made into events with a begin and an end.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::geometry::BBox;
use crate::happening::{Happening, HappeningKind, ObjectSnapshot};
use crate::lines::{Direction, LineId};
use crate::track::TrackId;
use crate::zones::ZoneId;

/// A zone or a line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// A zone.
    Zone(ZoneId),
    /// A line.
    Line(LineId),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zone(zone) => write!(f, "zone {zone}"),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// What a rule fires for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// A stay in a zone.
    Stay,
    /// A stay that is too long.
    Loitering,
    /// An episode of crowding.
    Crowding,
    /// A crossing of a line.
    Crossing(Direction),
}

/// Something that a rule fired for.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    /// The rule.
    pub rule: Rule,
    /// For what.
    pub what: What,
    /// The session.
    pub session: u64,
    /// The track; `None` for crowding.
    pub track: Option<TrackId>,
    /// Label of the object when it began; `None` for crowding.
    pub label: Option<String>,
    /// When it began: the time of the picture in which it was noticed.
    pub from: Duration,
    /// When it ended; `from` where it is of one moment.
    pub to: Duration,
    /// Box of the object when it began.
    pub(super) bbox: Option<BBox>,
}

/// Makes events of happenings.
#[derive(Debug, Default)]
pub(super) struct Collector {
    session: u64,
    fired: Vec<Fired>,
    /// Those of `fired` that go on, by their zone and track.
    open: BTreeMap<(ZoneId, Option<TrackId>), usize>,
}

impl Collector {
    /// Another session begins; all events of the one before have ended.
    pub(super) fn begin(&mut self, session: u64) {
        self.session = session;
        self.open.clear();
    }

    /// Takes what the rules told.
    pub(super) fn hear(&mut self, happenings: &[Happening]) {
        for Happening { at, object, kind } in happenings {
            let (at, object) = (*at, object.as_ref());
            let track = object.map(|object| object.id);
            match kind {
                HappeningKind::ZoneEntered { zone } => {
                    self.open.insert((zone.clone(), track), self.fired.len());
                    self.fire(Rule::Zone(zone.clone()), What::Stay, at, object);
                }
                HappeningKind::CrowdingStarted { zone, .. } => {
                    self.open.insert((zone.clone(), None), self.fired.len());
                    self.fire(Rule::Zone(zone.clone()), What::Crowding, at, None);
                }
                HappeningKind::ZoneLeft { zone, .. }
                | HappeningKind::CrowdingEnded { zone, .. } => {
                    let index = self.open.remove(&(zone.clone(), track));
                    if let Some(fired) = index.and_then(|index| self.fired.get_mut(index)) {
                        fired.to = at;
                    }
                }
                HappeningKind::Loitering { zone, .. } => {
                    self.fire(Rule::Zone(zone.clone()), What::Loitering, at, object);
                }
                HappeningKind::LineCrossed { line, direction, .. } => {
                    self.fire(Rule::Line(line.clone()), What::Crossing(*direction), at, object);
                }
                HappeningKind::ObjectStart
                | HappeningKind::ObjectUpdate
                | HappeningKind::ObjectEnd => {}
            }
        }
    }

    fn fire(&mut self, rule: Rule, what: What, at: Duration, object: Option<&ObjectSnapshot>) {
        self.fired.push(Fired {
            rule,
            what,
            session: self.session,
            track: object.map(|object| object.id),
            label: object.map(|object| object.label.clone()),
            from: at,
            to: at,
            bbox: object.map(|object| object.bbox),
        });
    }

    /// All events so far, in the order in which they began.
    pub(super) fn into_all(self) -> Vec<Fired> {
        self.fired
    }
}
