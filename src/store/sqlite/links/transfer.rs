//! Export and import of everything that is kept about links.
//!
//! Guarantees that an export read back is the same, that reading it back twice changes nothing more, and that
//! what is there already is left as it is. Order: articles, aliases, the articles' histories, links
//! each with its history.

use rusqlite::{Connection, OptionalExtension, params};

use super::create::as_kept;
use super::rows::{self, articles as article_columns, found};
use super::{articles, slots, trail};
use crate::domain::article::ArticleId;
use crate::domain::code::Code;
use crate::domain::link::{HistoryEntry, Link};
use crate::store::links::{ExportItem, ExportPage};
use crate::store::sqlite::failure::cut;
use crate::store::{Error, Result};

/// Articles or aliases of one page.
const PAGE: usize = 1_000;
/// A page of links ends after the link with which it has so many items.
const ITEMS: usize = 2_000;

/// Where a page begins: after this.
#[derive(serde::Serialize, serde::Deserialize)]
enum Cursor {
    Article(i64),
    Alias(i64, String, String),
    ArticleHistory(String, i64),
    Link(i64),
}

/// One page; empty at the end.
pub(super) fn export(conn: &Connection, after: Option<&str>) -> Result<ExportPage> {
    let wrong = |_| Error::Corrupt("an export's page begins nowhere".into());
    let mut cursor =
        after.map_or(Ok(Cursor::Article(0)), |text| serde_json::from_str(text).map_err(wrong))?;
    loop {
        let (items, next) = match &cursor {
            Cursor::Article(row) => some_articles(conn, *row)?,
            Cursor::Alias(kind, value, site) => some_aliases(conn, *kind, value, site)?,
            Cursor::ArticleHistory(article, version) => some_article_history(conn, article, *version)?,
            Cursor::Link(id) => some_links(conn, *id)?,
        };
        if let Some(next) = next {
            let after = serde_json::to_string(&next).map_err(|e| Error::Corrupt(e.to_string()))?;
            return Ok(ExportPage { items, after: Some(after) });
        }
        cursor = match cursor {
            Cursor::Article(_) => Cursor::Alias(-1, String::new(), String::new()),
            Cursor::Alias(..) => Cursor::ArticleHistory(String::new(), 0),
            Cursor::ArticleHistory(..) => Cursor::Link(0),
            Cursor::Link(_) => return Ok(ExportPage::default()),
        };
    }
}

type Part = (Vec<ExportItem>, Option<Cursor>);

fn some_articles(conn: &Connection, after: i64) -> Result<Part> {
    let mut statement = conn.prepare_cached(article_columns!("WHERE a.id > ? ORDER BY a.id LIMIT ?"))?;
    let mut found = statement.query(params![after, i64::try_from(PAGE).unwrap_or(i64::MAX)])?;
    let (mut items, mut next) = (vec![], None);
    while let Some(row) = found.next()? {
        let (id, article) = rows::article(row)?;
        items.push(ExportItem::Article(article));
        next = Some(Cursor::Article(id));
    }
    Ok((items, next))
}

fn some_aliases(conn: &Connection, kind: i64, value: &str, site: &str) -> Result<Part> {
    let mut statement = conn.prepare_cached(
        "SELECT x.kind, x.value, x.site, a.name FROM aliases x JOIN articles a ON a.id = x.article \
         WHERE (x.kind, x.value, x.site) > (?, ?, ?) ORDER BY x.kind, x.value, x.site LIMIT ?",
    )?;
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let mut found = statement.query(params![kind, value, site, limit])?;
    let (mut items, mut next) = (vec![], None);
    while let Some(row) = found.next()? {
        let (kind, value, site): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let word = if kind == articles::URL { "url" } else { "cms_id" };
        items.push(ExportItem::Alias {
            kind: word.into(),
            site: site.clone(),
            value: value.clone(),
            article: ArticleId(row.get(3)?),
        });
        next = Some(Cursor::Alias(kind, value, site));
    }
    Ok((items, next))
}

fn some_article_history(conn: &Connection, article: &str, version: i64) -> Result<Part> {
    let mut statement = conn.prepare_cached(
        "SELECT article, version, at, by, action, changes FROM article_history \
         WHERE (article, version) > (?, ?) ORDER BY article, version LIMIT ?",
    )?;
    let mut found = statement.query(params![article, version, i64::try_from(PAGE).unwrap_or(i64::MAX)])?;
    let (mut items, mut next) = (vec![], None);
    while let Some(row) = found.next()? {
        let article: String = row.get(0)?;
        next = Some(Cursor::ArticleHistory(article.clone(), row.get(1)?));
        let entry = trail::history_entry(row, 1)?;
        items.push(ExportItem::ArticleHistory { article: ArticleId(article.into()), entry });
    }
    Ok((items, next))
}

fn some_links(conn: &Connection, after: i64) -> Result<Part> {
    let mut links = conn.prepare_cached(found!("WHERE l.id > ? ORDER BY l.id"))?;
    let mut history = conn.prepare_cached(
        "SELECT version, at, by, action, changes FROM history WHERE link = ? ORDER BY version",
    )?;
    let mut found = links.query([after])?;
    let (mut items, mut next) = (vec![], None);
    while let Some(row) = found.next()? {
        let record = rows::record(row)?;
        let code = record.found.link.code.clone();
        let holds_slot = slots::holds(conn, &record)?;
        items.push(ExportItem::Link { link: record.found.link.as_ref().clone(), holds_slot });
        let mut entries = history.query([record.id])?;
        while let Some(row) = entries.next()? {
            items.push(ExportItem::History { code: code.clone(), entry: trail::history_entry(row, 0)? });
        }
        next = Some(Cursor::Link(record.id));
        if items.len() >= ITEMS {
            break;
        }
    }
    Ok((items, next))
}

/// Puts one item back. The inner error is that of an item which cannot be, in words.
pub(super) fn import(conn: &Connection, item: ExportItem) -> Result<std::result::Result<(), String>> {
    match item {
        ExportItem::Article(article) => {
            if rows::article_row(conn, &article.id)?.is_none() {
                articles::insert(conn, &article.at_times(cut))?;
            }
            Ok(Ok(()))
        }
        ExportItem::Alias { kind, site, value, article } => {
            import_alias(conn, &kind, &site, &value, &article)
        }
        ExportItem::ArticleHistory { article, entry } => {
            if rows::article_row(conn, &article)?.is_none() {
                return Ok(Err(format!("there is no article {}", article.0)));
            }
            trail::add_article_history(conn, "OR IGNORE", &article, &entry)?;
            Ok(Ok(()))
        }
        ExportItem::Link { link, holds_slot } => import_link(conn, link, holds_slot),
        ExportItem::History { code, entry } => import_history(conn, &code, &entry),
    }
}

fn import_alias(
    conn: &Connection,
    kind: &str,
    site: &str,
    value: &str,
    article: &ArticleId,
) -> Result<std::result::Result<(), String>> {
    let kind = match kind {
        "url" => articles::URL,
        "cms_id" => articles::CMS_ID,
        _ => return Ok(Err(format!("an alias is a url or a cms_id, not \"{kind}\""))),
    };
    let Some(row) = rows::article_row(conn, article)? else {
        return Ok(Err(format!("there is no article {}", article.0)));
    };
    // The article's own are there since it was put back.
    articles::add_kept(conn, kind, value, site, row)?;
    Ok(Ok(()))
}

fn import_link(conn: &Connection, link: Link, holds_slot: bool) -> Result<std::result::Result<(), String>> {
    let link = as_kept(link);
    if let Some(there) = rows::by_code(conn, link.code.as_str())? {
        let there = there.found.link;
        let same = (there.created_at, &there.created_by) == (link.created_at, &link.created_by);
        return Ok(if same { Ok(()) } else { Err(format!("another link has the code {}", link.code)) });
    }
    let article = match &link.article {
        None => None,
        Some(id) => match rows::article_row(conn, id)? {
            Some(row) => Some((row, articles::by_row(conn, row)?)),
            None => return Ok(Err(format!("there is no article {}", id.0))),
        },
    };
    let id = rows::insert_link(conn, &link, article.as_ref().map(|(row, a)| (*row, a)), None)?;
    if let (Some((row, _)), Some(slot), true) = (&article, link.slot(), holds_slot)
        && slots::holder(conn, *row, &slot)?.is_none()
    {
        slots::claim(conn, *row, &slot, id)?;
    }
    trail::link_changed(conn, &link.code.key())?;
    Ok(Ok(()))
}

fn import_history(
    conn: &Connection,
    code: &Code,
    entry: &HistoryEntry,
) -> Result<std::result::Result<(), String>> {
    let mut find = conn.prepare_cached("SELECT id FROM links WHERE code = ?")?;
    let link: Option<i64> = find.query_row([code.as_str()], |row| row.get(0)).optional()?;
    let Some(link) = link else { return Ok(Err(format!("there is no link {code}"))) };
    trail::add_history(conn, link, entry)?;
    Ok(Ok(()))
}
