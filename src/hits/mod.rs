//! Floor 2: a redirect becomes a number, once.
//!
//! request -> **readers** -> **journal** -> classify -> fold -> apply -> tallies. [`Hits`] is the request's end of it; the
//! [`applier`] is the other. Knows links only by the facts their hits are counted under; knows no HTTP.

pub mod applier;
pub mod classify;
pub mod fold;
pub mod journal;
pub mod readers;
pub mod retention;
pub mod verify;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::clock;
use crate::domain::hit::NewHit;
use crate::units::Span;
use journal::{Journal, Receipt};

/// `[hits]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How often hits are counted while it is quiet or someone looks.
    pub apply_interval: Span,
    /// How long they may wait otherwise.
    pub apply_max_delay: Span,
    /// Most hits folded into one step.
    pub batch_hits: u64,
    /// How long a report read counts as looking.
    pub watch_for: Span,
}

impl Settings {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// (key, why).
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if self.apply_interval.0 < Duration::from_millis(10)
            || self.apply_interval.0 > Duration::from_secs(60)
        {
            return Err(("apply_interval", "10ms to 60s".into()));
        }
        if self.apply_max_delay.0 < self.apply_interval.0
            || self.apply_max_delay.0 > Duration::from_secs(3600)
        {
            return Err(("apply_max_delay", "apply_interval to 1h".into()));
        }
        if !(1_000..=5_000_000).contains(&self.batch_hits) {
            return Err(("batch_hits", "1000 to 5000000".into()));
        }
        Ok(())
    }
}

/// How far counting is, shared between the applier and those who ask.
#[derive(Debug, Default)]
pub struct Progress {
    /// Hits of this boot's stream that are counted: the lower of lanes and site.
    counted: AtomicU64,
    /// Hits of earlier streams that are not counted yet.
    backlog: AtomicU64,
    /// Earlier streams that wait for the operator's word.
    held: AtomicU64,
    /// All hits made before this are counted, in milliseconds since 1970.
    complete_ms: AtomicI64,
    /// Someone looks until then, in milliseconds since 1970.
    watched_until_ms: AtomicI64,
    wake: Notify,
}

impl Progress {
    /// Of a process that began at `now_ms`; the first pass follows at once.
    #[must_use]
    pub fn new(now_ms: i64) -> Progress {
        Progress { complete_ms: AtomicI64::new(now_ms), ..Progress::default() }
    }
}

/// What reports say of how fresh they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// All hits of this node made before this are counted.
    pub as_of: Timestamp,
    /// Hits of this node that are not.
    pub waiting: u64,
}

/// The request's end of the way of a hit.
pub struct Hits {
    journal: Arc<Journal>,
    progress: Arc<Progress>,
    always: bool,
    watch_for_ms: i64,
}

impl Hits {
    /// Over an open journal.
    #[must_use]
    pub fn new(
        journal: Arc<Journal>,
        progress: Arc<Progress>,
        sync: journal::settings::Sync,
        watch_for: Duration,
    ) -> Hits {
        Hits {
            journal,
            progress,
            always: sync == journal::settings::Sync::Always,
            watch_for_ms: i64::try_from(watch_for.as_millis()).unwrap_or(i64::MAX),
        }
    }

    /// Journals a hit. With `sync = "always"` the receipt must be waited for before the answer goes out.
    #[inline]
    pub fn record(&self, hit: &NewHit<'_>) -> Option<Receipt> {
        let receipt = self.journal.append(hit);
        (self.always && !receipt.lost).then_some(receipt)
    }

    /// Waits until a hit survives a power cut. A sync that failed does not stop the redirect: it is alarmed.
    pub async fn synced(&self, receipt: Receipt) {
        self.journal.synced(receipt).await;
    }

    /// Someone reads a report: hits are counted at the short interval for a while, beginning now.
    pub fn watch(&self) {
        self.progress.watched_until_ms.store(clock::now_ms() + self.watch_for_ms, Ordering::Relaxed);
        self.progress.wake.notify_one();
    }

    /// How far counting is.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing {
        let counted = self.progress.counted.load(Ordering::Acquire);
        let given = self.journal.ordinals().last().copied().unwrap_or(0);
        let waiting = given.saturating_sub(counted) + self.progress.backlog.load(Ordering::Acquire);
        let complete = self.progress.complete_ms.load(Ordering::Acquire);
        let as_of = match waiting {
            0 => now,
            _ => Timestamp::from_millisecond(complete).unwrap_or(now).min(now),
        };
        Standing { as_of, waiting }
    }

    /// How many earlier streams wait for the operator's word: old, and unknown to the store.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.progress.held.load(Ordering::Acquire)
    }

    /// The journal underneath, for metrics and alarms.
    #[must_use]
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }
}
