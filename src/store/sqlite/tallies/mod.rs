//! Numbers, ordinals and what the dataset is, in tallies.db.
//!
//! Each call is one piece of work for the writer or a reader; the pieces are in this folder. Commits do not wait
//! for the disk: after a power cut the file is whole but may be a little older, ordinals and numbers together,
//! and the journal brings it up to date. Knows nothing of links.

mod apply;
mod dimensions;
mod names;
mod read;
mod sketches;
mod streams;
mod transfer;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::threads::{Readers, Writer};
use crate::domain::lane::Lane;
use crate::domain::sketch::Sketch;
use crate::domain::tally::{Batch, Counts, Group, Row, Scope, ScopeKind, Series, SketchOf, StreamId};
use crate::store::Result;
use crate::store::sqlite::failure::{corrupt, ms, time};
use crate::store::tallies::{Applied, Dataset, LaneAudit, StreamState, Tallies};
pub(super) use names::Names;

/// Rows of one batch: some hundred MiB.
const MAX_ROWS: usize = 1_000_000;

/// The embedded store's tallies.
pub(super) struct SqliteTallies {
    pub(super) writer: Writer<Names>,
    pub(super) readers: Readers,
    /// Fixed when the store was made.
    pub(super) lanes: Lane,
}

/// What the file says it is; None for one that was only just made.
pub(super) fn dataset(conn: &Connection) -> Result<Option<Dataset>> {
    let mut meta = conn.prepare_cached("SELECT value FROM meta WHERE name = ?")?;
    let mut value = |name: &str| -> Result<Option<String>> {
        let mut rows = meta.query([name])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    };
    let Some(id) = value("dataset")? else { return Ok(None) };
    let lanes = value("lanes")?.unwrap_or_default();
    let created_at = value("created_at")?.unwrap_or_default();
    let mut zones = conn.prepare_cached("SELECT since, zone FROM zones ORDER BY since")?;
    let zones = zones.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Some(Dataset {
        id: id.parse().map_err(|_| corrupt("the dataset's id", &id))?,
        lanes: lanes.parse().map_err(|_| corrupt("the number of lanes", &lanes))?,
        zones: zones.collect::<rusqlite::Result<_>>()?,
        created_at: time(created_at.parse().map_err(|_| corrupt("the dataset's time", &created_at))?)?,
    }))
}

/// Makes the file what `dataset` says.
pub(super) fn found(conn: &Connection, dataset: &Dataset) -> Result<()> {
    let mut meta = conn.prepare_cached("INSERT INTO meta (name, value) VALUES (?, ?)")?;
    meta.execute(["dataset", &dataset.id.to_string()])?;
    meta.execute(["lanes", &dataset.lanes.to_string()])?;
    meta.execute(["created_at", &ms(dataset.created_at).to_string()])?;
    for lane in 0..=dataset.lanes {
        conn.prepare_cached("INSERT INTO lanes (lane, base, lost) VALUES (?, 0, 0)")?.execute([lane])?;
    }
    for (since, zone) in &dataset.zones {
        add_zone(conn, *since, zone)?;
    }
    Ok(())
}

/// True if nothing was ever counted here.
pub(super) fn is_untouched(conn: &Connection) -> Result<bool> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM scopes) AND NOT EXISTS (SELECT 1 FROM streams)";
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}

fn add_zone(conn: &Connection, since: i64, zone: &str) -> Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO zones (since, zone) VALUES (?, ?)")?
        .execute(params![since, zone])?;
    Ok(())
}

/// Lets the first hour go, if it began before `before`. False if there was none.
fn forget_an_hour(conn: &Connection, before: i64) -> Result<bool> {
    let gone = conn
        .prepare_cached(
            "DELETE FROM rows WHERE series = ?1 AND bucket = \
             (SELECT min(bucket) FROM rows WHERE series = ?1 AND bucket < ?2)",
        )?
        .execute([names::series_number(Series::Hour), before])?;
    Ok(gone > 0)
}

#[async_trait]
impl Tallies for SqliteTallies {
    async fn dataset(&self) -> Result<Dataset> {
        self.readers.read_at_once(|conn| dataset(conn)?.ok_or_else(|| corrupt("the dataset's id", ""))).await
    }

    async fn add_zone(&self, from: i64, zone: &str) -> Result<()> {
        let zone = zone.to_owned();
        self.writer.write(move |conn, _| add_zone(conn, from, &zone)).await
    }

    fn max_rows(&self) -> usize {
        // One transaction, however long, since nobody else waits for the writer; but all of it is in memory.
        MAX_ROWS
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied> {
        let (batch, lanes) = (batch.clone(), self.lanes);
        self.writer.write(move |conn, names| apply::apply(conn, names, lanes, &batch)).await
    }

    async fn stream(&self, stream: StreamId) -> Result<StreamState> {
        let lanes = self.lanes;
        self.readers.read_at_once(move |conn| streams::state(conn, stream, lanes)).await
    }

    async fn streams(&self) -> Result<Vec<StreamState>> {
        let lanes = self.lanes;
        self.readers.read_at_once(move |conn| streams::states(conn, lanes)).await
    }

    async fn durable_stream(&self, stream: StreamId) -> Result<StreamState> {
        let lanes = self.lanes;
        self.writer.write_alone(move |conn| streams::durable_state(conn, stream, lanes)).await
    }

    async fn finish(&self, stream: StreamId, ordinals: &[u64], now: Timestamp) -> Result<bool> {
        let (ordinals, lanes) = (ordinals.to_vec(), self.lanes);
        self.writer.write(move |conn, _| streams::finish(conn, stream, &ordinals, lanes, now)).await
    }

    async fn forget_finished(&self, before: Timestamp) -> Result<u64> {
        self.writer.write(move |conn, _| streams::forget_finished(conn, before)).await
    }

    async fn forget_minutes(&self, before: i64) -> Result<()> {
        let minute = names::series_number(Series::Minute);
        self.writer
            .write(move |conn, _| {
                conn.prepare_cached("DELETE FROM rows WHERE series = ? AND bucket < ?")?
                    .execute([minute, before])?;
                Ok(())
            })
            .await
    }

    async fn forget_hours(&self, before: i64) -> Result<()> {
        // Hour by hour, so that nobody waits for long.
        while self.writer.write(move |conn, _| forget_an_hour(conn, before)).await? {}
        Ok(())
    }

    async fn first_bucket(&self, series: Series) -> Result<Option<i64>> {
        self.readers.read_at_once(move |conn| read::first_bucket(conn, &Scope::Site, series)).await
    }

    async fn sketches(&self, scope: &Scope, of: SketchOf, from: i64, to: i64) -> Result<Vec<(i64, Sketch)>> {
        let scope = scope.clone();
        self.readers.read_at_once(move |conn| sketches::of_scope(conn, &scope, of, from, to)).await
    }

    async fn forget_sketches(&self, before: i64) -> Result<()> {
        self.writer.write(move |conn, _| sketches::forget(conn, before)).await
    }

    async fn rows(&self, scope: &Scope, series: Series, from: i64, to: i64) -> Result<Vec<Row>> {
        let scope = scope.clone();
        self.readers.read_at_once(move |conn| read::rows(conn, &scope, series, from, to)).await
    }

    async fn by_scope(
        &self,
        kind: ScopeKind,
        from: i64,
        to: i64,
        only: Option<&[String]>,
    ) -> Result<Vec<(String, Counts)>> {
        let only = only.map(<[String]>::to_vec);
        self.readers.read_at_once(move |conn| read::by_scope(conn, kind, from, to, only.as_deref())).await
    }

    async fn links_by_minute(&self, from: i64, to: i64) -> Result<Vec<(String, Counts)>> {
        self.readers.read_at_once(move |conn| read::links_by_minute(conn, from, to)).await
    }

    async fn totals(&self, scopes: &[Scope]) -> Result<Vec<Counts>> {
        let scopes = scopes.to_vec();
        self.readers
            .read_at_once(move |conn| scopes.iter().map(|scope| read::total(conn, scope)).collect())
            .await
    }

    async fn audit(&self) -> Result<Vec<LaneAudit>> {
        self.readers.read_at_once(streams::audit).await
    }

    async fn lost(&self) -> Result<Vec<u64>> {
        self.readers.read(streams::lost).await
    }

    async fn export(&self, after: Option<(ScopeKind, String)>) -> Result<Vec<Group>> {
        self.readers.read_at_once(move |conn| transfer::export(conn, after.as_ref())).await
    }

    async fn import(&self, groups: Vec<Group>) -> Result<()> {
        let lanes = self.lanes;
        self.writer.write(move |conn, names| transfer::import(conn, names, lanes, &groups)).await
    }

    async fn import_lost(&self, lane: Lane, lost: u64) -> Result<()> {
        self.writer.write(move |conn, _| transfer::import_lost(conn, lane, lost)).await
    }
}
