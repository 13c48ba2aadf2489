//! Integers of variable length: seven bits a byte, the lowest first (LEB128); signed ones folded
//! so that small ones of either sign are short (zigzag), as Protocol Buffers do.

use super::HistoryError;

/// Appends `value`.
pub(super) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends `value`, folded.
pub(super) fn put_signed(bytes: &mut Vec<u8>, value: i64) {
    put(bytes, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Takes integers off the front of some bytes.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn byte(&mut self) -> Result<u8, HistoryError> {
        let (&first, rest) = self.0.split_first().ok_or(HistoryError::Short)?;
        self.0 = rest;
        Ok(first)
    }

    pub(super) fn number(&mut self) -> Result<u64, HistoryError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(HistoryError::Invalid("an integer is too long"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, HistoryError> {
        let folded = self.number()?;
        Ok((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
    }

    pub(super) fn small(&mut self) -> Result<u32, HistoryError> {
        u32::try_from(self.number()?).map_err(|_| HistoryError::Invalid("a number is too large"))
    }

    /// How many of something follow, each of at least one byte.
    pub(super) fn count(&mut self) -> Result<usize, HistoryError> {
        let count = self.number()?;
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= self.0.len())
            .ok_or(HistoryError::Short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_comes_back(value in any::<u64>(), signed in any::<i64>()) {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            put_signed(&mut bytes, signed);
            let mut reader = Reader(&bytes);
            prop_assert_eq!(reader.number(), Ok(value));
            prop_assert_eq!(reader.signed(), Ok(signed));
            prop_assert!(reader.0.is_empty());
        }
    }

    #[test]
    fn small_numbers_of_either_sign_take_a_byte() {
        for value in -64..64 {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, value);
            assert_eq!(bytes.len(), 1, "{value}");
        }
    }
}
