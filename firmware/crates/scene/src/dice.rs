//! Chance that is the same on every machine and in every version.

/// A stream of numbers (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", 2014).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The stream that belongs to these keys.
    pub(crate) fn of(keys: [u64; 3]) -> Self {
        let mix = |state: u64, key: u64| Self(state ^ key).bits();
        Self(keys.into_iter().fold(0x9e37_79b9, mix))
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..limit`.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        (self.bits() >> 32) as u32 % limit.max(1)
    }

    /// A number between `low` and `high`.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        let share = (self.bits() >> 40) as f32 / (1_u32 << 24) as f32;
        low + (high - low) * share
    }
}
