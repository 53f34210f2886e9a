//! Stories: how one is made, how what is known of it grows, how it is changed by hand.
//!
//! Guarantees that what was said is never overwritten by a claim, that an edit is made once however often it is sent,
//! and that an address is never lost: a new one is an alias before the story has it, and the one before stays one.
//! What was begun and cut short is gone on with by the same edit again, or does no harm.

use std::sync::Arc;

use jiff::Timestamp;

use super::names::{Names, is_missing, is_soft};
use super::read::{follow, story, story_of};
use crate::domain::article::{Article, ArticleId};
use crate::domain::link::HistoryEntry;
use crate::store::Result;
use crate::store::links::{ArticleClaim, ArticleEdit, ArticleEdited, RequestTag};
use crate::store::redis::records::{
    Admitted, Alias, AliasName, Committed, Name, Records, Story, Tries, Write, cut, entry,
};

/// Writes whose tags a record remembers.
const TAGS: usize = 8;
/// Changes kept of one link or story; the oldest go.
pub(super) const HISTORY: u64 = 1_000;

/// The claim's story as it shall be, and whether that is anything new: made, or with what the claim adds.
pub(super) fn told(
    names: &Names,
    claim: &ArticleClaim,
    known: Option<Story>,
    now: Timestamp,
) -> (Story, bool) {
    let Some(mut story) = known else {
        let mut story = Story::new(Article { id: names.id.clone(), ..claim.story(now) });
        for name in names.others() {
            story.admit(name);
        }
        return (story, true);
    };
    let news = claim.tell(&mut story.article, now);
    (story, news)
}

/// Adds a tag to those of the last writes.
pub(super) fn remember(tags: &mut Vec<RequestTag>, tag: RequestTag) {
    tags.push(tag);
    let old = tags.len().saturating_sub(TAGS);
    tags.drain(..old);
}

/// Replaces an article's record if it still is at the version before, or makes it.
pub(super) async fn edit(records: &Records, edit: &ArticleEdit) -> Result<ArticleEdited> {
    let mut tries = Tries::default();
    loop {
        let tried = attempt(records, &mut tries, edit).await;
        if let Some(edited) = tries.next(tried).await? {
            return Ok(edited);
        }
    }
}

/// One try; None if another was faster.
async fn attempt(records: &Records, tries: &mut Tries, edit: &ArticleEdit) -> Result<Option<ArticleEdited>> {
    let record = records.read_one(Name::Article(edit.article.id.clone())).await?;
    let mut article = edit.article.clone().at_times(cut);
    let old = story(&record)?;
    match &old {
        None if article.version != 1 => return Ok(Some(ArticleEdited::NotFound)),
        None => {}
        Some(old) if old.write_tags.contains(&edit.tag) => {
            let article = Arc::new(old.article.clone());
            if tries.repeated() {
                records.saw(vec![record]).await;
            }
            return Ok(Some(ArticleEdited::Changed(article)));
        }
        Some(old) if old.article.version.checked_add(1) != Some(article.version) => {
            return Ok(Some(ArticleEdited::Stale(Arc::new(old.article.clone()))));
        }
        Some(old) => {
            article.created_at = old.article.created_at;
            if old.article.cms_id.is_some() {
                article.cms_id.clone_from(&old.article.cms_id);
            }
        }
    }
    let before = old.as_ref().map(|old| &old.article);
    if let Some(refused) = merge(records, before, &mut article).await? {
        return Ok(Some(refused));
    }
    let mut after = old.clone().unwrap_or_else(|| Story::new(article.clone()));
    after.article = article;
    match names(records, tries, edit, before, &mut after).await? {
        Secured::All => {}
        Secured::Lost => return Ok(None),
        Secured::Held(holder) => return Ok(Some(ArticleEdited::AddressHeld(holder))),
    }
    remember(&mut after.write_tags, edit.tag);
    let mut writes = vec![record.becomes(after.write()?)];
    writes.extend(
        edit.entry.as_ref().map(|line| lines(&after.article.id, line)).transpose()?.unwrap_or_default(),
    );
    let done = records.commit(tries, writes).await? == Committed::Done;
    Ok(done.then(|| ArticleEdited::Changed(Arc::new(after.article))))
}

/// The line of history that an edit writes, and the one that goes.
pub(super) fn lines(id: &ArticleId, line: &HistoryEntry) -> Result<Vec<Write>> {
    let write = |version, raw| Write { name: Name::ArticleHistory(id.clone(), version), was: None, raw };
    let line = HistoryEntry { at: cut(line.at), ..line.clone() };
    let mut writes = vec![write(line.version, entry(&line)?)];
    if let Some(oldest) = line.version.checked_sub(HISTORY).filter(|version| *version > 0) {
        writes.push(write(oldest, vec![]));
    }
    Ok(writes)
}

/// Puts the end of those that were merged into `merged_into`; says why it cannot be.
async fn merge(
    records: &Records,
    before: Option<&Article>,
    article: &mut Article,
) -> Result<Option<ArticleEdited>> {
    let Some(into) = &article.merged_into else { return Ok(None) };
    if before.is_some_and(|before| before.merged_into.as_ref() == Some(into)) {
        return Ok(None);
    }
    let record = records.read_one(Name::Article(into.clone())).await?;
    let Some(into) = story(&record)? else { return Ok(Some(ArticleEdited::NotFound)) };
    let (_, into) = follow(records, record, into).await?;
    if !article.yields_to(&into.article) {
        return Ok(Some(ArticleEdited::NotOlder(Arc::new(into.article))));
    }
    article.merged_into = Some(into.article.id);
    Ok(None)
}

/// What came of an edit's names.
enum Secured {
    /// All that it needs lead to it.
    All,
    /// Another was faster.
    Lost,
    /// One that it needs is this other article's.
    Held(Arc<Article>),
}

/// Lets all names of an edit lead to its story, and notes them there.
async fn names(
    records: &Records,
    tries: &mut Tries,
    edit: &ArticleEdit,
    before: Option<&Article>,
    after: &mut Story,
) -> Result<Secured> {
    let article = after.article.clone();
    let moved = before.is_none_or(|before| before.url != article.url);
    let mut needed = vec![];
    if moved {
        needed.push((Name::url(&article.url), AliasName::Url(article.url.clone())));
    }
    if let Some(id) = article.cms_id.as_ref().filter(|id| before.and_then(|b| b.cms_id.as_ref()) != Some(id))
    {
        let says = AliasName::CmsId { site: article.site.clone(), id: id.clone() };
        needed.push((Name::cms_id(&article.site, id), says));
    }
    for (name, says) in needed {
        match claim(records, tries, edit, &article.id, name, says).await? {
            Secured::All => {}
            other => return Ok(other),
        }
    }
    if let Some(before) = before.filter(|_| moved) {
        // Its text stood in the story alone.
        let record = records.read_one(Name::url(&before.url)).await?;
        let ours = Alias::read(&record.raw)?.filter(|alias| alias.article == article.id);
        let written = ours.as_ref().is_none_or(|alias| matches!(alias.name, AliasName::Url(_)));
        let alias = Alias { article: article.id.clone(), name: AliasName::Url(before.url.clone()) };
        if !written && records.commit(tries, vec![record.becomes(alias.write()?)]).await? == Committed::Lost {
            return Ok(Secured::Lost);
        }
        after.release(&Name::url(&article.url));
        if ours.is_some() {
            after.note(&record.name);
        }
    }
    if !take(records, tries, edit, after).await? {
        return Ok(Secured::Lost);
    }
    more(records, tries, edit, after).await
}

/// Lets a name lead to an article that needs it.
async fn claim(
    records: &Records,
    tries: &mut Tries,
    edit: &ArticleEdit,
    id: &ArticleId,
    name: Name,
    says: AliasName,
) -> Result<Secured> {
    let record = records.read_one(name).await?;
    if let Some(alias) = Alias::read(&record.raw)? {
        if alias.article == *id {
            return Ok(Secured::All);
        }
        match story(&records.read_one(Name::Article(alias.article.clone())).await?)? {
            Some(holder) => {
                let of = |(url, from): &(String, ArticleId)| {
                    *from == alias.article && says == AliasName::Url(url.clone())
                };
                let is_own = says == AliasName::Url(holder.article.url.clone());
                if is_own || !edit.take.iter().any(of) {
                    return Ok(Secured::Held(Arc::new(holder.article)));
                }
            }
            // Somebody is about to make it.
            None if !is_soft(&alias) => return Ok(Secured::Lost),
            None => {}
        }
    }
    let alias = Alias { article: id.clone(), name: says };
    Ok(match records.commit(tries, vec![record.becomes(alias.write()?)]).await? {
        Committed::Done => Secured::All,
        Committed::Lost => Secured::Lost,
    })
}

/// Takes aliases from other stories, as far as they are still theirs and not their own addresses. False if another
/// was faster.
async fn take(records: &Records, tries: &mut Tries, edit: &ArticleEdit, after: &mut Story) -> Result<bool> {
    let Article { id, url: own, .. } = after.article.clone();
    for (address, from) in edit.take.iter().filter(|(_, from)| *from != id) {
        let name = Name::url(address);
        let record = records.read_one(name.clone()).await?;
        let whose = Alias::read(&record.raw)?.map(|alias| alias.article);
        let is_mine = whose.as_ref() == Some(&id);
        if !is_mine && whose.as_ref() != Some(from) {
            continue;
        }
        let (of, mut other) = story_of(records, from).await?;
        if !is_mine && other.article.url == *address {
            continue;
        }
        let alias = Alias { article: id.clone(), name: AliasName::Url(address.clone()) }.write()?;
        if !is_mine && records.commit(tries, vec![record.becomes(alias)]).await? == Committed::Lost {
            return Ok(false);
        }
        if other.release(&name)
            && records.commit(tries, vec![of.becomes(other.write()?)]).await? == Committed::Lost
        {
            return Ok(false);
        }
        if own != *address {
            after.note(&name);
        }
    }
    Ok(true)
}

/// Adds the edit's aliases, as far as nobody else has them and there is room.
async fn more(
    records: &Records,
    tries: &mut Tries,
    edit: &ArticleEdit,
    after: &mut Story,
) -> Result<Secured> {
    let Article { id, url: own, .. } = after.article.clone();
    for address in edit.aliases.iter().filter(|address| **address != own) {
        let record = records.read_one(Name::url(address)).await?;
        match Alias::read(&record.raw)? {
            None => {}
            Some(alias) if alias.article == id => {
                after.admit(&record.name);
                continue;
            }
            Some(alias) if is_soft(&alias) && is_missing(records, &alias).await? => {}
            Some(_) => continue,
        }
        if after.admit(&record.name) == Admitted::Not {
            continue;
        }
        let alias = Alias { article: id.clone(), name: AliasName::Url(address.clone()) };
        if records.commit(tries, vec![record.becomes(alias.write()?)]).await? == Committed::Lost {
            return Ok(Secured::Lost);
        }
    }
    Ok(Secured::All)
}
