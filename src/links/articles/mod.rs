//! Stories as people use them: changed, moved, withdrawn, merged, split, read again, redacted.
//!
//! Guarantees that every change is made on the version that its editor saw (409 `stale` else) and has a line of
//! history, that what staff said is never overwritten by a page, and that this process's cache forgets a story's links
//! before the caller hears of a change. HTTP is unknown here.

mod change;
mod check;
mod merge;
mod pages;
mod redact;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub use change::{Change, NoteChange};

use super::codes::Entropy;
use super::stories::Met;
use super::{Error, LinkService, Result};
use crate::domain::access::{Actor, Role};
use crate::domain::article::{Article, ArticleId, Note};
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::{Found, HistoryEntry};
use crate::store::links::{
    ArticleClaim, ArticleEdit, ArticleEdited, ArticleKey, LinkFilter, LinkOrder, LinkPage,
};

/// Links of a story that are changed with it, read at once.
const PAGE: usize = 1_000;

impl LinkService {
    /// A story by our id: the record itself, also of one that was merged into another.
    ///
    /// # Errors
    /// `unknown_article`.
    pub async fn article(&self, id: &ArticleId) -> Result<Arc<Article>> {
        let article = self.within(self.store().article(ArticleKey::Id(id.clone()))).await?;
        article.ok_or_else(|| unknown_article().into())
    }

    /// A story's changes, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn article_history(
        &self,
        id: &ArticleId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>> {
        Ok(self.within(self.store().article_history(id, before, limit)).await?)
    }

    /// All links of a story, oldest first.
    pub(super) async fn links_of(&self, id: &ArticleId, now: Timestamp) -> Result<Vec<Found>> {
        let filter = LinkFilter { article: Some(id.clone()), ..LinkFilter::default() };
        let order = LinkOrder::Created;
        let (mut all, mut after) = (vec![], None);
        loop {
            let page = LinkPage { filter: filter.clone(), order, descending: false, after, limit: PAGE };
            let found = self.within(self.store().list(page, now)).await?;
            after = found.last().map(|last| (order.key_of(last), last.link.code.to_string()));
            let more = found.len() == PAGE;
            all.extend(found);
            if !more {
                return Ok(all);
            }
        }
    }

    /// Says whose an address or CMS id is, with that story's first link.
    async fn held(&self, other: &Article, now: Timestamp) -> Result<Refusal> {
        let detail =
            format!("this is an address of the article {}; merge the two if they are one story", other.id.0);
        let link = self.links_of(&other.id, now).await?.into_iter().next();
        Ok(with_link(Refusal::field(Reason::Conflict, "url", detail), link))
    }

    /// Writes a story as it shall be.
    async fn write_article(&self, edit: ArticleEdit, now: Timestamp) -> Result<Arc<Article>> {
        let id = edit.article.id.clone();
        match self.within(self.store().edit_article(edit)).await? {
            ArticleEdited::Changed(article) => {
                for found in self.links_of(&id, now).await? {
                    self.changed(&found);
                }
                Ok(article)
            }
            ArticleEdited::Stale(article) => Err(stale(&article).into()),
            ArticleEdited::AddressHeld(other) => Err(self.held(&other, now).await?.into()),
            ArticleEdited::NotOlder(_) => {
                let detail = "a story is merged into an older one, never into a younger one";
                Err(Refusal::field(Reason::Conflict, "other", detail).into())
            }
            ArticleEdited::NotFound => Err(unknown_article().into()),
        }
    }

    /// The story that a claim means, if it is known. A known CMS id that comes with an address nobody knows moves its
    /// story there, and one that comes with another story's address merges the two, if whoever asks may do that. A CMS
    /// id that nobody knows is dropped from the claim if the story has another.
    pub(super) async fn settle_names(
        &self,
        claim: &mut ArticleClaim,
        met: &Met,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Option<Arc<Article>>> {
        for _ in 1..TRIES {
            match self.try_to_settle(claim, met, actor, now).await {
                // Somebody else was about it, likely with the same news.
                Err(error) if is_stale(&error) => {}
                settled => return settled,
            }
        }
        self.try_to_settle(claim, met, actor, now).await
    }

    async fn try_to_settle(
        &self,
        claim: &mut ArticleClaim,
        met: &Met,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Option<Arc<Article>>> {
        let Some(id) = claim.cms_id.clone() else { return Ok(met.story.clone()) };
        let key = ArticleKey::CmsIdIn { site: claim.site.clone(), id };
        let Some(by_cms) = self.within(self.store().article(key)).await? else {
            if met.story.as_ref().is_some_and(|story| story.cms_id.is_some()) {
                claim.cms_id = None;
            }
            return Ok(met.story.clone());
        };
        let its = self.links_of(&by_cms.id, now).await?.into_iter().next();
        let may = |what: &str| -> std::result::Result<(), Refusal> {
            let detail = format!("this CMS id is of another address; {what} needs the role editor");
            match actor.role >= Role::Editor {
                true => Ok(()),
                false => Err(with_link(Refusal::field(Reason::Conflict, "url", detail), its.clone())),
            }
        };
        match &met.story {
            Some(story) if story.id == by_cms.id => Ok(Some(by_cms)),
            Some(story) if story.cms_id.is_some() => Err(self.held(story, now).await?.into()),
            Some(story) => {
                may("making the two stories one")?;
                self.join(&by_cms.id, &story.id, actor, now).await.map(Some)
            }
            None if claim.url == by_cms.url => Ok(Some(by_cms)),
            None => {
                // One of its spellings, past or present, by its page.
                for alias in &claim.aliases {
                    if self.known_by(alias).await?.is_some_and(|story| story.id == by_cms.id) {
                        return Ok(Some(by_cms));
                    }
                }
                may("moving the story")?;
                self.follow(&by_cms, claim, actor, now).await.map(Some)
            }
        }
    }
}

pub(super) fn unknown_article() -> Refusal {
    Refusal::new(Reason::UnknownArticle, "there is no article known by this")
}

fn stale(article: &Article) -> Refusal {
    let detail = format!("the article was changed meanwhile; it is at version {}", article.version);
    Refusal::field(Reason::Stale, "version", detail).with_version(article.version)
}

fn with_link(refusal: Refusal, link: Option<Found>) -> Refusal {
    match link {
        Some(found) => refusal.with_link(found),
        None => refusal,
    }
}

/// A line of a story's history.
fn line(article: &Article, actor: &str, action: &str, changes: Map<String, Value>) -> HistoryEntry {
    HistoryEntry {
        version: article.version,
        at: article.updated_at,
        by: actor.to_owned(),
        action: action.to_owned(),
        changes,
    }
}

/// A story one version on.
fn next(article: &Article, now: Timestamp) -> Article {
    Article { version: article.version + 1, updated_at: now, ..article.clone() }
}

/// What people see of a story that changed: field -> `{from, to}`.
fn changes(from: &Article, to: &Article) -> Map<String, Value> {
    let notes = notes(&from.notes, &to.notes);
    let (from, to) = (shown(from), shown(to));
    let differ = to.into_iter().filter(|(name, to)| from.get(name) != Some(to));
    differ
        .map(|(name, to)| {
            let from = from.get(&name).cloned();
            (name, json!({ "from": from, "to": to }))
        })
        .chain(notes)
        .collect()
}

/// Notes that were taken back, and those that were made: never all of them.
fn notes(from: &[Note], to: &[Note]) -> Option<(String, Value)> {
    let without = |these: &[Note], those: &[Note]| -> Vec<Note> {
        these.iter().filter(|note| !those.contains(note)).cloned().collect()
    };
    let (gone, new) = (without(from, to), without(to, from));
    (from != to).then(|| ("notes".to_owned(), json!({ "from": gone, "to": new })))
}

fn shown(article: &Article) -> Map<String, Value> {
    let facts = &article.facts;
    let shown = json!({
        "url": article.url,
        "address": article.address(),
        "cms_id": article.cms_id,
        "title": facts.title,
        "description": facts.description,
        "section": facts.section,
        "authors": facts.authors,
        "published_at": facts.published_at,
        "image": facts.image,
        "language": facts.language,
        "withdrawn": article.withdrawn,
        "replacement_url": article.replacement_url,
        "message": article.message,
        "merged_into": article.merged_into,
    });
    match shown {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// An edit that nobody retries.
fn edit(article: Article, entry: Option<HistoryEntry>) -> ArticleEdit {
    ArticleEdit { tag: Entropy::System.tag(0), article, entry, aliases: vec![], take: vec![] }
}

/// A change that others were faster than is decided again this often.
const TRIES: usize = 5;

/// True for what another try may mend.
fn is_stale(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if refusal.reason == Reason::Stale)
}
