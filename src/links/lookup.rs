//! What a request for a link would do, without doing it; and the article's own short URL, for its button.
//!
//! Guarantees that a look-up changes nothing, and that the button is never told of a link that is not active, nor makes
//! one for a page that not everybody can read, or that does not say itself that it is at that address.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use url::Url;

use super::codes::Entropy;
use super::request::NewLink as Request;
use super::{LinkService, Result};
use crate::articles::reader::Public;
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
    /// What `POST /links` would do with this address. Its page is not read.
    ///
    /// # Errors
    /// The refusals of an address.
    pub async fn lookup(&self, url: &str, now: Timestamp) -> Result<Lookup> {
        let mut address = self.rules().address(url, false, "url")?;
        let article = self.known_by(&address.article).await?;
        let mut links = vec![];
        if let Some(article) = &article {
            links = self.links_of(&article.id, now).await?;
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
        if let Some(article) = self.known_by(&address.article).await?
            && let Some(found) = self.own_link(&article, now).await?
        {
            return Some(found)
                .filter(|found| found.status(now) == Status::Active)
                .ok_or_else(|| unknown().into());
        }
        let pages = self.pages().ok_or_else(unknown)?;
        let page = Url::parse(&address.target).map_err(|_| unknown())?;
        // Its place is kept until the link is made, so that what making it reads is bounded too.
        let _place = match pages.reader.public(&page, Instant::now().into_std()).await {
            Public::Named(place) => place,
            Public::Nothing => return Err(unknown().into()),
            Public::Busy => {
                let detail = "too many short URLs are being made; ask again";
                return Err(Refusal::new(Reason::RateLimited, detail).into());
            }
        };
        may_make()?;
        let request = Request { url: Some(address.target), ..Request::default() };
        let button = Actor { name: "button".into(), role: Role::Creator };
        let made = self.create(request, &button, Via::Button, &Entropy::System, now).await?;
        let found = made.into_iter().next().map(|made| made.found).ok_or_else(unknown)?;
        Some(found).filter(|found| found.status(now) == Status::Active).ok_or_else(|| unknown().into())
    }

    /// The link that is the article's own: of no channel and no campaign, to the article itself.
    async fn own_link(&self, article: &Article, now: Timestamp) -> Result<Option<Found>> {
        let mut links = self.links_of(&article.id, now).await?;
        links.retain(|found| {
            let link = &found.link;
            let plain = link.channel.is_none() && link.campaign.is_none() && link.follows_article;
            plain && link.retired_at.is_none()
        });
        let active = links.iter().position(|found| found.status(now) == Status::Active);
        Ok((!links.is_empty()).then(|| links.swap_remove(active.unwrap_or(0))))
    }
}

fn unknown() -> Refusal {
    Refusal::new(Reason::UnknownArticle, "there is no short URL for this address")
}
