//! Adding a batch, once.
//!
//! Guarantees, within the writer's transaction, that the numbers and the ordinal they stand for change together
//! or not at all, and that of values no table knows, of sections and of authors a bounded number gets rows. Knows
//! nothing of links.

use std::ops::Range;

use rusqlite::{Connection, params};

use super::names::{Names, series_number};
use super::{dimensions, sketches, streams};
use crate::domain::lane::Lane;
use crate::domain::tally::{Batch, Counts, Group, Row, Series};
use crate::priority::{self, give_way};
use crate::store::Result;
use crate::store::named::Gathered;
use crate::store::pack::Entry;
use crate::store::sqlite::failure::{corrupt, signed};
use crate::store::tallies::Applied;

/// Rows of a group, numbered: (series, bucket, scope) and what is added.
type Numbered = ((i64, i64, i64), Counts);

/// Adds a batch if its lane's ordinal is the batch's `from`.
pub(super) fn apply(conn: &Connection, names: &mut Names, lanes: Lane, batch: &Batch) -> Result<Applied> {
    if batch.lane > lanes {
        return Err(corrupt("a batch's lane", batch.lane));
    }
    let at = streams::ordinal(conn, batch.stream, batch.lane)?;
    if at != batch.from {
        return Ok(Applied::At(at));
    }
    let gathered = Gathered::new(&batch.groups, &names.beyond(conn, &batch.groups)?);
    let mut adding = Adding::default();
    for (round, group) in gathered.iter().enumerate() {
        give_way(round);
        let scope = names.scope(conn, lanes, &group.scope)?;
        adding.rows(scope, &group.rows);
        for sketch in &group.sketches {
            adding.count(scope, sketch.day, sketches::merge(conn, scope, sketch)?);
        }
    }
    adding.write(conn)?;
    if batch.lost > 0 {
        conn.prepare_cached("UPDATE lanes SET lost = lost + ? WHERE lane = ?")?
            .execute(params![signed(batch.lost)?, batch.lane])?;
    }
    streams::go_on(conn, batch.stream, batch.stream_began_ms, batch.lane, batch.to)?;
    Ok(Applied::Done)
}

/// Puts all numbers and sketches of a scope that has none.
pub(super) fn put(conn: &Connection, names: &mut Names, lanes: Lane, group: &Group) -> Result<()> {
    let scope = names.scope(conn, lanes, &group.scope)?;
    let mut adding = Adding::default();
    adding.rows(scope, &group.rows);
    adding.write(conn)?;
    group.sketches.iter().try_for_each(|sketch| sketches::put(conn, scope, sketch))
}

/// What is going to be added.
#[derive(Default)]
struct Adding<'g> {
    totals: Vec<(i64, Counts)>,
    rows: Vec<Numbered>,
    /// What is told apart within a day, and by day and scope where it is among `entries`: each is one row.
    days: Vec<((i64, i64), Range<usize>)>,
    entries: Vec<Entry<'g>>,
}

impl<'g> Adding<'g> {
    fn rows(&mut self, scope: i64, rows: &'g [Row]) {
        let first = self.days.len();
        for row in rows.iter().filter(|row| row.counts != Counts::default()) {
            match row.series {
                Series::Total => self.totals.push((scope, row.counts)),
                Series::Minute | Series::Hour | Series::Day => {
                    self.rows.push(((series_number(row.series), row.bucket, scope), row.counts));
                }
                _ => {
                    let day = (row.bucket, scope);
                    if !self.days[first..].iter().any(|(there, _)| *there == day) {
                        self.days.push((day, 0..0));
                    }
                }
            }
        }
        for ((day, _), place) in &mut self.days[first..] {
            let begin = self.entries.len();
            let of_day = rows.iter().filter(|row| row.bucket == *day && is_packed(row));
            self.entries.extend(of_day.map(|row| Entry {
                series: row.series,
                place: 0,
                value: &row.value,
                counts: row.counts,
            }));
            *place = begin..self.entries.len();
        }
    }

    /// Counts an estimate's rise where the day and the scope's sum are counted.
    fn count(&mut self, scope: i64, day: i64, rise: Counts) {
        if rise != Counts::default() {
            self.totals.push((scope, rise));
            self.rows.push(((series_number(Series::Day), day, scope), rise));
        }
    }

    fn write(&mut self, conn: &Connection) -> Result<()> {
        // In the order of the tables, so that rows of one page are changed one after the other.
        priority::sort(&mut self.totals, |(scope, _)| *scope);
        priority::sort(&mut self.rows, |(key, _)| *key);
        add_totals(conn, &self.totals)?;
        add_rows(conn, &self.rows)?;
        priority::sort(&mut self.days, |(day, _)| *day);
        for (round, ((day, scope), place)) in self.days.drain(..).enumerate() {
            give_way(round);
            dimensions::add(conn, scope, day, &mut self.entries[place])?;
        }
        Ok(())
    }
}

/// True for what is told apart within a day.
fn is_packed(row: &Row) -> bool {
    let in_time = matches!(row.series, Series::Total | Series::Minute | Series::Hour | Series::Day);
    !in_time && row.counts != Counts::default()
}

fn add_totals(conn: &Connection, totals: &[(i64, Counts)]) -> Result<()> {
    let mut add = conn.prepare_cached(
        "UPDATE scopes SET clicks = clicks + ?2, previews = previews + ?3, bots = bots + ?4, \
         missed = missed + ?5, uniques = uniques + ?6, unfurls = unfurls + ?7 WHERE id = ?1",
    )?;
    for (round, (scope, counts)) in totals.iter().enumerate() {
        give_way(round);
        let [clicks, previews, bots, missed, uniques, unfurls] = columns(counts)?;
        add.execute(params![scope, clicks, previews, bots, missed, uniques, unfurls])?;
    }
    Ok(())
}

fn add_rows(conn: &Connection, rows: &[Numbered]) -> Result<()> {
    let mut add = conn.prepare_cached(
        "INSERT INTO rows (series, bucket, scope, value, clicks, previews, bots, missed, uniques, unfurls) \
         VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET clicks = clicks + excluded.clicks, \
         previews = previews + excluded.previews, bots = bots + excluded.bots, \
         missed = missed + excluded.missed, uniques = uniques + excluded.uniques, \
         unfurls = unfurls + excluded.unfurls",
    )?;
    // A day may come several times: with its estimates.
    for (round, same) in rows.chunk_by(|a, b| a.0 == b.0).enumerate() {
        give_way(round);
        let Some(((series, bucket, scope), _)) = same.first() else { continue };
        let sum = same.iter().map(|(_, counts)| *counts).sum();
        let [clicks, previews, bots, missed, uniques, unfurls] = columns(&sum)?;
        add.execute(params![series, bucket, scope, clicks, previews, bots, missed, uniques, unfurls])?;
    }
    Ok(())
}

fn columns(counts: &Counts) -> Result<[i64; 6]> {
    Ok([
        signed(counts.clicks)?,
        signed(counts.previews)?,
        signed(counts.bots)?,
        signed(counts.missed)?,
        signed(counts.uniques)?,
        signed(counts.unfurls)?,
    ])
}
