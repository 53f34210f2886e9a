//! Whether the targets of links are still there.
//!
//! Guarantees that what is found is about the target that was looked at, and that nothing is changed of a link but what
//! is said of its target.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use url::Url;

use super::{LinkService, Result};
use crate::articles::check::{self, Due, Health, Verdict};
use crate::domain::access::{Actor, Role};
use crate::domain::article::{Article, ArticleId};
use crate::domain::code::Code;
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::{Broken, Found, Status};

/// Who is said to have found what the scheduled checks find.
const CHECKS: &str = "link checks";

/// Targets of one story that are looked at in one request; the others come with the daily round.
const MAX_TARGETS: usize = 10;

impl LinkService {
    /// Looks at the targets of a story's open links now, ten of them at most.
    ///
    /// # Errors
    /// The refusals of `POST /articles/{id}/check`.
    pub async fn check_article(&self, id: &ArticleId, actor: &Actor, now: Timestamp) -> Result<Arc<Article>> {
        actor.require(Role::Creator)?;
        let story = self.article(id).await?;
        let Some(pages) = self.pages() else {
            let detail = "nothing is fetched here (articles.fetch, allowed_hosts)";
            return Err(Refusal::field(Reason::InvalidValue, "id", detail).into());
        };
        let links = self.links_of(id, now).await?;
        let open = links.iter().filter(|found| found.status(now) == Status::Active);
        let mut seen: Vec<(String, Health)> = vec![];
        for found in open {
            let Some(target) = found.link.target.clone() else { continue };
            if seen.len() < MAX_TARGETS
                && !seen.iter().any(|(there, _)| *there == target)
                && let Ok(url) = Url::parse(&target)
            {
                let (reader, started) = (&pages.reader, Instant::now().into_std());
                seen.push((
                    target.clone(),
                    check::look(reader.fetcher(), &reader.canon(), &url, started).await,
                ));
            }
            let Some((_, health)) = seen.iter().find(|(there, _)| *there == target) else { continue };
            let before = Verdict::kept(found.link.broken.as_ref());
            self.say(&found.link.code, &target, &before.after(health, now), &actor.name, now).await?;
        }
        Ok(story)
    }

    /// Keeps what is known of a target for all links that lead there.
    ///
    /// # Errors
    /// The store's.
    pub async fn judged(&self, due: &Due, verdict: &Verdict, now: Timestamp) -> Result<()> {
        for code in &due.codes {
            if let Ok(code) = Code::parse(code) {
                self.say(&code, due.target.as_str(), verdict, CHECKS, now).await?;
            }
        }
        Ok(())
    }

    async fn say(
        &self,
        code: &Code,
        target: &str,
        verdict: &Verdict,
        by: &str,
        now: Timestamp,
    ) -> Result<()> {
        let broken = broken(target, verdict);
        // What was said before is only wanted if somebody is told of the difference.
        let before = match self.listener() {
            Some(_) => self.found(code).await?,
            None => None,
        };
        let said = self.within(self.store().set_broken(code, broken.clone(), target)).await?;
        self.cache.invalidate([&*code.key()]);
        let Some(before) = before.filter(|_| said) else { return Ok(()) };
        let turned = LinkService::turned(&before.link, broken.as_ref());
        if let (Some(what), Some(found)) = (turned, self.found(code).await?) {
            self.tell_of(what, &found, by, now).await;
        }
        Ok(())
    }

    async fn found(&self, code: &Code) -> Result<Option<Found>> {
        let found = self.within(self.store().find(&code.key())).await?;
        Ok(found.into_iter().find(|found| found.link.code == *code))
    }
}

/// What is shown of a target: nothing while all is well or might be.
fn broken(target: &str, verdict: &Verdict) -> Option<Broken> {
    let (since, status, proposal) = match verdict {
        Verdict::Good | Verdict::Doubtful { .. } => return None,
        Verdict::Moved { since, to } => (*since, Some(301), Some(to.clone())),
        Verdict::Broken { since, status, .. } => (*since, *status, None),
    };
    Some(Broken { target: target.to_owned(), since, status, proposal })
}
