//! The record of an article: what is known of it, which code has which of its slots, and which aliases it has room for.
//!
//! Guarantees that a slot is in it at most once, and an alias. Whether the link that a slot names still has it is not known here.

use serde::{Deserialize, Serialize};

use super::Name;
use super::wire::{decode, encode, ms, time};
use crate::domain::article::{Article, ArticleFacts, ArticleId, MAX_ALIASES};
use crate::domain::code::Code;
use crate::domain::link::{Slot, SlotTarget};
use crate::store::mirror::SlotOf;
use crate::store::{Error, Result};

/// Slots that an article remembers. Of more, the one taken first is forgotten, and who asks for it again gets a new
/// link; but never the plain one (no channel, no campaign, its own address).
const MAX_SLOTS: usize = 4_096;

/// What is left of an alias's name: enough to know it again among an article's.
pub type Spelling = [u8; SPELLING];
const SPELLING: usize = 8;

/// Whether an article takes an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It has taken it before.
    Before,
    /// It takes it now.
    Now,
    /// It has [`MAX_ALIASES`] others.
    Not,
}

/// An article with its slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The article.
    pub article: Article,
    /// Who has its slots, in the order in which they were first taken.
    pub slots: Vec<SlotOf>,
    /// Which aliases it has besides its own address and CMS id, or will have: they are noted here before they are made.
    pub aliases: Vec<Spelling>,
}

impl Story {
    /// A story that has nothing yet.
    #[must_use]
    pub fn new(article: Article) -> Story {
        Story { article, slots: vec![], aliases: vec![] }
    }

    /// Notes an alias, if there is room for it.
    pub fn admit(&mut self, alias: &Name) -> Admitted {
        let spelling = spelling(alias);
        if self.aliases.contains(&spelling) {
            return Admitted::Before;
        }
        if self.aliases.len() >= MAX_ALIASES {
            return Admitted::Not;
        }
        self.aliases.push(spelling);
        Admitted::Now
    }

    /// The code that a slot names.
    #[must_use]
    pub fn named(&self, slot: &Slot) -> Option<&Code> {
        self.slots.iter().find(|of| is(of, slot)).map(|of| &of.code)
    }

    /// Lets a slot name this code.
    pub fn name(&mut self, slot: &Slot, code: &Code) {
        if let Some(of) = self.slots.iter_mut().find(|of| is(of, slot)) {
            of.code = code.clone();
            return;
        }
        if self.slots.len() >= MAX_SLOTS
            && let Some(oldest) = self.slots.iter().position(|of| !is_plain(of))
        {
            self.slots.remove(oldest);
        }
        self.slots.push(SlotOf {
            channel: slot.channel.clone(),
            campaign: slot.campaign.clone(),
            target: slot.target.clone(),
            code: code.clone(),
        });
    }

    /// Frees a slot if it names this code.
    pub fn leave(&mut self, slot: &Slot, code: &Code) {
        self.slots.retain(|of| !(is(of, slot) && of.code == *code));
    }

    /// The record.
    ///
    /// # Errors
    /// None that an article can have.
    pub fn write(&self) -> Result<Vec<u8>> {
        let article = &self.article;
        let wire = WireArticle {
            url: match article.url.strip_prefix(HTTPS) {
                Some(rest) => WireUrl::Https(rest.to_owned()),
                None => WireUrl::Other(article.url.clone()),
            },
            created_ms: ms(article.created_at),
            slots: self.slots.iter().map(wire_slot).collect(),
            parts: parts(article, &self.aliases),
        };
        encode(&wire)
    }

    /// The story of a record; None if there is none.
    ///
    /// # Errors
    /// `Corrupt` for bytes that are no article's.
    pub fn read(id: &ArticleId, raw: &[u8]) -> Result<Option<Story>> {
        if raw.is_empty() {
            return Ok(None);
        }
        let wire: WireArticle = decode("an article's record", raw)?;
        let url = match wire.url {
            WireUrl::Https(rest) => format!("{HTTPS}{rest}"),
            WireUrl::Other(url) => url,
        };
        let created_at = time(wire.created_ms)?;
        let article = Article {
            id: id.clone(),
            cms_id: None,
            site: host(&url).to_owned(),
            url,
            facts: ArticleFacts::default(),
            created_at,
            updated_at: created_at,
            version: 1,
        };
        let slots = wire.slots.into_iter().map(slot).collect::<Result<_>>()?;
        let mut story = Story { slots, ..Story::new(article) };
        wire.parts.into_iter().try_for_each(|part| add(&mut story, part))?;
        Ok(Some(story))
    }
}

const HTTPS: &str = "https://";

#[derive(Serialize, Deserialize)]
struct WireArticle {
    url: WireUrl,
    created_ms: i64,
    slots: Vec<WireSlot>,
    parts: Vec<Part>,
}

#[derive(Serialize, Deserialize)]
enum WireUrl {
    Https(String),
    Other(String),
}

#[derive(Serialize, Deserialize)]
enum WireSlot {
    /// No channel, no campaign, the article's own address.
    Plain(String),
    /// `target` is None for the article's own address.
    Any { channel: Option<String>, campaign: Option<String>, target: Option<String>, code: String },
}

/// What not every article has. New parts are added at the end.
#[derive(Serialize, Deserialize)]
enum Part {
    CmsId(String),
    /// The site, if it is not the host of the address.
    Site(String),
    Title(String),
    Section(String),
    Authors(Vec<String>),
    PublishedAt(i64),
    Image(String),
    Language(String),
    /// Since it was made.
    Changed {
        version: u64,
        updated_ms: i64,
    },
    /// Those of [`Story::aliases`], one after the other.
    Aliases(Vec<u8>),
}

fn is(of: &SlotOf, slot: &Slot) -> bool {
    (&of.channel, &of.campaign, &of.target) == (&slot.channel, &slot.campaign, &slot.target)
}

fn is_plain(of: &SlotOf) -> bool {
    of.channel.is_none() && of.campaign.is_none() && of.target == SlotTarget::Own
}

/// What is left of an alias's name; of any other record's nothing that could be one's.
fn spelling(alias: &Name) -> Spelling {
    let mut spelling = [0; SPELLING];
    if let Name::Url(hash) | Name::CmsId(hash) = alias {
        spelling.copy_from_slice(&hash[..SPELLING]);
    }
    spelling
}

/// Host and port of an address.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

fn wire_slot(of: &SlotOf) -> WireSlot {
    let code = of.code.to_string();
    let target = match &of.target {
        SlotTarget::Own => None,
        SlotTarget::Other(url) => Some(url.clone()),
    };
    if is_plain(of) {
        return WireSlot::Plain(code);
    }
    WireSlot::Any { channel: of.channel.clone(), campaign: of.campaign.clone(), target, code }
}

fn slot(wire: WireSlot) -> Result<SlotOf> {
    let (channel, campaign, target, code) = match wire {
        WireSlot::Plain(code) => (None, None, None, code),
        WireSlot::Any { channel, campaign, target, code } => (channel, campaign, target, code),
    };
    let code = Code::parse(&code).map_err(|_| Error::Corrupt(format!("a slot's code is \"{code}\"")))?;
    Ok(SlotOf { channel, campaign, target: target.map_or(SlotTarget::Own, SlotTarget::Other), code })
}

fn parts(article: &Article, aliases: &[Spelling]) -> Vec<Part> {
    let facts = &article.facts;
    let text = |value: &Option<String>, part: fn(String) -> Part| value.clone().map(part);
    let changed = article.version != 1 || ms(article.updated_at) != ms(article.created_at);
    let parts = [
        text(&article.cms_id, Part::CmsId),
        (host(&article.url) != article.site).then(|| Part::Site(article.site.clone())),
        text(&facts.title, Part::Title),
        text(&facts.section, Part::Section),
        (!facts.authors.is_empty()).then(|| Part::Authors(facts.authors.clone())),
        facts.published_at.map(|at| Part::PublishedAt(ms(at))),
        text(&facts.image, Part::Image),
        text(&facts.language, Part::Language),
        changed.then(|| Part::Changed { version: article.version, updated_ms: ms(article.updated_at) }),
        (!aliases.is_empty()).then(|| Part::Aliases(aliases.concat())),
    ];
    parts.into_iter().flatten().collect()
}

fn add(story: &mut Story, part: Part) -> Result<()> {
    let article = &mut story.article;
    let facts = &mut article.facts;
    match part {
        Part::CmsId(text) => article.cms_id = Some(text),
        Part::Site(text) => article.site = text,
        Part::Title(text) => facts.title = Some(text),
        Part::Section(text) => facts.section = Some(text),
        Part::Authors(names) => facts.authors = names,
        Part::PublishedAt(at) => facts.published_at = Some(time(at)?),
        Part::Image(text) => facts.image = Some(text),
        Part::Language(text) => facts.language = Some(text),
        Part::Changed { version, updated_ms } => {
            article.version = version;
            article.updated_at = time(updated_ms)?;
        }
        Part::Aliases(bytes) => story.aliases = bytes.as_chunks().0.to_vec(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn code(text: &str) -> Code {
        Code::parse(text).unwrap()
    }

    fn bare(url: &str) -> Story {
        let article = Article {
            id: ArticleId("a1".into()),
            cms_id: None,
            url: url.into(),
            site: host(url).into(),
            facts: ArticleFacts::default(),
            created_at: at(1_795_000_000_000),
            updated_at: at(1_795_000_000_000),
            version: 1,
        };
        Story::new(article)
    }

    fn slot_on(channel: Option<&str>, target: SlotTarget) -> Slot {
        let channel = channel.map(str::to_owned);
        Slot { article: ArticleId("a1".into()), channel, campaign: None, target }
    }

    #[test]
    fn an_ordinary_article_costs_little_more_than_its_address() {
        let url = format!("https://news.example.com/{}", "x".repeat(85));
        let mut story = bare(&url);
        story.name(&slot_on(None, SlotTarget::Own), &code("kx7dw4m"));
        let raw = story.write().unwrap();
        assert!(raw.len() <= url.len() + 13, "{} bytes", raw.len());
        assert_eq!(Story::read(&story.article.id, &raw).unwrap(), Some(story));
    }

    #[test]
    fn aliases_are_bounded_and_known_again() {
        let mut story = bare("https://news.example.com/a");
        let alias = |n: usize| match n % 2 {
            0 => Name::url(&format!("https://news.example.com/{n}")),
            _ => Name::cms_id("news.example.com", &n.to_string()),
        };
        for n in 0..MAX_ALIASES {
            assert_eq!(story.admit(&alias(n)), Admitted::Now);
        }
        let mut again = Story::read(&story.article.id, &story.write().unwrap()).unwrap().unwrap();
        assert_eq!(again, story);
        assert_eq!(again.admit(&alias(7)), Admitted::Before);
        assert_eq!(again.admit(&alias(MAX_ALIASES)), Admitted::Not);
        assert_eq!(again, story);
    }

    #[test]
    fn everything_comes_back() {
        let mut story = bare("http://[::1]:8080?q");
        assert_eq!(story.article.site, "[::1]:8080");
        story.article.site = "elsewhere".into();
        story.article.cms_id = Some("4711".into());
        story.article.facts = ArticleFacts {
            title: Some("t".into()),
            section: Some("s".into()),
            authors: vec!["a".into(), "b".into()],
            published_at: Some(at(-1)),
            image: Some("i".into()),
            language: Some("de".into()),
        };
        (story.article.version, story.article.updated_at) = (9, at(5));
        story.name(&slot_on(Some("x"), SlotTarget::Own), &code("One"));
        story.name(&slot_on(None, SlotTarget::Other("https://o.example/".into())), &code("two"));
        let raw = story.write().unwrap();
        assert_eq!(Story::read(&story.article.id, &raw).unwrap(), Some(story));
        assert_eq!(Story::read(&ArticleId("a1".into()), b"").unwrap(), None);
    }

    #[test]
    fn a_slot_has_one_code() {
        let mut story = bare("https://news.example.com/a");
        let (own, on_x) = (slot_on(None, SlotTarget::Own), slot_on(Some("x"), SlotTarget::Own));
        story.name(&own, &code("one"));
        story.name(&own, &code("two"));
        story.name(&on_x, &code("three"));
        assert_eq!((story.named(&own), story.slots.len()), (Some(&code("two")), 2));
        story.leave(&own, &code("one"));
        assert!(story.named(&own).is_some(), "only who has it can leave it");
        story.leave(&own, &code("two"));
        assert_eq!((story.named(&own), story.named(&on_x)), (None, Some(&code("three"))));
    }

    #[test]
    fn slots_are_bounded() {
        let mut story = bare("https://news.example.com/a");
        let own = slot_on(None, SlotTarget::Own);
        story.name(&own, &code("own"));
        let on = |n: usize| slot_on(Some(&n.to_string()), SlotTarget::Own);
        for n in 0..MAX_SLOTS + 10 {
            story.name(&on(n), &code(&format!("c{n}")));
        }
        assert_eq!(story.slots.len(), MAX_SLOTS);
        assert!(story.named(&own).is_some() && story.named(&on(MAX_SLOTS)).is_some());
        assert!(story.named(&on(10)).is_none() && story.named(&on(11)).is_some());
    }
}
