//! Substring search over code, title, target and note.
//!
//! Guarantees that what is found is exactly what contains the words (the index only narrows down; each hit is
//! looked at again), also for links the index does not have yet. Indexing is done when the writer is idle,
//! because it costs more than making the link.

use rusqlite::Connection;

use super::rows;
use crate::store::Result;

/// Most links indexed in one transaction.
const STEP: usize = 1_000;

/// Indexes some of the links that wait for it, until somebody is `wanted`. True if more do.
pub(in crate::store::sqlite) fn index_some(conn: &Connection, wanted: &dyn Fn() -> bool) -> Result<bool> {
    let waiting: Vec<i64> = conn
        .prepare_cached("SELECT link FROM search_pending LIMIT ?")?
        .query_map([i64::try_from(STEP).unwrap_or(i64::MAX)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in &waiting {
        if wanted() {
            return Ok(true);
        }
        let found = rows::by_id(conn, *id)?.found;
        let link = &found.link;
        let title = rows::shown_title(link, found.article.as_deref());
        let (target, note) = (link.target.as_deref(), link.note.as_deref());
        let words =
            [link.code.as_str(), title, target.unwrap_or_default(), note.unwrap_or_default()].join("\n");
        conn.prepare_cached("INSERT OR REPLACE INTO search (rowid, words) VALUES (?, ?)")?
            .execute(rusqlite::params![id, words])?;
        conn.prepare_cached("DELETE FROM search_pending WHERE link = ?")?.execute([id])?;
    }
    Ok(waiting.len() == STEP)
}

/// The rows of the links that may contain what [`trigrams`] asks for: some of the indexed ones, and all that wait
/// to be indexed.
pub(super) const FINDER: &str =
    "SELECT link FROM search_pending UNION ALL SELECT rowid FROM search WHERE search MATCH ?";

/// All three-character pieces of `q`, each of which must be there; None for a shorter one.
pub(super) fn trigrams(q: &str) -> Option<String> {
    let chars: Vec<char> = q.chars().collect();
    let pieces: Vec<String> = chars
        .windows(3)
        .map(|three| format!("\"{}\"", three.iter().collect::<String>().replace('"', "\"\"")))
        .collect();
    (!pieces.is_empty()).then(|| pieces.join(" AND "))
}

/// A LIKE pattern for "contains", with `\` as its escape.
pub(super) fn contains(q: &str) -> String {
    let mut pattern = String::from("%");
    for c in q.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
