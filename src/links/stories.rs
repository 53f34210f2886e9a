//! Whose story an address is, before a link to it is made.
//!
//! Guarantees that a known spelling is answered without a look at its page, that all addresses of one request wait at
//! most `articles.fetch_wait` for theirs together, and that what a page claims is believed only if the story that is
//! known there has its title. What is not known in time comes later ([`super::articles`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tokio::time::Instant;
use url::Url;

use super::{LinkService, Result};
use crate::articles::{Reader, Reading, reader, retry};
use crate::domain::article::{Article, PageOutcome, PageState};
use crate::domain::canonical::{Canon, same_story};
use crate::domain::target::Address;
use crate::store::links::{ArticleClaim, ArticleKey};

/// Addresses that are looked up at once.
const AT_ONCE: usize = 64;
/// A page that is still being read when its story is made is looked at again after this, if its reading gets lost.
const LOST_AFTER: Duration = Duration::from_secs(120);

/// What reads pages, and how long a request waits for it.
#[derive(Clone)]
pub struct Pages {
    /// What reads them.
    pub reader: Reader,
    /// Longest that a request waits, for all its pages together.
    pub wait: Duration,
}

/// What is known of an address.
#[derive(Clone, Debug, Default)]
pub(super) struct Met {
    /// The story that it is an address of.
    pub(super) story: Option<Arc<Article>>,
    /// What its page says, if nobody knew the address and the page came in time.
    pub(super) reading: Option<Arc<Reading>>,
    /// Its page is still being read.
    pub(super) is_read: bool,
    /// What its page says it is, is another story, by its title.
    contested: bool,
}

impl LinkService {
    /// What is known of these addresses, by what their stories are known by ([`Address::article`]).
    pub(super) async fn meet(
        &self,
        addresses: impl Iterator<Item = &Address>,
    ) -> Result<HashMap<String, Met>> {
        let own = addresses.filter(|address| address.allowed);
        let wanted: BTreeMap<String, String> = own.map(|a| (a.article.clone(), a.target.clone())).collect();
        let until = Instant::now() + self.pages().map_or(Duration::ZERO, |pages| pages.wait);
        let met = stream::iter(wanted).map(|(article, target)| async move {
            let met = self.meet_one(&article, &target, until).await?;
            Ok::<_, super::Error>((article, met))
        });
        met.buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn meet_one(&self, article: &str, target: &str, until: Instant) -> Result<Met> {
        let story = self.known_by(article).await?;
        let (None, Some(pages), Ok(url)) = (&story, self.pages(), Url::parse(target)) else {
            return Ok(Met { story, ..Met::default() });
        };
        let wait = until.saturating_duration_since(Instant::now());
        let Some(reading) = pages.reader.read_within(&url, wait, Instant::now().into_std()).await else {
            return Ok(Met { is_read: true, ..Met::default() });
        };
        let claimed = match &reading.identity {
            Some(identity) if *identity != reading.form => self.known_by(identity.url.as_str()).await?,
            _ => None,
        };
        let contested = match &claimed {
            Some(story) => !self.is_of(story, &reading, Some(until)).await,
            None => false,
        };
        Ok(Met { story: claimed.filter(|_| !contested), reading: Some(reading), is_read: false, contested })
    }

    /// True if a page may be that of a story that it claims to be: their titles agree, or if the story's headline has
    /// changed since its own page was read, that of its page now.
    pub(super) async fn is_of(&self, story: &Article, reading: &Reading, until: Option<Instant>) -> bool {
        let title = reading.facts.title.as_deref();
        if same_story(story.facts.title.as_deref(), title) {
            return true;
        }
        let (Some(pages), Ok(url)) = (self.pages(), Url::parse(story.address())) else { return false };
        let now = Instant::now();
        let own = match until {
            Some(until) => {
                pages.reader.read_within(&url, until.saturating_duration_since(now), now.into_std()).await
            }
            None => Some(pages.reader.read(&url, now.into_std()).await),
        };
        own.is_some_and(|own| {
            let is_its = own.identity.as_ref().is_some_and(|identity| identity.url.as_str() == story.url);
            is_its && same_story(own.facts.title.as_deref(), title)
        })
    }

    /// The story that is known by an address.
    pub(super) async fn known_by(&self, url: &str) -> Result<Option<Arc<Article>>> {
        Ok(self.within(self.store().article(ArticleKey::Url(url.to_owned()))).await?)
    }
}

impl Met {
    /// Adds what is known of an address to a claim for its story, which is made for a link that opens at `opens`.
    pub(super) fn tell(&self, claim: &mut ArticleClaim, opens: Option<Timestamp>, now: Timestamp) {
        if self.is_read {
            let due = now.checked_add(LOST_AFTER).ok();
            claim.read = Some(PageState { due, ..PageState::default() });
        }
        let Some(reading) = &self.reading else { return };
        claim.read = Some(page_state(reading, 0, opens, now));
        if reading.outcome == reader::Outcome::Read {
            claim.page = Some(reading.facts.facts());
        }
        if let Some(identity) = reading.identity.as_ref().filter(|i| i.site == claim.site && !self.contested)
        {
            claim.url = identity.url.to_string();
            let spellings = reading.spellings.iter().map(Url::to_string);
            claim.aliases = spellings.filter(|url| *url != claim.url).collect();
        }
    }
}

/// What is kept of a look at a page. `tries` were in vain before it.
pub(super) fn page_state(
    reading: &Reading,
    tries: u32,
    opens: Option<Timestamp>,
    now: Timestamp,
) -> PageState {
    let outcome = match reading.outcome {
        reader::Outcome::Read => PageOutcome::Read,
        reader::Outcome::NotReadable | reader::Outcome::Slow => PageOutcome::NotReadable,
        reader::Outcome::Gone => PageOutcome::Gone,
        reader::Outcome::Broken | reader::Outcome::Refused => PageOutcome::Broken,
    };
    let failures = if outcome == PageOutcome::Read { 0 } else { tries.saturating_add(1) };
    let due = retry::next(reading.outcome, failures, now, opens);
    PageState { outcome, at: Some(now), failures, due }
}

/// The spelling of the address that a story is known by, to which readers are led: the first of these that is one.
pub(super) fn address_of<'a>(
    canon: &Canon,
    known_by: &str,
    spellings: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let is_one = |spelling: &&str| {
        Url::parse(spelling).is_ok_and(|url| canon.identity(&url).url.as_str() == known_by)
            && adds_nothing(canon, spelling, known_by)
    };
    spellings.into_iter().find(is_one).map(str::to_owned)
}

/// True if a target says no more than the address that a story is known by: its links need no target of their own.
/// What tells stories apart in an address says nothing more about the one that it is an address of.
pub(super) fn adds_nothing(canon: &Canon, target: &str, known_by: &str) -> bool {
    let (Ok(target), Ok(known_by)) = (Url::parse(target), Url::parse(known_by)) else { return false };
    let known = canon.identity(&known_by).url;
    let has = |pair: &(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
        known.query_pairs().any(|own| own == *pair) || canon.identifies(&pair.0)
    };
    target.fragment().is_none() && target.query_pairs().all(|pair| has(&pair))
}
