//! Floor 2: links as people use them: get or create, change, retire.
//!
//! Guarantees that every change is checked (fields, rights, versions), written with a line of history and audit,
//! and gone from this process's cache before the caller hears of it. Time and randomness come from the caller;
//! HTTP is unknown here.

mod articles;
mod channels;
pub mod codes;
mod create;
mod edit;
pub mod editable;
mod lookup;
mod near;
pub mod news;
pub mod request;
mod secrets;
mod stories;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use articles::{Change as ArticleChange, NoteChange};
pub use channels::Channels;
pub use create::Made;
pub use lookup::Lookup;
pub use near::Near;
pub use secrets::is_secret_story;
pub use stories::Pages;

use crate::domain::code::Code;
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::Found;
use crate::domain::target::Rules;
use crate::store::{self, Links, cache::Cache};
use crate::units::{Size, Span};

/// `[links]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Only allowed hosts may be linked to.
    pub only_allowed_hosts: bool,
    /// Hosts that may not be linked to.
    pub denied_hosts: Vec<String>,
    /// By channel: `utm_*` parameters that targets on allowed hosts get.
    pub channels: channels::Settings,
    /// Links that one key or user may make in a minute; 0 for any number.
    pub creations_per_minute: u32,
    /// Where visits to closed links go; empty for a notice.
    pub fallback_url: String,
    /// Memory of the cache.
    pub cache_bytes: Size,
    /// How long an unknown code is remembered.
    pub unknown_for: Span,
    /// How often changes of other processes are looked for.
    pub poll_interval: Span,
    /// Longest store call.
    pub store_timeout: Span,
}

impl Settings {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// (key, why).
    pub fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        Channels::new(&self.channels).map_err(|why| ("channels", why))?;
        if !self.fallback_url.is_empty()
            && Rules::default().plain(&self.fallback_url, "fallback_url").is_err()
        {
            return Err(("fallback_url", "not an http(s) address".into()));
        }
        if self.poll_interval.0 < Duration::from_millis(50) || self.poll_interval.0 > Duration::from_secs(1) {
            return Err(("poll_interval", "50ms to 1s: an edit is promised to be seen within 1.5s".into()));
        }
        if self.unknown_for.0 > Duration::from_secs(5) {
            return Err(("unknown_for", "at most 5s".into()));
        }
        if self.store_timeout.0 < Duration::from_millis(100) {
            return Err(("store_timeout", "at least 100ms".into()));
        }
        Ok(())
    }
}

/// Why a call on links failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's to mend.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Ours.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The usual result of a call on links.
pub type Result<T> = std::result::Result<T, Error>;

/// Links as people use them. One for the whole process.
pub struct LinkService {
    store: Arc<dyn Links>,
    cache: Arc<Cache>,
    rules: RwLock<Arc<Rules>>,
    drawer: codes::Drawer,
    deadline: Duration,
    channels: RwLock<Arc<Channels>>,
    /// None: no page is read.
    pages: RwLock<Option<Pages>>,
    /// None: nobody is told what happens.
    hears: Option<Arc<dyn news::Hears>>,
}

impl LinkService {
    /// A service over an open store. `rules` has our own host and port filled in.
    pub fn new(
        store: Arc<dyn Links>,
        cache: Arc<Cache>,
        rules: Rules,
        drawer: codes::Drawer,
        deadline: Duration,
    ) -> LinkService {
        let (channels, pages, hears) = (RwLock::default(), RwLock::default(), None);
        let rules = RwLock::new(Arc::new(rules));
        LinkService { store, cache, rules, drawer, deadline, channels, pages, hears }
    }

    /// The same, adding to targets what their channels say.
    #[must_use]
    pub fn with_channels(self, channels: Channels) -> LinkService {
        LinkService { channels: RwLock::new(Arc::new(channels)), ..self }
    }

    /// The same, reading the pages of stories that nobody knows.
    #[must_use]
    pub fn reading(self, pages: Pages) -> LinkService {
        LinkService { pages: RwLock::new(Some(pages)), ..self }
    }

    fn channels(&self) -> Arc<Channels> {
        Arc::clone(&self.channels.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn pages(&self) -> Option<Pages> {
        self.pages.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Names of the channels that staff have set up.
    #[must_use]
    pub fn channel_names(&self) -> Vec<String> {
        self.channels().names()
    }

    /// True if some hosts are the newsroom's own.
    #[must_use]
    pub fn knows_own_hosts(&self) -> bool {
        !self.rules().allowed.is_empty()
    }

    /// True if pages are read now.
    #[must_use]
    pub fn reads_pages(&self) -> bool {
        self.pages().is_some()
    }

    /// Puts other channels in their place; links that are there keep their targets.
    pub fn set_channels(&self, channels: Channels) {
        *self.channels.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(channels);
    }

    /// Says what reads pages from now on; None for nobody.
    pub fn set_pages(&self, pages: Option<Pages>) {
        *self.pages.write().unwrap_or_else(PoisonError::into_inner) = pages;
    }

    /// The rules for targets, as they are now.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other rules in their place; links that are there stay.
    pub fn set_rules(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// A link by its code as written: exactly it, else the lower-case one, else the oldest.
    ///
    /// # Errors
    /// `not_found`, also for what cannot be a code.
    pub async fn get(&self, code: &str) -> Result<Found> {
        let unknown = || Refusal::new(Reason::NotFound, "there is no link with this code");
        let code = Code::parse(code).map_err(|_| unknown())?;
        let found = self.within(self.store.find(&code.key())).await?;
        let exact = found.iter().find(|f| f.link.code == code);
        let lower = || found.iter().find(|f| !f.link.code.as_str().bytes().any(|b| b.is_ascii_uppercase()));
        exact.or_else(lower).or(found.first()).cloned().ok_or_else(|| unknown().into())
    }

    /// The same; None for a code that no link has.
    ///
    /// # Errors
    /// The store's.
    pub async fn find(&self, code: &str) -> Result<Option<Found>> {
        match self.get(code).await {
            Ok(found) => Ok(Some(found)),
            Err(Error::Refused(refusal)) if refusal.reason == Reason::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Runs a store call under the deadline.
    ///
    /// # Errors
    /// The call's own, and `Unavailable` when it takes too long.
    pub async fn within<T>(&self, call: impl Future<Output = store::Result<T>>) -> store::Result<T> {
        match tokio::time::timeout(self.deadline, call).await {
            Ok(answer) => answer,
            Err(_) => Err(store::Error::Unavailable("a call took too long".into())),
        }
    }

    /// The store underneath, for reading.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Links> {
        &self.store
    }

    fn changed(&self, found: &Found) {
        self.cache.invalidate([&*found.link.code.key()]);
    }
}
