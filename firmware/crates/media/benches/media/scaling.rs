//! What stands between a frame of 1280×720 I420 and the network: our way (the tap's copy of the
//! planes, then the detector's input in one pass) against GStreamer's (`videoscale ! videoconvert`,
//! which are these two converters), whose small RGB picture still wants to be normalised. The sides
//! take turns; times are the thread's own on the processor.

use std::collections::BTreeSet;
use std::time::Duration;

use detect::manifest;
use detect::preprocess::Preprocessor;
use domain::{BBox, Colours, Frame, PixelFormat, Size};
use gstreamer as gst;
use gstreamer_video::{VideoConverter, VideoFormat, VideoFrameRef, VideoInfo};
use nix::time::{ClockId, clock_gettime};

use crate::median;

const TURNS: usize = 300;
const FROM: Size = Size::new(1280, 720);

pub(crate) fn run() {
    gst::init().unwrap();
    let mut sizes = BTreeSet::new();
    for manifest in manifest::built_in() {
        let input = manifest.input.clone();
        let to = Size::new(input.width, input.height);
        if !sizes.insert((to.width, to.height)) {
            continue;
        }
        let planes = noise(PixelFormat::I420.bytes(FROM));
        let (mut frame, mut ours) = (frame(), Preprocessor::new(input));
        let mut gstreamer = Converters::new(&[
            (VideoFormat::I420, FROM),
            (VideoFormat::I420, to),
            (VideoFormat::Rgb, to),
        ]);
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..TURNS {
            times[0].push(spent(|| planes.clone_into(&mut frame.data)));
            times[1].push(spent(|| {
                ours.run(&frame, BBox::WHOLE).unwrap();
            }));
            times[2].push(spent(|| gstreamer.run()));
        }
        let [copy, input, gstreamer] = times.map(median);
        let size = format!("{}x{}", to.width, to.height);
        println!("bench scaling {FROM} to {size}: copy of the planes median {copy:.3} ms");
        println!("bench scaling {FROM} to {size}: input of the network median {input:.3} ms");
        println!(
            "bench scaling {FROM} to {size}: videoscale ! videoconvert median {gstreamer:.3} ms"
        );
        let ratio = (copy + input) / gstreamer;
        println!("bench ratio scaling to {size}, copy and input / GStreamer's: {ratio:.2}");
    }
}

/// GStreamer's converters in a row, with a buffer before, between and behind.
struct Converters {
    infos: Vec<VideoInfo>,
    buffers: Vec<gst::Buffer>,
    steps: Vec<VideoConverter>,
}

impl Converters {
    fn new(pictures: &[(VideoFormat, Size)]) -> Self {
        let info = |&(format, size): &(_, Size)| {
            VideoInfo::builder(format, size.width, size.height).build().unwrap()
        };
        let infos: Vec<_> = pictures.iter().map(info).collect();
        let buffers = infos.iter().map(|info| gst::Buffer::from_mut_slice(noise(info.size())));
        let step = |pair: &[VideoInfo]| VideoConverter::new(&pair[0], &pair[1], None).unwrap();
        Self { buffers: buffers.collect(), steps: infos.windows(2).map(step).collect(), infos }
    }

    fn run(&mut self) {
        for (n, step) in self.steps.iter_mut().enumerate() {
            let (done, next) = self.buffers.split_at_mut(n + 1);
            let from = VideoFrameRef::from_buffer_ref_readable(&done[n], &self.infos[n]).unwrap();
            let to = next[0].get_mut().unwrap();
            let mut to = VideoFrameRef::from_buffer_ref_writable(to, &self.infos[n + 1]).unwrap();
            step.frame_ref(&from, &mut to);
        }
    }
}

/// Milliseconds of this thread on the processor.
fn spent(work: impl FnOnce()) -> f64 {
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let before = now();
    work();
    (now() - before).as_secs_f64() * 1e3
}

fn frame() -> Frame {
    Frame {
        seq: 0,
        pts: Duration::ZERO,
        captured: Duration::ZERO,
        tapped: Duration::ZERO,
        size: FROM,
        source_size: FROM,
        format: PixelFormat::I420,
        colours: Colours::default(),
        data: Vec::new(),
    }
}

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| ((i % 251) ^ (i / 7919)) as u8).collect()
}
