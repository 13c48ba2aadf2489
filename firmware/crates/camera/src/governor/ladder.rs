//! The ladder: all that can be reduced, one rung after the other, in the order of
//! [`Dial`]. Pure. Only rungs that exist are in it: models that are at hand, rates above the
//! floor.

use api::governor::Dial;
use api::manifest::{ModelFamily, ModelManifest};

/// A rate this much lower is the next rung: small enough that a viewer hardly sees it, large
/// enough that the temperature does.
const RATE_STEP: f32 = 0.7;
/// Bit rates of the rungs, as shares of what the settings ask for.
const BITRATES: [f32; 2] = [0.7, 0.5];
/// A bit rate this close to the one above is no rung of its own.
const SAME_BITRATE: f32 = 0.95;

/// A model as far as the ladder is concerned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    /// Name of its manifest.
    pub(crate) name: String,
    family: ModelFamily,
    width: u32,
    height: u32,
}

impl Candidate {
    /// The model of `manifest`.
    pub(crate) fn of(manifest: &ModelManifest) -> Self {
        let (width, height) = (manifest.input.width, manifest.input.height);
        Self { name: manifest.name.clone(), family: manifest.family, width, height }
    }

    /// Work of one inference, in units that compare models: input pixels, weighted by the
    /// families' operations at the same input (0.72 and 0.90 GFLOP at 320, NanoDet's README).
    pub(crate) fn work(&self) -> f32 {
        let weight = match self.family {
            ModelFamily::Nanodet => 0.8,
            ModelFamily::NanodetPlus => 1.0,
        };
        (self.width * self.height) as f32 * weight
    }
}

/// What the settings ask for, and what there is to fall back to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wish {
    /// Inferences per second, above 0.
    pub(crate) fps: f32,
    /// Inferences per second below which the rate is not reduced.
    pub(crate) min_fps: f32,
    /// Bit rate of the stream, kbit/s.
    pub(crate) bitrate_kbps: u32,
    /// Bit rate below which it is not reduced, kbit/s.
    pub(crate) min_bitrate_kbps: u32,
    /// The models: first the one that the settings ask for.
    pub(crate) models: Vec<Candidate>,
}

/// What a camera runs on: absolute, so that it can be applied at any time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Setting {
    /// Inferences per second.
    pub(crate) fps: f32,
    /// Index of the model in [`Wish::models`].
    pub(crate) model: usize,
    /// Bit rate of the stream, kbit/s.
    pub(crate) bitrate_kbps: u32,
    /// Whether nothing is detected.
    pub(crate) paused: bool,
}

/// A rung: the first is what the settings ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rung {
    /// What it turns, compared with the rung above it.
    pub(crate) dial: Dial,
    /// What the camera runs on here.
    pub(crate) setting: Setting,
}

/// The rungs from what the settings ask for down to a detector at rest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ladder {
    models: Vec<Candidate>,
    rungs: Vec<Rung>,
}

impl Ladder {
    /// The ladder under `wish`.
    pub(crate) fn new(wish: Wish) -> Self {
        let setting =
            Setting { fps: wish.fps, model: 0, bitrate_kbps: wish.bitrate_kbps, paused: false };
        let mut rungs = vec![Rung { dial: Dial::DetectRate, setting }];
        let mut put = |dial, turn: &dyn Fn(&mut Setting)| {
            let mut setting = rungs.last().map_or(setting, |rung| rung.setting);
            turn(&mut setting);
            rungs.push(Rung { dial, setting });
        };
        for fps in rates(wish.fps, wish.min_fps) {
            put(Dial::DetectRate, &|setting| setting.fps = fps);
        }
        for (dial, model) in lighter(&wish.models) {
            put(dial, &|setting| setting.model = model);
        }
        for kbps in bitrates(wish.bitrate_kbps, wish.min_bitrate_kbps) {
            put(Dial::Bitrate, &|setting| setting.bitrate_kbps = kbps);
        }
        put(Dial::Detection, &|setting| setting.paused = true);
        Self { models: wish.models, rungs }
    }

    /// The rung at `level`, 0 being the top; the lowest for any level below.
    pub(crate) fn rung(&self, level: usize) -> Rung {
        self.rungs[level.min(self.lowest())]
    }

    /// The lowest level: a detector at rest.
    pub(crate) fn lowest(&self) -> usize {
        self.rungs.len() - 1
    }

    /// The lowest level that turns nothing beyond `dial`.
    pub(crate) fn lowest_of(&self, dial: Dial) -> usize {
        self.rungs.iter().rposition(|rung| rung.dial <= dial).unwrap_or(0)
    }

    /// The level of this ladder that gives way as much as `level` of `other`: as many rungs of the
    /// same dial, or all there are.
    pub(crate) fn level_like(&self, other: &Self, level: usize) -> usize {
        let dial = other.rung(level).dial;
        let first = |ladder: &Self| ladder.rungs.iter().position(|rung| rung.dial >= dial);
        let within = level - first(other).unwrap_or(level).min(level);
        (first(self).unwrap_or(0) + within).min(self.lowest_of(dial))
    }

    /// Work of one inference at `level`, in the units of [`Candidate::work`].
    pub(crate) fn work(&self, level: usize) -> f32 {
        self.models.get(self.rung(level).setting.model).map_or(1.0, Candidate::work)
    }

    /// Name of the model at `level`.
    pub(crate) fn model(&self, level: usize) -> String {
        self.shown(Dial::Model, level)
    }

    /// Where `dial` stands at `level`, for people.
    pub(crate) fn shown(&self, dial: Dial, level: usize) -> String {
        let setting = self.rung(level).setting;
        let model = self.models.get(setting.model);
        match dial {
            Dial::DetectRate => format!("{} fps", rounded(setting.fps)),
            Dial::InputSize => {
                model.map_or_else(String::new, |m| format!("{}×{}", m.width, m.height))
            }
            Dial::Model => model.map_or_else(String::new, |m| m.name.clone()),
            Dial::Bitrate => format!("{} kbit/s", setting.bitrate_kbps),
            Dial::Detection => if setting.paused { "paused" } else { "on" }.to_owned(),
        }
    }

    /// What stands lower at `level` than the settings ask for, in the order of the dials.
    pub(crate) fn reduced(&self, level: usize) -> impl Iterator<Item = (Dial, String)> {
        [Dial::DetectRate, Dial::InputSize, Dial::Model, Dial::Bitrate, Dial::Detection]
            .into_iter()
            .map(move |dial| (dial, self.shown(dial, level)))
            .filter(|(dial, shown)| *shown != self.shown(*dial, 0))
    }
}

/// One decimal, where there is one.
fn rounded(value: f32) -> f32 {
    (value * 10.0).round() / 10.0
}

/// Rates below `wanted` down to `least`, in equal ratios.
fn rates(wanted: f32, least: f32) -> Vec<f32> {
    // Not so for a rate that is not above its floor: nothing to reduce.
    if !(least > 0.0 && wanted > least) {
        return Vec::new();
    }
    let count = ((least / wanted).ln() / RATE_STEP.ln()).ceil().max(1.0);
    let ratio = (least / wanted).powf(1.0 / count);
    (1..=count as i32).map(|n| (wanted * ratio.powi(n)).max(least)).collect()
}

/// Models that take less work than the first: smaller inputs of its family, then other families,
/// each lighter than the one before.
fn lighter(models: &[Candidate]) -> Vec<(Dial, usize)> {
    let Some(asked) = models.first() else { return Vec::new() };
    let mut others: Vec<_> = models.iter().enumerate().skip(1).collect();
    others.sort_by(|(_, a), (_, b)| {
        let foreign = |model: &Candidate| model.family != asked.family;
        (foreign(a).cmp(&foreign(b))).then(b.work().total_cmp(&a.work()))
    });
    let mut least = asked.work();
    let mut rungs = Vec::new();
    for (index, model) in others {
        if model.work() < least {
            least = model.work();
            let of_family = model.family == asked.family;
            rungs.push((if of_family { Dial::InputSize } else { Dial::Model }, index));
        }
    }
    rungs
}

/// Bit rates below `wanted` that are not below `least`.
fn bitrates(wanted: u32, least: u32) -> Vec<u32> {
    let mut above = wanted as f32;
    let mut rungs = Vec::new();
    for share in BITRATES {
        let kbps = (wanted as f32 * share).max(least as f32).round();
        if kbps < above * SAME_BITRATE {
            rungs.push(kbps as u32);
            above = kbps;
        }
    }
    rungs
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn candidate(name: &str, family: ModelFamily, side: u32) -> Candidate {
        Candidate { name: name.into(), family, width: side, height: side }
    }

    pub(crate) fn wish() -> Wish {
        use ModelFamily::{Nanodet, NanodetPlus};
        Wish {
            fps: 10.0,
            min_fps: 3.0,
            bitrate_kbps: 2500,
            min_bitrate_kbps: 500,
            models: vec![
                candidate("plus_416", NanodetPlus, 416),
                candidate("m_320", Nanodet, 320),
                candidate("m_416", Nanodet, 416),
                candidate("plus_320", NanodetPlus, 320),
            ],
        }
    }

    fn shown(ladder: &Ladder) -> Vec<(Dial, String)> {
        (1..=ladder.lowest())
            .map(|level| (ladder.rung(level).dial, ladder.shown(ladder.rung(level).dial, level)))
            .collect()
    }

    #[test]
    fn the_order_is_rate_then_size_then_model_then_bit_rate_then_a_pause() {
        let expected = [
            (Dial::DetectRate, "7.4 fps"),
            (Dial::DetectRate, "5.5 fps"),
            (Dial::DetectRate, "4.1 fps"),
            (Dial::DetectRate, "3 fps"),
            (Dial::InputSize, "320×320"),
            (Dial::Model, "m_320"),
            (Dial::Bitrate, "1750 kbit/s"),
            (Dial::Bitrate, "1250 kbit/s"),
            (Dial::Detection, "paused"),
        ];
        let expected: Vec<_> = expected.map(|(dial, text)| (dial, text.to_owned())).into();
        assert_eq!(shown(&Ladder::new(wish())), expected);
    }

    #[test]
    fn only_rungs_that_exist_are_in_the_ladder() {
        let mut bare = wish();
        bare.models.truncate(1);
        bare.min_fps = 10.0;
        bare.min_bitrate_kbps = 2500;
        let ladder = Ladder::new(bare);
        assert_eq!(shown(&ladder), [(Dial::Detection, "paused".to_owned())]);
        assert_eq!(ladder.lowest_of(Dial::Bitrate), 0);
    }

    #[test]
    fn no_model_that_takes_as_much_work_is_a_rung() {
        let mut light = wish();
        light.models.rotate_left(1);
        let ladder = Ladder::new(light);
        let turned = |rung: &Rung| matches!(rung.dial, Dial::InputSize | Dial::Model);
        assert!(!ladder.rungs.iter().any(turned), "{ladder:?}");
    }

    #[test]
    fn a_floor_cuts_the_bit_rate_short() {
        let floor = Wish { min_bitrate_kbps: 1500, ..wish() };
        let rungs = shown(&Ladder::new(floor));
        let rates: Vec<_> = rungs.iter().filter(|(d, _)| *d == Dial::Bitrate).collect();
        assert_eq!(
            rates.iter().map(|(_, s)| s.as_str()).collect::<Vec<_>>(),
            ["1750 kbit/s", "1500 kbit/s"]
        );
    }

    #[test]
    fn a_new_ladder_gives_way_as_much_as_the_old_one() {
        let old = Ladder::new(wish());
        let mut fewer = wish();
        fewer.models.truncate(1);
        let new = Ladder::new(fewer);
        assert_eq!(new.level_like(&old, 0), 0);
        assert_eq!(new.level_like(&old, 2), 2);
        // The rungs of the models are gone: the rate stays at its floor.
        assert_eq!(new.level_like(&old, 6), new.lowest_of(Dial::DetectRate));
        assert_eq!(new.level_like(&old, old.lowest()), new.lowest());
        assert_eq!(old.level_like(&old, 7), 7);
    }

    #[test]
    fn what_is_reduced_is_told_with_where_it_stands() {
        let ladder = Ladder::new(wish());
        assert_eq!(ladder.reduced(0).count(), 0);
        let reduced: Vec<_> = ladder.reduced(5).collect();
        let expected = [
            (Dial::DetectRate, "3 fps".to_owned()),
            (Dial::InputSize, "320×320".to_owned()),
            (Dial::Model, "plus_320".to_owned()),
        ];
        assert_eq!(reduced, expected);
    }
}
