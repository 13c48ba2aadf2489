//! What the settings say of the detector's view holds for the detector that runs. With the demo model
//! and the drawn street.

use std::path::Path;

use api::event::EventType;
use domain::{BBox, Detection, Frame, Size, Tiling, View};
use link::Happening;
use scene::{I420Mut, SceneRenderer};

use super::eye::from_files;
use super::site::{Site, config, grey};
use crate::models::ModelSource;

const SIZE: Size = Size::new(1280, 720);
/// Shares of the picture: who is on streets of that size is small in it, and how small one may be
/// depends on the weights.
const SMALL: [Size; 3] = [Size::new(640, 360), Size::new(480, 270), Size::new(320, 180)];

/// A picture with the street at `second` in its left upper corner, as large as `street`.
fn street(second: u64, street: Size) -> Frame {
    let mut frame = grey(SIZE);
    let width = SIZE.width as usize;
    let (y, chroma) = frame.data.split_at_mut(SIZE.area() as usize);
    let (u, v) = chroma.split_at_mut(chroma.len() / 2);
    let mut picture = I420Mut { y: (y, width), u: (u, width / 2), v: (v, width / 2) };
    SceneRenderer::new(1, street, 1).frame(second, &mut picture);
    frame
}

fn demo() -> ModelSource {
    let mut all = detect::manifest::built_in().into_iter();
    let manifest = all.find(|m| m.name.starts_with("edgecam-demo")).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/demo");
    ModelSource::of(&manifest, &[folder.to_str().unwrap().to_owned()])
}

/// What the demo model finds in `frame`, seen so.
fn found(frame: &Frame, view: View) -> Vec<Detection> {
    let config = config(&[]);
    let mut detector = demo().load(&config.detector).unwrap();
    detector.set_params(&config.detection).unwrap();
    detector.set_view(view);
    detector.detect(frame).unwrap().detections.clone()
}

fn site(frame: Frame) -> Site {
    let mut site = Site::new(config(&[]), from_files(), demo(), Vec::new());
    site.frame = frame;
    site
}

fn is_at(happening: &Happening, bbox: BBox) -> bool {
    happening.object.as_ref().is_some_and(|object| {
        let [x, y, w, h] = object.r#box;
        BBox::new(x, y, w, h).iou(bbox) > 0.5
    })
}

#[test]
fn a_region_is_all_that_the_running_detector_sees_from_then_on() {
    let region = BBox::new(0.0, 0.4, 0.6, 0.6);
    let both = (0..20).find_map(|second| {
        let frame = street(second, SIZE);
        let all = found(&frame, View::default());
        let part = found(&frame, View { region, ..View::default() });
        let is_in_part = |bbox: BBox| part.iter().any(|p| p.score > 0.6 && p.bbox.iou(bbox) > 0.7);
        let mut sure = all.iter().filter(|d| d.score > 0.6).map(|d| d.bbox);
        let inside = sure.clone().find(|bbox| is_in_part(*bbox))?;
        let outside = sure.find(|bbox| bbox.x > region.right())?;
        Some((frame, inside, outside))
    });
    let (frame, inside, outside) = both.expect("there is someone on each side");
    let mut site = site(frame);
    site.until_happening(|h| h.event_type == EventType::ObjectNew && is_at(h, outside));
    site.vision.apply(config(&["region=[0, 0.4, 0.6, 0.6]"]), Vec::new());
    site.until_happening(|h| h.event_type == EventType::ObjectEnd && is_at(h, outside));
    site.until_happening(|h| h.event_type != EventType::ObjectEnd && is_at(h, inside));
    site.vision.apply(config(&[]), Vec::new());
    site.until_happening(|h| h.event_type == EventType::ObjectNew && is_at(h, outside));
    site.vision.stop();
}

#[test]
fn tiles_show_the_running_detector_what_is_too_small_for_one_look() {
    let tiled = View { tiling: Tiling::Two, ..View::default() };
    let mut streets = SMALL.into_iter().flat_map(|size| (0..20).map(move |at| street(at, size)));
    let gained = streets.find_map(|frame| {
        let one = found(&frame, View::default());
        let new = |d: &&Detection| d.score > 0.6 && one.iter().all(|o| o.bbox.iou(d.bbox) < 0.1);
        let gained = found(&frame, tiled).iter().find(new).map(|d| d.bbox);
        gained.map(|bbox| (frame, bbox))
    });
    let (frame, small) = gained.expect("tiles find more");
    let mut site = site(frame);
    site.until_meter(|meter| meter.inferred + meter.gated >= 20);
    let before = site.meter.lock().tracks;
    site.vision.apply(config(&["tiling=two"]), Vec::new());
    site.until_happening(|h| h.event_type == EventType::ObjectNew && is_at(h, small));
    assert!(site.meter.lock().tracks > before);
    site.vision.stop();
}
