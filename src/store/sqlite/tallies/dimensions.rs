//! What a scope's hits of a day are told apart by, packed into one row: a link-day costs one read and one write, however
//! many dimensions there are.
//!
//! Rows of the table `rows` that an earlier schema made are read with it, and never written again. Guarantees that of
//! values no table knows a bounded number is kept.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::tally::{Counts, Row, Series};
use crate::store::Result;
use crate::store::family::Family;
use crate::store::pack::{self, Entries, Entry};
use crate::store::sqlite::failure::corrupt;

/// Places of a day: more than there are scopes.
const DAY: i64 = 1 << 40;

/// Adds to a scope's day.
pub(super) fn add(conn: &Connection, scope: i64, day: i64, more: &mut [Entry<'_>]) -> Result<()> {
    let place = place(scope, day)?;
    let mut find = conn.prepare_cached("SELECT packed FROM dimensions WHERE place = ?")?;
    let old: Option<Vec<u8>> = find.query_row([place], |row| row.get(0)).optional()?;
    let packed = pack::add_bounded(Family::Day, old.as_deref().unwrap_or_default(), more)?;
    // An update in place leaves the index alone, which a replacement would write again.
    match old {
        Some(_) => conn
            .prepare_cached("UPDATE dimensions SET packed = ? WHERE place = ?")?
            .execute(params![packed, place])?,
        None => conn
            .prepare_cached("INSERT INTO dimensions (place, scope, day, packed) VALUES (?, ?, ?, ?)")?
            .execute(params![place, scope, day, packed])?,
    };
    Ok(())
}

/// Where a scope's day is.
fn place(scope: i64, day: i64) -> Result<i64> {
    let place = day.checked_mul(DAY).and_then(|begin| begin.checked_add(scope));
    place.filter(|_| scope.abs() < DAY / 2).ok_or_else(|| corrupt("a day's number", day))
}

/// A scope's rows of `from <= day < to`, of one series or of all, in the order of series, day and value; `older` are those
/// of the table `rows`.
pub(super) fn rows(
    conn: &Connection,
    scope: i64,
    of: Option<Series>,
    (from, to): (i64, i64),
    older: Vec<Row>,
) -> Result<Vec<Row>> {
    let mut sums: BTreeMap<(Series, i64, Cow<'static, str>), Counts> = BTreeMap::new();
    for row in older {
        *sums.entry((row.series, row.bucket, row.value)).or_default() += row.counts;
    }
    let mut find = conn.prepare_cached(
        "SELECT day, packed FROM dimensions INDEXED BY dimensions_by_scope \
         WHERE scope = ? AND day >= ? AND day < ? ORDER BY day",
    )?;
    let mut days = find.query(params![scope, from, to])?;
    while let Some(row) = days.next()? {
        let (day, packed): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        for entry in Entries::new(Family::Day, &packed) {
            let entry = entry?;
            if of.is_none_or(|series| series == entry.series) {
                let value = Cow::Owned(entry.value.to_owned());
                *sums.entry((entry.series, day, value)).or_default() += entry.counts;
            }
        }
    }
    let row = |((series, bucket, value), counts)| Row { series, bucket, value, counts };
    Ok(sums.into_iter().map(row).collect())
}

/// Takes a scope's away.
pub(super) fn clear(conn: &Connection, scope: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM dimensions INDEXED BY dimensions_by_scope WHERE scope = ?")?
        .execute([scope])?;
    Ok(())
}
