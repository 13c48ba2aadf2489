//! The number of an announcement, as a caller gives it.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// The largest that is taken: the largest whole number that every JSON reader knows exactly, 2^53 - 1.
pub(crate) const MAX: u64 = (1 << 53) - 1;

/// A `seq`, 0..=[`MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub(crate) struct Seq(pub(crate) u64);

/// It is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoSeq;

impl fmt::Display for NoSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a `seq` is a whole number within 0..={MAX}")
    }
}

impl TryFrom<u64> for Seq {
    type Error = NoSeq;

    fn try_from(number: u64) -> Result<Self, NoSeq> {
        if number <= MAX { Ok(Self(number)) } else { Err(NoSeq) }
    }
}

impl FromStr for Seq {
    type Err = NoSeq;

    fn from_str(text: &str) -> Result<Self, NoSeq> {
        text.parse::<u64>().map_err(|_| NoSeq).and_then(Self::try_from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_not_every_reader_knows_exactly_is_refused() {
        assert_eq!("9007199254740991".parse(), Ok(Seq(MAX)));
        for text in ["9007199254740992", "18446744073709551616", "-1", "", "1.0"] {
            assert_eq!(text.parse::<Seq>(), Err(NoSeq), "{text}");
        }
    }
}
