//! Which lane a code belongs to.
//!
//! A lane is a fixed shard of the code space; the *site lane* comes after the last of them. The function must
//! never change for a store that exists: a code's lane is where its record and its numbers live.

/// A lane's number, from 0; `lanes` itself is the site lane.
pub type Lane = u16;

/// The lane of a case-folded code among `lanes` lanes (at least 1): its CRC-32 (IEEE 802.3) modulo `lanes`.
#[must_use]
pub fn lane_of(key: &str, lanes: u16) -> Lane {
    let lane = crc32fast::hash(key.as_bytes()) % u32::from(lanes.max(1));
    u16::try_from(lane).unwrap_or(0)
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
        // Pinned ("123456789" is the check value of CRC-32): a change would move every code of every store.
        assert_eq!(u32::from(lane_of("123456789", 64)), 0xcbf4_3926 % 64);
    }
}
