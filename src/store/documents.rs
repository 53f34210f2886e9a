//! What a store must do for documents: small pieces of JSON that staff change while the service runs.
//!
//! Settings, channels and who gets a digest are documents. Every change is in the audit and in the change feed of
//! [`super::Links`], in the same commit, so that every node sees it as soon as a key's. Knows names and values, not what
//! they mean.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::Result;
use super::accounts::AuditEntry;

/// Names that a kind can ever have, removed ones included: a version is never given twice, so a name stays.
pub const NAMES: usize = 1_000;
/// So much of a value is told in the audit, in characters.
const TOLD: usize = 200;

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    /// The value of an option.
    Setting,
    /// A channel and what it adds to targets.
    Channel,
    /// Who of staff gets a digest, where and when; its name is the user's in lower case.
    Digest,
}

impl DocumentKind {
    /// All of them, in order.
    pub const ALL: [DocumentKind; 3] = [DocumentKind::Setting, DocumentKind::Channel, DocumentKind::Digest];

    /// Its name in tables, records, exports and the audit.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DocumentKind::Setting => "setting",
            DocumentKind::Channel => "channel",
            DocumentKind::Digest => "digest",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<DocumentKind> {
        DocumentKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// Its name, unique within its kind.
    pub name: String,
    /// What it says.
    pub value: Value,
    /// 1 and up; goes on where it was when a removed one is written again.
    pub version: u64,
    /// Its last change, in milliseconds.
    pub updated_at: Timestamp,
    /// Whose that was.
    pub updated_by: String,
}

/// A change of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentChange {
    /// What it is.
    pub kind: DocumentKind,
    /// Its name.
    pub name: String,
    /// What it is to say; None removes it.
    pub value: Option<Value>,
    /// The version that was read, 0 for none (also for a removed one). None: whatever is there.
    pub seen: Option<u64>,
    /// Who changes it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentChanged {
    /// It is as was asked, at this version. A change that changes nothing keeps the version.
    Done(u64),
    /// Nothing was changed: it is at this version, 0 if it is not there.
    Stale(u64),
    /// There is nothing to remove, and never was.
    Unknown,
    /// Nothing was changed: there are [`NAMES`] already.
    Full,
}

/// What a store remembers of a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Remembered {
    /// None: it was removed.
    pub(super) value: Option<Value>,
    pub(super) version: u64,
}

impl DocumentChange {
    /// What becomes of it over what is there: what is to be written, or the answer at once.
    pub(super) fn over(&self, there: Option<&Remembered>) -> std::result::Result<u64, DocumentChanged> {
        let version = there.map_or(0, |there| there.version);
        let value = there.and_then(|there| there.value.as_ref());
        let shown = if value.is_some() { version } else { 0 };
        match (&self.value, there) {
            _ if self.seen.is_some_and(|seen| seen != shown) => Err(DocumentChanged::Stale(shown)),
            (None, None) => Err(DocumentChanged::Unknown),
            (new, Some(_)) if new.as_ref() == value => Err(DocumentChanged::Done(version)),
            _ => Ok(version + 1),
        }
    }

    /// What the audit says of it.
    pub(super) fn line(&self, there: Option<&Remembered>) -> AuditEntry {
        let (kind, was) = (self.kind.as_str(), there.is_some_and(|there| there.value.is_some()));
        let action = match (&self.value, was) {
            (None, _) => "removed",
            (Some(_), false) => "created",
            (Some(_), true) => "changed",
        };
        let detail = match (self.kind, &self.value) {
            // The audit is kept for years: an address of a person is none of its.
            (DocumentKind::Digest, _) | (_, None) => String::new(),
            (_, Some(value)) => value.to_string(),
        };
        let detail = match detail.char_indices().nth(TOLD) {
            Some((end, _)) => format!("{}...", &detail[..end]),
            None => detail,
        };
        AuditEntry {
            id: 0,
            at: self.at,
            by: self.by.clone(),
            action: format!("{kind}.{action}"),
            object: format!("{kind}:{}", self.name),
            detail,
        }
    }
}

/// Documents.
#[async_trait]
pub trait Documents: Send + Sync {
    /// All documents, by kind and name. Those that were removed are not among them.
    async fn documents(&self) -> Result<Vec<Document>>;

    /// How many names a kind has, removed ones included.
    async fn names(&self, kind: DocumentKind) -> Result<usize>;

    /// Changes one, with its line of the audit.
    async fn change_document(&self, change: DocumentChange) -> Result<DocumentChanged>;

    /// Puts back what an export gave, without audit; a name that is there already, or was, is left as it is.
    async fn import_documents(&self, documents: Vec<Document>) -> Result<()>;
}
