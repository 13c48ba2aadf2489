//! How long a backtest of a day takes, and what the day takes on disk. `cargo bench -p
//! edgecam-domain`. The day is made up: ten frames a second, walkers and cars that come and go,
//! about three at a time around the clock, their boxes shaking as a detector's do.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use edgecam_domain::backtest::{Backtest, RuleSet};
use edgecam_domain::history::{Recorder, Sight, Stretch, Tolerance, decode, encode};
use edgecam_domain::{
    BBox, ClassId, Detection, Labels, Line, LineId, LocalClock, Point, Tracker, TrackerParams,
    Zone, ZoneId,
};

const HOURS: u64 = 24;
const FRAME: Duration = Duration::from_millis(100);
/// Steps of a batch: ten seconds.
const BATCH: u64 = 100;
const LANES: usize = 6;

fn main() -> io::Result<()> {
    let day = day();
    let bytes: usize = day.iter().map(|(_, bytes)| bytes.len()).sum();
    let (old, new) = (rules(0.5), rules(0.6));
    let begun = Instant::now();
    let window = Duration::ZERO..Duration::MAX;
    let mut backtest = Backtest::new(old, new, window, LocalClock::utc());
    backtest.begin(1, &labels());
    let mut boxes = 0;
    for (start, bytes) in &day {
        if let Ok(stretch) = decode(bytes, *start) {
            boxes += stretch.paths.iter().map(|path| path.samples.len()).sum::<usize>();
            backtest.play(&stretch);
        }
    }
    let report = black_box(backtest.report());
    let took = begun.elapsed();
    let track_seconds = boxes as f64 * FRAME.as_secs_f64();
    writeln!(
        io::stdout(),
        "bench backtest of {HOURS} h: {:.2} s ({} tracks, {} steps, {boxes} boxes; {} kept, {} \
         gained, {} lost)\nbench track history of {HOURS} h: {:.1} MB, {:.1} bytes per \
         track-second, {:.2} per box",
        took.as_secs_f64(),
        report.tracks,
        report.steps,
        report.kept.len(),
        report.gained.len(),
        report.lost.len(),
        bytes as f64 / 1e6,
        bytes as f64 / track_seconds,
        bytes as f64 / boxes as f64,
    )
}

fn labels() -> Labels {
    Labels::new(["person", "car"].map(str::to_owned))
}

/// Two zones and two lines, one of which is at `x`.
fn rules(x: f32) -> RuleSet {
    let line = |name, from, to| Line::new(LineId::new(name), from, to).ok();
    let zone = |name, left: f32| {
        let right = left + 0.3;
        let polygon = [(left, 0.2), (right, 0.2), (right, 0.9), (left, 0.9)];
        Zone::new(ZoneId::new(name), polygon.map(|(x, y)| Point::new(x, y)).to_vec()).ok()
    };
    let gate = line("gate", Point::new(x, 0.0), Point::new(x, 1.0));
    let low = line("low", Point::new(0.0, 0.7), Point::new(1.0, 0.7));
    RuleSet {
        zones: [zone("left", 0.1), zone("right", 0.6)].into_iter().flatten().collect(),
        lines: [gate, low].into_iter().flatten().collect(),
    }
}

/// The day in batches, each with the time of its first step.
fn day() -> Vec<(Duration, Vec<u8>)> {
    let mut tracker = Tracker::new(TrackerParams::default());
    let mut recorder = Recorder::default();
    let mut dice = Dice(7);
    let mut batches = Vec::new();
    for step in 0..HOURS * 36_000 {
        let found = street(step, &mut dice);
        let at = FRAME * u32::try_from(step).unwrap_or(u32::MAX);
        recorder.record(&tracker.step(at, &found), Sight::Seeing);
        if step % BATCH == BATCH - 1 {
            let start = |stretch: &Stretch| stretch.steps.first().copied().unwrap_or_default();
            let bytes = |stretch: Stretch| (start(&stretch), encode(&stretch, &Tolerance::USUAL));
            batches.extend(recorder.take().map(bytes));
        }
    }
    batches
}

/// Each lane is walked or driven along, now and then, there and back.
fn street(step: u64, dice: &mut Dice) -> Vec<Detection> {
    let mut found = Vec::new();
    for lane in 0..LANES {
        let (class, period) = if lane % 2 == 0 { (0, 311) } else { (1, 97) };
        let (turn, phase) = ((step / period + lane as u64) % 4, step % period);
        if turn > 1 {
            continue;
        }
        let share = phase as f32 / period as f32;
        let x = if turn == 0 { share } else { 1.0 - share };
        let y = 0.4 + 0.1 * lane as f32;
        let (w, h) = if class == 0 { (0.06, 0.2) } else { (0.16, 0.12) };
        let mut shake = || 0.006 * (dice.roll() - 0.5);
        let bbox = BBox::new(x - w / 2.0 + shake(), y - h + shake(), w + shake(), h + shake());
        // One box in fifty is missed.
        if dice.roll() > 0.02 {
            found.push(Detection { class: ClassId(class), score: 0.5 + 0.4 * dice.roll(), bbox });
        }
    }
    found
}

/// Xorshift (G. Marsaglia, "Xorshift RNGs", 2003): the same day every time.
struct Dice(u64);

impl Dice {
    /// 0..1.
    fn roll(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }
}
