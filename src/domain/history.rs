//! A line of a history: what one change of a link or an article was.
//!
//! Guarantees that a line can be blanked, so that nothing of what was redacted can be read in it. Knows nothing of how it
//! is kept.

use jiff::Timestamp;

use super::link::Link;

/// One change of a link or an article, for its history. `changes` maps a field's name to what it was and became.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct HistoryEntry {
    /// The version that this change made.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// `created`, `changed`, `reverted`, `retired`, `redacted` and the like.
    pub action: String,
    /// Field -> `{from, to}`, as JSON.
    pub changes: serde_json::Map<String, serde_json::Value>,
}

impl HistoryEntry {
    /// The action of a history's first line.
    pub const CREATED: &str = "created";
    /// The action of a line that says that all was blanked.
    pub const REDACTED: &str = "redacted";
    /// Fields whose values go when something is redacted: they tell a title, an address, or what staff wrote.
    pub const READABLE: [&str; 13] = [
        "target",
        "title",
        "note",
        "message",
        "expired_url",
        "url",
        "address",
        "cms_id",
        "description",
        "image",
        "replacement_url",
        "aliases",
        "notes",
    ];

    /// The line of a redaction.
    #[must_use]
    pub fn redaction(version: u64, by: &str, at: Timestamp) -> HistoryEntry {
        let changes = serde_json::Map::new();
        HistoryEntry { version, at, by: by.to_owned(), action: HistoryEntry::REDACTED.into(), changes }
    }

    /// Blanks what must not be read any more; who changed which field when stays. True if that was anything.
    pub fn redact(&mut self) -> bool {
        let blank = serde_json::json!({ "from": null, "to": null });
        let mut news = false;
        for (field, change) in &mut self.changes {
            if HistoryEntry::READABLE.contains(&field.as_str()) && *change != blank {
                *change = blank.clone();
                news = true;
            }
        }
        news
    }

    /// The first line of a link's history: what it began with.
    #[must_use]
    pub fn birth(link: &Link) -> HistoryEntry {
        let mut changes = serde_json::Map::new();
        let fields = [("target", &link.target), ("channel", &link.channel), ("campaign", &link.campaign)];
        for (name, value) in fields.into_iter().chain([("title", &link.title)]) {
            if let Some(value) = value {
                changes.insert(name.into(), serde_json::json!({ "from": null, "to": value }));
            }
        }
        HistoryEntry {
            version: link.version,
            at: link.created_at,
            by: link.created_by.clone(),
            action: HistoryEntry::CREATED.into(),
            changes,
        }
    }
}
