//! Runs of a network on the pictures: what its blobs hold, and how far a quantized one is from the
//! floating-point one. Each blob is computed once a picture: blobs are asked for in the order in
//! which the layers make them, because ncnn frees what it has used.

use ncnn::{Extractor, Mat, Net, Opt, Output};

use super::QuantizeError;
use super::calibrate::Range;
use super::histogram::Histogram;
use super::measure::Difference;

/// A loaded network and how it is fed.
pub(super) struct Runner<'a> {
    net: Net,
    input: &'a str,
    what: &'static str,
}

impl<'a> Runner<'a> {
    /// The network of `param` and `bin` on `threads` threads with its floats in 32 bits.
    pub(super) fn new(
        (param, bin): (&str, &[u8]),
        input: &'a str,
        threads: u32,
        what: &'static str,
    ) -> Result<Self, QuantizeError> {
        let opt = Opt {
            threads,
            fp16_packed: false,
            fp16_storage: false,
            fp16_arithmetic: false,
            ..Opt::default()
        };
        let net = Net::from_memory(param, bin, &opt);
        Ok(Self {
            net: net.map_err(|source| QuantizeError::Network { what, source })?,
            input,
            what,
        })
    }

    fn on<'r>(&'r self, picture: &'r Mat) -> Result<Run<'r>, QuantizeError> {
        let start = || {
            let mut run = self.net.extractor()?;
            run.input(self.input, picture)?;
            Ok(run)
        };
        let run = start().map_err(|source| QuantizeError::Network { what: self.what, source })?;
        Ok(Run { run, what: self.what })
    }

    /// All values of each of `blobs` for `picture`.
    pub(super) fn values(
        &self,
        picture: &Mat,
        blobs: &[String],
    ) -> Result<Vec<Vec<f32>>, QuantizeError> {
        let mut run = self.on(picture)?;
        let flat = |output: &Output<'_>| channels(output).flatten().copied().collect();
        blobs.iter().map(|blob| Ok(flat(&run.extract(blob)?))).collect()
    }

    /// Takes each of `blobs` for `picture` into its range.
    pub(super) fn widen(
        &self,
        picture: &Mat,
        blobs: &[String],
        ranges: &mut [Range],
    ) -> Result<(), QuantizeError> {
        let mut run = self.on(picture)?;
        for (blob, range) in blobs.iter().zip(ranges) {
            let found = run.extract(blob)?;
            channels(&found).enumerate().for_each(|(at, values)| range.widen(at, values));
        }
        Ok(())
    }

    /// Counts the values of each of `blobs` for `picture` in its histogram, where it has one.
    pub(super) fn count(
        &self,
        picture: &Mat,
        blobs: &[String],
        histograms: &mut [Option<Histogram>],
    ) -> Result<(), QuantizeError> {
        let mut run = self.on(picture)?;
        for (blob, histogram) in blobs.iter().zip(histograms) {
            let Some(histogram) = histogram else { continue };
            channels(&run.extract(blob)?).for_each(|values| histogram.add(values));
        }
        Ok(())
    }

    /// Adds to `differences` how far each of `blobs` for `picture` is from its `exact` values.
    pub(super) fn differ_from(
        &self,
        exact: &[Vec<f32>],
        picture: &Mat,
        blobs: &[String],
        differences: &mut [Difference],
    ) -> Result<(), QuantizeError> {
        let found = self.values(picture, blobs)?;
        for ((exact, found), difference) in exact.iter().zip(&found).zip(differences) {
            difference.add(exact, found);
        }
        Ok(())
    }

    /// Adds to `differences` how far each of `blobs` is from what `exact` makes of `picture`: as
    /// [`Self::differ_from`], without all blobs in memory at once.
    pub(super) fn differ(
        &self,
        exact: &Runner<'_>,
        picture: &Mat,
        blobs: &[String],
        differences: &mut [Difference],
    ) -> Result<(), QuantizeError> {
        let (mut found, mut exact) = (self.on(picture)?, exact.on(picture)?);
        for (blob, difference) in blobs.iter().zip(differences) {
            let (found, exact) = (found.extract(blob)?, exact.extract(blob)?);
            for (found, exact) in channels(&found).zip(channels(&exact)) {
                difference.add(exact, found);
            }
        }
        Ok(())
    }
}

struct Run<'a> {
    run: Extractor<'a>,
    what: &'static str,
}

impl<'a> Run<'a> {
    fn extract(&mut self, blob: &str) -> Result<Output<'a>, QuantizeError> {
        self.run.extract(blob).map_err(|source| QuantizeError::Network { what: self.what, source })
    }
}

fn channels<'o>(output: &'o Output<'_>) -> impl Iterator<Item = &'o [f32]> {
    (0..output.channels()).map(|channel| output.channel(channel))
}
