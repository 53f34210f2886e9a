//! The mirror: a node's local copy of all links, articles and accounts of a store that is elsewhere.
//!
//! It answers lists and searches, answers for links while the store is away, and remembers what a failover may
//! have taken. Guarantees that what a lane's [`Mark`] says is what the mirror has: records and mark change in one
//! step, and only from the mark that the caller knew, so that several processes may keep one mirror. Knows records
//! as bytes and as what they mean, not how one becomes the other, and no backend.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::links::RequestTag;
use super::tallies::Dataset;
use super::{Accounts, Documents, Links, Result, Webhooks};
use crate::domain::article::{Article, ArticleId};
use crate::domain::code::Code;
use crate::domain::lane::Lane;
use crate::domain::link::{HistoryEntry, Link, SlotTarget};
use crate::store::accounts::{AuditEntry, Key, User};
use crate::store::documents::DocumentKind;
use crate::store::webhooks::Webhook;

/// Values that a record had before, remembered for each.
pub const BASES: usize = 8;
/// The [`base_of`] of a record that is not there.
pub const ABSENT: Base = 0;

/// What is left of a value that a record had: enough to know it again.
pub type Base = u64;

/// A lane's place in the store's history: its version, and the random tag of the commit that made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// 0 before the first commit.
    pub version: u64,
    /// Tells two histories with the same number apart; 0 before the first commit.
    pub tag: u64,
}

/// How far the mirror follows a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// It has every change up to this one, unless it is not complete.
    pub mark: Mark,
    /// False until the whole lane has been read once.
    pub complete: bool,
}

/// A record as it is now.
#[derive(Clone, Debug)]
pub struct Put {
    /// Its name within the lane.
    pub field: Vec<u8>,
    /// Its bytes; empty for one that is gone.
    pub raw: Vec<u8>,
    /// What it was before, by [`base_of`], if the caller knows (its own write does); else the mirror takes what it
    /// has itself.
    pub base: Option<Base>,
    /// What it means.
    pub value: Value,
}

/// What a record means.
#[derive(Clone, Debug)]
pub enum Value {
    /// All links of one folded code, oldest first. One that follows its article has no target here: the mirror
    /// takes the article's address.
    Links(Vec<Kept>),
    /// A story, and which code has which of its slots.
    Article {
        /// The story.
        article: Box<Article>,
        /// Its slots.
        slots: Vec<SlotOf>,
    },
    /// An address, or a CMS id, of a story. A story's own address need not be told: the mirror knows it by the story.
    Alias {
        /// Which of the two.
        kind: AliasKind,
        /// For a CMS id, the site it counts in; else "".
        site: String,
        /// The address or id.
        value: String,
        /// Whose.
        article: ArticleId,
    },
    /// An address or a CMS id that was this story's, which was redacted, and is nobody's now.
    Freed {
        /// Whose it was.
        article: ArticleId,
    },
    /// A line of a story's history.
    ArticleHistory {
        /// Whose.
        article: ArticleId,
        /// The line.
        entry: HistoryEntry,
    },
    /// A line of a link's history. The first line of a link that was made by a request need not be there while the
    /// link is at version 1.
    History {
        /// Whose.
        code: Code,
        /// The line.
        entry: HistoryEntry,
    },
    /// A key.
    Key(Key),
    /// A user.
    User(User),
    /// A line of the audit that is not a link's own. The mirror makes those of links and articles
    /// itself, from their history.
    Audit(AuditEntry),
    /// A document.
    Document {
        /// What it is.
        kind: DocumentKind,
        /// Its name.
        name: String,
        /// What it says; None for one that was removed.
        value: Option<serde_json::Value>,
        /// Its version.
        version: u64,
        /// Its last change.
        updated_at: Timestamp,
        /// Whose that was.
        updated_by: String,
    },
    /// A webhook.
    Webhook(Box<Webhook>),
    /// There is no webhook with this id any more.
    NoWebhook(String),
    /// Nothing by itself; its bytes are kept.
    Nothing,
    /// It is no more; its bytes go.
    Gone,
}

/// A link with the names of its writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The link.
    pub link: Link,
    /// The request that made it; None for an import, which brings its own history and audit.
    pub created_tag: Option<RequestTag>,
    /// The requests of its last writes, oldest first.
    pub write_tags: Vec<RequestTag>,
}

/// What an alias is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AliasKind {
    /// An address.
    Url,
    /// The CMS's id.
    CmsId,
}

/// A slot of an article, and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotOf {
    /// The slot's channel.
    pub channel: Option<String>,
    /// The slot's campaign.
    pub campaign: Option<String>,
    /// Where the slot leads.
    pub target: SlotTarget,
    /// Who has it.
    pub code: Code,
}

/// A record as the mirror has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// Its name within the lane.
    pub field: Vec<u8>,
    /// Its bytes.
    pub raw: Vec<u8>,
    /// What it was before, oldest first, at most [`BASES`].
    pub bases: Vec<Base>,
}

/// What is left of a value; [`ABSENT`] for an empty one.
#[must_use]
pub fn base_of(raw: &[u8]) -> Base {
    if raw.is_empty() {
        return ABSENT;
    }
    let hash = Sha256::digest(raw);
    // Never the value that means "not there".
    hash.iter().take(8).fold(0, |base, byte| (base << 8) | u64::from(*byte)).max(1)
}

/// The number of a line of the audit: its time in milliseconds and 20 bits of what it says, so that every node gives
/// a line the same number. Lines that say different things and have one number are told apart by adding 1.
#[must_use]
pub fn audit_id(entry: &AuditEntry) -> u64 {
    let mut said = Sha256::new();
    for text in [&entry.by, &entry.action, &entry.object, &entry.detail] {
        said.update(text.as_bytes());
        said.update([0]);
    }
    let said = said.finalize();
    let bits = said.iter().take(3).fold(0, |bits, byte| (bits << 8) | u64::from(*byte)) >> 4;
    first_audit_id(entry.at) | bits
}

/// The least number that a line of the audit of this time can have.
#[must_use]
pub fn first_audit_id(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0) << 20
}

/// A local copy of a store's links, articles and accounts.
#[async_trait]
pub trait Mirror: Send + Sync {
    /// The store that it is a copy of; None for a new one.
    async fn dataset(&self) -> Result<Option<Dataset>>;

    /// Says which store it is a copy of. If that is another one than before, everything in it goes.
    async fn set_dataset(&self, dataset: Dataset) -> Result<()>;

    /// How far it follows each lane, the lanes in order.
    async fn followed(&self) -> Result<Vec<Followed>>;

    /// Puts records and moves the lane from `from` to `to`, all in one step. False, and nothing changed, if the lane
    /// is not at `from`: another process has moved it.
    async fn put(&self, lane: Lane, puts: Vec<Put>, from: Followed, to: Followed) -> Result<bool>;

    /// Puts records that may be newer than the lane's mark, which stays: the caller's own writes.
    async fn put_ahead(&self, lane: Lane, puts: Vec<Put>) -> Result<()>;

    /// Puts those of the records that it does not have at all.
    async fn put_missing(&self, lane: Lane, puts: Vec<Put>) -> Result<()>;

    /// These records, in their order; None for one that it does not have.
    async fn raws(&self, lane: Lane, fields: Vec<Vec<u8>>) -> Result<Vec<Option<Raw>>>;

    /// A page of a lane's records in order of their names, those after `after`; an empty page ends it.
    async fn page(&self, lane: Lane, after: Option<Vec<u8>>, limit: usize) -> Result<Vec<Raw>>;

    /// Lets lines of the audit go that are of before `before`, those of links too.
    async fn forget_audit(&self, before: Timestamp) -> Result<()>;

    /// Tells whoever follows its change feed that everything may have changed.
    async fn upset(&self) -> Result<()>;

    /// Those of these articles that it does not have.
    async fn missing(&self, articles: Vec<ArticleId>) -> Result<Vec<ArticleId>>;

    /// What leads to this article, its own address and CMS id too: kind, site, address or id.
    async fn aliases(&self, article: &ArticleId) -> Result<Vec<(AliasKind, String, String)>>;

    /// This article and all that were merged into it, itself first; none if it is not there.
    async fn with_merged(&self, article: &ArticleId) -> Result<Vec<ArticleId>>;

    /// Its links. Writes are refused. Its change feed is that of what was put.
    fn links(&self) -> Arc<dyn Links>;

    /// Its accounts. Writes are refused.
    fn accounts(&self) -> Arc<dyn Accounts>;

    /// Its documents. Writes are refused.
    fn documents(&self) -> Arc<dyn Documents>;

    /// Its webhooks. Writes are refused.
    fn webhooks(&self) -> Arc<dyn Webhooks>;

    /// Finishes what was begun and closes the file. Later calls are `Unavailable`.
    async fn close(&self) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_again() {
        assert_eq!(base_of(b""), ABSENT);
        assert_eq!(base_of(b"a"), base_of(b"a"));
        assert_ne!(base_of(b"a"), base_of(b"b"));
    }

    #[test]
    fn audit_lines_are_numbered_by_time_and_then_by_what_they_say() {
        let line = |ms, object: &str| AuditEntry {
            id: 0,
            at: Timestamp::from_millisecond(ms).unwrap(),
            by: "key:a".into(),
            action: "link.created".into(),
            object: object.into(),
            detail: String::new(),
        };
        let ids = [line(1_000, "link:a"), line(1_000, "link:b"), line(1_001, "link:a")].map(|l| audit_id(&l));
        assert_ne!(ids[0], ids[1]);
        assert!(ids[2] > ids[0].max(ids[1]));
        assert_eq!(ids[0] >> 20, 1_000);
        let first = first_audit_id(Timestamp::from_millisecond(1_001).unwrap());
        assert!(ids[1] < first && first <= ids[2]);
    }
}
