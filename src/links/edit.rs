//! Changing and retiring links.
//!
//! Guarantees that an edit is made on the version that its editor saw (409 `stale` else), that an edit without a
//! change keeps the version, and that a retired link is never changed again.

use jiff::Timestamp;

use super::codes::Entropy;
use super::create::{claim, to_millisecond};
use super::editable::Editable;
use super::news::What;
use super::request::{Change, NewLink, order};
use super::{Error, LinkService, Result};
use crate::domain::access::Actor;
use crate::domain::code::Code;
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::{Found, HistoryEntry, Link};
use crate::domain::target::{with_added, without_added};
use crate::store::links::{ArticleClaim, Edit, Edited, SlotWish};

/// Lines of history read at once while going back to an earlier version.
const HISTORY_PAGE: usize = 200;

impl LinkService {
    /// Changes a link.
    ///
    /// # Errors
    /// The refusals of `PATCH /links/{code}`.
    pub async fn change(&self, code: &str, change: Change, actor: &Actor, now: Timestamp) -> Result<Found> {
        let found = self.get(code).await?;
        actor.require_change_of(&found.link.created_by)?;
        let change = change.check()?;
        if change.version != Some(found.link.version) {
            return Err(stale(&found).into());
        }
        if found.link.retired_at.is_some() {
            let detail = "a retired link cannot be changed";
            return Err(Refusal::field(Reason::Conflict, "code", detail).with_link(found).into());
        }
        let opens =
            change.confidential.is_some() || change.not_before.is_some() || change.revert_to.is_some();
        if opens && found.link.is_hidden_from(actor, now) {
            let detail = "until a confidential link opens, only its maker and admins say when";
            return Err(Refusal::new(Reason::Forbidden, detail).into());
        }
        let before = Editable::of(&found.link);
        let (after, article, action) = match change.revert_to {
            Some(version) => (self.as_it_was(&found, &before, version).await?, None, "reverted"),
            None => {
                let (after, article) = self.changed_by(&found, before.clone(), &change, now).await?;
                (after, article, "changed")
            }
        };
        order(after.not_before, after.expires_at)?;
        let changes = after.changes_from(&before);
        if changes.is_empty() {
            return Ok(found);
        }
        let moves =
            ["target", "follows_article", "channel", "campaign"].iter().any(|f| changes.contains_key(*f));
        let slot = if moves { SlotWish::Claim } else { SlotWish::Keep };
        let link = after.put_into(&found.link, now);
        let entry = HistoryEntry {
            version: link.version,
            at: now,
            by: actor.name.clone(),
            action: action.into(),
            changes,
        };
        self.write(Edit { tag: Entropy::System.tag(0), link, entry, slot, article }, now).await
    }

    /// Retires a link for good; its statistics stay and its code is never given away. Again is the same.
    ///
    /// # Errors
    /// The refusals of `DELETE /links/{code}`.
    pub async fn retire(&self, code: &str, actor: &Actor, now: Timestamp) -> Result<()> {
        // Someone may change the link in between; retiring does not depend on what they changed.
        for _ in 0..5 {
            let found = self.get(code).await?;
            actor.require_change_of(&found.link.created_by)?;
            if found.link.retired_at.is_some() {
                return Ok(());
            }
            let version = found.link.version + 1;
            let link = Link { retired_at: Some(now), updated_at: now, version, ..Link::clone(&found.link) };
            let changes = serde_json::Map::new();
            let entry =
                HistoryEntry { version, at: now, by: actor.name.clone(), action: "retired".into(), changes };
            let edit = Edit { tag: Entropy::System.tag(0), link, entry, slot: SlotWish::Keep, article: None };
            match self.write(edit, now).await {
                Ok(_) => return Ok(()),
                Err(Error::Refused(refusal)) if refusal.reason == Reason::Stale => {}
                Err(error) => return Err(error),
            }
        }
        Err(Refusal::new(Reason::Stale, "the link is being changed by others; try again").into())
    }

    /// A link's changes, newest first.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn history(&self, code: &Code, before: Option<u64>, limit: usize) -> Result<Vec<HistoryEntry>> {
        Ok(self.within(self.store.history(code, before, limit)).await?)
    }

    async fn write(&self, edit: Edit, now: Timestamp) -> Result<Found> {
        let HistoryEntry { by, action, changes, .. } = edit.entry.clone();
        match self.within(self.store.edit(edit, now)).await? {
            Edited::Changed(found) => {
                self.changed(&found);
                self.tell_of(What::Changed { action, changes }, &found, &by, now).await;
                Ok(found)
            }
            Edited::Stale(found) => Err(stale(&found).into()),
            Edited::SlotHeld(found) => {
                let detail = "another link of this article has this channel, campaign and target";
                Err(Refusal::field(Reason::Conflict, "url", detail).with_link(found).into())
            }
            Edited::NotFound => Err(Refusal::new(Reason::NotFound, "there is no link with this code").into()),
        }
    }

    async fn changed_by(
        &self,
        found: &Found,
        mut link: Editable,
        change: &Change,
        now: Timestamp,
    ) -> Result<(Editable, Option<ArticleClaim>)> {
        fn put<T>(field: &mut T, given: Option<T>) {
            if let Some(value) = given {
                *field = value;
            }
        }
        put(&mut link.channel, change.channel.clone());
        put(&mut link.campaign, change.campaign.clone());
        if change.channel.is_some() && link.channel != found.link.channel && change.url.is_none() {
            self.mark(&mut link);
        }
        let article = match change.url.as_ref().and_then(Option::as_ref) {
            Some(url) => self.lead_to(found, &mut link, (url, change.keep_params == Some(true)), now).await?,
            None => None,
        };
        put(&mut link.title, change.title.clone());
        put(&mut link.tags, change.tags.clone().map(Option::unwrap_or_default));
        put(&mut link.note, change.note.clone());
        put(&mut link.not_before, change.not_before.map(|t| t.map(to_millisecond)));
        put(&mut link.expires_at, change.expires_at.map(|t| t.map(to_millisecond)));
        put(&mut link.message, change.message.clone());
        put(&mut link.redirect_status, change.redirect_status.map(|s| s.unwrap_or(302)));
        put(&mut link.forward_query, change.forward_query.map(|f| f.unwrap_or(false)));
        put(&mut link.confidential, change.confidential.map(|c| c.unwrap_or(false)));
        put(&mut link.disabled, change.disabled.map(|d| d.unwrap_or(false)));
        if let Some(url) = &change.expired_url {
            link.expired_url = url.as_deref().map(|u| self.rules().plain(u, "expired_url")).transpose()?;
        }
        Ok((link, article))
    }

    /// Gives the target of a link that has another channel now what that one adds.
    fn mark(&self, link: &mut Editable) {
        let Some(target) = link.target.take() else { return };
        let bare = without_added(&target, link.added.as_deref());
        let address = self.rules().address(&bare, true, "url").ok();
        link.added = address.and_then(|address| self.added(link.channel.as_deref(), &address));
        link.target = Some(with_added(&bare, link.added.as_deref()));
    }

    /// Leads a link to another address: with its story if that is one of the story's own. A reserved code gets its
    /// story with its first target.
    async fn lead_to(
        &self,
        found: &Found,
        link: &mut Editable,
        (url, keep_params): (&str, bool),
        now: Timestamp,
    ) -> Result<Option<ArticleClaim>> {
        let address = self.rules().address(url, keep_params, "url")?;
        let added = self.added(link.channel.as_deref(), &address);
        link.added.clone_from(&added);
        let added = added.as_deref();
        let Some(article) = &found.article else {
            let met =
                self.meet(std::iter::once(&address)).await?.remove(&address.article).unwrap_or_default();
            let new_id = self.drawer.article_id(Entropy::System.bytes("article", 0));
            let mut claim = claim(&address, new_id, &NewLink::default());
            met.tell(&mut claim, link.not_before, now);
            self.settle_address(&mut claim, &address, &met);
            if met.story.as_ref().is_some_and(|story| story.withdrawn) {
                let detail = "the story is withdrawn; it gets no new link";
                return Err(Refusal::field(Reason::Withdrawn, "url", detail).into());
            }
            let story = met.story.as_deref().cloned().unwrap_or_else(|| claim.story(now));
            let (own, target) = self.as_led(added, &address, &story);
            (link.follows_article, link.target) = (own, Some(target));
            return Ok(Some(claim));
        };
        let is_its = match address.allowed {
            true => self.known_by(&address.article).await?.is_some_and(|story| story.id == article.id),
            false => article.url == address.article,
        };
        let (own, target) = match is_its {
            true => self.as_led(added, &address, article),
            false => (false, with_added(&address.target, added)),
        };
        (link.follows_article, link.target) = (own, Some(target));
        Ok(None)
    }

    async fn as_it_was(&self, found: &Found, now: &Editable, version: u64) -> Result<Editable> {
        let gone =
            || Refusal::field(Reason::InvalidValue, "revert_to", "there is no such version to go back to");
        if version == 0 || version > found.link.version {
            return Err(gone().into());
        }
        let mut later: Vec<HistoryEntry> = vec![];
        let mut before = None;
        while later.last().map_or(found.link.version + 1, |e| e.version) > version + 1 {
            let page = self.history(&found.link.code, before, HISTORY_PAGE).await?;
            before = page.last().map(|e| e.version);
            if page.is_empty() {
                return Err(gone().into());
            }
            later.extend(page.into_iter().filter(|e| e.version > version));
        }
        let mut was = now.taken_back(&later).ok_or_else(gone)?;
        // One that followed its story follows it to where that is now.
        if let Some(article) = found.article.as_deref().filter(|_| was.follows_article) {
            was.target = Some(with_added(article.address(), was.added.as_deref()));
        }
        // An earlier target may be one that is not allowed any more.
        if let Some(target) = &was.target {
            self.rules().plain(target, "revert_to")?;
        }
        Ok(was)
    }
}

fn stale(found: &Found) -> Refusal {
    let detail = format!("the link was changed meanwhile; it is at version {}", found.link.version);
    Refusal::field(Reason::Stale, "version", detail).with_version(found.link.version)
}
