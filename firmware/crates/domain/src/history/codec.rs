//! A stretch as bytes, and back.
//!
//! Positions are quantised to 1/4096 of the picture, times to milliseconds. The times of the steps,
//! and of each track its foot, its size and its score, are curves over the steps, of which only the
//! points are kept that a straight line does not give back within the [`Tolerance`]; then
//! everything is a difference, in integers of variable length. In which steps a track was seen is
//! kept exactly, as runs. Times in the bytes are relative to the first step.

use std::time::Duration;

use super::bytes::{Reader, put, put_signed};
use super::curve::{Knot, put_curve, read_curve, thin};
use super::{Path, Sample, Sight, Stretch};
use crate::detection::ClassId;
use crate::geometry::BBox;
use crate::track::TrackId;

/// Version of the format, its first byte.
const VERSION: u8 = 1;
/// Grid steps in one share of the picture.
const GRID: f32 = 4096.0;
/// Grid steps in a whole score.
const SCORE_GRID: f32 = 128.0;
/// Boxes are held within this many pictures around the picture.
const FAR: f32 = 4.0;
/// Most steps of a stretch that is read.
const MAX_STEPS: u32 = 1 << 16;
/// Furthest time from the first step that is read, in milliseconds: some thirty years. Beyond it a
/// stretch could not be written again without overflow.
const MAX_MS: i64 = 1 << 40;
/// Most boxes of a stretch that is read: a bound on memory, far above what a camera sees.
const MAX_SAMPLES: u64 = 1 << 22;

/// How far what comes back may be from what went in. The zero of each is what the grid gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// Of the middle of the lower edge of a box, in 1/4096 of the picture.
    pub foot: u16,
    /// Of width and height, in 1/4096 of the picture.
    pub size: u16,
    /// Of the score, in 1/128.
    pub score: u16,
    /// Of the time of a step, in milliseconds.
    pub time_ms: u16,
}

impl Tolerance {
    /// Nothing is left out: only the grid's half step is lost.
    pub const EXACT: Self = Self { foot: 0, size: 0, score: 0, time_ms: 0 };

    /// What is used: well below the margin of a zone (1/100 of the picture) and of a line (1/50).
    pub const USUAL: Self = Self { foot: 12, size: 40, score: 13, time_ms: 50 };

    /// Greatest error of a foot's coordinate, a share of the picture, for boxes within four
    /// pictures around it.
    pub fn foot_error(&self) -> f32 {
        (f32::from(self.foot) + 0.51) / GRID
    }

    /// Greatest error of a width or height, a share of the picture.
    pub fn size_error(&self) -> f32 {
        (f32::from(self.size) + 0.51) / GRID
    }

    /// Greatest error of a score.
    pub fn score_error(&self) -> f32 {
        (f32::from(self.score) + 0.51) / SCORE_GRID
    }

    /// Greatest error of a time.
    pub fn time_error(&self) -> Duration {
        Duration::from_micros(u64::from(self.time_ms) * 1000 + 1501)
    }
}

impl Default for Tolerance {
    fn default() -> Self {
        Self::USUAL
    }
}

/// Why bytes are no stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Written by a newer firmware.
    #[error("a piece of track history has format {0}, which this firmware does not know")]
    Version(u8),
    /// They end too early.
    #[error("a piece of track history ends too early")]
    Short,
    /// They contradict themselves.
    #[error("a piece of track history is damaged: {0}")]
    Invalid(&'static str),
}

/// `stretch` as bytes. Times come back relative to its first step.
pub fn encode(stretch: &Stretch, tolerance: &Tolerance) -> Vec<u8> {
    let start = stretch.steps.first().copied().unwrap_or_default();
    let mut bytes = vec![VERSION];
    put(&mut bytes, stretch.steps.len() as u64);
    put(&mut bytes, u64::from(stretch.sight == Sight::Blind));
    let times = stretch.steps.iter().map(|at| [millis_since(start, *at)]);
    let times: Vec<Knot<1>> = (0..).zip(times).collect();
    put_curve(&mut bytes, &thin(&times, tolerance.time_ms.into()));
    put(&mut bytes, stretch.paths.len() as u64);
    let mut last_id = 0;
    for path in &stretch.paths {
        put_signed(&mut bytes, path.id.0.wrapping_sub(last_id).cast_signed());
        last_id = path.id.0;
        put_signed(&mut bytes, millis_since(start, path.first_seen));
        put(&mut bytes, path.ended.map_or(0, |step| u64::from(step) + 1));
        put_samples(&mut bytes, &path.samples, tolerance);
    }
    bytes
}

fn put_samples(bytes: &mut Vec<u8>, samples: &[Sample], tolerance: &Tolerance) {
    let runs = runs(samples);
    put(bytes, runs.len() as u64);
    let mut last = 0;
    for (from, to) in runs {
        put(bytes, u64::from(from - last));
        put(bytes, u64::from(to - from));
        last = to;
    }
    let classes = classes(samples);
    put(bytes, classes.len() as u64);
    let mut last = 0;
    for (step, class) in classes {
        put(bytes, u64::from(step - last));
        put(bytes, class.0.into());
        last = step;
    }
    let foot = |sample: &Sample| {
        let foot = sample.bbox.bottom_centre();
        (sample.step, [grid(foot.x), grid(foot.y)])
    };
    let size = |sample: &Sample| (sample.step, [grid(sample.bbox.w), grid(sample.bbox.h)]);
    let score = |sample: &Sample| {
        (sample.step, [(sample.score.clamp(0.0, 1.0) * SCORE_GRID).round() as i64])
    };
    let feet: Vec<Knot<2>> = samples.iter().map(foot).collect();
    let sizes: Vec<Knot<2>> = samples.iter().map(size).collect();
    let scores: Vec<Knot<1>> = samples.iter().map(score).collect();
    put_curve(bytes, &thin(&feet, tolerance.foot.into()));
    put_curve(bytes, &thin(&sizes, tolerance.size.into()));
    put_curve(bytes, &thin(&scores, tolerance.score.into()));
}

/// Runs of steps in which it was seen, each from its first step to the one after its last.
fn runs(samples: &[Sample]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for Sample { step, .. } in samples {
        match runs.last_mut() {
            Some((_, to)) if to == step => *to += 1,
            _ => runs.push((*step, step + 1)),
        }
    }
    runs
}

/// From which step on it was of which class.
fn classes(samples: &[Sample]) -> Vec<(u32, ClassId)> {
    let mut classes: Vec<(u32, ClassId)> = Vec::new();
    for sample in samples {
        if classes.last().is_none_or(|(_, class)| *class != sample.class) {
            classes.push((sample.step, sample.class));
        }
    }
    classes
}

fn grid(share: f32) -> i64 {
    // What is no number lies nowhere; the tracker does not make such.
    let share = if share.is_finite() { share } else { 0.0 };
    (share.clamp(-FAR, FAR) * GRID).round() as i64
}

fn millis_since(start: Duration, at: Duration) -> i64 {
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    millis(at) - millis(start)
}

/// Reads what [`encode`] wrote, the first step at `start`, with a box in every step in which one
/// was seen.
///
/// # Errors
/// When the bytes are of another format or damaged. Any bytes at all are read in bounded time and
/// memory.
pub fn decode(bytes: &[u8], start: Duration) -> Result<Stretch, HistoryError> {
    let mut reader = Reader(bytes);
    let version = reader.byte()?;
    if version != VERSION {
        return Err(HistoryError::Version(version));
    }
    let count = reader.small()?;
    if count > MAX_STEPS {
        return Err(HistoryError::Invalid("it has too many steps"));
    }
    let sight = if reader.number()? == 0 { Sight::Seeing } else { Sight::Blind };
    let steps = read_steps(&mut reader, count, start)?;
    let mut paths: Vec<Path> = Vec::new();
    let mut budget = MAX_SAMPLES;
    let mut id = 0_u64;
    for _ in 0..reader.count()? {
        id = id.wrapping_add(reader.signed()?.cast_unsigned());
        if paths.last().is_some_and(|last| last.id.0 >= id) {
            return Err(HistoryError::Invalid("tracks are out of order"));
        }
        let first_seen = later(start, reader.signed()?)?;
        let ended = reader.small()?.checked_sub(1);
        if ended.is_some_and(|step| step >= count) {
            return Err(HistoryError::Invalid("a track ends beyond the last step"));
        }
        let samples = read_samples(&mut reader, count, &mut budget)?;
        paths.push(Path { id: TrackId(id), first_seen, samples, ended });
    }
    Ok(Stretch { steps, paths, sight })
}

fn read_steps(
    reader: &mut Reader<'_>,
    count: u32,
    start: Duration,
) -> Result<Vec<Duration>, HistoryError> {
    let mut times = read_curve::<1>(reader)?;
    let mut steps = Vec::with_capacity(count as usize);
    let mut last = start;
    for step in 0..count {
        let [ms] = times.value(step).ok_or(HistoryError::Invalid("steps have no times"))?;
        last = later(start, ms.round() as i64)?.max(last);
        steps.push(last);
    }
    Ok(steps)
}

fn read_samples(
    reader: &mut Reader<'_>,
    steps: u32,
    budget: &mut u64,
) -> Result<Vec<Sample>, HistoryError> {
    let mut runs = Vec::new();
    let mut last = 0_u32;
    for _ in 0..reader.count()? {
        let from = last.saturating_add(reader.small()?);
        let to = from.saturating_add(reader.small()?);
        if to > steps {
            return Err(HistoryError::Invalid("a track is seen beyond the last step"));
        }
        *budget = budget
            .checked_sub(u64::from(to - from))
            .ok_or(HistoryError::Invalid("it has too many boxes"))?;
        runs.push((from, to));
        last = to;
    }
    let mut classes = Vec::new();
    let mut last = 0_u32;
    for _ in 0..reader.count()? {
        last = last.saturating_add(reader.small()?);
        let class = u16::try_from(reader.number()?);
        classes.push((last, ClassId(class.map_err(|_| HistoryError::Invalid("a class"))?)));
    }
    let mut feet = read_curve::<2>(reader)?;
    let mut sizes = read_curve::<2>(reader)?;
    let mut scores = read_curve::<1>(reader)?;
    let missing = HistoryError::Invalid("a track has no place");
    let mut samples = Vec::new();
    for step in runs.into_iter().flat_map(|(from, to)| from..to) {
        let known = classes.partition_point(|(from, _)| *from <= step);
        let class = known.checked_sub(1).and_then(|index| classes.get(index)).ok_or(missing)?.1;
        let [x, y] = feet.value(step).ok_or(missing)?;
        let [w, h] = sizes.value(step).ok_or(missing)?;
        let [score] = scores.value(step).ok_or(missing)?;
        samples.push(Sample {
            step,
            class,
            score: score as f32 / SCORE_GRID,
            bbox: bbox(x, y, w, h),
        });
    }
    Ok(samples)
}

/// The box whose lower edge has its middle at `x`, `y`; all in grid steps.
fn bbox(x: f64, y: f64, w: f64, h: f64) -> BBox {
    let share = |value: f64| (value / f64::from(GRID)) as f32;
    BBox::new(share(x - w / 2.0), share(y - h), share(w), share(h))
}

fn later(start: Duration, ms: i64) -> Result<Duration, HistoryError> {
    let by = Duration::from_millis(ms.unsigned_abs());
    if ms.unsigned_abs() > MAX_MS.unsigned_abs() {
        return Err(HistoryError::Invalid("a time is too far off"));
    }
    Ok(if ms < 0 { start.saturating_sub(by) } else { start.saturating_add(by) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two steps, the second at `ms`; no tracks.
    fn stretch(ms: i64) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        put(&mut bytes, 2);
        put(&mut bytes, 0);
        put_curve(&mut bytes, &[(0, [0]), (1, [ms])]);
        put(&mut bytes, 0);
        bytes
    }

    #[test]
    fn times_that_could_not_be_written_again_are_refused() {
        let start = Duration::from_secs(1);
        let far = Err(HistoryError::Invalid("a time is too far off"));
        for ms in [i64::MAX, i64::MIN, MAX_MS + 1] {
            assert_eq!(decode(&stretch(ms), start), far, "{ms}");
        }
        for ms in [MAX_MS, 7, -MAX_MS] {
            let read = decode(&stretch(ms), start).unwrap();
            assert_eq!(decode(&encode(&read, &Tolerance::USUAL), start).unwrap(), read, "{ms}");
        }
    }
}
