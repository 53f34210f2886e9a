//! Rows of `links` and `articles` as the domain's words, and back.
//!
//! Guarantees one order of columns for every query. Knows no rule about links.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::domain::article::{Article, ArticleFacts, ArticleId, Note, PageOutcome, PageState, Said};
use crate::domain::code::Code;
use crate::domain::link::{Broken, Found, Link, Via};
use crate::store::sqlite::failure::{corrupt, maybe_time, ms, signed, time, unsigned};
use crate::store::{Error, Result};

/// The columns of an article `a`, as [`article_columns`] reads them.
macro_rules! article_names {
    () => {
        "a.id, a.name, a.cms_id, a.url, a.address, a.site, a.title, a.description, a.section, a.authors, a.published_at, \
         a.modified_at, a.image, a.language, a.said, a.withdrawn, a.replacement_url, a.message, a.merged_into, \
         a.read_outcome, a.read_at, a.read_failures, a.read_due, a.created_at, a.updated_at, a.version, a.notes"
    };
}
pub(super) use article_names;

/// What [`record`] reads; `l` is a link and `a` its article, if it has one.
macro_rules! found {
    ($rest:literal) => {
        concat!(
            "SELECT l.id, l.created_tag, l.write_tags, l.code, l.target, l.target_version, l.follows_article, l.added, \
             l.title, l.channel, l.campaign, l.tags, l.note, l.not_before, l.expires_at, l.expired_url, \
             l.message, l.redirect_status, l.forward_query, l.confidential, l.disabled, l.broken, l.retired_at, \
             l.created_at, l.created_by, l.via, l.updated_at, l.version, ",
            $crate::store::sqlite::links::rows::article_names!(),
            " FROM links l LEFT JOIN articles a ON a.id = l.article ",
            $rest
        )
    };
}
pub(super) use found;

/// A link as it is kept, with what only the store needs.
pub(in crate::store::sqlite) struct Record {
    /// Its row; older links have smaller ones.
    pub(in crate::store::sqlite) id: i64,
    /// Its article's row.
    pub(in crate::store::sqlite) article: Option<i64>,
    /// The request that made it.
    pub(in crate::store::sqlite) created_tag: Option<u64>,
    /// The requests of its last writes, 8 bytes each, oldest first.
    pub(in crate::store::sqlite) write_tags: Vec<u8>,
    /// All that others see.
    pub(in crate::store::sqlite) found: Found,
}

/// Reads columns one after the other, so that a query and its reader cannot slip against each other unseen.
struct Columns<'a> {
    row: &'a Row<'a>,
    at: usize,
}

impl Columns<'_> {
    fn next<T: FromSql>(&mut self) -> Result<T> {
        self.at += 1;
        Ok(self.row.get(self.at - 1)?)
    }

    fn time(&mut self) -> Result<Timestamp> {
        time(self.next()?)
    }

    fn maybe_time(&mut self) -> Result<Option<Timestamp>> {
        maybe_time(self.next()?)
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let text: Option<String> = self.next()?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| corrupt("a column", text))).transpose()
    }

    fn list(&mut self) -> Result<Vec<String>> {
        let text: String = self.next()?;
        serde_json::from_str(&text).map_err(|_| corrupt("a list", text))
    }
}

/// Reads a row of a [`found!`] query.
pub(in crate::store::sqlite) fn record(row: &Row<'_>) -> Result<Record> {
    let c = &mut Columns { row, at: 0 };
    let id = c.next()?;
    let created_tag = c.next::<Option<i64>>()?.map(i64::cast_unsigned);
    let write_tags = c.next()?;
    let mut link = link(c)?;
    let article = article_columns(c)?;
    link.article = article.as_ref().map(|(_, a)| a.id.clone());
    link.settle_broken();
    let (row, article) = article.map(|(row, a)| (row, Arc::new(a))).unzip();
    Ok(Record { id, article: row, created_tag, write_tags, found: Found { link: Arc::new(link), article } })
}

fn link(c: &mut Columns<'_>) -> Result<Link> {
    let code: String = c.next()?;
    Ok(Link {
        code: Code::parse(&code).map_err(|_| corrupt("a code", &code))?,
        target: c.next()?,
        target_version: c.next()?,
        article: None,
        follows_article: c.next()?,
        added: c.next()?,
        title: c.next()?,
        channel: c.next()?,
        campaign: c.next()?,
        tags: c.list()?,
        note: c.next()?,
        not_before: c.maybe_time()?,
        expires_at: c.maybe_time()?,
        expired_url: c.next()?,
        message: c.next()?,
        redirect_status: c.next()?,
        forward_query: c.next()?,
        confidential: c.next()?,
        disabled: c.next()?,
        broken: c.json()?,
        retired_at: c.maybe_time()?,
        created_at: c.time()?,
        created_by: c.next()?,
        via: {
            let via: String = c.next()?;
            Via::from_name(&via).ok_or_else(|| corrupt("a via", via))?
        },
        updated_at: c.time()?,
        version: unsigned(c.next()?)?,
    })
}

fn article_columns(c: &mut Columns<'_>) -> Result<Option<(i64, Article)>> {
    let Some(row) = c.next::<Option<i64>>()? else { return Ok(None) };
    let article = Article {
        id: ArticleId(c.next()?),
        cms_id: c.next()?,
        url: c.next()?,
        address: c.next()?,
        site: c.next()?,
        facts: ArticleFacts {
            title: c.next()?,
            description: c.next()?,
            section: c.next()?,
            authors: c.list()?,
            published_at: c.maybe_time()?,
            modified_at: c.maybe_time()?,
            image: c.next()?,
            language: c.next()?,
        },
        said: Said::from_bits(c.next()?),
        withdrawn: c.next()?,
        replacement_url: c.next()?,
        message: c.next()?,
        merged_into: c.next::<Option<Box<str>>>()?.map(ArticleId),
        read: PageState {
            outcome: {
                let number = c.next()?;
                PageOutcome::from_number(number).ok_or_else(|| corrupt("an outcome of a page", number))?
            },
            at: c.maybe_time()?,
            failures: c.next()?,
            due: c.maybe_time()?,
        },
        created_at: c.time()?,
        updated_at: c.time()?,
        version: unsigned(c.next()?)?,
        notes: c.json()?.unwrap_or_default(),
    };
    Ok(Some((row, article)))
}

/// What [`article`] reads.
macro_rules! articles {
    ($rest:literal) => {
        concat!("SELECT ", $crate::store::sqlite::links::rows::article_names!(), " FROM articles a ", $rest)
    };
}
pub(super) use articles;

/// Reads a row of an [`articles!`] query: its row id and itself.
pub(in crate::store::sqlite) fn article(row: &Row<'_>) -> Result<(i64, Article)> {
    article_columns(&mut Columns { row, at: 0 })?.ok_or_else(|| corrupt("an article's row", "NULL"))
}

/// All records of a query.
pub(in crate::store::sqlite) fn records(
    conn: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<Record>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = vec![];
    while let Some(row) = rows.next()? {
        found.push(record(row)?);
    }
    Ok(found)
}

/// All links whose code folds to `key`, oldest first.
pub(in crate::store::sqlite) fn by_key(conn: &Connection, key: &str) -> Result<Vec<Record>> {
    let mut found = records(conn, found!("WHERE l.code = ?1"), [key])?;
    found.extend(records(conn, found!("WHERE l.key = ?1 AND l.key <> l.code"), [key])?);
    found.sort_unstable_by_key(|record| record.id);
    Ok(found)
}

/// The link of exactly this code.
pub(in crate::store::sqlite) fn by_code(conn: &Connection, code: &str) -> Result<Option<Record>> {
    Ok(records(conn, found!("WHERE l.code = ?1"), [code])?.pop())
}

/// The link of this row.
pub(in crate::store::sqlite) fn by_id(conn: &Connection, id: i64) -> Result<Record> {
    let found = records(conn, found!("WHERE l.id = ?1"), [id])?.pop();
    found.ok_or_else(|| corrupt("a reference to a link", id))
}

/// The title that lists show and sort by.
pub(in crate::store::sqlite) fn shown_title<'a>(link: &'a Link, article: Option<&'a Article>) -> &'a str {
    link.title.as_deref().or_else(|| article?.facts.title.as_deref()).unwrap_or_default()
}

/// A list as a column.
pub(in crate::store::sqlite) fn list_text(list: &[String]) -> Result<String> {
    if list.is_empty() {
        return Ok("[]".into());
    }
    serde_json::to_string(list).map_err(|e| Error::Corrupt(e.to_string()))
}

/// Notes as a column.
pub(in crate::store::sqlite) fn notes_text(notes: &[Note]) -> Result<Option<String>> {
    let text = (!notes.is_empty()).then(|| serde_json::to_string(notes));
    text.transpose().map_err(|e| Error::Corrupt(e.to_string()))
}

/// What is wrong with a target, as a column.
pub(in crate::store::sqlite) fn broken_text(broken: Option<&Broken>) -> Result<Option<String>> {
    broken.map(|b| serde_json::to_string(b).map_err(|e| Error::Corrupt(e.to_string()))).transpose()
}

/// Adds a link's row, and what finds it by tag and by search.
pub(in crate::store::sqlite) fn insert_link(
    conn: &Connection,
    link: &Link,
    article: Option<(i64, &Article)>,
    tag: Option<u64>,
) -> Result<i64> {
    conn.prepare_cached(
        "INSERT INTO links (code, key, target, target_version, article, follows_article, added, title, channel, \
         campaign, tags, note, not_before, expires_at, expired_url, message, redirect_status, forward_query, \
         confidential, disabled, broken, retired_at, created_at, created_by, via, updated_at, version, \
         created_tag, write_tags, shown_title, section) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \
         ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, x'', ?, ?)",
    )?
    .execute(params![
        link.code.as_str(),
        link.code.key(),
        link.target,
        link.target_version,
        article.map(|(row, _)| row),
        link.follows_article,
        link.added,
        link.title,
        link.channel,
        link.campaign,
        list_text(&link.tags)?,
        link.note,
        link.not_before.map(ms),
        link.expires_at.map(ms),
        link.expired_url,
        link.message,
        link.redirect_status,
        link.forward_query,
        link.confidential,
        link.disabled,
        broken_text(link.broken.as_ref())?,
        link.retired_at.map(ms),
        ms(link.created_at),
        link.created_by,
        link.via.as_str(),
        ms(link.updated_at),
        signed(link.version)?,
        tag.map(u64::cast_signed),
        shown_title(link, article.map(|(_, a)| a)),
        article.and_then(|(_, a)| a.facts.section.as_deref()),
    ])?;
    let id = conn.last_insert_rowid();
    insert_tags(conn, id, &link.tags)?;
    expect_search(conn, id)?;
    Ok(id)
}

/// Makes a link known by its tags.
pub(in crate::store::sqlite) fn insert_tags(conn: &Connection, id: i64, tags: &[String]) -> Result<()> {
    let mut add = conn.prepare_cached("INSERT OR IGNORE INTO link_tags (tag, link) VALUES (?, ?)")?;
    for tag in tags {
        add.execute(params![tag, id])?;
    }
    Ok(())
}

/// Notes that a link's words changed, so that a search looks at it until it is indexed.
pub(in crate::store::sqlite) fn expect_search(conn: &Connection, id: i64) -> Result<()> {
    conn.prepare_cached("INSERT OR IGNORE INTO search_pending (link) VALUES (?)")?.execute([id])?;
    Ok(())
}

/// The row of an article's id.
pub(in crate::store::sqlite) fn article_row(conn: &Connection, id: &ArticleId) -> Result<Option<i64>> {
    let mut find = conn.prepare_cached("SELECT id FROM articles WHERE name = ?")?;
    Ok(find.query_row([&id.0], |row| row.get(0)).optional()?)
}
