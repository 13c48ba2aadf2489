//! How the camera sees the street: where it stands, its light and colours, its sensor, and what the
//! street is built of. Drawn by lot from a seed, or plain.

use crate::dice::Dice;

/// What makes one recording of the street differ from another.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    pub(crate) view: Viewpoint,
    pub(crate) sensor: Sensor,
    pub(crate) scenery: Scenery,
}

/// Where the camera stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Viewpoint {
    /// 1.0: 720 units of the street fill the height of the picture.
    pub(crate) zoom: f32,
    /// Unit of the street at the top of the picture.
    pub(crate) top: f32,
    /// From the other side: left is right.
    pub(crate) mirrored: bool,
}

/// What the camera makes of the light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sensor {
    /// Factor of luma above black.
    pub(crate) gain: f32,
    /// Added to luma: fog.
    pub(crate) lift: f32,
    /// Factor of both colour differences.
    pub(crate) saturation: f32,
    /// Added to the colour differences.
    pub(crate) tint: (f32, f32),
    /// How often the picture is blurred by a binomial of three pixels.
    pub(crate) blurs: u32,
    /// Largest noise of luma, in its numbers.
    pub(crate) noise: f32,
}

/// What the street is built of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scenery {
    pub(crate) zenith: [u8; 3],
    pub(crate) horizon: [u8; 3],
    pub(crate) haze: [u8; 3],
    pub(crate) grass: [u8; 3],
    pub(crate) far_paving: [u8; 3],
    pub(crate) asphalt: [u8; 3],
    pub(crate) near_paving: [u8; 3],
    /// Unit of the houses' highest roofs.
    pub(crate) roofs: f32,
    /// Trees between the far pavement and the road, as shares of the width.
    pub(crate) trees: Vec<f32>,
    /// Lamps on the near pavement, as shares of the width.
    pub(crate) lamps: Vec<f32>,
    /// Bins and boxes: index of the lane that they stand before, share of the width, height in metres.
    pub(crate) boxes: Vec<(usize, f32, f32)>,
}

impl Look {
    /// By day, straight, sharp and without noise: what the source `scene` shows.
    pub fn plain() -> Self {
        let sensor = Sensor {
            gain: 1.0,
            lift: 0.0,
            saturation: 1.0,
            tint: (0.0, 0.0),
            blurs: 0,
            noise: 0.0,
        };
        let scenery = Scenery {
            zenith: [120, 165, 215],
            horizon: [205, 222, 235],
            haze: [196, 206, 212],
            grass: [96, 128, 74],
            far_paving: [170, 166, 158],
            asphalt: [82, 84, 88],
            near_paving: [176, 172, 164],
            roofs: 40.0,
            trees: vec![0.16, 0.55, 0.9],
            lamps: vec![0.72],
            boxes: Vec::new(),
        };
        Self { view: Viewpoint { zoom: 1.0, top: 0.0, mirrored: false }, sensor, scenery }
    }

    /// Anything that a camera at a street may show, by lot.
    pub fn varied(seed: u64) -> Self {
        let mut dice = Dice::of([seed, 4000, 0]);
        Self {
            view: Viewpoint::varied(&mut dice),
            sensor: Sensor::varied(&mut dice),
            scenery: Scenery::varied(&mut dice),
        }
    }
}

impl Viewpoint {
    fn varied(dice: &mut Dice) -> Self {
        let zoom = dice.between(0.8, 1.35);
        // All lanes lie in the lower half: that is where there is room to look about.
        let spare = 720.0 - 720.0 / zoom;
        let top = spare * dice.between(0.4, 1.0) + dice.between(-20.0, 30.0);
        Self { zoom, top, mirrored: dice.below(2) == 1 }
    }
}

impl Sensor {
    fn varied(dice: &mut Dice) -> Self {
        let dusk = dice.below(5) == 0;
        let tint = |dice: &mut Dice| dice.between(-9.0, 9.0);
        Self {
            gain: if dusk { dice.between(0.4, 0.7) } else { dice.between(0.75, 1.15) },
            lift: if dice.below(4) == 0 { dice.between(0.0, 30.0) } else { 0.0 },
            saturation: dice.between(0.55, 1.25),
            tint: (tint(dice), tint(dice)),
            blurs: dice.below(8).saturating_sub(4),
            noise: dice.between(0.0, 14.0).max(2.0) - 2.0,
        }
    }
}

impl Scenery {
    fn varied(dice: &mut Dice) -> Self {
        let base = Look::plain().scenery;
        let shares = |dice: &mut Dice, most: u32| {
            (0..dice.below(most + 1)).map(|_| dice.between(0.02, 0.98)).collect::<Vec<_>>()
        };
        Self {
            zenith: near(dice, base.zenith, 60.0),
            horizon: near(dice, base.horizon, 50.0),
            haze: near(dice, base.haze, 45.0),
            grass: near(dice, base.grass, 40.0),
            far_paving: near(dice, base.far_paving, 40.0),
            asphalt: near(dice, base.asphalt, 38.0),
            near_paving: near(dice, base.near_paving, 50.0),
            roofs: dice.between(10.0, 160.0),
            trees: shares(dice, 5),
            lamps: shares(dice, 2),
            boxes: shares(dice, 4)
                .into_iter()
                .map(|share| {
                    ([1, 3, 4, 5, 6][dice.below(5) as usize], share, dice.between(0.4, 1.3))
                })
                .collect(),
        }
    }
}

/// A colour near `colour`: lighter or darker by up to `by`, and a little of another hue.
pub(crate) fn near(dice: &mut Dice, colour: [u8; 3], by: f32) -> [u8; 3] {
    let light = dice.between(-by, by);
    colour.map(|c| (f32::from(c) + light + dice.between(-by, by) * 0.3).clamp(0.0, 255.0) as u8)
}
