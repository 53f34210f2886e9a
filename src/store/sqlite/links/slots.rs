//! Slots: which link an article has for a channel, campaign and target.
//!
//! Guarantees that a slot's link counts only while it is not retired and still holds that slot; a dead slot is
//! free to whoever comes next.

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{Record, by_id};
use crate::domain::link::{Found, Slot, SlotTarget};
use crate::store::Result;

/// The slot as the table's key: '' for none, else '=' and the text.
fn key(slot: &Slot) -> [String; 3] {
    let text = |value: Option<&String>| value.map(|v| format!("={v}")).unwrap_or_default();
    let target = match &slot.target {
        SlotTarget::Own => None,
        SlotTarget::Other(url) => Some(url),
    };
    [text(slot.channel.as_ref()), text(slot.campaign.as_ref()), text(target)]
}

/// The live link that holds a slot of the article at row `article`.
pub(super) fn holder(conn: &Connection, article: i64, slot: &Slot) -> Result<Option<Record>> {
    let [channel, campaign, target] = key(slot);
    let mut find = conn.prepare_cached(
        "SELECT link FROM slots WHERE article = ? AND channel = ? AND campaign = ? AND target = ?",
    )?;
    let link: Option<i64> =
        find.query_row(params![article, channel, campaign, target], |row| row.get(0)).optional()?;
    let Some(link) = link else { return Ok(None) };
    let record = by_id(conn, link)?;
    let alive = lives(&record.found) && record.found.link.slot().as_ref() == Some(slot);
    Ok(alive.then_some(record))
}

fn lives(found: &Found) -> bool {
    found.link.retired_at.is_none()
}

/// Gives a free or dead slot to a link.
pub(super) fn claim(conn: &Connection, article: i64, slot: &Slot, link: i64) -> Result<()> {
    let [channel, campaign, target] = key(slot);
    conn.prepare_cached(
        "INSERT INTO slots (article, channel, campaign, target, link) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT DO UPDATE SET link = excluded.link",
    )?
    .execute(params![article, channel, campaign, target, link])?;
    Ok(())
}

/// Frees a slot if it is this link's.
pub(super) fn leave(conn: &Connection, article: i64, slot: &Slot, link: i64) -> Result<()> {
    let [channel, campaign, target] = key(slot);
    conn.prepare_cached(
        "DELETE FROM slots WHERE article = ? AND channel = ? AND campaign = ? AND target = ? AND link = ?",
    )?
    .execute(params![article, channel, campaign, target, link])?;
    Ok(())
}

/// True if asking again for the same gives this link.
pub(super) fn holds(conn: &Connection, record: &Record) -> Result<bool> {
    let (Some(article), Some(slot)) = (record.article, record.found.link.slot()) else { return Ok(false) };
    Ok(holder(conn, article, &slot)?.is_some_and(|holder| holder.id == record.id))
}
