//! Adding a batch, once.
//!
//! Guarantees, within the writer's transaction, that the numbers and the ordinal they stand for change together
//! or not at all. Knows nothing of links.

use rusqlite::{Connection, params};

use super::names::{Names, series_number};
use super::streams;
use crate::domain::lane::Lane;
use crate::domain::tally::{Batch, Counts, Group, Series};
use crate::priority::{self, give_way};
use crate::store::Result;
use crate::store::sqlite::failure::{corrupt, signed};
use crate::store::tallies::Applied;

/// Rows of a group, numbered: (series, bucket, scope, value) and what is added.
type Numbered = ((i64, i64, i64, i64), Counts);

/// Adds a batch if its lane's ordinal is the batch's `from`.
pub(super) fn apply(conn: &Connection, names: &mut Names, lanes: Lane, batch: &Batch) -> Result<Applied> {
    if batch.lane > lanes {
        return Err(corrupt("a batch's lane", batch.lane));
    }
    let at = streams::ordinal(conn, batch.stream, batch.lane)?;
    if at != batch.from {
        return Ok(Applied::At(at));
    }
    add(conn, names, lanes, &batch.groups)?;
    if batch.lost > 0 {
        conn.prepare_cached("UPDATE lanes SET lost = lost + ? WHERE lane = ?")?
            .execute(params![signed(batch.lost)?, batch.lane])?;
    }
    streams::go_on(conn, batch.stream, batch.stream_began_ms, batch.lane, batch.to)?;
    Ok(Applied::Done)
}

/// Adds all rows of these groups.
pub(super) fn add(conn: &Connection, names: &mut Names, lanes: Lane, groups: &[Group]) -> Result<()> {
    let mut totals: Vec<(i64, Counts)> = Vec::with_capacity(groups.len());
    let mut rows: Vec<Numbered> = Vec::with_capacity(groups.iter().map(|group| group.rows.len()).sum());
    for (round, group) in groups.iter().enumerate() {
        give_way(round);
        let scope = names.scope(conn, lanes, &group.scope)?;
        for row in &group.rows {
            if row.counts == Counts::default() {
                continue;
            }
            if row.series == Series::Total {
                totals.push((scope, row.counts));
            } else {
                let value = names.word(conn, &row.value)?;
                rows.push(((series_number(row.series), row.bucket, scope, value), row.counts));
            }
        }
    }
    // In the order of the tables, so that rows of one page are changed one after the other.
    priority::sort(&mut totals, |(scope, _)| *scope);
    priority::sort(&mut rows, |(key, _)| *key);
    add_totals(conn, &totals)?;
    add_rows(conn, &rows)
}

fn add_totals(conn: &Connection, totals: &[(i64, Counts)]) -> Result<()> {
    let mut add = conn.prepare_cached(
        "UPDATE scopes SET clicks = clicks + ?2, previews = previews + ?3, bots = bots + ?4, \
         missed = missed + ?5 WHERE id = ?1",
    )?;
    for (round, (scope, counts)) in totals.iter().enumerate() {
        give_way(round);
        let [clicks, previews, bots, missed] = columns(counts)?;
        add.execute(params![scope, clicks, previews, bots, missed])?;
    }
    Ok(())
}

fn add_rows(conn: &Connection, rows: &[Numbered]) -> Result<()> {
    let mut add = conn.prepare_cached(
        "INSERT INTO rows (series, bucket, scope, value, clicks, previews, bots, missed) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET clicks = clicks + excluded.clicks, \
         previews = previews + excluded.previews, bots = bots + excluded.bots, \
         missed = missed + excluded.missed",
    )?;
    for (round, ((series, bucket, scope, value), counts)) in rows.iter().enumerate() {
        give_way(round);
        let [clicks, previews, bots, missed] = columns(counts)?;
        add.execute(params![series, bucket, scope, value, clicks, previews, bots, missed])?;
    }
    Ok(())
}

fn columns(counts: &Counts) -> Result<[i64; 4]> {
    Ok([signed(counts.clicks)?, signed(counts.previews)?, signed(counts.bots)?, signed(counts.missed)?])
}
