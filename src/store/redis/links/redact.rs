//! Blanking what must not be read any more: a story, its names, its links, and the histories of all.
//!
//! Guarantees that a redaction that was cut short is gone on with by the next, because the story itself comes last: until
//! then it says what else there is. Its links are looked for before and after, so that one that was made meanwhile is
//! found as well.

use std::sync::Arc;

use jiff::Timestamp;

use super::read::{found, links_of, story};
use super::slots::slot_of;
use super::story::lines;
use crate::domain::article::{Article, ArticleId};
use crate::domain::code::Code;
use crate::domain::link::HistoryEntry;
use crate::store::Result;
use crate::store::links::{LinkFilter, LinkOrder, LinkPage};
use crate::store::mirror::{AliasKind, Mirror};
use crate::store::redis::records::{
    Alias, AliasName, Committed, Name, Record, Records, Story, Tries, Write, cut, entry, kept_entry,
    write_links,
};

/// Links of one page.
const PAGE: usize = 500;
/// Lines of history in one commit.
const LINES: usize = 100;

/// Blanks a story and all that is about it; and all that were merged into it, which are the same story. None if there
/// is none. The mirror must have all that the store has.
pub(super) async fn redact(
    records: &Records,
    mirror: &dyn Mirror,
    id: &ArticleId,
    by: &str,
    at: Timestamp,
) -> Result<Option<Arc<Article>>> {
    for merged in mirror.with_merged(id).await?.iter().skip(1) {
        one_story(records, mirror, merged, by, at).await?;
    }
    one_story(records, mirror, id, by, at).await
}

async fn one_story(
    records: &Records,
    mirror: &dyn Mirror,
    id: &ArticleId,
    by: &str,
    at: Timestamp,
) -> Result<Option<Arc<Article>>> {
    let at = cut(at);
    let record = records.read_one(Name::Article(id.clone())).await?;
    let Some(known) = story(&record)? else { return Ok(None) };
    all_links(records, mirror, &known, by, at).await?;
    if known.article.is_redacted() {
        return Ok(Some(Arc::new(known.article)));
    }
    free_names(records, mirror, &known.article).await?;
    let versions = mirror.links().article_history(id, None, usize::MAX).await?.into_iter();
    blank(records, versions.map(|line| Name::ArticleHistory(id.clone(), line.version)).collect()).await?;
    let Some(left) = the_story(records, id, by, at).await? else { return Ok(None) };
    all_links(records, mirror, &left, by, at).await?;
    Ok(Some(Arc::new(left.article)))
}

async fn the_story(records: &Records, id: &ArticleId, by: &str, at: Timestamp) -> Result<Option<Story>> {
    let mut tries = Tries::default();
    loop {
        let tried = async {
            let record = records.read_one(Name::Article(id.clone())).await?;
            let Some(known) = story(&record)? else { return Ok(Some(None)) };
            if known.article.is_redacted() {
                return Ok(Some(Some(known)));
            }
            let left = Story { write_tags: known.write_tags, ..Story::new(known.article.redacted(at)) };
            let line = HistoryEntry::redaction(left.article.version, by, at);
            let mut writes = vec![record.becomes(left.write()?)];
            writes.extend(lines(id, &line)?);
            let done = records.commit(&mut tries, writes).await? == Committed::Done;
            Ok(done.then_some(Some(left)))
        };
        let tried = tried.await;
        if let Some(left) = tries.next(tried).await? {
            return Ok(left);
        }
    }
}

/// Frees everything that leads to a story.
async fn free_names(records: &Records, mirror: &dyn Mirror, article: &Article) -> Result<()> {
    let mut names = vec![Name::url(&article.url)];
    names.extend(article.cms_id.as_ref().map(|id| Name::cms_id(&article.site, id)));
    for (kind, site, value) in mirror.aliases(&article.id).await? {
        names.push(match kind {
            AliasKind::Url => Name::url(&value),
            AliasKind::CmsId => Name::cms_id(&site, &value),
        });
    }
    for name in names {
        let mut tries = Tries::default();
        loop {
            let tried = free(records, &mut tries, &article.id, name.clone()).await;
            if tries.next(tried).await?.is_some() {
                break;
            }
        }
    }
    Ok(())
}

async fn free(records: &Records, tries: &mut Tries, id: &ArticleId, name: Name) -> Result<Option<()>> {
    let record = records.read_one(name).await?;
    if Alias::read(&record.raw)?.is_none_or(|alias| alias.article != *id) {
        return Ok(Some(()));
    }
    let freed = Alias { article: id.clone(), name: AliasName::Freed };
    let done = records.commit(tries, vec![record.becomes(freed.write()?)]).await? == Committed::Done;
    Ok(done.then_some(()))
}

/// Blanks all links that the mirror knows of a story.
async fn all_links(
    records: &Records,
    mirror: &dyn Mirror,
    story: &Story,
    by: &str,
    at: Timestamp,
) -> Result<()> {
    let filter = LinkFilter { article: Some(story.article.id.clone()), ..LinkFilter::default() };
    let mut page = LinkPage { filter, order: LinkOrder::Code, descending: false, after: None, limit: PAGE };
    loop {
        let links = mirror.links().list(page.clone(), at).await?;
        let Some(last) = links.last() else { return Ok(()) };
        page.after = Some((page.order.key_of(last), last.link.code.to_string()));
        for found in &links {
            let code = &found.link.code;
            let lines = mirror.links().history(code, None, usize::MAX).await?;
            blank(records, lines.iter().map(|line| Name::History(code.clone(), line.version)).collect())
                .await?;
            one_link(records, story, code, by, at).await?;
        }
    }
}

async fn one_link(records: &Records, story: &Story, code: &Code, by: &str, at: Timestamp) -> Result<()> {
    let mut tries = Tries::default();
    loop {
        let tried = link(records, &mut tries, story, code, by, at).await;
        if tries.next(tried).await?.is_some() {
            return Ok(());
        }
    }
}

async fn link(
    records: &Records,
    tries: &mut Tries,
    story: &Story,
    code: &Code,
    by: &str,
    at: Timestamp,
) -> Result<Option<()>> {
    let record = records.read_one(Name::Links(code.key().into_owned())).await?;
    let mut links = links_of(&record)?;
    let of = |link: &crate::store::mirror::Kept| {
        link.link.code == *code && link.link.article.as_ref() == Some(&story.article.id)
    };
    let Some(kept) = links.iter_mut().find(|kept| of(kept)) else { return Ok(Some(())) };
    if slot_of(&kept.link).is_none() && kept.link.is_redacted() {
        return Ok(Some(()));
    }
    let line = |version: u64, line: &HistoryEntry| -> Result<Write> {
        Ok(Write { name: Name::History(code.clone(), version), was: None, raw: entry(line)? })
    };
    let mut writes: Vec<Write> = vec![];
    if kept.link.version == 1 && kept.created_tag.is_some() {
        // Until now it followed from the link.
        let mut birth = HistoryEntry::birth(&found(kept.link.clone(), None).link);
        birth.redact();
        writes.push(line(1, &birth)?);
    }
    kept.link = kept.link.redacted(at);
    let version = kept.link.version;
    writes.push(line(version, &HistoryEntry::redaction(version, by, at))?);
    writes.insert(0, record.becomes(write_links(&links)?));
    Ok((records.commit(tries, writes).await? == Committed::Done).then_some(()))
}

/// Blanks lines of histories, as far as they are there. All names are of one lane.
async fn blank(records: &Records, names: Vec<Name>) -> Result<()> {
    for names in names.chunks(LINES) {
        let mut tries = Tries::default();
        loop {
            let tried = blank_some(records, &mut tries, names).await;
            if tries.next(tried).await?.is_some() {
                break;
            }
        }
    }
    Ok(())
}

async fn blank_some(records: &Records, tries: &mut Tries, names: &[Name]) -> Result<Option<()>> {
    let mut writes = vec![];
    for record in records.read(names.to_vec()).await? {
        if let (Some(version), false) = (version(&record), record.raw.is_empty()) {
            let mut line = kept_entry(version, &record.raw)?;
            if line.redact() {
                writes.push(record.becomes(entry(&line)?));
            }
        }
    }
    Ok((records.commit(tries, writes).await? == Committed::Done).then_some(()))
}

fn version(record: &Record) -> Option<u64> {
    match &record.name {
        Name::History(_, version) | Name::ArticleHistory(_, version) => Some(*version),
        _ => None,
    }
}
