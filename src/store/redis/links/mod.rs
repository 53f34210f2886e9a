//! Links, articles and their history in Redis.
//!
//! Writes, and what must be known exactly, are Redis's; lists, searches, histories, counts and exports are the
//! mirror's, which has every write of this node before its caller hears of it. While Redis is away, a look-up is
//! answered by the mirror. Knows nothing of tallies.

mod births;
mod chains;
mod create;
mod edit;
mod names;
mod read;
mod redact;
mod slots;
mod story;
mod transfer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use super::feed::Feed;
use super::records::Records;
use crate::domain::article::{Article, ArticleId};
use crate::domain::code::{Code, fold};
use crate::domain::link::{Broken, Found, HistoryEntry};
use crate::store::links::{
    ArticleEdit, ArticleEdited, ArticleKey, Changes, Creation, Edit, Edited, ExportItem, ExportPage,
    LinkPage, Links, NewCode, NewLink,
};
use crate::store::mirror::Mirror;
use crate::store::{Error, Result};

/// Most keys of one `find_many`.
const MAX_KEYS: usize = 10_000;
/// A look-up that takes longer is answered by the mirror, if it knows the code.
const HEDGE: Duration = Duration::from_millis(100);
/// Codes drawn for each lane, so that one falls into the article's 49 times in 50.
const CODES_PER_LANE: usize = 4;
/// Most codes drawn: beyond this many lanes a link may lie in another lane than its article.
const MAX_CODES: usize = 1_024;
/// Drawn codes that make an order within a batch; more are drawn at random, and nobody counts on who gets which.
const FEW_CODES: usize = 16;

/// The links of a store in Redis.
pub struct RedisLinks {
    records: Records,
    feed: Arc<Feed>,
    mirror: Arc<dyn Mirror>,
}

impl RedisLinks {
    /// The links of a dataset that is open; `feed` follows it into `mirror` and is told by `records`.
    #[must_use]
    pub fn new(records: Records, feed: Arc<Feed>, mirror: Arc<dyn Mirror>) -> RedisLinks {
        RedisLinks { records, feed, mirror }
    }

    /// True if the mirror is to answer instead.
    fn is_away<T>(&self, read: &Result<T>) -> bool {
        if matches!(read, Err(Error::Fenced(_))) {
            self.feed.suspect();
        }
        matches!(read, Err(Error::Fenced(_) | Error::Unavailable(_)))
    }
}

/// What makes items of a batch depend on each other: their story and their codes.
fn in_common(new: &NewLink) -> Vec<String> {
    let mut keys = vec![];
    if let Some(claim) = &new.article {
        keys.extend(std::iter::once(&claim.url).chain(&claim.aliases).map(|url| format!("u {url}")));
        keys.extend(claim.cms_id.as_ref().map(|id| format!("x {}\0{id}", claim.site)));
    }
    match &new.code {
        NewCode::Chosen(code) => keys.push(format!("l {}", code.key())),
        NewCode::Drawn(codes) if codes.len() <= FEW_CODES => {
            keys.extend(codes.texts().map(|code| format!("l {}", fold(code))));
        }
        NewCode::Drawn(_) => {}
    }
    keys
}

#[async_trait]
impl Links for RedisLinks {
    async fn find(&self, key: &str) -> Result<Vec<Found>> {
        let keys = [key.to_owned()];
        let mut asked = Box::pin(read::find(&self.records, &keys));
        let read = match tokio::time::timeout(HEDGE, &mut asked).await {
            Ok(read) => read,
            Err(_late) => match self.mirror.links().find(key).await {
                Ok(found) if !found.is_empty() => return Ok(found),
                // Only the store can say that there is no such link.
                _ => asked.await,
            },
        };
        if self.is_away(&read) { self.feed.find_away(key).await } else { read }
    }

    async fn find_many(&self, keys: &[String]) -> Result<Vec<Found>> {
        if keys.len() > MAX_KEYS {
            return Err(Error::Corrupt(format!("{} keys are asked for at once", keys.len())));
        }
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let read = read::find(&self.records, &keys).await;
        if self.is_away(&read) { self.mirror.links().find_many(&keys).await } else { read }
    }

    fn wanted_codes(&self) -> usize {
        (CODES_PER_LANE * usize::from(self.records.lanes().count())).min(MAX_CODES)
    }

    async fn create(&self, new: Vec<NewLink>, now: Timestamp) -> Result<Vec<Creation>> {
        let records = self.records.clone();
        let items = new.into_iter().map(|new| (in_common(&new), new)).collect();
        chains::in_chains(items, move |new| {
            let records = records.clone();
            async move { create::create(&records, &new, now).await }
        })
        .await
    }

    async fn edit(&self, edit: Edit, _now: Timestamp) -> Result<Edited> {
        edit::edit(&self.records, &edit).await
    }

    async fn set_broken(&self, code: &Code, broken: Option<Broken>, seen_target: &str) -> Result<bool> {
        edit::set_broken(&self.records, code, broken, seen_target).await
    }

    async fn edit_article(&self, edit: ArticleEdit) -> Result<ArticleEdited> {
        births::keep(&self.records, self.mirror.links().as_ref(), &edit.article).await?;
        story::edit(&self.records, &edit).await
    }

    async fn article_history(
        &self,
        id: &ArticleId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>> {
        self.mirror.links().article_history(id, before, limit).await
    }

    async fn articles_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Arc<Article>>> {
        self.mirror.links().articles_due(now, limit).await
    }

    async fn redact(&self, id: &ArticleId, by: &str, at: Timestamp) -> Result<Option<Arc<Article>>> {
        // What other nodes made must not be left out.
        self.feed.whole().await?;
        redact::redact(&self.records, self.mirror.as_ref(), id, by, at).await
    }

    async fn list(&self, page: LinkPage, now: Timestamp) -> Result<Vec<Found>> {
        self.mirror.links().list(page, now).await
    }

    async fn history(&self, code: &Code, before: Option<u64>, limit: usize) -> Result<Vec<HistoryEntry>> {
        self.mirror.links().history(code, before, limit).await
    }

    async fn article(&self, key: ArticleKey) -> Result<Option<Arc<Article>>> {
        let read = match &key {
            ArticleKey::Id(id) => read::by_id(&self.records, id.clone()).await,
            ArticleKey::Url(url) => read::by_url(&self.records, url).await,
            ArticleKey::CmsIdIn { site, id } => read::by_cms_id(&self.records, site, id).await,
            // Of any site: only the mirror has them all side by side.
            ArticleKey::CmsId(_) => return self.mirror.links().article(key).await,
        };
        if self.is_away(&read) { self.mirror.links().article(key).await } else { read }
    }

    async fn count(&self) -> Result<u64> {
        self.mirror.links().count().await
    }

    async fn changes_since(&self, version: u64) -> Result<Changes> {
        self.feed.changes_since(version).await
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.feed.changed()
    }

    async fn export(&self, after: Option<String>) -> Result<ExportPage> {
        if after.is_none() {
            // A part must not be taken for all.
            self.feed.whole().await?;
        }
        self.mirror.links().export(after).await
    }

    async fn import(&self, items: Vec<ExportItem>) -> Result<Vec<std::result::Result<(), String>>> {
        transfer::import(&self.records, items).await
    }
}
