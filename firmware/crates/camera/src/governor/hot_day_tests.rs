//! The governor in a simulated box: heat as a first-order RC element, a processor that can be slow,
//! a store that can be late. A second of the simulation is a step of the loop.

use std::time::Duration;

use api::governor::{Dial, StepReason};

use super::ladder::tests::wish;
use super::ladder::{Ladder, Setting};
use super::limits::tests::limits;
use super::plan::Governor;
use super::sensors::{Sample, Watch};

/// Time constant of a board in its box, s.
const TAU: f32 = 180.0;
/// What streaming alone heats, K, at full bit rate; half of it goes with the bits.
const STREAM_K: f32 = 14.0;
/// What one busy core heats, K.
const CORE_K: f32 = 28.0;
/// How far a simulated day may go beyond the limit, K. Promised in the documents.
const OVERSHOOT_K: f32 = 1.0;
/// Time of an inference of the largest model on a processor at its best, s.
const INFER_S: f32 = 0.08;

/// A camera and its governor.
struct Camera {
    governor: Governor,
    watch: Watch,
    /// How much slower than at its best the processor is.
    slow: f32,
    /// What it heats, as a share of a camera alone on its board.
    share: f32,
    /// What the store adds to an event's time, s.
    store_s: f32,
    offered: u64,
    inferred: f32,
    turns: Vec<(bool, u64)>,
}

impl Camera {
    fn new() -> Self {
        let governor = Governor::new(Ladder::new(wish()), limits(), Duration::ZERO);
        let watch = Watch::new(limits().settle);
        let turns = Vec::new();
        Self {
            governor,
            watch,
            slow: 1.0,
            share: 1.0,
            store_s: 0.02,
            offered: 0,
            inferred: 0.0,
            turns,
        }
    }

    fn setting(&self) -> Setting {
        self.governor.setting()
    }

    fn infer_s(&self) -> f32 {
        let share =
            self.governor.ladder().work(self.governor.level()) / self.governor.ladder().work(0);
        INFER_S * share * self.slow
    }

    fn fps(&self) -> f32 {
        if self.setting().paused { 0.0 } else { self.setting().fps.min(1.0 / self.infer_s()) }
    }

    /// What it heats, K.
    fn heat(&self) -> f32 {
        let bits = self.setting().bitrate_kbps as f32 / wish().bitrate_kbps as f32;
        self.share * (STREAM_K * (0.5 + 0.5 * bits) + CORE_K * self.fps() * self.infer_s())
    }

    /// A second goes by.
    fn second(&mut self, second: u64, celsius: Option<f32>) {
        self.offered += 30;
        self.inferred += self.fps();
        let call = Duration::from_secs_f32(self.infer_s());
        let calls = vec![call; self.fps() as usize];
        let sample = Sample {
            celsius,
            throttled: Some(0),
            latencies: calls.iter().map(|c| *c + Duration::from_secs_f32(self.store_s)).collect(),
            calls,
            offered: self.offered,
            inferred: self.inferred as u64,
        };
        let before = self.governor.level();
        let now = Duration::from_secs(second);
        self.watch.take(now, before, sample);
        let readings = self.watch.readings(self.setting().fps);
        if self.governor.step(now, &readings).is_some() {
            self.watch.restart();
            let up = self.governor.level() < before;
            if self.turns.last().is_none_or(|(was_up, _)| *was_up != up) {
                self.turns.push((up, second));
            }
        }
    }

    /// Holds it to the promise that it does not swing.
    fn turns_at_most_once_a_minute(&self) {
        let apart = self.turns.windows(2).map(|pair| pair[1].1 - pair[0].1);
        assert!(apart.min().is_none_or(|least| least >= 60), "{:?}", self.turns);
    }
}

/// What a processor shows of a temperature: steps of 0.487 K, and noise of one of them.
fn sensor(celsius: f32, second: u64) -> f32 {
    let noise = [0.0, 0.487, 0.0, -0.487, 0.0][(second * 7 % 5) as usize];
    ((celsius + noise) / 0.487).round() * 0.487
}

/// A day of `hours`: ambient from 20 °C up to `peak` and back, as half a sine. Answers with the
/// highest temperature, and the highest without a governor.
fn day(cameras: &mut [Camera], hours: u64, peak: f32) -> (f32, f32) {
    let seconds = hours * 3600;
    let free: f32 = cameras.iter().map(Camera::heat).sum();
    let (mut board, mut ungoverned) = (20.0, 20.0);
    let mut highest = (0.0f32, 0.0f32);
    for second in 0..seconds {
        let phase = second as f32 / seconds as f32 * std::f32::consts::PI;
        let ambient = 20.0 + (peak - 20.0) * phase.sin();
        let heat: f32 = cameras.iter().map(Camera::heat).sum();
        board += (ambient + heat - board) / TAU;
        ungoverned += (ambient + free - ungoverned) / TAU;
        highest = (highest.0.max(board), highest.1.max(ungoverned));
        // Processes start one after the other: their looks are not at the same time.
        let started = |n: &(usize, &mut Camera)| second >= 7 * n.0 as u64;
        for (_, camera) in cameras.iter_mut().enumerate().filter(started) {
            camera.second(second, Some(sensor(board, second)));
        }
    }
    highest
}

#[test]
fn a_hot_day_holds_the_limit_without_swinging_and_ends_at_full_quality() {
    let mut cameras = [Camera::new()];
    let (highest, without) = day(&mut cameras, 10, 50.0);
    println!(
        "hot day: {highest:.2} °C at most, {without:.2} °C without; {} turns, steps {:?}",
        cameras[0].turns.len(),
        cameras[0].governor.steps()
    );
    assert!(without > 80.0, "the day is not hot");
    assert!(highest <= 75.0 + OVERSHOOT_K, "{highest}");
    cameras[0].turns_at_most_once_a_minute();
    assert_eq!(cameras[0].governor.level(), 0, "not recovered");
}

#[test]
fn a_door_that_is_shut_in_the_sun_overshoots_only_until_the_steps_have_acted() {
    let mut camera = Camera::new();
    let mut board = 20.0;
    let mut above = 0;
    for second in 0..3 * 3600 {
        let ambient = if second < 600 { 20.0 } else { 46.0 };
        board += (ambient + camera.heat() - board) / TAU;
        above += u32::from(board > 75.0 + OVERSHOOT_K);
        camera.second(second, Some(sensor(board, second)));
    }
    println!("shut door: {above} s above the limit and its overshoot");
    assert!(above < 300, "{above} s");
    assert!(board <= 75.0 + OVERSHOOT_K);
    camera.turns_at_most_once_a_minute();
}

#[test]
fn a_day_beyond_help_pauses_detection_and_comes_back() {
    let mut cameras = [Camera::new()];
    let (highest, _) = day(&mut cameras, 10, 80.0);
    println!("day beyond help: {highest:.1} °C");
    assert!(cameras[0].governor.steps().contains_key(&StepReason::Critical));
    assert_eq!(cameras[0].governor.level(), 0);
    cameras[0].turns_at_most_once_a_minute();
}

#[test]
fn two_cameras_on_one_board_hold_the_limit_together() {
    let mut cameras = [Camera::new(), Camera::new()].map(|camera| Camera { share: 0.6, ..camera });
    let (highest, without) = day(&mut cameras, 10, 50.0);
    println!(
        "two cameras: {highest:.2} °C at most, {without:.2} °C without; turns {} and {}",
        cameras[0].turns.len(),
        cameras[1].turns.len()
    );
    assert!(without > 85.0, "they are not hot");
    assert!(highest <= 75.0 + OVERSHOOT_K, "{highest}");
    for camera in &cameras {
        camera.turns_at_most_once_a_minute();
        assert_eq!(camera.governor.level(), 0);
    }
}

#[test]
fn a_processor_twice_as_slow_costs_detect_rate_and_gives_it_back() {
    let mut camera = Camera::new();
    for second in 0..3 * 3600 {
        camera.slow = if (600..3600).contains(&second) { 2.0 } else { 1.0 };
        camera.second(second, Some(45.0 + sensor(0.0, second)));
        if second == 3599 {
            assert!((1..=4).contains(&camera.governor.level()), "{}", camera.governor.level());
            assert!(camera.infer_s() <= 1.0 / camera.setting().fps);
        }
    }
    assert_eq!(camera.governor.level(), 0);
    camera.turns_at_most_once_a_minute();
}

#[test]
fn late_events_press_down_to_the_lightest_model_and_never_to_the_bit_rate() {
    let mut camera = Camera::new();
    for second in 0..3 * 3600 {
        camera.store_s = if (600..3600).contains(&second) { 0.9 } else { 0.02 };
        camera.second(second, None);
        if second == 3599 {
            let lowest = camera.governor.ladder().lowest_of(Dial::Model);
            assert_eq!(camera.governor.level(), lowest);
        }
    }
    assert!(camera.governor.steps().contains_key(&StepReason::EventLatency));
    assert_eq!(camera.governor.level(), 0);
    camera.turns_at_most_once_a_minute();
}

#[test]
fn a_sensor_that_is_missing_wild_or_stuck_leaves_the_camera_at_full_quality() {
    type Read = fn(u64) -> Option<f32>;
    let sensors: [(&str, Read); 4] = [
        ("missing", |_| None),
        ("wild", |second| Some(if second % 9 == 0 { 120.0 } else { sensor(45.0, second) })),
        ("garbage", |second| Some([f32::NAN, -300.0, 9e9][(second % 3) as usize])),
        ("stuck", |_| Some(77.0)),
    ];
    for (name, read) in sensors {
        let mut camera = Camera::new();
        let mut lowest = 0;
        for second in 0..3 * 3600 {
            camera.second(second, read(second));
            lowest = lowest.max(camera.governor.level());
        }
        assert_eq!(camera.governor.level(), 0, "{name}");
        assert_eq!(lowest > 0, name == "stuck", "{name}");
        camera.turns_at_most_once_a_minute();
    }
}
