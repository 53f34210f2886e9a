//! Where a number is kept: the names of keys and fields.
//!
//! Pure. Each family is a row of hashes, one for each period (for totals: bucket of names); a field
//! is a scope, its value all that the scope has there. A name never changes for a store that exists.

use crate::domain::code::fold;
use crate::domain::lane::Lane;
use crate::domain::tally::{Scope, ScopeKind};
pub(super) use crate::store::family::Family;
use crate::store::redis::lanes::Lanes;
use crate::store::{Error, Result};

/// Hashes that a lane's totals are spread over: up to 500 fields each, Redis keeps them as one lean piece.
pub(super) const BUCKETS: u8 = 64;

/// The fields of the site lane's own hash that say how many sections and authors have a place.
pub(super) const TAKEN: [(ScopeKind, &[u8]); 2] =
    [(ScopeKind::Section, b"sections"), (ScopeKind::Author, b"authors")];

/// The letter of a family in names of keys.
fn letter_of(family: Family) -> &'static str {
    match family {
        Family::Total => "T",
        Family::Day => "D",
        Family::Hour => "H",
        Family::Minute => "M",
        Family::Readers => "U",
        Family::Shares => "F",
    }
}

/// The names of one lane's keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneKeys<'l> {
    lanes: &'l Lanes,
    lane: Lane,
}

impl<'l> LaneKeys<'l> {
    pub(super) fn new(lanes: &'l Lanes, lane: Lane) -> LaneKeys<'l> {
        LaneKeys { lanes, lane }
    }

    /// The lane's own hash: dataset, ordinals, base, lost.
    pub(super) fn own(self) -> Vec<u8> {
        self.lanes.meta(self.lane)
    }

    /// The hash of a period of a family, or of a bucket of totals.
    pub(super) fn numbers(self, family: Family, period: i64) -> Vec<u8> {
        self.lanes.key(self.lane, &format!("{}:{period}", letter_of(family)))
    }

    /// The set of a family's periods.
    pub(super) fn periods(self, family: Family) -> Vec<u8> {
        self.lanes.key(self.lane, letter_of(family))
    }
}

/// The lane of a scope: a link's is its code's, all others are in the site lane.
pub(super) fn lane(scope: &Scope, lanes: &Lanes) -> Lane {
    match scope {
        Scope::Link(code) => lanes.of(&fold(code)),
        _ => lanes.site(),
    }
}

/// A scope as a field: its kind and its name.
pub(super) fn field(scope: &Scope) -> Vec<u8> {
    let (kind, name) = scope.parts();
    let mut field = Vec::with_capacity(name.len() + 1);
    field.push(letter(kind));
    field.extend_from_slice(name.as_bytes());
    field
}

/// The scope of a field.
pub(super) fn scope(field: &[u8]) -> Result<(ScopeKind, &str)> {
    let parts = field.split_first().and_then(|(first, name)| {
        let kind = ScopeKind::ALL.into_iter().find(|kind| letter(*kind) == *first)?;
        Some((kind, std::str::from_utf8(name).ok()?))
    });
    parts.ok_or_else(|| Error::Corrupt(format!("a scope is \"{}\"", field.escape_ascii())))
}

/// The bucket of a scope's total: the upper bits, because the lower ones are alike within a lane.
pub(super) fn bucket(field: &[u8]) -> i64 {
    i64::from((crc32fast::hash(field) >> 26) % u32::from(BUCKETS))
}

pub(super) fn letter(kind: ScopeKind) -> u8 {
    match kind {
        ScopeKind::Site => b'*',
        ScopeKind::Link => b'l',
        ScopeKind::Section => b's',
        ScopeKind::Author => b'a',
        ScopeKind::Channel => b'c',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_where_its_period_says() {
        for family in Family::DATED {
            for bucket in [i64::MIN + 90_000, -86_401, -1, 0, 1, 3_599, 86_399, 86_400, 1_795_000_000] {
                let (period, place) = family.place(bucket);
                assert_eq!(family.bucket(period, place), bucket, "{family:?}");
                assert_eq!(family.periods(bucket, bucket + 1), Some((period, period)));
            }
            assert_eq!(family.periods(5, 5), None);
        }
        assert_eq!(Family::Hour.periods(-1, 86_401), Some((-1, 1)));
        assert_eq!(Family::Day.periods(i64::MIN, i64::MAX), Some((i64::MIN, i64::MAX - 1)));
    }

    #[test]
    fn fields_are_scopes() {
        for kind in ScopeKind::ALL {
            let scope_in = Scope::from_parts(kind, if kind == ScopeKind::Site { "" } else { "Zürich" });
            assert_eq!(scope(&field(&scope_in)).unwrap(), scope_in.parts());
        }
        for bad in [&b""[..], b"?x", b"l\xff"] {
            assert!(scope(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn totals_of_a_lane_are_spread_evenly() {
        let mut counts = [0u32; BUCKETS as usize];
        let lanes = Lanes::new("sl:", crate::domain::tally::DatasetId(1), 64);
        for n in 0..400_000 {
            let code: Scope = Scope::Link(format!("c{n:06}").into());
            if lane(&code, &lanes) == 7 {
                counts[usize::try_from(bucket(&field(&code))).unwrap()] += 1;
            }
        }
        assert!(counts.iter().all(|n| (50..160).contains(n)), "{counts:?}");
    }
}
