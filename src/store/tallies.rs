//! What a store of tallies must do: add each batch once, and be asked.
//!
//! The ordinal of (stream, lane) and the numbers it stands for change in one atomic step, or not at all, so
//! they are also lost together and a reader of the ordinal knows exactly what is counted.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::domain::lane::Lane;
use crate::domain::sketch::Sketch;
use crate::domain::tally::{
    Batch, Counts, DatasetId, Group, Row, Scope, ScopeKind, Series, SketchOf, StreamId,
};

/// What a store of tallies is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Its name.
    pub id: DatasetId,
    /// How many lanes, without the site lane. Fixed when it is made.
    pub lanes: u16,
    /// (from, in UTC seconds; IANA zone), ascending.
    pub zones: Vec<(i64, String)>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What came of a [`Batch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Added; the store's ordinal is the batch's `to`.
    Done,
    /// Nothing changed: the store's ordinal is this one and not the batch's `from`.
    At(u64),
}

/// What a store knows of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// Which.
    pub stream: StreamId,
    /// When it began, in milliseconds since 1970.
    pub began_ms: i64,
    /// The last ordinal counted, by lane; the site lane's is the last. 0 where nothing is known.
    pub ordinals: Vec<u64>,
    /// When it was finished, if it was: then this is a tombstone.
    pub finished_at: Option<Timestamp>,
}

/// One lane's sums, read at one moment: `base + ordinals = tallies + lost`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneAudit {
    /// Imported tallies, and streams whose tombstone has gone.
    pub base: u64,
    /// The sum of the streams' ordinals.
    pub ordinals: u64,
    /// The sum of the lane's tallies: its links' totals, or the site's, missed visits included.
    pub tallies: u64,
    /// Hits known to be gone.
    pub lost: u64,
}

impl LaneAudit {
    /// True if the sums agree.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.base + self.ordinals == self.tallies + self.lost
    }
}

/// Numbers and ordinals.
#[async_trait]
pub trait Tallies: Send + Sync {
    /// What this store is.
    async fn dataset(&self) -> Result<Dataset>;

    /// Adds a zone that holds from `from` (UTC seconds) on.
    async fn add_zone(&self, from: i64, zone: &str) -> Result<()>;

    /// How many rows one batch may have, all its groups together: what the store takes in one short step.
    fn max_rows(&self) -> usize;

    /// Adds a batch and sets its lane's ordinal to `to`, if the ordinal is `from` (0 for a stream that the
    /// store does not know); else changes nothing. Of values that no table knows, those that come first get rows
    /// ([`crate::domain::tally::MAX_UNKNOWN`]); sections and authors likewise
    /// ([`crate::domain::tally::MAX_SECTIONS`], of those that are new in a batch the first by name); what a sketch's estimate rises by is counted in its day and the scope's
    /// total.
    async fn apply(&self, batch: &Batch) -> Result<Applied>;

    /// What the store knows of a stream; zeros for an unknown one.
    async fn stream(&self, stream: StreamId) -> Result<StreamState>;

    /// All streams that the store knows.
    async fn streams(&self) -> Result<Vec<StreamState>>;

    /// The same as [`Tallies::stream`], but of what would be there after a power cut. When it returns, every
    /// earlier write of this store is as durable as the store makes any: SQLite's are on the disk; Redis keeps what
    /// it is configured to keep, so there it is a fresh read of the master.
    async fn durable_stream(&self, stream: StreamId) -> Result<StreamState>;

    /// Turns a stream into a tombstone, if its ordinals are exactly these; false if they are not.
    async fn finish(&self, stream: StreamId, ordinals: &[u64], now: Timestamp) -> Result<bool>;

    /// Lets tombstones go that were made before `before`: their ordinals go into base. Gives how many.
    async fn forget_finished(&self, before: Timestamp) -> Result<u64>;

    /// Lets minute rows go that began before `before` (UTC seconds); sums are not touched.
    async fn forget_minutes(&self, before: i64) -> Result<()>;

    /// Lets hour rows go that began before `before` (UTC seconds), as far as they lie in pieces that go as a whole:
    /// those of up to a day before it may stay. Days and sums are not touched. The site's go first, so that what the
    /// site has of hours is what all scopes have.
    async fn forget_hours(&self, before: i64) -> Result<()>;

    /// The first bucket that the site has in a series.
    async fn first_bucket(&self, series: Series) -> Result<Option<i64>>;

    /// The rows of a scope in a series with `from <= bucket < to`, by bucket and value.
    async fn rows(&self, scope: &Scope, series: Series, from: i64, to: i64) -> Result<Vec<Row>>;

    /// A scope's sketches of `from <= day < to`, by day; those that are kept.
    async fn sketches(&self, scope: &Scope, of: SketchOf, from: i64, to: i64) -> Result<Vec<(i64, Sketch)>>;

    /// Lets sketches go of days before `before`: their estimates stay in the rows.
    async fn forget_sketches(&self, before: i64) -> Result<()>;

    /// The sum of each scope of a kind over `Day` buckets `from <= bucket < to`, in no order. With `only`, of
    /// those scopes alone (at most 10,000).
    async fn by_scope(
        &self,
        kind: ScopeKind,
        from: i64,
        to: i64,
        only: Option<&[String]>,
    ) -> Result<Vec<(String, Counts)>>;

    /// The sum of each link over `Minute` buckets `from <= bucket < to`, in no order.
    async fn links_by_minute(&self, from: i64, to: i64) -> Result<Vec<(String, Counts)>>;

    /// Tells other nodes that somebody watches until then, in milliseconds since 1970. A store of one node has none.
    async fn share_watch(&self, _until_ms: i64) -> Result<()> {
        Ok(())
    }

    /// Until when somebody watches at any node, as far as it was told; 0 for nobody.
    async fn watched_until(&self) -> Result<i64> {
        Ok(0)
    }

    /// The sum of `Total` of each of these scopes, in their order; zeros for unknown ones.
    async fn totals(&self, scopes: &[Scope]) -> Result<Vec<Counts>>;

    /// Each lane's sums, the site lane's last.
    async fn audit(&self) -> Result<Vec<LaneAudit>>;

    /// How much was lost by each lane, the site lane's last.
    async fn lost(&self) -> Result<Vec<u64>>;

    /// All numbers, scope by scope: a page begins after the scope `after`; an empty page ends it.
    async fn export(&self, after: Option<(ScopeKind, String)>) -> Result<Vec<Group>>;

    /// Sets (never adds) numbers; base becomes what they sum up to, lane by lane, and `lost` is kept.
    async fn import(&self, groups: Vec<Group>) -> Result<()>;

    /// Sets what was lost before an import, so that the audit of the new store holds.
    async fn import_lost(&self, lane: Lane, lost: u64) -> Result<()>;
}
