//! Slugline whose new links are kept nowhere: what a creation costs without the store.
//!
//! A peer to measure against: the same connections, handlers, keys and checks over an SQLite store, of which only making
//! a link is left out: each one is answered as if it had been made. Configured as `slugline serve` is, by the
//! environment alone.
#![allow(clippy::print_stdout, reason = "a program whose first key is read from what it prints")]

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use slugline::config::Config;
use slugline::domain::article::{Article, ArticleId};
use slugline::domain::code::Code;
use slugline::domain::link::{Broken, Found, HistoryEntry};
use slugline::store::links::{
    ArticleEdit, ArticleEdited, ArticleKey, Changes, Creation, Edit, Edited, ExportItem, ExportPage,
    LinkPage, NewCode, NewLink,
};
use slugline::store::{Links, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

struct Noop(Arc<dyn Links>);

/// The link as a store would have made it.
fn made(new: NewLink, now: Timestamp) -> Creation {
    let NewCode::Drawn(codes) = &new.code else { return Creation::NoneFree };
    let Some(code) = codes.first() else { return Creation::NoneFree };
    let article = new.article.as_ref().map(|claim| Arc::new(claim.story(now)));
    let mut link = new.link;
    link.code = code;
    link.article = article.as_ref().map(|article| article.id.clone());
    Creation::Created(Found { link: Arc::new(link), article })
}

#[async_trait]
impl Links for Noop {
    async fn create(&self, new: Vec<NewLink>, now: Timestamp) -> Result<Vec<Creation>> {
        Ok(new.into_iter().map(|new| made(new, now)).collect())
    }

    async fn article(&self, _: ArticleKey) -> Result<Option<Arc<Article>>> {
        Ok(None)
    }

    async fn find(&self, key: &str) -> Result<Vec<Found>> {
        self.0.find(key).await
    }

    async fn find_many(&self, keys: &[String]) -> Result<Vec<Found>> {
        self.0.find_many(keys).await
    }

    async fn edit(&self, edit: Edit, now: Timestamp) -> Result<Edited> {
        self.0.edit(edit, now).await
    }

    async fn set_broken(&self, code: &Code, broken: Option<Broken>, seen_target: &str) -> Result<bool> {
        self.0.set_broken(code, broken, seen_target).await
    }

    async fn edit_article(&self, edit: ArticleEdit) -> Result<ArticleEdited> {
        self.0.edit_article(edit).await
    }

    async fn article_history(
        &self,
        id: &ArticleId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>> {
        self.0.article_history(id, before, limit).await
    }

    async fn articles_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Arc<Article>>> {
        self.0.articles_due(now, limit).await
    }

    async fn redact(&self, id: &ArticleId, by: &str, at: Timestamp) -> Result<Option<Arc<Article>>> {
        self.0.redact(id, by, at).await
    }

    async fn list(&self, page: LinkPage, now: Timestamp) -> Result<Vec<Found>> {
        self.0.list(page, now).await
    }

    async fn history(&self, code: &Code, before: Option<u64>, limit: usize) -> Result<Vec<HistoryEntry>> {
        self.0.history(code, before, limit).await
    }

    async fn count(&self) -> Result<u64> {
        self.0.count().await
    }

    async fn changes_since(&self, version: u64) -> Result<Changes> {
        self.0.changes_since(version).await
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.0.changed()
    }

    async fn export(&self, after: Option<String>) -> Result<ExportPage> {
        self.0.export(after).await
    }

    async fn import(&self, items: Vec<ExportItem>) -> Result<Vec<std::result::Result<(), String>>> {
        self.0.import(items).await
    }
}

fn main() -> anyhow::Result<()> {
    let config = Config::load(None, std::env::vars(), &[])?;
    slugline::telemetry::init_logs(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate())?;
        let running = slugline::app::start_over(config, |mut store| {
            store.links = Arc::new(Noop(store.links));
            store
        });
        let running = running.await?;
        if let Some(key) = &running.first_key {
            println!("{key}");
        }
        term.recv().await;
        running.stop().await
    })
}
