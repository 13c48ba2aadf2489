//! Which events of two sets of rules are the same, and why the others are not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::RuleSet;
use super::fired::{Fired, Rule, What};
use crate::geometry::BBox;
use crate::lines::Line;
use crate::schedule::LocalClock;
use crate::scope::Scope;
use crate::track::TrackId;
use crate::zones::Zone;

/// Events of one track, rule and kind that are closer to each other in time than this are the same:
/// a line that was moved by a hand is crossed by the same people a moment later.
pub const SAME_WITHIN: Duration = Duration::from_secs(5);

/// What a backtest found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Events that fire with both sets of rules, as the new ones tell them, in order of time.
    pub kept: Vec<Fired>,
    /// Events that fire with the new rules only, in order of time.
    pub gained: Vec<Change>,
    /// Events that fire with the old rules only, in order of time.
    pub lost: Vec<Change>,
    /// How many by rule and kind, in their order.
    pub rules: Vec<RuleTally>,
    /// Steps that were played.
    pub steps: u64,
    /// Tracks that were played.
    pub tracks: u64,
}

/// An event that fires with one set of rules only.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The event.
    pub fired: Fired,
    /// Why the other set has nothing like it.
    pub because: Difference,
}

/// Why a set of rules did not fire. The first that holds, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Difference {
    /// It has no such zone or line.
    NoRule,
    /// Its zone or line does not look at this label.
    Label,
    /// Its zone or line does not look at boxes of this size.
    Size,
    /// It was not in force then.
    Schedule,
    /// Its zone or line lies elsewhere.
    Place,
    /// It does not look for this, or its limits are others.
    Limit,
    /// None of these at the time itself: other frames in a row, another margin, another past.
    Course,
}

/// How often a rule fired for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleTally {
    /// The rule.
    pub rule: Rule,
    /// For what.
    pub what: What,
    /// With both sets.
    pub kept: u64,
    /// With the new one only.
    pub gained: u64,
    /// With the old one only.
    pub lost: u64,
}

impl RuleTally {
    /// Times that it fired with the old rules.
    pub fn before(&self) -> u64 {
        self.kept + self.lost
    }

    /// Times that it fires with the new rules.
    pub fn after(&self) -> u64 {
        self.kept + self.gained
    }
}

/// Events that could be the same.
type Key = (Rule, What, u64, Option<TrackId>);

/// Compares what the `old` and the `new` rules fired; `sets` are these rules.
pub(super) fn compare(
    old: Vec<Fired>,
    new: Vec<Fired>,
    sets: (&RuleSet, &RuleSet),
    clock: &LocalClock,
) -> Report {
    let mut groups: BTreeMap<Key, (Vec<Fired>, Vec<Fired>)> = BTreeMap::new();
    for fired in old {
        groups.entry(key(&fired)).or_default().0.push(fired);
    }
    for fired in new {
        groups.entry(key(&fired)).or_default().1.push(fired);
    }
    let mut report = Report::default();
    for ((rule, what, ..), (old, new)) in groups {
        let pairs = pair(old, new);
        let tally = RuleTally {
            kept: pairs.kept.len() as u64,
            gained: pairs.gained.len() as u64,
            lost: pairs.lost.len() as u64,
            rule,
            what,
        };
        count(&mut report.rules, tally);
        report.kept.extend(pairs.kept);
        let change =
            |set| move |fired: Fired| Change { because: difference(&fired, set, clock), fired };
        report.gained.extend(pairs.gained.into_iter().map(change(sets.0)));
        report.lost.extend(pairs.lost.into_iter().map(change(sets.1)));
    }
    report.kept.sort_by_key(|fired| fired.from);
    report.gained.sort_by_key(|change| change.fired.from);
    report.lost.sort_by_key(|change| change.fired.from);
    report
}

fn key(fired: &Fired) -> Key {
    (fired.rule.clone(), fired.what, fired.session, fired.track)
}

/// Groups come in the order of rules and kinds, several for each.
fn count(tallies: &mut Vec<RuleTally>, tally: RuleTally) {
    match tallies.last_mut().filter(|last| (&last.rule, last.what) == (&tally.rule, tally.what)) {
        Some(last) => {
            last.kept += tally.kept;
            last.gained += tally.gained;
            last.lost += tally.lost;
        }
        None => tallies.push(tally),
    }
}

#[derive(Default)]
struct Pairs {
    kept: Vec<Fired>,
    gained: Vec<Fired>,
    lost: Vec<Fired>,
}

/// Pairs events of one key, each list in order of time: the earliest with the earliest that is
/// close enough.
fn pair(old: Vec<Fired>, new: Vec<Fired>) -> Pairs {
    let mut pairs = Pairs::default();
    let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
    loop {
        match (old.peek(), new.peek()) {
            (Some(a), Some(b)) if are_same(a, b) => {
                old.next();
                pairs.kept.extend(new.next());
            }
            (Some(a), Some(b)) if a.from <= b.from => pairs.lost.extend(old.next()),
            (_, Some(_)) => pairs.gained.extend(new.next()),
            (Some(_), None) => pairs.lost.extend(old.next()),
            (None, None) => return pairs,
        }
    }
}

fn are_same(a: &Fired, b: &Fired) -> bool {
    a.from <= b.to + SAME_WITHIN && b.from <= a.to + SAME_WITHIN
}

/// Why `set` did not fire where another did.
fn difference(fired: &Fired, set: &RuleSet, clock: &LocalClock) -> Difference {
    match &fired.rule {
        Rule::Zone(id) => match set.zones.iter().find(|zone| zone.id() == id) {
            Some(zone) => scope_difference(fired, &zone.scope, clock)
                .unwrap_or_else(|| zone_difference(fired, zone)),
            None => Difference::NoRule,
        },
        Rule::Line(id) => match set.lines.iter().find(|line| line.id() == id) {
            Some(line) => scope_difference(fired, &line.scope, clock)
                .unwrap_or_else(|| line_difference(fired, line)),
            None => Difference::NoRule,
        },
    }
}

fn scope_difference(fired: &Fired, scope: &Scope, clock: &LocalClock) -> Option<Difference> {
    let looks_at = |label: &String| scope.labels.as_ref().is_none_or(|l| l.contains(label));
    if fired.label.as_ref().is_some_and(|label| !looks_at(label)) {
        return Some(Difference::Label);
    }
    if fired.bbox.is_some_and(|bbox| !scope.size.admits(bbox)) {
        return Some(Difference::Size);
    }
    (!scope.is_active(clock.at(fired.from))).then_some(Difference::Schedule)
}

fn zone_difference(fired: &Fired, zone: &Zone) -> Difference {
    let foot = fired.bbox.map(BBox::bottom_centre);
    if foot.is_some_and(|foot| !zone.holds(foot)) {
        return Difference::Place;
    }
    match fired.what {
        What::Loitering | What::Crowding => Difference::Limit,
        What::Stay | What::Crossing(_) => Difference::Course,
    }
}

fn line_difference(fired: &Fired, line: &Line) -> Difference {
    let foot = fired.bbox.map(BBox::bottom_centre);
    if foot.is_some_and(|foot| !line.is_near(foot)) {
        Difference::Place
    } else {
        Difference::Course
    }
}
