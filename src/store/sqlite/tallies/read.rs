//! Reading numbers: one scope's rows, the sums of many scopes over days, totals.
//!
//! Guarantees that a read costs what it shows (rows, or link-days), never what was counted.

use std::borrow::Cow;
use std::collections::HashMap;

use rusqlite::{Connection, Row as SqlRow, params};

use super::dimensions;
use super::names::{kind_number, scope_id, series_number};
use crate::domain::tally::{Counts, Row, Scope, ScopeKind, Series};
use crate::store::sqlite::failure::unsigned;
use crate::store::{Error, Result};

/// Most scopes of one `by_scope`.
const MAX_ONLY: usize = 10_000;

/// Reads six columns from `at` on.
pub(super) fn counts(row: &SqlRow<'_>, at: usize) -> Result<Counts> {
    Ok(Counts {
        clicks: unsigned(row.get(at)?)?,
        previews: unsigned(row.get(at + 1)?)?,
        bots: unsigned(row.get(at + 2)?)?,
        missed: unsigned(row.get(at + 3)?)?,
        uniques: unsigned(row.get(at + 4)?)?,
        unfurls: unsigned(row.get(at + 5)?)?,
    })
}

/// A scope's sum.
pub(super) fn total(conn: &Connection, scope: &Scope) -> Result<Counts> {
    let (kind, name) = scope.parts();
    let mut find = conn.prepare_cached(
        "SELECT clicks, previews, bots, missed, uniques, unfurls FROM scopes WHERE kind = ? AND name = ?",
    )?;
    let mut rows = find.query(params![kind_number(kind), name])?;
    rows.next()?.map_or(Ok(Counts::default()), |row| counts(row, 0))
}

/// The row of `Total`, unless it is nothing.
pub(super) fn total_row(sum: Counts) -> Option<Row> {
    let row = Row { series: Series::Total, bucket: 0, value: Cow::Borrowed(""), counts: sum };
    (sum != Counts::default()).then_some(row)
}

/// The rows of a scope in a series, by bucket and value.
pub(super) fn rows(conn: &Connection, scope: &Scope, series: Series, from: i64, to: i64) -> Result<Vec<Row>> {
    if series == Series::Total {
        let row = if from <= 0 && 0 < to { total_row(total(conn, scope)?) } else { None };
        return Ok(row.into_iter().collect());
    }
    let (kind, name) = scope.parts();
    let Some(id) = scope_id(conn, kind, name)? else { return Ok(vec![]) };
    let mut statement = conn.prepare_cached(
        "SELECT r.bucket, w.word, r.clicks, r.previews, r.bots, r.missed, r.uniques, r.unfurls \
         FROM rows r INDEXED BY rows_by_scope CROSS JOIN words w ON w.id = r.value \
         WHERE r.scope = ? AND r.series = ? AND r.bucket >= ? AND r.bucket < ? ORDER BY r.bucket, w.word",
    )?;
    let mut found = statement.query(params![id, series_number(series), from, to])?;
    let mut rows = vec![];
    while let Some(row) = found.next()? {
        rows.push(Row {
            series,
            bucket: row.get(0)?,
            value: Cow::Owned(row.get(1)?),
            counts: counts(row, 2)?,
        });
    }
    match series {
        Series::Minute | Series::Hour | Series::Day => Ok(rows),
        _ => dimensions::rows(conn, id, Some(series), (from, to), rows),
    }
}

/// The first bucket of a scope in a series.
pub(super) fn first_bucket(conn: &Connection, scope: &Scope, series: Series) -> Result<Option<i64>> {
    let (kind, name) = scope.parts();
    let Some(id) = scope_id(conn, kind, name)? else { return Ok(None) };
    let mut first = conn.prepare_cached(
        "SELECT min(bucket) FROM rows INDEXED BY rows_by_scope WHERE scope = ? AND series = ?",
    )?;
    Ok(first.query_row([id, series_number(series)], |row| row.get(0))?)
}

/// The sums of the scopes of a kind over days.
pub(super) fn by_scope(
    conn: &Connection,
    kind: ScopeKind,
    from: i64,
    to: i64,
    only: Option<&[String]>,
) -> Result<Vec<(String, Counts)>> {
    let day = series_number(Series::Day);
    let Some(only) = only else { return all_by_scope(conn, kind, day, from, to) };
    if only.len() > MAX_ONLY {
        return Err(Error::Corrupt(format!("{} scopes are asked for at once", only.len())));
    }
    let mut names: Vec<&String> = only.iter().collect();
    names.sort_unstable();
    names.dedup();
    let mut statement = conn.prepare_cached(
        "SELECT clicks, previews, bots, missed, uniques, unfurls FROM rows INDEXED BY rows_by_scope \
         WHERE scope = ? AND series = ? AND bucket >= ? AND bucket < ?",
    )?;
    let mut sums = vec![];
    for name in names {
        let Some(id) = scope_id(conn, kind, name)? else { continue };
        let mut sum = None;
        let mut rows = statement.query(params![id, day, from, to])?;
        while let Some(row) = rows.next()? {
            *sum.get_or_insert_with(Counts::default) += counts(row, 0)?;
        }
        sums.extend(sum.map(|sum| (name.clone(), sum)));
    }
    Ok(sums)
}

/// The sums of links over minutes.
pub(super) fn links_by_minute(conn: &Connection, from: i64, to: i64) -> Result<Vec<(String, Counts)>> {
    all_by_scope(conn, ScopeKind::Link, series_number(Series::Minute), from, to)
}

/// Bucket by bucket, since the scopes of one sign lie together in each; what one without hits costs is one step.
fn all_by_scope(
    conn: &Connection,
    kind: ScopeKind,
    series: i64,
    from: i64,
    to: i64,
) -> Result<Vec<(String, Counts)>> {
    let mut sums: HashMap<i64, Counts, foldhash::fast::RandomState> = HashMap::default();
    let mut next_bucket =
        conn.prepare_cached("SELECT min(bucket) FROM rows WHERE series = ? AND bucket >= ?")?;
    let of_bucket = if kind == ScopeKind::Link {
        "SELECT scope, clicks, previews, bots, missed, uniques, unfurls FROM rows \
         WHERE series = ? AND bucket = ? AND scope > 0"
    } else {
        "SELECT scope, clicks, previews, bots, missed, uniques, unfurls FROM rows \
         WHERE series = ? AND bucket = ? AND scope < 0"
    };
    let mut of_bucket = conn.prepare_cached(of_bucket)?;
    let mut at = from;
    while let Some(bucket) = next_bucket.query_row([series, at], |row| row.get::<_, Option<i64>>(0))? {
        if bucket >= to {
            break;
        }
        let mut rows = of_bucket.query([series, bucket])?;
        while let Some(row) = rows.next()? {
            *sums.entry(row.get(0)?).or_default() += counts(row, 1)?;
        }
        at = bucket.saturating_add(1);
    }
    let mut name = conn.prepare_cached("SELECT name FROM scopes WHERE id = ? AND kind = ?")?;
    let mut named = Vec::with_capacity(sums.len());
    for (id, sum) in sums {
        // The numbers below 0 are of several kinds.
        let mut rows = name.query(params![id, kind_number(kind)])?;
        if let Some(row) = rows.next()? {
            named.push((row.get(0)?, sum));
        }
    }
    Ok(named)
}
