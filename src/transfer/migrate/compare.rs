//! Two stores, item by item and number by number.
//!
//! Guarantees that what both say is the same whatever order each says it in, and that the first difference is named.
//! Links are also asked for one by one, as a redirect does, not only as an export tells them. Memory does not grow
//! with what is compared, but for 8 bytes a line of the audit.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher;
use std::path::Path;

use super::digest::{Digest, Part};
use super::marker::{Marker, Stage};
use super::numbers;
use crate::domain::code::fold;
use crate::store::Store;
use crate::store::accounts::{AUDIT_KEPT, AuditEntry, Key, User};
use crate::store::documents::Document;
use crate::store::links::ExportItem;
use crate::store::tallies::StreamState;
use crate::store::webhooks::Webhook;
use crate::transfer::{Error, Progress};

/// Lines of the audit asked for at once.
const AUDIT_PAGE: usize = 1_000;

/// How much was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Links.
    pub links: u64,
    /// Scopes with their numbers.
    pub scopes: u64,
    /// Lines of the audit.
    pub audited: u64,
    /// Lines of the audit that are older than those which the target keeps.
    pub audit_gone: u64,
}

pub(super) fn differ(what: impl std::fmt::Display) -> Error {
    Error::Refused(format!(
        "source and target are not the same: {what}. The source is untouched; was it used in between? Empty the \
         target (its data folder, and in Redis its database or prefix) and migrate again"
    ))
}

/// Tells how much is compared.
pub(super) struct Told<'a> {
    things: u64,
    expected: u64,
    progress: Progress<'a>,
}

impl Told<'_> {
    pub(super) fn more(&mut self, things: u64) {
        self.things += things;
        (self.progress)(self.things, Some(self.expected));
    }
}

/// What would show that somebody works with a store.
#[derive(PartialEq)]
struct Moment {
    version: u64,
    streams: Vec<StreamState>,
}

impl Moment {
    /// Reads an export's first page before, which waits until the store is known to be all at hand.
    async fn of(store: &Store) -> Result<Moment, Error> {
        store.links.export(None).await?;
        let version = store.links.changes_since(0).await?.version;
        Ok(Moment { version, streams: store.tallies.streams().await? })
    }
}

/// Compares everything that was copied; `dir` is the data folder of `to`. When it returns, the source may be left.
/// `progress` is told links and scopes.
///
/// # Errors
/// `Refused`, naming the first difference; else a store's.
pub async fn compare(
    from: &Store,
    to: &Store,
    dir: &Path,
    progress: Progress<'_>,
) -> Result<Compared, Error> {
    let Some(mut marker) = Marker::load(dir)? else {
        return Err(Error::Refused("nothing was copied that could be compared".into()));
    };
    let before = Moment::of(from).await?;
    let mut told = Told { things: 0, expected: 2 * from.links.count().await?, progress };
    let mut compared = Compared { links: links(from, to, &mut told).await?, ..Compared::default() };
    let (ours, theirs) = (from.tallies.dataset().await?, to.tallies.dataset().await?);
    if ours.zones != theirs.zones {
        return Err(differ(format!(
            "days are of {:?} in one and of {:?} in the other",
            ours.zones, theirs.zones
        )));
    }
    keys(from.accounts.keys().await?, to.accounts.keys().await?)?;
    users(from.accounts.users().await?, to.accounts.users().await?)?;
    documents(&from.documents.documents().await?, &to.documents.documents().await?)?;
    webhooks(from.webhooks.all().await?, to.webhooks.all().await?)?;
    (compared.audited, compared.audit_gone) = audit(from, to).await?;
    compared.scopes = numbers::compare(from, to, &mut told).await?;
    if Moment::of(from).await? != before {
        return Err(Error::Refused(
            "the source was changed while it was compared: another node or command works with it. Stop all of them \
             and migrate again"
                .into(),
        ));
    }
    marker.stage = Stage::Leave;
    marker.save(dir)?;
    Ok(compared)
}

/// Compares links, articles, aliases and histories; gives how many links.
async fn links(from: &Store, to: &Store, told: &mut Told<'_>) -> Result<u64, Error> {
    let (mut ours, mut theirs, mut links) = (Digest::new(), Digest::new(), 0);
    let mut pages = Pages::of(from);
    while let Some(items) = pages.next().await? {
        items.iter().for_each(|item| ours.add(item));
        let found = found(from, to, &items).await?;
        links += found;
        told.more(found);
    }
    let mut pages = Pages::of(to);
    while let Some(items) = pages.next().await? {
        items.iter().for_each(|item| theirs.add(item));
    }
    let Some(at) = ours.differs(&theirs) else { return Ok(links) };
    let mut part = Part::default();
    for (store, by) in [(from, 1), (to, -1)] {
        let mut pages = Pages::of(store);
        while let Some(items) = pages.next().await? {
            items.iter().for_each(|item| part.add(at, item, by));
        }
    }
    Err(differ(part.difference().unwrap_or_else(|| "links changed while they were compared".into())))
}

/// The pages of an export.
struct Pages<'a> {
    store: &'a Store,
    after: Option<String>,
    ended: bool,
}

impl<'a> Pages<'a> {
    fn of(store: &'a Store) -> Pages<'a> {
        Pages { store, after: None, ended: false }
    }

    async fn next(&mut self) -> Result<Option<Vec<ExportItem>>, Error> {
        if self.ended {
            return Ok(None);
        }
        let page = self.store.links.export(self.after.take()).await?;
        self.ended = page.after.is_none();
        self.after = page.after;
        Ok((!page.items.is_empty()).then_some(page.items))
    }
}

/// Asks the target for each link of a page; gives how many they are.
async fn found(from: &Store, to: &Store, items: &[ExportItem]) -> Result<u64, Error> {
    let mut by_key: BTreeMap<String, u64> = BTreeMap::new();
    let mut links = vec![];
    for item in items {
        if let ExportItem::Link { link, .. } = item {
            *by_key.entry(fold(link.code.as_str()).into_owned()).or_default() += 1;
            links.push(link);
        }
    }
    let keys: Vec<String> = by_key.keys().cloned().collect();
    let there = to.links.find_many(&keys).await?;
    let by_code: HashMap<&str, _> =
        there.iter().map(|found| (found.link.code.as_str(), &found.link)).collect();
    for link in &links {
        match by_code.get(link.code.as_str()) {
            None => return Err(differ(format!("link {} is missing in the target", link.code))),
            Some(found) if found.as_ref() != *link => {
                return Err(differ(format!("link {} is another in the target", link.code)));
            }
            Some(_) => {}
        }
    }
    let mut variants: BTreeMap<String, u64> = BTreeMap::new();
    there
        .iter()
        .for_each(|found| *variants.entry(fold(found.link.code.as_str()).into_owned()).or_default() += 1);
    for key in variants.into_iter().filter(|(_, n)| *n > 1).map(|(key, _)| key) {
        // Codes that differ only in case: the order decides which of them an address in another case means.
        if from.links.find(&key).await? != to.links.find(&key).await? {
            return Err(differ(format!(
                "the links whose code is {key} in any case are others in the target"
            )));
        }
    }
    Ok(u64::try_from(links.len()).unwrap_or(0))
}

fn keys(mut ours: Vec<Key>, mut theirs: Vec<Key>) -> Result<(), Error> {
    ours.sort_by(|a, b| a.id.cmp(&b.id));
    theirs.sort_by(|a, b| a.id.cmp(&b.id));
    first_difference(&ours, &theirs, |key| format!("API key {} ({})", key.id, key.name))
}

fn users(mut ours: Vec<User>, mut theirs: Vec<User>) -> Result<(), Error> {
    ours.sort_by(|a, b| a.name.cmp(&b.name));
    theirs.sort_by(|a, b| a.name.cmp(&b.name));
    first_difference(&ours, &theirs, |user| format!("user {}", user.name))
}

fn documents(ours: &[Document], theirs: &[Document]) -> Result<(), Error> {
    let missing = |one: &[Document], two: &[Document]| one.iter().find(|d| !two.contains(d)).cloned();
    let Some(Document { kind, name, .. }) = missing(ours, theirs).or_else(|| missing(theirs, ours)) else {
        return Ok(());
    };
    Err(differ(format!("{} {name} is missing or another in one of them", kind.as_str())))
}

fn webhooks(mut ours: Vec<Webhook>, mut theirs: Vec<Webhook>) -> Result<(), Error> {
    ours.sort_by(|a, b| a.id.cmp(&b.id));
    theirs.sort_by(|a, b| a.id.cmp(&b.id));
    first_difference(&ours, &theirs, |webhook| format!("webhook {} ({})", webhook.id, webhook.name))
}

fn first_difference<T: PartialEq>(ours: &[T], theirs: &[T], name: fn(&T) -> String) -> Result<(), Error> {
    let differs = |(one, two): &(&T, &T)| one != two;
    let first = match ours.iter().zip(theirs).find(differs) {
        Some((one, _)) => Some(one),
        None => ours.get(theirs.len()).or(theirs.get(ours.len())),
    };
    first.map_or(Ok(()), |first| Err(differ(format!("{} is missing or another in one of them", name(first)))))
}

/// What a line of the audit says, as a number.
fn said(entry: &AuditEntry) -> u64 {
    let AuditEntry { at, by, action, object, detail, .. } = entry;
    let said = (at.as_millisecond(), by, action, object, detail);
    foldhash::quality::FixedState::with_seed(0x51c6).hash_one(said)
}

/// Every line of the source must be in the target, of the newest that every store keeps; gives how many lines are,
/// and how many older ones the target has let go. A store may know more lines than were written: it makes those of
/// links from their histories.
async fn audit(from: &Store, to: &Store) -> Result<(u64, u64), Error> {
    let mut there: HashSet<u64, foldhash::fast::RandomState> = HashSet::default();
    let mut before = None;
    loop {
        let page = to.accounts.audited(before, AUDIT_PAGE).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        there.extend(page.iter().map(said));
    }
    let (mut before, mut same, mut gone) = (None, 0, 0);
    loop {
        let page = from.accounts.audited(before, AUDIT_PAGE).await?;
        let Some(last) = page.last() else { return Ok((same, gone)) };
        before = Some(last.id);
        for entry in &page {
            if there.contains(&said(entry)) {
                same += 1;
            } else if same + gone >= AUDIT_KEPT {
                gone += 1;
            } else {
                let AuditEntry { at, by, action, object, .. } = entry;
                return Err(differ(format!("the audit's line {action} {object} by {by} at {at} is missing")));
            }
        }
    }
}
