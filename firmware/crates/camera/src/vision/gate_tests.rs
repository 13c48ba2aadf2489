//! Frames that show nothing new are passed over, and nobody but the detector notices.

use std::time::Duration;

use api::event::EventType;
use base::clock::monotonic;
use domain::Size;

use super::Told;
use super::site::{Site, cars, config, grey, manifest};
use crate::models::ModelSource;

/// The gate is open again only after a time that no test takes.
const SELDOM: [&str; 2] = ["motion_gate=true", "motion_refresh_s=60"];

/// A camera before which a car stands in a picture that does not change.
fn site(detection: &[&str]) -> Site {
    let asked = ModelSource::of(&manifest("asked"), &[]);
    let mut site = Site::new(config(detection), cars(|_| false), asked, Vec::new());
    site.frame = grey(Size::new(128, 72));
    site
}

#[test]
fn an_object_that_stands_goes_on_and_stays_drawn_while_nobody_looks() {
    let mut site = site(&SELDOM);
    let begun = site.until_event(EventType::ObjectNew);
    site.until_meter(|meter| meter.gated >= 1);
    let looks = site.meter.lock().inferred;
    // An update comes every second.
    for _ in 0..3 {
        let update = site.until_event(EventType::ObjectUpdate);
        assert_eq!(update.event_id, begun.event_id);
        assert!(update.inferred_ns - update.tapped_ns < 1_000_000_000, "its times are its frame's");
    }
    let meter = site.meter.lock();
    assert_eq!((meter.inferred, meter.tracks), (looks, 1));
    assert_eq!(meter.calls.len() as u64, looks, "who is passed over takes the detector no time");
    assert!(meter.gated > looks);
    drop(meter);
    let drawn = &site.overlay.get().boxes[0];
    assert!(monotonic() - drawn.at < Duration::from_secs(1), "as of a frame passed over");
    site.vision.stop();
}

#[test]
fn something_new_is_looked_at_in_the_next_frame() {
    let mut site = site(&SELDOM);
    site.until_meter(|meter| meter.gated >= 5);
    let looks = site.meter.lock().inferred;
    let corner = site.frame.data.chunks_mut(128).take(6);
    corner.for_each(|row| row[..6].fill(200));
    site.until_meter(|meter| meter.inferred > looks);
    let gated = site.meter.lock().gated;
    site.until_meter(|meter| meter.gated > gated);
    assert_eq!(site.meter.lock().inferred, looks + 1, "one look is enough for it");
    site.vision.stop();
}

#[test]
fn a_frame_is_looked_at_after_the_set_time_and_after_any_change_of_settings() {
    let mut site = site(&["motion_gate=true", "motion_refresh_s=0.2"]);
    site.until_meter(|meter| meter.gated >= 1);
    let looks = site.meter.lock().inferred;
    site.until_meter(|meter| meter.inferred >= looks + 2);

    site.vision.apply(config(&SELDOM), Vec::new());
    let gated = site.meter.lock().gated;
    site.until_meter(|meter| meter.gated >= gated + 20);
    let looks = site.meter.lock().inferred;
    site.vision.apply(config(&SELDOM), Vec::new());
    site.until_meter(|meter| meter.inferred == looks + 1);
    site.vision.apply(config(&["motion_gate=false"]), Vec::new());
    site.until_meter(|meter| meter.inferred >= looks + 20);
    site.vision.stop();
}

#[test]
fn tracks_are_told_as_they_are_while_somebody_looks_and_only_then() {
    let mut site = site(&["motion_gate=true", "motion_refresh_s=60"]);
    let begun = site.until_event(EventType::ObjectNew);
    let id = begun.object.expect("an object").track_id;
    site.watched.set(true);
    let live = |told: &Told| match told {
        Told::Live(objects, at) => Some((objects.clone(), *at)),
        _ => None,
    };
    let (objects, at) = site.until(live);
    assert_eq!((objects.len(), objects[0].track_id), (1, id), "under the id of its events");
    assert_eq!(objects[0].label, "car");
    let (_, next) = site.until(live);
    assert!(next > at);
    site.watched.set(false);
    // One that was on its way may come still; after the next update of the object none does.
    site.until_event(EventType::ObjectUpdate);
    let what = site.until(|told| match told {
        Told::Live(..) => Some("live"),
        Told::Happened(_) => Some("update"),
        _ => None,
    });
    assert_eq!(what, "update");
    site.vision.stop();
}
