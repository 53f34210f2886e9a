//! Hash tags: which slot of a cluster each lane lives in.
//!
//! Guarantees that lanes are spread evenly over the slots, that a lane's tag depends on nothing but its number and
//! how many lanes there are (so it never changes), and that the first place is the same however many there are.

/// How many slots a cluster has.
pub const SLOTS: u16 = 16_384;
/// Tags are made of these, in this order.
const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// The slot of the first place. A little above 0, so that a lane is not at the border between two masters.
const FIRST: u16 = 8;
/// Longest tag that is tried: 36 to the power of it is a hundred times the number of slots.
const MAX_LEN: u32 = 4;

/// The slot of a whole key or tag without braces: its CRC-16 (XMODEM) modulo the number of slots.
#[must_use]
pub fn slot(key: &[u8]) -> u16 {
    let crc = key.iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 { shifted } else { shifted ^ 0x1021 }
        })
    });
    crc % SLOTS
}

/// The slot of any key: that of what is between its first braces, if there is anything.
#[must_use]
pub fn slot_of_key(key: &[u8]) -> u16 {
    let tag = key.iter().position(|b| *b == b'{').map(|open| &key[open + 1..]);
    let tag = tag.and_then(|rest| rest.iter().position(|b| *b == b'}').map(|close| &rest[..close]));
    slot(tag.filter(|tag| !tag.is_empty()).unwrap_or(key))
}

/// The tags of `places` places in a row, each the first short text of its slot: the slots `places` apart evenly.
#[must_use]
pub fn tags(places: u16) -> Vec<Box<str>> {
    let mut wanted = vec![None::<u16>; usize::from(SLOTS)];
    for place in 0..places {
        wanted[usize::from(slot_of(place, places))] = Some(place);
    }
    let mut tags: Vec<Box<str>> = vec![Box::default(); usize::from(places)];
    let mut left = usize::from(places);
    for len in 1..=MAX_LEN {
        for number in 0..36usize.pow(len) {
            if left == 0 {
                return tags;
            }
            let text = text(number, len);
            if let Some(place) = wanted[usize::from(slot(text.as_bytes()))].take() {
                tags[usize::from(place)] = text.into();
                left -= 1;
            }
        }
    }
    tags
}

/// The slot of a place.
fn slot_of(place: u16, places: u16) -> u16 {
    let evenly = u32::from(place) * u32::from(SLOTS) / u32::from(places.max(1));
    (u16::try_from(evenly).unwrap_or(0) + FIRST) % SLOTS
}

/// The number-th text of this length.
fn text(mut number: usize, len: u32) -> String {
    let mut letters = vec![];
    for _ in 0..len {
        letters.push(char::from(LETTERS[number % LETTERS.len()]));
        number /= LETTERS.len();
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // The check value of the cluster specification, and what `CLUSTER KEYSLOT` says.
        assert_eq!(slot(b"123456789"), 0x31c3);
        assert_eq!(slot(b"foo"), 12_182);
        assert_eq!(slot(b""), 0);
        for key in ["foo", "{foo}", "sl:{foo}:m", "{foo}{bar}"] {
            assert_eq!(slot_of_key(key.as_bytes()), 12_182, "{key}");
        }
        assert_eq!(slot_of_key(b"{}foo"), slot(b"{}foo"));
    }

    #[test]
    fn tags_are_even_short_and_their_own() {
        for places in [1, 3, 66, 1026] {
            let tags = tags(places);
            let slots: Vec<u16> = tags.iter().map(|tag| slot(tag.as_bytes())).collect();
            assert!(tags.iter().all(|tag| (1..=4).contains(&tag.len())), "{tags:?}");
            assert!(slots.is_sorted_by(|a, b| a < b), "{slots:?}");
            let width = SLOTS / places;
            assert!(slots.windows(2).all(|pair| (width..=width + 1).contains(&(pair[1] - pair[0]))));
            // The borders of three masters that share the slots evenly.
            let of_first = slots.iter().filter(|slot| **slot <= 5460).count();
            assert!(of_first.abs_diff(usize::from(places).div_ceil(3)) <= 1, "{of_first} of {places}");
        }
    }

    #[test]
    fn tags_never_change() {
        // Pinned: another tag would be another key for everything in that lane.
        assert_eq!(tags(66)[0], tags(3)[0]);
        let joined = tags(66).join(" ");
        assert_eq!(format!("{:08x}", crc32fast::hash(joined.as_bytes())), "e73195c6", "{joined}");
    }
}
