//! What a camera makes of a drawn picture: tone, tint, blur and noise, in place on its planes.

use domain::Size;

use crate::I420Mut;
use crate::dice::Dice;
use crate::look::Sensor;

/// Shows `picture` as `sensor` sees it; `key` decides the noise.
pub(crate) fn expose(picture: &mut I420Mut<'_>, size: Size, sensor: &Sensor, key: [u64; 2]) {
    let (w, h) = (size.width as usize, size.height as usize);
    let (half_w, half_h) = (w.div_ceil(2), h.div_ceil(2));
    let I420Mut { y, u, v } = picture;
    let luma = |y: f32| (16.0 + sensor.lift + (y - 16.0) * sensor.gain).clamp(16.0, 235.0);
    map(y, (w, h), &table(luma));
    let chroma = |by: f32| move |c: f32| 128.0 + (c - 128.0) * sensor.saturation + by;
    map(u, (half_w, half_h), &table(chroma(sensor.tint.0)));
    map(v, (half_w, half_h), &table(chroma(sensor.tint.1)));
    for _ in 0..sensor.blurs {
        blur(y, (w, h));
    }
    if sensor.noise > 0.0 {
        let mut dice = Dice::of([key[0], 5000, key[1]]);
        add_noise(y, (w, h), sensor.noise, &mut dice);
        add_noise(u, (half_w, half_h), sensor.noise * 0.5, &mut dice);
        add_noise(v, (half_w, half_h), sensor.noise * 0.5, &mut dice);
    }
}

type Plane<'a> = (&'a mut [u8], usize);

fn table(curve: impl Fn(f32) -> f32) -> [u8; 256] {
    let mut table = [0; 256];
    for (from, to) in (0_u16..).zip(&mut table) {
        *to = curve(f32::from(from)).clamp(0.0, 255.0) as u8;
    }
    table
}

fn map((data, stride): &mut Plane<'_>, (w, h): (usize, usize), table: &[u8; 256]) {
    for row in data.chunks_mut(*stride).take(h) {
        for value in &mut row[..w] {
            *value = table[usize::from(*value)];
        }
    }
}

/// A binomial of three pixels (1 2 1) along rows, then along columns; edges stay as they are.
fn blur((data, stride): &mut Plane<'_>, (w, h): (usize, usize)) {
    let mix =
        |a: u8, b: u8, c: u8| ((u16::from(a) + 2 * u16::from(b) + u16::from(c) + 2) / 4) as u8;
    for row in data.chunks_mut(*stride).take(h) {
        let mut before = row[0];
        for x in 1..w.saturating_sub(1) {
            let here = row[x];
            row[x] = mix(before, here, row[x + 1]);
            before = here;
        }
    }
    let mut above = data[..w].to_vec();
    for y in 1..h.saturating_sub(1) {
        let (upper, lower) = data.split_at_mut((y + 1) * *stride);
        let row = &mut upper[y * *stride..y * *stride + w];
        for ((here, above), below) in row.iter_mut().zip(&mut above).zip(&*lower) {
            let was = *here;
            *here = mix(*above, was, *below);
            *above = was;
        }
    }
}

/// Adds noise of a triangular distribution between -`most` and `most`.
fn add_noise((data, stride): &mut Plane<'_>, (w, h): (usize, usize), most: f32, dice: &mut Dice) {
    let factor = (most * 256.0 / 255.0) as i32;
    for row in data.chunks_mut(*stride).take(h) {
        for pair in row[..w].chunks_mut(4) {
            let bits = dice.bits();
            for (n, value) in pair.iter_mut().enumerate() {
                let bytes = (bits >> (16 * n)) as i32;
                let triangle = (bytes & 255) - (bytes >> 8 & 255);
                let noisy = i32::from(*value) + ((triangle * factor) >> 8);
                *value = noisy.clamp(0, 255) as u8;
            }
        }
    }
}
