//! Links of which one look-up comes late: what was read is held until the node has heard of a change, and a little
//! longer, so that the old value arrives just when caches are told to forget it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use slugline::domain::article::{Article, ArticleId};
use slugline::domain::code::Code;
use slugline::domain::link::{Broken, Found, HistoryEntry};
use slugline::store::links::{
    ArticleEdit, ArticleEdited, ArticleKey, Changes, Creation, Edit, Edited, ExportItem, ExportPage,
    LinkPage, NewLink,
};
use slugline::store::{Links, Result};
use tokio::sync::watch;

/// Longest a look-up is held: there may be no change.
const LONGEST: Duration = Duration::from_millis(200);

/// The decorator.
pub struct Late {
    inner: Arc<dyn Links>,
    /// For how many reads of the change feed the next look-up is held after a change, plus one; 0 for not at all.
    hold: AtomicU64,
    /// Look-ups that were held until a change came.
    met: AtomicU64,
}

impl Late {
    pub fn new(inner: Arc<dyn Links>) -> Arc<Late> {
        Arc::new(Late { inner, hold: AtomicU64::new(0), met: AtomicU64::new(0) })
    }

    /// Holds the next look-up until a change was heard of, and then for so many reads of the feed.
    pub fn hold_next(&self, reads: u64) {
        self.hold.store(reads + 1, Ordering::Relaxed);
    }

    /// How many look-ups met a change.
    pub fn met(&self) -> u64 {
        self.met.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Links for Late {
    async fn find(&self, key: &str) -> Result<Vec<Found>> {
        let mut changed = self.inner.changed();
        changed.mark_unchanged();
        let found = self.inner.find(key).await;
        let hold = self.hold.swap(0, Ordering::Relaxed);
        if hold > 0 && tokio::time::timeout(LONGEST, changed.changed()).await.is_ok() {
            self.met.fetch_add(1, Ordering::Relaxed);
            for _ in 1..hold {
                self.inner.changes_since(0).await?;
            }
        }
        found
    }

    async fn find_many(&self, keys: &[String]) -> Result<Vec<Found>> {
        self.inner.find_many(keys).await
    }

    async fn create(&self, new: Vec<NewLink>, now: Timestamp) -> Result<Vec<Creation>> {
        self.inner.create(new, now).await
    }

    async fn edit(&self, edit: Edit, now: Timestamp) -> Result<Edited> {
        self.inner.edit(edit, now).await
    }

    async fn set_broken(&self, code: &Code, broken: Option<Broken>, seen_target: &str) -> Result<bool> {
        self.inner.set_broken(code, broken, seen_target).await
    }

    async fn edit_article(&self, edit: ArticleEdit) -> Result<ArticleEdited> {
        self.inner.edit_article(edit).await
    }

    async fn article_history(
        &self,
        id: &ArticleId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>> {
        self.inner.article_history(id, before, limit).await
    }

    async fn articles_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Arc<Article>>> {
        self.inner.articles_due(now, limit).await
    }

    async fn redact(&self, id: &ArticleId, by: &str, at: Timestamp) -> Result<Option<Arc<Article>>> {
        self.inner.redact(id, by, at).await
    }

    async fn list(&self, page: LinkPage, now: Timestamp) -> Result<Vec<Found>> {
        self.inner.list(page, now).await
    }

    async fn history(&self, code: &Code, before: Option<u64>, limit: usize) -> Result<Vec<HistoryEntry>> {
        self.inner.history(code, before, limit).await
    }

    async fn article(&self, key: ArticleKey) -> Result<Option<Arc<Article>>> {
        self.inner.article(key).await
    }

    async fn count(&self) -> Result<u64> {
        self.inner.count().await
    }

    async fn changes_since(&self, version: u64) -> Result<Changes> {
        self.inner.changes_since(version).await
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changed()
    }

    async fn export(&self, after: Option<String>) -> Result<ExportPage> {
        self.inner.export(after).await
    }

    async fn import(&self, items: Vec<ExportItem>) -> Result<Vec<std::result::Result<(), String>>> {
        self.inner.import(items).await
    }
}
