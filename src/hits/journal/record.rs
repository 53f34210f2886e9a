//! One record: a hit, or a mark of every lane's ordinals.
//!
//! `len u32 | crc u32 | payload | zeros to the next 8 bytes`. The checksum covers payload, length and place and
//! is seeded with the segment, so a record is valid in one place of one segment only. Reading is total: bytes
//! that are no record give none. Knows nothing of files.

use crate::domain::hit::{
    Country, Hit, MAX_SHORT_TEXT, MAX_TEXT, MissedReason, Network, NewHit, Outcome, Signals, Trigger, Visitor,
};
use crate::domain::lane::Lane;

use super::format::{i64_at, u16_at, u32_at, u64_at};

/// Bytes before a payload.
pub(super) const HEAD: usize = 8;

/// Longest code kept in a record, in bytes.
pub const MAX_CODE: usize = 64;

const HIT: u8 = 1;
const MARK: u8 = 2;
const LAST_MARK: u8 = 3;

const HIT_FIXED: usize = 52;
const MARK_FIXED: usize = 24;

const QR: u8 = 1;
const IS_HEAD: u8 = 2;
const PREFETCH: u8 = 4;
const OWN_KEY: u8 = 8;

/// The shortest payload that can be.
pub(super) const MIN_PAYLOAD: usize = MARK_FIXED + 16;

/// The longest payload that can be, for this number of lanes.
pub(super) fn max_payload(lanes: u16) -> usize {
    (HIT_FIXED + MAX_CODE + 2 * MAX_TEXT + 2 * MAX_SHORT_TEXT).max(mark_payload(lanes))
}

pub(super) fn mark_payload(lanes: u16) -> usize {
    MARK_FIXED + 8 * (usize::from(lanes) + 1)
}

/// The room that a payload of this length takes in a segment.
pub(super) fn room(payload: usize) -> usize {
    (HEAD + payload).next_multiple_of(8)
}

/// The texts of a hit as they are kept.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a> {
    code: &'a [u8],
    user_agent: &'a [u8],
    referrer: &'a [u8],
    hints: &'a [u8],
    params: &'a [u8],
}

impl<'a> Texts<'a> {
    pub(super) fn of(hit: &NewHit<'a>) -> Texts<'a> {
        let mut end = hit.code.len().min(MAX_CODE);
        while !hit.code.is_char_boundary(end) {
            end -= 1;
        }
        let cut = |text: &'a [u8]| &text[..text.len().min(MAX_TEXT)];
        let short = |text: &'a [u8]| &text[..text.len().min(MAX_SHORT_TEXT)];
        Texts {
            code: &hit.code.as_bytes()[..end],
            user_agent: cut(hit.user_agent),
            referrer: cut(hit.referrer),
            hints: short(hit.hints),
            params: short(hit.params),
        }
    }

    fn all(&self) -> [&'a [u8]; 5] {
        [self.code, self.user_agent, self.referrer, self.hints, self.params]
    }

    pub(super) fn payload(&self) -> usize {
        HIT_FIXED + self.all().iter().map(|text| text.len()).sum::<usize>()
    }
}

fn outcome_byte(outcome: Outcome) -> (u8, u32) {
    match outcome {
        Outcome::Followed { target } => (0, target),
        Outcome::Missed(MissedReason::NotOpen) => (1, 0),
        Outcome::Missed(MissedReason::Disabled) => (2, 0),
        Outcome::Missed(MissedReason::Expired) => (3, 0),
        Outcome::Missed(MissedReason::Withdrawn) => (4, 0),
        Outcome::Missed(MissedReason::Retired) => (5, 0),
    }
}

fn outcome_of(byte: u8, target: u32) -> Option<Outcome> {
    Some(match byte {
        0 => Outcome::Followed { target },
        1 => Outcome::Missed(MissedReason::NotOpen),
        2 => Outcome::Missed(MissedReason::Disabled),
        3 => Outcome::Missed(MissedReason::Expired),
        4 => Outcome::Missed(MissedReason::Withdrawn),
        5 => Outcome::Missed(MissedReason::Retired),
        _ => return None,
    })
}

/// Stores texts behind each other and zeros after them up to the next 8 bytes.
fn put_texts(buf: &mut [u8], texts: &[&[u8]]) {
    let mut at = HEAD + HIT_FIXED;
    for text in texts {
        buf[at..at + text.len()].copy_from_slice(text);
        at += text.len();
    }
    buf[at..at.next_multiple_of(8)].fill(0);
}

/// Puts a hit's payload behind the head in `buf`, which has `room(texts.payload())` bytes at least.
pub(super) fn encode_hit(
    buf: &mut [u8],
    hit: &NewHit<'_>,
    lane: Lane,
    ordinals: (u64, u64),
    texts: &Texts<'_>,
) {
    let mut flags = 0;
    if hit.trigger == Trigger::Qr {
        flags |= QR;
    }
    if hit.signals.head {
        flags |= IS_HEAD;
    }
    if hit.signals.prefetch {
        flags |= PREFETCH;
    }
    if hit.visitor.own_key {
        flags |= OWN_KEY;
    }
    let (outcome, target) = outcome_byte(hit.outcome);
    let fixed = &mut buf[HEAD..HEAD + HIT_FIXED];
    fixed[0] = HIT;
    fixed[1] = flags;
    fixed[2..4].copy_from_slice(&lane.to_le_bytes());
    fixed[4..8].copy_from_slice(&target.to_le_bytes());
    fixed[8..16].copy_from_slice(&hit.at_ms.to_le_bytes());
    fixed[16..24].copy_from_slice(&ordinals.0.to_le_bytes());
    fixed[24..32].copy_from_slice(&ordinals.1.to_le_bytes());
    fixed[32] = short(texts.code.len()).to_le_bytes()[0];
    fixed[33] = outcome;
    fixed[34..36].copy_from_slice(&short(texts.user_agent.len()).to_le_bytes());
    fixed[36..38].copy_from_slice(&short(texts.referrer.len()).to_le_bytes());
    fixed[38] = hit.network.byte();
    fixed[39] = short(texts.hints.len()).to_le_bytes()[0];
    fixed[40..42].copy_from_slice(&hit.country.0);
    fixed[42] = short(texts.params.len()).to_le_bytes()[0];
    fixed[43] = 0;
    fixed[44..52].copy_from_slice(&hit.visitor.hash.to_le_bytes());
    put_texts(buf, &texts.all());
}

// Lengths were cut before; what does not fit cannot be.
fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// Puts a mark's payload behind the head in `buf`; `last` says that nothing follows it in the stream.
pub(super) fn encode_mark(buf: &mut [u8], last: bool, at_ms: i64, began_ms: i64, ends: &[u64]) {
    let body = &mut buf[HEAD..];
    body[..8].fill(0);
    body[0] = if last { LAST_MARK } else { MARK };
    body[2..4].copy_from_slice(&short(ends.len()).to_le_bytes());
    body[8..16].copy_from_slice(&at_ms.to_le_bytes());
    body[16..24].copy_from_slice(&began_ms.to_le_bytes());
    for (slot, end) in body[MARK_FIXED..].chunks_exact_mut(8).zip(ends) {
        slot.copy_from_slice(&end.to_le_bytes());
    }
}

fn crc(payload: &[u8], seed: u32, at: u64) -> u32 {
    // Place and length go into the start value; segments are below 4 GiB and records below 64 KiB.
    let place = u32::try_from(at).unwrap_or(u32::MAX);
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut hasher = crc32fast::Hasher::new_with_initial(seed ^ place ^ len.rotate_left(16));
    hasher.update(payload);
    hasher.finalize()
}

/// Fills in the head of the record that will lie at `at`.
pub(super) fn seal(buf: &mut [u8], payload: usize, seed: u32, at: u64) {
    let crc = crc(&buf[HEAD..HEAD + payload], seed, at);
    buf[..4].copy_from_slice(&u32::try_from(payload).unwrap_or(0).to_le_bytes());
    buf[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// The length of the payload whose head this is, if it can be one.
pub(super) fn plausible(head: &[u8], max: usize) -> Option<usize> {
    let len = usize::try_from(u32_at(head, 0)).ok()?;
    (MIN_PAYLOAD..=max).contains(&len).then_some(len)
}

/// True if these bytes, lying at `at`, begin with a whole record whose payload has this length.
pub(super) fn valid(from: &[u8], payload: usize, seed: u32, at: u64) -> bool {
    from.get(HEAD..HEAD + payload).is_some_and(|body| crc(body, seed, at) == u32_at(from, 4))
}

/// What a payload says, without its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Hit { lane: Lane, lane_ordinal: u64, site_ordinal: u64, at_ms: i64 },
    Mark { last: bool, at_ms: i64, began_ms: i64 },
}

/// Reads what a valid payload says; none if it is not of this version or not for this number of lanes.
pub(super) fn peek(payload: &[u8], lanes: u16) -> Option<Said> {
    match *payload.first()? {
        HIT => {
            let texts = usize::from(*payload.get(32)?)
                + usize::from(u16_at(payload, 34))
                + usize::from(u16_at(payload, 36))
                + usize::from(*payload.get(39)?)
                + usize::from(*payload.get(42)?);
            let lane = u16_at(payload, 2);
            let known = lane < lanes && outcome_of(*payload.get(33)?, 0).is_some();
            (payload.len() == HIT_FIXED + texts && known).then(|| Said::Hit {
                lane,
                lane_ordinal: u64_at(payload, 16),
                site_ordinal: u64_at(payload, 24),
                at_ms: i64_at(payload, 8),
            })
        }
        kind @ (MARK | LAST_MARK) => (payload.len() == mark_payload(lanes)).then(|| Said::Mark {
            last: kind == LAST_MARK,
            at_ms: i64_at(payload, 8),
            began_ms: i64_at(payload, 16),
        }),
        _ => None,
    }
}

/// The ordinals in a mark's payload, by lane.
pub(super) fn mark_ends(payload: &[u8]) -> impl Iterator<Item = u64> + '_ {
    payload.get(MARK_FIXED..).unwrap_or_default().chunks_exact(8).map(|o| u64_at(o, 0))
}

/// Reads a hit from a payload that [`peek`] called one. Codes are stored from `str`; one that is not UTF-8 all
/// the same comes back empty, so that its ordinals are still given.
pub(super) fn decode_hit(payload: &[u8]) -> Option<Hit<'_>> {
    let (fixed, texts) = payload.split_at_checked(HIT_FIXED)?;
    let (code, texts) = texts.split_at_checked(usize::from(fixed[32]))?;
    let (user_agent, texts) = texts.split_at_checked(usize::from(u16_at(fixed, 34)))?;
    let (referrer, texts) = texts.split_at_checked(usize::from(u16_at(fixed, 36)))?;
    let (hints, texts) = texts.split_at_checked(usize::from(fixed[39]))?;
    let params = texts.get(..usize::from(fixed[42]))?;
    Some(Hit {
        lane: u16_at(fixed, 2),
        lane_ordinal: u64_at(fixed, 16),
        site_ordinal: u64_at(fixed, 24),
        code: std::str::from_utf8(code).unwrap_or_default(),
        at_ms: i64_at(fixed, 8),
        outcome: outcome_of(fixed[33], u32_at(fixed, 4))?,
        trigger: if fixed[1] & QR == 0 { Trigger::Link } else { Trigger::Qr },
        signals: Signals { head: fixed[1] & IS_HEAD != 0, prefetch: fixed[1] & PREFETCH != 0 },
        network: Network::from_byte(fixed[38]),
        country: Country([fixed[40], fixed[41]]),
        visitor: Visitor { hash: u64_at(fixed, 44), own_key: fixed[1] & OWN_KEY != 0 },
        user_agent,
        referrer,
        hints,
        params,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit<'a>(code: &'a str, user_agent: &'a [u8], referrer: &'a [u8]) -> NewHit<'a> {
        NewHit {
            lane: 2,
            code,
            at_ms: -5,
            outcome: Outcome::Missed(MissedReason::Expired),
            trigger: Trigger::Qr,
            signals: Signals { head: true, prefetch: false },
            network: Network::MailScanner,
            country: Country(*b"AT"),
            visitor: Visitor { hash: u64::MAX - 1, own_key: true },
            user_agent,
            referrer,
            hints: referrer,
            params: user_agent,
        }
    }

    fn record(hit: &NewHit<'_>, seed: u32, at: u64) -> Vec<u8> {
        let texts = Texts::of(hit);
        let mut buf = vec![0xaa; room(texts.payload())];
        encode_hit(&mut buf, hit, hit.lane, (3, 8), &texts);
        seal(&mut buf, texts.payload(), seed, at);
        buf
    }

    #[test]
    fn a_hit_comes_back_in_its_place_only() {
        let new = hit("ab3kx", b"Mozilla/5.0", b"https://news.example");
        let buf = record(&new, 9, 4096);
        let len = plausible(&buf, max_payload(64)).unwrap();
        assert!(valid(&buf, len, 9, 4096));
        assert!(!valid(&buf, len, 8, 4096) && !valid(&buf, len, 9, 4104));
        let payload = &buf[HEAD..HEAD + len];
        assert_eq!(
            peek(payload, 3),
            Some(Said::Hit { lane: 2, lane_ordinal: 3, site_ordinal: 8, at_ms: -5 })
        );
        assert_eq!(peek(payload, 2), None, "a lane that is not there");
        let hit = decode_hit(payload).unwrap();
        assert_eq!((hit.code, hit.user_agent, hit.referrer), (new.code, new.user_agent, new.referrer));
        assert_eq!((hit.outcome, hit.trigger, hit.signals), (new.outcome, new.trigger, new.signals));
        assert_eq!((hit.hints, hit.params), (new.hints, new.params));
        assert_eq!((hit.network, hit.country, hit.visitor), (new.network, new.country, new.visitor));
    }

    #[test]
    fn every_flipped_bit_shows() {
        let buf = record(&hit("ab3kx", b"ua", b""), 9, 4096);
        let len = plausible(&buf, max_payload(64)).unwrap();
        for bit in 0..(HEAD + len) * 8 {
            let mut broken = buf.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let still = plausible(&broken, max_payload(64)).is_some_and(|n| valid(&broken, n, 9, 4096));
            assert!(!still, "bit {bit}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let code = "é".repeat(40);
        let long = vec![b'x'; 5000];
        let buf = record(&hit(&code, &long, &long), 9, 0);
        let len = plausible(&buf, max_payload(1)).unwrap();
        assert_eq!(len, max_payload(1));
        let hit = decode_hit(&buf[HEAD..HEAD + len]).unwrap();
        assert_eq!(hit.code.len(), MAX_CODE);
        assert_eq!((hit.user_agent.len(), hit.referrer.len()), (MAX_TEXT, MAX_TEXT));
        assert_eq!((hit.hints.len(), hit.params.len()), (MAX_SHORT_TEXT, MAX_SHORT_TEXT));
        let odd = format!("a{code}");
        assert_eq!(Texts::of(&super::tests::hit(&odd, b"", b"")).code.len(), MAX_CODE - 1);
    }

    #[test]
    fn marks_hold_every_lane() {
        let ends = [1, 2, 3, 6];
        let mut buf = vec![0; room(mark_payload(3))];
        encode_mark(&mut buf, true, 10, 4, &ends);
        let payload = &buf[HEAD..];
        assert_eq!(peek(payload, 3), Some(Said::Mark { last: true, at_ms: 10, began_ms: 4 }));
        assert_eq!(peek(payload, 2), None);
        assert_eq!(mark_ends(payload).collect::<Vec<_>>(), ends);
        assert_eq!(decode_hit(&[]), None);
    }
}
