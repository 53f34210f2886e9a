//! Edits: a whole record replaces the version before it, or nothing changes.
//!
//! Guarantees that a change is made once however often it is sent, and that a slot is moved in the same step.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::create::{as_kept, story};
use super::rows::{self, Record};
use super::{articles, slots, trail};
use crate::domain::article::Article;
use crate::domain::link::{Found, HistoryEntry, Link};
use crate::store::Result;
use crate::store::links::{Edit, Edited, RequestTag, SlotWish};
use crate::store::sqlite::failure::{corrupt, cut, ms, signed};

/// Writes whose tags a link remembers.
const TAGS: usize = 8;

/// Replaces a link's record if it still is at the version before.
pub(super) fn edit(conn: &Connection, edit: Edit) -> Result<Edited> {
    let Some(old) = rows::by_code(conn, edit.link.code.as_str())? else { return Ok(Edited::NotFound) };
    if old.write_tags.chunks_exact(8).any(|tag| tag == edit.tag.to_le_bytes()) {
        return Ok(Edited::Changed(old.found));
    }
    if old.found.link.version.checked_add(1) != Some(edit.link.version) {
        return Ok(Edited::Stale(old.found));
    }
    let article = match (&edit.link.article, &edit.article) {
        (Some(id), _) => {
            let row = rows::article_row(conn, id)?.ok_or_else(|| corrupt("an edit's article", &id.0))?;
            Some((row, articles::by_row(conn, row)?))
        }
        (None, Some(claim)) => story(conn, Some(claim), articles::resolve(conn, claim)?, cut(edit.entry.at))?,
        (None, None) => None,
    };
    let mut link = as_kept(edit.link);
    let slot = edit.slot.at_least(old.found.link.article.as_ref(), article.as_ref().map(|(_, a)| &a.id));
    match &article {
        Some((_, article)) if slot != SlotWish::Keep => link = link.in_article(article),
        // Its story may have moved since the editor saw it.
        Some((_, article)) => link.follow(article),
        None => (link.article, link.follows_article) = (None, false),
    }
    // Nobody but who looked at the target says what is wrong with it.
    link.broken.clone_from(&old.found.link.broken);
    link.settle_broken();
    if slot != SlotWish::Keep {
        let row = article.as_ref().map(|(row, _)| *row);
        if let Some(holder) = move_slot(conn, &old, &link, row, slot)? {
            return Ok(Edited::SlotHeld(holder.found));
        }
    }
    if let (true, Some(row), Some(slot)) = (link.retired_at.is_some(), old.article, link.slot()) {
        slots::leave(conn, row, &slot, old.id)?;
    }
    update(conn, &old, &link, article.as_ref(), edit.tag)?;
    let entry = HistoryEntry { at: cut(edit.entry.at), ..edit.entry };
    leave_trail(conn, old.id, &link, &entry)?;
    Ok(Edited::Changed(Found { link: Arc::new(link), article: article.map(|(_, a)| Arc::new(a)) }))
}

/// Takes the slot that the link now would have and leaves the one it had; gives the other link that is in it.
fn move_slot(
    conn: &Connection,
    old: &Record,
    link: &Link,
    article: Option<i64>,
    wish: SlotWish,
) -> Result<Option<Record>> {
    let new_slot = if link.retired_at.is_some() { None } else { link.slot() };
    if let (Some(row), Some(slot)) = (article, &new_slot) {
        match slots::holder(conn, row, slot)?.filter(|holder| holder.id != old.id) {
            None => slots::claim(conn, row, slot, old.id)?,
            Some(_) if wish == SlotWish::ClaimIfFree => {}
            held => return Ok(held),
        }
    }
    if let (Some(row), Some(slot)) = (old.article, old.found.link.slot())
        && Some(&slot) != new_slot.as_ref()
    {
        slots::leave(conn, row, &slot, old.id)?;
    }
    Ok(None)
}

/// Writes a link's record over the one before.
pub(in crate::store::sqlite) fn update(
    conn: &Connection,
    old: &Record,
    link: &Link,
    article: Option<&(i64, Article)>,
    tag: RequestTag,
) -> Result<()> {
    conn.prepare_cached(
        "UPDATE links SET target = ?, target_version = ?, article = ?, follows_article = ?, added = ?, title = ?, \
         channel = ?, campaign = ?, tags = ?, note = ?, not_before = ?, expires_at = ?, expired_url = ?, \
         message = ?, redirect_status = ?, forward_query = ?, confidential = ?, disabled = ?, broken = ?, \
         retired_at = ?, updated_at = ?, version = ?, write_tags = ?, shown_title = ?, section = ? WHERE id = ?",
    )?
    .execute(params![
        link.target,
        link.target_version,
        article.map(|(row, _)| *row),
        link.follows_article,
        link.added,
        link.title,
        link.channel,
        link.campaign,
        rows::list_text(&link.tags)?,
        link.note,
        link.not_before.map(ms),
        link.expires_at.map(ms),
        link.expired_url,
        link.message,
        link.redirect_status,
        link.forward_query,
        link.confidential,
        link.disabled,
        rows::broken_text(link.broken.as_ref())?,
        link.retired_at.map(ms),
        ms(link.updated_at),
        signed(link.version)?,
        with_tag(&old.write_tags, tag),
        rows::shown_title(link, article.map(|(_, a)| a)),
        article.and_then(|(_, a)| a.facts.section.as_deref()),
        old.id,
    ])?;
    if old.found.link.tags != link.tags {
        let mut drop = conn.prepare_cached("DELETE FROM link_tags WHERE tag = ? AND link = ?")?;
        for tag in &old.found.link.tags {
            drop.execute(params![tag, old.id])?;
        }
        rows::insert_tags(conn, old.id, &link.tags)?;
    }
    rows::expect_search(conn, old.id)
}

/// The tags of the last writes with one more.
pub(super) fn with_tag(tags: &[u8], tag: RequestTag) -> Vec<u8> {
    let keep_from = (tags.len() + 8).saturating_sub(TAGS * 8).min(tags.len());
    let mut tags = tags[keep_from..].to_vec();
    tags.extend(tag.to_le_bytes());
    tags
}

/// History, audit and change feed of a link's change.
pub(super) fn leave_trail(conn: &Connection, id: i64, link: &Link, entry: &HistoryEntry) -> Result<()> {
    trail::remember(conn, id, entry)?;
    let line = trail::line(&link.code, entry);
    trail::audited(conn, ms(line.at), &line.by, &line.action, &line.object, &line.detail)?;
    trail::link_changed(conn, &link.code.key())
}
