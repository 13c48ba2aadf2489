//! The shapes that move through the street, in metres, side view.

use crate::brush::{Brush, Point};
use crate::colour::{Yuv, rgb};
use crate::dice::Dice;
use crate::look::near;

/// What a sprite shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Person,
    /// Sits on something with wheels.
    Rider,
    Bicycle,
    Motorcycle,
    Car,
    Bus,
    Truck,
    Dog,
    Cat,
}

impl Kind {
    /// Its COCO label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Person | Self::Rider => "person",
            Self::Bicycle => "bicycle",
            Self::Motorcycle => "motorcycle",
            Self::Car => "car",
            Self::Bus => "bus",
            Self::Truck => "truck",
            Self::Dog => "dog",
            Self::Cat => "cat",
        }
    }

    /// Longest distance from its middle to its front, in metres.
    pub(crate) fn half_length(self) -> f32 {
        match self {
            Self::Bus => 5.8,
            Self::Truck => 4.2,
            Self::Car => 2.4,
            Self::Motorcycle | Self::Bicycle | Self::Rider => 1.2,
            Self::Person | Self::Dog | Self::Cat => 0.9,
        }
    }
}

/// Where a sprite stands and how it moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pose {
    /// The middle of the ground under it, in units of the street.
    pub(crate) foot: Point,
    /// Units per metre.
    pub(crate) scale: f32,
    /// 1.0: to the right; -1.0: to the left.
    pub(crate) facing: f32,
    /// Metres walked: drives legs and wheels.
    pub(crate) walked: f32,
}

impl Pose {
    /// A point `x` metres ahead of the middle and `y` metres above the ground.
    fn at(&self, x: f32, y: f32) -> Point {
        (self.foot.0 + self.facing * x * self.scale, self.foot.1 - y * self.scale)
    }

    fn points<const N: usize>(&self, metres: [(f32, f32); N]) -> [Point; N] {
        metres.map(|(x, y)| self.at(x, y))
    }
}

/// `colour` made darker or lighter.
fn shade(colour: Yuv, by: f32) -> Yuv {
    let y = (f32::from(colour.y) * by).clamp(16.0, 235.0) as u8;
    Yuv { y, ..colour }
}

const PAINTS: [[u8; 3]; 9] = [
    [178, 34, 40],
    [36, 70, 150],
    [225, 225, 228],
    [50, 52, 58],
    [150, 152, 158],
    [28, 92, 60],
    [205, 150, 40],
    [120, 40, 90],
    [90, 140, 190],
];
const CLOTHES: [[u8; 3]; 8] = [
    [190, 50, 50],
    [40, 90, 170],
    [230, 200, 80],
    [60, 130, 80],
    [235, 235, 235],
    [120, 70, 140],
    [230, 120, 40],
    [40, 44, 52],
];
const TROUSERS: [[u8; 3]; 4] = [[40, 50, 80], [60, 56, 52], [110, 100, 80], [30, 30, 34]];
const SKINS: [[u8; 3]; 4] = [[236, 200, 170], [205, 155, 120], [150, 100, 70], [95, 62, 44]];
const HAIR: [[u8; 3]; 4] = [[40, 28, 20], [90, 60, 35], [180, 150, 90], [120, 120, 122]];
const FURS: [[u8; 3]; 4] = [[110, 74, 44], [60, 52, 48], [205, 180, 140], [150, 140, 132]];

fn pick(dice: &mut Dice, colours: &[[u8; 3]]) -> Yuv {
    let colour = colours[dice.below(colours.len() as u32) as usize];
    let [r, g, b] = near(dice, colour, 16.0);
    rgb(r, g, b)
}

/// Draws one sprite. The same dice give the same colours in every frame.
pub(crate) fn draw(brush: &mut Brush<'_, '_>, kind: Kind, pose: &Pose, dice: &mut Dice) {
    match kind {
        Kind::Person => person(brush, pose, dice),
        Kind::Rider => rider(brush, pose, dice),
        Kind::Bicycle => bicycle(brush, pose, dice),
        Kind::Motorcycle => motorcycle(brush, pose, dice),
        Kind::Car => car(brush, pose, dice),
        Kind::Bus => bus(brush, pose, dice),
        Kind::Truck => truck(brush, pose, dice),
        Kind::Dog => animal(brush, pose, dice, &DOG),
        Kind::Cat => animal(brush, pose, dice, &CAT),
    }
}

fn person(brush: &mut Brush<'_, '_>, pose: &Pose, dice: &mut Dice) {
    let pose = Pose { scale: pose.scale * dice.between(0.9, 1.05), ..*pose };
    let (shirt, trousers) = (pick(dice, &CLOTHES), pick(dice, &TROUSERS));
    let (skin, hair) = (pick(dice, &SKINS), pick(dice, &HAIR));
    let s = pose.scale;
    // Two steps are about 1.5 m.
    let phase = pose.walked / 1.5 * std::f32::consts::TAU;
    let bob = 0.02 * (phase * 2.0).cos();
    for (side, dark) in [(1.0_f32, 0.75), (-1.0, 1.0)] {
        let swing = side * 0.42 * phase.sin();
        let lift = (side * phase.cos()).max(0.0) * 0.12;
        let knee = (swing * 0.45 + 0.05, 0.48 + lift * 0.4);
        let ankle = (swing * 0.95 - lift * 0.6, 0.09 + lift);
        let colour = shade(trousers, dark);
        brush.limb(pose.at(0.0, 0.92 + bob), pose.at(knee.0, knee.1), 0.19 * s, 0.15 * s, colour);
        brush.limb(pose.at(knee.0, knee.1), pose.at(ankle.0, ankle.1), 0.15 * s, 0.10 * s, colour);
        let toe = pose.at(ankle.0 + 0.15, ankle.1 - 0.04);
        brush.limb(
            pose.at(ankle.0 - 0.04, ankle.1 - 0.04),
            toe,
            0.09 * s,
            0.08 * s,
            rgb(35, 30, 30),
        );
        if side > 0.0 {
            arm(brush, &pose, -swing, bob, shade(shirt, 0.7), shade(skin, 0.8));
            torso(brush, &pose, bob, shirt);
            head(brush, &pose, (0.02, 1.63 + bob), skin, hair);
        } else {
            arm(brush, &pose, -swing, bob, shade(shirt, 0.88), skin);
        }
    }
}

fn torso(brush: &mut Brush<'_, '_>, pose: &Pose, bob: f32, shirt: Yuv) {
    let shape = pose.points([
        (-0.14, 1.43 + bob),
        (0.13, 1.43 + bob),
        (0.16, 1.25 + bob),
        (0.13, 0.88 + bob),
        (-0.14, 0.88 + bob),
        (-0.17, 1.22 + bob),
    ]);
    brush.polygon(&shape, shirt);
    let neck = pose.at(0.01, 1.45 + bob);
    brush.ellipse(neck, 0.08 * pose.scale, 0.07 * pose.scale, shade(shirt, 0.8));
}

fn head(brush: &mut Brush<'_, '_>, pose: &Pose, (x, y): (f32, f32), skin: Yuv, hair: Yuv) {
    let s = pose.scale;
    brush.ellipse(pose.at(x - 0.02, y + 0.02), 0.115 * s, 0.135 * s, hair);
    brush.ellipse(pose.at(x + 0.03, y - 0.02), 0.085 * s, 0.11 * s, skin);
}

fn arm(brush: &mut Brush<'_, '_>, pose: &Pose, swing: f32, bob: f32, sleeve: Yuv, skin: Yuv) {
    let s = pose.scale;
    let shoulder = pose.at(0.0, 1.36 + bob);
    let elbow = pose.at(swing * 0.5 - 0.02, 1.1 + bob);
    let hand = pose.at(swing * 0.9 + 0.05, 0.88 + bob);
    brush.limb(shoulder, elbow, 0.12 * s, 0.10 * s, sleeve);
    brush.limb(elbow, hand, 0.09 * s, 0.07 * s, sleeve);
    brush.ellipse(hand, 0.05 * s, 0.05 * s, skin);
}

fn rider(brush: &mut Brush<'_, '_>, pose: &Pose, dice: &mut Dice) {
    let (shirt, trousers) = (pick(dice, &CLOTHES), pick(dice, &TROUSERS));
    let (skin, helmet) = (pick(dice, &SKINS), pick(dice, &PAINTS));
    let s = pose.scale;
    let phase = pose.walked / 2.2 * std::f32::consts::TAU;
    for side in [1.0_f32, -1.0] {
        let (sin, cos) = (phase.sin() * side, phase.cos() * side);
        let pedal = (0.05 + 0.16 * cos, 0.3 + 0.16 * sin);
        let knee = (0.22 + 0.1 * cos, 0.68 + 0.12 * sin);
        let colour = shade(trousers, if side > 0.0 { 0.7 } else { 1.0 });
        brush.limb(pose.at(-0.2, 0.95), pose.at(knee.0, knee.1), 0.19 * s, 0.15 * s, colour);
        brush.limb(pose.at(knee.0, knee.1), pose.at(pedal.0, pedal.1), 0.14 * s, 0.1 * s, colour);
    }
    brush.limb(pose.at(-0.2, 0.98), pose.at(0.12, 1.38), 0.3 * s, 0.28 * s, shirt);
    brush.limb(pose.at(0.14, 1.36), pose.at(0.42, 1.05), 0.11 * s, 0.08 * s, shade(shirt, 0.85));
    brush.ellipse(pose.at(0.44, 1.04), 0.05 * s, 0.05 * s, skin);
    brush.ellipse(pose.at(0.27, 1.58), 0.09 * s, 0.12 * s, skin);
    brush.ellipse(pose.at(0.24, 1.64), 0.13 * s, 0.09 * s, helmet);
}

fn wheel(brush: &mut Brush<'_, '_>, pose: &Pose, x: f32, radius: f32) {
    let (centre, r) = (pose.at(x, radius), radius * pose.scale);
    brush.ellipse(centre, r, r, rgb(24, 24, 26));
    brush.ellipse(centre, r * 0.58, r * 0.58, rgb(150, 152, 156));
    let turn = pose.walked / radius;
    for spoke in 0..3 {
        let angle = turn + spoke as f32 * std::f32::consts::TAU / 3.0;
        let rim = pose.at(x + angle.sin() * radius * 0.5, radius + angle.cos() * radius * 0.5);
        brush.limb(centre, rim, r * 0.14, r * 0.14, rgb(80, 82, 86));
    }
}

fn bicycle(brush: &mut Brush<'_, '_>, pose: &Pose, dice: &mut Dice) {
    let (paint, s) = (pick(dice, &PAINTS), pose.scale);
    for x in [-0.52, 0.52] {
        let r = 0.34 * s;
        brush.ring(pose.at(x, 0.34), (r, r), 0.86, rgb(22, 22, 24));
        let turn = pose.walked / 0.34;
        for spoke in 0..4 {
            let angle = turn + spoke as f32 * std::f32::consts::TAU / 4.0;
            let rim = pose.at(x + angle.sin() * 0.31, 0.34 + angle.cos() * 0.31);
            brush.limb(pose.at(x, 0.34), rim, 0.015 * s, 0.015 * s, rgb(150, 150, 152));
        }
    }
    let (rear, crank, seat) = ((-0.52, 0.34), (0.03, 0.3), (-0.2, 0.82));
    let (head, front) = ((0.4, 0.82), (0.52, 0.34));
    let bars =
        [(rear, crank), (crank, seat), (seat, rear), (crank, head), (seat, head), (head, front)];
    for (a, b) in bars {
        brush.limb(pose.at(a.0, a.1), pose.at(b.0, b.1), 0.045 * s, 0.045 * s, paint);
    }
    brush.limb(pose.at(-0.3, 0.92), pose.at(-0.08, 0.92), 0.07 * s, 0.05 * s, rgb(30, 28, 28));
    brush.limb(pose.at(0.38, 0.98), pose.at(0.5, 1.02), 0.04 * s, 0.04 * s, rgb(30, 28, 28));
    brush.limb(pose.at(0.4, 0.82), pose.at(0.42, 1.0), 0.04 * s, 0.04 * s, rgb(120, 120, 122));
}

fn motorcycle(brush: &mut Brush<'_, '_>, pose: &Pose, dice: &mut Dice) {
    let (paint, s) = (pick(dice, &PAINTS), pose.scale);
    wheel(brush, pose, -0.68, 0.33);
    wheel(brush, pose, 0.72, 0.33);
    brush.limb(pose.at(0.72, 0.33), pose.at(0.46, 0.98), 0.08 * s, 0.08 * s, rgb(120, 122, 126));
    brush.polygon(
        &pose.points([(-0.35, 0.3), (0.35, 0.28), (0.4, 0.62), (-0.3, 0.64)]),
        rgb(60, 60, 64),
    );
    let body = [(-0.9, 0.86), (-0.2, 0.74), (0.1, 0.95), (0.46, 0.92), (0.5, 0.68), (-0.25, 0.58)];
    brush.polygon(&pose.points(body), paint);
    brush.limb(pose.at(-0.75, 0.86), pose.at(-0.1, 0.8), 0.11 * s, 0.11 * s, rgb(26, 24, 24));
    brush.limb(pose.at(0.36, 1.06), pose.at(0.5, 1.0), 0.06 * s, 0.06 * s, rgb(26, 24, 24));
    brush.ellipse(pose.at(0.6, 0.86), 0.09 * s, 0.1 * s, rgb(250, 244, 200));
    brush.limb(pose.at(-0.85, 0.36), pose.at(-0.1, 0.3), 0.1 * s, 0.08 * s, rgb(160, 162, 166));
}

fn car(brush: &mut Brush<'_, '_>, pose: &Pose, dice: &mut Dice) {
    let paint = pick(dice, &PAINTS);
    let glass = rgb(70, 90, 105);
    let estate = dice.below(2) == 0;
    let back = if estate { -1.95 } else { -1.35 };
    let s = pose.scale;
    let roof = [(back - 0.25, 0.92), (back + 0.1, 1.44), (0.35, 1.46), (1.1, 0.95)];
    brush.polygon(&pose.points(roof), shade(paint, 0.95));
    let body = [
        (-2.2, 0.3),
        (-2.25, 0.62),
        (-2.12, 0.93),
        (1.05, 0.97),
        (2.02, 0.8),
        (2.22, 0.58),
        (2.2, 0.28),
    ];
    brush.polygon(&pose.points(body), paint);
    let low = [(-2.2, 0.28), (-2.22, 0.42), (2.21, 0.42), (2.2, 0.28)];
    brush.polygon(&pose.points(low), shade(paint, 0.6));
    let rear_glass = [(back + 0.02, 0.96), (back + 0.22, 1.36), (-0.35, 1.38), (-0.35, 0.96)];
    brush.polygon(&pose.points(rear_glass), glass);
    let front_glass = [(-0.25, 0.96), (-0.25, 1.38), (0.3, 1.38), (0.92, 0.97)];
    brush.polygon(&pose.points(front_glass), glass);
    let shine = [(-0.2, 1.1), (-0.2, 1.34), (0.05, 1.34)];
    brush.polygon(&pose.points(shine), rgb(150, 170, 185));
    for x in [-0.3, 0.75] {
        brush.limb(pose.at(x, 0.45), pose.at(x, 0.92), 0.025 * s, 0.025 * s, shade(paint, 0.7));
    }
    brush.limb(pose.at(-0.55, 0.8), pose.at(-0.4, 0.8), 0.05 * s, 0.05 * s, shade(paint, 0.55));
    brush.ellipse(pose.at(2.08, 0.66), 0.13 * s, 0.09 * s, rgb(255, 248, 215));
    brush.ellipse(pose.at(-2.16, 0.72), 0.08 * s, 0.11 * s, rgb(200, 30, 30));
    wheel(brush, pose, -1.35, 0.33);
    wheel(brush, pose, 1.36, 0.33);
}

fn bus(brush: &mut Brush<'_, '_>, pose: &Pose, dice: &mut Dice) {
    let (paint, glass, s) = (pick(dice, &PAINTS), rgb(60, 78, 92), pose.scale);
    let body = [(-5.6, 0.35), (-5.6, 2.95), (-5.4, 3.1), (5.35, 3.1), (5.6, 2.9), (5.65, 0.35)];
    brush.polygon(&pose.points(body), paint);
    let band = [(-5.6, 0.95), (-5.6, 1.2), (5.63, 1.2), (5.63, 0.95)];
    brush.polygon(&pose.points(band), shade(rgb(235, 235, 235), 0.95));
    for n in 0..6 {
        let x = -5.3 + n as f32 * 1.5;
        let window = [(x, 1.45), (x, 2.6), (x + 1.35, 2.6), (x + 1.35, 1.45)];
        brush.polygon(&pose.points(window), glass);
    }
    brush.polygon(
        &pose.points([(3.8, 0.42), (3.8, 2.6), (4.6, 2.6), (4.6, 0.42)]),
        shade(glass, 0.8),
    );
    brush.polygon(&pose.points([(4.85, 1.3), (4.85, 2.7), (5.6, 2.7), (5.63, 1.3)]), glass);
    brush.polygon(
        &pose.points([(3.9, 2.72), (3.9, 2.98), (5.4, 2.98), (5.5, 2.72)]),
        rgb(240, 170, 40),
    );
    brush.ellipse(pose.at(5.52, 0.7), 0.13 * s, 0.12 * s, rgb(255, 248, 215));
    wheel(brush, pose, -3.4, 0.48);
    wheel(brush, pose, 3.0, 0.48);
}

fn truck(brush: &mut Brush<'_, '_>, pose: &Pose, dice: &mut Dice) {
    let (paint, load, s) = (pick(dice, &PAINTS), pick(dice, &CLOTHES), pose.scale);
    brush.polygon(
        &pose.points([(-4.0, 0.5), (-4.0, 0.75), (3.9, 0.75), (3.9, 0.5)]),
        rgb(45, 45, 48),
    );
    brush.polygon(&pose.points([(-4.0, 0.8), (-4.0, 3.2), (1.9, 3.2), (1.9, 0.8)]), load);
    for n in 0..5 {
        let x = -3.6 + n as f32 * 1.25;
        brush.limb(pose.at(x, 0.85), pose.at(x, 3.1), 0.03 * s, 0.03 * s, shade(load, 0.85));
    }
    let cab = [(2.1, 0.4), (2.1, 2.6), (3.3, 2.6), (3.9, 1.5), (4.0, 0.4)];
    brush.polygon(&pose.points(cab), paint);
    brush.polygon(
        &pose.points([(2.5, 1.5), (2.5, 2.35), (3.25, 2.35), (3.72, 1.5)]),
        rgb(70, 90, 105),
    );
    brush.ellipse(pose.at(3.92, 0.75), 0.1 * s, 0.12 * s, rgb(255, 248, 215));
    for x in [-3.0, -2.0, 2.9] {
        wheel(brush, pose, x, 0.48);
    }
}

/// Measures of a four-legged animal, in metres.
struct Animal {
    back: f32,
    half: f32,
    thick: f32,
    leg: f32,
    stride: f32,
    head: f32,
    tail: (f32, f32),
    /// Length of the snout, in sizes of the head.
    snout: f32,
    /// Points of the ears above the skull, in sizes of the head.
    ears: f32,
}

const DOG: Animal = Animal {
    back: 0.52,
    half: 0.34,
    thick: 0.26,
    leg: 0.08,
    stride: 0.8,
    head: 0.12,
    tail: (-0.56, 0.7),
    snout: 1.9,
    ears: -0.7,
};
const CAT: Animal = Animal {
    back: 0.33,
    half: 0.25,
    thick: 0.17,
    leg: 0.05,
    stride: 0.5,
    head: 0.09,
    tail: (-0.42, 0.78),
    snout: 0.85,
    ears: 1.7,
};

fn animal(brush: &mut Brush<'_, '_>, pose: &Pose, dice: &mut Dice, of: &Animal) {
    let (fur, s) = (pick(dice, &FURS), pose.scale);
    let phase = pose.walked / of.stride * std::f32::consts::TAU;
    let legs = [(of.half, 0.0), (-of.half, 3.1), (of.half * 0.85, 3.1), (-of.half * 0.85, 0.0)];
    for (n, (x, shift)) in legs.into_iter().enumerate() {
        let swing = 0.4 * of.back * (phase + shift).sin();
        let lift = 0.12 * of.back * (phase + shift).cos().max(0.0);
        let colour = shade(fur, if n < 2 { 0.72 } else { 0.95 });
        let (hip, paw) = (pose.at(x, of.back), pose.at(x + swing, of.leg / 2.0 + lift));
        brush.limb(hip, paw, of.leg * 1.6 * s, of.leg * s, colour);
    }
    let (rear, front) = (pose.at(-of.half, of.back), pose.at(of.half, of.back + 0.02));
    brush.limb(rear, front, of.thick * s, of.thick * 1.1 * s, fur);
    let wag = 0.05 * (phase * 1.5).sin();
    brush.limb(rear, pose.at(of.tail.0, of.tail.1 + wag), of.leg * s, of.leg * 0.5 * s, fur);
    let skull = (of.half + of.head * 1.5, of.back + of.thick * 0.9);
    brush.limb(front, pose.at(skull.0, skull.1), of.thick * 0.7 * s, of.head * 1.2 * s, fur);
    brush.ellipse(pose.at(skull.0, skull.1), of.head * s, of.head * 0.9 * s, fur);
    let nose = pose.at(skull.0 + of.head * of.snout, skull.1 - of.head * 0.4);
    let brow = pose.at(skull.0, skull.1 - of.head * 0.2);
    brush.limb(brow, nose, of.head * s, of.head * 0.6 * s, shade(fur, 1.1));
    // Ears hang or point.
    for x in [-0.6, 0.3] {
        let top = pose.at(skull.0 + of.head * x, skull.1 + of.head * 0.6);
        let end = pose.at(skull.0 + of.head * (x - 0.05), skull.1 + of.head * of.ears);
        brush.limb(top, end, of.head * 0.6 * s, of.head * 0.25 * s, shade(fur, 0.7));
    }
}
