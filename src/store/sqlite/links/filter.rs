//! What a list's filters are in SQL, and which of them narrows the list down to few links.
//!
//! Guarantees that only fixed text becomes SQL: whatever came from outside is a parameter. Knows nothing of
//! orders and pages.

use std::fmt::Write;

use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::search;
use crate::domain::link::Status;
use crate::store::Result;
use crate::store::links::LinkFilter;
use crate::store::sqlite::failure::ms;

/// Up to so many links are looked up one by one and sorted. A filter that more links pass is dense enough that
/// walking all links in the list's order soon finds a page of them.
const FEW: usize = 7_000;

/// One condition.
pub(super) struct Term {
    /// On `l`. A `~` stands before each column: it becomes nothing, or `+`, which keeps an index from being used.
    pub(super) sql: &'static str,
    pub(super) params: Vec<Value>,
    /// A query for the rows of the links that may pass, by an index.
    finder: Option<(&'static str, Vec<Value>)>,
    /// That index is also in order of creation.
    by_creation: bool,
}

impl Term {
    fn plain(sql: &'static str, params: impl Into<Vec<Value>>) -> Term {
        Term { sql, params: params.into(), finder: None, by_creation: false }
    }

    fn found(sql: &'static str, finder: &'static str, param: Value) -> Term {
        Term { finder: Some((finder, vec![param.clone()])), ..Term::plain(sql, [param]) }
    }
}

/// All conditions of a filter, at `now`.
pub(super) fn terms(filter: &LinkFilter, now: Timestamp) -> Vec<Term> {
    let mut terms = vec![];
    columns(&mut terms, filter);
    let mut text = |sql, finder, value: Option<String>| {
        terms.extend(value.map(|value| Term::found(sql, finder, Value::Text(value))));
    };
    text(
        "~l.id IN (SELECT link FROM link_tags WHERE tag = ?)",
        "SELECT link FROM link_tags WHERE tag = ?",
        filter.tag.clone(),
    );
    text(
        "~l.article IN (SELECT article FROM article_authors WHERE author = ?)",
        "SELECT l.id FROM article_authors x JOIN links l ON l.article = x.article WHERE x.author = ?",
        filter.author.clone(),
    );
    // Kept times are whole milliseconds, so a bound within one begins at the next.
    if let Some(from) = filter.from {
        terms.push(Term::plain("~l.created_at >= ?", [Value::Integer(ms_up(from))]));
    }
    if let Some(to) = filter.to {
        terms.push(Term::plain("~l.created_at < ?", [Value::Integer(ms_up(to))]));
    }
    if let Some(status) = filter.status {
        of_status(&mut terms, status, ms(now));
    }
    if let Some(viewer) = &filter.viewer {
        let sql = "(l.confidential = 0 OR l.not_before IS NULL OR l.not_before <= ? OR l.created_by = ?)";
        terms.push(Term::plain(sql, [Value::Integer(ms(now)), Value::Text(viewer.clone())]));
    }
    if filter.broken {
        let sql = "(~l.broken IS NOT NULL AND json_extract(l.broken, '$.target') IS l.target)";
        let finder = "SELECT id FROM links WHERE broken IS NOT NULL";
        terms.push(Term { finder: Some((finder, vec![])), ..Term::plain(sql, []) });
    }
    if let Some(q) = filter.q.as_ref().filter(|q| !q.is_empty()) {
        terms.push(matching(q));
    }
    terms
}

/// Columns with an index that is in order of creation.
fn columns(terms: &mut Vec<Term>, filter: &LinkFilter) {
    let values = [
        ("~l.section = ?", "SELECT id FROM links WHERE section = ?", filter.section.clone()),
        ("~l.channel = ?", "SELECT id FROM links WHERE channel = ?", filter.channel.clone()),
        ("~l.campaign = ?", "SELECT id FROM links WHERE campaign = ?", filter.campaign.clone()),
        ("~l.created_by = ?", "SELECT id FROM links WHERE created_by = ?", filter.created_by.clone()),
        ("~l.via = ?", "SELECT id FROM links WHERE via = ?", filter.via.map(|via| via.as_str().to_owned())),
        (
            "~l.article = (SELECT id FROM articles WHERE name = ?)",
            "SELECT id FROM links WHERE article = (SELECT id FROM articles WHERE name = ?)",
            filter.article.as_ref().map(|id| id.0.to_string()),
        ),
    ];
    for (sql, finder, value) in values {
        let term = value.map(|value| Term::found(sql, finder, Value::Text(value)));
        terms.extend(term.map(|term| Term { by_creation: true, ..term }));
    }
}

fn ms_up(at: Timestamp) -> i64 {
    let whole = at.as_nanosecond() % 1_000_000 == 0;
    let floor = i64::try_from(at.as_nanosecond().div_euclid(1_000_000)).unwrap_or(ms(at));
    floor.saturating_add(i64::from(!whole))
}

/// The same order of cases as `Link::status`.
fn of_status(terms: &mut Vec<Term>, status: Status, now: i64) {
    let now = || vec![Value::Integer(now)];
    let found = |sql, finder, params: Vec<Value>| Term {
        finder: Some((finder, params.clone())),
        ..Term::plain(sql, params)
    };
    if status == Status::Retired {
        let finder = "SELECT id FROM links WHERE retired_at IS NOT NULL";
        return terms.push(found("~l.retired_at IS NOT NULL", finder, vec![]));
    }
    terms.push(Term::plain("~l.retired_at IS NULL", []));
    if status == Status::Withdrawn {
        let finder = "SELECT l.id FROM articles a JOIN links l ON l.article = a.id WHERE a.withdrawn = 1";
        let sql = "~l.article IN (SELECT id FROM articles WHERE withdrawn = 1)";
        return terms.push(found(sql, finder, vec![]));
    }
    let sql = "(l.article IS NULL OR l.article NOT IN (SELECT id FROM articles WHERE withdrawn = 1))";
    terms.push(Term::plain(sql, []));
    if status == Status::Disabled {
        let finder = "SELECT id FROM links WHERE disabled = 1";
        return terms.push(found("~l.disabled = 1", finder, vec![]));
    }
    terms.push(Term::plain("~l.disabled = 0", []));
    if status == Status::Expired {
        let finder = "SELECT id FROM links WHERE expires_at <= ?";
        return terms.push(found("~l.expires_at <= ?", finder, now()));
    }
    terms.push(Term::plain("(~l.expires_at IS NULL OR ~l.expires_at > ?)", now()));
    if status == Status::Reserved {
        let finder = "SELECT id FROM links WHERE target IS NULL";
        return terms.push(found("~l.target IS NULL", finder, vec![]));
    }
    terms.push(Term::plain("~l.target IS NOT NULL", []));
    if status == Status::Scheduled {
        let finder = "SELECT id FROM links WHERE not_before > ?";
        return terms.push(found("~l.not_before > ?", finder, now()));
    }
    terms.push(Term::plain("(~l.not_before IS NULL OR ~l.not_before <= ?)", now()));
}

fn matching(q: &str) -> Term {
    if q.contains('\0') {
        // LIKE would read only what stands before it. No text of ours has one.
        return Term::plain("0", []);
    }
    let pattern = || Value::Text(search::contains(q));
    let term = Term::plain(
        "(~l.code LIKE ? ESCAPE '\\' OR ~l.shown_title LIKE ? ESCAPE '\\' OR ~l.target LIKE ? ESCAPE '\\' \
         OR ~l.note LIKE ? ESCAPE '\\')",
        [pattern(), pattern(), pattern(), pattern()],
    );
    let query = search::trigrams(q);
    Term { finder: query.map(|query| (search::FINDER, vec![Value::Text(query)])), ..term }
}

/// The few links that may pass, as a JSON list of rows, if some term lets only few pass. A list in order of
/// creation does not need the terms whose index is in that order already.
pub(super) fn few(conn: &Connection, terms: &[Term], by_creation: bool) -> Result<Option<String>> {
    for term in terms.iter().filter(|term| !(by_creation && term.by_creation)) {
        let Some((finder, params)) = &term.finder else { continue };
        if let Some(ids) = at_most_few(conn, finder, params)? {
            return Ok(Some(ids));
        }
    }
    Ok(None)
}

fn at_most_few(conn: &Connection, finder: &str, params: &[Value]) -> Result<Option<String>> {
    let mut statement = conn.prepare_cached(&format!("SELECT * FROM ({finder}) LIMIT {}", FEW + 1))?;
    let mut rows = statement.query(rusqlite::params_from_iter(params))?;
    let (mut ids, mut count) = (String::from("["), 0);
    while let Some(row) = rows.next()? {
        count += 1;
        if count > FEW {
            return Ok(None);
        }
        let separator = if count > 1 { "," } else { "" };
        let _ = write!(ids, "{separator}{}", row.get::<_, i64>(0)?);
    }
    ids.push(']');
    Ok(Some(ids))
}
