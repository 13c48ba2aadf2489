//! The street: what stands still, and who comes along when.

use domain::Size;

use crate::brush::{Brush, Px};
use crate::colour::{Yuv, rgb};
use crate::dice::Dice;
use crate::sprites::{Kind, Pose};

/// Height that all measures below are meant for, in pixels.
const HEIGHT: f32 = 720.0;
/// Chances of the kinds on a lane, in percent.
type Traffic = &'static [(Kind, u32)];

/// A strip of ground that things move along.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Where wheels and feet touch, in pixels from the top.
    ground: f32,
    /// Pixels per metre.
    scale: f32,
    /// Metres per second; negative: to the left.
    speed: f32,
    /// Seconds between two arrivals.
    interval: f32,
    traffic: Traffic,
}

const VEHICLES: Traffic =
    &[(Kind::Car, 62), (Kind::Bus, 10), (Kind::Truck, 14), (Kind::Motorcycle, 14)];
const WALKERS: Traffic = &[(Kind::Person, 76), (Kind::Dog, 14), (Kind::Cat, 10)];
const CYCLES: Traffic = &[(Kind::Bicycle, 100)];

/// Far to near: what comes later is drawn over what came before.
pub(crate) const LANES: [Lane; 7] = [
    Lane { ground: 352.0, scale: 50.0, speed: -1.2, interval: 9.0, traffic: WALKERS },
    Lane { ground: 366.0, scale: 52.0, speed: 1.35, interval: 11.0, traffic: WALKERS },
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

/// Who is in the picture of `size` on lane `index`, `time` seconds after the street began.
pub(crate) fn passages(seed: u64, index: usize, size: Size, time: f32) -> Vec<Passage> {
    let (lane, zoom) = (&LANES[index], size.height as f32 / HEIGHT);
    let (scale, width) = (lane.scale * zoom, size.width as f32);
    // The longest stay in the picture bounds how far back an arrival can be.
    let longest = (width / scale + 4.0 * Kind::Bus.half_length()) / lane.speed.abs();
    let first = ((time - longest) / lane.interval - 1.0).floor().max(0.0) as u64;
    let last = (time / lane.interval).ceil().max(0.0) as u64;
    (first..=last)
        .filter_map(|k| {
            let mut dice = Dice::of([seed, index as u64, k]);
            // Less than half an interval, so that nobody drives into the one before.
            let arrival = (k as f32 + dice.between(0.0, 0.4)) * lane.interval;
            let kind = choose(lane.traffic, dice.below(100));
            let walked = (time - arrival) * lane.speed.abs();
            let margin = kind.half_length();
            let x = (walked - margin) * scale;
            if walked < 0.0 || x > width + margin * scale {
                return None;
            }
            let facing = lane.speed.signum();
            let x = if facing > 0.0 { x } else { width - x };
            let pose = Pose { foot: (x, lane.ground * zoom), scale, facing, walked };
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

/// Draws everything that stands still behind the traffic.
pub(crate) fn background(brush: &mut Brush<'_, '_>, seed: u64) {
    let (w, zoom) = (brush.size.width as f32, brush.size.height as f32 / HEIGHT);
    let mut band = |from: f32, to: f32, colour: Yuv| {
        let (top, bottom) = (from * zoom, to * zoom);
        brush.polygon(&[(0.0, top), (w, top), (w, bottom), (0.0, bottom)], colour);
    };
    for n in 0..24 {
        let share = n as f32 / 23.0;
        let mix = |a: f32, b: f32| (a + (b - a) * share) as u8;
        let colour = rgb(mix(120.0, 205.0), mix(165.0, 222.0), mix(215.0, 235.0));
        band(n as f32 * 9.0, n as f32 * 9.0 + 9.5, colour);
    }
    band(216.0, 310.0, rgb(196, 206, 212));
    band(300.0, 330.0, rgb(96, 128, 74));
    band(326.0, 374.0, rgb(170, 166, 158));
    band(374.0, 380.0, rgb(125, 122, 116));
    band(380.0, 636.0, rgb(82, 84, 88));
    band(586.0, 588.5, rgb(215, 213, 205));
    band(636.0, 643.0, rgb(135, 132, 126));
    band(643.0, 720.5, rgb(176, 172, 164));
    houses(brush, seed, zoom);
    road_marks(brush, zoom);
    paving(brush, zoom);
}

fn houses(brush: &mut Brush<'_, '_>, seed: u64, zoom: f32) {
    const WALLS: [[u8; 3]; 6] = [
        [188, 152, 122],
        [205, 194, 170],
        [150, 96, 82],
        [168, 176, 182],
        [214, 178, 128],
        [132, 138, 120],
    ];
    let width = brush.size.width as f32 / zoom;
    let (mut x, mut n) = (-20.0, 0);
    while x < width {
        let mut dice = Dice::of([seed, 1000, n]);
        let (w, top) = (dice.between(150.0, 240.0), dice.between(40.0, 120.0));
        let [r, g, b] = WALLS[dice.below(WALLS.len() as u32) as usize];
        rect(brush, zoom, (x, top, w - 6.0, 310.0 - top), rgb(r, g, b));
        rect(brush, zoom, (x - 3.0, top - 8.0, w, 9.0), rgb(r / 2, g / 2, b / 2));
        let columns = (w / 48.0) as u32;
        let gap = (w - 6.0) / columns as f32;
        for column in 0..columns {
            let left = x + gap * (column as f32 + 0.5) - 13.0;
            let mut y = top + 18.0;
            while y < 240.0 {
                let lit = dice.below(7) == 0;
                let glass = if lit { rgb(236, 214, 150) } else { rgb(74, 92, 108) };
                rect(brush, zoom, (left - 2.5, y - 2.5, 31.0, 41.0), rgb(228, 224, 214));
                rect(brush, zoom, (left, y, 26.0, 36.0), glass);
                rect(brush, zoom, (left + 12.0, y, 2.0, 36.0), rgb(228, 224, 214));
                y += 58.0;
            }
            if column % 3 == 1 {
                rect(brush, zoom, (left - 4.0, 254.0, 34.0, 56.0), rgb(70, 50, 40));
            }
        }
        x += w;
        n += 1;
    }
    let mut bush = 0.0;
    while bush < width {
        let mut dice = Dice::of([seed, 2000, bush as u64]);
        let (r, y) = (dice.between(14.0, 26.0), dice.between(300.0, 308.0));
        let green = rgb(60 + dice.below(30) as u8, 100 + dice.below(30) as u8, 52);
        brush.ellipse((bush * zoom, y * zoom), r * zoom, r * 0.8 * zoom, green);
        bush += dice.between(18.0, 60.0);
    }
}

fn road_marks(brush: &mut Brush<'_, '_>, zoom: f32) {
    let width = brush.size.width as f32 / zoom;
    let mut x = 0.0;
    while x < width {
        rect(brush, zoom, (x, 478.0, 74.0, 5.0), rgb(225, 222, 210));
        x += 150.0;
    }
    let mut dice = Dice::of([3000, 0, 0]);
    for _ in 0..40 {
        let (x, y) = (dice.between(0.0, width), dice.between(386.0, 630.0));
        let (w, h) = (dice.between(20.0, 120.0), dice.between(1.5, 5.0));
        let grey = 74 + dice.below(18) as u8;
        brush.ellipse((x * zoom, y * zoom), w * zoom, h * zoom, rgb(grey, grey, grey + 3));
    }
}

fn paving(brush: &mut Brush<'_, '_>, zoom: f32) {
    let width = brush.size.width as f32 / zoom;
    let joint = rgb(154, 150, 143);
    rect(brush, zoom, (0.0, 680.0, width + 1.0, 1.5), joint);
    let mut x = 0.0;
    while x < width {
        rect(brush, zoom, (x, 643.0, 1.5, 38.0), joint);
        rect(brush, zoom, (x + 34.0, 680.0, 1.5, 40.0), joint);
        x += 68.0;
    }
}

fn rect(brush: &mut Brush<'_, '_>, zoom: f32, (x, y, w, h): (f32, f32, f32, f32), colour: Yuv) {
    let px = |x: f32, y: f32| -> Px { (x * zoom, y * zoom) };
    brush.polygon(&[px(x, y), px(x + w, y), px(x + w, y + h), px(x, y + h)], colour);
}

/// Draws what stands in front of lane `index` and hides parts of it.
pub(crate) fn in_front_of(brush: &mut Brush<'_, '_>, index: usize) {
    let (width, zoom) = (brush.size.width as f32, brush.size.height as f32 / HEIGHT);
    match index {
        1 => {
            for share in [0.16, 0.55, 0.9] {
                tree(brush, zoom, share * width / zoom);
            }
        }
        6 => lamp(brush, zoom, 0.72 * width / zoom),
        _ => {}
    }
}

fn tree(brush: &mut Brush<'_, '_>, zoom: f32, x: f32) {
    rect(brush, zoom, (x - 6.0, 220.0, 12.0, 156.0), rgb(92, 70, 52));
    let crown = [(0.0, 190.0, 52.0), (-34.0, 214.0, 36.0), (32.0, 208.0, 40.0), (4.0, 158.0, 36.0)];
    for (n, (dx, y, r)) in crown.into_iter().enumerate() {
        let green = rgb(58, 104 + n as u8 * 9, 48);
        brush.ellipse(((x + dx) * zoom, y * zoom), r * zoom, r * 0.9 * zoom, green);
    }
}

fn lamp(brush: &mut Brush<'_, '_>, zoom: f32, x: f32) {
    let iron = rgb(52, 56, 60);
    rect(brush, zoom, (x - 5.0, 120.0, 10.0, 592.0), iron);
    rect(brush, zoom, (x - 12.0, 700.0, 24.0, 16.0), iron);
    rect(brush, zoom, (x - 70.0, 120.0, 74.0, 7.0), iron);
    brush.ellipse(((x - 66.0) * zoom, 130.0 * zoom), 18.0 * zoom, 7.0 * zoom, rgb(236, 230, 205));
}

/// The shadow under something that stands on the ground.
pub(crate) fn shadow(brush: &mut Brush<'_, '_>, kind: Kind, pose: &Pose) {
    let on_feet = matches!(kind, Kind::Person | Kind::Dog | Kind::Cat);
    let rx = if on_feet { 0.4 } else { kind.half_length() * 0.95 } * pose.scale;
    let grey = if on_feet { rgb(118, 115, 110) } else { rgb(52, 53, 57) };
    brush.ellipse(pose.foot, rx, 0.09 * pose.scale, grey);
}
