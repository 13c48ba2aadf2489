//! A detector that panics costs neither its thread nor what comes after; a lighter model that
//! takes over keeps the tracks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use api::event::EventType;
use api::manifest::{ModelLabels, ModelManifest};
use detect::Error;

use super::site::{LONG, Site, cars, config, manifest};
use super::{Load, Pace, Told};
use crate::models::ModelSource;

/// A camera that looks at every frame.
fn site(load: Load, lighter: Vec<ModelSource>) -> Site {
    let asked = ModelSource::of(&manifest("asked"), &[]);
    Site::new(config(&["motion_gate=false"]), load, asked, lighter)
}

#[test]
fn a_detector_that_panics_is_started_again_and_says_so() {
    let mut site = site(cars(|look| look == 20), Vec::new());
    let before = site.until_event(EventType::ObjectNew);
    let error = site.until(|told| match told {
        Told::Detector(status) if status.crashes == 1 => {
            assert!(!status.running);
            Some(status.error.clone().unwrap())
        }
        _ => None,
    });
    assert!(error.contains("look 20 is one too many") && error.contains("after 1 s"), "{error}");
    let running = site.until(|told| match told {
        Told::Detector(status) => status.running.then(|| status.clone()),
        _ => None,
    });
    assert_eq!((running.error, running.crashes), (None, 1));
    let after = site.until_event(EventType::ObjectNew);
    assert_ne!(before.event_id, after.event_id, "what was tracked has ended");
    site.vision.stop();
}

#[test]
fn what_was_tracked_when_the_detector_crashed_gets_its_end() {
    let mut site = site(cars(|look| look == 20), Vec::new());
    let begun = site.until_event(EventType::ObjectNew);
    assert_eq!(site.until_event(EventType::ObjectEnd).event_id, begun.event_id);
    site.vision.stop();
}

#[test]
fn each_crash_in_a_row_makes_the_wait_longer() {
    let mut site = site(cars(|look| look < 2), Vec::new());
    for (crash, pause) in [(1, "after 1 s"), (2, "after 2 s")] {
        let error = site.until(|told| match told {
            Told::Detector(status) if status.crashes == crash => status.error.clone(),
            _ => None,
        });
        assert!(error.contains(pause), "{error}");
    }
    site.until_event(EventType::ObjectNew);
    site.vision.stop();
}

#[test]
fn a_lighter_model_with_other_labels_takes_over_without_a_new_track() {
    let names = ["ship", "person", "car"].map(str::to_owned).to_vec();
    let light = ModelManifest { labels: ModelLabels::List(names), ..manifest("light") };
    let mut site = site(cars(|_| false), vec![ModelSource::of(&light, &[])]);
    let before = site.until_event(EventType::ObjectUpdate);
    site.vision.set_pace(Pace { model: "light".into(), ..Pace::default() });
    let after = site.until(|told| match told {
        Told::Happened(all) => {
            all.iter().find(|h| h.model.as_ref().is_some_and(|m| m.name == "light")).cloned()
        }
        _ => None,
    });
    let track = |happening: link::Happening| {
        let object = happening.object.unwrap();
        (object.track_id, object.label)
    };
    assert_eq!(after.event_type, EventType::ObjectUpdate);
    assert_eq!(track(before), track(after));
    site.vision.stop();
}

#[test]
fn a_lighter_model_that_cannot_be_loaded_is_refused_and_the_one_in_use_stays() {
    let good = cars(|_| false);
    let load: Load = Box::new(move |model, config| match model.name() {
        "asked" => good(model, config),
        name => Err(Error::Missing { name: name.into(), file: "a.bin".into(), dirs: vec![] }),
    });
    let light = ModelSource::of(&manifest("light"), &[]);
    let mut site = site(load, vec![light]);
    site.until_event(EventType::ObjectNew);
    site.vision.set_pace(Pace { model: "light".into(), ..Pace::default() });
    let refused = site.until(|told| match told {
        Told::Refused { model } => Some(model.clone()),
        _ => None,
    });
    assert_eq!(refused, "light");
    let update = site.until_event(EventType::ObjectUpdate);
    assert_eq!(update.model.unwrap().name, "asked");
    site.vision.stop();
}

#[test]
fn the_model_of_the_settings_is_tried_again_after_a_while_and_a_lighter_one_stays_meanwhile() {
    let good = cars(|_| false);
    let (broken, tries) = (Arc::new(AtomicBool::new(false)), Arc::<AtomicU32>::default());
    let (breaks, tried) = (Arc::clone(&broken), Arc::clone(&tries));
    let load: Load = Box::new(move |model, config| {
        if model.name() == "asked" && breaks.load(Ordering::SeqCst) {
            tried.fetch_add(1, Ordering::SeqCst);
            return Err(Error::Missing {
                name: "asked".into(),
                file: "a.bin".into(),
                dirs: vec![],
            });
        }
        good(model, config)
    });
    let mut site = site(load, vec![ModelSource::of(&manifest("light"), &[])]);
    let status = |site: &mut Site, wanted: &dyn Fn(&api::status::DetectorStatus) -> bool| {
        site.until(|told| match told {
            Told::Refused { model } => panic!("{model} was refused"),
            Told::Detector(status) => wanted(status).then(|| status.clone()),
            _ => None,
        })
    };
    site.vision.set_pace(Pace { model: "light".into(), ..Pace::default() });
    status(&mut site, &|status| status.running && status.model == "light");
    broken.store(true, Ordering::SeqCst);
    // As the governor says it again and again.
    for _ in 0..50 {
        site.vision.set_pace(Pace { model: "asked".into(), ..Pace::default() });
    }
    let failing = status(&mut site, &|status| status.error.is_some());
    assert!(failing.running && failing.error.is_some_and(|error| error.contains("a.bin")));
    site.until_event(EventType::ObjectUpdate);
    let tried = tries.load(Ordering::SeqCst);
    broken.store(false, Ordering::SeqCst);
    let whole = status(&mut site, &|status| status.model == "asked");
    assert!(whole.running && tried < 10, "{tried} tries");
    site.vision.stop();
}

#[test]
fn a_detector_at_rest_wants_no_frames_and_looks_at_none_from_before() {
    let mut site = site(cars(|_| false), Vec::new());
    site.until_event(EventType::ObjectNew);
    site.vision.set_pace(Pace { paused: true, model: "asked".into(), ..Pace::default() });
    site.until(|told| match told {
        Told::Detector(status) => (!status.running).then_some(()),
        _ => None,
    });
    let begun = Instant::now();
    site.show();
    while site.frames.wants(LONG) || !site.show() {
        assert!(begun.elapsed() < LONG, "frames are wanted, or kept, for nobody");
        std::thread::yield_now();
    }
    site.vision.set_pace(Pace { model: "asked".into(), ..Pace::default() });
    site.until_event(EventType::ObjectNew);
    site.vision.stop();
}
