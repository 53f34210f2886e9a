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

/// Adds to a scope's day.
pub(super) fn add(conn: &Connection, scope: i64, day: i64, more: &mut [Entry<'_>]) -> Result<()> {
    let mut find = conn.prepare_cached("SELECT packed FROM dimensions WHERE day = ? AND scope = ?")?;
    let old: Option<Vec<u8>> = find.query_row([day, scope], |row| row.get(0)).optional()?;
    let packed = pack::add_bounded(Family::Day, old.as_deref().unwrap_or_default(), more)?;
    // An update in place leaves the index alone, which a replacement would write again.
    let put = match old {
        Some(_) => "UPDATE dimensions SET packed = ?3 WHERE day = ?1 AND scope = ?2",
        None => "INSERT INTO dimensions (day, scope, packed) VALUES (?1, ?2, ?3)",
    };
    conn.prepare_cached(put)?.execute(params![day, scope, packed])?;
    Ok(())
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
    conn.prepare_cached(
        "DELETE FROM dimensions WHERE (day, scope) IN \
         (SELECT day, scope FROM dimensions INDEXED BY dimensions_by_scope WHERE scope = ?)",
    )?
    .execute([scope])?;
    Ok(())
}
