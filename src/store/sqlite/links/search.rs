//! Substring search over code, title, target and note.
//!
//! Guarantees that what is found is exactly what contains the words (the index only narrows down; each hit is
//! looked at again), also for links the index does not have yet. Indexing is done when the writer is idle,
//! because it costs more than making the link.

use std::fmt::Write;

use rusqlite::Connection;

use super::rows;
use crate::store::Result;

/// Links indexed in one go: a write that comes meanwhile waits that long.
const STEP: usize = 256;
/// With more hits than this the list is walked in its own order instead, since the next hit is never far.
const FEW: usize = 5_000;

/// Indexes some of the links that wait for it. True if more do.
pub(super) fn index_some(conn: &Connection) -> Result<bool> {
    let waiting: Vec<i64> = conn
        .prepare_cached("SELECT link FROM search_pending LIMIT ?")?
        .query_map([i64::try_from(STEP).unwrap_or(i64::MAX)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in &waiting {
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

/// The links that may contain `q`, as a JSON list of rows; None if they are too many or `q` is too short to know.
pub(super) fn candidates(conn: &Connection, q: &str) -> Result<Option<String>> {
    let Some(query) = trigrams(q) else { return Ok(None) };
    let limit = i64::try_from(FEW + 1).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(
        "SELECT link FROM (SELECT link FROM search_pending LIMIT ?2) UNION ALL \
         SELECT rowid FROM (SELECT rowid FROM search WHERE search MATCH ?1 LIMIT ?2)",
    )?;
    let mut ids = String::from("[");
    let mut count = 0;
    let mut rows = statement.query(rusqlite::params![query, limit])?;
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

/// All three-character pieces of `q`, each of which must be there.
fn trigrams(q: &str) -> Option<String> {
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
