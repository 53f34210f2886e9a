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
use super::{Error, LinkService, Result, is_secret_story};
use crate::articles::reader::Public;
use crate::domain::access::{Actor, Role};
use crate::domain::article::Article;
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::{Found, Status, Via};
use crate::domain::target::Address;
use crate::store::links::{LinkFilter, LinkOrder, LinkPage};

/// Links that articles' buttons make in a day of the newsroom, all together.
const BUTTONS_A_DAY: usize = 1_000;

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
        // Whoever guesses a secret address is not told that they did.
        links.retain(|found| !found.link.is_hidden_from(viewer, now));
        if let Some(article) = &article {
            address.target = self.led(&address, article).1.to_owned();
        }
        Ok(Lookup { address, article, links })
    }

    /// The short URL of the article at this address, for anybody. `today` is when the newsroom's day began.
    ///
    /// # Errors
    /// `unknown_article`, `host_not_allowed`, `rate_limited`, and those of an address.
    pub async fn short_url(&self, url: &str, today: Timestamp, now: Timestamp) -> Result<Found> {
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
        // Its place is kept until the link is made, so that what making it reads is bounded too.
        let _place = match pages.reader.public(&page, Instant::now().into_std()).await {
            Public::Named(place) => place,
            Public::Nothing => return Err(unknown().into()),
            Public::Busy => {
                let detail = "too many short URLs are being made; ask again";
                return Err(Refusal::new(Reason::RateLimited, detail).into());
            }
        };
        self.may_button_make(today, now).await?;
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

    /// Refuses a link that would be one too many of those that buttons made today, on all nodes.
    async fn may_button_make(&self, today: Timestamp, now: Timestamp) -> Result<()> {
        let page = LinkPage {
            filter: LinkFilter { via: Some(Via::Button), from: Some(today), ..LinkFilter::default() },
            order: LinkOrder::Created,
            descending: true,
            after: None,
            limit: BUTTONS_A_DAY,
        };
        if self.within(self.store().list(page, now)).await?.len() < BUTTONS_A_DAY {
            return Ok(());
        }
        let detail = "enough short URLs were made by buttons today";
        Err(Refusal::new(Reason::RateLimited, detail).into())
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

fn unknown() -> Refusal {
    Refusal::new(Reason::UnknownArticle, "there is no short URL for this address")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::links::codes::{Drawer, Settings as CodeSettings};
    use crate::store::cache::Cache;
    use crate::store::conformance::{ask, at, run};
    use crate::store::links::NewLink;

    #[test]
    fn buttons_make_so_many_links_a_day_whoever_counts() {
        run(async {
            let dir = tempfile::tempdir().unwrap();
            let page_cache = crate::units::Size(1 << 20);
            let kind = crate::store::settings::Kind::Sqlite;
            let settings =
                crate::store::Settings { kind, lanes: 1, readers: 1, page_cache, redis: Default::default() };
            let store = crate::store::open(dir.path(), &settings, at(0), "UTC").await.unwrap();
            let second = Duration::from_secs(5);
            let cache = Arc::new(Cache::new(Arc::clone(&store.links), 1, 1 << 20, second, second));
            let codes = CodeSettings { alphabet: "bcdfghjkmnpqrstvwxz23456789".into(), length: 7 };
            // Another process, or one that began anew, counts the same.
            let service = || {
                let (links, cache) = (Arc::clone(&store.links), Arc::clone(&cache));
                LinkService::new(
                    links,
                    cache,
                    crate::domain::target::Rules::default(),
                    Drawer::new(&codes),
                    second,
                )
            };
            let most = u64::try_from(BUTTONS_A_DAY).unwrap();
            let new = |n: u64, via: Via, when: i64| -> NewLink {
                let mut new = ask(n, &format!("a{n}"), &[&format!("b{n}")]);
                (new.link.via, new.link.created_at) = (via, at(when));
                new
            };
            let mut links = vec![new(1, Via::Button, -1), new(2, Via::Api, 1)];
            links.extend((3..most + 2).map(|n| new(n, Via::Button, 1)));
            store.links.create(links, at(1)).await.unwrap();
            assert!(service().may_button_make(at(0), at(2)).await.is_ok(), "one less than may be");
            store.links.create(vec![new(most + 2, Via::Button, 1)], at(1)).await.unwrap();
            let Err(crate::links::Error::Refused(refusal)) = service().may_button_make(at(0), at(2)).await
            else {
                panic!("it is one too many")
            };
            assert_eq!(refusal.reason, Reason::RateLimited);
            assert!(service().may_button_make(at(2), at(2)).await.is_ok(), "another day");
            store.close().await.unwrap();
        });
    }
}
