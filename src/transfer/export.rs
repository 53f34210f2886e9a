//! Everything that is kept, as JSON lines.
//!
//! Guarantees bounded memory, the order in which an import needs the lines, and the same bytes for the same
//! content (but `exported_at`). Beside a running server each page is what was kept when it was read. Knows
//! hashes only, never a secret.

use std::io::Write;
use std::sync::Arc;

use futures_util::stream::{self, Stream};
use jiff::Timestamp;

use super::format::{self, EndLine, FORMAT, Header, KIND, Line, StreamLine};
use super::{Error, Lines, Progress, io};
use crate::domain::calendar::Calendar;
use crate::store::accounts::AccountItem;
use crate::store::tallies::StreamState;
use crate::store::{Links, Store, Tallies};

/// Lines of the audit asked for at once.
const AUDIT_PAGE: usize = 1_000;
/// Lines between two words of progress.
const TELL_EVERY: u64 = 1_000;

struct Out<'a, W> {
    to: &'a mut W,
    lines: Lines,
    written: u64,
    expected: Option<u64>,
    progress: Progress<'a>,
}

impl<W: Write> Out<'_, W> {
    fn put(&mut self, kind: &'static str, line: &impl serde::Serialize) -> Result<(), Error> {
        serde_json::to_writer(&mut *self.to, line).map_err(|e| io("cannot write the export")(e.into()))?;
        self.to.write_all(b"\n").map_err(io("cannot write the export"))?;
        self.lines.add(kind);
        self.written += 1;
        if self.written.is_multiple_of(TELL_EVERY) {
            (self.progress)(self.written, self.expected);
        }
        Ok(())
    }
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Lines by kind.
    pub lines: Lines,
    /// True if nothing was counted meanwhile, and every hit counted for its link was counted for the site too.
    /// Else the numbers are of slightly different moments: those of an export to move elsewhere should not be.
    pub settled: bool,
}

/// Writes everything that is kept to `to`. `progress` is told the lines written.
///
/// # Errors
/// The store's, or the writer's.
pub async fn export<W: Write>(
    store: &Store,
    to: &mut W,
    progress: Progress<'_>,
    now: Timestamp,
) -> Result<Exported, Error> {
    let mut out = Out { to, lines: Lines::default(), written: 0, expected: None, progress };
    out.put(KIND, &header(&*store.tallies, now).await?)?;
    links(store, &mut out).await?;
    accounts(store, &mut out).await?;
    documents(store, &mut out).await?;
    let before = store.tallies.streams().await?;
    tallies(store, &mut out).await?;
    let settled = streams(store, &mut out).await? == before && before.iter().all(is_settled);
    audit(store, &mut out).await?;
    let end = EndLine { lines: out.written };
    out.put("end", &Line::End(end))?;
    out.to.flush().map_err(io("cannot write the export"))?;
    (out.progress)(out.written, Some(out.written));
    Ok(Exported { lines: out.lines, settled })
}

async fn header(tallies: &dyn Tallies, now: Timestamp) -> Result<Header, Error> {
    let dataset = tallies.dataset().await?;
    let calendar = Calendar::new(&dataset.zones).map_err(|e| Error::Refused(e.to_string()))?;
    Ok(Header {
        kind: KIND.into(),
        format: FORMAT,
        dataset: dataset.id.to_string(),
        timezone: calendar.zone_name(now),
        zones: dataset.zones,
        lanes: dataset.lanes,
        exported_at: Some(now),
        hash: String::new(),
    })
}

/// Stories, links and their history as an export of their own, piece by piece and in bounded memory: what an import with
/// `--merge` reads. One that was cut short lacks its last line.
pub fn links_only(
    links: Arc<dyn Links>,
    tallies: Arc<dyn Tallies>,
    now: Timestamp,
) -> impl Stream<Item = Result<Vec<u8>, Error>> + Send {
    let begin = (links, tallies, Some(None), 0_u64);
    stream::try_unfold(begin, move |(links, tallies, next, mut written)| async move {
        let Some(after) = next else { return Ok(None) };
        let mut piece = vec![];
        if written == 0 {
            line(&mut piece, &header(&*tallies, now).await?)?;
            written += 1;
        }
        let page = links.export(after).await?;
        for item in &page.items {
            line(&mut piece, &format::link_line(item))?;
            written += 1;
        }
        let more = page.after.filter(|_| !page.items.is_empty());
        if more.is_none() {
            line(&mut piece, &Line::End(EndLine { lines: written }))?;
        }
        Ok(Some((piece, (links, tallies, more.map(Some), written))))
    })
}

fn line(piece: &mut Vec<u8>, line: &impl serde::Serialize) -> Result<(), Error> {
    serde_json::to_writer(&mut *piece, line).map_err(|e| io("cannot write the export")(e.into()))?;
    piece.push(b'\n');
    Ok(())
}

async fn links<W: Write>(store: &Store, out: &mut Out<'_, W>) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = store.links.export(after).await?;
        if page.items.is_empty() {
            return Ok(());
        }
        for item in &page.items {
            let line = format::link_line(item);
            out.put(kind_of(&line), &line)?;
        }
        after = page.after;
        if after.is_none() {
            return Ok(());
        }
    }
}

fn kind_of(line: &Line) -> &'static str {
    match line {
        Line::Article(_) => "article",
        Line::Alias(_) => "alias",
        Line::Link(_) => "link",
        Line::History(_) => "history",
        Line::Key(_) => "key",
        Line::User(_) => "user",
        Line::Tally(_) => "tally",
        Line::Uniques(_) => "uniques",
        Line::Stream(_) => "stream",
        Line::Audit(_) => "audit",
        Line::Webhook(_) => "webhook",
        Line::End(_) => "end",
        Line::Setting(_) => "setting",
        Line::Channel(_) => "channel",
        Line::Digest(_) => "digest",
    }
}

async fn accounts<W: Write>(store: &Store, out: &mut Out<'_, W>) -> Result<(), Error> {
    for key in store.accounts.keys().await? {
        out.put("key", &format::account_line(AccountItem::Key(key)))?;
    }
    for user in store.accounts.users().await? {
        out.put("user", &format::account_line(AccountItem::User(user)))?;
    }
    for webhook in store.webhooks.all().await? {
        out.put("webhook", &format::webhook_line(webhook))?;
    }
    Ok(())
}

async fn documents<W: Write>(store: &Store, out: &mut Out<'_, W>) -> Result<(), Error> {
    for document in store.documents.documents().await? {
        out.put(document.kind.as_str(), &format::document_line(document))?;
    }
    Ok(())
}

async fn tallies<W: Write>(store: &Store, out: &mut Out<'_, W>) -> Result<(), Error> {
    let mut after = None;
    loop {
        let mut groups = store.tallies.export(after).await?;
        let Some(last) = groups.last() else { return Ok(()) };
        let (kind, name) = last.scope.parts();
        after = Some((kind, name.to_owned()));
        for group in &mut groups {
            // A backend's own order must not show.
            group.rows.sort_by(|a, b| (a.series, a.bucket, &a.value).cmp(&(b.series, b.bucket, &b.value)));
            let scope = format::scope_text(&group.scope);
            for row in &group.rows {
                out.put("tally", &format::tally_line(&scope, row))?;
            }
            for sketch in &group.sketches {
                out.put("uniques", &format::uniques_line(&scope, sketch))?;
            }
        }
    }
}

/// True if as many hits were counted in the links' lanes as in the site's.
fn is_settled(state: &StreamState) -> bool {
    state.ordinals.split_last().is_none_or(|(site, lanes)| lanes.iter().sum::<u64>() == *site)
}

async fn streams<W: Write>(store: &Store, out: &mut Out<'_, W>) -> Result<Vec<StreamState>, Error> {
    let audit = store.tallies.audit().await?;
    let before = StreamLine {
        stream: None,
        began_ms: None,
        ordinals: audit.iter().map(|lane| lane.base).collect(),
        lost: audit.iter().map(|lane| lane.lost).collect(),
        finished_at: None,
    };
    out.put("stream", &Line::Stream(before))?;
    let found = store.tallies.streams().await?;
    let mut streams = found.clone();
    streams.sort_by_key(|s| (s.began_ms, s.stream));
    for state in streams {
        let line = StreamLine {
            stream: Some(state.stream.to_string()),
            began_ms: Some(state.began_ms),
            ordinals: state.ordinals,
            lost: vec![],
            finished_at: state.finished_at,
        };
        out.put("stream", &Line::Stream(line))?;
    }
    Ok(found)
}

async fn audit<W: Write>(store: &Store, out: &mut Out<'_, W>) -> Result<(), Error> {
    let mut before = None;
    loop {
        let page = store.accounts.audited(before, AUDIT_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.id);
        for entry in page {
            out.put("audit", &format::account_line(AccountItem::Audit(entry)))?;
        }
    }
}
