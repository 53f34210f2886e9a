//! An export, read back.
//!
//! Guarantees that what is there already is not written over, that numbers are set and never added, that a bad
//! line is told with its number and costs nothing but itself, and that an import which was cut short goes on
//! where it was: nothing is called done that a power cut could still take. Opens no store and no file but its
//! marker.

mod marker;
mod sink;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io::BufRead;
use std::path::Path;

use super::format::{FORMAT, Header, Item, KIND, StreamLine};
use super::lines::{self, Next};
use super::{Error, Lines, Progress, Unfinished, check, files, format, io};
use crate::domain::tally::{DaySketch, Group, Row, Scope, Series};
use crate::store::Store;
use crate::store::accounts::AccountItem;
use crate::store::documents::Document;
use crate::store::links::ExportItem;
use crate::store::webhooks::Webhook;
pub use marker::MARKER;
use marker::Marker;
use sink::Sink;

/// Things of a kind put into one step of the store.
const CHUNK: usize = 500;
/// Rows of numbers put into one step of the store.
const ROWS: usize = 20_000;
/// Most rows of one scope: far more than a century makes.
const SCOPE_ROWS: usize = 5_000_000;
/// Lines between two words of progress.
const TELL_EVERY: u64 = 1_000;

/// What an import shall do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Reads and checks everything, and writes nothing.
    pub dry_run: bool,
    /// Adds articles, aliases, links and their history to a store that is not empty; leaves all else out.
    pub merge: bool,
}

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Lines taken, by kind; what a merge leaves out is not in it.
    pub lines: Lines,
    /// Lines that could not be taken. Each was told.
    pub bad: u64,
    /// Lines that an earlier run had done.
    pub resumed: u64,
    /// True if the file's last line was there: else it may have been cut between two lines.
    pub whole: bool,
}

/// Reads the first line.
///
/// # Errors
/// `Refused` if this is no export, or one of another version; the text says which.
pub fn read_header(from: &mut impl BufRead) -> Result<Header, Error> {
    #[derive(serde::Deserialize)]
    struct Loose {
        kind: Option<String>,
        format: Option<u64>,
    }
    let mut line = vec![];
    if lines::next(from, &mut line).map_err(io("cannot read the import"))? != Next::Line {
        return Err(Error::Refused("the file is empty, or its first line is no export's".into()));
    }
    let loose: Loose = serde_json::from_slice(&line)
        .map_err(|_| Error::Refused("this is no export: its first line is not JSON".into()))?;
    if loose.kind.as_deref() != Some(KIND) {
        return Err(Error::Refused("this is no export: its first line is not of kind \"slugline\"".into()));
    }
    if loose.format != Some(u64::from(FORMAT)) {
        let found = loose.format.map_or("no version".into(), |v| format!("version {v}"));
        return Err(Error::Refused(format!("the export has {found}; this program reads version {FORMAT}")));
    }
    let mut header: Header = serde_json::from_slice(&line)
        .map_err(|e| Error::Refused(format!("the export's first line cannot be read: {e}")))?;
    if header.zones.is_empty() {
        header.zones.push((0, header.timezone.clone()));
    }
    header.hash = files::sha256(&line);
    Ok(header)
}

/// Gives a store that was opened with the first of the header's zones all the others.
///
/// # Errors
/// The store's.
pub async fn adopt_zones(store: &Store, header: &Header) -> Result<(), Error> {
    let has = store.tallies.dataset().await?.zones;
    for (from, zone) in header.zones.iter().filter(|zone| !has.contains(zone)) {
        store.tallies.add_zone(*from, zone).await?;
    }
    Ok(())
}

/// What an import in this data folder that was cut short was about.
pub(super) fn unfinished(dir: &Path) -> Result<Option<Unfinished>, Error> {
    let marker = Marker::load(dir)?.filter(|marker| !marker.ended);
    Ok(marker.map(|m| Unfinished::Import { source: m.source, lines: m.lines }))
}

/// Reads all lines after the header's into a store; `dir` is its data folder. Each line that cannot be taken is
/// given to `bad`, with its number and why. `progress` is told the lines read.
///
/// # Errors
/// `Refused` for a store that must not be imported into; else the store's or the reader's, and the import goes
/// on when it is run again with the same file.
pub async fn import(
    store: &Store,
    dir: &Path,
    header: &Header,
    from: &mut impl BufRead,
    options: Options,
    progress: Progress<'_>,
    bad: &mut dyn FnMut(u64, &str),
) -> Result<Imported, Error> {
    let resumed = admit(store, dir, header, options).await?;
    let mut importer = Importer {
        sink: Sink::new(store, options),
        lanes: usize::from(store.tallies.dataset().await?.lanes),
        options,
        done: Imported::default(),
        marker: (!options.dry_run).then(|| Marker::begin(header, options.merge, resumed)),
        dir,
        frozen: None,
        at: 1,
        pending: Pending::default(),
        group: None,
        last_scope: None,
        refused: HashSet::new(),
        bad,
    };
    importer.save()?;
    importer.run(from, resumed, progress).await?;
    Ok(importer.done)
}

/// Says whether this store may be imported into, and how many lines are done already.
async fn admit(store: &Store, dir: &Path, header: &Header, options: Options) -> Result<u64, Error> {
    let marker = Marker::load(dir)?;
    let same = marker.as_ref().filter(|m| m.header == header.hash && m.merge == options.merge);
    if let (Some(other), None) = (marker.as_ref().filter(|m| !m.ended), same) {
        return Err(Error::Refused(format!(
            "an import of another file (dataset {}) was cut short here; run it again with that file, or remove {} \
             from the data folder to leave it at that",
            other.source, MARKER
        )));
    }
    if options.merge {
        // From the beginning: whose history a line is, is known only from the lines before it.
        return Ok(0);
    }
    if store.tallies.dataset().await?.zones != header.zones {
        return Err(Error::Refused(format!(
            "the export's days are those of {}, the store's are others: their numbers cannot be put together",
            header.timezone
        )));
    }
    if store.tallies.streams().await?.iter().any(|s| s.ordinals.iter().any(|n| *n > 0)) {
        return Err(Error::Refused(
            "the store has counted hits: imported numbers would take their place. Import into a new data folder, \
             or add only the links with --merge"
                .into(),
        ));
    }
    if let Some(marker) = same {
        return Ok(if options.dry_run { 0 } else { marker.lines });
    }
    let links = store.links.export(None).await?.items;
    if !links.is_empty() || !store.tallies.export(None).await?.is_empty() {
        return Err(Error::Refused(
            "the store is not empty. Import into a new data folder, or add only the links with --merge"
                .into(),
        ));
    }
    Ok(0)
}

/// What waits for the store's next step; one of these at a time.
#[derive(Default)]
struct Pending {
    links: Vec<(u64, ExportItem)>,
    accounts: Vec<AccountItem>,
    documents: Vec<Document>,
    webhooks: Vec<Webhook>,
    groups: Vec<Group>,
    rows: usize,
}

/// The scope whose rows are being read.
struct Open {
    first_line: u64,
    group: Group,
    seen: HashSet<(Series, i64, String)>,
}

struct Importer<'a> {
    sink: Sink<'a>,
    /// The store's lanes, without the site lane.
    lanes: usize,
    options: Options,
    done: Imported,
    marker: Option<Marker>,
    dir: &'a Path,
    /// Where a later run begins because of a bad line, if there was one.
    frozen: Option<u64>,
    /// The line being read.
    at: u64,
    pending: Pending,
    group: Option<Open>,
    last_scope: Option<Scope>,
    /// Codes whose link was refused: their history belongs to nobody here.
    refused: HashSet<String>,
    bad: &'a mut dyn FnMut(u64, &str),
}

impl Importer<'_> {
    async fn run(&mut self, from: &mut impl BufRead, skip: u64, progress: Progress<'_>) -> Result<(), Error> {
        let mut line = vec![];
        loop {
            let next = lines::next(from, &mut line).map_err(io("cannot read the import"))?;
            if next == Next::End {
                break;
            }
            self.at += 1;
            if self.at.is_multiple_of(TELL_EVERY) {
                progress(self.at, None);
            }
            if self.at <= skip {
                self.done.resumed += 1;
            } else if next == Next::TooLong {
                self.refuse(self.at, "the line is too long");
            } else if self.done.whole {
                self.refuse(self.at, "a line behind the end");
            } else {
                match format::read(&line).and_then(|item| check::item(&item).map(|()| item)) {
                    Ok(item) => self.take(item).await?,
                    Err(why) => self.refuse(self.at, &why),
                }
            }
        }
        self.close_group();
        self.flush().await?;
        progress(self.at, Some(self.at));
        self.end().await
    }

    fn refuse(&mut self, line: u64, why: &str) {
        self.done.bad += 1;
        // A scope's numbers are set as a whole: a later run needs all of its lines.
        let before = self.group.as_ref().map_or(line, |open| open.first_line) - 1;
        self.frozen = Some(self.frozen.map_or(before, |at| at.min(before)));
        (self.bad)(line, why);
    }

    async fn take(&mut self, item: Item) -> Result<(), Error> {
        if self.options.merge && !matches!(item, Item::Links(_) | Item::End(_)) {
            return Ok(());
        }
        let kind = item.kind();
        if !matches!(item, Item::Tally(..) | Item::Sketch(..)) {
            self.close_group();
        }
        let turned = match item {
            Item::Links(_) => self.pending.links.is_empty(),
            Item::Account(_) => self.pending.accounts.is_empty(),
            Item::Document(_) => self.pending.documents.is_empty(),
            Item::Webhook(_) => self.pending.webhooks.is_empty(),
            Item::Tally(..) | Item::Sketch(..) => self.pending.groups.is_empty() && self.group.is_none(),
            Item::Stream(_) | Item::End(_) => true,
        };
        if turned {
            self.flush().await?;
        }
        match item {
            Item::Links(item) => self.pending.links.push((self.at, item)),
            Item::Account(item) => self.pending.accounts.push(item),
            Item::Document(document) => self.pending.documents.push(document),
            Item::Webhook(webhook) => self.pending.webhooks.push(webhook),
            Item::Tally(scope, row) => {
                if !self.tally(scope, row) {
                    return Ok(());
                }
            }
            Item::Sketch(scope, sketch) => {
                if !self.sketch(scope, sketch) {
                    return Ok(());
                }
            }
            Item::Stream(line) => self.stream(&line).await?,
            Item::End(lines) => self.last(lines),
        }
        if !matches!(kind, "alias" | "article" | "link" | "history" | "end") {
            self.done.lines.add(kind);
        }
        let full = self.pending.links.len() >= CHUNK
            || self.pending.accounts.len() >= CHUNK
            || self.pending.documents.len() >= CHUNK
            || self.pending.webhooks.len() >= CHUNK
            || self.pending.groups.len() >= CHUNK
            || self.pending.rows >= ROWS;
        if full { self.flush().await } else { Ok(()) }
    }

    /// Opens a scope if another one is open; false if that comes too late.
    fn open(&mut self, scope: Scope) -> bool {
        if self.group.as_ref().is_some_and(|open| open.group.scope == scope) {
            return true;
        }
        self.close_group();
        if self.last_scope.as_ref().is_some_and(|last| last.parts() >= scope.parts()) {
            let why = "scopes are not in order: the rows of each stand together, in ascending order";
            self.refuse(self.at, why);
            return false;
        }
        self.last_scope = Some(scope.clone());
        self.group =
            Some(Open { first_line: self.at, group: Group::of(scope, vec![]), seen: HashSet::new() });
        true
    }

    /// Adds a row to its scope; false if it is bad.
    fn tally(&mut self, scope: Scope, row: Row) -> bool {
        if !self.open(scope) {
            return false;
        }
        let Some(open) = &mut self.group else { return false };
        let fits = open.group.rows.len() < SCOPE_ROWS;
        if !fits || !open.seen.insert((row.series, row.bucket, row.value.to_string())) {
            let why = if fits { "this number was there before" } else { "the scope has too many numbers" };
            self.refuse(self.at, why);
            return false;
        }
        open.group.rows.push(row);
        true
    }

    /// Adds a sketch to its scope; false if it is bad.
    fn sketch(&mut self, scope: Scope, sketch: DaySketch) -> bool {
        if !self.open(scope) {
            return false;
        }
        let Some(open) = &mut self.group else { return false };
        if open.group.sketches.iter().any(|there| (there.of, there.day) == (sketch.of, sketch.day)) {
            self.refuse(self.at, "this sketch was there before");
            return false;
        }
        open.group.sketches.push(sketch);
        true
    }

    fn close_group(&mut self) {
        if let Some(open) = self.group.take() {
            self.pending.rows += open.group.rows.len();
            self.pending.groups.push(open.group);
        }
    }

    /// Streams of another dataset are not gone on with: what they counted is in the numbers. What was lost is
    /// told on the line without a name.
    async fn stream(&mut self, line: &StreamLine) -> Result<(), Error> {
        let Some((site, lanes)) = line.lost.split_last() else { return Ok(()) };
        if line.stream.is_some() {
            return Ok(());
        }
        let mut lost = vec![0; self.lanes];
        for (lane, n) in lanes.iter().enumerate() {
            // What was lost in a lane that is not here still was lost.
            if let Some(here) = lost.get_mut(if lane < self.lanes { lane } else { 0 }) {
                *here += n;
            }
        }
        lost.push(*site);
        self.sink.lost(&lost).await?;
        Ok(())
    }

    fn last(&mut self, lines: u64) {
        self.done.whole = true;
        if lines + 1 != self.at {
            self.refuse(
                self.at,
                &format!("the export had {lines} lines before this one, the file has {}", self.at - 1),
            );
        }
    }

    /// Puts what waits into the store and notes how far the import is.
    async fn flush(&mut self) -> Result<(), Error> {
        let Pending { links, accounts, documents, webhooks, groups, .. } = std::mem::take(&mut self.pending);
        let accounted = accounts.is_empty() && documents.is_empty() && webhooks.is_empty();
        if links.is_empty() && accounted && groups.is_empty() {
            return Ok(());
        }
        if !links.is_empty() {
            // Links first: whether one is taken decides whose the history is.
            let (history, rest): (Vec<_>, Vec<_>) =
                links.into_iter().partition(|(_, item)| matches!(item, ExportItem::History { .. }));
            self.links(rest).await?;
            self.links(history).await?;
        }
        if !accounts.is_empty() {
            self.sink.accounts(accounts).await?;
        }
        if !documents.is_empty() {
            self.sink.documents(documents).await?;
        }
        if !webhooks.is_empty() {
            self.sink.webhooks(webhooks).await?;
        }
        if !groups.is_empty() {
            self.sink.groups(groups).await?;
        }
        // The line being read is not in any of it yet, unless this is the end of a full chunk; doing a line
        // twice is doing it once.
        let safe = self.group.as_ref().map_or(self.at, |open| open.first_line) - 1;
        let safe = self.frozen.map_or(safe, |frozen| safe.min(frozen));
        if let Some(marker) = &mut self.marker {
            marker.lines = safe.max(marker.lines);
        }
        self.save()
    }

    async fn links(&mut self, items: Vec<(u64, ExportItem)>) -> Result<(), Error> {
        let (mut told, mut passed) = (vec![], vec![]);
        for (line, item) in items {
            match &item {
                ExportItem::History { code, .. } if self.refused.contains(code.as_str()) => {
                    self.refuse(line, "its link was not taken");
                }
                ExportItem::History { code, .. } if !self.sink.knows(code) => {
                    self.refuse(line, "its link is not in the file before it");
                }
                _ => {
                    let code = match &item {
                        ExportItem::Link { link, .. } => Some(link.code.clone()),
                        _ => None,
                    };
                    let kind = Item::Links(item.clone()).kind();
                    told.push((line, kind, code));
                    passed.push(item);
                }
            }
        }
        let outcomes = self.sink.links(passed).await?;
        for ((line, kind, code), outcome) in told.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => self.done.lines.add(kind),
                Err(why) => {
                    self.refused.extend(code.map(|code| code.as_str().to_owned()));
                    self.refuse(line, &why);
                }
            }
        }
        Ok(())
    }

    fn save(&self) -> Result<(), Error> {
        self.marker.as_ref().map_or(Ok(()), |marker| marker.save(self.dir))
    }

    /// All lines are read. Without a bad one the marker goes; with one it says where to begin again.
    async fn end(&mut self) -> Result<(), Error> {
        self.sink.settle().await?;
        let Some(marker) = &mut self.marker else { return Ok(()) };
        if self.done.bad == 0 {
            return Marker::remove(self.dir);
        }
        marker.ended = true;
        self.save()
    }
}
