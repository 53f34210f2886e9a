//! Redaction: nothing of a story can be read any more; its codes and its numbers stay.

use std::sync::Arc;

use jiff::Timestamp;

use super::{LinkService, Result, unknown_article};
use crate::domain::access::{Actor, Role};
use crate::domain::article::{Article, ArticleId};

impl LinkService {
    /// Blanks a story, its links and the histories of all. Again is the same.
    ///
    /// # Errors
    /// `unknown_article`, `forbidden`.
    pub async fn redact(&self, id: &ArticleId, actor: &Actor, now: Timestamp) -> Result<Arc<Article>> {
        actor.require(Role::Admin)?;
        let links = self.links_of(id, now).await?;
        let redacted = self.within(self.store().redact(id, &actor.name, now)).await?;
        links.iter().for_each(|found| self.changed(found));
        redacted.ok_or_else(|| unknown_article().into())
    }
}
