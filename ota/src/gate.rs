//! Whether a new system works: looks at the product go in, and once everything that worked before has
//! worked for a minute on end, it does. Pure.
//!
//! No network, broker or clock is asked for: a device whose cable was pulled out has no bad firmware.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::state::{Baseline, Worked};

/// How long all must work on end.
pub const PROVEN: Duration = Duration::from_secs(60);
/// How long it may take until then; a minute that has begun may end.
pub const DEADLINE: Duration = Duration::from_secs(300);
/// A camera without a new frame for this time gives none.
const NO_FRAMES: Duration = Duration::from_secs(10);
/// A detector that has looked at nothing for this time does not work.
const NO_LOOKS: Duration = Duration::from_secs(30);

/// One look at the product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When, by a clock that nobody sets.
    pub at: Duration,
    /// The cameras, by id.
    pub cameras: BTreeMap<String, Camera>,
    /// Whether the API answered; else why not.
    pub api: Result<(), String>,
    /// Whether the event store took something; else why not.
    pub store: Result<(), String>,
}

/// One look at a camera.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Camera {
    /// Whether its settings want it to run.
    pub wanted: bool,
    /// Names its process: counters start again with another one.
    pub process: Option<u32>,
    /// Frames that came.
    pub frames: u64,
    /// Frames that were encoded.
    pub encoded: u64,
    /// Results that its detector gave.
    pub results: u64,
    /// Frames that were looked at, or passed over because they showed nothing new.
    pub looked: u64,
    /// Whether its detector is held back by what the device can bear.
    pub held_back: bool,
    /// What it says stands in its way.
    pub error: Option<String>,
}

/// What all looks so far say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not yet; what is missing, and since when all is well.
    Waiting {
        /// What is missing.
        missing: Vec<String>,
        /// How long all has been well.
        well_for: Duration,
    },
    /// It works.
    Healthy,
    /// It does not.
    Refused(String),
}

/// The looks so far.
#[derive(Clone, Debug)]
pub struct Gate {
    baseline: Baseline,
    until: Duration,
    well_since: Option<Duration>,
    cameras: BTreeMap<String, Seen>,
}

/// When the counters of a camera were last seen to move.
#[derive(Clone, Debug)]
struct Seen {
    last: Camera,
    frames: Option<Duration>,
    encoded: Option<Duration>,
    looked: Option<Duration>,
}

impl Gate {
    /// A gate for what worked before, which began at `began`.
    pub fn new(baseline: Baseline, began: Duration) -> Self {
        Self { baseline, until: began + DEADLINE, well_since: None, cameras: BTreeMap::new() }
    }

    /// Takes a look; looks come in the order of time.
    pub fn observe(&mut self, sample: &Sample) -> Verdict {
        for (id, camera) in &sample.cameras {
            self.cameras
                .entry(id.clone())
                .and_modify(|seen| seen.note(camera, sample.at))
                .or_insert_with(|| Seen::first(camera));
        }
        let missing = self.missing(sample);
        if missing.is_empty() {
            let since = *self.well_since.get_or_insert(sample.at);
            let well_for = sample.at.saturating_sub(since);
            if well_for >= PROVEN {
                return Verdict::Healthy;
            }
            return Verdict::Waiting { missing, well_for };
        }
        self.well_since = None;
        if sample.at >= self.until {
            let within = DEADLINE.as_secs();
            return Verdict::Refused(format!("not well within {within} s: {}", missing.join("; ")));
        }
        Verdict::Waiting { missing, well_for: Duration::ZERO }
    }

    fn missing(&self, sample: &Sample) -> Vec<String> {
        let mut missing = Vec::new();
        if let Err(why) = &sample.api {
            missing.push(format!("the API does not answer: {why}"));
        }
        if let Err(why) = &sample.store {
            missing.push(format!("the event store takes nothing: {why}"));
        }
        for (id, camera) in &sample.cameras {
            let before = self.baseline.cameras.get(id).copied();
            let before = before.unwrap_or(Worked { pictures: true, detector: true });
            if camera.wanted
                && before.pictures
                && let Some(seen) = self.cameras.get(id)
                && let Some(what) = seen.complaint(sample.at, before.detector)
            {
                let why = camera.error.as_ref().map(|error| format!(" ({error})"));
                missing.push(format!("camera {id} {what}{}", why.unwrap_or_default()));
            }
        }
        // Settings that did not come along would take cameras with them.
        let gone =
            self.baseline.cameras.iter().filter(|(id, before)| {
                before.pictures && !sample.cameras.contains_key(id.as_str())
            });
        missing.extend(gone.map(|(id, _)| format!("camera {id} is gone")));
        missing
    }
}

impl Seen {
    fn first(camera: &Camera) -> Self {
        Self { last: camera.clone(), frames: None, encoded: None, looked: None }
    }

    fn note(&mut self, now: &Camera, at: Duration) {
        if now.process != self.last.process {
            *self = Self::first(now);
            return;
        }
        let moved = |then: u64, now: u64, since: &mut Option<Duration>| {
            if now > then {
                *since = Some(at);
            }
        };
        moved(self.last.frames, now.frames, &mut self.frames);
        moved(self.last.encoded, now.encoded, &mut self.encoded);
        moved(self.last.looked, now.looked, &mut self.looked);
        self.last = now.clone();
    }

    /// What it does not do, as the end of a sentence.
    fn complaint(&self, at: Duration, detector: bool) -> Option<&'static str> {
        let stale = |since: Option<Duration>, limit| {
            since.is_none_or(|since| at.saturating_sub(since) > limit)
        };
        if stale(self.frames, NO_FRAMES) {
            return Some("gives no frames");
        }
        if stale(self.encoded, NO_FRAMES) {
            return Some("encodes no frames");
        }
        if !detector || self.last.held_back {
            return None;
        }
        if self.last.results == 0 {
            return Some("has a detector without results");
        }
        stale(self.looked, NO_LOOKS).then_some("has a detector that looks at nothing")
    }
}

/// What works between two looks, some seconds apart.
pub fn baseline(first: &Sample, second: &Sample) -> Baseline {
    let mut gate = Gate::new(Baseline::default(), first.at);
    gate.observe(first);
    gate.observe(second);
    let of = |(id, seen): (&String, &Seen)| {
        let pictures = seen.last.wanted && seen.complaint(second.at, false).is_none();
        let detector = pictures && seen.complaint(second.at, true).is_none();
        (id.clone(), Worked { pictures, detector })
    };
    Baseline { cameras: gate.cameras.iter().map(of).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A camera that has run for `seconds`, at 10 frames and 5 results a second.
    fn camera(seconds: u64) -> Camera {
        Camera {
            wanted: true,
            process: Some(1),
            frames: seconds * 10,
            encoded: seconds * 10,
            results: seconds * 5,
            looked: seconds * 5,
            ..Camera::default()
        }
    }

    fn sample(at: u64, cameras: &[(&str, Camera)]) -> Sample {
        let cameras = cameras.iter().map(|(id, camera)| ((*id).to_owned(), camera.clone()));
        Sample {
            at: Duration::from_secs(at),
            cameras: cameras.collect(),
            api: Ok(()),
            store: Ok(()),
        }
    }

    /// Looks every second from 0 on; the first verdict that is no waiting, and when.
    fn verdict(baseline: Baseline, look: impl Fn(u64) -> Sample) -> (u64, Verdict) {
        let mut gate = Gate::new(baseline, Duration::ZERO);
        for at in 0..1000 {
            match gate.observe(&look(at)) {
                Verdict::Waiting { .. } => {}
                verdict => return (at, verdict),
            }
        }
        panic!("no verdict");
    }

    fn refused(baseline: Baseline, look: impl Fn(u64) -> Sample) -> String {
        match verdict(baseline, look) {
            (at, Verdict::Refused(why)) => {
                assert!(at >= DEADLINE.as_secs());
                why
            }
            other => panic!("{other:?}"),
        }
    }

    fn worked(pictures: bool, detector: bool) -> Baseline {
        Baseline { cameras: [("a".to_owned(), Worked { pictures, detector })].into() }
    }

    #[test]
    fn a_system_that_works_for_a_minute_on_end_is_healthy() {
        let (at, verdict) = verdict(worked(true, true), |at| sample(at, &[("a", camera(at))]));
        assert_eq!((at, verdict), (61, Verdict::Healthy));
    }

    #[test]
    fn a_fault_in_between_begins_the_minute_again() {
        let (at, found) = verdict(Baseline::default(), |at| {
            let mut one = sample(at, &[("a", camera(at))]);
            if at == 40 {
                one.store = Err("disk full".into());
            }
            one
        });
        assert_eq!((at, found), (101, Verdict::Healthy));
    }

    #[test]
    fn a_camera_without_frames_is_refused_with_its_own_words() {
        let why = refused(worked(true, true), |at| {
            let dead = Camera { frames: 0, error: Some("no such device".into()), ..camera(at) };
            sample(at, &[("a", dead)])
        });
        assert!(why.contains("camera a gives no frames (no such device)"), "{why}");
    }

    #[test]
    fn frames_that_nobody_encodes_or_looks_at_are_not_enough() {
        let why = refused(Baseline::default(), |at| {
            sample(at, &[("a", Camera { encoded: 0, ..camera(at) })])
        });
        assert!(why.contains("camera a encodes no frames"), "{why}");
        let why = refused(Baseline::default(), |at| {
            sample(at, &[("a", Camera { results: 0, ..camera(at) })])
        });
        assert!(why.contains("camera a has a detector without results"), "{why}");
        let why = refused(Baseline::default(), |at| {
            sample(at, &[("a", Camera { looked: 3, ..camera(at) })])
        });
        assert!(why.contains("looks at nothing"), "{why}");
    }

    #[test]
    fn a_camera_that_crashes_again_and_again_never_proves_anything() {
        let why = refused(Baseline::default(), |at| {
            let process = Some(u32::try_from(at / 5).unwrap());
            sample(at, &[("a", Camera { process, ..camera(at % 5) })])
        });
        assert!(why.contains("camera a"), "{why}");
    }

    #[test]
    fn what_did_not_work_before_is_not_asked_for() {
        let dead = |at| sample(at, &[("a", Camera { frames: 0, encoded: 0, ..camera(at) })]);
        assert_eq!(verdict(worked(false, false), dead).1, Verdict::Healthy);
        let blind = |at| sample(at, &[("a", Camera { results: 0, looked: 0, ..camera(at) })]);
        assert_eq!(verdict(worked(true, false), blind).1, Verdict::Healthy);
        let off = |at| sample(at, &[("a", Camera { wanted: false, ..Camera::default() })]);
        assert_eq!(verdict(worked(true, true), off).1, Verdict::Healthy);
    }

    #[test]
    fn a_camera_that_the_settings_lost_is_missed() {
        let why = refused(worked(true, true), |at| sample(at, &[]));
        assert!(why.contains("camera a is gone"), "{why}");
    }

    #[test]
    fn an_api_that_does_not_answer_is_refused() {
        let why = refused(Baseline::default(), |at| Sample {
            api: Err("connection refused".into()),
            ..sample(at, &[("a", camera(at))])
        });
        assert!(why.contains("the API does not answer: connection refused"), "{why}");
    }

    #[test]
    fn a_minute_that_has_begun_before_the_deadline_may_end() {
        let (at, found) = verdict(Baseline::default(), |at| {
            let running = if at < 280 { 0 } else { at };
            sample(at, &[("a", Camera { frames: running, ..camera(at) })])
        });
        assert_eq!(found, Verdict::Healthy);
        assert!(at > DEADLINE.as_secs() && at < 360, "{at}");
    }

    #[test]
    fn the_baseline_is_what_moves() {
        let frozen = Camera { frames: 7, ..camera(0) };
        let (first, second) = (
            sample(0, &[("a", camera(0)), ("b", frozen.clone())]),
            sample(5, &[("a", camera(5)), ("b", frozen)]),
        );
        let baseline = baseline(&first, &second);
        assert_eq!(baseline.cameras["a"], Worked { pictures: true, detector: true });
        assert_eq!(baseline.cameras["b"], Worked { pictures: false, detector: false });
    }
}
