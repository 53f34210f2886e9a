//! Links, articles and their history in links.db.
//!
//! Each call is one piece of work for the writer or a reader; the pieces are in this folder. Knows nothing of
//! tallies.

mod article_edit;
pub(super) mod articles;
mod create;
pub(super) mod edit;
mod filter;
mod list;
pub(super) mod rows;
mod search;
mod slots;
pub(super) mod trail;
mod transfer;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use super::failure::{cut, unsigned};
use super::threads::{Readers, Writer};
use crate::domain::article::{Article, ArticleId};
use crate::domain::code::Code;
use crate::domain::link::{Broken, Found, HistoryEntry};
use crate::store::links::{
    ArticleEdit, ArticleEdited, ArticleKey, Changes, Creation, Edit, Edited, ExportItem, ExportPage,
    LinkPage, Links, NewLink,
};
use crate::store::{Error, Result};
pub(super) use search::index_some;
pub(super) use trail::{AUDIT, LinksState, account_changed, audited};

/// Indexes all links that wait for it.
#[cfg(test)]
pub(super) fn index_all(conn: &rusqlite::Connection) -> Result<()> {
    while search::index_some(conn, &|| false)? {}
    Ok(())
}

/// Most keys of one `find_many`.
const MAX_KEYS: usize = 10_000;

/// The embedded store's links.
pub(super) struct SqliteLinks {
    /// None in a mirror, which is written by what follows the store.
    pub(super) writer: Option<Writer<LinksState>>,
    pub(super) readers: Readers,
    /// The feed's version that this process committed last.
    pub(super) changed: watch::Receiver<u64>,
}

/// The writer, if this is no mirror.
pub(super) fn writer<S>(writer: &Option<Writer<S>>) -> Result<&Writer<S>> {
    writer.as_ref().ok_or_else(|| Error::Refused("a mirror is only read".into()))
}

#[async_trait]
impl Links for SqliteLinks {
    async fn find(&self, key: &str) -> Result<Vec<Found>> {
        let key = key.to_owned();
        self.readers
            .read(move |conn| Ok(rows::by_key(conn, &key)?.into_iter().map(|record| record.found).collect()))
            .await
    }

    async fn find_many(&self, keys: &[String]) -> Result<Vec<Found>> {
        if keys.len() > MAX_KEYS {
            return Err(Error::Corrupt(format!("{} keys are asked for at once", keys.len())));
        }
        let mut keys = keys.to_vec();
        // In order, so that neighbours are read together, and each only once.
        keys.sort_unstable();
        keys.dedup();
        self.readers
            .read_at_once(move |conn| {
                let mut found = vec![];
                for key in &keys {
                    found.extend(rows::by_key(conn, key)?.into_iter().map(|record| record.found));
                }
                Ok(found)
            })
            .await
    }

    async fn create(&self, new: Vec<NewLink>, now: Timestamp) -> Result<Vec<Creation>> {
        writer(&self.writer)?
            .write(move |conn, _| new.into_iter().map(|new| create::create(conn, new, now)).collect())
            .await
    }

    async fn edit(&self, edit: Edit, _now: Timestamp) -> Result<Edited> {
        writer(&self.writer)?.write(move |conn, _| edit::edit(conn, edit)).await
    }

    async fn set_broken(&self, code: &Code, broken: Option<Broken>, seen_target: &str) -> Result<bool> {
        let (code, seen_target) = (code.clone(), seen_target.to_owned());
        let broken = broken.map(|b| Broken { target: seen_target.clone(), since: cut(b.since), ..b });
        let text = rows::broken_text(broken.as_ref())?;
        writer(&self.writer)?
            .write(move |conn, _| {
                article_edit::set_broken(conn, code.as_str(), text.as_deref(), &seen_target)
            })
            .await
    }

    async fn edit_article(&self, edit: ArticleEdit) -> Result<ArticleEdited> {
        writer(&self.writer)?.write(move |conn, _| article_edit::edit(conn, edit)).await
    }

    async fn article_history(
        &self,
        id: &ArticleId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>> {
        let id = id.clone();
        self.readers.read(move |conn| trail::article_history(conn, &id, before, limit)).await
    }

    async fn articles_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Arc<Article>>> {
        self.readers
            .read(move |conn| Ok(articles::due(conn, now, limit)?.into_iter().map(Arc::new).collect()))
            .await
    }

    async fn redact(&self, id: &ArticleId, by: &str, at: Timestamp) -> Result<Option<Arc<Article>>> {
        let (id, by) = (id.clone(), by.to_owned());
        writer(&self.writer)?
            .write(move |conn, _| Ok(article_edit::redact(conn, &id, &by, at)?.map(Arc::new)))
            .await
    }

    async fn list(&self, page: LinkPage, now: Timestamp) -> Result<Vec<Found>> {
        self.readers.read_at_once(move |conn| list::list(conn, &page, now)).await
    }

    async fn history(&self, code: &Code, before: Option<u64>, limit: usize) -> Result<Vec<HistoryEntry>> {
        let code = code.clone();
        self.readers.read(move |conn| trail::history(conn, code.as_str(), before, limit)).await
    }

    async fn article(&self, key: ArticleKey) -> Result<Option<Arc<Article>>> {
        self.readers.read_at_once(move |conn| Ok(articles::by_key(conn, &key)?.map(Arc::new))).await
    }

    async fn count(&self) -> Result<u64> {
        // Links are never deleted and their rows are numbered without gaps.
        self.readers
            .read(|conn| {
                let mut count = conn.prepare_cached("SELECT coalesce(max(id), 0) FROM links")?;
                unsigned(count.query_row([], |row| row.get(0))?)
            })
            .await
    }

    async fn changes_since(&self, version: u64) -> Result<Changes> {
        self.readers.read_at_once(move |conn| trail::changes_since(conn, version)).await
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    async fn export(&self, after: Option<String>) -> Result<ExportPage> {
        self.readers.read_at_once(move |conn| transfer::export(conn, after.as_deref())).await
    }

    async fn import(&self, items: Vec<ExportItem>) -> Result<Vec<std::result::Result<(), String>>> {
        writer(&self.writer)?
            .write(move |conn, _| items.into_iter().map(|item| transfer::import(conn, item)).collect())
            .await
    }
}
