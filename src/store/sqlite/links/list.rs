//! Lists of links: filters, orders, pages.
//!
//! Guarantees that pages never overlap and leave nothing out that was there throughout: a page begins after a
//! (sort key, code), and no two links share one. Nothing is counted or skipped over.

use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::rows::{found, records};
use super::search;
use crate::domain::link::{Found, Status};
use crate::store::links::{LinkFilter, LinkOrder, LinkPage};
use crate::store::sqlite::failure::ms;
use crate::store::{Error, Result};

/// Most links of one page.
const MAX_LIMIT: usize = 1_000;

/// A WHERE clause in the making. Only fixed text becomes SQL; whatever came from outside is a parameter.
#[derive(Default)]
struct Terms {
    sql: Vec<&'static str>,
    params: Vec<Value>,
}

impl Terms {
    fn add(&mut self, sql: &'static str, params: impl IntoIterator<Item = Value>) {
        self.sql.push(sql);
        self.params.extend(params);
    }

    fn text(&mut self, sql: &'static str, value: Option<&String>) {
        if let Some(value) = value {
            self.add(sql, [Value::Text(value.clone())]);
        }
    }
}

/// A page of links.
pub(super) fn list(conn: &Connection, page: &LinkPage, now: Timestamp) -> Result<Vec<Found>> {
    let mut terms = Terms::default();
    filter(&mut terms, &page.filter);
    if let Some(status) = page.filter.status {
        of_status(&mut terms, status, ms(now));
    }
    if let Some(q) = page.filter.q.as_ref().filter(|q| !q.is_empty()) {
        matching(&mut terms, conn, q)?;
    }
    after(&mut terms, page)?;
    let filter = if terms.sql.is_empty() { "1".to_owned() } else { terms.sql.join(" AND ") };
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
    let limit = page.limit.clamp(1, MAX_LIMIT);
    let sql = format!("{} WHERE {filter} ORDER BY {order} LIMIT {limit}", found!(""));
    let records = records(conn, &sql, rusqlite::params_from_iter(terms.params))?;
    Ok(records.into_iter().map(|record| record.found).collect())
}

fn filter(terms: &mut Terms, filter: &LinkFilter) {
    terms.text("l.section = ?", filter.section.as_ref());
    terms.text("l.channel = ?", filter.channel.as_ref());
    terms.text("l.campaign = ?", filter.campaign.as_ref());
    terms.text("l.created_by = ?", filter.created_by.as_ref());
    terms.text("l.id IN (SELECT link FROM link_tags WHERE tag = ?)", filter.tag.as_ref());
    terms.text("l.article IN (SELECT article FROM article_authors WHERE author = ?)", filter.author.as_ref());
    if let Some(id) = &filter.article {
        terms.add("l.article = (SELECT id FROM articles WHERE name = ?)", [Value::Text(id.0.to_string())]);
    }
    if let Some(via) = filter.via {
        terms.add("l.via = ?", [Value::Text(via.as_str().to_owned())]);
    }
    // Kept times are whole milliseconds, so a bound within one begins at the next.
    if let Some(from) = filter.from {
        terms.add("l.created_at >= ?", [Value::Integer(ms_up(from))]);
    }
    if let Some(to) = filter.to {
        terms.add("l.created_at < ?", [Value::Integer(ms_up(to))]);
    }
}

fn ms_up(at: Timestamp) -> i64 {
    let whole = at.as_nanosecond() % 1_000_000 == 0;
    let floor = i64::try_from(at.as_nanosecond().div_euclid(1_000_000)).unwrap_or(ms(at));
    floor.saturating_add(i64::from(!whole))
}

/// The same order of cases as `Link::status`; the first term is what a partial index is made of.
fn of_status(terms: &mut Terms, status: Status, now: i64) {
    let now = || [Value::Integer(now)];
    if status == Status::Retired {
        return terms.add("l.retired_at IS NOT NULL", []);
    }
    terms.add("l.retired_at IS NULL", []);
    if status == Status::Disabled {
        return terms.add("l.disabled = 1", []);
    }
    terms.add("l.disabled = 0", []);
    if status == Status::Expired {
        return terms.add("l.expires_at <= ?", now());
    }
    terms.add("(l.expires_at IS NULL OR l.expires_at > ?)", now());
    if status == Status::Reserved {
        return terms.add("l.target IS NULL", []);
    }
    terms.add("l.target IS NOT NULL", []);
    if status == Status::Scheduled {
        return terms.add("l.not_before > ?", now());
    }
    terms.add("(l.not_before IS NULL OR l.not_before <= ?)", now());
}

fn matching(terms: &mut Terms, conn: &Connection, q: &str) -> Result<()> {
    if q.contains('\0') {
        // LIKE would read only what stands before it. No text of ours has one.
        terms.add("0", []);
        return Ok(());
    }
    if let Some(ids) = search::candidates(conn, q)? {
        terms.add("l.id IN (SELECT value FROM json_each(?))", [Value::Text(ids)]);
    }
    let pattern = || Value::Text(search::contains(q));
    terms.add(
        "(l.code LIKE ? ESCAPE '\\' OR l.shown_title LIKE ? ESCAPE '\\' OR l.target LIKE ? ESCAPE '\\' \
         OR l.note LIKE ? ESCAPE '\\')",
        [pattern(), pattern(), pattern(), pattern()],
    );
    Ok(())
}

fn after(terms: &mut Terms, page: &LinkPage) -> Result<()> {
    let Some((key, code)) = &page.after else { return Ok(()) };
    let code = Value::Text(code.clone());
    let key = match page.order {
        LinkOrder::Created | LinkOrder::Updated => Value::Integer(
            key.parse().map_err(|_| Error::Corrupt(format!("a page after the time \"{key}\"")))?,
        ),
        LinkOrder::Code | LinkOrder::Title => Value::Text(key.clone()),
    };
    match (page.order, page.descending) {
        (LinkOrder::Created, false) => terms.add("(l.created_at, l.code) > (?, ?)", [key, code]),
        (LinkOrder::Created, true) => terms.add("(l.created_at, l.code) < (?, ?)", [key, code]),
        (LinkOrder::Updated, false) => terms.add("(l.updated_at, l.code) > (?, ?)", [key, code]),
        (LinkOrder::Updated, true) => terms.add("(l.updated_at, l.code) < (?, ?)", [key, code]),
        (LinkOrder::Code, false) => terms.add("l.code > ?", [code]),
        (LinkOrder::Code, true) => terms.add("l.code < ?", [code]),
        (LinkOrder::Title, false) => terms.add("(l.shown_title, l.code) > (?, ?)", [key, code]),
        (LinkOrder::Title, true) => terms.add("(l.shown_title, l.code) < (?, ?)", [key, code]),
    }
    Ok(())
}
