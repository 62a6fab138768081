//! Numbers that look random and come from a seed: what happens by chance in the plant happens again with the same one.

/// `splitmix64`.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    /// Any number.
    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 where there is none.
    pub fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        self.roll().checked_rem(n).and_then(|rest| usize::try_from(rest).ok()).unwrap_or(0)
    }

    /// At least one and at most `most` bytes.
    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        let count = self.below(most).saturating_add(1);
        (0..count).map(|_| self.roll().to_le_bytes().first().copied().unwrap_or(0)).collect()
    }

    /// About what noise does: 0 on average, 1 as its standard deviation, never beyond 3.5.
    pub fn noise(&mut self) -> f64 {
        // The sum of twelve even numbers is near enough to a bell.
        let mut even = || f64::from(u32::try_from(self.roll() >> 32).unwrap_or(0)) / f64::from(u32::MAX);
        let sum: f64 = (0..12).map(|_| even()).sum();
        (sum - 6.0).clamp(-3.5, 3.5)
    }
}
