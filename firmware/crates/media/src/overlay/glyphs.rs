//! Letters as coverage masks, rendered once for a picture height and kept.

use std::collections::HashMap;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};

use super::canvas::{Canvas, Mask};

/// One letter.
#[derive(Debug)]
struct Glyph {
    mask: Mask,
    /// From the pen to the mask's left column, and from the line's top to its first row.
    offset: (i32, i32),
    advance: f32,
}

/// The letters of one size.
#[derive(Debug)]
pub(crate) struct Glyphs {
    font: Option<FontRef<'static>>,
    scale: PxScale,
    line_height: i32,
    ascent: f32,
    cache: HashMap<char, Glyph>,
}

impl Glyphs {
    /// Letters whose line is about `height` pixels high; those of ASCII are rendered now.
    pub(crate) fn new(height: i32) -> Self {
        // The font is part of a crate; a broken one would draw no text, and a test would say so.
        let font = FontRef::try_from_slice(epaint_default_fonts::HACK_REGULAR).ok();
        let scale = PxScale::from(height as f32);
        let ascent = font.as_ref().map_or(0.0, |font| font.as_scaled(scale).ascent());
        let mut glyphs = Self { font, scale, line_height: height, ascent, cache: HashMap::new() };
        for letter in ' '..='~' {
            glyphs.render(letter);
        }
        glyphs
    }

    /// Rows of a line of text.
    pub(crate) fn line_height(&self) -> i32 {
        self.line_height
    }

    /// Columns that `text` takes.
    pub(crate) fn width(&mut self, text: &str) -> i32 {
        let mut width = 0.0;
        for letter in text.chars() {
            self.render(letter);
            width += self.cache.get(&letter).map_or(0.0, |glyph| glyph.advance);
        }
        width.ceil() as i32
    }

    /// Draws `text` with the top left corner of its line at `x`, `y`.
    pub(crate) fn draw(&mut self, canvas: &mut Canvas<'_>, x: i32, y: i32, text: &str, luma: u8) {
        let mut pen = x as f32;
        for letter in text.chars() {
            self.render(letter);
            if let Some(glyph) = self.cache.get(&letter) {
                let left = pen.round() as i32 + glyph.offset.0;
                canvas.blend(left, y + glyph.offset.1, &glyph.mask, luma);
                pen += glyph.advance;
            }
        }
    }

    fn render(&mut self, letter: char) {
        let Some(font) = self.font.as_ref() else { return };
        if self.cache.contains_key(&letter) {
            return;
        }
        let id = font.glyph_id(letter);
        let advance = font.as_scaled(self.scale).h_advance(id);
        let placed = id.with_scale_and_position(self.scale, point(0.0, self.ascent));
        let glyph = match font.outline_glyph(placed) {
            None => Glyph { mask: Mask::default(), offset: (0, 0), advance },
            Some(outline) => {
                let bounds = outline.px_bounds();
                let (width, height) = (bounds.width() as usize, bounds.height() as usize);
                let mut data = vec![0; width * height];
                outline.draw(|x, y, share| {
                    if let Some(pixel) = data.get_mut(y as usize * width + x as usize) {
                        *pixel = (share * 255.0).round().clamp(0.0, 255.0) as u8;
                    }
                });
                let offset = (bounds.min.x as i32, bounds.min.y as i32);
                Glyph { mask: Mask { width, height, data }, offset, advance }
            }
        };
        self.cache.insert(letter, glyph);
    }
}
