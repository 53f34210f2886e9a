//! Get or create: the same story, channel, campaign and target give the same link.
//!
//! Guarantees that a link which is found is not changed, that what the request would have changed is named, and
//! that an embargo or expiry which differs is never silently dropped (409 `conflict`).

use jiff::Timestamp;

use super::codes::Entropy;
use super::editable::Editable;
use super::request::NewLink as Request;
use super::{Error, LinkService, Result};
use crate::domain::access::{Actor, Role};
use crate::domain::article::{ArticleFacts, ArticleId};
use crate::domain::code::Code;
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::{Found, Link, Via};
use crate::domain::target::Address;
use crate::store::links::{ArticleClaim, Creation, NewCode, NewLink};

/// Draws before giving up; each is one longer than the one before.
const DRAWS: usize = 4;

/// What came of a request.
#[derive(Clone, Debug)]
pub struct Made {
    /// The link.
    pub found: Found,
    /// True if it was made by this request.
    pub created: bool,
    /// Fields that the request gave and that this link has otherwise.
    pub ignored: Vec<&'static str>,
    /// Names of the parameters that were dropped from the address.
    pub dropped: Vec<String>,
}

/// A request that passed its checks and waits for the store.
struct Prepared {
    request: Request,
    address: Option<Address>,
    new: NewLink,
    /// Which part of the client's request this is: all randomness of it is derived from it.
    item: usize,
}

impl LinkService {
    /// Makes a link, or finds the one there is; one for each of `channels`.
    ///
    /// # Errors
    /// The refusals of `POST /links`.
    pub async fn create(
        &self,
        request: Request,
        actor: &Actor,
        via: Via,
        entropy: &Entropy,
        now: Timestamp,
    ) -> Result<Vec<Made>> {
        let several = request.channels.clone();
        let request = request.check().map_err(Error::Refused)?;
        let parts = match several {
            None => vec![request],
            Some(_) => one_for_each_channel(request),
        };
        let made = self.create_all(parts, actor, via, entropy, now).await?;
        made.into_iter().collect::<std::result::Result<Vec<_>, Refusal>>().map_err(Error::Refused)
    }

    /// Makes or finds each of these links; one bad item fails alone. All that is new is one durable step.
    ///
    /// # Errors
    /// Only what fails for all of them.
    pub async fn create_batch(
        &self,
        requests: Vec<std::result::Result<Request, Refusal>>,
        actor: &Actor,
        via: Via,
        entropy: &Entropy,
        now: Timestamp,
    ) -> Result<Vec<std::result::Result<Made, Refusal>>> {
        actor.require(Role::Creator)?;
        let mut results: Vec<Option<std::result::Result<Made, Refusal>>> = Vec::with_capacity(requests.len());
        let mut good = vec![];
        for request in requests {
            let checked = request.and_then(Request::check).and_then(|r| match r.channels {
                None => Ok(r),
                Some(_) => {
                    let detail = "an item of a batch takes channel, not channels";
                    Err(Refusal::field(Reason::InvalidValue, "channels", detail))
                }
            });
            match checked {
                Ok(request) => {
                    good.push(request);
                    results.push(None);
                }
                Err(refusal) => results.push(Some(Err(refusal))),
            }
        }
        let mut made = self.create_all(good, actor, via, entropy, now).await?.into_iter();
        let filled = results.into_iter().filter_map(|r| r.or_else(|| made.next()));
        Ok(filled.collect())
    }

    async fn create_all(
        &self,
        requests: Vec<Request>,
        actor: &Actor,
        via: Via,
        entropy: &Entropy,
        now: Timestamp,
    ) -> Result<Vec<std::result::Result<Made, Refusal>>> {
        actor.require(Role::Creator)?;
        let links = self.within(self.store.count()).await?;
        let mut results: Vec<Option<std::result::Result<Made, Refusal>>> = vec![];
        let mut waiting = vec![];
        for (item, request) in requests.into_iter().enumerate() {
            match self.prepare(request, actor, via, entropy, item, links, now) {
                Ok(prepared) => {
                    waiting.push(prepared);
                    results.push(None);
                }
                Err(refusal) => results.push(Some(Err(refusal))),
            }
            // A store of many lanes wants hundreds of codes for each; others are not kept waiting for all of them.
            tokio::task::yield_now().await;
        }
        for longer in 1..=DRAWS {
            if waiting.is_empty() {
                break;
            }
            let new = waiting.iter().map(|p| p.new.clone()).collect();
            let outcomes = self.within(self.store.create(new, now)).await?;
            let mut again = vec![];
            for (mut prepared, outcome) in waiting.into_iter().zip(outcomes) {
                let item = prepared.item;
                match self.outcome(&prepared, outcome) {
                    Some(result) => results[item] = Some(result),
                    None => {
                        let bytes = entropy.bytes("longer code", item * DRAWS + longer);
                        prepared.new.code = NewCode::Drawn(self.drawer.codes(
                            bytes,
                            self.store.wanted_codes(),
                            links,
                            longer,
                        ));
                        again.push(prepared);
                    }
                }
            }
            waiting = again;
        }
        if !waiting.is_empty() {
            return Err(Error::Store(crate::store::Error::Corrupt("no free code could be drawn".into())));
        }
        Ok(results.into_iter().flatten().collect())
    }

    #[allow(clippy::too_many_arguments, reason = "each is a different fact of one request")]
    fn prepare(
        &self,
        request: Request,
        actor: &Actor,
        via: Via,
        entropy: &Entropy,
        item: usize,
        links: u64,
        now: Timestamp,
    ) -> std::result::Result<Prepared, Refusal> {
        let code = match &request.code {
            Some(code) => NewCode::Chosen(Code::for_new_link(code)?),
            None => {
                let wanted = self.store.wanted_codes();
                NewCode::Drawn(self.drawer.codes(entropy.bytes("code", item), wanted, links, 0))
            }
        };
        let rules = self.rules();
        let keep = request.keep_params.unwrap_or(false);
        let address = request.url.as_deref().map(|url| rules.address(url, keep, "url")).transpose()?;
        let expired_url =
            request.expired_url.as_deref().map(|u| rules.plain(u, "expired_url")).transpose()?;
        let article = address.as_ref().map(|address| ArticleClaim {
            new_id: self.drawer.article_id(entropy.bytes("article", item)),
            url: address.article.clone(),
            site: address.site.clone(),
            cms_id: request.cms_id.clone(),
            aliases: vec![],
            page: None,
            read: None,
            facts: request.article.clone().unwrap_or_default(),
        });
        let link = Link {
            // The store puts the real one in its place; this one only has to be a code.
            code: Code::parse("new")?,
            target: address.as_ref().map(|a| a.target.clone()),
            target_version: 1,
            article: None,
            follows_article: false,
            title: request.title.clone(),
            channel: request.channel.clone(),
            campaign: request.campaign.clone(),
            tags: request.tags.clone().unwrap_or_default(),
            note: request.note.clone(),
            not_before: request.not_before.map(to_millisecond),
            expires_at: request.expires_at.map(to_millisecond),
            expired_url,
            message: None,
            redirect_status: request.redirect_status.unwrap_or(302),
            forward_query: request.forward_query.unwrap_or(false),
            confidential: false,
            disabled: false,
            broken: None,
            retired_at: None,
            created_at: now,
            created_by: actor.name.clone(),
            via,
            updated_at: now,
            version: 1,
        };
        let force_new = request.force_new.unwrap_or(false);
        let new = NewLink { tag: entropy.tag(item), code, article, link, force_new };
        Ok(Prepared { request, address, new, item })
    }

    /// None asks for another draw.
    fn outcome(&self, prepared: &Prepared, outcome: Creation) -> Option<std::result::Result<Made, Refusal>> {
        let dropped = prepared.address.as_ref().map(|a| a.dropped.clone()).unwrap_or_default();
        match outcome {
            Creation::NoneFree => None,
            Creation::Created(found) => {
                self.changed(&found);
                Some(Ok(Made { found, created: true, ignored: vec![], dropped }))
            }
            Creation::Taken(found) => {
                let detail = format!("the code \"{}\" leads elsewhere already", found.link.code);
                Some(Err(Refusal::field(Reason::CodeTaken, "code", detail).with_link(found)))
            }
            Creation::Existing(found) => {
                Some(match conflicting(&prepared.request, &prepared.new.link, &found.link) {
                    Some(field) => {
                        let detail = "there is a link for this already, and it has another value";
                        Err(Refusal::field(Reason::Conflict, field, detail).with_link(found))
                    }
                    None => {
                        let ignored = ignored(prepared, &found);
                        Ok(Made { found, created: false, ignored, dropped })
                    }
                })
            }
        }
    }
}

fn one_for_each_channel(request: Request) -> Vec<Request> {
    let channels = request.channels.clone().unwrap_or_default();
    let part = |channel| Request { channel: Some(channel), channels: None, ..request.clone() };
    channels.into_iter().map(part).collect()
}

/// Times finer than a millisecond do not survive the store.
pub(super) fn to_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// The first field that was given, differs, and must not be dropped silently.
fn conflicting(asked: &Request, wanted: &Link, there: &Link) -> Option<&'static str> {
    let differs = [
        ("not_before", asked.not_before.is_some() && wanted.not_before != there.not_before),
        ("expires_at", asked.expires_at.is_some() && wanted.expires_at != there.expires_at),
        ("expired_url", asked.expired_url.is_some() && wanted.expired_url != there.expired_url),
        (
            "redirect_status",
            asked.redirect_status.is_some() && wanted.redirect_status != there.redirect_status,
        ),
    ];
    differs.into_iter().find(|(_, differs)| *differs).map(|(field, _)| field)
}

/// Fields that were given and that the link has otherwise.
fn ignored(prepared: &Prepared, found: &Found) -> Vec<&'static str> {
    let (asked, wanted, there) =
        (&prepared.request, Editable::of(&prepared.new.link), Editable::of(&found.link));
    let known = found.article.as_ref().map(|a| a.facts.clone()).unwrap_or_default();
    let differs = [
        ("url", wanted.target != there.target),
        ("channel", asked.channel.is_some() && wanted.channel != there.channel),
        ("campaign", asked.campaign.is_some() && wanted.campaign != there.campaign),
        ("title", asked.title.is_some() && wanted.title != there.title),
        ("tags", !wanted.tags.is_empty() && wanted.tags != there.tags),
        ("note", asked.note.is_some() && wanted.note != there.note),
        ("forward_query", asked.forward_query.is_some() && wanted.forward_query != there.forward_query),
        ("article", asked.article.as_ref().is_some_and(|facts| !is_part_of(facts, &known))),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
}

fn is_part_of(given: &ArticleFacts, known: &ArticleFacts) -> bool {
    fn same<T: PartialEq>(given: &Option<T>, known: &Option<T>) -> bool {
        given.is_none() || given == known
    }
    same(&given.title, &known.title)
        && same(&given.section, &known.section)
        && (given.authors.is_empty() || given.authors == known.authors)
        && same(&given.published_at, &known.published_at)
        && same(&given.image, &known.image)
        && same(&given.language, &known.language)
}

/// For a code that was reserved and now gets its first target: whose story that is.
pub(super) fn claim(service: &LinkService, address: &Address, entropy: &Entropy) -> ArticleClaim {
    let new_id: ArticleId = service.drawer.article_id(entropy.bytes("article", 0));
    let (url, site) = (address.article.clone(), address.site.clone());
    let facts = ArticleFacts::default();
    ArticleClaim { new_id, url, site, cms_id: None, aliases: vec![], facts, page: None, read: None }
}
