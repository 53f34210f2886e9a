//! Two articles that are one story become one, and are taken apart again.
//!
//! Guarantees that all codes live on, that later pastes of any of the addresses get the older story, and that a split
//! gives links that came by a merge back to the story that they came from.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, json};

use super::{LinkService, Result, TRIES, changes, edit, is_stale, line, next};
use crate::domain::access::{Actor, Role};
use crate::domain::article::{Article, ArticleId};
use crate::domain::code::Code;
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::{Found, HistoryEntry, Link};
use crate::domain::target::Address;
use crate::links::codes::Entropy;
use crate::store::links::{ArticleEdit, Edit, Edited, SlotWish};

/// Most links that are split off at once.
const MAX_SPLIT: usize = 200;
/// What a link's history says of its coming to another story.
const MERGED: &str = "merged";
const SPLIT: &str = "split";
/// The field that it names.
const ARTICLE: &str = "article";
/// Lines of a link's history that are looked through for the story that it came from.
const LINES: usize = 1_000;

/// Where a link goes when it is split off.
enum Way {
    /// To the story that it came from.
    Back(Arc<Article>),
    /// To one of its own.
    Apart(Address),
}

impl LinkService {
    /// Makes two articles one: the younger one's links become the older one's. Again is the same, and goes on where it
    /// was cut short.
    ///
    /// # Errors
    /// The refusals of `POST /articles/{id}/merge`.
    pub async fn merge(
        &self,
        id: &ArticleId,
        other: &ArticleId,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Arc<Article>> {
        actor.require(Role::Editor)?;
        if id == other {
            let detail = "an article cannot be merged into itself";
            return Err(Refusal::field(Reason::InvalidValue, "other", detail).into());
        }
        self.join(id, other, actor, now).await
    }

    /// The same for whoever was found to be allowed to.
    pub(super) async fn join(
        &self,
        id: &ArticleId,
        other: &ArticleId,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Arc<Article>> {
        for _ in 0..TRIES {
            let (a, b) = (self.article(id).await?, self.article(other).await?);
            let (old, young) = if a.yields_to(&b) { (b, a) } else { (a, b) };
            if let Some(into) = old.merged_into.clone() {
                // Its links are that one's already.
                return Box::pin(self.join(&into, &young.id, actor, now)).await;
            }
            match &young.merged_into {
                Some(into) if *into != old.id => {
                    let detail = format!("the article {} was merged into {} already", young.id.0, into.0);
                    return Err(Refusal::field(Reason::Conflict, "other", detail).into());
                }
                Some(_) => {}
                None => {
                    let mut after = next(&young, now);
                    after.merged_into = Some(old.id.clone());
                    let entry = line(&after, &actor.name, MERGED, changes(&young, &after));
                    match self.write_article(edit(after, Some(entry)), now).await {
                        Err(error) if is_stale(&error) => continue,
                        written => drop(written?),
                    }
                }
            }
            for found in self.links_of(&young.id, now).await? {
                self.hand_over(&found.link.code, &old.id, MERGED, actor, now).await?;
            }
            self.inherit(&old.id, &young, actor, now).await?;
            return self.article(&old.id).await;
        }
        Err(Refusal::new(Reason::Stale, "the articles are being changed by others; try again").into())
    }

    /// The older story takes over what the younger one knew and it did not.
    async fn inherit(&self, id: &ArticleId, young: &Article, actor: &Actor, now: Timestamp) -> Result<()> {
        for _ in 0..TRIES {
            let old = self.article(id).await?;
            let mut after = next(&old, now);
            let had = after.facts.clone();
            after.note(&young.notes);
            for fact in crate::domain::article::Fact::ALL {
                if !after.facts.has(fact) && young.facts.has(fact) {
                    after.facts.take(fact, &young.facts);
                    if young.said.has(fact) {
                        after.said.add(fact);
                    }
                }
            }
            if after.facts == had && after.notes == old.notes {
                return Ok(());
            }
            let entry = line(&after, &actor.name, MERGED, changes(&old, &after));
            match self.write_article(edit(after, Some(entry)), now).await {
                Err(error) if is_stale(&error) => {}
                written => return written.map(drop),
            }
        }
        Ok(())
    }

    /// Gives a link to another story. It keeps its target; if it led to its story's own address, it leads to the
    /// new story's.
    async fn hand_over(
        &self,
        code: &Code,
        to: &ArticleId,
        action: &str,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<()> {
        for _ in 0..TRIES {
            let found = self.get(code.as_str()).await?;
            let Some(from) = found.link.article.clone().filter(|from| from != to) else { return Ok(()) };
            let version = found.link.version + 1;
            let link =
                Link { article: Some(to.clone()), version, updated_at: now, ..Link::clone(&found.link) };
            let mut changes = Map::new();
            changes.insert(ARTICLE.into(), json!({ "from": from, "to": to }));
            let by = actor.name.clone();
            let entry = HistoryEntry { version, at: now, by, action: action.into(), changes };
            let tag = Entropy::System.tag(0);
            let edit = Edit { tag, link, entry, slot: SlotWish::ClaimIfFree, article: None };
            match self.within(self.store().edit(edit, now)).await? {
                Edited::Changed(found) | Edited::SlotHeld(found) => {
                    self.changed(&found);
                    return Ok(());
                }
                Edited::Stale(_) => {}
                Edited::NotFound => return Ok(()),
            }
        }
        Err(Refusal::new(Reason::Stale, "a link is being changed by others; try again").into())
    }

    /// Gives links of a story to the one that they came from by a merge, or else to one of their own, known by the
    /// address that they lead to.
    ///
    /// # Errors
    /// The refusals of `POST /articles/{id}/split`.
    pub async fn split(
        &self,
        id: &ArticleId,
        links: &[String],
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Arc<Article>> {
        actor.require(Role::Editor)?;
        if links.is_empty() || links.len() > MAX_SPLIT {
            let detail = format!("1 to {MAX_SPLIT} codes of this article's links");
            return Err(Refusal::field(Reason::OutOfRange, "links", detail).into());
        }
        let article = self.article(id).await?;
        let mut found = Vec::with_capacity(links.len());
        for code in links {
            let link = self.get(code).await?;
            if link.link.article.as_ref() != Some(id) {
                let detail = format!("\"{code}\" is no link of this article");
                return Err(Refusal::field(Reason::InvalidValue, "links", detail).into());
            }
            found.push(link);
        }
        // Nothing is changed if one of them has nowhere to go.
        let mut ways = Vec::with_capacity(found.len());
        for link in &found {
            ways.push(match self.came_from(link, &article).await? {
                Some(stub) => Way::Back(stub),
                None => Way::Apart(self.own_address(&article, link)?),
            });
        }
        let mut first = None;
        for (link, way) in found.iter().zip(ways) {
            let to = match way {
                Way::Back(stub) => self.revive(&stub.id, actor, now).await?,
                Way::Apart(address) => self.part(&article, address, actor, now).await?,
            };
            self.hand_over(&link.link.code, &to.id, SPLIT, actor, now).await?;
            first.get_or_insert(to.id.clone());
        }
        self.article(first.as_ref().unwrap_or(id)).await
    }

    /// True for a story that staff split off: a page that says otherwise makes it no part of another again.
    pub(super) async fn was_split(&self, id: &ArticleId) -> Result<bool> {
        let history = self.article_history(id, None, LINES).await?;
        let last = history.iter().find(|entry| entry.action == MERGED || entry.action == SPLIT);
        Ok(last.is_some_and(|entry| entry.action == SPLIT))
    }

    /// The story that was merged into this one and brought this link.
    async fn came_from(&self, found: &Found, into: &Article) -> Result<Option<Arc<Article>>> {
        let history = self.history(&found.link.code, None, LINES).await?;
        let last = history.iter().find(|entry| entry.changes.contains_key(ARTICLE) && entry.action == MERGED);
        let from = last.and_then(|entry| entry.changes[ARTICLE].get("from")?.as_str().map(str::to_owned));
        let Some(from) = from else { return Ok(None) };
        let stub = self.article(&ArticleId(from.into())).await?;
        Ok(Some(stub).filter(|stub| stub.merged_into.as_ref() == Some(&into.id)))
    }

    /// Makes a story that was merged into another one of its own again.
    async fn revive(&self, id: &ArticleId, actor: &Actor, now: Timestamp) -> Result<Arc<Article>> {
        let stub = self.article(id).await?;
        if stub.merged_into.is_none() {
            return Ok(stub);
        }
        let mut after = next(&stub, now);
        after.merged_into = None;
        let entry = line(&after, &actor.name, SPLIT, changes(&stub, &after));
        self.write_article(edit(after, Some(entry)), now).await
    }

    /// The address of its own that a link of a story leads to.
    fn own_address(&self, article: &Article, found: &Found) -> std::result::Result<Address, Refusal> {
        let own = || {
            let detail = "these links lead to the article's own address; give them another target first";
            Refusal::field(Reason::InvalidValue, "links", detail)
        };
        let target = found.link.target.as_deref().ok_or_else(own)?;
        let address = self.rules().address(target, false, "links")?;
        if address.article == article.url || found.link.follows_article {
            return Err(own());
        }
        Ok(address)
    }

    /// Makes a story of such an address.
    async fn part(
        &self,
        article: &Article,
        address: Address,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Arc<Article>> {
        if let Some(known) = self.known_by(&address.article).await?
            && known.id != article.id
        {
            return Ok(known);
        }
        let new_id = self.drawer.article_id(Entropy::System.bytes("article", 0));
        let new = Article::new(new_id, address.article.clone(), address.site, now);
        let entry = line(&new, &actor.name, SPLIT, Map::new());
        let take = vec![(address.article, article.id.clone())];
        self.write_article(ArticleEdit { take, ..edit(new, Some(entry)) }, now).await
    }
}
