//! Keeps this process's caches equal to the store: follows the change feed.
//!
//! Looks at once when the store says that something changed, and each interval whatever it says: so a change made by
//! any other process is seen within one interval and the time of a read. Says for how long a change may not have
//! been seen. Own changes do not wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::accounts::AccountService;
use crate::clock;
use crate::links::Near;
use crate::settings::SettingsService;
use crate::store::cache::Cache;
use crate::store::links::Changes;
use crate::store::{self, Links};
use crate::webhooks::WebhookService;

/// Failures shorter than this are not told, in seconds.
const TOLERATED: i64 = 3;

/// For how long a change may not have been seen.
#[derive(Debug)]
pub struct Coherence {
    seen_ms: AtomicI64,
}

impl Coherence {
    /// As of `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Coherence {
        Coherence { seen_ms: AtomicI64::new(now.as_millisecond()) }
    }

    /// Seconds since the store was last known to hold nothing new.
    #[must_use]
    pub fn staleness(&self, now: Timestamp) -> f64 {
        let ms = now.as_millisecond() - self.seen_ms.load(Ordering::Acquire);
        crate::telemetry::gauge(u64::try_from(ms).unwrap_or(0)) / 1000.0
    }

    /// Everything up to then was seen.
    fn seen(&self, ms: i64) {
        self.seen_ms.store(ms, Ordering::Release);
    }

    /// Since when the store cannot be reached, if it has not been for a while.
    #[must_use]
    pub fn failing_since(&self, now: Timestamp) -> Option<Timestamp> {
        let seen = Timestamp::from_millisecond(self.seen_ms.load(Ordering::Acquire)).ok()?;
        (now.as_second() - seen.as_second() > TOLERATED).then_some(seen)
    }
}

/// Everything that follows the change feed.
pub struct Follower {
    /// The feed.
    pub links: Arc<dyn Links>,
    /// Told of links.
    pub cache: Arc<Cache>,
    /// Told of keys.
    pub accounts: Arc<AccountService>,
    /// Told of settings and channels, if anybody uses them.
    pub settings: Option<Arc<SettingsService>>,
    /// Told of webhooks.
    pub webhooks: Arc<WebhookService>,
    /// Told of links, if anybody is to be helped with their codes.
    pub near: Option<Arc<Near>>,
    /// Told how it goes.
    pub coherence: Arc<Coherence>,
    /// Between two looks.
    pub interval: Duration,
    /// Longest look.
    pub deadline: Duration,
}

impl Follower {
    /// Follows the feed until `stop`. `version` is the feed's when the caches were empty.
    pub async fn run(self, mut version: u64, stop: CancellationToken) {
        let mut failing = false;
        let mut changed = self.links.changed();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.interval) => {}
                // Never ready again once the store has closed: the interval goes on.
                Ok(()) = changed.changed(), if !failing => {}
            }
            let asked_ms = clock::now_ms();
            match self.follow(version).await {
                Ok(changes) => {
                    version = changes.version;
                    let behind = i64::try_from(changes.behind.as_millis()).unwrap_or(i64::MAX);
                    self.coherence.seen(asked_ms.saturating_sub(behind));
                    if std::mem::take(&mut failing) {
                        tracing::info!("the change feed is followed again");
                    }
                }
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "the change feed cannot be read; known links redirect as they were");
                }
                Err(_) => {}
            }
        }
    }

    async fn follow(&self, version: u64) -> store::Result<Changes> {
        let asked = tokio::time::timeout(self.deadline, self.links.changes_since(version)).await;
        let late = |_| store::Error::Unavailable("the change feed took too long".into());
        let changes = asked.map_err(late)??;
        match &changes.keys {
            Some(keys) => self.cache.invalidate(keys.iter().map(String::as_str)),
            None => self.cache.clear(),
        }
        if let Some(near) = &self.near {
            near.changed(changes.keys.as_deref());
        }
        if changes.accounts {
            self.accounts.reload().await?;
            if let Some(settings) = &self.settings {
                settings.reload().await?;
            }
            self.webhooks.reload().await?;
        }
        Ok(changes)
    }
}
