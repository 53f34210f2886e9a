//! Chance that can be repeated: the same seed gives the same newsroom.

/// A generator; never for anything secret.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// Any number.
    pub(super) fn any(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 for an `end` of 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.any().checked_rem(end).unwrap_or(0)
    }

    /// A number from `from` to before `to`.
    pub(super) fn between(&mut self, from: i64, to: i64) -> i64 {
        let width = u64::try_from(to.saturating_sub(from)).unwrap_or(0);
        from.saturating_add(i64::try_from(self.below(width)).unwrap_or(0))
    }

    /// True this often in a hundred.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these; they are not empty.
    pub(super) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.below(u64::try_from(of.len()).unwrap_or(1));
        &of[usize::try_from(at).unwrap_or(0)]
    }

    /// One of these, each as often as its weight says; they are not empty.
    pub(super) fn weighed<'a, T>(&mut self, of: &'a [(u32, T)]) -> &'a T {
        let sum: u64 = of.iter().map(|(weight, _)| u64::from(*weight)).sum();
        let mut at = self.below(sum);
        for (weight, one) in of {
            match at.checked_sub(u64::from(*weight)) {
                Some(left) => at = left,
                None => return one,
            }
        }
        &of[0].1
    }

    /// A number drawn by quantiles: between each two of them equally often.
    pub(super) fn by_quantiles(&mut self, quantiles: &[i64]) -> i64 {
        let parts = quantiles.len().saturating_sub(1);
        let at = usize::try_from(self.below(u64::try_from(parts).unwrap_or(0))).unwrap_or(0);
        self.between(quantiles[at], quantiles[at + 1])
    }
}
