//! Which streams are finished, and with which ordinals: `streams.json`.
//!
//! The store keeps a tombstone of a finished stream for 30 days; the node keeps the same numbers as long, so
//! that after a rollback it can say how much it cannot send again. Written whole and atomically. A file that
//! cannot be read is put aside and told, and the list begins anew.

use std::io;

use serde::{Deserialize, Serialize};

use crate::domain::tally::{DatasetId, StreamId};

use super::disk::{Disk, read_all};
use super::format::index;

pub(super) const FILE: &str = "streams.json";
pub(super) const TEMPORARY: &str = "streams.json.new";
const ASIDE: &str = "streams.json.unreadable";

/// Most finished streams remembered; the earliest are forgotten first.
pub const MAX_FINISHED: usize = 10_000;

const MAX_FILE: u64 = 512 << 20;

/// A stream of which all is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedStream {
    /// Which.
    pub stream: StreamId,
    /// Whose hits they were.
    pub dataset: DatasetId,
    /// When it began, in milliseconds since 1970.
    pub began_ms: i64,
    /// Its last ordinals by lane, the site lane's last.
    pub ordinals: Vec<u64>,
    /// When it was finished, in milliseconds since 1970.
    pub finished_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    stream: String,
    /// Missing in files of programs that knew but one.
    #[serde(default)]
    dataset: Option<String>,
    began_ms: i64,
    finished_ms: i64,
    ordinals: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct Content {
    streams: Vec<Line>,
}

fn parse(bytes: &[u8], ours: DatasetId) -> Option<Vec<FinishedStream>> {
    let content: Content = serde_json::from_slice(bytes).ok()?;
    let streams = content.streams.into_iter().map(|line| {
        Some(FinishedStream {
            stream: line.stream.parse().ok()?,
            dataset: line.dataset.map_or(Some(ours), |id| id.parse().ok())?,
            began_ms: line.began_ms,
            ordinals: line.ordinals,
            finished_ms: line.finished_ms,
        })
    });
    streams.collect()
}

/// Reads the list; a stream of which it is not said whose it was is of dataset `ours`. The flag is true if there was a file that could not be read.
pub(super) fn load(disk: &dyn Disk, ours: DatasetId) -> io::Result<(Vec<FinishedStream>, bool)> {
    let listed = disk.list(false)?;
    if listed.iter().any(|f| f.name == TEMPORARY) {
        disk.remove(TEMPORARY)?;
    }
    let Some(found) = listed.iter().find(|f| f.name == FILE) else { return Ok((Vec::new(), false)) };
    if found.len <= MAX_FILE {
        let mut bytes = vec![0; index(found.len)];
        let file = disk.open(FILE)?;
        let n = read_all(file.as_ref(), 0, &mut bytes);
        if let Some(streams) = parse(&bytes[..n], ours) {
            return Ok((streams, false));
        }
    }
    disk.rename(FILE, ASIDE)?;
    Ok((Vec::new(), true))
}

/// Writes the list: the old one or the new one is there after a fault, never a part.
pub(super) fn store(disk: &dyn Disk, streams: &[FinishedStream]) -> io::Result<()> {
    let lines = streams.iter().map(|s| Line {
        stream: s.stream.to_string(),
        dataset: Some(s.dataset.to_string()),
        began_ms: s.began_ms,
        finished_ms: s.finished_ms,
        ordinals: s.ordinals.clone(),
    });
    let bytes = serde_json::to_vec(&Content { streams: lines.collect() })?;
    if disk.list(false)?.iter().any(|f| f.name == TEMPORARY) {
        disk.remove(TEMPORARY)?;
    }
    let mut new = disk.create(TEMPORARY, bytes.len() as u64)?;
    new.out.write_at(0, &bytes)?;
    new.file.sync()?;
    disk.rename(TEMPORARY, FILE)?;
    disk.sync_dir()
}

/// Adds a stream, or replaces what is known of it; true if that changed anything.
pub(super) fn add(streams: &mut Vec<FinishedStream>, new: FinishedStream) -> bool {
    if streams.contains(&new) {
        return false;
    }
    streams.retain(|s| s.stream != new.stream);
    if streams.len() >= MAX_FINISHED {
        streams.remove(0);
    }
    streams.push(new);
    true
}
