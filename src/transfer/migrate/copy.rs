//! Copying: one stage after the other, each page noted when the other store has it durably.
//!
//! Guarantees that a step which is done twice changes nothing more.

use std::path::Path;

use super::admit::admit;
use super::marker::{Marker, Stage};
use crate::domain::lane::Lane;
use crate::domain::tally::{ScopeKind, StreamId};
use crate::store::Store;
use crate::store::accounts::AccountItem;
use crate::store::links::ExportItem;
use crate::transfer::{Error, Lines, Progress};

/// Lines of the audit asked for at once.
const AUDIT_PAGE: usize = 500;

/// What was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// What this run copied, by kind: articles, aliases, links, lines of history, keys, users, settings, channels, lines
    /// of the audit, and scopes that have numbers.
    pub lines: Lines,
    /// True if an earlier run had begun.
    pub resumed: bool,
}

/// Copies everything that `from` keeps into `to`, whose data folder is `dir`. `progress` is told links and scopes.
///
/// # Errors
/// `Refused` where it must not be done; else a store's. It goes on when it is run again.
pub async fn copy(from: &Store, to: &Store, dir: &Path, progress: Progress<'_>) -> Result<Copied, Error> {
    let (source, target) = (from.tallies.dataset().await?, to.tallies.dataset().await?);
    let resumed = super::unfinished(dir)?.is_some();
    let marker = admit(from, to, (&source, &target), dir).await?;
    let copied = Copied { resumed, ..Copied::default() };
    // Most links have numbers of their own.
    let expected = 2 * from.links.count().await?;
    let mut copying = Copying { from, to, dir, marker, copied, told: 0, expected, progress };
    copying.marker.save(dir)?;
    for (since, zone) in source.zones.iter().filter(|zone| !target.zones.contains(zone)) {
        to.tallies.add_zone(*since, zone).await?;
    }
    copying.run(target.lanes).await?;
    Ok(copying.copied)
}

struct Copying<'a> {
    from: &'a Store,
    to: &'a Store,
    dir: &'a Path,
    marker: Marker,
    copied: Copied,
    told: u64,
    expected: u64,
    progress: Progress<'a>,
}

impl Copying<'_> {
    fn next(&mut self, stage: Stage) -> Result<(), Error> {
        self.marker.stage = stage;
        self.marker.save(self.dir)
    }

    fn tell(&mut self, things: usize) {
        self.told += u64::try_from(things).unwrap_or(0);
        (self.progress)(self.told, Some(self.expected));
    }

    /// Stage after stage, from the one that the marker says.
    async fn run(&mut self, lanes: Lane) -> Result<(), Error> {
        loop {
            match self.marker.stage.clone() {
                Stage::Links(after) => self.links(after).await?,
                Stage::Accounts => self.accounts().await?,
                Stage::Numbers(after) => self.numbers(after, lanes).await?,
                Stage::Compare | Stage::Leave => return Ok(()),
            }
        }
    }

    async fn links(&mut self, mut after: Option<String>) -> Result<(), Error> {
        if after.is_some() {
            // Only a first page waits until the source is known to have everything at hand.
            self.from.links.export(None).await?;
        }
        loop {
            let page = self.from.links.export(after).await?;
            let links = page.items.iter().filter(|item| matches!(item, ExportItem::Link { .. })).count();
            self.put(page.items).await?;
            self.tell(links);
            after = page.after;
            if after.is_none() {
                return self.next(Stage::Accounts);
            }
            self.next(Stage::Links(after.clone()))?;
        }
    }

    async fn put(&mut self, items: Vec<ExportItem>) -> Result<(), Error> {
        let said: Vec<(&'static str, String)> =
            items.iter().map(|item| (kind_of(item), name_of(item))).collect();
        let outcomes = self.to.links.import(items).await?;
        for ((kind, name), outcome) in said.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => self.copied.lines.add(kind),
                Err(why) => return Err(Error::Refused(format!("the target does not take {name}: {why}"))),
            }
        }
        Ok(())
    }

    async fn accounts(&mut self) -> Result<(), Error> {
        let keys = self.from.accounts.keys().await?;
        let users = self.from.accounts.users().await?;
        keys.iter().for_each(|_| self.copied.lines.add("key"));
        users.iter().for_each(|_| self.copied.lines.add("user"));
        let keys = keys.into_iter().map(AccountItem::Key);
        self.to.accounts.import(keys.chain(users.into_iter().map(AccountItem::User)).collect()).await?;
        let documents = self.from.documents.documents().await?;
        documents.iter().for_each(|document| self.copied.lines.add(document.kind.as_str()));
        self.to.documents.import_documents(documents).await?;
        let webhooks = self.from.webhooks.all().await?;
        webhooks.iter().for_each(|_| self.copied.lines.add("webhook"));
        // From store to store with their secrets: receivers need not be told. What is on its way stays behind.
        self.to.webhooks.import(webhooks).await?;
        let mut before = None;
        loop {
            let page = self.from.accounts.audited(before, AUDIT_PAGE).await?;
            let Some(last) = page.last() else { return self.next(Stage::Numbers(None)) };
            before = Some(last.id);
            page.iter().for_each(|_| self.copied.lines.add("audit"));
            self.to.accounts.import(page.into_iter().map(AccountItem::Audit).collect()).await?;
        }
    }

    async fn numbers(&mut self, after: Option<(String, String)>, lanes: Lane) -> Result<(), Error> {
        let known = |(kind, name): (String, String)| Some((ScopeKind::from_name(&kind)?, name));
        let mut after = after.and_then(known);
        loop {
            let groups = self.from.tallies.export(after).await?;
            let Some(last) = groups.last() else { break };
            let (kind, name) = last.scope.parts();
            let here = (kind, name.to_owned());
            let scopes = groups.len();
            groups.iter().for_each(|_| self.copied.lines.add("scope"));
            self.to.tallies.import(groups).await?;
            self.settle().await?;
            self.tell(scopes);
            self.next(Stage::numbers_after(here.0, &here.1))?;
            after = Some(here);
        }
        for (lane, lost) in (0..=lanes).zip(self.lost(lanes).await?) {
            self.to.tallies.import_lost(lane, lost).await?;
        }
        self.settle().await?;
        self.next(Stage::Compare)
    }

    /// The note must not be ahead of what a power cut leaves: asking what that would be makes it so.
    async fn settle(&self) -> Result<(), Error> {
        self.to.tallies.durable_stream(StreamId(0)).await?;
        Ok(())
    }

    /// What was lost, by the lanes of the other store: in a lane that is not there it still was lost.
    async fn lost(&self, lanes: Lane) -> Result<Vec<u64>, Error> {
        let all = self.from.tallies.lost().await?;
        let Some((site, of_lanes)) = all.split_last() else { return Ok(vec![]) };
        let mut lost = vec![0; usize::from(lanes)];
        for (lane, n) in of_lanes.iter().enumerate() {
            if let Some(here) = lost.get_mut(if lane < usize::from(lanes) { lane } else { 0 }) {
                *here += n;
            }
        }
        lost.push(*site);
        Ok(lost)
    }
}

fn kind_of(item: &ExportItem) -> &'static str {
    match item {
        ExportItem::Article(_) => "article",
        ExportItem::Alias { .. } => "alias",
        ExportItem::Link { .. } => "link",
        ExportItem::History { .. } | ExportItem::ArticleHistory { .. } => "history",
    }
}

/// A thing, in words.
pub(super) fn name_of(item: &ExportItem) -> String {
    match item {
        ExportItem::Article(article) => format!("article {}", article.id.0),
        ExportItem::Alias { kind, value, .. } => format!("{kind} {value} of an article"),
        ExportItem::Link { link, .. } => format!("link {}", link.code),
        ExportItem::History { code, entry } => {
            format!("version {} in the history of link {code}", entry.version)
        }
        ExportItem::ArticleHistory { article, entry } => {
            format!("version {} in the history of article {}", entry.version, article.0)
        }
    }
}
