//! What a request for a link would do, without doing it; and the article's own short URL, for its button.
//!
//! Guarantees that a look-up changes nothing, and that the button is never told of a link that is not active, nor makes
//! one for a page that does not say itself that it is at that address.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use url::Url;

use super::codes::Entropy;
use super::request::NewLink as Request;
use super::{Error, LinkService, Result, is_secret_story};
use crate::articles::{Reading, reader};
use crate::domain::access::{Actor, Role};
use crate::domain::article::Article;
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::{Found, Status, Via};
use crate::domain::target::Address;

/// What a request for a link to an address would find.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// Where it would lead, and what would be dropped.
    pub address: Address,
    /// The story, if it is known.
    pub article: Option<Arc<Article>>,
    /// Its links.
    pub links: Vec<Found>,
}

impl LinkService {
    /// What `POST /links` would do with this address. Its page is not read. What is secret to the viewer is not told.
    ///
    /// # Errors
    /// The refusals of an address.
    pub async fn lookup(&self, url: &str, viewer: &Actor, now: Timestamp) -> Result<Lookup> {
        let mut address = self.rules().address(url, false, "url")?;
        let mut article = self.known_by(&address.article).await?;
        let mut links = vec![];
        if let Some(known) = &article {
            links = self.links_of(&known.id, now).await?;
        }
        if is_secret_story(&links, viewer, now) {
            article = None;
        }
        if let Some(article) = &article {
            address.target = self.led(&address, article).1.to_owned();
        }
        Ok(Lookup { address, article, links })
    }

    /// The short URL of the article at this address, for anybody. `may_make` is asked before one is made.
    ///
    /// # Errors
    /// `unknown_article`, `host_not_allowed`, `rate_limited`, and those of an address.
    pub async fn short_url(
        &self,
        url: &str,
        now: Timestamp,
        may_make: impl FnOnce() -> std::result::Result<(), Refusal>,
    ) -> Result<Found> {
        let address = self.rules().address(url, false, "url")?;
        if !address.allowed {
            let detail = "short URLs are given for this newsroom's own articles only";
            return Err(Refusal::field(Reason::HostNotAllowed, "url", detail).into());
        }
        if let Some(article) = self.known_by(&address.article).await? {
            let links = self.links_of(&article.id, now).await?;
            // One that is withdrawn, or not open yet on some channel, gets none by its button.
            let closed =
                article.withdrawn || links.iter().any(|found| found.status(now) == Status::Scheduled);
            match own_link(links, now) {
                Some(found) if found.status(now) == Status::Active => return Ok(found),
                None if !closed => {}
                _ => return Err(unknown().into()),
            }
        }
        let pages = self.pages().ok_or_else(unknown)?;
        let page = Url::parse(&address.target).map_err(|_| unknown())?;
        let reading = pages.reader.read(&page, Instant::now().into_std()).await;
        if !names_itself(&reading) {
            return Err(unknown().into());
        }
        may_make()?;
        let request = Request { url: Some(address.target), ..Request::default() };
        let button = Actor { name: "button".into(), role: Role::Creator };
        let made = self.create(request, &button, Via::Button, &Entropy::System, now).await;
        // Why there is none is nobody's business.
        let made = made.map_err(|error| match error {
            Error::Refused(_) => unknown().into(),
            error => error,
        })?;
        let found = made.into_iter().next().map(|made| made.found).ok_or_else(unknown)?;
        Some(found).filter(|found| found.status(now) == Status::Active).ok_or_else(|| unknown().into())
    }
}

/// The link that is the article's own: of no channel and no campaign, to the article itself.
fn own_link(mut links: Vec<Found>, now: Timestamp) -> Option<Found> {
    links.retain(|found| {
        let link = &found.link;
        let plain = link.channel.is_none() && link.campaign.is_none() && link.follows_article;
        plain && link.retired_at.is_none()
    });
    let active = links.iter().position(|found| found.status(now) == Status::Active);
    (!links.is_empty()).then(|| links.swap_remove(active.unwrap_or(0)))
}

/// True if a page is there and says that the address it was asked by is its own.
fn names_itself(reading: &Reading) -> bool {
    reading.outcome == reader::Outcome::Read
        && reading.claimed
        && reading.identity.as_ref().is_some_and(|identity| *identity == reading.form)
}

fn unknown() -> Refusal {
    Refusal::new(Reason::UnknownArticle, "there is no short URL for this address")
}
