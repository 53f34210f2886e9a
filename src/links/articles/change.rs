//! `PATCH /articles/{id}`: what staff say of a story, where it lives, and whether it stands.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{LinkService, Result, changes, edit, line, next, stale};
use crate::domain::access::{Actor, Role};
use crate::domain::article::{Article, ArticleFacts, ArticleId, Fact, MAX_NOTED, MAX_NOTES, Note};
use crate::domain::error::{Reason, Refusal};
use crate::links::request::{self, given};
use crate::links::stories::address_of;
use crate::store::links::{ArticleClaim, ArticleEdit};

/// `PATCH /articles/{id}`: a field that is missing stays, `null` clears; of what its page says too, the page is
/// believed again then.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ArticleChange)]
pub struct Change {
    /// The version that was read. Required.
    pub version: Option<u64>,
    /// Its new address, within its site; never `null`. Links that follow it lead there at once.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub url: Option<Option<String>>,
    /// Headline, at most 300 characters.
    #[serde(deserialize_with = "given")]
    pub title: Option<Option<String>>,
    /// Section, at most 100 characters.
    #[serde(deserialize_with = "given")]
    pub section: Option<Option<String>>,
    /// At most 20 names of at most 100 characters.
    #[serde(deserialize_with = "given")]
    pub authors: Option<Option<Vec<String>>>,
    /// When it was published (RFC 3339).
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub published_at: Option<Option<Timestamp>>,
    /// Takes it back, or puts it back.
    #[serde(deserialize_with = "given")]
    pub withdrawn: Option<Option<bool>>,
    /// Where its links lead while it is withdrawn, instead of a notice.
    #[serde(deserialize_with = "given")]
    pub replacement_url: Option<Option<String>>,
    /// What readers are told while it is withdrawn, at most 2,000 characters.
    #[serde(deserialize_with = "given")]
    pub message: Option<Option<String>>,
    /// What staff note of it on its chart, at most 50; all of them: what is not here is taken back.
    #[serde(deserialize_with = "given")]
    pub notes: Option<Option<Vec<NoteChange>>>,
}

/// A note as it is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteChange {
    /// When that was (RFC 3339); now if it is not said.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// At most 200 characters.
    pub text: String,
}

impl LinkService {
    /// Changes a story.
    ///
    /// # Errors
    /// The refusals of `PATCH /articles/{id}`.
    pub async fn change_article(
        &self,
        id: &ArticleId,
        change: Change,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Arc<Article>> {
        actor.require(Role::Editor)?;
        let Some(version) = change.version else {
            return Err(
                Refusal::field(Reason::Missing, "version", "the version that was read is missing").into()
            );
        };
        let article = self.article(id).await?;
        if article.version != version {
            return Err(stale(&article).into());
        }
        if let Some(into) = &article.merged_into {
            let detail = format!("the article was merged into {}", into.0);
            return Err(Refusal::new(Reason::Conflict, detail).into());
        }
        let mut after = next(&article, now);
        if let Some(notes) = &change.notes {
            after.notes = noted(&article, notes.as_deref().unwrap_or_default(), actor, now)?;
        }
        self.take_over(&mut after, change)?;
        let changes = changes(&article, &after);
        if changes.is_empty() && after.said == article.said {
            return Ok(article);
        }
        let entry = line(&after, &actor.name, "changed", changes);
        self.write_article(edit(after, Some(entry)), now).await
    }

    /// Moves a story to the address of a claim for it.
    pub(super) async fn follow(
        &self,
        story: &Article,
        claim: &ArticleClaim,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Arc<Article>> {
        let mut after = next(story, now);
        after.move_to(claim.url.clone(), claim.address.clone());
        after.fill(&claim.facts);
        if let Some(page) = &claim.page {
            after.hear(page);
        }
        if let Some(read) = claim.read {
            after.read = read;
        }
        let entry = line(&after, &actor.name, "moved", changes(story, &after));
        let aliases = claim.aliases.clone();
        self.write_article(ArticleEdit { aliases, ..edit(after, Some(entry)) }, now).await
    }

    fn take_over(&self, article: &mut Article, change: Change) -> std::result::Result<(), Refusal> {
        let rules = self.rules();
        if change.url == Some(None) {
            return Err(Refusal::field(Reason::InvalidValue, "url", "a story has an address"));
        }
        if let Some(url) = change.url.as_ref().and_then(Option::as_ref) {
            let address = rules.address(url, false, "url")?;
            if address.site != article.site {
                let detail = format!(
                    "an article moves within its site, which is {}; hosts become one site by articles.sites",
                    article.site
                );
                return Err(Refusal::field(Reason::InvalidValue, "url", detail));
            }
            let spelling = Some(address.target.as_str()).filter(|_| address.allowed);
            let spelling = address_of(&rules.canon, &address.article, spelling);
            article.move_to(address.article, spelling);
        }
        let said = ArticleFacts {
            title: change.title.clone().flatten(),
            section: change.section.clone().flatten(),
            authors: change.authors.clone().flatten().unwrap_or_default(),
            published_at: change.published_at.flatten(),
            ..ArticleFacts::default()
        };
        let said = request::facts(said, "")?;
        let given = [
            (Fact::Title, change.title.is_some()),
            (Fact::Section, change.section.is_some()),
            (Fact::Authors, change.authors.is_some()),
            (Fact::PublishedAt, change.published_at.is_some()),
        ];
        for (fact, _) in given.into_iter().filter(|(_, given)| *given) {
            article.facts.take(fact, &said);
            if said.has(fact) { article.said.add(fact) } else { article.said.remove(fact) }
        }
        if let Some(withdrawn) = change.withdrawn {
            article.withdrawn = withdrawn.unwrap_or(false);
        }
        if let Some(url) = change.replacement_url {
            article.replacement_url = url.map(|url| rules.plain(&url, "replacement_url")).transpose()?;
        }
        if let Some(message) = change.message {
            article.message = request::message(message)?;
        }
        Ok(())
    }
}

/// The notes that a story shall have; who noted what is there already stays.
fn noted(
    article: &Article,
    asked: &[NoteChange],
    actor: &Actor,
    now: Timestamp,
) -> std::result::Result<Vec<Note>, Refusal> {
    if asked.len() > MAX_NOTES {
        let detail = format!("an article has at most {MAX_NOTES} notes");
        return Err(Refusal::field(Reason::OutOfRange, "notes", detail));
    }
    let mut after = Article { notes: vec![], ..article.clone() };
    for note in asked {
        let text = request::text("notes", Some(note.text.clone()), MAX_NOTED)?;
        let missing = || Refusal::field(Reason::Missing, "notes", "a note says something");
        let (text, at) = (text.ok_or_else(missing)?, note.at.unwrap_or(now));
        // Stores keep milliseconds: what is read must be what was written.
        let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
        let there = article.notes.iter().find(|its| its.at == at && its.text == text);
        let by = there.map_or_else(|| actor.name.clone(), |its| its.by.clone());
        after.note(&[Note { at, text, by }]);
    }
    Ok(after.notes)
}
