//! A plan → GStreamer elements, one by one and by name: what fails is told as a sentence that names
//! the element.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::board::package_of;
use crate::error::MediaError;
use crate::plan::{ElementSpec, LowResStream, RungPlan};

/// What decodes or opens a stream finds out what is in it: its pads come later.
const DYNAMIC: [&str; 2] = ["decodebin", "rtspsrc"];

/// A pipeline that is ready to be played.
pub(crate) struct Built {
    pub(crate) pipeline: gst::Pipeline,
    pub(crate) source: SourceBin,
    /// What the source bin is linked to.
    pub(crate) after_source: gst::Element,
    /// Where the tap looks: raw frames, each at its time.
    pub(crate) raw_pad: gst::Pad,
    /// Where the overlay is drawn: raw frames on the encoder's own thread.
    pub(crate) overlay_pad: gst::Pad,
    pub(crate) encoder: gst::Element,
    /// Where H.264 comes out.
    pub(crate) encoded: gst_app::AppSink,
}

/// The source as one bin with one pad for raw frames.
pub(crate) struct SourceBin {
    pub(crate) bin: gst::Bin,
    pub(crate) pad: gst::GhostPad,
    /// Small frames that the camera has scaled.
    pub(crate) low_res: Option<gst_app::AppSink>,
    /// The entry for frames that we generate.
    pub(crate) feed: Option<gst_app::AppSrc>,
}

/// Makes the pipeline of `plan`.
///
/// # Errors
/// A sentence that names the element that could not be made, set or linked.
pub(crate) fn pipeline(
    plan: &RungPlan,
    low_res: Option<&LowResStream>,
) -> Result<Built, MediaError> {
    let pipeline = gst::Pipeline::new();
    let source = source_bin(&plan.source, low_res)?;
    let specs: Vec<&ElementSpec> = plan.pace.iter().chain(&plan.encode).collect();
    let elements = specs.iter().map(|spec| make(spec)).collect::<Result<Vec<_>, _>>()?;
    add(pipeline.upcast_ref(), std::iter::once(source.bin.upcast_ref()))?;
    add(pipeline.upcast_ref(), &elements)?;
    elements.windows(2).try_for_each(|pair| link(&pair[0], &pair[1]))?;
    let first = elements.first().ok_or(MediaError::NotRunning)?.clone();
    link(source.bin.upcast_ref(), &first)?;
    let named = |name: &str| by_name(&elements, name);
    let raw_pad = match &plan.pace {
        Some(pace) => src_pad(&named(pace.name)?)?,
        None => source.pad.clone().upcast(),
    };
    let overlay_pad = src_pad(&named("encoder-queue")?)?;
    let encoded = named("encoded")?.downcast().map_err(|_| MediaError::NotRunning)?;
    let encoder = named("encoder")?;
    Ok(Built { pipeline, source, after_source: first, raw_pad, overlay_pad, encoder, encoded })
}

/// Makes the source of a plan, not yet in a pipeline.
///
/// # Errors
/// As [`pipeline`].
pub(crate) fn source_bin(
    specs: &[ElementSpec],
    low_res: Option<&LowResStream>,
) -> Result<SourceBin, MediaError> {
    let bin = gst::Bin::new();
    let elements = specs.iter().map(make).collect::<Result<Vec<_>, _>>()?;
    add(&bin, &elements)?;
    for (pair, spec) in elements.windows(2).zip(specs) {
        if DYNAMIC.contains(&spec.factory) {
            link_later(&pair[0], &pair[1]);
        } else {
            link(&pair[0], &pair[1])?;
        }
    }
    let (Some(first), Some(last)) = (elements.first(), elements.last()) else {
        return Err(MediaError::NotRunning);
    };
    let low_res = low_res.map(|stream| second_stream(&bin, first, stream)).transpose()?;
    let link_error = || MediaError::Link { from: last.name().into(), to: "the encoder".into() };
    let pad = gst::GhostPad::with_target(&src_pad(last)?).map_err(|_| link_error())?;
    // Pads of a bin that does not run yet are activated with it.
    bin.add_pad(&pad).map_err(|_| link_error())?;
    let feed = first.clone().downcast::<gst_app::AppSrc>().ok();
    Ok(SourceBin { bin, pad, low_res, feed })
}

fn second_stream(
    bin: &gst::Bin,
    camera: &gst::Element,
    stream: &LowResStream,
) -> Result<gst_app::AppSink, MediaError> {
    let elements = stream.elements.iter().map(make).collect::<Result<Vec<_>, _>>()?;
    add(bin, &elements)?;
    elements.windows(2).try_for_each(|pair| link(&pair[0], &pair[1]))?;
    let link_error = || MediaError::Link { from: camera.name().into(), to: "tap-caps".to_owned() };
    let pad = camera.request_pad_simple("src_%u").ok_or_else(link_error)?;
    for (pad, role) in
        [(Some(pad.clone()), "view-finder"), (camera.static_pad("src"), "video-recording")]
    {
        if let Some(pad) = pad.filter(|pad| pad.find_property("stream-role").is_some()) {
            pad.set_property_from_str("stream-role", role);
        }
    }
    let first = elements.first().and_then(|e| e.static_pad("sink")).ok_or_else(link_error)?;
    pad.link(&first).map_err(|_| link_error())?;
    by_name(&elements, "tap")?.downcast().map_err(|_| MediaError::NotRunning)
}

/// Makes one element.
///
/// # Errors
/// When it is not installed, or does not take a property.
pub(crate) fn make(spec: &ElementSpec) -> Result<gst::Element, MediaError> {
    let missing = || MediaError::MissingElement {
        element: spec.factory.to_owned(),
        package: package_of(spec.factory),
    };
    let factory = gst::ElementFactory::find(spec.factory).ok_or_else(missing)?;
    let element = factory.create().name(spec.name).build().map_err(|_| missing())?;
    for (property, value) in &spec.props {
        set(&element, property, value).ok_or_else(|| MediaError::Property {
            element: spec.name.to_owned(),
            property: (*property).to_owned(),
            value: if spec.secrets.contains(property) { "…".to_owned() } else { value.clone() },
        })?;
    }
    Ok(element)
}

fn set(element: &gst::Element, property: &str, value: &str) -> Option<()> {
    let spec = element.find_property(property)?;
    if spec.value_type() == String::static_type() {
        // As it is: a path may look like something that GStreamer would unquote.
        element.set_property(property, value);
    } else {
        let value = gst::glib::Value::deserialize(value, spec.value_type()).ok()?;
        element.set_property_from_value(property, &value);
    }
    Some(())
}

fn add<'a>(
    bin: &gst::Bin,
    elements: impl IntoIterator<Item = &'a gst::Element>,
) -> Result<(), MediaError> {
    elements.into_iter().try_for_each(|element| {
        bin.add(element).map_err(|_| MediaError::Link {
            from: "the pipeline".into(),
            to: element.name().into(),
        })
    })
}

fn link(from: &gst::Element, to: &gst::Element) -> Result<(), MediaError> {
    from.link(to).map_err(|_| MediaError::Link { from: from.name().into(), to: to.name().into() })
}

fn by_name(elements: &[gst::Element], name: &str) -> Result<gst::Element, MediaError> {
    let found = elements.iter().find(|element| element.name() == name);
    found.cloned().ok_or_else(|| MediaError::Link { from: "the plan".into(), to: name.into() })
}

fn src_pad(element: &gst::Element) -> Result<gst::Pad, MediaError> {
    let error = || MediaError::Link { from: element.name().into(), to: "anything".to_owned() };
    element.static_pad("src").ok_or_else(error)
}

/// Links the first video stream that `from` finds to `to`; other streams stay unlinked, and
/// undecoded.
fn link_later(from: &gst::Element, to: &gst::Element) {
    let found = Arc::new(AtomicBool::new(false));
    let target = to.downgrade();
    let linked = Arc::clone(&found);
    from.connect_pad_added(move |_, pad| {
        let Some(sink) = target.upgrade().and_then(|to| to.static_pad("sink")) else { return };
        if is_video(pad) && !sink.is_linked() && pad.link(&sink).is_ok() {
            linked.store(true, Ordering::Relaxed);
        }
    });
    from.connect_no_more_pads(move |element| {
        if !found.load(Ordering::Relaxed) {
            gst::element_error!(element, gst::StreamError::WrongType, ("There is no video in it."));
        }
    });
    let is = |name: &str| from.factory().is_some_and(|factory| factory.name() == name);
    if is("decodebin") {
        // Decoding sound that nobody hears would cost as much as the tap.
        from.connect("autoplug-continue", false, |values| {
            let caps = values.get(2)?.get::<gst::Caps>().ok()?;
            let skip = caps.iter().any(|s| {
                ["audio/", "text/", "subpicture/"].iter().any(|kind| s.name().starts_with(kind))
            });
            Some((!skip).to_value())
        });
    }
    if is("rtspsrc") {
        from.connect("select-stream", false, |values| {
            let caps = values.get(2)?.get::<gst::Caps>().ok()?;
            Some(is_video_rtp(&caps).to_value())
        });
    }
}

fn is_video(pad: &gst::Pad) -> bool {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    caps.iter().any(|s| s.name().starts_with("video/x-raw")) || is_video_rtp(&caps)
}

fn is_video_rtp(caps: &gst::Caps) -> bool {
    caps.iter().any(|s| s.get::<&str>("media").is_ok_and(|media| media == "video"))
}
