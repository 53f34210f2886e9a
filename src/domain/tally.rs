//! Tallies: (scope, series, bucket, value, class) -> n, and the batches that add to them.
//!
//! Guarantees that adding is commutative and associative, so that `fold(a ++ b) = fold(a) + fold(b)`. Knows
//! nothing of where tallies are kept.

use std::borrow::Cow;
use std::sync::Arc;

use super::hit::Class;
use super::lane::Lane;
use super::sketch::Sketch;

pub use super::series::{Extent, Series};

/// The random name of one journal of one boot of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u64);

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::str::FromStr for StreamId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<StreamId, Self::Err> {
        u64::from_str_radix(text, 16).map(StreamId)
    }
}

/// The random name of one body of links and numbers; a journal is applied to no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DatasetId(pub u128);

impl std::fmt::Display for DatasetId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::str::FromStr for DatasetId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<DatasetId, Self::Err> {
        u128::from_str_radix(text, 16).map(DatasetId)
    }
}

/// How many hits of each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    /// People's.
    pub clicks: u64,
    /// Link previews'.
    pub previews: u64,
    /// Bots'.
    pub bots: u64,
    /// Visits to a link that was not open; in the audit, in no total.
    pub missed: u64,
    /// Different readers, an estimate: of a day, or the sum of days. Only where a sketch is kept: in `Day` and `Total`.
    pub uniques: u64,
    /// Shares that previews were fetched for, an estimate, likewise.
    pub unfurls: u64,
}

impl Counts {
    /// One hit.
    #[must_use]
    pub fn one(class: Class) -> Counts {
        let mut counts = Counts::default();
        match class {
            Class::Click => counts.clicks = 1,
            Class::Preview => counts.previews = 1,
            Class::Bot => counts.bots = 1,
            Class::Missed => counts.missed = 1,
        }
        counts
    }

    /// All hits and missed visits: what the ordinals counted.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.hits() + self.missed
    }

    /// All hits.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.clicks + self.previews + self.bots
    }

    /// What is left when `part` is taken away; never below 0.
    #[must_use]
    pub fn less(&self, part: &Counts) -> Counts {
        Counts {
            clicks: self.clicks.saturating_sub(part.clicks),
            previews: self.previews.saturating_sub(part.previews),
            bots: self.bots.saturating_sub(part.bots),
            missed: self.missed.saturating_sub(part.missed),
            uniques: self.uniques.saturating_sub(part.uniques),
            unfurls: self.unfurls.saturating_sub(part.unfurls),
        }
    }

    /// What was counted, without what is estimated.
    #[must_use]
    pub fn exact(&self) -> Counts {
        Counts { uniques: 0, unfurls: 0, ..*self }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.clicks += other.clicks;
        self.previews += other.previews;
        self.bots += other.bots;
        self.missed += other.missed;
        self.uniques += other.uniques;
        self.unfurls += other.unfurls;
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Counts>>(all: I) -> Counts {
        all.fold(Counts::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// Whose hits are counted. An article's are the sum of its links', made at reading.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// All of them.
    Site,
    /// One link's, by its code in its own spelling.
    Link(Arc<str>),
    /// One section's.
    Section(Arc<str>),
    /// One author's.
    Author(Arc<str>),
    /// One channel's.
    Channel(Arc<str>),
}

impl Scope {
    /// The word before the colon, and the name after it ("" for the site).
    #[must_use]
    pub fn parts(&self) -> (ScopeKind, &str) {
        match self {
            Scope::Site => (ScopeKind::Site, ""),
            Scope::Link(name) => (ScopeKind::Link, name),
            Scope::Section(name) => (ScopeKind::Section, name),
            Scope::Author(name) => (ScopeKind::Author, name),
            Scope::Channel(name) => (ScopeKind::Channel, name),
        }
    }

    /// Puts the parts together again.
    #[must_use]
    pub fn from_parts(kind: ScopeKind, name: &str) -> Scope {
        match kind {
            ScopeKind::Site => Scope::Site,
            ScopeKind::Link => Scope::Link(name.into()),
            ScopeKind::Section => Scope::Section(name.into()),
            ScopeKind::Author => Scope::Author(name.into()),
            ScopeKind::Channel => Scope::Channel(name.into()),
        }
    }
}

/// The kinds of [`Scope`]; the numbers are kept in stores and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScopeKind {
    /// All hits.
    Site = 0,
    /// A link's.
    Link = 1,
    /// A section's.
    Section = 2,
    /// An author's.
    Author = 3,
    /// A channel's.
    Channel = 4,
}

impl ScopeKind {
    /// All of them.
    pub const ALL: [ScopeKind; 5] =
        [ScopeKind::Site, ScopeKind::Link, ScopeKind::Section, ScopeKind::Author, ScopeKind::Channel];

    /// The word in reports and exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ScopeKind::Site => "site",
            ScopeKind::Link => "link",
            ScopeKind::Section => "section",
            ScopeKind::Author => "author",
            ScopeKind::Channel => "channel",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<ScopeKind> {
        ScopeKind::ALL.into_iter().find(|k| k.as_str() == name)
    }
}

/// Values of one dimension of a scope and day that no table knows, at most: any reader can make them up. What comes
/// after them is counted under [`BEYOND`].
pub const MAX_UNKNOWN: usize = 200;
/// Different sections that have numbers of their own; the hits of any others are the section [`BEYOND`]'s.
pub const MAX_SECTIONS: usize = 1_000;
/// Different authors, likewise.
pub const MAX_AUTHORS: usize = 20_000;
/// What is beyond [`MAX_UNKNOWN`], [`MAX_SECTIONS`] or [`MAX_AUTHORS`] is counted under.
pub const BEYOND: &str = "other";
/// What a value begins with that no table knows.
const UNKNOWN_MARK: char = '~';

/// A value that no table knows, as it is counted and kept.
#[must_use]
pub fn unknown_value(shown: &str) -> String {
    format!("{UNKNOWN_MARK}{shown}")
}

/// True for a value that no table knows.
#[must_use]
pub fn is_unknown_value(value: &str) -> bool {
    value.starts_with(UNKNOWN_MARK)
}

/// A value as it is shown.
#[must_use]
pub fn shown_value(value: &str) -> &str {
    value.strip_prefix(UNKNOWN_MARK).unwrap_or(value)
}

/// A number of one scope: how many hits in this bucket had this value ("" where the series has none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which series.
    pub series: Series,
    /// Which bucket of it.
    pub bucket: i64,
    /// Which value, at most 200 bytes.
    pub value: Cow<'static, str>,
    /// How many.
    pub counts: Counts,
}

/// What a sketch is of; the numbers are kept in stores and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SketchOf {
    /// Readers: `uniques`.
    Readers = 0,
    /// Shares that previews were fetched for: `unfurls`.
    Shares = 1,
}

impl SketchOf {
    /// All of them.
    pub const ALL: [SketchOf; 2] = [SketchOf::Readers, SketchOf::Shares];

    /// The word in exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SketchOf::Readers => "readers",
            SketchOf::Shares => "shares",
        }
    }

    /// Its estimate as counts.
    #[must_use]
    pub fn counts(self, estimate: u64) -> Counts {
        match self {
            SketchOf::Readers => Counts { uniques: estimate, ..Counts::default() },
            SketchOf::Shares => Counts { unfurls: estimate, ..Counts::default() },
        }
    }
}

/// Which different ones one scope had on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaySketch {
    /// Of what.
    pub of: SketchOf,
    /// [`super::calendar::Day`].
    pub day: i64,
    /// Which.
    pub sketch: Sketch,
}

/// The numbers of one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Whose.
    pub scope: Scope,
    /// Each (series, bucket, value) at most once; of one series and bucket in the order of their first hits.
    pub rows: Vec<Row>,
    /// Each (of, day) at most once. What the scope's estimates rise by is the store's to find out.
    pub sketches: Vec<DaySketch>,
}

impl Group {
    /// Numbers without sketches.
    #[must_use]
    pub fn of(scope: Scope, rows: Vec<Row>) -> Group {
        Group { scope, rows, sketches: vec![] }
    }
}

/// Hits `from + 1 ..= to` of one (stream, lane), folded.
///
/// The sum of `Total` over the lane's *auditing* scopes (links in a link lane, the site in the site lane) and
/// `lost` is `to - from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Whose ordinals.
    pub stream: StreamId,
    /// When that stream began, in milliseconds since 1970.
    pub stream_began_ms: i64,
    /// Which lane; the number of lanes means the site lane.
    pub lane: Lane,
    /// The last ordinal already counted.
    pub from: u64,
    /// The last ordinal that this batch counts.
    pub to: u64,
    /// Ordinals in between whose hits are known to be gone.
    pub lost: u64,
    /// What is added; shared, because there may be a million rows and each of two threads needs them.
    pub groups: Arc<Vec<Group>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for kind in ScopeKind::ALL {
            assert_eq!(ScopeKind::from_name(kind.as_str()), Some(kind));
            let scope = Scope::from_parts(kind, if kind == ScopeKind::Site { "" } else { "x" });
            let (kind_again, name) = scope.parts();
            assert_eq!(Scope::from_parts(kind_again, name), scope);
        }
        for series in Series::ALL {
            assert_eq!(Series::from_name(series.as_str()), Some(series));
        }
        assert_eq!("00000000000000ff".parse::<StreamId>().unwrap(), StreamId(255));
        assert_eq!(StreamId(255).to_string().parse::<StreamId>().unwrap(), StreamId(255));
    }
}
