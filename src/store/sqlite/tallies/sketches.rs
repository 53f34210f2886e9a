//! Sketches of days.
//!
//! Guarantees that what a sketch's estimate rises by is told to who merges, so that a day's estimate is always that of
//! its sketch, also when the sketch is gone. Knows nothing of rows.

use std::borrow::Cow;

use rusqlite::{Connection, OptionalExtension, params};

use super::names::scope_id;
use crate::domain::sketch::Sketch;
use crate::domain::tally::{Counts, DaySketch, Scope, SketchOf};
use crate::store::Result;
use crate::store::sqlite::failure::corrupt;

fn number(of: SketchOf) -> i64 {
    match of {
        SketchOf::Readers => 0,
        SketchOf::Shares => 1,
    }
}

fn read(bytes: &[u8]) -> Result<Sketch> {
    Sketch::from_bytes(bytes).ok_or_else(|| corrupt("a sketch", format!("{} bytes", bytes.len())))
}

fn find(conn: &Connection, scope: i64, of: SketchOf, day: i64) -> Result<Option<Sketch>> {
    let mut find =
        conn.prepare_cached("SELECT sketch FROM sketches WHERE day = ? AND scope = ? AND of = ?")?;
    let bytes: Option<Vec<u8>> =
        find.query_row(params![day, scope, number(of)], |row| row.get(0)).optional()?;
    bytes.map(|bytes| read(&bytes)).transpose()
}

/// Adds what a sketch has to a scope's, and gives what the estimate rises by.
pub(super) fn merge(conn: &Connection, scope: i64, more: &DaySketch) -> Result<Counts> {
    let old = find(conn, scope, more.of, more.day)?;
    let is_new = old.is_none();
    let (after, risen) = match old {
        None if more.sketch.is_empty() => return Ok(Counts::default()),
        None => (Cow::Borrowed(&more.sketch), more.sketch.estimate()),
        Some(before) => {
            let mut after = before.clone();
            after.merge(&more.sketch);
            if after == before {
                return Ok(Counts::default());
            }
            let risen = after.estimate().saturating_sub(before.estimate());
            (Cow::Owned(after), risen)
        }
    };
    // An update in place leaves the index alone, which a replacement would write again.
    let put = match is_new {
        true => "INSERT INTO sketches (day, scope, of, sketch) VALUES (?1, ?2, ?3, ?4)",
        false => "UPDATE sketches SET sketch = ?4 WHERE day = ?1 AND scope = ?2 AND of = ?3",
    };
    conn.prepare_cached(put)?.execute(params![more.day, scope, number(more.of), after.to_bytes()])?;
    Ok(more.of.counts(risen))
}

/// Puts a sketch in the place of what was there.
pub(super) fn put(conn: &Connection, scope: i64, sketch: &DaySketch) -> Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO sketches (day, scope, of, sketch) VALUES (?, ?, ?, ?)")?
        .execute(params![sketch.day, scope, number(sketch.of), sketch.sketch.to_bytes()])?;
    Ok(())
}

/// A scope's sketches of `from <= day < to`, by day.
pub(super) fn of_scope(
    conn: &Connection,
    scope: &Scope,
    of: SketchOf,
    from: i64,
    to: i64,
) -> Result<Vec<(i64, Sketch)>> {
    let (kind, name) = scope.parts();
    let Some(id) = scope_id(conn, kind, name)? else { return Ok(vec![]) };
    let days = all(conn, id, from, to)?.into_iter().filter(|sketch| sketch.of == of);
    Ok(days.map(|sketch| (sketch.day, sketch.sketch)).collect())
}

/// All sketches of a scope's number of `from <= day < to`, by day.
pub(super) fn all(conn: &Connection, scope: i64, from: i64, to: i64) -> Result<Vec<DaySketch>> {
    let mut find = conn.prepare_cached(
        "SELECT day, of, sketch FROM sketches INDEXED BY sketches_by_scope \
         WHERE scope = ? AND day >= ? AND day < ? ORDER BY day, of",
    )?;
    let mut rows = find.query(params![scope, from, to])?;
    let mut found = vec![];
    while let Some(row) = rows.next()? {
        let of: i64 = row.get(1)?;
        let of = SketchOf::ALL.into_iter().find(|kind| number(*kind) == of);
        let of = of.ok_or_else(|| corrupt("what a sketch is of", "another number"))?;
        found.push(DaySketch { of, day: row.get(0)?, sketch: read(&row.get::<_, Vec<u8>>(2)?)? });
    }
    Ok(found)
}

/// Lets sketches go of days before `before`: their estimates stay.
pub(super) fn forget(conn: &Connection, before: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM sketches WHERE day < ?")?.execute([before])?;
    Ok(())
}
