//! The street: what stands still, and who comes along when.

use crate::brush::Brush;
use crate::colour::{Yuv, rgb};
use crate::dice::Dice;
use crate::look::Scenery;
use crate::sprites::{Kind, Pose};

/// Units that the plain view shows from top to bottom: all measures below are in units.
pub(crate) const HEIGHT: f32 = 720.0;
/// Chances of the kinds on a lane, in percent.
type Traffic = &'static [(Kind, u32)];

/// A strip of ground that things move along.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Where wheels and feet touch, in units from the top.
    ground: f32,
    /// Units per metre.
    scale: f32,
    /// Metres per second; negative: to the left.
    speed: f32,
    /// Seconds between two arrivals.
    interval: f32,
    traffic: Traffic,
}

const VEHICLES: Traffic =
    &[(Kind::Car, 52), (Kind::Bus, 14), (Kind::Truck, 17), (Kind::Motorcycle, 17)];
/// Far away an animal would be a handful of pixels: it walks near by.
const FAR_WALKERS: Traffic = &[(Kind::Person, 100)];
const WALKERS: Traffic = &[(Kind::Person, 60), (Kind::Dog, 21), (Kind::Cat, 19)];
const CYCLES: Traffic = &[(Kind::Bicycle, 100)];

/// Far to near: what comes later is drawn over what came before.
pub(crate) const LANES: [Lane; 7] = [
    Lane { ground: 352.0, scale: 50.0, speed: -1.2, interval: 9.0, traffic: FAR_WALKERS },
    Lane { ground: 366.0, scale: 52.0, speed: 1.35, interval: 11.0, traffic: FAR_WALKERS },
    Lane { ground: 452.0, scale: 60.0, speed: -7.0, interval: 4.2, traffic: VEHICLES },
    Lane { ground: 556.0, scale: 74.0, speed: 8.0, interval: 4.6, traffic: VEHICLES },
    Lane { ground: 612.0, scale: 84.0, speed: 4.2, interval: 9.5, traffic: CYCLES },
    Lane { ground: 674.0, scale: 106.0, speed: -1.4, interval: 10.0, traffic: WALKERS },
    Lane { ground: 700.0, scale: 114.0, speed: 1.3, interval: 13.0, traffic: WALKERS },
];

/// Something on its way.
#[derive(Debug)]
pub(crate) struct Passage {
    pub(crate) kind: Kind,
    pub(crate) pose: Pose,
    /// Number of the passage; twice it and one more are the ids of what it shows.
    pub(crate) number: u64,
    pub(crate) dice: Dice,
}

/// Who is on lane `index` of a street `width` units long, `time` seconds after it began.
pub(crate) fn passages(seed: u64, index: usize, width: f32, time: f32) -> Vec<Passage> {
    let lane = &LANES[index];
    // The longest stay in the picture bounds how far back an arrival can be.
    let longest = (width / lane.scale + 4.0 * Kind::Bus.half_length()) / lane.speed.abs();
    let first = ((time - longest) / lane.interval - 1.0).floor().max(0.0) as u64;
    let last = (time / lane.interval).ceil().max(0.0) as u64;
    (first..=last)
        .filter_map(|k| {
            let mut dice = Dice::of([seed, index as u64, k]);
            // Less than half an interval, so that nobody drives into the one before.
            let arrival = (k as f32 + dice.between(0.0, 0.4)) * lane.interval;
            let kind = choose(lane.traffic, dice.below(100));
            let scale = lane.scale * dice.between(0.92, 1.06);
            let walked = (time - arrival) * lane.speed.abs();
            // Also the largest comes from beyond the edge.
            let margin = kind.half_length() * 1.06;
            let x = (walked - margin) * lane.scale;
            if walked < 0.0 || x > width + margin * lane.scale {
                return None;
            }
            let facing = lane.speed.signum();
            let x = if facing > 0.0 { x } else { width - x };
            let pose = Pose { foot: (x, lane.ground), scale, facing, walked };
            let number = k * LANES.len() as u64 + index as u64;
            Some(Passage { kind, pose, number, dice })
        })
        .collect()
}

fn choose(traffic: Traffic, mut percent: u32) -> Kind {
    for &(kind, chance) in traffic {
        if percent < chance {
            return kind;
        }
        percent -= chance;
    }
    Kind::Car
}

fn paint([r, g, b]: [u8; 3]) -> Yuv {
    rgb(r, g, b)
}

/// Draws everything that stands still behind the traffic.
pub(crate) fn background(brush: &mut Brush<'_, '_>, seed: u64, scenery: &Scenery) {
    let width = brush.view.width;
    let mut band = |from: f32, to: f32, colour: [u8; 3]| {
        rect(brush, (0.0, from, width, to - from), paint(colour));
    };
    // The view may reach beyond the plain one's top and bottom.
    band(-400.0, 0.5, scenery.zenith);
    for n in 0..24_u8 {
        let share = f32::from(n) / 23.0;
        let mix = |at: usize| {
            let (a, b) = (f32::from(scenery.zenith[at]), f32::from(scenery.horizon[at]));
            (a + (b - a) * share) as u8
        };
        let top = f32::from(n) * 9.0;
        band(top, top + 9.5, [mix(0), mix(1), mix(2)]);
    }
    let darker = |colour: [u8; 3], by: f32| colour.map(|c| (f32::from(c) * by) as u8);
    band(216.0, 310.0, scenery.haze);
    band(300.0, 330.0, scenery.grass);
    band(326.0, 374.0, scenery.far_paving);
    band(374.0, 380.0, darker(scenery.far_paving, 0.735));
    band(380.0, 636.0, scenery.asphalt);
    band(586.0, 588.5, [215, 213, 205]);
    band(636.0, 643.0, darker(scenery.near_paving, 0.767));
    band(643.0, 1200.0, scenery.near_paving);
    houses(brush, seed, scenery.roofs);
    bushes(brush, seed);
    road_marks(brush, scenery.asphalt);
    paving(brush, paint(darker(scenery.near_paving, 0.873)));
}

fn houses(brush: &mut Brush<'_, '_>, seed: u64, roofs: f32) {
    const WALLS: [[u8; 3]; 6] = [
        [188, 152, 122],
        [205, 194, 170],
        [150, 96, 82],
        [168, 176, 182],
        [214, 178, 128],
        [132, 138, 120],
    ];
    let width = brush.view.width;
    let (mut x, mut n) = (-20.0, 0);
    while x < width {
        let mut dice = Dice::of([seed, 1000, n]);
        let (w, top) = (dice.between(150.0, 240.0), dice.between(roofs, roofs + 80.0));
        let wall = WALLS[dice.below(WALLS.len() as u32) as usize];
        rect(brush, (x, top, w - 6.0, 310.0 - top), paint(wall));
        rect(brush, (x - 3.0, top - 8.0, w, 9.0), paint(wall.map(|c| c / 2)));
        let columns = (w / 48.0) as u32;
        let gap = (w - 6.0) / columns as f32;
        for column in 0..columns {
            let left = x + gap * (column as f32 + 0.5) - 13.0;
            let mut y = top + 18.0;
            while y < 240.0 {
                let lit = dice.below(7) == 0;
                let glass = if lit { rgb(236, 214, 150) } else { rgb(74, 92, 108) };
                rect(brush, (left - 2.5, y - 2.5, 31.0, 41.0), rgb(228, 224, 214));
                rect(brush, (left, y, 26.0, 36.0), glass);
                rect(brush, (left + 12.0, y, 2.0, 36.0), rgb(228, 224, 214));
                y += 58.0;
            }
            if column % 3 == 1 {
                rect(brush, (left - 4.0, 254.0, 34.0, 56.0), rgb(70, 50, 40));
            }
        }
        x += w;
        n += 1;
    }
}

fn bushes(brush: &mut Brush<'_, '_>, seed: u64) {
    let mut x = 0.0;
    while x < brush.view.width {
        let mut dice = Dice::of([seed, 2000, x as u64]);
        let (r, y) = (dice.between(14.0, 26.0), dice.between(300.0, 308.0));
        let green = rgb(60 + dice.below(30) as u8, 100 + dice.below(30) as u8, 52);
        brush.ellipse((x, y), r, r * 0.8, green);
        x += dice.between(18.0, 60.0);
    }
}

fn road_marks(brush: &mut Brush<'_, '_>, asphalt: [u8; 3]) {
    let width = brush.view.width;
    let mut x = 0.0;
    while x < width {
        rect(brush, (x, 478.0, 74.0, 5.0), rgb(225, 222, 210));
        x += 150.0;
    }
    let mut dice = Dice::of([3000, 0, 0]);
    for _ in 0..40 {
        let (x, y) = (dice.between(0.0, width), dice.between(386.0, 630.0));
        let (w, h) = (dice.between(20.0, 120.0), dice.between(1.5, 5.0));
        let worn = dice.below(18) as u8;
        let patch = asphalt.map(|c| c.saturating_sub(8).saturating_add(worn));
        brush.ellipse((x, y), w, h, paint(patch));
    }
}

fn paving(brush: &mut Brush<'_, '_>, joint: Yuv) {
    let width = brush.view.width;
    rect(brush, (0.0, 680.0, width + 1.0, 1.5), joint);
    let mut x = 0.0;
    while x < width {
        rect(brush, (x, 643.0, 1.5, 38.0), joint);
        rect(brush, (x + 34.0, 680.0, 1.5, 40.0), joint);
        x += 68.0;
    }
}

fn rect(brush: &mut Brush<'_, '_>, (x, y, w, h): (f32, f32, f32, f32), colour: Yuv) {
    brush.polygon(&[(x, y), (x + w, y), (x + w, y + h), (x, y + h)], colour);
}

/// Draws what stands in front of lane `index` and hides parts of it.
pub(crate) fn in_front_of(brush: &mut Brush<'_, '_>, index: usize, scenery: &Scenery) {
    let width = brush.view.width;
    if index == 1 {
        for share in &scenery.trees {
            tree(brush, share * width);
        }
    }
    for (_, share, metres) in scenery.boxes.iter().filter(|(lane, ..)| *lane == index) {
        let (lane, x) = (&LANES[index], share * width);
        let (w, h) = (metres * 0.55 * lane.scale, metres * lane.scale);
        let bottom = lane.ground + 0.12 * lane.scale;
        rect(brush, (x, bottom - h, w, h), rgb(62, 84, 76));
        rect(brush, (x - w * 0.06, bottom - h, w * 1.12, h * 0.14), rgb(46, 60, 56));
    }
    if index == 6 {
        for share in &scenery.lamps {
            lamp(brush, share * width);
        }
    }
}

fn tree(brush: &mut Brush<'_, '_>, x: f32) {
    rect(brush, (x - 6.0, 220.0, 12.0, 156.0), rgb(92, 70, 52));
    let crown = [(0.0, 190.0, 52.0), (-34.0, 214.0, 36.0), (32.0, 208.0, 40.0), (4.0, 158.0, 36.0)];
    for (n, (dx, y, r)) in crown.into_iter().enumerate() {
        let green = rgb(58, 104 + n as u8 * 9, 48);
        brush.ellipse((x + dx, y), r, r * 0.9, green);
    }
}

fn lamp(brush: &mut Brush<'_, '_>, x: f32) {
    let iron = rgb(52, 56, 60);
    rect(brush, (x - 5.0, 120.0, 10.0, 592.0), iron);
    rect(brush, (x - 12.0, 700.0, 24.0, 16.0), iron);
    rect(brush, (x - 70.0, 120.0, 74.0, 7.0), iron);
    brush.ellipse((x - 66.0, 130.0), 18.0, 7.0, rgb(236, 230, 205));
}

/// The shadow under something that stands on the ground.
pub(crate) fn shadow(brush: &mut Brush<'_, '_>, kind: Kind, pose: &Pose) {
    let on_feet = matches!(kind, Kind::Person | Kind::Dog | Kind::Cat);
    let rx = if on_feet { 0.4 } else { kind.half_length() * 0.95 } * pose.scale;
    let grey = if on_feet { rgb(118, 115, 110) } else { rgb(52, 53, 57) };
    brush.ellipse(pose.foot, rx, 0.09 * pose.scale, grey);
}
