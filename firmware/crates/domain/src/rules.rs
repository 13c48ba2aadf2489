//! Turns tracks into happenings: objects that start, change and end, zones, lines.

use std::time::Duration;

use crate::detection::Labels;
use crate::happening::{Counts, Happening};
use crate::lines::Line;
use crate::track::TrackUpdate;
use crate::zones::Zone;

/// How often an object that goes on is reported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RuleParams {
    /// Least time between two updates of an object to which nothing special happens.
    pub update_every: Duration,
    /// The same while it is stationary: a parked car must not fill the event store.
    pub stationary_update_every: Duration,
    /// By how much the best score must have grown since the last report to be reported at once.
    pub score_step: f32,
}

impl Default for RuleParams {
    fn default() -> Self {
        Self {
            update_every: Duration::from_secs(1),
            stationary_update_every: Duration::from_secs(60),
            score_step: 0.1,
        }
    }
}

/// The zones and lines of a camera, and what they know of each object.
#[derive(Clone, Debug)]
pub struct Rules {
    params: RuleParams,
}

impl Rules {
    /// Rules without any object yet. `zones` and `lines` have unique ids; `labels` name the classes
    /// of the tracks.
    pub fn new(_zones: Vec<Zone>, _lines: Vec<Line>, _labels: &Labels) -> Self {
        Self { params: RuleParams::default() }
    }

    /// Takes new parameters; everything else stays.
    pub fn set_params(&mut self, params: RuleParams) {
        self.params = params;
    }

    /// Takes new zones and lines. One whose id and geometry stay keeps its dwell times and totals;
    /// objects inside a zone that goes have left it with the next step.
    pub fn set(&mut self, _zones: Vec<Zone>, _lines: Vec<Line>, _labels: &Labels) {}

    /// What happened with `update`, in the order in which it is to be told.
    pub fn step(&mut self, _update: &TrackUpdate) -> Vec<Happening> {
        Vec::new()
    }

    /// Ends all objects, for a clean stop.
    pub fn finish(&mut self, _at: Duration) -> Vec<Happening> {
        Vec::new()
    }

    /// How many objects there are now, and how many crossed so far.
    pub fn counts(&self) -> Counts {
        Counts::default()
    }
}
