//! For tests: a running thread, what it says, and frames for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use api::event::EventType;
use api::manifest::ModelManifest;
use base::clock::monotonic;
use base::slot::Slot;
use config::CameraConfig;
use detect::{Error, Found, ParamsError};
use domain::{BBox, ClassId, Detection, DetectionParams, Frame, PixelFormat, Size, View};
use media::OverlayHandle;
use tokio::sync::mpsc::{Receiver, channel, error::TryRecvError};

use super::eye::Look;
use super::{Load, Told, Vision, VisionSetup, Watched};
use crate::meter::SharedMeter;
use crate::models::ModelSource;

/// Nothing that is waited for takes longer.
pub(super) const LONG: Duration = Duration::from_secs(30);

/// Sees one object of one class in the middle; panics at some of its looks.
struct One {
    found: Found,
    looks: Arc<AtomicU32>,
    panics: fn(u32) -> bool,
}

impl Look for One {
    fn set_view(&mut self, _: View) {}

    fn set_params(&mut self, _: &DetectionParams) -> Result<(), ParamsError> {
        Ok(())
    }

    fn detect(&mut self, _: &Frame) -> Result<&Found, Error> {
        let look = self.looks.fetch_add(1, Ordering::Relaxed);
        assert!(!(self.panics)(look), "look {look} is one too many");
        Ok(&self.found)
    }
}

/// Loads models that see a car each.
pub(super) fn cars(panics: fn(u32) -> bool) -> Load {
    let looks = Arc::<AtomicU32>::default();
    Box::new(move |model, _| {
        let class = model.labels().find("car").unwrap_or(ClassId(0));
        let bbox = BBox::new(0.4, 0.4, 0.2, 0.2);
        let detections = vec![Detection { class, score: 0.9, bbox }];
        let found = Found { detections, ..Found::default() };
        Ok(Box::new(One { found, looks: Arc::clone(&looks), panics }))
    })
}

/// The manifest of a model called `name`.
pub(super) fn manifest(name: &str) -> ModelManifest {
    let manifest = detect::manifest::built_in().remove(0);
    ModelManifest { name: name.to_owned(), ..manifest }
}

/// The only camera as `detection` sets it, with up to 60 looks a second.
pub(super) fn config(detection: &[&str]) -> CameraConfig {
    let set = ["max_fps=60"].iter().chain(detection);
    let set = set.map(|field| format!("cameras.cam.detection.{field}")).collect();
    let layers = config::Layers { set, ..config::Layers::default() };
    config::load(&layers).unwrap().config.cameras.remove(0)
}

/// Grey pixels.
pub(super) fn grey(size: Size) -> Frame {
    let format = PixelFormat::I420;
    Frame {
        seq: 0,
        pts: Duration::ZERO,
        captured: Duration::ZERO,
        tapped: Duration::ZERO,
        size,
        source_size: size,
        format,
        colours: domain::Colours::default(),
        data: vec![128; format.bytes(size)],
    }
}

/// A running thread, what it says, and a picture that it sees again and again.
pub(super) struct Site {
    pub(super) vision: Vision,
    pub(super) meter: SharedMeter,
    pub(super) overlay: OverlayHandle,
    /// The picture.
    pub(super) frame: Frame,
    pub(super) frames: Slot<Frame>,
    pub(super) watched: Watched,
    told: Receiver<Told>,
}

impl Site {
    /// A camera with `config` and the model `asked`.
    pub(super) fn new(
        config: CameraConfig,
        load: Load,
        asked: ModelSource,
        lighter: Vec<ModelSource>,
    ) -> Self {
        let frames = Slot::default();
        let (tell, told) = channel(256);
        let (meter, overlay) = (SharedMeter::default(), OverlayHandle::default());
        let watched = Watched::default();
        let setup = VisionSetup {
            config,
            model: asked,
            lighter,
            load,
            meter: meter.clone(),
            frames: frames.clone(),
            overlay: overlay.clone(),
            watched: watched.clone(),
            tell,
        };
        let vision = Vision::start(setup).unwrap();
        Self { vision, meter, overlay, frame: grey(Size::new(2, 2)), watched, told, frames }
    }

    /// Shows the picture until `wanted` is told.
    pub(super) fn until<T>(&mut self, wanted: impl Fn(&Told) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < LONG, "not told in time");
            self.show();
            if let Some(found) = self.hear().and_then(|told| wanted(&told)) {
                return found;
            }
        }
    }

    /// Shows the picture until `holds`, whatever is told meanwhile.
    pub(super) fn until_meter(&mut self, holds: impl Fn(&crate::meter::VisionMeter) -> bool) {
        let begun = Instant::now();
        while !holds(&self.meter.lock()) {
            assert!(begun.elapsed() < LONG, "not counted in time");
            self.show();
            self.hear();
        }
    }

    /// Shows the picture once; whether it was taken the time before.
    pub(super) fn show(&self) -> bool {
        let now = monotonic();
        let shown = Frame { pts: now, captured: now, tapped: now, ..self.frame.clone() };
        self.frames.put(shown).is_none()
    }

    /// The next of what was told.
    fn hear(&mut self) -> Option<Told> {
        match self.told.try_recv() {
            Ok(told) => Some(told),
            Err(TryRecvError::Empty) => {
                std::thread::yield_now();
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) fn until_event(&mut self, wanted: EventType) -> link::Happening {
        self.until_happening(|happening| happening.event_type == wanted)
    }

    pub(super) fn until_happening(
        &mut self,
        wanted: impl Fn(&link::Happening) -> bool,
    ) -> link::Happening {
        self.until(|told| match told {
            Told::Happened(all) => all.iter().find(|happening| wanted(happening)).cloned(),
            _ => None,
        })
    }
}
