//! The record of a line of a link's history.

use serde::{Deserialize, Serialize};

use super::wire::{Who, decode, encode, ms, time};
use crate::domain::link::HistoryEntry;
use crate::store::{Error, Result};

#[derive(Serialize, Deserialize)]
struct WireEntry {
    at_ms: i64,
    by: Who,
    action: String,
    /// As JSON.
    changes: String,
}

/// The record of a line.
///
/// # Errors
/// None that a line can have.
pub fn entry(entry: &HistoryEntry) -> Result<Vec<u8>> {
    let changes = serde_json::to_string(&entry.changes).map_err(|e| Error::Corrupt(e.to_string()))?;
    let (at_ms, by, action) = (ms(entry.at), Who::new(&entry.by), entry.action.clone());
    encode(&WireEntry { at_ms, by, action, changes })
}

/// The line of a record.
///
/// # Errors
/// `Corrupt` for bytes that are no line's.
pub fn kept_entry(version: u64, raw: &[u8]) -> Result<HistoryEntry> {
    let wire: WireEntry = decode("a line of a history", raw)?;
    Ok(HistoryEntry {
        version,
        at: time(wire.at_ms)?,
        by: wire.by.name(),
        action: wire.action,
        changes: serde_json::from_str(&wire.changes).map_err(|e| Error::Corrupt(e.to_string()))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::link::tests::link;

    #[test]
    fn a_line_comes_back() {
        let line = HistoryEntry { version: 7, ..HistoryEntry::birth(&link("kx7dw4m")) };
        assert_eq!(kept_entry(7, &entry(&line).unwrap()).unwrap(), line);
        assert!(kept_entry(7, b"").is_err());
    }
}
