//! Which frames of which streets a data set is made of, and what counts in their truth. Pure: files
//! are written by the program `edgecam-scene`.

use domain::Size;

use crate::dice::Dice;
use crate::{I420Mut, Look, SceneRenderer, Truth};

/// Objects of which less is seen are don't-care regions (as in KITTI: Geiger et al., "Are we ready
/// for autonomous driving?", 2012): neither to be found nor wrong to be found.
pub const LEAST_VISIBLE: f32 = 0.3;

/// The classes by their ids in COCO.
pub const CATEGORIES: [(u32, &str); 8] = [
    (1, "person"),
    (2, "bicycle"),
    (3, "car"),
    (4, "motorcycle"),
    (6, "bus"),
    (8, "truck"),
    (17, "cat"),
    (18, "dog"),
];

/// Rate that numbers of frames refer to.
const FPS: u32 = 25;
/// Frames are taken from so long a stretch of a street, in seconds.
const STRETCH: u32 = 7200;

/// What a data set is for. The streets of one are never those of the other, and none is one that
/// people see by default (seeds are small there).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// To learn from.
    Training,
    /// To be judged by.
    HeldOut,
}

impl Split {
    /// Most scenes of a split.
    pub const SCENES: u64 = 1_000_000;

    /// Seeds of its streets.
    pub fn seeds(self) -> std::ops::Range<u64> {
        let first = match self {
            Self::Training => Self::SCENES,
            Self::HeldOut => 2 * Self::SCENES,
        };
        first..first + Self::SCENES
    }
}

/// Which looks the streets of a data set have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// The source's own.
    Plain,
    /// By lot.
    Varied,
    /// Every fourth plain, the others by lot.
    Mixed,
}

/// A frame of a data set.
#[derive(Debug)]
pub struct Sample {
    /// Seed of its street.
    pub seed: u64,
    /// Number of the frame there.
    pub frame: u64,
    /// Red, green and blue of every pixel, rows packed.
    pub rgb: Vec<u8>,
    /// What it shows.
    pub truth: Vec<Truth>,
}

/// `frames` frames of scene number `scene`, far apart in time, of `size` (even sides).
pub fn samples(
    split: Split,
    scene: u64,
    looks: Looks,
    frames: u64,
    size: Size,
) -> impl Iterator<Item = Sample> {
    let seed = split.seeds().start + scene % Split::SCENES;
    let plain = match looks {
        Looks::Plain => true,
        Looks::Varied => false,
        Looks::Mixed => scene.is_multiple_of(4),
    };
    let look = if plain { Look::plain() } else { Look::varied(seed) };
    let mut renderer = SceneRenderer::with_look(seed, size, FPS, look);
    let mut dice = Dice::of([seed, 6000, 0]);
    let (w, h) = (size.width as usize, size.height as usize);
    let (mut y, mut u, mut v) = (vec![0; w * h], vec![0; w * h / 4], vec![0; w * h / 4]);
    (0..frames).map(move |_| {
        let frame = u64::from(dice.below(STRETCH * FPS));
        let mut picture = I420Mut { y: (&mut y, w), u: (&mut u, w / 2), v: (&mut v, w / 2) };
        let truth = renderer.frame(frame, &mut picture);
        Sample { seed, frame, rgb: to_rgb(size, [&y, &u, &v]), truth }
    })
}

/// The colours of a picture: BT.709, limited range; a chroma sample colours its 2×2 pixels.
pub fn to_rgb(size: Size, [y, u, v]: [&[u8]; 3]) -> Vec<u8> {
    let width = size.width as usize;
    let mut rgb = Vec::with_capacity(y.len() * 3);
    for (row, line) in y.chunks_exact(width).enumerate() {
        for (column, &luma) in line.iter().enumerate() {
            let at = row / 2 * (width / 2) + column / 2;
            let (cb, cr) = (i32::from(u[at]) - 128, i32::from(v[at]) - 128);
            // The matrix × 1024 (ITU-R BT.709, section 3).
            let luma = 1192 * (i32::from(luma) - 16) + 512;
            let byte = |value: i32| (value >> 10).clamp(0, 255) as u8;
            rgb.extend([
                byte(luma + 1836 * cr),
                byte(luma - 218 * cb - 546 * cr),
                byte(luma + 2163 * cb),
            ]);
        }
    }
    rgb
}

/// `rgb` of size `from` in size `to`, each pixel mixed from the 4 around its middle and no others:
/// as the tap and the detector scale (bilinear, pixel middles aligned, no averaging).
pub fn scaled(rgb: &[u8], from: Size, to: Size) -> Vec<u8> {
    let taps = |from: u32, to: u32| -> Vec<(usize, usize, f32)> {
        let ratio = from as f32 / to as f32;
        (0..to)
            .map(|n| {
                let at = ((n as f32 + 0.5) * ratio - 0.5).clamp(0.0, (from - 1) as f32);
                let low = at as usize;
                (low, (low + 1).min(from as usize - 1), at - low as f32)
            })
            .collect()
    };
    let (columns, rows) = (taps(from.width, to.width), taps(from.height, to.height));
    let mut out = Vec::with_capacity((to.width * to.height * 3) as usize);
    for &(top, bottom, down) in &rows {
        let line = |row: usize| &rgb[row * from.width as usize * 3..][..from.width as usize * 3];
        let (top, bottom) = (line(top), line(bottom));
        for &(left, right, across) in &columns {
            for c in 0..3 {
                let mix = |row: &[u8]| {
                    let (a, b) = (f32::from(row[left * 3 + c]), f32::from(row[right * 3 + c]));
                    a + (b - a) * across
                };
                let (a, b) = (mix(top), mix(bottom));
                out.push((a + (b - a) * down + 0.5) as u8);
            }
        }
    }
    out
}
