//! What a store of webhooks must do: who wants to be told of what, and what is on its way to them.
//!
//! A webhook's secret is needed to sign, so it is kept readable; nothing here shows it. Every change of a webhook is in
//! the change feed of [`super::Links`], as one of an account is. Deliveries are in no feed: whoever delivers asks.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::secret::Secret;

/// Deliveries of a webhook that may wait; one more is refused.
pub const WAITING: usize = 10_000;
/// Deliveries of a webhook that have ended are kept for so long, in days ...
pub const KEPT_DAYS: i64 = 7;
/// ... and at most so many, the newest.
pub const KEPT: usize = 1_000;
/// Ended deliveries that go in one step, so that nobody waits for long.
pub(super) const GO_AT_ONCE: usize = 200;

/// Who wants to be told of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Ours, opaque.
    pub id: String,
    /// What it is for; "" for nothing said.
    pub name: String,
    /// Who is told.
    pub url: String,
    /// Of what, in the words of messages ("link.created").
    pub events: Vec<String>,
    /// What its messages are signed with; empty for one that was imported and has none yet: it is not told anything.
    pub secret: Secret,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// It is not told anything since then.
    pub disabled: Option<Disabled>,
    /// Rises by one with each change.
    pub version: u64,
}

/// That a webhook is not told anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabled {
    /// Since when.
    pub at: Timestamp,
    /// Why, in words for an admin.
    pub why: String,
}

impl Webhook {
    /// True if it is told what happens.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.disabled.is_none() && self.secret.reveal().is_some()
    }
}

/// What came of a change of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It is as it should be.
    Done,
    /// Someone else changed it; it is as it is now.
    Stale(Box<Webhook>),
    /// There is none.
    NotFound,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is tried at that time, or as soon as it can be.
    Waiting(Timestamp),
    /// It was taken then.
    Delivered(Timestamp),
    /// It was given up then.
    Failed(Timestamp),
}

/// What the last try came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// When.
    pub at: Option<Timestamp>,
    /// What was answered, if anything was.
    pub status: Option<u16>,
    /// Why it was not taken, in words for an admin.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub latency_ms: u64,
}

/// A message on its way to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whose.
    pub webhook: String,
    /// The message's id, the same for all webhooks that get it.
    pub id: String,
    /// What it tells of ("link.created").
    pub event: String,
    /// The code of the link that it is about; "" for none.
    pub code: String,
    /// The message, as it is sent.
    pub body: String,
    /// When it happened.
    pub created_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// How far it is.
    pub stage: Stage,
    /// The last try.
    pub tried: Tried,
}

/// What came of adding deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enqueued {
    /// So many were added; those that were there already are not among them.
    pub added: usize,
    /// So many were refused: too many of their webhook wait.
    pub refused: usize,
}

/// What a try says of the webhook as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It takes messages: it has not been failing.
    Good,
    /// It failed then; it has been failing since the first such time after the last good one.
    Failing(Timestamp),
    /// Nothing.
    Unsaid,
}

/// What came of [`Deliveries::settle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// False if the delivery was not as it was read, so that nothing was changed.
    pub done: bool,
    /// Since when the webhook has been failing.
    pub failing_since: Option<Timestamp>,
}

/// Who wants to be told of what.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// All webhooks, oldest first.
    async fn all(&self) -> Result<Vec<Webhook>>;

    /// Adds one, with a line of the audit; false if its id is there already.
    async fn add(&self, webhook: Webhook) -> Result<bool>;

    /// Puts it in the place of the one with its id and the version before, with a line of the audit.
    async fn replace(&self, webhook: Webhook, by: &str, action: &str, now: Timestamp) -> Result<Replaced>;

    /// Removes one with all its deliveries, with a line of the audit; false if there is none.
    async fn remove(&self, id: &str, by: &str, now: Timestamp) -> Result<bool>;

    /// Puts back what an export or another store gave; one that is already there is left as it is.
    async fn import(&self, webhooks: Vec<Webhook>) -> Result<()>;
}

/// Messages on their way. One is known by its webhook and its id.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Adds deliveries that wait, in one step for each webhook. One that is known already is left as it is, so an event
    /// that several nodes saw is told once. Those of webhooks that are not there may be dropped.
    async fn enqueue(&self, new: Vec<Delivery>) -> Result<Enqueued>;

    /// Of each of these webhooks the deliveries that wait and are due, those due first first, at most `limit` each.
    async fn due(&self, webhooks: &[String], now: Timestamp, limit: usize) -> Result<Vec<Delivery>>;

    /// Puts `after` in the place of `before` if that still is what was read, and notes the webhook's health. Ended
    /// deliveries that are too old or too many go.
    async fn settle(
        &self,
        before: &Delivery,
        after: Delivery,
        health: Health,
        now: Timestamp,
    ) -> Result<Settled>;

    /// One of them.
    async fn find(&self, webhook: &str, id: &str) -> Result<Option<Delivery>>;

    /// A webhook's deliveries, newest first, those before (time in milliseconds, id) if given, at most `limit`.
    async fn list(&self, webhook: &str, before: Option<(i64, String)>, limit: usize)
    -> Result<Vec<Delivery>>;

    /// Since when a webhook has been failing; None if it is not, or was enabled anew since.
    async fn failing_since(&self, webhook: &str) -> Result<Option<Timestamp>>;

    /// Forgets that a webhook has been failing.
    async fn forgive(&self, webhook: &str) -> Result<()>;
}
