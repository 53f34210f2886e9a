//! Get or create: which link a request means, and how a new one is made.
//!
//! Guarantees that a slot has one live link, that a code once given is never given again, and that a request which
//! was already answered meets its own link. Each try reads, decides, and writes by comparison with what it read; who
//! finds that another was faster reads and decides again. Where article and link lie in one lane, which is usual,
//! both are one step; else the article comes first, with the slot, and names the code.

use std::sync::Arc;

use jiff::Timestamp;

use super::names::Names;
use super::read::{self, found, links_of};
use super::slots::{Holder, holder, slot_in};
use super::story::told;
use crate::domain::article::Article;
use crate::domain::code::{Code, fold};
use crate::domain::link::{Broken, Found, Link, Slot};
use crate::store::Result;
use crate::store::links::{Creation, NewCode, NewLink, RequestTag};
use crate::store::mirror::Kept;
use crate::store::redis::records::{Committed, Name, Record, Records, Story, Tries, Write, cut, write_links};

/// Codes looked at in one go. The first is free nearly always.
const LOOK: usize = 2;

/// Makes one link, or finds the one that is meant.
pub(super) async fn create(records: &Records, new: &NewLink, now: Timestamp) -> Result<Creation> {
    let (mut tries, now) = (Tries::default(), cut(now));
    loop {
        let tried = attempt(records, &mut tries, new, now).await;
        if let Some(creation) = tries.next(tried).await? {
            return Ok(creation);
        }
    }
}

/// One try; None if another was faster.
async fn attempt(
    records: &Records,
    tries: &mut Tries,
    new: &NewLink,
    now: Timestamp,
) -> Result<Option<Creation>> {
    let seen = Seen::look(records, new).await?;
    match seen.decide(new) {
        Meant::Mine(kept) => {
            if tries.repeated() {
                records.saw(seen.all()).await;
            }
            Ok(Some(Creation::Created(seen.found(records, kept).await?)))
        }
        Meant::There(kept) => seen.existing(records, tries, new, kept, now).await,
        Meant::Taken(kept) => Ok(Some(Creation::Taken(seen.found(records, kept).await?))),
        Meant::NoneFree => Ok(Some(Creation::NoneFree)),
        Meant::New { code, takes_slot } => seen.make(records, tries, new, code, takes_slot, now).await,
    }
}

/// A code with all links of its key.
struct Looked {
    code: Code,
    record: Record,
    links: Vec<Kept>,
}

/// What a try has read.
struct Seen {
    /// The claim's; None for a reserved code.
    names: Option<Names>,
    /// The article's record, and what it says.
    article: Option<(Record, Option<Story>)>,
    /// The codes that were looked at, in the order in which they are taken.
    codes: Vec<Looked>,
    /// Who has the slot, and the record that says so.
    holder: (Holder, Option<Record>),
}

/// What a request means.
enum Meant {
    /// The link that an earlier try of it made.
    Mine(Kept),
    /// This link, which was there.
    There(Kept),
    /// A code that another has.
    Taken(Kept),
    NoneFree,
    /// A new link. `takes_slot` is true if its slot is to name it and does not yet.
    New {
        code: Code,
        takes_slot: bool,
    },
}

impl Seen {
    async fn look(records: &Records, new: &NewLink) -> Result<Seen> {
        let mut names = match &new.article {
            Some(claim) => Some(Names::look(records, claim).await?),
            None => None,
        };
        let (here, elsewhere) = in_order(records, new, names.as_ref());
        let mut some = here.chunks(LOOK).chain(elsewhere.chunks(LOOK)).map(parsed);
        // The article goes with the first codes.
        let mut first = vec![];
        first.extend(names.as_ref().map(|names| Name::Article(names.id.clone())));
        let codes = some.next().unwrap_or_default();
        first.extend(codes.iter().map(of_code));
        let mut records_read = records.read(first).await?.into_iter();
        let mut article = None;
        if let Some(names) = &mut names
            && let Some(record) = records_read.next()
        {
            article = Some(names.settle(records, record).await?);
        }
        let mut looked = look_at(codes, records_read)?;
        while !looked.iter().any(|looked| looked.links.is_empty() || looked.made_by(new.tag).is_some()) {
            let Some(codes) = some.next() else { break };
            let read = records.read(codes.iter().map(of_code).collect()).await?;
            looked.extend(look_at(codes, read)?);
        }
        let holder = holder_of(records, new, article.as_ref().and_then(|(_, story)| story.as_ref())).await?;
        Ok(Seen { names, article, codes: looked, holder })
    }

    fn story(&self) -> Option<&Story> {
        self.article.as_ref().and_then(|(_, story)| story.as_ref())
    }

    fn decide(&self, new: &NewLink) -> Meant {
        if let Some(mine) = self.codes.iter().find_map(|looked| looked.made_by(new.tag)) {
            return Meant::Mine(mine.clone());
        }
        let nobody = matches!(self.holder.0, Holder::Nobody);
        let free = |looked: &&Looked| looked.links.is_empty();
        if let (NewCode::Chosen(code), Some(looked)) = (&new.code, self.codes.first()) {
            return if looked.links.is_empty() {
                Meant::New { code: code.clone(), takes_slot: nobody }
            } else {
                self.held(&looked.links)
            };
        }
        match &self.holder.0 {
            Holder::Link(kept) if !new.force_new => {
                let kept = Kept::clone(kept);
                return if kept.created_tag == Some(new.tag) {
                    Meant::Mine(kept)
                } else {
                    Meant::There(kept)
                };
            }
            Holder::Coming(code) if !new.force_new => {
                return Meant::New { code: code.clone(), takes_slot: false };
            }
            _ => {}
        }
        self.codes
            .iter()
            .find(free)
            .map_or(Meant::NoneFree, |looked| Meant::New { code: looked.code.clone(), takes_slot: nobody })
    }

    /// A chosen code that is there already: the same article's live link is the one that is meant.
    fn held(&self, links: &[Kept]) -> Meant {
        let article = self.story().map(|story| &story.article.id);
        let same = |kept: &&Kept| {
            article.is_some() && kept.link.article.as_ref() == article && kept.link.retired_at.is_none()
        };
        match (links.iter().find(same), links.first()) {
            (Some(kept), _) => Meant::There(kept.clone()),
            (None, Some(oldest)) => Meant::Taken(oldest.clone()),
            (None, None) => Meant::NoneFree,
        }
    }

    /// A link with its article, which mostly is the one that was read.
    async fn found(&self, records: &Records, kept: Kept) -> Result<Found> {
        match self.story() {
            Some(story) if kept.link.article.as_ref() == Some(&story.article.id) => {
                Ok(found(kept.link, Some(&Arc::new(story.article.clone()))))
            }
            _ => read::join_one(records, kept).await,
        }
    }

    /// All records that were found.
    fn all(&self) -> Vec<Record> {
        let article = self.article.iter().map(|(record, _)| record);
        let all = article.chain(self.codes.iter().map(|looked| &looked.record)).chain(&self.holder.1);
        all.filter(|record| !record.raw.is_empty()).cloned().collect()
    }

    /// Answers with a link that was there; what the claim knows of its story is not lost.
    async fn existing(
        self,
        records: &Records,
        tries: &mut Tries,
        new: &NewLink,
        kept: Kept,
        now: Timestamp,
    ) -> Result<Option<Creation>> {
        let story = match (self.names, self.article, &new.article) {
            (Some(names), Some(mut of), Some(claim)) => {
                if !names.secure(records, tries, claim, &mut of).await? {
                    return Ok(None);
                }
                let (record, known) = of;
                let (story, news) = told(&names, claim, known, now);
                let write = if news { vec![record.becomes(story.write()?)] } else { vec![] };
                if records.commit(tries, write).await? == Committed::Lost {
                    return Ok(None);
                }
                Arc::new(story.article)
            }
            _ => return Ok(Some(Creation::Existing(read::join_one(records, kept).await?))),
        };
        Ok(Some(Creation::Existing(found(kept.link, Some(&story)))))
    }

    /// Makes the link, and its story if need be.
    async fn make(
        self,
        records: &Records,
        tries: &mut Tries,
        new: &NewLink,
        code: Code,
        takes_slot: bool,
        now: Timestamp,
    ) -> Result<Option<Creation>> {
        let record = Record { name: of_code(&code), raw: vec![] };
        let (article, write) = match (self.names, self.article, &new.article) {
            (Some(names), Some(mut of), Some(claim)) => {
                if !names.secure(records, tries, claim, &mut of).await? {
                    return Ok(None);
                }
                let (record, known) = of;
                let (mut story, mut news) = told(&names, claim, known, now);
                if let (true, Some(slot)) = (takes_slot, slot_in(&new.link, &story.article)) {
                    story.name(&slot, &code);
                    news = true;
                }
                let write = if news { Some(record.becomes(story.write()?)) } else { None };
                (Some(Arc::new(story.article)), write)
            }
            _ => (None, None),
        };
        let kept = Kept {
            link: complete(&new.link, code, article.as_deref()),
            created_tag: Some(new.tag),
            write_tags: vec![],
        };
        let link = record.becomes(write_links(std::slice::from_ref(&kept))?);
        if write_all(records, tries, write, vec![link]).await? == Committed::Lost {
            return Ok(None);
        }
        Ok(Some(Creation::Created(found(kept.link, article.as_ref()))))
    }
}

impl Looked {
    fn made_by(&self, tag: RequestTag) -> Option<&Kept> {
        self.links.iter().find(|kept| kept.created_tag == Some(tag))
    }
}

fn of_code(code: &Code) -> Name {
    Name::Links(code.key().into_owned())
}

fn look_at(codes: Vec<Code>, read: impl IntoIterator<Item = Record>) -> Result<Vec<Looked>> {
    let look = |(code, record)| Ok(Looked { code, links: links_of(&record)?, record });
    codes.into_iter().zip(read).map(look).collect()
}

fn parsed(texts: &[&str]) -> Vec<Code> {
    texts.iter().filter_map(|text| Code::parse(text).ok()).collect()
}

/// Writes an article, then a link and what goes with it; in one step if they lie in one lane.
pub(super) async fn write_all(
    records: &Records,
    tries: &mut Tries,
    article: Option<Write>,
    link: Vec<Write>,
) -> Result<Committed> {
    let lane = |write: &Write| write.name.lane(records.lanes());
    let (mut together, mut before) = (link, vec![]);
    if let Some(article) = article {
        let same = together.first().is_some_and(|link| lane(link) == lane(&article));
        if same { together.insert(0, article) } else { before.push(article) }
    }
    if records.commit(tries, before).await? == Committed::Lost {
        return Ok(Committed::Lost);
    }
    records.commit(tries, together).await
}

/// The codes that a request may get, in the order in which they are taken: those in its article's lane, the others.
fn in_order<'n>(records: &Records, new: &'n NewLink, names: Option<&Names>) -> (Vec<&'n str>, Vec<&'n str>) {
    let lanes = records.lanes();
    let codes = match &new.code {
        NewCode::Chosen(code) => return (vec![code.as_str()], vec![]),
        NewCode::Drawn(codes) => codes,
    };
    let home = names.map(|names| Name::Article(names.id.clone()).lane(lanes));
    codes.texts().partition(|code| Some(lanes.of(&fold(code))) == home)
}

/// Who has the slot that the new link would have.
async fn holder_of(
    records: &Records,
    new: &NewLink,
    story: Option<&Story>,
) -> Result<(Holder, Option<Record>)> {
    let slot: Option<Slot> = story.and_then(|story| slot_in(&new.link, &story.article));
    let (Some(story), Some(slot)) = (story, slot) else { return Ok((Holder::Nobody, None)) };
    let Some(code) = story.named(&slot) else { return Ok((Holder::Nobody, None)) };
    let record = records.read_one(of_code(code)).await?;
    Ok((holder(&slot, code, &links_of(&record)?), Some(record)))
}

/// The record of a new link: what the store fills in, and times as they will be read again.
fn complete(link: &Link, code: Code, article: Option<&Article>) -> Link {
    let link = match article {
        Some(article) => link.in_article(article),
        None => Link { article: None, follows_article: false, ..link.clone() },
    };
    Link { code, ..as_kept(link) }
}

/// A link with its times as they will be read again.
pub(super) fn as_kept(link: Link) -> Link {
    Link {
        not_before: link.not_before.map(cut),
        expires_at: link.expires_at.map(cut),
        retired_at: link.retired_at.map(cut),
        created_at: cut(link.created_at),
        updated_at: cut(link.updated_at),
        broken: link.broken.map(|broken| Broken { since: cut(broken.since), ..broken }),
        ..link
    }
}
