//! What pages say of stories that are there already: late readings, retries, and a refresh by hand.
//!
//! Guarantees that what the CMS or staff said stays, that a page makes two stories one only if their titles agree, and
//! that of several nodes one reads a page that is due.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use url::Url;

use super::{LinkService, Result, TRIES, edit, is_stale, next};
use crate::articles::{Reading, reader};
use crate::domain::access::{Actor, Role};
use crate::domain::article::{Article, ArticleId, PageOutcome};
use crate::domain::error::{Reason, Refusal};
use crate::links::stories::{address_of, page_state};
use crate::store::links::ArticleEdit;

/// A page that is being read is not due for so long: by then it was, or its node is gone.
const LEASE: Duration = Duration::from_secs(300);
/// Pages that are due, read in one round.
const ROUND: usize = 20;

impl LinkService {
    /// Keeps what a page says that was read for a link, after the link was made. Nothing if there is no story of it.
    ///
    /// # Errors
    /// The store's.
    pub async fn hear(&self, reading: &Reading, now: Timestamp) -> Result<()> {
        match self.known_by(reading.form.url.as_str()).await? {
            Some(story) => self.tell(&story.id, reading, true, now).await.map(drop),
            None => Ok(()),
        }
    }

    /// Reads pages that are to be tried again by now. Gives how many there were.
    ///
    /// # Errors
    /// The store's.
    pub async fn read_due(&self, now: Timestamp) -> Result<usize> {
        let Some(pages) = self.pages() else { return Ok(0) };
        let due = self.within(self.store().articles_due(now, ROUND)).await?;
        let mut read = 0;
        for story in due {
            let Ok(url) = Url::parse(story.address()) else { continue };
            let mut leased = next(&story, now);
            leased.updated_at = story.updated_at;
            leased.read.due = now.checked_add(LEASE).ok();
            match self.write_article(edit(leased, None), now).await {
                Ok(_) => {}
                // Another node has it.
                Err(error) if is_stale(&error) => continue,
                Err(error) => return Err(error),
            }
            let reading = pages.reader.read(&url, Instant::now().into_std()).await;
            self.tell(&story.id, &reading, true, now).await?;
            read += 1;
        }
        Ok(read)
    }

    /// Reads a story's page now.
    ///
    /// # Errors
    /// The refusals of `POST /articles/{id}/refresh`.
    pub async fn refresh(&self, id: &ArticleId, actor: &Actor, now: Timestamp) -> Result<Arc<Article>> {
        actor.require(Role::Creator)?;
        let story = self.article(id).await?;
        // What a page says of where its story lives changes others' links too.
        let may_move = actor.role >= Role::Editor;
        let nothing = |why: &str| Refusal::field(Reason::InvalidValue, "url", why.to_owned());
        let pages =
            self.pages().ok_or_else(|| nothing("no pages are read here (articles.fetch, allowed_hosts)"))?;
        let allowed = self.rules().address(story.address(), true, "url").is_ok_and(|address| address.allowed);
        let url = Url::parse(story.address()).ok().filter(|_| allowed);
        let url = url.ok_or_else(|| nothing("only pages of articles.allowed_hosts are read"))?;
        let reading = pages.reader.read(&url, Instant::now().into_std()).await;
        let story = self.tell(&story.id, &reading, may_move, now).await?;
        match (&reading.why, reading.outcome) {
            (_, reader::Outcome::Read) | (None, _) => Ok(story),
            (Some(why), _) => Err(nothing(&format!("the page could not be read: {why}")).into()),
        }
    }

    /// Adds what a page says to a story; with `may_move` also where it lives, and which other story it is.
    async fn tell(
        &self,
        id: &ArticleId,
        reading: &Reading,
        may_move: bool,
        now: Timestamp,
    ) -> Result<Arc<Article>> {
        for _ in 0..TRIES {
            let story = self.article(id).await?;
            if story.is_redacted() {
                return Ok(story);
            }
            let mut after = next(&story, now);
            let opens = match reading.outcome {
                reader::Outcome::Read => None,
                _ => self.opens_next(id, now).await?,
            };
            after.read = page_state(reading, story.read.failures, opens, now);
            let (mut aliases, mut twin) = (vec![], None);
            if reading.outcome == reader::Outcome::Read {
                after.hear(&reading.facts.facts());
                let known = if may_move { self.claimed(&story, reading).await? } else { None };
                if let Some((url, other)) = known {
                    // A story that came to this address before its page was read may be at home elsewhere.
                    let is_guess =
                        story.read.outcome == PageOutcome::Never && reading.form.url.as_str() == story.url;
                    let own = other.as_ref().is_some_and(|other| other.id == story.id);
                    match other {
                        Some(_) if own && !is_guess => {}
                        Some(other) if !own => twin = Some(other),
                        _ => {
                            let found = address_of(&self.rules().canon, &url, [reading.at.as_str()]);
                            after.move_to(url, found);
                        }
                    }
                    aliases = reading.spellings.iter().map(Url::to_string).collect();
                }
            }
            match self.write_article(ArticleEdit { aliases, ..edit(after, None) }, now).await {
                Err(error) if is_stale(&error) => {}
                Err(error) => return Err(error),
                Ok(story) => {
                    let Some(twin) = twin else { return Ok(story) };
                    if self.was_split(&story.id).await? || self.was_split(&twin.id).await? {
                        return Ok(story);
                    }
                    return self.join(&story.id, &twin.id, &page(), now).await;
                }
            }
        }
        Err(Refusal::new(Reason::Stale, "the article is being changed by others; try again").into())
    }

    /// The address that a story's page says is its own, and whose that is; None if it is not believed.
    async fn claimed(
        &self,
        story: &Article,
        reading: &Reading,
    ) -> Result<Option<(String, Option<Arc<Article>>)>> {
        let Some(identity) = reading.identity.as_ref().filter(|identity| identity.site == story.site) else {
            return Ok(None);
        };
        let url = identity.url.to_string();
        let other = self.known_by(&url).await?;
        let believed = match &other {
            Some(other) => other.id == story.id || self.is_of(other, reading, None).await,
            None => true,
        };
        Ok(believed.then_some((url, other)))
    }

    /// When the next of a story's links opens: its page may be there by then.
    async fn opens_next(&self, id: &ArticleId, now: Timestamp) -> Result<Option<Timestamp>> {
        let links = self.links_of(id, now).await?;
        Ok(links.iter().filter_map(|found| found.link.not_before).filter(|opens| *opens > now).min())
    }
}

/// Who makes two stories one because their page says so.
fn page() -> Actor {
    Actor { name: "page".into(), role: Role::Editor }
}
