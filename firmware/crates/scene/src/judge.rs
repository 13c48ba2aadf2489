//! What was told of the street against its truth: who was missed, taken for another, seen twice or
//! never there, and who crossed a line. Pure; where the telling comes from is not known here.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use domain::BBox;

use crate::Truth;
use crate::dataset::LEAST_VISIBLE;

/// Who is in view for less may be missed, and may be told of: 20 looks at ten a second.
pub const LEAST_STAY: Duration = Duration::from_secs(2);
/// Least overlap (IoU) of a told box with a true one that it can mean.
const MEANS: f32 = 0.3;
/// What the same label adds to an overlap: the box of a rider lies within that of the bicycle.
const SAME_LABEL: f32 = 0.2;
/// How far from a line one must be to be clearly on a side, in shares of the picture's width.
const MARGIN: f32 = 0.02;

/// What has to be told of.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// A stay goes on over times out of view of up to this.
    pub memory: Duration,
    /// Who is in view for less may be missed, and may be told of.
    pub least_stay: Duration,
    /// Stays that are not within these times, too.
    pub window: [Duration; 2],
}

/// The truth of a stretch of the street, frame after frame.
#[derive(Clone, Debug, Default)]
pub struct Record {
    frames: Vec<(Duration, Vec<Truth>)>,
}

/// What was told of one object from its start to its end.
#[derive(Clone, Debug)]
pub struct Life {
    /// A name that the table shows.
    pub name: String,
    /// Its last label.
    pub label: String,
    /// Where it was said to be when.
    pub seen: Vec<(Duration, BBox)>,
    /// Whether its end was told.
    pub ended: bool,
}

/// An object in view, and who was told of meanwhile.
#[derive(Clone, Debug)]
pub struct Stay {
    id: u64,
    label: &'static str,
    from: Duration,
    to: Duration,
    /// Names and labels of the lives that mean it.
    told: Vec<(String, String)>,
    whole: bool,
}

/// The judgement.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// All stays that have to be told of.
    pub stays: Vec<Stay>,
    /// Number of lives that were told.
    pub lives: usize,
    /// Lives that mean nobody, or someone of another label.
    pub false_lives: Vec<String>,
}

/// Crossings of a line by label, as `[to the left, to the right]`.
pub type Crossings = BTreeMap<String, [u32; 2]>;

impl Record {
    /// Adds the next frame.
    pub fn push(&mut self, at: Duration, truth: Vec<Truth>) {
        self.frames.push((at, truth));
    }

    /// Judges `lives` by `terms`. Someone is in view while at least [`LEAST_VISIBLE`] of them is seen.
    pub fn judge(&self, lives: &[Life], terms: Terms) -> Verdict {
        let Terms { window, .. } = terms;
        let mut stays = self.stays(terms);
        stays.retain(|stay| stay.from >= window[0] && stay.to <= window[1]);
        let mut false_lives = Vec::new();
        for life in lives {
            let meant: Vec<_> =
                life.seen.iter().map(|(at, bbox)| self.meant(*at, *bbox, &life.label)).collect();
            let Some((id, label)) = most(meant.iter().flatten().copied()) else {
                false_lives.push(format!("{life} means nobody"));
                continue;
            };
            if label != life.label {
                false_lives.push(format!("{life} is the {label} {id}"));
            }
            let times = || life.seen.iter().zip(&meant).filter(|(_, m)| **m == Some((id, label)));
            for stay in stays.iter_mut().filter(|stay| stay.id == id) {
                if times().any(|((at, _), _)| (stay.from..=stay.to).contains(at)) {
                    stay.told.push((life.name.clone(), life.label.clone()));
                    stay.whole &= life.ended;
                }
            }
        }
        Verdict { stays, lives: lives.len(), false_lives }
    }

    /// How well `lives` cover the truth: the sum of the overlaps of each told box with the best true
    /// one of its label. Largest where both have the same time.
    pub fn overlap(&self, lives: &[Life]) -> f32 {
        let best = |at: Duration, bbox: BBox, label: &str| {
            let truth = self.at(at).into_iter().flatten().filter(|seen| seen.label == label);
            truth.map(|seen| bbox.iou(seen.bbox)).fold(0.0, f32::max)
        };
        let of = |life: &Life| -> f32 {
            life.seen.iter().map(|(at, bbox)| best(*at, *bbox, &life.label)).sum()
        };
        lives.iter().map(of).sum()
    }

    /// The frame nearest to `at`.
    fn at(&self, at: Duration) -> Option<&Vec<Truth>> {
        let next = self.frames.partition_point(|(time, _)| *time < at);
        let near = [next.checked_sub(1), Some(next)].into_iter().flatten();
        let near = near.filter_map(|index| self.frames.get(index));
        near.min_by_key(|(time, _)| time.abs_diff(at)).map(|(_, truth)| truth)
    }

    /// Who crossed the vertical line at `x` within `window`, after having been in the picture for
    /// `known` at least.
    pub fn crossings(&self, x: f32, window: [Duration; 2], known: Duration) -> Crossings {
        let mut sides: BTreeMap<u64, (Duration, bool)> = BTreeMap::new();
        let mut crossings = Crossings::new();
        for (at, truth) in &self.frames {
            for seen in truth.iter().filter(|truth| truth.visible >= LEAST_VISIBLE) {
                let off = seen.bbox.centre().x - x;
                if off.abs() < MARGIN {
                    continue;
                }
                let right = off > 0.0;
                let (since, side) = sides.entry(seen.id).or_insert((*at, right));
                let crossed = std::mem::replace(side, right) != right;
                if crossed && *at - *since >= known && (window[0]..=window[1]).contains(at) {
                    crossings.entry(seen.label.to_owned()).or_default()[usize::from(right)] += 1;
                }
            }
        }
        crossings
    }

    fn stays(&self, Terms { memory, least_stay, .. }: Terms) -> Vec<Stay> {
        let mut times: BTreeMap<u64, (&'static str, Vec<Duration>)> = BTreeMap::new();
        for (at, truth) in &self.frames {
            for seen in truth.iter().filter(|truth| truth.visible >= LEAST_VISIBLE) {
                times.entry(seen.id).or_insert((seen.label, Vec::new())).1.push(*at);
            }
        }
        let step =
            self.frames.windows(2).map(|pair| pair[1].0 - pair[0].0).min().unwrap_or_default();
        let mut stays = Vec::new();
        for (id, (label, times)) in times {
            for run in times.chunk_by(|a, b| *b - *a <= memory) {
                if step * run.len() as u32 >= least_stay {
                    let (from, to) = (run[0], run[run.len() - 1]);
                    stays.push(Stay { id, label, from, to, told: Vec::new(), whole: true });
                }
            }
        }
        stays
    }

    /// Whom a box means.
    fn meant(&self, at: Duration, bbox: BBox, label: &str) -> Option<(u64, &'static str)> {
        let truth = self.at(at)?;
        let likeness =
            |seen: &Truth| bbox.iou(seen.bbox) + if seen.label == label { SAME_LABEL } else { 0.0 };
        let close = truth.iter().filter(|seen| bbox.iou(seen.bbox) >= MEANS);
        let best = close.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
        Some((best.id, best.label))
    }
}

/// The one that comes most often.
fn most(of: impl Iterator<Item = (u64, &'static str)>) -> Option<(u64, &'static str)> {
    let mut counts: BTreeMap<_, u32> = BTreeMap::new();
    of.for_each(|one| *counts.entry(one).or_default() += 1);
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(one, _)| one)
}

impl Stay {
    /// Whether exactly one life was told of it, whole and with its label.
    pub fn is_right(&self) -> bool {
        matches!(&self.told[..], [(_, label)] if label == self.label) && self.whole
    }
}

impl Verdict {
    /// Number of stays that were told of rightly.
    pub fn right(&self) -> usize {
        self.stays.iter().filter(|stay| stay.is_right()).count()
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds =
            |seen: Option<&(Duration, BBox)>| seen.map_or(0.0, |(at, _)| at.as_secs_f32());
        let (from, to) = (seconds(self.seen.first()), seconds(self.seen.last()));
        write!(f, "life {} of a {} from {from:.1} to {to:.1} s", self.name, self.label)
    }
}

impl fmt::Display for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from.as_secs_f32(), self.to.as_secs_f32());
        write!(f, "{:<10} {:>5} from {from:>5.1} to {to:>5.1} s: ", self.label, self.id)?;
        match &self.told[..] {
            [] => write!(f, "not told of"),
            told => {
                let lives = told.iter().map(|(name, label)| format!("{name} ({label})"));
                let lives = lives.collect::<Vec<_>>().join(", ");
                write!(f, "told of as {lives}{}", if self.whole { "" } else { ", without an end" })
            }
        }
    }
}

/// The table of all that was wrong.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (right, of) = (self.right(), self.stays.len());
        writeln!(
            f,
            "{right} of {of} stays right, {} false of {} lives",
            self.false_lives.len(),
            self.lives
        )?;
        for stay in self.stays.iter().filter(|stay| !stay.is_right()) {
            writeln!(f, "  {stay}")?;
        }
        self.false_lives.iter().try_for_each(|life| writeln!(f, "  {life}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALWAYS: [Duration; 2] = [Duration::ZERO, Duration::MAX];
    const TERMS: Terms =
        Terms { memory: Duration::from_secs(1), least_stay: LEAST_STAY, window: ALWAYS };

    fn at(tenth: u64) -> Duration {
        Duration::from_millis(100 * tenth)
    }

    /// A box that goes to the right.
    fn box_at(tenth: u64) -> BBox {
        BBox::new(0.3 + 0.005 * tenth as f32, 0.5, 0.1, 0.2)
    }

    /// A car that goes to the right for 5 s, hidden in the tenths of `hidden`.
    fn car(hidden: std::ops::Range<u64>) -> Record {
        let mut record = Record::default();
        for tenth in 0..50 {
            let visible = if hidden.contains(&tenth) { 0.1 } else { 1.0 };
            let truth = Truth { id: 4, label: "car", bbox: box_at(tenth), visible };
            record.push(at(tenth), vec![truth]);
        }
        record
    }

    fn life(label: &str, tenths: std::ops::Range<u64>) -> Life {
        let seen = tenths.map(|tenth| (at(tenth), box_at(tenth))).collect();
        Life { name: label.to_owned(), label: label.to_owned(), seen, ended: true }
    }

    #[test]
    fn one_whole_life_with_the_label_is_right() {
        let verdict = car(20..25).judge(&[life("car", 3..50)], TERMS);
        assert_eq!((verdict.right(), verdict.stays.len(), verdict.false_lives.len()), (1, 1, 0));
    }

    #[test]
    fn two_lives_another_label_no_life_and_no_end_are_wrong() {
        let broken = [life("car", 0..20), life("car", 25..50)];
        let endless = [Life { ended: false, ..life("car", 0..50) }];
        for (lives, false_lives) in
            [(&broken[..], 0), (&[life("bus", 0..50)], 1), (&[], 0), (&endless, 0)]
        {
            let verdict = car(0..0).judge(lives, TERMS);
            assert_eq!((verdict.right(), verdict.false_lives.len()), (0, false_lives), "{verdict}");
        }
    }

    #[test]
    fn a_life_where_nobody_is_is_false() {
        let mut ghost = life("car", 0..50);
        ghost.seen.iter_mut().for_each(|(_, bbox)| bbox.y = 0.1);
        let verdict = car(0..0).judge(&[life("car", 0..50), ghost], TERMS);
        assert_eq!((verdict.right(), verdict.false_lives.len()), (1, 1), "{verdict}");
    }

    #[test]
    fn hidden_for_longer_than_the_memory_is_two_stays_and_one_life_may_carry_both() {
        let record = car(22..34);
        let verdict = record.judge(&[life("car", 0..22)], TERMS);
        assert_eq!((verdict.right(), verdict.stays.len()), (1, 1), "what is left is too short");
        let long = Terms { memory: Duration::from_secs(2), ..TERMS };
        assert_eq!(record.judge(&[life("car", 0..50)], long).right(), 1);
        assert_eq!(record.judge(&[life("car", 0..22), life("car", 34..50)], long).right(), 0);
    }

    #[test]
    fn crossings_have_a_direction_and_a_label() {
        let crossings = car(0..0).crossings(0.5, ALWAYS, Duration::ZERO);
        assert_eq!(crossings, Crossings::from([("car".to_owned(), [0, 1])]));
        assert!(car(0..0).crossings(0.9, ALWAYS, Duration::ZERO).is_empty());
        let never = car(0..0).crossings(0.5, ALWAYS, at(49));
        assert!(never.is_empty(), "it was not known for that long");
    }
}
