//! The record of an article: what is known of it, which code has which of its slots, and which aliases it has room for.
//!
//! Guarantees that a slot is in it at most once, and an alias. Whether the link that a slot names still has it is not known here.

use serde::{Deserialize, Serialize};

use super::Name;
use super::wire::{WireId, decode, encode, ms, time};
use crate::domain::article::{Article, ArticleId, MAX_ALIASES, Note, PageOutcome, PageState, Said};
use crate::domain::code::Code;
use crate::domain::link::{Slot, SlotTarget};
use crate::store::links::RequestTag;
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
    /// The requests of its last edits, oldest first.
    pub write_tags: Vec<RequestTag>,
}

impl Story {
    /// A story that has nothing yet.
    #[must_use]
    pub fn new(article: Article) -> Story {
        Story { article, slots: vec![], aliases: vec![], write_tags: vec![] }
    }

    /// Notes an alias whether there is room for it or not: what staff give it, or what was kept before. True if it is
    /// new.
    pub fn note(&mut self, alias: &Name) -> bool {
        let spelling = spelling(alias);
        let new = !self.aliases.contains(&spelling);
        if new {
            self.aliases.push(spelling);
        }
        new
    }

    /// Lets an alias go. True if it had it.
    pub fn release(&mut self, alias: &Name) -> bool {
        let (spelling, before) = (spelling(alias), self.aliases.len());
        self.aliases.retain(|one| *one != spelling);
        self.aliases.len() != before
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
            parts: parts(self),
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
        let site = host(&url).to_owned();
        let slots = wire.slots.into_iter().map(slot).collect::<Result<_>>()?;
        let mut story = Story { slots, ..Story::new(Article::new(id.clone(), url, site, created_at)) };
        let mut said = None;
        wire.parts.into_iter().try_for_each(|part| add(&mut story, &mut said, part))?;
        story.article.said = said.unwrap_or_else(|| Said::known(&story.article.facts));
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
    Description(String),
    ModifiedAt(i64),
    /// Bits of [`Said`], unless it is all that is known.
    Said(u16),
    Withdrawn,
    ReplacementUrl(String),
    Message(String),
    MergedInto(WireId),
    Read {
        outcome: u8,
        at_ms: Option<i64>,
        failures: u32,
        due_ms: Option<i64>,
    },
    WriteTags(Vec<[u8; 8]>),
    /// The spelling that readers are led to, if it is not the address.
    Address(String),
    /// When, what, whose.
    Notes(Vec<(i64, String, String)>),
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

fn parts(story: &Story) -> Vec<Part> {
    let Story { article, aliases, write_tags, .. } = story;
    let (facts, read) = (&article.facts, &article.read);
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
        text(&facts.description, Part::Description),
        facts.modified_at.map(|at| Part::ModifiedAt(ms(at))),
        (article.said != Said::known(facts)).then(|| Part::Said(article.said.bits())),
        article.withdrawn.then_some(Part::Withdrawn),
        text(&article.replacement_url, Part::ReplacementUrl),
        text(&article.message, Part::Message),
        article.merged_into.as_ref().map(|id| Part::MergedInto(WireId::new(id))),
        (*read != PageState::default()).then(|| Part::Read {
            outcome: read.outcome.number(),
            at_ms: read.at.map(ms),
            failures: read.failures,
            due_ms: read.due.map(ms),
        }),
        (!write_tags.is_empty())
            .then(|| Part::WriteTags(write_tags.iter().map(|tag| tag.to_le_bytes()).collect())),
        text(&article.address, Part::Address),
        (!article.notes.is_empty()).then(|| {
            let note = |note: &Note| (ms(note.at), note.text.clone(), note.by.clone());
            Part::Notes(article.notes.iter().map(note).collect())
        }),
    ];
    parts.into_iter().flatten().collect()
}

fn add(story: &mut Story, said: &mut Option<Said>, part: Part) -> Result<()> {
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
        Part::Description(text) => facts.description = Some(text),
        Part::ModifiedAt(at) => facts.modified_at = Some(time(at)?),
        Part::Said(bits) => *said = Some(Said::from_bits(bits)),
        Part::Withdrawn => article.withdrawn = true,
        Part::ReplacementUrl(text) => article.replacement_url = Some(text),
        Part::Message(text) => article.message = Some(text),
        Part::MergedInto(id) => article.merged_into = Some(id.id()),
        Part::Read { outcome, at_ms, failures, due_ms } => {
            let corrupt = || Error::Corrupt(format!("what came of reading a page is {outcome}"));
            article.read = PageState {
                outcome: PageOutcome::from_number(outcome).ok_or_else(corrupt)?,
                at: at_ms.map(time).transpose()?,
                failures,
                due: due_ms.map(time).transpose()?,
            };
        }
        Part::Address(url) => article.address = Some(url),
        Part::Notes(notes) => {
            let note = |(at, text, by)| Ok(Note { at: time(at)?, text, by });
            article.notes = notes.into_iter().map(note).collect::<Result<_>>()?;
        }
        Part::WriteTags(tags) => story.write_tags = tags.into_iter().map(u64::from_le_bytes).collect(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::article::{ArticleFacts, Fact};

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn code(text: &str) -> Code {
        Code::parse(text).unwrap()
    }

    fn bare(url: &str) -> Story {
        let id = ArticleId("a1".into());
        Story::new(Article::new(id, url.into(), host(url).into(), at(1_795_000_000_000)))
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
            description: Some("d".into()),
            section: Some("s".into()),
            authors: vec!["a".into(), "b".into()],
            published_at: Some(at(-1)),
            modified_at: Some(at(-2)),
            image: Some("i".into()),
            language: Some("de".into()),
        };
        (story.article.version, story.article.updated_at) = (9, at(5));
        story.article.said = [Fact::Image, Fact::Title].into_iter().collect();
        story.article.withdrawn = true;
        story.article.replacement_url = Some("https://r.example/".into());
        story.article.message = Some("m".into());
        story.article.merged_into = Some(ArticleId("abcdfghjkmnpq".into()));
        story.article.read =
            PageState { outcome: PageOutcome::Gone, at: Some(at(6)), failures: 3, due: Some(at(7)) };
        story.article.notes = vec![Note { at: at(8), text: "push".into(), by: "user:Ana".into() }];
        story.write_tags = vec![1, u64::MAX];
        story.name(&slot_on(Some("x"), SlotTarget::Own), &code("One"));
        story.name(&slot_on(None, SlotTarget::Other("https://o.example/".into())), &code("two"));
        let raw = story.write().unwrap();
        assert_eq!(Story::read(&story.article.id, &raw).unwrap(), Some(story));
        assert_eq!(Story::read(&ArticleId("a1".into()), b"").unwrap(), None);
    }

    #[test]
    fn what_older_programs_kept_was_said() {
        let mut story = bare("https://news.example.com/a");
        story.article.facts.title = Some("t".into());
        story.article.said = Said::known(&story.article.facts);
        let kept = story.write().unwrap();
        // Pinned: the parts that an older program wrote, and none of what came later.
        assert_eq!(&kept[kept.len() - 3..], [2, 1, b't'], "{kept:?}");
        assert_eq!(Story::read(&story.article.id, &kept).unwrap().as_ref(), Some(&story));
        story.article.said = Said::default();
        let kept = story.write().unwrap();
        assert_eq!(Story::read(&story.article.id, &kept).unwrap(), Some(story));
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
