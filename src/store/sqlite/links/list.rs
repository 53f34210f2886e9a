//! Lists of links: orders and pages.
//!
//! Guarantees that pages never overlap and leave nothing out that was there throughout: a page begins after a
//! (sort key, code), and no two links share one. Nothing is counted or skipped over.

use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::filter;
use super::rows::{found, records};
use crate::domain::link::Found;
use crate::store::links::{LinkOrder, LinkPage};
use crate::store::{Error, Result};

/// Most links of one page.
const MAX_LIMIT: usize = 1_000;

/// A page of links.
///
/// A selective filter finds its links and sorts them; all others are looked through in the list's own order,
/// by that order's index. Which it is, is decided here and not left to SQLite, which does not know how many links
/// a value has.
pub(super) fn list(conn: &Connection, page: &LinkPage, now: Timestamp) -> Result<Vec<Found>> {
    let terms = filter::terms(&page.filter, now);
    let by_creation = page.order == LinkOrder::Created;
    let few = filter::few(conn, &terms, by_creation)?;
    let hint = if few.is_some() || !by_creation { "+" } else { "" };
    let (mut sql, mut params) = (vec![], vec![]);
    if let Some(ids) = few {
        sql.push("l.id IN (SELECT value FROM json_each(?))".to_owned());
        params.push(Value::Text(ids));
    }
    for term in terms {
        sql.push(term.sql.replace('~', hint));
        params.extend(term.params);
    }
    if let Some((term, keys)) = after(page)? {
        sql.push(term.to_owned());
        params.extend(keys);
    }
    let filter = if sql.is_empty() { "1".to_owned() } else { sql.join(" AND ") };
    let order = match (page.order, page.descending) {
        (LinkOrder::Created, false) => "l.created_at, l.code",
        (LinkOrder::Created, true) => "l.created_at DESC, l.code DESC",
        (LinkOrder::Updated, false) => "l.updated_at, l.code",
        (LinkOrder::Updated, true) => "l.updated_at DESC, l.code DESC",
        (LinkOrder::Code, false) => "l.code",
        (LinkOrder::Code, true) => "l.code DESC",
        (LinkOrder::Title, false) => "l.shown_title, l.code",
        (LinkOrder::Title, true) => "l.shown_title DESC, l.code DESC",
    };
    params.push(Value::Integer(i64::try_from(page.limit.clamp(1, MAX_LIMIT)).unwrap_or(1)));
    let sql = format!("{} WHERE {filter} ORDER BY {order} LIMIT ?", found!(""));
    let records = records(conn, &sql, rusqlite::params_from_iter(params))?;
    Ok(records.into_iter().map(|record| record.found).collect())
}

/// The condition that a page begins after another.
fn after(page: &LinkPage) -> Result<Option<(&'static str, Vec<Value>)>> {
    let Some((key, code)) = &page.after else { return Ok(None) };
    let code = Value::Text(code.clone());
    let key = match page.order {
        LinkOrder::Created | LinkOrder::Updated => Value::Integer(
            key.parse().map_err(|_| Error::Corrupt(format!("a page after the time \"{key}\"")))?,
        ),
        LinkOrder::Code | LinkOrder::Title => Value::Text(key.clone()),
    };
    Ok(Some(match (page.order, page.descending) {
        (LinkOrder::Created, false) => ("(l.created_at, l.code) > (?, ?)", vec![key, code]),
        (LinkOrder::Created, true) => ("(l.created_at, l.code) < (?, ?)", vec![key, code]),
        (LinkOrder::Updated, false) => ("(l.updated_at, l.code) > (?, ?)", vec![key, code]),
        (LinkOrder::Updated, true) => ("(l.updated_at, l.code) < (?, ?)", vec![key, code]),
        (LinkOrder::Code, false) => ("l.code > ?", vec![code]),
        (LinkOrder::Code, true) => ("l.code < ?", vec![code]),
        (LinkOrder::Title, false) => ("(l.shown_title, l.code) > (?, ?)", vec![key, code]),
        (LinkOrder::Title, true) => ("(l.shown_title, l.code) < (?, ?)", vec![key, code]),
    }))
}
