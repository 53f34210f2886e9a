//! Where imported things go: into a store, or, in a dry run, only into an account of what would be there.
//!
//! Guarantees that a dry run writes nothing and refuses what a real one would. Knows no file.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use crate::domain::article::ArticleId;
use crate::domain::code::Code;
use crate::domain::lane::Lane;
use crate::domain::link::Link;
use crate::domain::tally::{Group, StreamId};
use crate::store::accounts::AccountItem;
use crate::store::documents::Document;
use crate::store::links::{ArticleKey, ExportItem};
use crate::store::webhooks::Webhook;
use crate::store::{Result, Store};
use crate::transfer::import::Options;

type Outcome = std::result::Result<(), String>;

pub(super) struct Sink<'a> {
    store: &'a Store,
    options: Options,
    /// Names are kept as 8 bytes each: two alike among a million are not to be expected.
    hasher: foldhash::fast::FixedState,
    articles: HashSet<u64>,
    /// Codes of links that were taken, with who made them and when.
    codes: HashMap<u64, u64>,
}

impl<'a> Sink<'a> {
    pub(super) fn new(store: &'a Store, options: Options) -> Sink<'a> {
        let hasher = foldhash::fast::FixedState::with_seed(0x51c6);
        Sink { store, options, hasher, articles: HashSet::new(), codes: HashMap::new() }
    }

    fn hash(&self, what: impl Hash) -> u64 {
        self.hasher.hash_one(what)
    }

    /// True if codes are kept in memory: a dry run has no other place, and a merge must not add the history of
    /// one link to another of that name which was there before.
    fn remembers(&self) -> bool {
        self.options.dry_run || self.options.merge
    }

    /// True if a link of this code was taken from this file, as far as that is known.
    pub(super) fn knows(&self, code: &Code) -> bool {
        !self.remembers() || self.codes.contains_key(&self.hash(code.as_str()))
    }

    pub(super) async fn links(&mut self, items: Vec<ExportItem>) -> Result<Vec<Outcome>> {
        if items.is_empty() {
            return Ok(vec![]);
        }
        if self.options.dry_run {
            let mut outcomes = vec![];
            for item in &items {
                outcomes.push(self.would_take(item).await?);
            }
            return Ok(outcomes);
        }
        let codes: Vec<Option<(u64, u64)>> = items.iter().map(|item| self.code_of(item)).collect();
        let outcomes = self.store.links.import(items).await?;
        if self.remembers() {
            let taken = codes.into_iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok());
            self.codes.extend(taken.filter_map(|(code, _)| code));
        }
        Ok(outcomes)
    }

    fn code_of(&self, item: &ExportItem) -> Option<(u64, u64)> {
        match item {
            ExportItem::Link { link, .. } => Some((self.hash(link.code.as_str()), self.maker(link))),
            _ => None,
        }
    }

    /// What makes a link the same one: who made it and when.
    fn maker(&self, link: &Link) -> u64 {
        self.hash((link.created_at.as_millisecond(), &link.created_by))
    }

    async fn would_take(&mut self, item: &ExportItem) -> Result<Outcome> {
        Ok(match item {
            ExportItem::Article(article) => {
                self.articles.insert(self.hash(&article.id));
                Ok(())
            }
            ExportItem::Alias { article, .. } | ExportItem::ArticleHistory { article, .. } => {
                self.article(article).await?
            }
            ExportItem::Link { link, .. } => {
                let (code, maker) = (self.hash(link.code.as_str()), self.maker(link));
                let there = match self.codes.get(&code) {
                    Some(maker) => Some(*maker),
                    None => self.stored(link).await?,
                };
                if there.is_some_and(|there| there != maker) {
                    return Ok(Err(format!("another link has the code {}", link.code)));
                }
                if let (None, Some(article)) = (there, &link.article)
                    && let Err(why) = self.article(article).await?
                {
                    return Ok(Err(why));
                }
                self.codes.insert(code, maker);
                Ok(())
            }
            ExportItem::History { .. } => Ok(()),
        })
    }

    async fn stored(&self, link: &Link) -> Result<Option<u64>> {
        let found = self.store.links.find(&link.code.key()).await?;
        let same = found.iter().find(|found| found.link.code == link.code);
        Ok(same.map(|found| self.maker(&found.link)))
    }

    async fn article(&self, id: &ArticleId) -> Result<Outcome> {
        let known = self.articles.contains(&self.hash(id))
            || self.store.links.article(ArticleKey::Id(id.clone())).await?.is_some();
        Ok(if known { Ok(()) } else { Err(format!("there is no article {}", id.0)) })
    }

    pub(super) async fn accounts(&self, items: Vec<AccountItem>) -> Result<()> {
        if self.options.dry_run { Ok(()) } else { self.store.accounts.import(items).await }
    }

    pub(super) async fn documents(&self, documents: Vec<Document>) -> Result<()> {
        if self.options.dry_run { Ok(()) } else { self.store.documents.import_documents(documents).await }
    }

    pub(super) async fn webhooks(&self, webhooks: Vec<Webhook>) -> Result<()> {
        if self.options.dry_run { Ok(()) } else { self.store.webhooks.import(webhooks).await }
    }

    pub(super) async fn groups(&self, groups: Vec<Group>) -> Result<()> {
        if self.options.dry_run {
            return Ok(());
        }
        self.store.tallies.import(groups).await?;
        self.settle().await
    }

    /// Sets what was lost, by lane, the site lane's last.
    pub(super) async fn lost(&self, lost: &[u64]) -> Result<()> {
        if self.options.dry_run {
            return Ok(());
        }
        for (lane, lost) in (0..Lane::MAX).zip(lost) {
            self.store.tallies.import_lost(lane, *lost).await?;
        }
        Ok(())
    }

    /// Waits until the numbers written so far survive a power cut: asking what would be there after one makes
    /// it so.
    pub(super) async fn settle(&self) -> Result<()> {
        if self.options.dry_run {
            return Ok(());
        }
        self.store.tallies.durable_stream(StreamId(0)).await.map(drop)
    }
}
