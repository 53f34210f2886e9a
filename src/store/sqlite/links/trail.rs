//! What every write of a link leaves behind: history, audit, change feed; and the feed's reading.
//!
//! Guarantees that all three are bounded. Knows nothing of what the write was.

use std::time::Duration;

use rusqlite::{Connection, Row, params};
use tokio::sync::watch;

use crate::domain::article::ArticleId;
use crate::domain::code::Code;
use crate::domain::link::HistoryEntry;
use crate::store::accounts::AuditEntry;
use crate::store::links::Changes;
use crate::store::sqlite::failure::{ms, signed, time, unsigned};
use crate::store::sqlite::threads::State;
use crate::store::{Error, Result};

/// Writes that the feed remembers; who comes later must look at everything.
pub(in crate::store::sqlite) const FEED: i64 = 4_096;
/// Changes kept of one link; the oldest go.
pub(in crate::store::sqlite) const HISTORY: u64 = 1_000;
/// Lines kept of the audit; the oldest go.
pub(in crate::store::sqlite) const AUDIT: i64 = 1_000_000;

const FEED_LINK: i64 = 0;
const FEED_ACCOUNT: i64 = 1;

/// Tells those who follow a file's feed of each version that is committed.
#[derive(Default)]
pub(in crate::store::sqlite) struct Bell {
    written: u64,
    heard: watch::Sender<u64>,
}

impl Bell {
    /// Hears every version from now on.
    pub(in crate::store::sqlite) fn listen(&self) -> watch::Receiver<u64> {
        self.heard.subscribe()
    }

    /// Lets what is too old of the feed go, and notes how far it is.
    pub(in crate::store::sqlite) fn before_commit(&mut self, conn: &Connection) -> Result<()> {
        let last = conn.prepare_cached("SELECT max(version) FROM feed")?.query_row([], |row| row.get(0))?;
        self.written = unsigned(last)?;
        conn.prepare_cached("DELETE FROM feed WHERE version <= ?")?.execute([last - FEED])?;
        Ok(())
    }

    /// Tells it.
    pub(in crate::store::sqlite) fn ring(&self) {
        self.heard.send_if_modified(|heard| std::mem::replace(heard, self.written) != self.written);
    }
}

/// What the writer of links.db keeps in memory: nothing that could be wrong after a rollback.
#[derive(Default)]
pub(in crate::store::sqlite) struct LinksState {
    /// Who follows the feed.
    pub(in crate::store::sqlite) bell: Bell,
}

impl State for LinksState {
    fn before_commit(&mut self, conn: &Connection) -> Result<()> {
        // Once a commit and not once a write: a batch writes a thousand.
        self.bell.before_commit(conn)?;
        conn.prepare_cached("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?")?
            .execute([AUDIT])?;
        Ok(())
    }

    fn committed(&mut self) {
        self.bell.ring();
    }

    fn when_idle(&mut self, conn: &Connection, wanted: &dyn Fn() -> bool) -> Result<bool> {
        super::search::index_some(conn, wanted)
    }
}

/// Tells all nodes that the links of a folded code changed.
pub(in crate::store::sqlite) fn link_changed(conn: &Connection, key: &str) -> Result<()> {
    conn.prepare_cached("INSERT INTO feed (kind, key) VALUES (?, ?)")?.execute(params![FEED_LINK, key])?;
    Ok(())
}

/// Tells all nodes that keys or users changed.
pub(in crate::store::sqlite) fn account_changed(conn: &Connection) -> Result<()> {
    conn.prepare_cached("INSERT INTO feed (kind, key) VALUES (?, '')")?.execute([FEED_ACCOUNT])?;
    Ok(())
}

/// Writes a line of the audit.
pub(in crate::store::sqlite) fn audited(
    conn: &Connection,
    at_ms: i64,
    by: &str,
    action: &str,
    object: &str,
    detail: &str,
) -> Result<()> {
    conn.prepare_cached("INSERT INTO audit (at, by, action, object, detail) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![at_ms, by, action, object, detail])?;
    Ok(())
}

/// Writes a line of a link's history and lets the oldest go.
pub(super) fn remember(conn: &Connection, link: i64, entry: &HistoryEntry) -> Result<()> {
    add_history(conn, link, entry)?;
    if entry.version > HISTORY {
        conn.prepare_cached("DELETE FROM history WHERE link = ? AND version <= ?")?
            .execute(params![link, signed(entry.version - HISTORY)?])?;
    }
    Ok(())
}

/// Writes a line of a link's history, unless that version has one.
pub(in crate::store::sqlite) fn add_history(
    conn: &Connection,
    link: i64,
    entry: &HistoryEntry,
) -> Result<()> {
    let changes = changes_text(entry)?;
    conn.prepare_cached(
        "INSERT OR IGNORE INTO history (link, version, at, by, action, changes) VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![link, signed(entry.version)?, ms(entry.at), entry.by, entry.action, changes])?;
    Ok(())
}

/// A line's changes as a column.
pub(in crate::store::sqlite) fn changes_text(entry: &HistoryEntry) -> Result<String> {
    serde_json::to_string(&entry.changes).map_err(|e| Error::Corrupt(e.to_string()))
}

/// Writes a line of an article's history and of the audit, and lets the oldest go.
pub(super) fn remember_article(conn: &Connection, id: &ArticleId, entry: &HistoryEntry) -> Result<()> {
    add_article_history(conn, "OR IGNORE", id, entry)?;
    let line = article_line(id, entry);
    audited(conn, ms(line.at), &line.by, &line.action, &line.object, &line.detail)
}

/// Writes a line of an article's history; `or` says what if that version has one. Lets the oldest go.
pub(in crate::store::sqlite) fn add_article_history(
    conn: &Connection,
    or: &'static str,
    id: &ArticleId,
    entry: &HistoryEntry,
) -> Result<()> {
    let sql = format!(
        "INSERT {or} INTO article_history (article, version, at, by, action, changes) VALUES (?, ?, ?, ?, ?, ?)"
    );
    conn.prepare_cached(&sql)?.execute(params![
        id.0,
        signed(entry.version)?,
        ms(entry.at),
        entry.by,
        entry.action,
        changes_text(entry)?
    ])?;
    if entry.version > HISTORY {
        conn.prepare_cached("DELETE FROM article_history WHERE article = ? AND version <= ?")?
            .execute(params![id.0, signed(entry.version - HISTORY)?])?;
    }
    Ok(())
}

/// What the audit says of a line of an article's history.
pub(in crate::store::sqlite) fn article_line(id: &ArticleId, entry: &HistoryEntry) -> AuditEntry {
    let fields: Vec<&str> = entry.changes.keys().map(String::as_str).collect();
    AuditEntry {
        id: 0,
        at: entry.at,
        by: entry.by.clone(),
        action: format!("article.{}", entry.action),
        object: format!("article:{}", id.0),
        detail: fields.join(", "),
    }
}

/// What the audit says of a line of a link's history.
pub(in crate::store::sqlite) fn line(code: &Code, entry: &HistoryEntry) -> AuditEntry {
    let fields: Vec<&str> = entry.changes.keys().map(String::as_str).collect();
    AuditEntry {
        id: 0,
        at: entry.at,
        by: entry.by.clone(),
        action: format!("link.{}", entry.action),
        object: format!("link:{code}"),
        // Of a new link everything is new.
        detail: if entry.action == HistoryEntry::CREATED { String::new() } else { fields.join(", ") },
    }
}

/// Reads `version, at, by, action, changes` from column `at` on.
pub(super) fn history_entry(row: &Row<'_>, at: usize) -> Result<HistoryEntry> {
    let changes: String = row.get(at + 4)?;
    Ok(HistoryEntry {
        version: unsigned(row.get(at)?)?,
        at: time(row.get(at + 1)?)?,
        by: row.get(at + 2)?,
        action: row.get(at + 3)?,
        changes: serde_json::from_str(&changes).map_err(|e| Error::Corrupt(e.to_string()))?,
    })
}

/// A page of a link's history, newest first.
pub(super) fn history(
    conn: &Connection,
    code: &str,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<HistoryEntry>> {
    let mut statement = conn.prepare_cached(
        "SELECT h.version, h.at, h.by, h.action, h.changes FROM links l JOIN history h ON h.link = l.id \
         WHERE l.code = ? AND h.version < ? ORDER BY h.version DESC LIMIT ?",
    )?;
    let before = before.and_then(|b| i64::try_from(b).ok()).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![code, before, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut entries = vec![];
    while let Some(row) = rows.next()? {
        entries.push(history_entry(row, 0)?);
    }
    Ok(entries)
}

/// A page of an article's history, newest first.
pub(super) fn article_history(
    conn: &Connection,
    id: &ArticleId,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<HistoryEntry>> {
    let mut statement = conn.prepare_cached(
        "SELECT version, at, by, action, changes FROM article_history WHERE article = ? AND version < ? \
         ORDER BY version DESC LIMIT ?",
    )?;
    let before = before.and_then(|b| i64::try_from(b).ok()).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![id.0, before, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut entries = vec![];
    while let Some(row) = rows.next()? {
        entries.push(history_entry(row, 0)?);
    }
    Ok(entries)
}

/// What changed since `version`.
pub(super) fn changes_since(conn: &Connection, version: u64) -> Result<Changes> {
    let now: i64 = conn.prepare_cached("SELECT max(version) FROM feed")?.query_row([], |row| row.get(0))?;
    let mut changes =
        Changes { version: unsigned(now)?, keys: Some(vec![]), accounts: false, behind: Duration::ZERO };
    if version == 0 || version == changes.version {
        return Ok(changes);
    }
    let first: i64 = conn.prepare_cached("SELECT min(version) FROM feed")?.query_row([], |row| row.get(0))?;
    let since = i64::try_from(version).unwrap_or(i64::MAX);
    // Ahead of the feed: the file is an older one than the caller saw, put back from a backup.
    if since > now || since < first - 1 {
        return Ok(Changes { keys: None, accounts: true, ..changes });
    }
    let mut statement = conn.prepare_cached("SELECT kind, key FROM feed WHERE version > ?")?;
    let mut rows = statement.query([since])?;
    let mut keys = vec![];
    while let Some(row) = rows.next()? {
        match row.get::<_, i64>(0)? {
            FEED_LINK => keys.push(row.get(1)?),
            _ => changes.accounts = true,
        }
    }
    changes.keys = Some(keys);
    Ok(changes)
}
