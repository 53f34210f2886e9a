//! Get or create: the same story, channel, campaign and target give the same link.
//!
//! Guarantees that a link which is found is not changed, that what the request would have changed is named, that an
//! embargo or expiry which differs is never silently dropped (409 `conflict`), and that a withdrawn story gets no new
//! link (409 `withdrawn`).

use jiff::Timestamp;

use super::codes::Entropy;
use super::editable::Editable;
use super::request::NewLink as Request;
use super::stories::{Met, address_of, adds_nothing};
use super::{Error, LinkService, Result, is_secret_story};
use crate::domain::access::{Actor, Role};
use crate::domain::article::{Article, ArticleFacts, ArticleId, PageOutcome, PageState};
use crate::domain::code::{Code, Codes};
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::{Found, Link, Via};
use crate::domain::target::{Address, with_added};
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

/// A request that passed its checks.
struct Draft {
    request: Request,
    address: Option<Address>,
    expired_url: Option<String>,
    code: Option<Code>,
    /// Which part of the client's request this is: all randomness of it is derived from it.
    item: usize,
}

/// A request that waits for the store.
struct Prepared {
    draft: Draft,
    new: NewLink,
}

impl Prepared {
    /// What the store is asked. Codes are asked for once: there may be hundreds, and none is copied.
    fn ask(&mut self) -> NewLink {
        let code = std::mem::replace(&mut self.new.code, NewCode::Drawn(Codes::default()));
        NewLink { code, ..self.new.clone() }
    }
}

/// Who asks, how, and when.
#[derive(Clone, Copy)]
struct Asked<'a> {
    actor: &'a Actor,
    via: Via,
    entropy: &'a Entropy,
    now: Timestamp,
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
        let made = self.create_all(parts, Asked { actor, via, entropy, now }).await?;
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
        let mut made = self.create_all(good, Asked { actor, via, entropy, now }).await?.into_iter();
        let filled = results.into_iter().filter_map(|r| r.or_else(|| made.next()));
        Ok(filled.collect())
    }

    async fn create_all(
        &self,
        requests: Vec<Request>,
        asked: Asked<'_>,
    ) -> Result<Vec<std::result::Result<Made, Refusal>>> {
        asked.actor.require(Role::Creator)?;
        let links = self.within(self.store.count()).await?;
        let mut results: Vec<Option<std::result::Result<Made, Refusal>>> = vec![];
        let mut drafts = vec![];
        for (item, request) in requests.into_iter().enumerate() {
            match self.draft(request, item) {
                Ok(draft) => {
                    drafts.push(draft);
                    results.push(None);
                }
                Err(refusal) => results.push(Some(Err(refusal))),
            }
        }
        let met = self.meet(drafts.iter().filter_map(|draft| draft.address.as_ref())).await?;
        let mut waiting = vec![];
        for draft in drafts {
            let item = draft.item;
            let known = draft.address.as_ref().and_then(|address| met.get(&address.article));
            match self.prepare(draft, known, asked, links).await {
                Ok(prepared) => waiting.push(prepared),
                Err(Error::Refused(refusal)) => results[item] = Some(Err(refusal)),
                Err(error) => return Err(error),
            }
            // A store of many lanes wants hundreds of codes for each; others are not kept waiting for all of them.
            tokio::task::yield_now().await;
        }
        for longer in 1..=DRAWS {
            if waiting.is_empty() {
                break;
            }
            let new = waiting.iter_mut().map(Prepared::ask).collect();
            let outcomes = self.within(self.store.create(new, asked.now)).await?;
            let mut again = vec![];
            for (mut prepared, outcome) in waiting.into_iter().zip(outcomes) {
                let item = prepared.draft.item;
                match self.outcome(&prepared, outcome) {
                    Some(result) => results[item] = Some(result),
                    None => {
                        let bytes = asked.entropy.bytes("longer code", item * DRAWS + longer);
                        let wanted = self.store.wanted_codes();
                        prepared.new.code = NewCode::Drawn(self.drawer.codes(bytes, wanted, links, longer));
                        again.push(prepared);
                    }
                }
            }
            waiting = again;
        }
        if !waiting.is_empty() {
            return Err(Error::Store(crate::store::Error::Corrupt("no free code could be drawn".into())));
        }
        let results: Vec<std::result::Result<Made, Refusal>> = results.into_iter().flatten().collect();
        let made = results.iter().flatten().filter(|made| made.created).map(|made| &made.found);
        self.tell_created(made, &asked.actor.name, asked.now).await;
        Ok(results)
    }

    /// Checks what needs nothing but the rules.
    fn draft(&self, request: Request, item: usize) -> std::result::Result<Draft, Refusal> {
        let rules = self.rules();
        let keep = request.keep_params.unwrap_or(false);
        let code = request.code.as_deref().map(Code::for_new_link).transpose()?;
        let address = request.url.as_deref().map(|url| rules.address(url, keep, "url")).transpose()?;
        let expired_url =
            request.expired_url.as_deref().map(|u| rules.plain(u, "expired_url")).transpose()?;
        Ok(Draft { request, address, expired_url, code, item })
    }

    async fn prepare(
        &self,
        draft: Draft,
        known: Option<&Met>,
        asked: Asked<'_>,
        links: u64,
    ) -> Result<Prepared> {
        let Asked { entropy, now, .. } = asked;
        let code = match &draft.code {
            Some(code) => NewCode::Chosen(code.clone()),
            None => {
                let wanted = self.store.wanted_codes();
                NewCode::Drawn(self.drawer.codes(entropy.bytes("code", draft.item), wanted, links, 0))
            }
        };
        let mut link = new_link(&draft, asked)?;
        let mut article = None;
        if let Some(address) = &draft.address {
            let new_id = self.drawer.article_id(entropy.bytes("article", draft.item));
            let mut claim = claim(address, new_id, &draft.request);
            let unknown = Met::default();
            let met = known.unwrap_or(&unknown);
            met.tell(&mut claim, link.not_before, now);
            self.settle_address(&mut claim, address, met);
            link.added = self.added(link.channel.as_deref(), address);
            let story = self.settle_names(&mut claim, met, asked.actor, now).await?;
            let own = self.lead(&mut link, &claim, address, story.as_deref());
            if let Some(story) = story {
                self.refuse_new(&story, &link, &draft.request, (own, asked.actor), now).await?;
                self.read_at(&story, &mut claim, link.not_before);
            }
            article = Some(claim);
        }
        let force_new = draft.request.force_new.unwrap_or(false);
        let new = NewLink { tag: entropy.tag(draft.item), code, article, link, force_new };
        Ok(Prepared { draft, new })
    }

    /// Says where a link leads: with its story, or to an address of its own. True if with its story.
    fn lead(
        &self,
        link: &mut Link,
        claim: &ArticleClaim,
        address: &Address,
        story: Option<&Article>,
    ) -> bool {
        let story = story.cloned().unwrap_or_else(|| claim.story(link.created_at));
        let (own, target) = self.as_led(link.added.as_deref(), address, &story);
        (link.follows_article, link.target) = (own, Some(target));
        own
    }

    /// What a channel adds to a target there.
    pub(super) fn added(&self, channel: Option<&str>, address: &Address) -> Option<String> {
        self.channels().query(channel.filter(|_| address.allowed)?)
    }

    /// Where an address of a story leads a link: with the story (then true), or to itself.
    pub(super) fn as_led(&self, added: Option<&str>, address: &Address, story: &Article) -> (bool, String) {
        let (own, to) = self.led(address, story);
        (own, with_added(to, added))
    }

    /// The same where nothing is added.
    pub(super) fn led<'a>(&self, address: &'a Address, story: &'a Article) -> (bool, &'a str) {
        let own = match address.allowed {
            true => adds_nothing(&self.rules().canon, &address.target, &story.url),
            false => address.article == address.target,
        };
        (own, if own { story.address() } else { &address.target })
    }

    /// Says which spelling of a new story's address readers are led to: the one that was pasted, or where its page was
    /// found.
    pub(super) fn settle_address(&self, claim: &mut ArticleClaim, address: &Address, met: &Met) {
        let found = met.reading.as_ref().map(|reading| reading.at.as_str());
        let spellings = std::iter::once(address.target.as_str()).chain(found).filter(|_| address.allowed);
        claim.address = address_of(&self.rules().canon, &claim.url, spellings);
    }

    /// Has the page of a story that could not be read looked at again when a link of it opens.
    fn read_at(&self, story: &Article, claim: &mut ArticleClaim, opens: Option<Timestamp>) {
        let unread = story.read.outcome != PageOutcome::Read && claim.read.is_none() && self.reads_pages();
        if let Some(opens) = opens.filter(|_| unread) {
            let due = story.read.due.map_or(opens, |due| due.min(opens));
            claim.read = Some(PageState { due: Some(due), ..story.read });
        }
    }

    /// Refuses a new link of a story that is withdrawn, or that others keep secret still; the one that there is already
    /// is no new one.
    async fn refuse_new(
        &self,
        story: &Article,
        link: &Link,
        request: &Request,
        (own, actor): (bool, &Actor),
        now: Timestamp,
    ) -> Result<()> {
        let there = self.links_of(&story.id, now).await?;
        let secret = is_secret_story(&there, actor, now);
        if !story.withdrawn && !secret {
            return Ok(());
        }
        let is_it = |found: &Found| match &request.code {
            Some(code) => found.link.code.as_str().eq_ignore_ascii_case(code),
            None => {
                let slot =
                    Link { article: Some(story.id.clone()), follows_article: own, ..link.clone() }.slot();
                found.link.retired_at.is_none() && found.link.slot() == slot
            }
        };
        if request.force_new != Some(true) && there.iter().any(is_it) {
            return Ok(());
        }
        if story.withdrawn {
            let detail = "the story is withdrawn; it gets no new link";
            return Err(Refusal::field(Reason::Withdrawn, "url", detail).into());
        }
        let detail =
            "a link of this story is confidential until it opens; its maker or an admin may make others";
        let refusal = Refusal::field(Reason::Conflict, "url", detail);
        let hidden = there.into_iter().find(|found| found.link.is_hidden_from(actor, now));
        Err(hidden.map_or(refusal.clone(), |found| refusal.with_link(found)).into())
    }

    /// None asks for another draw.
    fn outcome(&self, prepared: &Prepared, outcome: Creation) -> Option<std::result::Result<Made, Refusal>> {
        let dropped = prepared.draft.address.as_ref().map(|a| a.dropped.clone()).unwrap_or_default();
        match outcome {
            Creation::NoneFree => None,
            Creation::Created(found) => {
                self.changed(&found);
                let ignored = ignored_id(prepared, &found).into_iter().collect();
                Some(Ok(Made { found, created: true, ignored, dropped }))
            }
            Creation::Taken(found) => {
                let detail = format!("the code \"{}\" leads elsewhere already", found.link.code);
                Some(Err(Refusal::field(Reason::CodeTaken, "code", detail).with_link(found)))
            }
            Creation::Existing(found) => {
                Some(match conflicting(&prepared.draft.request, &prepared.new.link, &found.link) {
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
        ("confidential", asked.confidential.is_some() && wanted.confidential != there.confidential),
    ];
    differs.into_iter().find(|(_, differs)| *differs).map(|(field, _)| field)
}

/// Fields that were given and that the link has otherwise.
fn ignored(prepared: &Prepared, found: &Found) -> Vec<&'static str> {
    let (asked, wanted, there) =
        (&prepared.draft.request, Editable::of(&prepared.new.link), Editable::of(&found.link));
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
    let differs = differs.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field);
    differs.chain(ignored_id(prepared, found)).collect()
}

/// `cms_id`, if the story has another, which stays.
fn ignored_id(prepared: &Prepared, found: &Found) -> Option<&'static str> {
    let asked = prepared.draft.request.cms_id.as_ref()?;
    let dropped = prepared.new.article.as_ref().is_some_and(|claim| claim.cms_id.is_none());
    let has = found.article.as_ref().and_then(|article| article.cms_id.as_ref());
    (dropped && has != Some(asked)).then_some("cms_id")
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

/// The link that a request asks for, before it has a code and a story.
fn new_link(draft: &Draft, asked: Asked<'_>) -> std::result::Result<Link, Refusal> {
    let request = &draft.request;
    Ok(Link {
        // The store puts the real one in its place; this one only has to be a code.
        code: Code::parse("new")?,
        target: None,
        target_version: 1,
        article: None,
        follows_article: false,
        added: None,
        title: request.title.clone(),
        channel: request.channel.clone(),
        campaign: request.campaign.clone(),
        tags: request.tags.clone().unwrap_or_default(),
        note: request.note.clone(),
        not_before: request.not_before.map(to_millisecond),
        expires_at: request.expires_at.map(to_millisecond),
        expired_url: draft.expired_url.clone(),
        message: None,
        redirect_status: request.redirect_status.unwrap_or(302),
        forward_query: request.forward_query.unwrap_or(false),
        confidential: request.confidential.unwrap_or(false),
        broken: None,
        disabled: false,
        retired_at: None,
        created_at: asked.now,
        created_by: asked.actor.name.clone(),
        via: asked.via,
        updated_at: asked.now,
        version: 1,
    })
}

/// Whose story an address is, as far as the request says.
pub(super) fn claim(address: &Address, new_id: ArticleId, request: &Request) -> ArticleClaim {
    ArticleClaim {
        new_id,
        url: address.article.clone(),
        address: None,
        site: address.site.clone(),
        cms_id: request.cms_id.clone(),
        aliases: vec![],
        facts: request.article.clone().unwrap_or_default(),
        page: None,
        read: None,
    }
}
