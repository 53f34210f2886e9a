//! Streams, their ordinals and tombstones, and each lane's audit.
//!
//! Guarantees that an ordinal is read as it was written with the numbers it stands for, and that one which is
//! read as durable outlives a power cut.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::domain::lane::Lane;
use crate::domain::tally::StreamId;
use crate::store::Result;
use crate::store::sqlite::failure::{corrupt, maybe_time, ms, signed, unsigned};
use crate::store::tallies::{LaneAudit, StreamState};

/// The last ordinal counted; 0 for a stream that is not known.
pub(super) fn ordinal(conn: &Connection, stream: StreamId, lane: Lane) -> Result<u64> {
    let mut find = conn.prepare_cached("SELECT ordinal FROM ordinals WHERE stream = ? AND lane = ?")?;
    let found: Option<i64> =
        find.query_row(params![stream.0.cast_signed(), lane], |row| row.get(0)).optional()?;
    found.map_or(Ok(0), unsigned)
}

/// Sets the last ordinal counted. A tombstone that goes on is none: its node has more to say.
pub(super) fn go_on(conn: &Connection, stream: StreamId, began_ms: i64, lane: Lane, to: u64) -> Result<()> {
    let id = stream.0.cast_signed();
    conn.prepare_cached(
        "INSERT INTO streams (stream, began_ms) VALUES (?, ?) ON CONFLICT DO UPDATE \
         SET began_ms = excluded.began_ms, finished_at = NULL \
         WHERE began_ms <> excluded.began_ms OR finished_at IS NOT NULL",
    )?
    .execute(params![id, began_ms])?;
    conn.prepare_cached(
        "INSERT INTO ordinals (stream, lane, ordinal) VALUES (?, ?, ?) \
         ON CONFLICT DO UPDATE SET ordinal = excluded.ordinal",
    )?
    .execute(params![id, lane, signed(to)?])?;
    Ok(())
}

/// What is known of a stream.
pub(super) fn state(conn: &Connection, stream: StreamId, lanes: Lane) -> Result<StreamState> {
    let mut find = conn.prepare_cached("SELECT began_ms, finished_at FROM streams WHERE stream = ?")?;
    let known: Option<(i64, Option<i64>)> =
        find.query_row([stream.0.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (began_ms, finished_at) = known.unwrap_or((0, None));
    let mut ordinals = vec![0; usize::from(lanes) + 1];
    let mut all = conn.prepare_cached("SELECT lane, ordinal FROM ordinals WHERE stream = ?")?;
    let mut rows = all.query([stream.0.cast_signed()])?;
    while let Some(row) = rows.next()? {
        let lane: u16 = row.get(0)?;
        *ordinals.get_mut(usize::from(lane)).ok_or_else(|| corrupt("an ordinal's lane", lane))? =
            unsigned(row.get(1)?)?;
    }
    Ok(StreamState { stream, began_ms, ordinals, finished_at: maybe_time(finished_at)? })
}

/// All streams that are known, oldest first.
pub(super) fn states(conn: &Connection, lanes: Lane) -> Result<Vec<StreamState>> {
    let mut all = conn.prepare_cached("SELECT stream FROM streams ORDER BY began_ms, stream")?;
    let mut rows = all.query([])?;
    let mut states = vec![];
    while let Some(row) = rows.next()? {
        states.push(state(conn, StreamId(row.get::<_, i64>(0)?.cast_unsigned()), lanes)?);
    }
    Ok(states)
}

/// What is known of a stream and would be after a power cut.
///
/// Commits of tallies.db do not wait for the disk (`synchronous=NORMAL`). This one does, and the log is one file
/// in order: with it, all commits before it are on the disk. So a reader cannot hold it up as it could a
/// checkpoint, which copies the log but makes nothing more durable.
pub(super) fn durable_state(conn: &mut Connection, stream: StreamId, lanes: Lane) -> Result<StreamState> {
    conn.pragma_update(None, "synchronous", "FULL")?;
    let read = (|| {
        let synced = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Without a change there would be no commit to wait for.
        synced.execute(
            "INSERT INTO meta (name, value) VALUES ('synced', '1') \
             ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1",
            [],
        )?;
        let state = state(&synced, stream, lanes)?;
        synced.commit()?;
        Ok(state)
    })();
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    read
}

/// Makes a tombstone of a stream whose ordinals are exactly these.
pub(super) fn finish(
    conn: &Connection,
    stream: StreamId,
    ordinals: &[u64],
    lanes: Lane,
    now: Timestamp,
) -> Result<bool> {
    let state = state(conn, stream, lanes)?;
    if state.ordinals != ordinals {
        return Ok(false);
    }
    if state.finished_at.is_none() {
        conn.prepare_cached(
            "INSERT INTO streams (stream, began_ms, finished_at) VALUES (?, ?, ?) \
             ON CONFLICT DO UPDATE SET finished_at = excluded.finished_at",
        )?
        .execute(params![stream.0.cast_signed(), state.began_ms, ms(now)])?;
    }
    Ok(true)
}

/// Lets tombstones made before `before` go; their ordinals go into base.
pub(super) fn forget_finished(conn: &Connection, before: Timestamp) -> Result<u64> {
    let old = "SELECT stream FROM streams WHERE finished_at < ?";
    conn.execute(
        &format!(
            "UPDATE lanes SET base = base + (SELECT coalesce(sum(ordinal), 0) FROM ordinals \
             WHERE ordinals.lane = lanes.lane AND stream IN ({old}))"
        ),
        [ms(before)],
    )?;
    conn.execute(&format!("DELETE FROM ordinals WHERE stream IN ({old})"), [ms(before)])?;
    let gone = conn.execute("DELETE FROM streams WHERE finished_at < ?", [ms(before)])?;
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}

/// Each lane's sums. The tallies are added up anew from each link's and the site's own sum.
pub(super) fn audit(conn: &Connection) -> Result<Vec<LaneAudit>> {
    let mut statement = conn.prepare_cached(
        "SELECT l.base, l.lost, coalesce(o.sum, 0), coalesce(t.sum, 0) FROM lanes l \
         LEFT JOIN (SELECT lane, sum(ordinal) AS sum FROM ordinals GROUP BY lane) o ON o.lane = l.lane \
         LEFT JOIN (SELECT lane, sum(clicks + previews + bots + missed) AS sum FROM scopes \
                    WHERE lane IS NOT NULL GROUP BY lane) t ON t.lane = l.lane \
         ORDER BY l.lane",
    )?;
    let mut rows = statement.query([])?;
    let mut audits = vec![];
    while let Some(row) = rows.next()? {
        audits.push(LaneAudit {
            base: unsigned(row.get(0)?)?,
            lost: unsigned(row.get(1)?)?,
            ordinals: unsigned(row.get(2)?)?,
            tallies: unsigned(row.get(3)?)?,
        });
    }
    Ok(audits)
}

/// What was lost, lane by lane.
pub(super) fn lost(conn: &Connection) -> Result<Vec<u64>> {
    let mut statement = conn.prepare_cached("SELECT lost FROM lanes ORDER BY lane")?;
    let lost = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    lost.into_iter().map(unsigned).collect()
}
