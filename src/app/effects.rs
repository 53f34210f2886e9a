//! Puts a configuration in force while the process runs: what staff changed, and what SIGHUP reads again. One way for
//! both.
//!
//! Guarantees that all that can fail is read before anything is put in place. What is not here (listeners, store,
//! journal, data, the time zone ...) needs a restart.

use std::sync::Arc;

use crate::articles::Reader;
use crate::config::Config;
use crate::hits::classify::Current;
use crate::hits::readers::Readers;
use crate::links::{Channels, LinkService, Pages};
use crate::web::auth::Limits;
use crate::web::client::Clients;
use crate::web::pages::Pages as WebPages;
use crate::web::redirect::Redirector;

/// All that takes something from a configuration while it runs.
pub(super) struct Effects {
    pub(super) links: Arc<LinkService>,
    pub(super) reader: Reader,
    pub(super) tables: Arc<Current>,
    pub(super) readers: Arc<Readers>,
    pub(super) clients: Arc<Clients>,
    pub(super) limits: Arc<Limits>,
    pub(super) pages: Arc<WebPages>,
    pub(super) redirector: Arc<Redirector>,
    pub(super) public_url: Arc<str>,
}

impl Effects {
    /// Puts it in force.
    ///
    /// # Errors
    /// [`crate::config::Invalid`]; then nothing changed.
    pub(super) fn apply(&self, config: &Config) -> anyhow::Result<()> {
        let rules = super::parts::own_rules(config, &self.public_url)?;
        let channels = Channels::new(&config.links.channels).map_err(anyhow::Error::msg)?;
        let (tables, lists) = (config.classifying()?, config.lists()?);
        let pages = web_pages(config, &self.public_url)?;

        self.reader.set_canon(rules.canon.clone());
        self.links.set_rules(rules);
        self.links.set_channels(channels);
        self.links.set_pages(reading(config, &self.reader));
        self.tables.set(Arc::new(tables));
        self.readers.set(lists);
        self.clients.set(&config.clients);
        self.limits.set(&config.server, config.links.creations_per_minute);
        self.pages.set(pages);
        self.redirector.set_fallback(&config.links.fallback_url);
        Ok(())
    }
}

/// The readers' pages.
pub(super) fn web_pages(config: &Config, public_url: &str) -> anyhow::Result<WebPages> {
    config.newsroom.pages(public_url)
}

/// What reads pages; None if none is to be read.
pub(super) fn reading(config: &Config, reader: &Reader) -> Option<Pages> {
    let articles = &config.articles;
    let reads = articles.fetch && !articles.allowed_hosts.is_empty();
    reads.then(|| Pages { reader: reader.clone(), wait: articles.fetch_wait.0 })
}
