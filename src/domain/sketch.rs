//! Sketches: how many different ones were there, without keeping which.
//!
//! A HyperLogLog: few are kept nearly whole, so that few are counted exactly; many in 2^14 registers, with a standard
//! error of 0.81 % whatever the number. Guarantees that adding and merging are commutative, associative and idempotent,
//! that an estimate never falls by either, and that equal sketches give equal bytes and equal estimates. Estimates are by
//! Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6. What is counted comes as
//! hashes that are random already; this file knows nothing of readers.

/// Bits of a hash that choose a register.
const INDEX_BITS: u32 = 14;
const REGISTERS: usize = 1 << INDEX_BITS;
/// Bits of a hash that tell few apart; the lowest of them choose the register.
const FEW_BITS: u32 = 26;
/// The highest rank: all other bits of a hash are 0.
const MAX_RANK: usize = 64 - INDEX_BITS as usize + 1;
const MAX_FEW_RANK: u32 = 64 - FEW_BITS + 1;
/// Bits of a rank.
const RANK_WIDTH: u32 = 6;
const RANK_MASK: u32 = (1 << RANK_WIDTH) - 1;
/// More than this are many.
const FEW: usize = 1_500;
/// Bytes of one of few.
const FEW_BYTES: usize = 4;
/// Bytes of four registers.
const FOUR_BYTES: usize = 3;
/// Bytes of all registers.
const ALL_BYTES: usize = REGISTERS / 4 * FOUR_BYTES;

const KIND_FEW: u8 = 1;
const KIND_ALL: u8 = 2;

/// How many different ones there were, to about a percent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch(Registers);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Registers {
    /// `bits << 6 | rank` of the bits beyond, ascending, each `bits` once.
    Few(Vec<u32>),
    /// Ranks by register.
    All(Box<[u8]>),
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch(Registers::Few(vec![]))
    }
}

/// The register of one of few, and its rank there.
fn register(few: u32) -> (usize, u8) {
    let (bits, rank) = (few >> RANK_WIDTH, few & RANK_MASK);
    let beyond = bits >> INDEX_BITS;
    let rank = if beyond == 0 { FEW_BITS - INDEX_BITS + rank } else { beyond.trailing_zeros() + 1 };
    ((bits & ((1 << INDEX_BITS) - 1)) as usize, u8::try_from(rank).unwrap_or(0))
}

impl Sketch {
    /// Adds one, by its hash.
    pub fn add(&mut self, hash: u64) {
        let bits = u32::try_from(hash & ((1 << FEW_BITS) - 1)).unwrap_or(0);
        // A bit beyond the last one ends the search.
        let rank = (hash >> FEW_BITS | 1 << (64 - FEW_BITS)).trailing_zeros() + 1;
        self.add_few(bits << RANK_WIDTH | rank);
    }

    /// Adds all that `other` has.
    pub fn merge(&mut self, other: &Sketch) {
        match &other.0 {
            Registers::Few(few) => few.iter().for_each(|entry| self.add_few(*entry)),
            Registers::All(more) => {
                let all = self.spread();
                all.iter_mut().zip(more).for_each(|(rank, more)| *rank = (*rank).max(*more));
            }
        }
    }

    /// True if nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Registers::Few(few) if few.is_empty())
    }

    fn add_few(&mut self, entry: u32) {
        match &mut self.0 {
            Registers::Few(few) => {
                let at = few.partition_point(|there| there >> RANK_WIDTH < entry >> RANK_WIDTH);
                match few.get_mut(at) {
                    Some(there) if *there >> RANK_WIDTH == entry >> RANK_WIDTH => *there = entry.max(*there),
                    _ => few.insert(at, entry),
                }
                if few.len() > FEW {
                    self.spread();
                }
            }
            Registers::All(all) => {
                let (index, rank) = register(entry);
                all[index] = rank.max(all[index]);
            }
        }
    }

    /// The registers, from now on.
    fn spread(&mut self) -> &mut [u8] {
        if let Registers::Few(few) = &self.0 {
            let mut all = vec![0; REGISTERS];
            for (index, rank) in few.iter().map(|entry| register(*entry)) {
                all[index] = rank.max(all[index]);
            }
            self.0 = Registers::All(all.into());
        }
        match &mut self.0 {
            Registers::All(all) => all,
            Registers::Few(_) => &mut [],
        }
    }

    /// How many different ones were added, about.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        match &self.0 {
            // Of so few the bits that are kept are nearly all different.
            Registers::Few(few) => few.len() as u64,
            // There were more than few before there were registers.
            Registers::All(all) => estimate(all).max(FEW as u64 + 1),
        }
    }

    /// As bytes: four for each of few, 12 KiB for many.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Registers::Few(few) => {
                std::iter::once(KIND_FEW).chain(few.iter().flat_map(|entry| entry.to_le_bytes())).collect()
            }
            Registers::All(all) => {
                let four = |ranks: &[u8]| {
                    let bits = (0..).zip(ranks).map(|(at, rank)| u32::from(*rank) << (RANK_WIDTH * at));
                    bits.sum::<u32>().to_le_bytes().into_iter().take(FOUR_BYTES)
                };
                std::iter::once(KIND_ALL).chain(all.chunks(4).flat_map(four)).collect()
            }
        }
    }

    /// Reads what [`Sketch::to_bytes`] gave; None for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Sketch> {
        let (kind, bytes) = bytes.split_first()?;
        match *kind {
            KIND_FEW if bytes.len() <= FEW * FEW_BYTES && bytes.len().is_multiple_of(FEW_BYTES) => {
                let entry = |b: &[u8]| b.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
                let few: Vec<u32> = bytes.chunks_exact(FEW_BYTES).map(entry).collect();
                let rises = few.windows(2).all(|two| two[0] >> RANK_WIDTH < two[1] >> RANK_WIDTH);
                let known = few.iter().all(|entry| (1..=MAX_FEW_RANK).contains(&(entry & RANK_MASK)));
                (rises && known).then_some(Sketch(Registers::Few(few)))
            }
            KIND_ALL if bytes.len() == ALL_BYTES => {
                let four = |b: &[u8]| {
                    let bits = b.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
                    (0..4).map(move |at| u8::try_from(bits >> (RANK_WIDTH * at) & RANK_MASK).unwrap_or(0))
                };
                let all: Box<[u8]> = bytes.chunks_exact(FOUR_BYTES).flat_map(four).collect();
                let known = all.iter().all(|rank| usize::from(*rank) <= MAX_RANK);
                known.then_some(Sketch(Registers::All(all)))
            }
            _ => None,
        }
    }
}

fn estimate(all: &[u8]) -> u64 {
    let mut ranks = [0_u32; MAX_RANK + 1];
    all.iter().for_each(|rank| ranks[usize::from(*rank)] += 1);
    let registers = f64::from(1_u32 << INDEX_BITS);
    let mut z = registers * tau(1.0 - f64::from(ranks[MAX_RANK]) / registers);
    for of_rank in ranks[1..MAX_RANK].iter().rev() {
        z = 0.5 * (z + f64::from(*of_rank));
    }
    z += registers * sigma(f64::from(ranks[0]) / registers);
    whole(registers * registers / (2.0 * std::f64::consts::LN_2 * z))
}

/// Registers that are 0 (`x` is their share).
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

/// Registers of the highest rank (`1 - x` is their share).
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

/// The nearest whole number.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at least 0, and a float that is too large becomes the largest number"
)]
fn whole(estimate: f64) -> u64 {
    estimate.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A hash as random as a keyed one.
    fn hash(seed: u64, n: u64) -> u64 {
        // SplitMix64.
        let mut z = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    #[test]
    fn estimates_are_close() {
        for n in [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000_u32] {
            let seeds = if n > 100_000 { 10_u32 } else { 30 };
            let (mut sum, mut worst) = (0.0, 0.0_f64);
            for seed in 0..seeds {
                let mut sketch = Sketch::default();
                (0..u64::from(n)).for_each(|i| sketch.add(hash(hash(7, u64::from(seed)), i)));
                let estimate = u32::try_from(sketch.estimate()).unwrap();
                let error = (f64::from(estimate) / f64::from(n) - 1.0).abs();
                sum += error;
                worst = worst.max(error);
            }
            assert!(
                sum / f64::from(seeds) < 0.01 && worst < 0.03,
                "{n}: mean {}, worst {worst}",
                sum / f64::from(seeds)
            );
        }
        assert_eq!(Sketch::default().estimate(), 0);
    }

    #[test]
    fn what_is_no_sketch_is_refused() {
        for bytes in
            [&[][..], &[0], &[1, 2], &[1, 0, 0, 0, 0], &[2, 0, 0, 0], &[1, 0xc1, 0, 0, 0, 0xc1, 0, 0, 0]]
        {
            assert_eq!(Sketch::from_bytes(bytes), None, "{bytes:?}");
        }
        assert_eq!(Sketch::from_bytes(&[1]), Some(Sketch::default()));
    }

    proptest! {
        #[test]
        fn merging_is_adding(a in 0..5_000_u64, b in 0..5_000_u64, seed: u64) {
            let sketch = |from, to| {
                let mut sketch = Sketch::default();
                (from..to).for_each(|i| sketch.add(hash(seed, i)));
                sketch
            };
            let (first, second) = (sketch(0, a), sketch(a / 2, a + b));
            let mut merged = first.clone();
            merged.merge(&second);
            prop_assert!(merged.estimate() >= first.estimate().max(second.estimate()));
            prop_assert_eq!(&merged, &sketch(0, a + b));
            let mut other = second;
            other.merge(&first);
            prop_assert_eq!(&other, &merged);
            prop_assert_eq!(Sketch::from_bytes(&merged.to_bytes()), Some(merged));
        }
    }
}
