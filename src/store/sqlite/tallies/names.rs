//! Scopes as small numbers.
//!
//! Guarantees that a name has one number for ever. What the writer remembers of it is bounded, and forgotten
//! when a write is undone, because a number may have been undone with it.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::code::fold;
use crate::domain::lane::{Lane, lane_of};
use crate::domain::tally::{BEYOND, Group, Scope, ScopeKind, Series};
use crate::store::sqlite::failure::{corrupt, unsigned};
use crate::store::sqlite::threads::State;
use crate::store::{Result, named};

/// Scopes that the writer remembers; at more it begins anew. About 100 bytes each.
const REMEMBERED: usize = 100_000;

/// What the writer of tallies.db keeps in memory.
#[derive(Default)]
pub(in crate::store::sqlite) struct Names {
    scopes: HashMap<Scope, i64, foldhash::fast::RandomState>,
}

impl State for Names {
    fn rolled_back(&mut self) {
        self.scopes.clear();
    }
}

impl Names {
    /// The number of a scope, made if it is new.
    pub(super) fn scope(&mut self, conn: &Connection, lanes: Lane, scope: &Scope) -> Result<i64> {
        if let Some(id) = self.scopes.get(scope) {
            return Ok(*id);
        }
        let (kind, name) = scope.parts();
        let id = match scope_id(conn, kind, name)? {
            Some(id) => id,
            None => add_scope(conn, lanes, scope)?,
        };
        if self.scopes.len() >= REMEMBERED {
            self.scopes.clear();
        }
        self.scopes.insert(scope.clone(), id);
        Ok(id)
    }

    /// The sections and authors of these groups for which there is no room.
    pub(super) fn beyond(&self, conn: &Connection, groups: &[Group]) -> Result<BTreeSet<Scope>> {
        let mut new = BTreeSet::new();
        for Group { scope, .. } in groups {
            let (kind, name) = scope.parts();
            if named::takes_a_place(kind, name)
                && !self.scopes.contains_key(scope)
                && scope_id(conn, kind, name)?.is_none()
            {
                new.insert(scope.clone());
            }
        }
        named::beyond(&new, |kind| taken(conn, kind))
    }
}

/// How many sections or authors have a place.
fn taken(conn: &Connection, kind: ScopeKind) -> Result<u64> {
    let mut count = conn.prepare_cached("SELECT count(*) FROM scopes WHERE kind = ? AND name <> ?")?;
    unsigned(count.query_row(params![kind_number(kind), BEYOND], |row| row.get(0))?)
}

/// The number of a scope that is known.
pub(super) fn scope_id(conn: &Connection, kind: ScopeKind, name: &str) -> Result<Option<i64>> {
    let mut find = conn.prepare_cached("SELECT id FROM scopes WHERE kind = ? AND name = ?")?;
    Ok(find.query_row(params![kind_number(kind), name], |row| row.get(0)).optional()?)
}

fn add_scope(conn: &Connection, lanes: Lane, scope: &Scope) -> Result<i64> {
    let (kind, name) = scope.parts();
    // Links get positive numbers, the few others negative ones: see the table `scopes`.
    let next = if kind == ScopeKind::Link {
        "SELECT max(coalesce(max(id), 0), 0) + 1 FROM scopes"
    } else {
        "SELECT min(coalesce(min(id), 0), 0) - 1 FROM scopes"
    };
    let id: i64 = conn.prepare_cached(next)?.query_row([], |row| row.get(0))?;
    conn.prepare_cached(
        "INSERT INTO scopes (id, kind, name, lane, clicks, previews, bots, missed, uniques, unfurls) \
         VALUES (?, ?, ?, ?, 0, 0, 0, 0, 0, 0)",
    )?
    .execute(params![id, kind_number(kind), name, audited_in(scope, lanes)])?;
    Ok(id)
}

/// The lane in whose audit a scope's sum counts.
pub(super) fn audited_in(scope: &Scope, lanes: Lane) -> Option<Lane> {
    match scope {
        Scope::Site => Some(lanes),
        Scope::Link(code) => Some(lane_of(&fold(code), lanes)),
        Scope::Section(_) | Scope::Author(_) | Scope::Channel(_) => None,
    }
}

/// A kind as it is kept.
pub(super) fn kind_number(kind: ScopeKind) -> i64 {
    match kind {
        ScopeKind::Site => 0,
        ScopeKind::Link => 1,
        ScopeKind::Section => 2,
        ScopeKind::Author => 3,
        ScopeKind::Channel => 4,
    }
}

/// A kept kind.
pub(super) fn kind_of(number: i64) -> Result<ScopeKind> {
    let found = ScopeKind::ALL.into_iter().find(|kind| kind_number(*kind) == number);
    found.ok_or_else(|| corrupt("a kind of scope", number))
}

/// A series as it is kept.
pub(super) fn series_number(series: Series) -> i64 {
    series.number().into()
}

/// A kept series.
pub(super) fn series_of(number: i64) -> Result<Series> {
    let found = u64::try_from(number).ok().and_then(Series::from_number);
    found.ok_or_else(|| corrupt("a series", number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_numbers_are_those_of_the_domain() {
        for kind in ScopeKind::ALL {
            assert_eq!(kind_number(kind), kind as i64);
            assert_eq!(kind_of(kind_number(kind)).unwrap(), kind);
        }
        for series in Series::ALL {
            assert_eq!(series_of(series_number(series)).unwrap(), series);
        }
    }
}
