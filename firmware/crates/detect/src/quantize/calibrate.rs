//! What the blobs that layers read hold on the calibration's pictures → where each is cut off.

use ncnn::Mat;

use super::histogram::{Histogram, largest};
use super::job::{Progress, Stage};
use super::network::Network;
use super::run::Runner;
use super::scales::LARGEST;
use super::{Method, QuantizeError};

/// Thresholds of blobs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Calibration {
    blobs: Vec<String>,
    largest: Vec<f32>,
    /// Mean of each channel.
    means: Vec<Vec<f32>>,
    /// `None` where the blob has no finite value but zero.
    thresholds: Vec<Option<f32>>,
}

/// What is known of a blob after the first look.
#[derive(Clone, Debug, Default)]
pub(super) struct Range {
    largest: f32,
    /// Sum and count of each channel's values.
    sums: Vec<(f64, f64)>,
}

impl Range {
    /// Takes the values of channel `channel` in.
    pub(super) fn widen(&mut self, channel: usize, values: &[f32]) {
        self.largest = largest(&[self.largest, largest(values)]);
        self.sums.resize(self.sums.len().max(channel + 1), (0.0, 0.0));
        let (sum, count) = &mut self.sums[channel];
        *sum += values.iter().map(|&value| f64::from(value)).sum::<f64>();
        *count += values.len() as f64;
    }

    fn means(&self) -> Vec<f32> {
        self.sums.iter().map(|(sum, count)| (sum / count.max(1.0)) as f32).collect()
    }
}

/// Calibrates `network` by what `exact` makes of `pictures`. `step` is called after every picture and
/// stops it with an error.
pub(super) fn calibrate(
    network: &Network,
    exact: &Runner<'_>,
    pictures: &[&Mat],
    method: Method,
    step: &mut dyn FnMut(Progress) -> Result<(), QuantizeError>,
) -> Result<Calibration, QuantizeError> {
    let mut read: Vec<_> = network.convs().map(|(_, c)| (c.made_by, c.reads.clone())).collect();
    // In the order in which they are made; one layer can make two.
    read.sort();
    read.dedup();
    let blobs: Vec<String> = read.into_iter().map(|(_, blob)| blob).collect();
    let of = pictures.len();
    let mut ranges = vec![Range::default(); blobs.len()];
    for (done, picture) in pictures.iter().enumerate() {
        exact.widen(picture, &blobs, &mut ranges)?;
        step(Progress { stage: Stage::Ranges, done: done + 1, of })?;
    }
    let largest: Vec<f32> = ranges.iter().map(|range| range.largest).collect();
    let means = ranges.iter().map(Range::means).collect();
    let usable = |most: &f32| *most > 0.0 && (LARGEST / most).is_normal() && most.is_normal();
    let mut histograms: Vec<Option<Histogram>> =
        largest.iter().map(|most| usable(most).then(|| Histogram::new(*most))).collect();
    for (done, picture) in pictures.iter().enumerate() {
        exact.count(picture, &blobs, &mut histograms)?;
        step(Progress { stage: Stage::Histograms, done: done + 1, of })?;
    }
    let thresholds = histograms.iter().map(|h| h.as_ref().map(|h| method.threshold(h))).collect();
    Ok(Calibration { blobs, largest, means, thresholds })
}

impl Calibration {
    fn find(&self, blob: &str) -> Option<usize> {
        self.blobs.iter().position(|known| known == blob)
    }

    /// Where `blob` is cut off.
    pub(super) fn threshold(&self, blob: &str) -> Option<f32> {
        self.thresholds[self.find(blob)?]
    }

    /// The largest magnitude seen in `blob`.
    pub(super) fn largest(&self, blob: &str) -> f32 {
        self.find(blob).map_or(0.0, |at| self.largest[at])
    }

    /// The mean of each channel of `blob`.
    pub(super) fn means(&self, blob: &str) -> &[f32] {
        self.find(blob).map_or(&[], |at| &self.means[at])
    }

    /// The factor that makes 8-bit integers of what the layer at `at` reads.
    pub(super) fn scale(&self, network: &Network, at: usize) -> Option<f32> {
        let conv = network.parts[at].conv.as_ref()?;
        self.threshold(&conv.reads).map(|threshold| LARGEST / threshold)
    }
}
