//! Edits of articles: moves, merges, splits, and what must not be read any more.
//!
//! Guarantees that a change is made once however often it is sent, that no address is lost by a move, and that nobody
//! else's address is taken unless the edit names whose it is.

use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

use jiff::Timestamp;

use super::articles::{self, CMS_ID, URL};
use super::edit::{leave_trail, update, with_tag};
use super::rows::{self, article_row};
use super::trail;
use crate::domain::article::{Article, ArticleId};
use crate::domain::link::HistoryEntry;
use crate::store::Result;
use crate::store::links::{ArticleEdit, ArticleEdited};
use crate::store::sqlite::failure::cut;

/// Replaces an article's record if it still is at the version before, or makes it.
pub(super) fn edit(conn: &Connection, mut edit: ArticleEdit) -> Result<ArticleEdited> {
    edit.article = edit.article.at_times(cut);
    let Some(row) = article_row(conn, &edit.article.id)? else {
        return if edit.article.version == 1 { make(conn, edit) } else { Ok(ArticleEdited::NotFound) };
    };
    let old = articles::by_row(conn, row)?;
    let tags = tags(conn, row)?;
    if tags.chunks_exact(8).any(|tag| tag == edit.tag.to_le_bytes()) {
        return Ok(ArticleEdited::Changed(Arc::new(old)));
    }
    if old.version.checked_add(1) != Some(edit.article.version) {
        return Ok(ArticleEdited::Stale(Arc::new(old)));
    }
    edit.article.created_at = old.created_at;
    if old.cms_id.is_some() {
        edit.article.cms_id.clone_from(&old.cms_id);
    }
    if let Some(refused) = refused(conn, Some((row, &old)), &mut edit)? {
        return Ok(refused);
    }
    let was_alias = articles::alias(conn, URL, &edit.article.url, "")? == Some(row);
    take(conn, row, &edit)?;
    if !was_alias {
        // The address that it had is one of the others from now on.
        conn.prepare_cached("UPDATE articles SET aliases = aliases + 1 WHERE id = ?")?.execute([row])?;
    }
    articles::replace(conn, row, &old, &edit.article)?;
    finish(conn, row, &tags, edit)
}

/// Makes an article that is not there: what was split off another.
fn make(conn: &Connection, mut edit: ArticleEdit) -> Result<ArticleEdited> {
    if let Some(refused) = refused(conn, None, &mut edit)? {
        return Ok(refused);
    }
    let row = articles::insert_row(conn, &edit.article)?;
    take(conn, row, &edit)?;
    finish(conn, row, &[], edit)
}

/// Its own names, what it adds, and what is left behind.
fn finish(conn: &Connection, row: i64, tags: &[u8], edit: ArticleEdit) -> Result<ArticleEdited> {
    let article = edit.article;
    articles::add_alias(conn, URL, &article.url, "", row)?;
    if let Some(id) = &article.cms_id {
        articles::add_alias(conn, CMS_ID, id, &article.site, row)?;
    }
    for address in edit.aliases.iter().filter(|address| **address != article.url) {
        articles::add_more(conn, URL, address, "", row)?;
    }
    conn.prepare_cached("UPDATE articles SET write_tags = ? WHERE id = ?")?
        .execute(params![with_tag(tags, edit.tag), row])?;
    if let Some(entry) = edit.entry {
        trail::remember_article(conn, &article.id, &HistoryEntry { at: cut(entry.at), ..entry })?;
    }
    Ok(ArticleEdited::Changed(Arc::new(article)))
}

fn tags(conn: &Connection, row: i64) -> Result<Vec<u8>> {
    let mut find = conn.prepare_cached("SELECT write_tags FROM articles WHERE id = ?")?;
    Ok(find.query_row([row], |row| row.get(0))?)
}

/// Why it cannot be: a name that is another's, or a merge into what is not older. Puts the end of those that were
/// merged into `merged_into`.
fn refused(
    conn: &Connection,
    old: Option<(i64, &Article)>,
    edit: &mut ArticleEdit,
) -> Result<Option<ArticleEdited>> {
    let row = old.map(|(row, _)| row);
    let before = old.map(|(_, old)| old);
    if before.map(|old| &old.url) != Some(&edit.article.url)
        && let Some(holder) = articles::alias(conn, URL, &edit.article.url, "")?
        && Some(holder) != row
    {
        let holder = articles::by_row(conn, holder)?;
        let taken = edit.take.iter().any(|(url, from)| *url == edit.article.url && *from == holder.id);
        if !taken || holder.url == edit.article.url {
            return Ok(Some(ArticleEdited::AddressHeld(Arc::new(holder))));
        }
    }
    if let Some(id) =
        edit.article.cms_id.as_ref().filter(|id| before.and_then(|b| b.cms_id.as_ref()) != Some(id))
        && let Some(holder) = articles::alias(conn, CMS_ID, id, &edit.article.site)?
        && Some(holder) != row
    {
        return Ok(Some(ArticleEdited::AddressHeld(Arc::new(articles::by_row(conn, holder)?))));
    }
    let Some(into) = &edit.article.merged_into else { return Ok(None) };
    if before.is_some_and(|old| old.merged_into.as_ref() == Some(into)) {
        return Ok(None);
    }
    let Some(into) = article_row(conn, into)? else { return Ok(Some(ArticleEdited::NotFound)) };
    let (_, into) = articles::merged(conn, into)?;
    if !edit.article.yields_to(&into) {
        return Ok(Some(ArticleEdited::NotOlder(Arc::new(into))));
    }
    edit.article.merged_into = Some(into.id);
    Ok(None)
}

/// Takes aliases from others, as far as they are still theirs and not their own addresses.
fn take(conn: &Connection, row: i64, edit: &ArticleEdit) -> Result<()> {
    for (address, from) in &edit.take {
        let Some(from) = article_row(conn, from)?.filter(|from| *from != row) else { continue };
        let is_alias = articles::alias(conn, URL, address, "")? == Some(from);
        if !is_alias || articles::by_row(conn, from)?.url == *address {
            continue;
        }
        conn.prepare_cached("UPDATE aliases SET article = ? WHERE kind = ? AND value = ? AND site = ''")?
            .execute(params![row, URL, address])?;
        conn.prepare_cached("UPDATE articles SET aliases = max(aliases - 1, 0) WHERE id = ?")?
            .execute([from])?;
        let own = i64::from(*address != edit.article.url);
        conn.prepare_cached("UPDATE articles SET aliases = aliases + ? WHERE id = ?")?
            .execute(params![own, row])?;
    }
    Ok(())
}

/// Blanks all of an article that must not be read any more, its links and their histories; and of all that were
/// merged into it, which are the same story.
pub(super) fn redact(conn: &Connection, id: &ArticleId, by: &str, at: Timestamp) -> Result<Option<Article>> {
    for merged in articles::with_merged(conn, id)?.iter().skip(1) {
        redact_one(conn, merged, by, at)?;
    }
    redact_one(conn, id, by, at)
}

fn redact_one(conn: &Connection, id: &ArticleId, by: &str, at: Timestamp) -> Result<Option<Article>> {
    let at = cut(at);
    let Some(row) = article_row(conn, id)? else { return Ok(None) };
    let old = articles::by_row(conn, row)?;
    redact_links(conn, row, by, at)?;
    if old.is_redacted() {
        return Ok(Some(old));
    }
    conn.prepare_cached("DELETE FROM aliases WHERE article = ?")?.execute([row])?;
    conn.prepare_cached("DELETE FROM slots WHERE article = ?")?.execute([row])?;
    conn.prepare_cached("UPDATE articles SET aliases = 0 WHERE id = ?")?.execute([row])?;
    let article = old.redacted(at);
    articles::replace(conn, row, &old, &article)?;
    for mut line in trail::article_history(conn, id, None, usize::MAX)? {
        if line.redact() {
            conn.prepare_cached("UPDATE article_history SET changes = ? WHERE article = ? AND version = ?")?
                .execute(params![
                    trail::changes_text(&line)?,
                    id.0,
                    i64::try_from(line.version).unwrap_or(0)
                ])?;
        }
    }
    trail::remember_article(conn, id, &HistoryEntry::redaction(article.version, by, at))?;
    Ok(Some(article))
}

fn redact_links(conn: &Connection, row: i64, by: &str, at: Timestamp) -> Result<()> {
    let mut of = conn.prepare_cached("SELECT id FROM links WHERE article = ?")?;
    let ids: Vec<i64> = of.query_map([row], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let article = (row, articles::by_row(conn, row)?);
    for id in ids {
        let record = rows::by_id(conn, id)?;
        if record.found.link.is_redacted() {
            continue;
        }
        let link = record.found.link.redacted(at);
        // No request bears this tag.
        update(conn, &record, &link, Some(&article), 0)?;
        for mut line in trail::history(conn, link.code.as_str(), None, usize::MAX)? {
            if line.redact() {
                conn.prepare_cached("UPDATE history SET changes = ? WHERE link = ? AND version = ?")?
                    .execute(params![
                        trail::changes_text(&line)?,
                        id,
                        i64::try_from(line.version).unwrap_or(0)
                    ])?;
            }
        }
        leave_trail(conn, id, &link, &HistoryEntry::redaction(link.version, by, at))?;
    }
    Ok(())
}

/// Says what is wrong with a link's target, if it still has that target.
pub(super) fn set_broken(conn: &Connection, code: &str, broken: Option<&str>, target: &str) -> Result<bool> {
    let key: Option<String> = conn
        .prepare_cached("UPDATE links SET broken = ? WHERE code = ? AND target = ? RETURNING key")?
        .query_row(params![broken, code, target], |row| row.get(0))
        .optional()?;
    let Some(key) = key else { return Ok(false) };
    trail::link_changed(conn, &key)?;
    Ok(true)
}
