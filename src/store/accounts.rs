//! What a store of accounts must do: keys, users, the audit, remembered answers.
//!
//! Secrets arrive here as hashes only. Every change of a key or user is in the change feed of [`super::Links`],
//! so that every node sees it as soon as a link's.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::domain::access::Role;

/// An API key. The key itself is `slk_ID_SECRET`; only the SHA-256 of the secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its public part, 12 characters.
    pub id: String,
    /// What it is for, at most 100 characters.
    pub name: String,
    /// What it may.
    pub role: Role,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// It is not valid from then on.
    pub expires_at: Option<Timestamp>,
    /// It has not been valid since then.
    pub revoked_at: Option<Timestamp>,
}

/// A member of staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Sign-in name, at most 100 characters, unique without regard to case.
    pub name: String,
    /// What they may.
    pub role: Role,
    /// PHC string of the password (argon2id); None until one is set.
    pub password: Option<String>,
    /// When they were added.
    pub created_at: Timestamp,
    /// Who added them.
    pub created_by: String,
    /// Since when they may do nothing.
    pub disabled_at: Option<Timestamp>,
}

/// So many lines of the audit, the newest, are kept by every store, whatever else it lets go.
pub const AUDIT_KEPT: u64 = 64_000;

/// One line of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number, ascending; 0 for one not written yet.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What, as `noun.verb` ("link.created").
    pub action: String,
    /// On what ("link:kx7dw4m").
    pub object: String,
    /// More, in words; "" for none.
    pub detail: String,
}

/// An answer that is remembered for an Idempotency-Key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, without any secret.
    pub body: Vec<u8>,
}

/// What an Idempotency-Key means to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// New: do it, then `finish`.
    New,
    /// Done before with the same body.
    Done(Answer),
    /// Being done.
    Running,
    /// Used with another body.
    Other,
}

/// Everything an export holds of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountItem {
    /// A key.
    Key(Key),
    /// A user.
    User(User),
    /// A line of the audit.
    Audit(AuditEntry),
}

/// Keys, users, audit, remembered answers.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// All keys, oldest first, revoked ones too.
    async fn keys(&self) -> Result<Vec<Key>>;

    /// Adds a key; false if its id is there already.
    async fn add_key(&self, key: Key) -> Result<bool>;

    /// Ends a key now. None if there is none; a revoked one stays as it is.
    async fn revoke_key(&self, id: &str, by: &str, now: Timestamp) -> Result<Option<Key>>;

    /// All users, oldest first, disabled ones too.
    async fn users(&self) -> Result<Vec<User>>;

    /// Adds a user; false if the name is there already, without regard to case.
    async fn add_user(&self, user: User) -> Result<bool>;

    /// Replaces the record of a user of that name. False if there is none.
    async fn set_user(&self, user: User, by: &str, action: &str, now: Timestamp) -> Result<bool>;

    /// Adds lines to the audit. Links and accounts write their own; this is for the rest.
    async fn audit(&self, entries: Vec<AuditEntry>) -> Result<()>;

    /// The audit, newest first, before line `before` if given, at most `limit`. Newest by time or by when it was
    /// written, as the store can: the same for lines that are written when they happen.
    async fn audited(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>>;

    /// Lets lines of the audit go that are of before `before`. A store that makes the lines of links anew from their
    /// histories may bring some back; they go with the next call.
    async fn forget_audit(&self, before: Timestamp) -> Result<()>;

    /// Looks an Idempotency-Key up and, if it is new or was left running for 60 s, marks it running. Answers
    /// older than 24 h are forgotten.
    async fn begin(&self, owner: &str, key: &str, body: [u8; 32], now: Timestamp) -> Result<Begun>;

    /// Remembers the answer; None forgets that it was running.
    async fn finish(&self, owner: &str, key: &str, answer: Option<Answer>) -> Result<()>;

    /// Puts back what an export gave; what is already there is left as it is.
    async fn import(&self, items: Vec<AccountItem>) -> Result<()>;
}
