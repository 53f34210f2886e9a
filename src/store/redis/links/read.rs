//! Reading links with their articles.
//!
//! Guarantees that a link which follows its article leads to the article's address, and that a link is never told
//! without the article it needs.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::article::{Article, ArticleId, MAX_MERGED};
use crate::domain::link::{Found, Link};
use crate::store::mirror::Kept;
use crate::store::redis::records::{Alias, Name, Record, Records, Story, read_links};
use crate::store::{Error, Result};

/// All links of these folded codes, code by code, oldest first.
pub(super) async fn find(records: &Records, keys: &[String]) -> Result<Vec<Found>> {
    let names = keys.iter().map(|key| Name::Links(key.clone())).collect();
    let mut kept = vec![];
    for record in records.read(names).await? {
        kept.extend(links_of(&record)?);
    }
    join(records, kept).await
}

/// The links of a record.
pub(super) fn links_of(record: &Record) -> Result<Vec<Kept>> {
    match &record.name {
        Name::Links(key) => read_links(key, &record.raw),
        other => Err(Error::Corrupt(format!("{other:?} is not the name of links"))),
    }
}

/// Links with their articles.
pub(super) async fn join(records: &Records, kept: Vec<Kept>) -> Result<Vec<Found>> {
    let mut ids: Vec<&ArticleId> = kept.iter().filter_map(|kept| kept.link.article.as_ref()).collect();
    ids.sort_unstable();
    ids.dedup();
    let names = ids.into_iter().map(|id| Name::Article(id.clone())).collect();
    let mut articles: HashMap<ArticleId, Arc<Article>> = HashMap::new();
    for record in records.read(names).await? {
        if let (Name::Article(id), Some(story)) = (&record.name, story(&record)?) {
            articles.insert(id.clone(), Arc::new(story.article));
        }
    }
    kept.into_iter().map(|kept| with(kept.link, &articles)).collect()
}

fn with(link: Link, articles: &HashMap<ArticleId, Arc<Article>>) -> Result<Found> {
    let Some(id) = &link.article else { return Ok(found(link, None)) };
    let article = articles.get(id).ok_or_else(|| missing(id))?;
    Ok(found(link, Some(article)))
}

/// One link with its article.
pub(super) async fn join_one(records: &Records, kept: Kept) -> Result<Found> {
    let nothing = || Error::Corrupt("a link was lost on its way".into());
    join(records, vec![kept]).await?.pop().ok_or_else(nothing)
}

/// A link with the article that it is about.
pub(super) fn found(mut link: Link, article: Option<&Arc<Article>>) -> Found {
    if let Some(article) = article {
        link.follow(article);
    }
    link.settle_broken();
    Found { link: Arc::new(link), article: article.cloned() }
}

/// The story of an article's record.
pub(super) fn story(record: &Record) -> Result<Option<Story>> {
    match &record.name {
        Name::Article(id) => Story::read(id, &record.raw),
        other => Err(Error::Corrupt(format!("{other:?} is not the name of an article"))),
    }
}

/// The story of an id that something else names.
pub(super) async fn story_of(records: &Records, id: &ArticleId) -> Result<(Record, Story)> {
    let record = records.read_one(Name::Article(id.clone())).await?;
    let story = story(&record)?.ok_or_else(|| missing(id))?;
    Ok((record, story))
}

/// An article by one of its addresses.
pub(super) async fn by_url(records: &Records, url: &str) -> Result<Option<Arc<Article>>> {
    match Alias::read(&records.read_one(Name::url(url)).await?.raw)? {
        Some(alias) => merged(records, alias.article).await,
        None => Ok(None),
    }
}

/// An article by its CMS id.
pub(super) async fn by_cms_id(records: &Records, site: &str, id: &str) -> Result<Option<Arc<Article>>> {
    match Alias::read(&records.read_one(Name::cms_id(site, id)).await?.raw)? {
        Some(alias) => merged(records, alias.article).await,
        None => Ok(None),
    }
}

/// The article at the end of those that were merged one into the other.
async fn merged(records: &Records, id: ArticleId) -> Result<Option<Arc<Article>>> {
    let record = records.read_one(Name::Article(id)).await?;
    let Some(first) = story(&record)? else { return Ok(None) };
    Ok(Some(Arc::new(follow(records, record, first).await?.1.article)))
}

/// The record and story at the end of those that were merged one into the other.
pub(super) async fn follow(records: &Records, mut record: Record, mut at: Story) -> Result<(Record, Story)> {
    for _ in 0..MAX_MERGED {
        let Some(into) = &at.article.merged_into else { break };
        (record, at) = story_of(records, into).await?;
    }
    Ok((record, at))
}

/// An article.
pub(super) async fn by_id(records: &Records, id: ArticleId) -> Result<Option<Arc<Article>>> {
    let record = records.read_one(Name::Article(id)).await?;
    Ok(story(&record)?.map(|story| Arc::new(story.article)))
}

/// Articles are written before what names them: one that is missing was lost by the store, and some node may put
/// it back.
fn missing(id: &ArticleId) -> Error {
    Error::Unavailable(format!("the store has lost article {}; it is put back if a node still has it", id.0))
}
