//! What the motion gate costs: µs for a frame, on one thread.

use std::hint::black_box;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use edgecam_domain::{BBox, Colours, Frame, MotionGate, MotionParams, PixelFormat, Size};

const FRAMES: u32 = 400;
const SIZES: [Size; 4] =
    [Size::new(768, 432), Size::new(1280, 720), Size::new(1920, 1080), Size::new(3840, 2160)];

/// A picture without a pattern that a cache could know.
fn frame(size: Size, format: PixelFormat) -> Frame {
    let byte = |at: usize| (at.wrapping_mul(2_654_435_761) >> 13) as u8;
    let data = (0..format.bytes(size)).map(byte).collect();
    let (pts, captured, tapped) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let colours = Colours::default();
    Frame { seq: 0, pts, captured, tapped, size, source_size: size, format, colours, data }
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "motion gate, µs a frame: best, median of {FRAMES}")?;
    for size in SIZES {
        for format in [PixelFormat::I420, PixelFormat::Rgb] {
            let frame = frame(size, format);
            let params = MotionParams { refresh: Duration::from_secs(3600) };
            let mut gate = MotionGate::new(params, BBox::WHOLE);
            black_box(gate.is_still(&frame));
            gate.looked();
            let mut times: Vec<Duration> = (0..FRAMES)
                .map(|_| {
                    let began = Instant::now();
                    black_box(gate.is_still(black_box(&frame)));
                    began.elapsed()
                })
                .collect();
            times.sort_unstable();
            let micros = |time: Duration| time.as_secs_f64() * 1e6;
            let (best, median) = (micros(times[0]), micros(times[times.len() / 2]));
            writeln!(out, "  {size} {format:?}: {best:.0}, {median:.0}")?;
        }
    }
    Ok(())
}
