//! Who may know what of a story before it is public.
//!
//! Guarantees that a story which nobody but others' confidential links are about is unknown to a viewer, and that whoever
//! does not know of it cannot make it public by another link. Knows nothing of how answers look.

use std::sync::Arc;

use jiff::Timestamp;

use super::{LinkService, Result, articles};
use crate::domain::access::Actor;
use crate::domain::article::{Article, ArticleId};
use crate::domain::link::{Found, Status};

/// True for a story that has links which are secret to this viewer, and none that is open or its own.
#[must_use]
pub fn is_secret_story(links: &[Found], viewer: &Actor, now: Timestamp) -> bool {
    let hidden = |found: &&Found| found.link.is_hidden_from(viewer, now);
    let known = |found: &Found| {
        !found.link.is_hidden_from(viewer, now)
            && (found.status(now) == Status::Active || found.link.created_by == viewer.name)
    };
    links.iter().any(|found| hidden(&found)) && !links.iter().any(known)
}

impl LinkService {
    /// A story and all its links, oldest first, for one who may know of it.
    ///
    /// # Errors
    /// `unknown_article`, also for what is secret to the viewer.
    pub async fn article_for(
        &self,
        id: &ArticleId,
        viewer: &Actor,
        now: Timestamp,
    ) -> Result<(Arc<Article>, Vec<Found>)> {
        let article = self.article(id).await?;
        let links = self.links_of(&article.id, now).await?;
        match is_secret_story(&links, viewer, now) {
            true => Err(articles::unknown_article().into()),
            false => Ok((article, links)),
        }
    }
}
