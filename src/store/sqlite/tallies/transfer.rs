//! Export and import of numbers.
//!
//! Guarantees that what is read back is set and never added, and that the audit of a lane that held before an
//! import holds after it: what the numbers rise by is what base rises by.

use std::borrow::Cow;

use rusqlite::{Connection, params};

use super::names::{Names, audited_in, kind_number, kind_of, series_of};
use super::read::{counts, total, total_row};
use super::{apply, dimensions, sketches};
use crate::domain::lane::Lane;
use crate::domain::tally::{Group, Row, Scope, ScopeKind};
use crate::store::Result;
use crate::store::sqlite::failure::{corrupt, signed};

/// Scopes of one page.
const SCOPES: usize = 1_000;
/// A page ends after the scope with which it has so many rows.
const ROWS: usize = 20_000;

/// The scopes after `after`, by kind and name, with all their rows.
pub(super) fn export(conn: &Connection, after: Option<&(ScopeKind, String)>) -> Result<Vec<Group>> {
    let (kind, name) = after.map_or((-1, ""), |(kind, name)| (kind_number(*kind), name.as_str()));
    let mut scopes = conn.prepare_cached(
        "SELECT id, kind, name, clicks, previews, bots, missed, uniques, unfurls FROM scopes \
         WHERE (kind, name) > (?, ?) ORDER BY kind, name LIMIT ?",
    )?;
    let mut found = scopes.query(params![kind, name, i64::try_from(SCOPES).unwrap_or(i64::MAX)])?;
    let (mut groups, mut count) = (vec![], 0);
    while let Some(row) = found.next()? {
        let scope = Scope::from_parts(kind_of(row.get(1)?)?, &row.get::<_, String>(2)?);
        let mut rows: Vec<Row> = total_row(counts(row, 3)?).into_iter().collect();
        rows_of(conn, row.get(0)?, &mut rows)?;
        let rows = dimensions::rows(conn, row.get(0)?, None, (i64::MIN, i64::MAX), rows)?;
        let sketches = sketches::all(conn, row.get(0)?, i64::MIN, i64::MAX)?;
        count += rows.len() + sketches.len() + 1;
        groups.push(Group { scope, rows, sketches });
        if count >= ROWS {
            break;
        }
    }
    Ok(groups)
}

fn rows_of(conn: &Connection, scope: i64, rows: &mut Vec<Row>) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT r.series, r.bucket, w.word, r.clicks, r.previews, r.bots, r.missed, r.uniques, r.unfurls \
         FROM rows r INDEXED BY rows_by_scope CROSS JOIN words w ON w.id = r.value \
         WHERE r.scope = ? ORDER BY r.series, r.bucket, w.word",
    )?;
    let mut found = statement.query([scope])?;
    while let Some(row) = found.next()? {
        rows.push(Row {
            series: series_of(row.get(0)?)?,
            bucket: row.get(1)?,
            value: Cow::Owned(row.get(2)?),
            counts: counts(row, 3)?,
        });
    }
    Ok(())
}

/// Sets the numbers of these scopes: all that a scope had before is gone.
pub(super) fn import(conn: &Connection, names: &mut Names, lanes: Lane, groups: &[Group]) -> Result<()> {
    for group in groups {
        let before = total(conn, &group.scope)?.all();
        let id = names.scope(conn, lanes, &group.scope)?;
        // A WITHOUT ROWID table's rows are found by the index, then each is one step away.
        conn.prepare_cached(
            "DELETE FROM rows WHERE (series, bucket, scope, value) IN \
             (SELECT series, bucket, scope, value FROM rows INDEXED BY rows_by_scope WHERE scope = ?)",
        )?
        .execute([id])?;
        conn.prepare_cached(
            "UPDATE scopes SET clicks = 0, previews = 0, bots = 0, missed = 0, uniques = 0, unfurls = 0 \
             WHERE id = ?",
        )?
        .execute([id])?;
        dimensions::clear(conn, id)?;
        conn.prepare_cached(
            "DELETE FROM sketches WHERE (day, scope, of) IN \
             (SELECT day, scope, of FROM sketches INDEXED BY sketches_by_scope WHERE scope = ?)",
        )?
        .execute([id])?;
        apply::put(conn, names, lanes, group)?;
        if let Some(lane) = audited_in(&group.scope, lanes) {
            let rise = signed(total(conn, &group.scope)?.all())?.saturating_sub(signed(before)?);
            raise_base(conn, lane, rise)?;
        }
    }
    Ok(())
}

/// Sets what was lost in a lane; base rises with it, so that the audit holds on.
pub(super) fn import_lost(conn: &Connection, lane: Lane, lost: u64) -> Result<()> {
    let mut find = conn.prepare_cached("SELECT lost FROM lanes WHERE lane = ?")?;
    let before: i64 = find.query_row([lane], |row| row.get(0))?;
    raise_base(conn, lane, signed(lost)?.saturating_sub(before))?;
    conn.prepare_cached("UPDATE lanes SET lost = ? WHERE lane = ?")?.execute(params![signed(lost)?, lane])?;
    Ok(())
}

fn raise_base(conn: &Connection, lane: Lane, by: i64) -> Result<()> {
    let changed = conn
        .prepare_cached("UPDATE lanes SET base = base + ?1 WHERE lane = ?2 AND base + ?1 >= 0")?
        .execute(params![by, lane])?;
    if changed == 0 {
        let what = "an import into numbers that are still being counted: it would take from them, lane";
        return Err(corrupt(what, lane));
    }
    Ok(())
}
