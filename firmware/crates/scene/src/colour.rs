//! Colours as they stand in the planes of the street's pictures: BT.709, limited range.

/// A colour in a picture's own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Yuv {
    pub(crate) y: u8,
    pub(crate) u: u8,
    pub(crate) v: u8,
}

/// A colour for a screen, 0..=255 each, in the picture's numbers (ITU-R BT.709, section 3).
pub(crate) fn rgb(r: u8, g: u8, b: u8) -> Yuv {
    const KR: f32 = 0.2126;
    const KB: f32 = 0.0722;
    let [r, g, b] = [r, g, b].map(|c| f32::from(c) / 255.0);
    let y = KR * r + (1.0 - KR - KB) * g + KB * b;
    let (u, v) = ((b - y) / (2.0 * (1.0 - KB)), (r - y) / (2.0 * (1.0 - KR)));
    let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    Yuv { y: byte(16.0 + 219.0 * y), u: byte(128.0 + 224.0 * u), v: byte(128.0 + 224.0 * v) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_have_the_numbers_of_the_standard() {
        assert_eq!(rgb(255, 255, 255), Yuv { y: 235, u: 128, v: 128 });
        assert_eq!(rgb(0, 0, 255), Yuv { y: 32, u: 240, v: 118 });
    }
}
