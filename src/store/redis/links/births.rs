//! First lines of histories. That of a link which a request made follows from the link until its second version, and
//! the address in it from the link's story.
//!
//! Guarantees that a story which moves leaves the first lines of its links as they were: they are written before. Knows
//! links by the mirror; of one that another node made within the last moments the first line tells the new address.

use super::read::{found, join_one, links_of};
use crate::domain::article::Article;
use crate::domain::code::Code;
use crate::domain::link::{Found, HistoryEntry};
use crate::store::links::{ArticleKey, LinkFilter, LinkOrder, LinkPage, Links};
use crate::store::mirror::Kept;
use crate::store::redis::records::{Name, Records, Tries, Write, entry};
use crate::store::{Error, Result};

/// Links of one page.
const PAGE: usize = 500;

/// The write of a link's first line; None if it is there, or follows from nothing.
pub(super) async fn first_line(
    records: &Records,
    kept: &Kept,
    article: Option<&std::sync::Arc<Article>>,
) -> Result<Option<Write>> {
    if kept.link.version != 1 || kept.created_tag.is_none() {
        return Ok(None);
    }
    let record = records.read_one(Name::History(kept.link.code.clone(), 1)).await?;
    if !record.raw.is_empty() {
        return Ok(None);
    }
    let of = kept.link.article.as_ref();
    let first = match article.filter(|article| of == Some(&article.id)) {
        Some(article) => found(kept.link.clone(), Some(article)),
        // It comes to another story with this edit, or has its first.
        None => join_one(records, kept.clone()).await?,
    };
    Ok(Some(record.becomes(entry(&HistoryEntry::birth(&first.link))?)))
}

/// Writes the first lines of all links that follow a story which gets another address.
pub(super) async fn keep(records: &Records, mirror: &dyn Links, article: &Article) -> Result<()> {
    let now = mirror.article(ArticleKey::Id(article.id.clone())).await?;
    if now.is_none_or(|now| now.address() == article.address()) {
        return Ok(());
    }
    let filter = LinkFilter { article: Some(article.id.clone()), ..LinkFilter::default() };
    let mut page = LinkPage { filter, order: LinkOrder::Code, descending: false, after: None, limit: PAGE };
    loop {
        let links = mirror.list(page.clone(), article.updated_at).await?;
        let Some(last) = links.last() else { return Ok(()) };
        page.after = Some((page.order.key_of(last), last.link.code.to_string()));
        let young = links.iter().filter(|of| of.link.follows_article && of.link.version == 1);
        for Found { link, article } in young {
            keep_one(records, &link.code, article.as_ref()).await?;
        }
    }
}

async fn keep_one(records: &Records, code: &Code, article: Option<&std::sync::Arc<Article>>) -> Result<()> {
    let record = records.read_one(Name::Links(code.key().into_owned())).await?;
    let Some(kept) = links_of(&record)?.into_iter().find(|kept| kept.link.code == *code) else {
        return Ok(());
    };
    let mut tries = Tries::default();
    match first_line(records, &kept, article).await? {
        // Whoever was faster has written it.
        Some(line) => match records.commit(&mut tries, vec![line]).await {
            Ok(_) => Ok(()),
            // Written or not: the first line alone is no reason to hold a move up.
            Err(Error::Unavailable(why)) => {
                tracing::warn!(%why, %code, "the first line of a link's history may tell a later address");
                Ok(())
            }
            Err(error) => Err(error),
        },
        None => Ok(()),
    }
}
