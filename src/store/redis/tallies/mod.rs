//! Numbers, ordinals and what the dataset is, in Redis.
//!
//! Each lane has its own hash and hashes of numbers, all of one slot; what is counted lies packed in few fields
//! (`pack`), and is added here and not there, under a tag that says whether anybody was faster (`hashes`).
//! Guarantees that ordinals and the numbers they stand for are written, replicated and rolled back together.
//! Knows nothing of links.

mod apply;
mod export;
mod hashes;
mod import;
mod keys;
mod minutes;
mod periods;
mod read;
mod sketches;
mod streams;
mod watching;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::conn::{self, Conn};
use super::dataset;
use super::lanes::Lanes;
use crate::domain::lane::Lane;
use crate::domain::sketch::Sketch;
use crate::domain::tally::{Batch, Counts, Group, Row, Scope, ScopeKind, Series, SketchOf, StreamId};
use crate::store::mirror::Mirror;
use crate::store::pack;
use crate::store::tallies::{Applied, Dataset, LaneAudit, StreamState, Tallies};
use crate::store::{Error, Result};
use hashes::Hashes;
use keys::Family;

/// Rows of one batch. If each click is another link's, these are some 7,000 fields, and Redis does nothing else for 2.5 ms
/// while it reads and 5 ms while it writes them. Mostly a link has many clicks, whose rows share its fields: a fifth of
/// that.
const MAX_ROWS: usize = 20_000;

/// All keys of numbers that a lane may have left when what it is has gone: those that its own sets name, and those
/// of twenty years of days and two months of minutes before `now`, because the sets may have gone as well.
///
/// # Errors
/// `Unavailable`.
pub(super) async fn left_keys(
    conn: &Conn,
    lanes: &Lanes,
    lane: Lane,
    now: Timestamp,
) -> Result<Vec<Vec<u8>>> {
    let names = keys::LaneKeys::new(lanes, lane);
    let mut left: Vec<Vec<u8>> =
        (0..i64::from(keys::BUCKETS)).map(|bucket| names.numbers(Family::Total, bucket)).collect();
    for family in Family::DATED {
        let mut members = redis::cmd("SMEMBERS");
        members.arg(names.periods(family));
        let mut periods: BTreeSet<i64> =
            conn::read::<Vec<i64>>(conn.ask(members).await?)?.into_iter().collect();
        let (last, back) = match family {
            Family::Minute => (now.as_second() / 3_600, 24 * 60),
            _ => (now.as_second() / 86_400, 366 * 20),
        };
        periods.extend(last - back..=last + 2);
        left.push(names.periods(family));
        left.extend(periods.into_iter().map(|period| names.numbers(family, period)));
    }
    Ok(left)
}

/// The tallies of a store in Redis.
pub struct RedisTallies {
    hashes: Hashes,
    /// Of an export that goes on.
    names: export::Names,
    /// Knows what the dataset is while Redis is away.
    mirror: Option<Arc<dyn Mirror>>,
}

impl RedisTallies {
    /// Over an open dataset.
    #[must_use]
    pub fn new(conn: Conn, lanes: Lanes) -> RedisTallies {
        RedisTallies { hashes: Hashes { conn, lanes }, names: export::Names::default(), mirror: None }
    }

    /// The same on a node that has a mirror.
    #[must_use]
    pub fn beside(self, mirror: Arc<dyn Mirror>) -> RedisTallies {
        RedisTallies { mirror: Some(mirror), ..self }
    }
}

#[async_trait]
impl Tallies for RedisTallies {
    async fn dataset(&self) -> Result<Dataset> {
        let now = dataset::current(&self.hashes.conn, &self.hashes.lanes).await;
        match (&self.mirror, now) {
            (Some(mirror), Err(error @ (Error::Unavailable(_) | Error::Fenced(_)))) => {
                mirror.dataset().await?.ok_or(error)
            }
            (_, now) => now,
        }
    }

    async fn add_zone(&self, from: i64, zone: &str) -> Result<()> {
        dataset::add_zone(&self.hashes.conn, &self.hashes.lanes, from, zone).await?;
        if let Some(mirror) = &self.mirror {
            mirror.set_dataset(dataset::current(&self.hashes.conn, &self.hashes.lanes).await?).await?;
        }
        Ok(())
    }

    fn max_rows(&self) -> usize {
        MAX_ROWS
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied> {
        apply::apply(&self.hashes, batch).await
    }

    async fn stream(&self, stream: StreamId) -> Result<StreamState> {
        streams::state(&self.hashes, stream).await
    }

    async fn streams(&self) -> Result<Vec<StreamState>> {
        streams::states(&self.hashes).await
    }

    async fn durable_stream(&self, stream: StreamId) -> Result<StreamState> {
        // Whatever a failover takes later, it takes the ordinals with it: a fresh read of the master is all that
        // can be said, and a segment stays for its retention after it.
        streams::state(&self.hashes, stream).await
    }

    async fn finish(&self, stream: StreamId, ordinals: &[u64], now: Timestamp) -> Result<bool> {
        streams::finish(&self.hashes, stream, ordinals, now).await
    }

    async fn forget_finished(&self, before: Timestamp) -> Result<u64> {
        streams::forget_finished(&self.hashes, before).await
    }

    async fn forget_minutes(&self, before: i64) -> Result<()> {
        minutes::forget(&self.hashes, before).await
    }

    async fn forget_hours(&self, before: i64) -> Result<()> {
        periods::forget(&self.hashes, Family::Hour, before).await
    }

    async fn first_bucket(&self, series: Series) -> Result<Option<i64>> {
        read::first_bucket(&self.hashes, &Scope::Site, series).await
    }

    async fn sketches(&self, scope: &Scope, of: SketchOf, from: i64, to: i64) -> Result<Vec<(i64, Sketch)>> {
        sketches::of_scope(&self.hashes, scope, of, from, to).await
    }

    async fn forget_sketches(&self, before: i64) -> Result<()> {
        for family in Family::SKETCHES {
            periods::forget(&self.hashes, family, before).await?;
        }
        Ok(())
    }

    async fn rows(&self, scope: &Scope, series: Series, from: i64, to: i64) -> Result<Vec<Row>> {
        read::rows(&self.hashes, scope, series, from, to).await
    }

    async fn by_scope(
        &self,
        kind: ScopeKind,
        from: i64,
        to: i64,
        only: Option<&[String]>,
    ) -> Result<Vec<(String, Counts)>> {
        read::by_scope(&self.hashes, kind, from, to, only).await
    }

    async fn links_by_minute(&self, from: i64, to: i64) -> Result<Vec<(String, Counts)>> {
        read::links_by_minute(&self.hashes, from, to).await
    }

    async fn share_watch(&self, until_ms: i64) -> Result<()> {
        watching::share(&self.hashes, until_ms).await
    }

    async fn watched_until(&self) -> Result<i64> {
        watching::until(&self.hashes).await
    }

    async fn totals(&self, scopes: &[Scope]) -> Result<Vec<Counts>> {
        read::totals(&self.hashes, scopes).await
    }

    async fn audit(&self) -> Result<Vec<LaneAudit>> {
        streams::audit(&self.hashes).await
    }

    async fn lost(&self) -> Result<Vec<u64>> {
        streams::lost(&self.hashes).await
    }

    async fn export(&self, after: Option<(ScopeKind, String)>) -> Result<Vec<Group>> {
        export::export(&self.hashes, &self.names, after).await
    }

    async fn import(&self, groups: Vec<Group>) -> Result<()> {
        import::import(&self.hashes, groups).await
    }

    async fn import_lost(&self, lane: Lane, lost: u64) -> Result<()> {
        import::import_lost(&self.hashes, lane, lost).await
    }
}
