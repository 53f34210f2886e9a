//! Import of everything that is kept about links.
//!
//! Guarantees that reading an export twice changes nothing more, that what is there already is left as it is, and
//! that an import which was cut short is gone on with by the next. Each item is a step of its own.

use super::chains::in_chains;
use super::create::{as_kept, write_all};
use super::read::{links_of, story};
use super::slots::{Holder, holder};
use crate::domain::article::{Article, ArticleId};
use crate::domain::code::Code;
use crate::domain::link::{HistoryEntry, Link};
use crate::store::Result;
use crate::store::links::ExportItem;
use crate::store::mirror::Kept;
use crate::store::redis::records::{
    Alias, AliasName, Committed, Name, Record, Records, Story, Tries, Write, cut, entry, write_links,
};

/// Lines of history in one commit.
const LINES: usize = 100;

type Outcome = std::result::Result<(), String>;

/// Puts items back. The inner error is that of an item which cannot be, in words.
pub(super) async fn import(records: &Records, items: Vec<ExportItem>) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::with_capacity(items.len());
    let mut items = items.into_iter().peekable();
    // One kind after the other, as an export has them: a link needs its article, a history its link.
    while let Some(kind) = items.peek().map(std::mem::discriminant) {
        let mut run = vec![];
        while let Some(item) = items.next_if(|item| std::mem::discriminant(item) == kind) {
            run.push(item);
        }
        let records = records.clone();
        let parts = in_chains(parts(run), move |part| {
            let records = records.clone();
            async move { import_part(&records, part).await }
        });
        outcomes.extend(parts.await?.into_iter().flatten());
    }
    Ok(outcomes)
}

/// Items that are put back together.
enum Part {
    Article(Box<Article>),
    Alias {
        kind: String,
        site: String,
        value: String,
        article: ArticleId,
    },
    Link {
        link: Box<Link>,
        holds_slot: bool,
    },
    /// Lines of one link or article that follow each other.
    History {
        of: Of,
        lines: Vec<HistoryEntry>,
    },
}

/// Whose a history is.
#[derive(PartialEq, Eq)]
enum Of {
    Link(Code),
    Article(ArticleId),
}

impl Of {
    fn key(&self) -> String {
        match self {
            Of::Link(code) => code.to_string(),
            Of::Article(id) => id.0.to_string(),
        }
    }

    fn line(&self, version: u64) -> Name {
        match self {
            Of::Link(code) => Name::History(code.clone(), version),
            Of::Article(id) => Name::ArticleHistory(id.clone(), version),
        }
    }
}

/// Parts, each with what it has in common with others.
fn parts(items: Vec<ExportItem>) -> Vec<(Vec<String>, Part)> {
    let mut parts: Vec<(Vec<String>, Part)> = vec![];
    for item in items {
        let (keys, part) = match item {
            ExportItem::Article(article) => {
                (vec![article.id.0.to_string()], Part::Article(Box::new(article)))
            }
            ExportItem::Alias { kind, site, value, article } => {
                (vec![article.0.to_string()], Part::Alias { kind, site, value, article })
            }
            ExportItem::Link { link, holds_slot } => {
                // Those that share a record come into it in their order: the oldest first.
                let mut keys = vec![format!("l {}", link.code.key())];
                keys.extend(link.article.as_ref().map(|id| id.0.to_string()));
                (keys, Part::Link { link: Box::new(link), holds_slot })
            }
            ExportItem::History { code, entry } => match of_last(&mut parts, Of::Link(code), entry) {
                Some(part) => part,
                None => continue,
            },
            ExportItem::ArticleHistory { article, entry } => {
                match of_last(&mut parts, Of::Article(article), entry) {
                    Some(part) => part,
                    None => continue,
                }
            }
        };
        parts.push((keys, part));
    }
    parts
}

/// Adds a line to the last part if that is of the same history; else it is a part of its own.
fn of_last(parts: &mut [(Vec<String>, Part)], whose: Of, entry: HistoryEntry) -> Option<(Vec<String>, Part)> {
    if let Some((_, Part::History { of, lines })) = parts.last_mut()
        && *of == whose
    {
        lines.push(entry);
        return None;
    }
    Some((vec![whose.key()], Part::History { of: whose, lines: vec![entry] }))
}

async fn import_part(records: &Records, part: Part) -> Result<Vec<Outcome>> {
    let mut tries = Tries::default();
    loop {
        let tried = match &part {
            Part::Article(article) => import_article(records, &mut tries, article).await,
            Part::Alias { kind, site, value, article } => {
                import_alias(records, &mut tries, (kind, site, value), article).await
            }
            Part::Link { link, holds_slot } => import_link(records, &mut tries, link, *holds_slot).await,
            Part::History { of, lines } => import_history(records, &mut tries, of, lines).await,
        };
        if let Some(outcome) = tries.next(tried).await? {
            let items = if let Part::History { lines, .. } = &part { lines.len() } else { 1 };
            return Ok(vec![outcome; items]);
        }
    }
}

async fn import_article(records: &Records, tries: &mut Tries, article: &Article) -> Result<Option<Outcome>> {
    let record = records.read_one(Name::Article(article.id.clone())).await?;
    let kept = match story(&record)? {
        Some(story) => story.article,
        None => {
            let story = Story::new(article.clone().at_times(cut));
            if records.commit(tries, vec![record.becomes(story.write()?)]).await? == Committed::Lost {
                return Ok(None);
            }
            story.article
        }
    };
    if article.is_redacted() {
        return Ok(Some(Ok(())));
    }
    add_alias(records, tries, &kept, Name::url(&article.url), AliasName::Url(article.url.clone())).await?;
    if let Some(id) = &article.cms_id {
        let name = AliasName::CmsId { site: article.site.clone(), id: id.clone() };
        add_alias(records, tries, &kept, Name::cms_id(&article.site, id), name).await?;
    }
    Ok(Some(Ok(())))
}

/// Makes an alias unless there is one: the first to claim an address keeps it.
async fn add_alias(
    records: &Records,
    tries: &mut Tries,
    article: &Article,
    name: Name,
    says: AliasName,
) -> Result<()> {
    let record = records.read_one(name).await?;
    if Alias::read(&record.raw)?.is_none() {
        let own = matches!(&says, AliasName::Url(url) if *url == article.url);
        let alias = Alias { article: article.id.clone(), name: if own { AliasName::Own } else { says } };
        records.commit(tries, vec![record.becomes(alias.write()?)]).await?;
    }
    Ok(())
}

async fn import_alias(
    records: &Records,
    tries: &mut Tries,
    (kind, site, value): (&str, &str, &str),
    article: &ArticleId,
) -> Result<Option<Outcome>> {
    let (name, says) = match kind {
        "url" => (Name::url(value), AliasName::Url(value.to_owned())),
        "cms_id" => {
            (Name::cms_id(site, value), AliasName::CmsId { site: site.to_owned(), id: value.to_owned() })
        }
        _ => return Ok(Some(Err(format!("an alias is a url or a cms_id, not \"{kind}\"")))),
    };
    let record = records.read_one(Name::Article(article.clone())).await?;
    let Some(mut story) = story(&record)? else {
        return Ok(Some(Err(format!("there is no article {}", article.0))));
    };
    // The article's own are there since it was put back.
    if Alias::read(&records.read_one(name.clone()).await?.raw)?.is_some() {
        return Ok(Some(Ok(())));
    }
    // Whether there is room or not: it was kept before.
    if story.note(&name)
        && records.commit(tries, vec![record.becomes(story.write()?)]).await? == Committed::Lost
    {
        return Ok(None);
    }
    add_alias(records, tries, &story.article, name, says).await?;
    Ok(Some(Ok(())))
}

async fn import_link(
    records: &Records,
    tries: &mut Tries,
    link: &Link,
    holds_slot: bool,
) -> Result<Option<Outcome>> {
    let mut link = as_kept(link.clone());
    let record = records.read_one(Name::Links(link.code.key().into_owned())).await?;
    let mut links = links_of(&record)?;
    if let Some(there) = links.iter().find(|kept| kept.link.code == link.code) {
        let there = (there.link.created_at, &there.link.created_by);
        let same = there == (link.created_at, &link.created_by);
        return Ok(Some(if same { Ok(()) } else { Err(format!("another link has the code {}", link.code)) }));
    }
    let mut article = None;
    match &link.article {
        None => link.follows_article = false,
        Some(id) => {
            let record = records.read_one(Name::Article(id.clone())).await?;
            let Some(mut story) = story(&record)? else {
                return Ok(Some(Err(format!("there is no article {}", id.0))));
            };
            // What follows an article leads where it does; any other address is the link's own.
            let mut led = link.clone();
            led.follow(&story.article);
            link.follows_article &= led.target == link.target;
            if holds_slot && take_slot(records, &mut story, &link).await? {
                article = Some(record.becomes(story.write()?));
            }
        }
    }
    links.push(Kept { link, created_tag: None, write_tags: vec![] });
    let write = vec![record.becomes(write_links(&links)?)];
    Ok((write_all(records, tries, article, write).await? == Committed::Done).then_some(Ok(())))
}

/// Lets a link's slot name it, unless a live link has it. False if nothing changes.
async fn take_slot(records: &Records, story: &mut Story, link: &Link) -> Result<bool> {
    let Some(slot) = link.slot() else { return Ok(false) };
    if let Some(code) = story.named(&slot) {
        let record = records.read_one(Name::Links(code.key().into_owned())).await?;
        if !matches!(holder(&slot, code, &links_of(&record)?), Holder::Nobody) {
            return Ok(false);
        }
    }
    story.name(&slot, &link.code);
    Ok(true)
}

async fn import_history(
    records: &Records,
    tries: &mut Tries,
    of: &Of,
    lines: &[HistoryEntry],
) -> Result<Option<Outcome>> {
    match of {
        Of::Link(code) => {
            let link = records.read_one(Name::Links(code.key().into_owned())).await?;
            if !links_of(&link)?.iter().any(|kept| kept.link.code == *code) {
                return Ok(Some(Err(format!("there is no link {code}"))));
            }
        }
        Of::Article(id) => {
            if records.read_one(Name::Article(id.clone())).await?.raw.is_empty() {
                return Ok(Some(Err(format!("there is no article {}", id.0))));
            }
        }
    }
    for lines in lines.chunks(LINES) {
        let names = lines.iter().map(|line| of.line(line.version)).collect();
        let there: Vec<Record> = records.read(names).await?;
        let mut writes: Vec<Write> = vec![];
        for (record, line) in there.iter().zip(lines) {
            // Twice in one import: the first counts.
            let again = writes.iter().any(|write| write.name == record.name);
            if record.raw.is_empty() && !again {
                writes.push(record.becomes(entry(&HistoryEntry { at: cut(line.at), ..line.clone() })?));
            }
        }
        if records.commit(tries, writes).await? == Committed::Lost {
            return Ok(None);
        }
    }
    Ok(Some(Ok(())))
}
