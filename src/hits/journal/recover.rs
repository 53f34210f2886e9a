//! What an earlier boot left behind: which files are whose, and how far each goes.
//!
//! A segment belongs to its dataset by its header or, where that is damaged, by a record that is valid for its
//! name and our dataset. Everything else is told and left alone. Reads the records of a segment only where no
//! later header says how far it went. Total: any files give a shelf.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::domain::tally::StreamId;

use super::core::{Owner, is_spare, spare_name};
use super::damage::Odd;
use super::disk::{Disk, Listed, SegmentFile, read_all};
use super::finished::{self, FinishedStream};
use super::format::{self, Identity, Layout, Ordinals, index, parse_name, seed};
use super::record::{self, Said};
use super::scan::{Scanner, Step};
use super::shelf::{Log, MAX_SPARES, Segment, Shelf};

/// A file that may be a segment of ours.
struct Found {
    name: String,
    stream: StreamId,
    number: u64,
    len: u64,
    identity: Option<Identity>,
    starts: Option<Ordinals>,
    overflow: Option<Ordinals>,
    blank: bool,
    /// True if its identity is another one of ours: a spare that was renamed in a hurry just before a power
    /// cut, or a file that somebody renamed.
    misnamed: bool,
}

/// What the records of a segment say.
#[derive(Default)]
struct Scanned {
    records: u64,
    /// The ordinals in its first record, if that is a mark.
    first: Option<Vec<u64>>,
    ends: Vec<u64>,
    began_ms: Option<i64>,
    last_ms: Option<i64>,
    /// Its last record is the stream's last mark: it was closed in order, and nothing was written after it.
    closed: bool,
}

pub(super) struct Recovered {
    pub(super) shelf: Shelf,
    pub(super) odd: Vec<Odd>,
    /// Segments of ours whose header is damaged.
    pub(super) hurt: Vec<Arc<Segment>>,
    /// What the disk said when it was to make the rest of a killed process's hits survive a power cut.
    pub(super) sync_error: Option<io::Error>,
}

/// Looks at everything in the folder.
pub(super) fn recover(disk: &dyn Disk, owner: Owner, done: &[FinishedStream]) -> io::Result<Recovered> {
    let mut recovered =
        Recovered { shelf: Shelf::default(), odd: Vec::new(), hurt: Vec::new(), sync_error: None };
    let mut streams: BTreeMap<StreamId, Vec<Found>> = BTreeMap::new();
    for file in disk.list(false)? {
        if is_spare(&file.name) {
            keep_spare(disk, &mut recovered.shelf, file, None)?;
        } else if let Some((stream, number)) = parse_name(&file.name) {
            let found = look(disk, owner, stream, number, file)?;
            if let Some(ours) = sort_out(&mut recovered, owner, found) {
                streams.entry(stream).or_default().push(ours);
            }
        } else if file.name != finished::FILE && file.name != finished::TEMPORARY {
            recovered.odd.push(Odd::NotASegment { file: file.name });
        }
    }
    for (stream, mut files) in streams {
        files.sort_by_key(|f| f.number);
        let known = done.iter().find(|d| d.stream == stream);
        gather(disk, owner, &mut recovered, files, known)?;
    }
    Ok(recovered)
}

/// Keeps a file for reuse if it has the size in use (none at the start: the size is checked when it is used).
fn keep_spare(disk: &dyn Disk, shelf: &mut Shelf, file: Listed, rename: Option<String>) -> io::Result<()> {
    if shelf.spares.len() >= MAX_SPARES {
        return disk.remove(&file.name);
    }
    if let Some(to) = &rename {
        disk.rename(&file.name, to)?;
        disk.sync_dir()?;
    }
    shelf.spares.push(rename.unwrap_or(file.name));
    Ok(())
}

fn read_header(file: &dyn SegmentFile, lanes: u16) -> Vec<u8> {
    let mut header = vec![0; index(Layout::of(lanes).records) + 8];
    let n = read_all(file, 0, &mut header);
    header.truncate(n);
    header
}

fn look(disk: &dyn Disk, owner: Owner, stream: StreamId, number: u64, listed: Listed) -> io::Result<Found> {
    let file = disk.open(&listed.name)?;
    let header = read_header(file.as_ref(), owner.lanes);
    let layout = Layout::of(owner.lanes);
    let seed = seed(stream, number, owner.dataset);
    let part = |at| format::decode_ordinals(&header, owner.lanes, seed, at);
    Ok(Found {
        stream,
        number,
        len: listed.len,
        name: listed.name,
        identity: Identity::decode(&header),
        starts: part(layout.starts),
        overflow: layout.overflow.into_iter().filter_map(part).max_by_key(|o| o.stamp),
        blank: header.iter().all(|b| *b == 0),
        misnamed: false,
    })
}

/// Tells what is not ours; gives what is, or may be.
fn sort_out(recovered: &mut Recovered, owner: Owner, mut found: Found) -> Option<Found> {
    let Some(identity) = &found.identity else { return Some(found) };
    let file = found.name.clone();
    if identity.dataset != owner.dataset {
        let (dataset, began_ms) = (identity.dataset, identity.began_ms);
        let entry = recovered.shelf.foreign.entry(identity.stream).or_insert((dataset, began_ms, 0));
        entry.2 += found.len;
        recovered.odd.push(Odd::Foreign { file, dataset });
    } else if identity.lanes != owner.lanes {
        recovered.odd.push(Odd::OtherLanes { file, lanes: identity.lanes });
    } else if (identity.stream, identity.number) != (found.stream, found.number) {
        (found.identity, found.misnamed) = (None, true);
        return Some(found);
    } else {
        return Some(found);
    }
    None
}

/// Puts one stream's files on the shelf.
fn gather(
    disk: &dyn Disk,
    owner: Owner,
    recovered: &mut Recovered,
    files: Vec<Found>,
    known: Option<&FinishedStream>,
) -> io::Result<()> {
    let ours = files.iter().any(|f| f.identity.is_some());
    let mut began_ms = files.iter().find_map(|f| f.identity.as_ref()).map(|i| i.began_ms);
    let mut segments: VecDeque<Arc<Segment>> = VecDeque::new();
    let mut ends = vec![0; usize::from(owner.lanes) + 1];
    let mut closed = false;
    let mut files = files.into_iter().peekable();
    while let Some(file) = files.next() {
        let told = told(files.peek(), known);
        let scanned = match (&file.starts, &told) {
            (Some(_), Some(_)) => None,
            // Made ready for a stream that then ended.
            (None, _) if closed => None,
            _ => Some(scan(disk, owner, &file, &ends)?),
        };
        let records = scanned.as_ref().map_or(0, |s| s.records);
        closed |= scanned.as_ref().is_some_and(|s| s.closed);
        let proven = file.starts.is_some() || file.overflow.is_some() || records > 0;
        let empty = told.as_ref().is_none_or(|(to, _)| to.iter().zip(&ends).all(|(to, have)| to <= have));
        if !proven && empty && (file.identity.is_some() || file.blank) {
            // Made ready, and never begun.
            let spare = spare_name(&file.name);
            keep_spare(disk, &mut recovered.shelf, Listed { name: file.name, len: file.len }, Some(spare))?;
            continue;
        }
        if !proven && (file.misnamed || !ours) {
            let (file, misnamed) = (file.name, file.misnamed);
            recovered.odd.push(if misnamed { Odd::Misnamed { file } } else { Odd::Unreadable { file } });
            continue;
        }
        let scanned = scanned.unwrap_or_default();
        began_ms = began_ms.or(scanned.began_ms);
        let starts =
            file.starts.as_ref().map(|s| s.of.clone()).or(scanned.first).unwrap_or_else(|| ends.clone());
        raise(&mut ends, &scanned.ends);
        raise(&mut ends, file.overflow.as_ref().map_or(&[][..], |o| &o.of));
        raise(&mut ends, told.as_ref().map_or(&[][..], |t| &t.0));
        let segment = Segment::found(file.stream, file.number, file.len, starts, ends.clone());
        let last_ms =
            scanned.last_ms.into_iter().chain(told.map(|t| t.1)).chain(file.starts.map(|s| s.stamp));
        segment.last_ms.store(last_ms.max().unwrap_or(0), Ordering::Relaxed);
        segment.overflowed.store(file.overflow.is_some(), Ordering::Relaxed);
        // A process that was killed has left hits that no sync covered. For a file without any this is cheap.
        if let Err(e) = disk.open(&file.name).and_then(|f| f.sync()) {
            recovered.sync_error = Some(e);
        }
        let segment = Arc::new(segment);
        if file.identity.is_none() {
            recovered.hurt.push(Arc::clone(&segment));
        }
        segments.push_back(segment);
    }
    if let Some(first) = segments.front() {
        let log = Log {
            began_ms: began_ms.unwrap_or(0),
            dataset: owner.dataset,
            applied: vec![0; ends.len()],
            segments: segments.clone(),
        };
        recovered.shelf.logs.insert(first.stream, log);
    }
    Ok(())
}

/// The ordinals at a segment's end, and when that was: what the header of the next one says, or what is remembered of
/// the last one, spares reading the records.
fn told(next: Option<&Found>, known: Option<&FinishedStream>) -> Option<(Vec<u64>, i64)> {
    match (next.map(|next| &next.starts), known) {
        (Some(Some(next)), _) => Some((next.of.clone(), next.stamp)),
        (None, Some(known)) => Some((known.ordinals.clone(), known.finished_ms)),
        _ => None,
    }
}

/// Raises each ordinal to at least that of `to`.
pub(super) fn raise(ordinals: &mut [u64], to: &[u64]) {
    for (ordinal, to) in ordinals.iter_mut().zip(to) {
        *ordinal = (*ordinal).max(*to);
    }
}

fn scan(disk: &dyn Disk, owner: Owner, found: &Found, before: &[u64]) -> io::Result<Scanned> {
    let file = disk.open(&found.name)?;
    let seed = seed(found.stream, found.number, owner.dataset);
    let mut scanner = Scanner::new(file, seed, owner.lanes, Layout::of(owner.lanes).records);
    let mut said = Scanned { ends: before.to_vec(), ..Scanned::default() };
    let site = usize::from(owner.lanes);
    while !said.closed || scanner.goes_on(found.len) {
        let range = match scanner.step(found.len, false) {
            Step::Record(range) => range,
            Step::Skipped { .. } => continue,
            Step::End => break,
        };
        let payload = scanner.payload(range);
        match record::peek(payload, owner.lanes) {
            Some(Said::Hit { lane, lane_ordinal, site_ordinal, at_ms }) => {
                raise(&mut said.ends[usize::from(lane)..=usize::from(lane)], &[lane_ordinal]);
                raise(&mut said.ends[site..], &[site_ordinal]);
                said.began_ms = said.began_ms.or(Some(at_ms));
                said.last_ms = said.last_ms.max(Some(at_ms));
            }
            Some(Said::Mark { last, at_ms, began_ms }) => {
                let ends: Vec<u64> = record::mark_ends(payload).collect();
                raise(&mut said.ends, &ends);
                if said.records == 0 {
                    said.first = Some(ends);
                }
                said.began_ms = Some(began_ms);
                said.last_ms = said.last_ms.max(Some(at_ms));
                said.closed = last;
            }
            None => continue,
        }
        said.records += 1;
    }
    Ok(said)
}
