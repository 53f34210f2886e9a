//! Floor 2: telling others what happens to links.
//!
//! What happened becomes a message ([`message`]), is put on its way to each webhook that wants it before the editor is
//! answered, and is delivered by one node ([`dispatcher`]), signed ([`sign`]), again and again if need be ([`schedule`]).
//! Guarantees that no editor waits for a receiver, that a message which is on its way survives this process, and that
//! nothing is sent into a private network. A message may come twice; its id says so. How the store keeps it all is
//! unknown here, and who manages webhooks over which protocol too.

pub mod dispatcher;
pub mod manage;
pub mod message;
pub mod schedule;
pub mod sign;
pub mod spikes;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

use crate::articles::fetch::Poster;
use crate::domain::error::Refusal;
use crate::links::news::{Hears, News};
use crate::store::webhooks::{Delivery, Enqueued, Stage, Tried, Webhook};
use crate::store::{self, Accounts, Deliveries, Webhooks};
use crate::telemetry;
use crate::units::Span;
use message::Message;

/// Webhooks there may be.
pub const MOST: usize = 50;
/// Deliveries that are added in one step.
const AT_ONCE: usize = 1_000;

/// `[webhooks]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A receiver answers by then.
    pub deadline: Span,
    /// Pauses between the tries of a message.
    pub retry_after: Vec<Span>,
    /// A webhook that has taken nothing for so long is disabled.
    pub disable_after: Span,
}

impl Settings {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// (key, why).
    pub fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        if self.deadline.0 < Duration::from_millis(100) || self.deadline.0 > Duration::from_secs(30) {
            return Err(("deadline", "100ms to 30s".into()));
        }
        if self.retry_after.is_empty() || self.retry_after.len() > 20 {
            return Err(("retry_after", "1 to 20 pauses".into()));
        }
        if self.retry_after.iter().any(|pause| pause.0 < Duration::from_millis(10)) {
            return Err(("retry_after", "a pause is at least 10ms".into()));
        }
        if self.disable_after.0.is_zero() {
            return Err(("disable_after", "longer than nothing: else the first failure disables".into()));
        }
        Ok(())
    }

    fn pauses(&self) -> Vec<Duration> {
        self.retry_after.iter().map(|pause| pause.0).collect()
    }
}

/// Why a call on webhooks failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's to mend.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Ours.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The usual result of a call on webhooks.
pub type Result<T> = std::result::Result<T, Error>;

/// What webhooks need of the process.
pub struct Needs {
    /// Who wants to be told of what.
    pub webhooks: Arc<dyn Webhooks>,
    /// Messages on their way.
    pub deliveries: Arc<dyn Deliveries>,
    /// Who did what.
    pub accounts: Arc<dyn Accounts>,
    /// What sends them.
    pub poster: Arc<Poster>,
    /// `[webhooks]`.
    pub settings: Settings,
    /// Scheme, host and port of this service, without a slash at its end.
    pub public_url: Arc<str>,
    /// Longest store call.
    pub deadline: Duration,
}

/// Webhooks. One for the whole process.
pub struct WebhookService {
    needs: Needs,
    /// All of them, as of the last change that was heard of.
    known: RwLock<Arc<Vec<Webhook>>>,
    /// Held from reading the store to `known`: else what was read earlier could replace what was read later.
    order: Mutex<()>,
    /// Something is to be delivered now.
    wake: Notify,
    /// The last messages could not be put on their way; it is in the log.
    failing: AtomicBool,
    /// The last messages were too many; it is in the log.
    full: AtomicBool,
}

impl WebhookService {
    /// Over an open store, of which all webhooks are read once.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(needs: Needs) -> store::Result<WebhookService> {
        let known = RwLock::new(Arc::new(needs.webhooks.all().await?));
        let (failing, full) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(WebhookService { needs, known, order: Mutex::default(), wake: Notify::new(), failing, full })
    }

    /// Reads all webhooks again: the change feed says that some changed.
    ///
    /// # Errors
    /// The store's; what was known stays.
    pub async fn reload(&self) -> store::Result<()> {
        let _turn = self.order.lock().await;
        let all = self.within(self.needs.webhooks.all()).await?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(all);
        self.wake.notify_one();
        Ok(())
    }

    fn known(&self) -> Arc<Vec<Webhook>> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// True if a webhook wants to be told of this.
    #[must_use]
    pub fn is_wanted(&self, event: &str) -> bool {
        self.known().iter().any(|webhook| wants(webhook, event))
    }

    async fn within<T>(&self, call: impl Future<Output = store::Result<T>>) -> store::Result<T> {
        match tokio::time::timeout(self.needs.deadline, call).await {
            Ok(answer) => answer,
            Err(_) => Err(store::Error::Unavailable("a call took too long".into())),
        }
    }

    /// Puts messages on their way to all who want them. What cannot be is lost, counted, and said once.
    pub(crate) async fn tell(&self, messages: Vec<Message>) {
        let lost = self.put_on_way(&messages).await;
        metrics::counter!(telemetry::WEBHOOK_LOST).increment(u64::try_from(lost).unwrap_or(u64::MAX));
        self.wake.notify_one();
    }

    /// How many were lost. A batch that many webhooks want is cut, so that no other call waits for all of it and little
    /// of it is in memory at once; an editor waits no longer for it than for any call of the store.
    async fn put_on_way(&self, messages: &[Message]) -> usize {
        let (known, until) = (self.known(), Instant::now() + self.needs.deadline);
        let mut new: Vec<(&Webhook, &Message)> = vec![];
        for message in messages {
            let wanting = known.iter().filter(|webhook| wants(webhook, message.event));
            new.extend(wanting.map(|webhook| (webhook, message)));
        }
        let (mut left, mut lost) = (new.len(), 0);
        for some in new.chunks(AT_ONCE) {
            let count = some.len();
            let some = some.iter().map(|(webhook, message)| delivery(webhook, message)).collect();
            let late = || store::Error::Unavailable("a call took too long".into());
            let done = tokio::time::timeout_at(until, self.needs.deliveries.enqueue(some)).await;
            match done.unwrap_or_else(|_| Err(late())) {
                Ok(done) => lost += self.were_put(done),
                // A store that is away is not asked for the rest.
                Err(error) => {
                    lost += left;
                    if !self.failing.swap(true, Ordering::Relaxed) {
                        let why = "webhooks are not told: their messages could not be kept";
                        tracing::error!(%error, messages = left, "{why}");
                    }
                    return lost;
                }
            }
            left = left.saturating_sub(count);
        }
        lost
    }

    /// How many of them were refused.
    fn were_put(&self, Enqueued { added, refused }: Enqueued) -> usize {
        if refused > 0 && !self.full.swap(true, Ordering::Relaxed) {
            tracing::error!(refused, "a webhook has too many messages waiting; further ones are lost");
        } else if added > 0 && refused == 0 {
            self.full.store(false, Ordering::Relaxed);
        }
        self.failing.store(false, Ordering::Relaxed);
        refused
    }
}

fn wants(webhook: &Webhook, event: &str) -> bool {
    webhook.is_open() && webhook.events.iter().any(|wanted| wanted == event)
}

fn delivery(webhook: &Webhook, message: &Message) -> Delivery {
    Delivery {
        webhook: webhook.id.clone(),
        id: message.id.clone(),
        event: message.event.to_owned(),
        code: message.code.clone(),
        body: message.body.clone(),
        created_at: cut(message.at),
        attempts: 0,
        stage: Stage::Waiting(cut(message.at)),
        tried: Tried::default(),
    }
}

/// The time as it will be read again: what a store gives back is compared with what it got.
pub(crate) fn cut(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// The host of a webhook's address, for logs and the audit: the rest of it may be a secret of the receiver.
pub(crate) fn host_of(url: &str) -> String {
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_default()
}

#[async_trait]
impl Hears for WebhookService {
    fn listens(&self) -> bool {
        self.known().iter().any(Webhook::is_open)
    }

    async fn hear(&self, news: Vec<News>) {
        let wanted = news.iter().filter(|news| self.is_wanted(message::event_of(&news.what)));
        let messages = wanted.map(|news| message::of_news(news, &self.needs.public_url)).collect();
        self.tell(messages).await;
    }
}
