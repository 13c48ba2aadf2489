//! Feeds the generated street into a pipeline, frame by frame, from a thread of its own.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use domain::Size;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use scene::{I420Mut, SceneRenderer};

use crate::error::MediaError;
use crate::shared::Shared;
use crate::timeline::clock_time;

/// What to draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feed {
    pub(crate) seed: u64,
    pub(crate) size: Size,
    pub(crate) fps: u32,
}

/// Starts feeding `entry`; the thread ends when the pipeline is brought down.
///
/// # Errors
/// When there is no thread.
pub(crate) fn start(
    feed: Feed,
    entry: gst_app::AppSrc,
    shared: &Arc<Shared>,
    base_time: Duration,
) -> Result<JoinHandle<()>, MediaError> {
    let shared = Arc::clone(shared);
    base::thread::spawn("ec-scene", move || run(feed, &entry, &shared, base_time))
        .map_err(|error| MediaError::Thread("the scene", error))
}

fn run(feed: Feed, entry: &gst_app::AppSrc, shared: &Shared, base_time: Duration) {
    let Size { width, height } = feed.size;
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height).build();
    let Some((info, pool)) = info.ok().and_then(|info| Some((info.clone(), new_pool(&info)?)))
    else {
        tracing::error!(%width, %height, "no memory for frames of the scene");
        return;
    };
    let mut renderer = SceneRenderer::new(feed.seed, feed.size, feed.fps);
    let time_of = |n: u64| Duration::from_nanos(n * 1_000_000_000 / u64::from(feed.fps));
    for n in 0.. {
        let Ok(mut buffer) = pool.acquire_buffer(None) else { break };
        let pts = time_of(n);
        let Some(target) = buffer.get_mut() else { break };
        target.set_pts(clock_time(pts));
        target.set_duration(clock_time(time_of(n + 1) - pts));
        let Some(truth) = render(&mut renderer, n, target, &info) else { break };
        shared.remember_truth(shared.timeline.pts(base_time, pts), truth);
        // Waits while the pipeline has enough; refuses once it is brought down.
        if entry.push_buffer(buffer).is_err() {
            break;
        }
    }
    // Fails only for a pool that is not active.
    let _ = pool.set_active(false);
}

fn render(
    renderer: &mut SceneRenderer,
    n: u64,
    buffer: &mut gst::BufferRef,
    info: &gst_video::VideoInfo,
) -> Option<Vec<crate::Truth>> {
    let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, info).ok()?;
    let mut strides = [0; 3];
    for (to, from) in strides.iter_mut().zip(info.stride()) {
        *to = usize::try_from(*from).ok()?;
    }
    let [y, u, v, _] = frame.planes_data_mut();
    let mut picture = I420Mut { y: (y, strides[0]), u: (u, strides[1]), v: (v, strides[2]) };
    Some(renderer.frame(n, &mut picture))
}

fn new_pool(info: &gst_video::VideoInfo) -> Option<gst::BufferPool> {
    let pool = gst_video::VideoBufferPool::new();
    let mut config = pool.config();
    let size = u32::try_from(info.size()).ok()?;
    config.set_params(Some(&info.to_caps().ok()?), size, 0, 0);
    pool.set_config(config).ok()?;
    pool.set_active(true).ok()?;
    Some(pool.upcast())
}
