//! Number formats of a network's insides, and which of them this CPU is best at.

use std::fmt;
use std::str::FromStr;

/// Number format of the network's insides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// What this CPU computes fastest, [`Precision::of_this_cpu`].
    #[default]
    Auto,
    /// 32-bit floats everywhere: the same result on every CPU, but for rounding.
    Full,
    /// 16-bit floats where the CPU has them (Raspberry Pi 5: arithmetic too), else 32-bit.
    Half,
    /// bfloat16 in memory and, where the CPU has it, in products: half the bandwidth, about 2 decimal
    /// digits.
    Bfloat,
}

/// A word that is no precision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of auto, full, half, bfloat")]
pub struct UnknownPrecision(String);

impl Precision {
    const ALL: [Self; 4] = [Self::Auto, Self::Full, Self::Half, Self::Bfloat];

    /// What this CPU computes fastest without a loss of accuracy that counts (0.3 mAP; measured, see
    /// `firmware/docs/VERIFIED.md`).
    ///
    /// x86-64: bfloat16 where the CPU multiplies it (AVX512-BF16), a fifth less time; where it does
    /// not, converting costs more than memory gains, and ncnn has no 16-bit floats there. arm64:
    /// 16-bit floats, of which ncnn takes what the CPU has: arithmetic on a Raspberry Pi 5, none on
    /// a Pi 4.
    pub fn of_this_cpu() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx512bf16") {
            return Self::Bfloat;
        }
        Self::Half
    }

    /// The same, but for `Auto`, which becomes what it stands for here.
    pub fn resolved(self) -> Self {
        if self == Self::Auto { Self::of_this_cpu() } else { self }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Full => "full",
            Self::Half => "half",
            Self::Bfloat => "bfloat",
        }
    }
}

impl From<api::settings::Precision> for Precision {
    fn from(precision: api::settings::Precision) -> Self {
        match precision {
            api::settings::Precision::Auto => Self::Auto,
            api::settings::Precision::Full => Self::Full,
            api::settings::Precision::Half => Self::Half,
            api::settings::Precision::Bfloat => Self::Bfloat,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(word: &str) -> Result<Self, UnknownPrecision> {
        let found = Self::ALL.into_iter().find(|precision| precision.word() == word);
        found.ok_or_else(|| UnknownPrecision(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_precision_has_a_word_and_another_word_is_refused_with_all_of_them() {
        for precision in Precision::ALL {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
        let error = "fp16".parse::<Precision>().unwrap_err().to_string();
        assert_eq!(error, "\"fp16\" is none of auto, full, half, bfloat");
    }

    #[test]
    fn auto_stands_for_something_definite_and_the_others_for_themselves() {
        assert_ne!(Precision::Auto.resolved(), Precision::Auto);
        assert_eq!(Precision::Full.resolved(), Precision::Full);
    }
}
