//! How a record becomes rows, and what is remembered of the one before.
//!
//! Guarantees that putting a record again changes nothing, that records may come in any order (a link before its
//! story, a slot before its link, an address before either), and that each change is in the mirror's own feed.
//! Knows what records mean, not how they are written.

use rusqlite::{Connection, OptionalExtension, params};

use super::accounts::{put_audit, put_key, put_user};
use crate::domain::article::{Article, ArticleId};
use crate::domain::code::Code;
use crate::domain::lane::Lane;
use crate::domain::link::{HistoryEntry, Link, SlotTarget};
use crate::store::Result;
use crate::store::documents::Remembered;
use crate::store::mirror::{ABSENT, AliasKind, BASES, Base, Kept, Put, SlotOf, Value, base_of};
use crate::store::sqlite::documents::put_document;
use crate::store::sqlite::failure::{ms, signed};
use crate::store::sqlite::links::rows::Record;
use crate::store::sqlite::links::{articles, edit, rows, trail};
use crate::store::sqlite::webhooks;

/// Puts one record.
pub(super) fn put(conn: &Connection, lane: Lane, put: Put) -> Result<()> {
    if !keep(conn, lane, &put)? {
        return Ok(());
    }
    match put.value {
        Value::Links(kept) => put_links(conn, kept),
        Value::Article { article, slots } => put_article(conn, &article, &slots),
        Value::Alias { kind, site, value, article } => put_alias(conn, kind, &value, &site, &article),
        Value::Freed { article } => put_freed(conn, &article),
        Value::ArticleHistory { article, entry } => put_article_history(conn, &article, &entry),
        Value::History { code, entry } => put_history(conn, &code, &entry),
        Value::Key(key) => put_key(conn, &key),
        Value::User(user) => put_user(conn, &user),
        Value::Audit(entry) => put_audit(conn, &entry),
        Value::Document { kind, name, value, version, updated_at, updated_by } => {
            let remembered = Remembered { value, version };
            put_document(conn, (kind, &name), &remembered, (updated_at, &updated_by))
        }
        Value::Webhook(webhook) => webhooks::put(conn, &webhook),
        Value::NoWebhook(id) => webhooks::take_out(conn, &id).map(drop),
        Value::Nothing | Value::Gone => Ok(()),
    }
}

/// The order in which records of one step are put: what others refer to comes first.
pub(super) fn rank(put: &Put) -> u8 {
    match put.value {
        Value::Article { .. } => 0,
        Value::Links(_) => 1,
        _ => 2,
    }
}

/// True if the mirror has a record of this name.
pub(super) fn has(conn: &Connection, lane: Lane, field: &[u8]) -> Result<bool> {
    let mut find = conn.prepare_cached("SELECT 1 FROM records WHERE lane = ? AND field = ?")?;
    Ok(find.exists(params![lane, field])?)
}

/// Keeps a record's bytes. False if they are what was kept already.
fn keep(conn: &Connection, lane: Lane, put: &Put) -> Result<bool> {
    let mut find = conn.prepare_cached("SELECT raw, bases FROM records WHERE lane = ? AND field = ?")?;
    let kept = find
        .query_row(params![lane, put.field], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .optional()?;
    if kept.as_ref().map_or(&[][..], |(raw, _)| raw) == put.raw {
        return Ok(false);
    }
    if put.raw.is_empty() {
        conn.prepare_cached("DELETE FROM records WHERE lane = ? AND field = ?")?
            .execute(params![lane, put.field])?;
        return Ok(true);
    }
    let bases = match &kept {
        None => with_base(vec![], put.base.unwrap_or(ABSENT)),
        Some((raw, bases)) => {
            let bases = with_base(bases.clone(), base_of(raw));
            put.base.map_or(bases.clone(), |base| with_base(bases, base))
        }
    };
    conn.prepare_cached(
        "INSERT INTO records (lane, field, raw, bases) VALUES (?, ?, ?, ?) \
         ON CONFLICT DO UPDATE SET raw = excluded.raw, bases = excluded.bases",
    )?
    .execute(params![lane, put.field, put.raw, bases])?;
    Ok(true)
}

/// Adds what a record was, as its newest earlier value, and lets the oldest go.
fn with_base(mut bases: Vec<u8>, base: Base) -> Vec<u8> {
    let base = base.to_le_bytes();
    if !bases.ends_with(&base) {
        bases.extend(base);
    }
    let surplus = bases.len().saturating_sub(BASES * 8);
    bases.split_off(surplus)
}

/// Reads a column of bases.
pub(super) fn bases(column: &[u8]) -> Vec<Base> {
    column.as_chunks::<8>().0.iter().map(|bytes| Base::from_le_bytes(*bytes)).collect()
}

fn put_links(conn: &Connection, links: Vec<Kept>) -> Result<()> {
    let Some(first) = links.first() else { return Ok(()) };
    let key = first.link.code.key().into_owned();
    let mut there = rows::by_key(conn, &key)?;
    for kept in links {
        let at = there.iter().position(|record| record.found.link.code == kept.link.code);
        put_link(conn, at.map(|at| there.swap_remove(at)), kept)?;
    }
    // A variant that the store does not have was lost there.
    for record in there {
        forget_link(conn, record.id)?;
    }
    trail::link_changed(conn, &key)
}

fn put_link(conn: &Connection, there: Option<Record>, kept: Kept) -> Result<()> {
    let Kept { mut link, created_tag, write_tags } = kept;
    let article = match &link.article {
        None => None,
        Some(id) => match rows::article_row(conn, id)? {
            None => None,
            Some(row) => Some((row, articles::by_row(conn, row)?)),
        },
    };
    if let Some((_, article)) = &article {
        link.follow(article);
    }
    let id = match there {
        None => rows::insert_link(conn, &link, article.as_ref().map(|(row, a)| (*row, a)), created_tag)?,
        Some(there) => {
            let other = is_other(&there, &link, created_tag);
            forget_history(conn, there.id, if other { 0 } else { link.version })?;
            let last_tag = write_tags.last().copied().unwrap_or_default();
            edit::update(conn, &there, &link, article.as_ref(), last_tag)?;
            if other {
                set_birth(conn, there.id, &link, created_tag)?;
            }
            there.id
        }
    };
    if let Some(unknown) = link.article.as_ref().filter(|_| article.is_none()) {
        conn.prepare_cached("INSERT OR IGNORE INTO waiting (article, link) VALUES (?, ?)")?
            .execute(params![unknown.0, id])?;
    }
    if link.version == 1 && created_tag.is_some() {
        let birth = HistoryEntry::birth(&link);
        trail::add_history(conn, id, &birth)?;
        put_audit(conn, &trail::line(&link.code, &birth))?;
    }
    Ok(())
}

/// True if the code's link was lost and the code is another link's now.
fn is_other(there: &Record, link: &Link, created_tag: Option<u64>) -> bool {
    let had = &there.found.link;
    there.created_tag != created_tag
        || ms(had.created_at) != ms(link.created_at)
        || had.created_by != link.created_by
}

fn set_birth(conn: &Connection, id: i64, link: &Link, created_tag: Option<u64>) -> Result<()> {
    conn.prepare_cached(
        "UPDATE links SET created_tag = ?, created_at = ?, created_by = ?, via = ? WHERE id = ?",
    )?
    .execute(params![
        created_tag.map(u64::cast_signed),
        ms(link.created_at),
        link.created_by,
        link.via.as_str(),
        id
    ])?;
    Ok(())
}

/// Lets lines of a history go that are of versions after `version`.
fn forget_history(conn: &Connection, link: i64, version: u64) -> Result<()> {
    conn.prepare_cached("DELETE FROM history WHERE link = ? AND version > ?")?
        .execute(params![link, signed(version)?])?;
    Ok(())
}

fn forget_link(conn: &Connection, id: i64) -> Result<()> {
    for sql in [
        "DELETE FROM history WHERE link = ?",
        "DELETE FROM search_pending WHERE link = ?",
        "DELETE FROM search WHERE rowid = ?",
        "DELETE FROM waiting WHERE link = ?",
        "DELETE FROM link_tags WHERE link = ?",
        "DELETE FROM links WHERE id = ?",
    ] {
        conn.prepare_cached(sql)?.execute([id])?;
    }
    Ok(())
}

fn put_article(conn: &Connection, article: &Article, slots: &[SlotOf]) -> Result<()> {
    let row = match rows::article_row(conn, &article.id)? {
        Some(row) => {
            let old = articles::by_row(conn, row)?;
            // Most changes of the record are of its slots, which no link shows.
            if old != *article {
                articles::replace(conn, row, &old, article)?;
            }
            row
        }
        None => {
            let row = articles::insert_row(conn, article)?;
            adopt(conn, row, article)?;
            row
        }
    };
    if article.is_redacted() {
        free_aliases(conn, &article.id)?;
    } else {
        add_alias(conn, "OR IGNORE", articles::URL, &article.url, "", &article.id)?;
    }
    put_slots(conn, row, slots)
}

/// An address that was heard of before its story was redacted, or after, is nobody's now.
fn put_freed(conn: &Connection, article: &ArticleId) -> Result<()> {
    let redacted = match rows::article_row(conn, article)? {
        Some(row) => articles::by_row(conn, row)?.is_redacted(),
        None => false,
    };
    // Before that, its own address may be one of them.
    if redacted { free_aliases(conn, article) } else { Ok(()) }
}

/// Lets all names of a story go. Who has one of its addresses now may have been heard of before.
fn free_aliases(conn: &Connection, article: &ArticleId) -> Result<()> {
    let mut free = conn.prepare_cached("DELETE FROM alias_names WHERE article = ? RETURNING value")?;
    let freed: Vec<String> =
        free.query_map([&article.0], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    if freed.is_empty() {
        return Ok(());
    }
    conn.prepare_cached(
        "INSERT OR IGNORE INTO alias_names (kind, value, site, article) \
         SELECT ?, a.url, '', a.name FROM articles a WHERE a.url IN (SELECT value FROM json_each(?))",
    )?
    .execute(params![articles::URL, rows::list_text(&freed)?])?;
    Ok(())
}

fn put_article_history(conn: &Connection, article: &ArticleId, entry: &HistoryEntry) -> Result<()> {
    trail::add_article_history(conn, "OR REPLACE", article, entry)?;
    put_audit(conn, &trail::article_line(article, entry))
}

/// Gives a story the links that waited for it.
fn adopt(conn: &Connection, row: i64, article: &Article) -> Result<()> {
    let adopted = conn
        .prepare_cached(
            "UPDATE links SET article = ? WHERE id IN (SELECT link FROM waiting WHERE article = ?)",
        )?
        .execute(params![row, article.id.0])?;
    if adopted > 0 {
        articles::lead_followers(conn, row, article)?;
        conn.prepare_cached(
            "INSERT OR IGNORE INTO search_pending (link) SELECT link FROM waiting WHERE article = ?",
        )?
        .execute([&article.id.0])?;
        conn.prepare_cached("DELETE FROM waiting WHERE article = ?")?.execute([&article.id.0])?;
        articles::update(conn, row, article)?;
        correct_births(conn, row)?;
    }
    Ok(())
}

/// The first lines of histories say where links led at first; that was not known while their story was not.
fn correct_births(conn: &Connection, article: i64) -> Result<()> {
    let mut find = conn.prepare_cached(
        "SELECT id FROM links WHERE article = ? AND version = 1 AND created_tag IS NOT NULL",
    )?;
    let ids: Vec<i64> = find.query_map([article], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for id in ids {
        conn.prepare_cached("DELETE FROM history WHERE link = ?")?.execute([id])?;
        trail::add_history(conn, id, &HistoryEntry::birth(&rows::by_id(conn, id)?.found.link))?;
    }
    Ok(())
}

/// The same text as in links.db: '' for none (own), else '=' and the text.
fn put_slots(conn: &Connection, row: i64, slots: &[SlotOf]) -> Result<()> {
    conn.prepare_cached("DELETE FROM slot_codes WHERE article = ?")?.execute([row])?;
    let mut add = conn.prepare_cached(
        "INSERT OR REPLACE INTO slot_codes (article, channel, campaign, target, code) VALUES (?, ?, ?, ?, ?)",
    )?;
    let text = |value: Option<&String>| value.map(|v| format!("={v}")).unwrap_or_default();
    for slot in slots {
        let target = match &slot.target {
            SlotTarget::Own => None,
            SlotTarget::Other(url) => Some(url),
        };
        let (channel, campaign) = (text(slot.channel.as_ref()), text(slot.campaign.as_ref()));
        add.execute(params![row, channel, campaign, text(target), slot.code.as_str()])?;
    }
    Ok(())
}

fn put_alias(conn: &Connection, kind: AliasKind, value: &str, site: &str, article: &ArticleId) -> Result<()> {
    let kind = match kind {
        AliasKind::Url => articles::URL,
        AliasKind::CmsId => articles::CMS_ID,
    };
    add_alias(conn, "OR REPLACE", kind, value, site, article)
}

fn add_alias(
    conn: &Connection,
    or: &str,
    kind: i64,
    value: &str,
    site: &str,
    article: &ArticleId,
) -> Result<()> {
    let sql = format!("INSERT {or} INTO alias_names (kind, value, site, article) VALUES (?, ?, ?, ?)");
    conn.prepare_cached(&sql)?.execute(params![kind, value, site, article.0])?;
    Ok(())
}

fn put_history(conn: &Connection, code: &Code, entry: &HistoryEntry) -> Result<()> {
    let mut find = conn.prepare_cached("SELECT id FROM links WHERE code = ?")?;
    // A line without its link is one of a link that was lost.
    let Some(link) = find.query_row([code.as_str()], |row| row.get::<_, i64>(0)).optional()? else {
        return Ok(());
    };
    let changes = trail::changes_text(entry)?;
    conn.prepare_cached(
        "INSERT OR REPLACE INTO history (link, version, at, by, action, changes) VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![link, signed(entry.version)?, ms(entry.at), entry.by, entry.action, changes])?;
    if let Some(old) = entry.version.checked_sub(trail::HISTORY) {
        conn.prepare_cached("DELETE FROM history WHERE link = ? AND version <= ?")?
            .execute(params![link, signed(old)?])?;
    }
    put_audit(conn, &trail::line(code, entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_eight_values_are_remembered() {
        let mut column = with_base(vec![], ABSENT);
        assert_eq!(bases(&column), [ABSENT]);
        for base in 1..=10 {
            column = with_base(column, base);
        }
        assert_eq!(bases(&column), [3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(with_base(column.clone(), 10), column, "the same again is nothing new");
    }
}
