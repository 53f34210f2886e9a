//! How a segment file begins: who it belongs to, and where every lane's ordinals stand.
//!
//! Four parts, each in sectors of its own so that a power cut takes them one by one: the identity, which
//! never changes; the ordinals at which the segment starts; and twice the ordinals reached by hits that found
//! no room after its last record, written in turns so that one of them is always whole. Knows bytes only.

use crate::domain::tally::{DatasetId, StreamId};

/// The first bytes of every segment.
const MAGIC: [u8; 8] = *b"SLUGJRNL";

/// The version of what this file and `record.rs` describe.
const VERSION: u32 = 2;

/// Most lanes that a journal is made for, without the site lane.
pub const MAX_LANES: u16 = 4096;

const SECTOR: u64 = 512;
const BLOCK: u64 = 4096;
const IDENTITY_LEN: usize = 76;

/// Whose hits a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) stream: StreamId,
    pub(super) number: u64,
    pub(super) dataset: DatasetId,
    pub(super) lanes: u16,
    pub(super) began_ms: i64,
    pub(super) made_ms: i64,
    pub(super) len: u64,
}

/// Copies `N` bytes out; zeros where there are none.
pub(super) fn bytes<const N: usize>(from: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    if let Some(part) = from.get(at..at + N) {
        out.copy_from_slice(part);
    }
    out
}

pub(super) fn u64_at(from: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes(from, at))
}

pub(super) fn u32_at(from: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes(from, at))
}

pub(super) fn u16_at(from: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes(from, at))
}

pub(super) fn i64_at(from: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(bytes(from, at))
}

/// A file offset as an index; offsets beyond memory are beyond every buffer too.
pub(super) fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

impl Identity {
    /// What seeds every checksum of the segment: an old record in a recycled file is never valid, and a record
    /// bears its dataset even if the identity is lost.
    pub(super) fn seed(&self) -> u32 {
        seed(self.stream, self.number, self.dataset)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(IDENTITY_LEN);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&u32::from(self.lanes).to_le_bytes());
        out.extend_from_slice(&self.stream.0.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.dataset.0.to_le_bytes());
        out.extend_from_slice(&self.began_ms.to_le_bytes());
        out.extend_from_slice(&self.made_ms.to_le_bytes());
        out.extend_from_slice(&self.len.to_le_bytes());
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads an identity; none if it is damaged, of another version or no segment at all.
    pub(super) fn decode(from: &[u8]) -> Option<Identity> {
        let from = from.get(..IDENTITY_LEN)?;
        let (head, crc) = from.split_at(IDENTITY_LEN - 4);
        if head.get(..8) != Some(&MAGIC[..])
            || crc32fast::hash(head) != u32_at(crc, 0)
            || u32_at(head, 8) != VERSION
        {
            return None;
        }
        let lanes = u16::try_from(u32_at(head, 12)).ok().filter(|n| (1..=MAX_LANES).contains(n))?;
        Some(Identity {
            lanes,
            stream: StreamId(u64_at(head, 16)),
            number: u64_at(head, 24),
            dataset: DatasetId(u128::from_le_bytes(bytes(head, 32))),
            began_ms: i64_at(head, 48),
            made_ms: i64_at(head, 56),
            len: u64_at(head, 64),
        })
    }
}

pub(super) fn seed(stream: StreamId, number: u64, dataset: DatasetId) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&stream.0.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(&dataset.0.to_le_bytes());
    hasher.finalize()
}

/// Where the parts of a header lie, in bytes from the file's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) starts: u64,
    pub(super) overflow: [u64; 2],
    pub(super) records: u64,
}

impl Layout {
    pub(super) fn of(lanes: u16) -> Layout {
        let part = (8 + 8 * (u64::from(lanes) + 1) + 4).next_multiple_of(SECTOR);
        let starts = SECTOR;
        Layout {
            starts,
            overflow: [starts + part, starts + 2 * part],
            records: (starts + 3 * part).next_multiple_of(BLOCK),
        }
    }
}

/// Ordinals of every lane (site lane last) with a number that says when: `opened_ms` for starts, a counter for
/// overflows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ordinals {
    pub(super) stamp: i64,
    pub(super) of: Vec<u64>,
}

fn ordinals_crc(body: &[u8], seed: u32, at: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed ^ u32::try_from(at).unwrap_or(u32::MAX));
    hasher.update(body);
    hasher.finalize()
}

/// Encodes ordinals for the header part at `at` into `out`, replacing what it holds.
pub(super) fn encode_ordinals(out: &mut Vec<u8>, stamp: i64, of: &[u64], seed: u32, at: u64) {
    out.clear();
    out.extend_from_slice(&stamp.to_le_bytes());
    for ordinal in of {
        out.extend_from_slice(&ordinal.to_le_bytes());
    }
    let crc = ordinals_crc(out, seed, at);
    out.extend_from_slice(&crc.to_le_bytes());
}

/// Reads the header part at `at`; none if it was never written for this seed, or is damaged.
pub(super) fn decode_ordinals(header: &[u8], lanes: u16, seed: u32, at: u64) -> Option<Ordinals> {
    let body_len = 8 + 8 * (usize::from(lanes) + 1);
    let start = index(at);
    let part = header.get(start..start + body_len + 4)?;
    let (body, crc) = part.split_at(body_len);
    if ordinals_crc(body, seed, at) != u32_at(crc, 0) {
        return None;
    }
    Some(Ordinals { stamp: i64_at(body, 0), of: body[8..].chunks_exact(8).map(|o| u64_at(o, 0)).collect() })
}

/// The name of a segment's file: readable without its header, so that a damaged header costs nothing else.
pub(super) fn file_name(stream: StreamId, number: u64) -> String {
    format!("{stream}-{number:010}.seg")
}

/// Reads a segment's file name.
pub(super) fn parse_name(name: &str) -> Option<(StreamId, u64)> {
    let (stream, number) = name.strip_suffix(".seg")?.split_once('-')?;
    let exact = stream.len() == 16 && number.len() >= 10 && number.bytes().all(|b| b.is_ascii_digit());
    let parsed = (stream.parse().ok()?, number.parse().ok()?);
    (exact && file_name(parsed.0, parsed.1) == name).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            stream: StreamId(7),
            number: 3,
            dataset: DatasetId(9),
            lanes: 64,
            began_ms: 1,
            made_ms: -2,
            len: 8192,
        }
    }

    #[test]
    fn identities_survive_and_damage_shows() {
        let bytes = identity().encode();
        assert_eq!(Identity::decode(&bytes), Some(identity()));
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 4;
            assert_eq!(Identity::decode(&broken), None, "byte {at}");
        }
        assert_eq!(Identity::decode(&bytes[..75]), None);
        assert_eq!(Identity::decode(&[]), None);
    }

    #[test]
    fn ordinals_belong_to_their_place_and_segment() {
        let mut out = Vec::new();
        encode_ordinals(&mut out, 5, &[1, 2, 3], 77, 0);
        assert_eq!(decode_ordinals(&out, 2, 77, 0), Some(Ordinals { stamp: 5, of: vec![1, 2, 3] }));
        assert_eq!(decode_ordinals(&out, 2, 78, 0), None);
        let mut moved = vec![0; 512];
        moved.extend_from_slice(&out);
        assert_eq!(decode_ordinals(&moved, 2, 77, 512), None);
        assert_eq!(decode_ordinals(&out[..20], 2, 77, 0), None);
    }

    #[test]
    fn names_and_layouts() {
        let name = file_name(StreamId(255), 12);
        assert_eq!(name, "00000000000000ff-0000000012.seg");
        assert_eq!(parse_name(&name), Some((StreamId(255), 12)));
        for bad in
            ["", "x.seg", "ff-12.seg", "00000000000000FF-0000000012.seg", "00000000000000ff-00000000012.seg"]
        {
            assert_eq!(parse_name(bad), None, "{bad}");
        }
        assert_eq!(Layout::of(1).records, 4096);
        assert_eq!(Layout::of(64).records, 4096);
        assert!(Layout::of(MAX_LANES).records > 3 * 8 * 4096);
    }
}
