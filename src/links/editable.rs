//! The part of a link that people change, as one value.
//!
//! Its JSON form gives a change's line in the history (field -> from, to), and the history gives back how a link
//! was at an earlier version. Unknown to everyone else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::domain::link::{HistoryEntry, Link};

/// What people change of a link, under the names of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Editable {
    /// Where it leads.
    pub target: Option<String>,
    /// True while that is its article's own address.
    pub follows_article: bool,
    /// What its channel adds to its target's query.
    #[serde(default)]
    pub added: Option<String>,
    /// Its channel.
    pub channel: Option<String>,
    /// Its campaign.
    pub campaign: Option<String>,
    /// Its own title.
    pub title: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its note.
    pub note: Option<String>,
    /// When it opens.
    pub not_before: Option<Timestamp>,
    /// When it closes.
    pub expires_at: Option<Timestamp>,
    /// Where visits go then.
    pub expired_url: Option<String>,
    /// What readers are told while it is closed.
    pub message: Option<String>,
    /// 301, 302, 307 or 308.
    pub redirect_status: u16,
    /// Appends the visit's query.
    pub forward_query: bool,
    /// Shown to its maker and admins alone until it opens.
    #[serde(default)]
    pub confidential: bool,
    /// Switched off.
    pub disabled: bool,
}

impl Editable {
    /// The editable part of a link.
    #[must_use]
    pub fn of(link: &Link) -> Editable {
        Editable {
            target: link.target.clone(),
            follows_article: link.follows_article,
            added: link.added.clone(),
            channel: link.channel.clone(),
            campaign: link.campaign.clone(),
            title: link.title.clone(),
            tags: link.tags.clone(),
            note: link.note.clone(),
            not_before: link.not_before,
            expires_at: link.expires_at,
            expired_url: link.expired_url.clone(),
            message: link.message.clone(),
            redirect_status: link.redirect_status,
            forward_query: link.forward_query,
            confidential: link.confidential,
            disabled: link.disabled,
        }
    }

    /// The link with this editable part, one version on, changed at `now`.
    #[must_use]
    pub fn put_into(self, link: &Link, now: Timestamp) -> Link {
        let version = link.version + 1;
        let retargeted = self.target != link.target;
        Link {
            target_version: if retargeted {
                u32::try_from(version).unwrap_or(u32::MAX)
            } else {
                link.target_version
            },
            target: self.target,
            follows_article: self.follows_article,
            added: self.added,
            channel: self.channel,
            campaign: self.campaign,
            title: self.title,
            tags: self.tags,
            note: self.note,
            not_before: self.not_before,
            expires_at: self.expires_at,
            expired_url: self.expired_url,
            message: self.message,
            redirect_status: self.redirect_status,
            forward_query: self.forward_query,
            confidential: self.confidential,
            disabled: self.disabled,
            updated_at: now,
            version,
            ..link.clone()
        }
    }

    fn fields(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        }
    }

    /// What changed from `before` to this: field -> `{from, to}`.
    #[must_use]
    pub fn changes_from(&self, before: &Editable) -> Map<String, Value> {
        let before = before.fields();
        let mut changes = Map::new();
        for (name, to) in self.fields() {
            let from = before.get(&name).cloned().unwrap_or(Value::Null);
            if from != to {
                changes.insert(name, json!({ "from": from, "to": to }));
            }
        }
        changes
    }

    /// What is said of a new link in its history: each field that is not empty.
    #[must_use]
    pub fn changes_from_nothing(&self) -> Map<String, Value> {
        let empty = |v: &Value| match v {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        let fields = self.fields().into_iter().filter(|(_, v)| !empty(v));
        fields.map(|(name, to)| (name, json!({ "from": Value::Null, "to": to }))).collect()
    }

    /// Takes back the changes of `entries` (newest first). None if what comes out is no link any more, as when
    /// the history was cut.
    #[must_use]
    pub fn taken_back(&self, entries: &[HistoryEntry]) -> Option<Editable> {
        let mut fields = self.fields();
        for entry in entries {
            for (name, change) in &entry.changes {
                if let Some(field) = fields.get_mut(name) {
                    *field = change.get("from").cloned().unwrap_or(Value::Null);
                }
            }
        }
        serde_json::from_value(Value::Object(fields)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::link::tests::link;

    #[test]
    fn changes_can_be_taken_back() {
        let first = link("kx7");
        let before = Editable::of(&first);
        let after = Editable {
            target: Some("https://b.test/".into()),
            follows_article: false,
            tags: vec!["a".into()],
            disabled: true,
            ..before.clone()
        };
        let changed = after.clone().put_into(&first, Timestamp::UNIX_EPOCH);
        assert_eq!((changed.version, changed.target_version), (2, 2));
        let changes = after.changes_from(&before);
        assert_eq!(changes["target"]["to"], "https://b.test/");
        assert_eq!(changes.len(), 4);
        let entry = HistoryEntry {
            version: 2,
            at: Timestamp::UNIX_EPOCH,
            by: "key:a".into(),
            action: "changed".into(),
            changes,
        };
        assert_eq!(after.taken_back(&[entry]), Some(before.clone()));
        assert!(before.changes_from(&before).is_empty());
    }
}
