//! The colours of the overlay, in the picture's own colour space.

use super::canvas::Yuv;

/// Which numbers stand for a colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colorimetry {
    /// Share of red in luma: 0.299 in BT.601, 0.2126 in BT.709.
    pub kr: f32,
    /// Share of blue in luma: 0.114 in BT.601, 0.0722 in BT.709.
    pub kb: f32,
    /// Whether luma takes 0..=255 instead of 16..=235.
    pub full_range: bool,
}

impl Colorimetry {
    /// Standard definition.
    pub const BT601: Self = Self { kr: 0.299, kb: 0.114, full_range: false };
    /// High definition.
    pub const BT709: Self = Self { kr: 0.2126, kb: 0.0722, full_range: false };
}

/// Far apart in hue and readable on a street by day and night; neighbours in COCO's order
/// (person, bicycle, car, motorcycle, …) differ most.
const CLASS_COLOURS: [[u8; 3]; 12] = [
    [255, 64, 64],
    [64, 200, 255],
    [80, 220, 80],
    [255, 170, 0],
    [190, 110, 255],
    [255, 230, 60],
    [0, 210, 180],
    [255, 120, 200],
    [150, 210, 40],
    [90, 130, 255],
    [255, 140, 100],
    [200, 200, 220],
];

/// The colours of one picture.
#[derive(Clone, Debug)]
pub(crate) struct Palette {
    classes: [Yuv; CLASS_COLOURS.len()],
    pub(crate) zone: Yuv,
    pub(crate) line: Yuv,
    pub(crate) white: u8,
    pub(crate) black: u8,
}

impl Palette {
    pub(crate) fn new(colorimetry: Colorimetry) -> Self {
        Self {
            classes: CLASS_COLOURS.map(|rgb| yuv(rgb, colorimetry)),
            zone: yuv([0, 190, 255], colorimetry),
            line: yuv([255, 220, 0], colorimetry),
            white: yuv([255; 3], colorimetry).y,
            black: yuv([0; 3], colorimetry).y,
        }
    }

    /// The colour of a class.
    pub(crate) fn class(&self, class: u16) -> Yuv {
        self.classes[usize::from(class) % self.classes.len()]
    }

    /// Luma of text that can be read on `background`.
    pub(crate) fn text_on(&self, background: Yuv) -> u8 {
        if background.y > 120 { self.black } else { self.white }
    }
}

/// A colour in the picture's numbers (ITU-R BT.601 and BT.709, section 3).
pub(crate) fn yuv(rgb: [u8; 3], colorimetry: Colorimetry) -> Yuv {
    let [r, g, b] = rgb.map(|c| f32::from(c) / 255.0);
    let Colorimetry { kr, kb, full_range } = colorimetry;
    let y = kr * r + (1.0 - kr - kb) * g + kb * b;
    let (u, v) = ((b - y) / (2.0 * (1.0 - kb)), (r - y) / (2.0 * (1.0 - kr)));
    let (base, luma, chroma) = if full_range { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
    let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    Yuv { y: byte(base + luma * y), u: byte(128.0 + chroma * u), v: byte(128.0 + chroma * v) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_have_the_numbers_of_the_standard() {
        assert_eq!(yuv([255, 255, 255], Colorimetry::BT709), Yuv { y: 235, u: 128, v: 128 });
        assert_eq!(yuv([255, 0, 0], Colorimetry::BT601), Yuv { y: 81, u: 90, v: 240 });
        assert_eq!(yuv([0, 0, 255], Colorimetry::BT709), Yuv { y: 32, u: 240, v: 118 });
    }
}
