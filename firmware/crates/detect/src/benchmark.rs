//! Which model and how many threads this device does best with: measures each choice, and picks the
//! most accurate that meets a target. Measuring needs the device; picking is pure.

use std::time::{Duration, Instant};

use api::manifest::ModelManifest;
use domain::{Colours, Frame, PixelFormat, Size};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::{Detector, DetectorOptions, Error, ModelFiles};

/// Detector calls before the first that counts: caches, threads and memory pools are warm then.
const WARM_UP: usize = 3;
/// Fewest calls that tell quantiles.
const LEAST_CALLS: usize = 10;
/// A call may take this share of the time between two: the rest is for what else the machine does.
const HEADROOM: f32 = 0.8;

/// What was measured of a choice. Times are of the whole detector call, frame in and boxes out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Name of the model.
    pub model: String,
    /// Columns of its input.
    pub width: u32,
    /// Rows of its input.
    pub height: u32,
    /// Number format of its insides: auto, full, half or bfloat.
    pub precision: String,
    /// Threads of one call.
    pub threads: u32,
    /// Accuracy on COCO pictures, in percent; `None`: not known.
    pub coco_map: Option<f32>,
    /// Half of the calls took no longer, in milliseconds.
    pub p50_ms: f32,
    /// 95 of 100 calls took no longer, in milliseconds.
    pub p95_ms: f32,
    /// Time of all processors for one call, in milliseconds.
    pub cpu_ms: f32,
}

/// What a choice has to achieve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Target {
    /// Detector calls per second, above 0.
    pub fps: f32,
    /// Processors that they may keep busy, in processors: 0.5 is half of one.
    pub cpu_share: f32,
}

impl Measured {
    /// Processors that are busy at `fps` calls per second.
    pub fn cpu_share(&self, fps: f32) -> f32 {
        self.cpu_ms * fps / 1000.0
    }

    /// Whether it achieves `target`.
    pub fn meets(&self, target: Target) -> bool {
        self.p95_ms <= 1000.0 / target.fps * HEADROOM
            && self.cpu_share(target.fps) <= target.cpu_share
    }

    /// Calls per second that it can keep up within the processors of `target`.
    pub fn most_fps(&self, target: Target) -> f32 {
        (1000.0 * HEADROOM / self.p95_ms).min(1000.0 * target.cpu_share / self.cpu_ms)
    }
}

/// Detector calls on a picture of 1280×720 with some structure, for `budget` and no fewer than ten.
///
/// # Errors
/// Those of [`Detector::load`] and [`Detector::detect`].
pub fn measure(
    manifest: &ModelManifest,
    files: &ModelFiles,
    options: DetectorOptions,
    budget: Duration,
) -> Result<Measured, Error> {
    let mut detector = Detector::load(manifest, files, options)?;
    let frame = picture();
    for _ in 0..WARM_UP {
        detector.detect(&frame)?;
    }
    let mut times = Vec::new();
    let (start, cpu) = (Instant::now(), processor_time());
    while times.len() < LEAST_CALLS || start.elapsed() < budget {
        let begun = Instant::now();
        detector.detect(&frame)?;
        times.push(begun.elapsed());
    }
    let cpu = processor_time().saturating_sub(cpu).as_secs_f32() * 1000.0;
    times.sort_unstable();
    let rank =
        |percent: usize| times[(times.len() * percent).div_ceil(100) - 1].as_secs_f32() * 1000.0;
    Ok(Measured {
        model: manifest.name.clone(),
        width: manifest.input.width,
        height: manifest.input.height,
        precision: options.precision.to_string(),
        threads: options.threads,
        coco_map: manifest.coco_map,
        p50_ms: rank(50),
        p95_ms: rank(95),
        cpu_ms: cpu / times.len() as f32,
    })
}

/// The best of `measured` that meets `target`: of the highest known accuracy, and among equals of
/// the least time on the processors. `None`: none meets it.
pub fn pick(measured: &[Measured], target: Target) -> Option<&Measured> {
    measured.iter().filter(|one| one.meets(target)).max_by(|a, b| {
        let known = |one: &Measured| one.coco_map.unwrap_or(f32::NEG_INFINITY);
        known(a).total_cmp(&known(b)).then(b.cpu_ms.total_cmp(&a.cpu_ms))
    })
}

/// The one of `measured` that comes closest to a target that none meets.
pub fn closest(measured: &[Measured], target: Target) -> Option<&Measured> {
    measured.iter().max_by(|a, b| a.most_fps(target).total_cmp(&b.most_fps(target)))
}

/// Time of this process on all processors.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn picture() -> Frame {
    let (size, format) = (Size::new(1280, 720), PixelFormat::I420);
    // Any pattern will do, as long as scores are not all alike.
    let data = (0..format.bytes(size)).map(|i| ((i / 3 % 251) ^ (i / 7919)) as u8).collect();
    let (seq, zero, colours, source_size) = (0, Duration::ZERO, Colours::default(), size);
    Frame { seq, pts: zero, captured: zero, tapped: zero, size, source_size, format, colours, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(model: &str, coco_map: Option<f32>, p95_ms: f32, threads: u32) -> Measured {
        Measured {
            model: model.into(),
            width: 320,
            height: 320,
            precision: "auto".into(),
            threads,
            coco_map,
            p50_ms: p95_ms,
            p95_ms,
            cpu_ms: p95_ms * threads as f32,
        }
    }

    fn rows() -> [Measured; 4] {
        [
            measured("quick", Some(26.6), 40.0, 1),
            measured("better", Some(30.7), 60.0, 1),
            measured("better", Some(30.7), 35.0, 2),
            measured("best", Some(36.2), 110.0, 1),
        ]
    }

    fn picked(fps: f32, cpu_share: f32) -> Option<(String, u32)> {
        pick(&rows(), Target { fps, cpu_share }).map(|one| (one.model.clone(), one.threads))
    }

    #[test]
    fn the_most_accurate_that_meets_the_target_wins() {
        assert_eq!(picked(5.0, 4.0), Some(("best".into(), 1)));
        assert_eq!(picked(10.0, 4.0), Some(("better".into(), 1)));
        assert_eq!(picked(20.0, 4.0), Some(("better".into(), 2)));
        assert_eq!(picked(20.0, 1.0), Some(("quick".into(), 1)), "the other takes 1.4 processors");
        assert_eq!(picked(100.0, 4.0), None);
    }

    #[test]
    fn of_the_same_accuracy_the_one_that_takes_less_of_the_processors_wins() {
        assert_eq!(picked(12.0, 4.0), Some(("better".into(), 1)));
    }

    #[test]
    fn a_model_of_unknown_accuracy_is_only_picked_where_no_other_meets_the_target() {
        let with = |fps| {
            let mut rows = rows().to_vec();
            rows.push(measured("unknown", None, 5.0, 1));
            pick(&rows, Target { fps, cpu_share: 4.0 }).map(|one| one.model.clone())
        };
        assert_eq!(with(10.0).as_deref(), Some("better"));
        assert_eq!(with(100.0).as_deref(), Some("unknown"));
    }

    #[test]
    fn where_none_meets_the_target_the_quickest_comes_closest() {
        let target = Target { fps: 100.0, cpu_share: 1.0 };
        let rows = rows();
        let found = closest(&rows, target).unwrap();
        assert_eq!((found.model.as_str(), found.most_fps(target)), ("quick", 20.0));
        assert_eq!(closest(&[], target), None);
    }
}
