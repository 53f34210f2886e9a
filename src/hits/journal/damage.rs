//! What was found broken: told once, kept aside for a week.
//!
//! A damaged file is linked into `corrupt/` before anything else happens to it, and never recycled. At most
//! [`MAX_KEPT`] files are kept. Knows nothing of what a record says.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::atomic::Ordering;

use crate::domain::tally::{DatasetId, StreamId};

use super::core::{Core, lock, push_bounded};
use super::disk::CORRUPT;
use super::shelf::Segment;

/// Most damaged files kept aside.
pub const MAX_KEPT: usize = 16;

/// How long a damaged file is kept aside, in milliseconds.
pub const KEEP_MS: i64 = 7 * 86_400_000;

const MAX_TOLD: usize = 4096;
const MAX_FRESH: usize = 1024;

/// Bytes of a segment that should have been records and are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Whose hits.
    pub stream: StreamId,
    /// The file, within the journal's folder; a copy is in [`CORRUPT`] under the same name.
    pub file: String,
    /// Where the bytes begin.
    pub offset: u64,
    /// How many; some of them may never have been written.
    pub bytes: u64,
}

/// A file in the journal's folder that is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Odd {
    /// A segment of another dataset.
    Foreign {
        /// The file.
        file: String,
        /// Whose it is.
        dataset: DatasetId,
    },
    /// A segment made for another number of lanes.
    OtherLanes {
        /// The file.
        file: String,
        /// How many it was made for.
        lanes: u16,
    },
    /// A segment that says it is another one than its name says.
    Misnamed {
        /// The file.
        file: String,
    },
    /// Named as a segment, and nothing in it can be read.
    Unreadable {
        /// The file.
        file: String,
    },
    /// Nothing of ours.
    NotASegment {
        /// The file.
        file: String,
    },
}

#[derive(Default)]
pub(super) struct DamageLog {
    told: BTreeSet<(StreamId, u64, u64)>,
    fresh: VecDeque<Damage>,
    /// Bytes found damaged since the journal was opened.
    pub(super) bytes: u64,
}

impl DamageLog {
    fn note(&mut self, segment: &Segment, offset: u64, bytes: u64) {
        let new = self.told.insert((segment.stream, segment.number, offset));
        if self.told.len() > MAX_TOLD {
            self.told.pop_first();
        }
        if new {
            self.bytes += bytes;
            let damage = Damage { stream: segment.stream, file: segment.name(), offset, bytes };
            push_bounded(&mut self.fresh, damage, MAX_FRESH);
        }
    }

    pub(super) fn take(&mut self) -> Vec<Damage> {
        self.fresh.drain(..).collect()
    }
}

impl Core {
    /// Tells damage once, and keeps the file aside.
    pub(super) fn damaged(&self, segment: &Segment, offset: u64, bytes: u64) {
        lock(&self.damage).note(segment, offset, bytes);
        if segment.damaged.swap(true, Ordering::Relaxed) {
            return;
        }
        let name = segment.name();
        let kept = self.disk.list(true).map_or(0, |files| files.len());
        if kept < MAX_KEPT {
            // It may have been kept aside by an earlier boot; and a full disk is no reason to stop reading.
            let _kept = self.disk.link(&name, &format!("{CORRUPT}/{name}"));
        }
    }

    /// Dates what was newly kept aside, and removes what has been there for [`KEEP_MS`].
    pub(super) fn prune_corrupt(&self, now_ms: i64) -> io::Result<usize> {
        let mut removed = 0;
        for file in self.disk.list(true)? {
            let path = format!("{CORRUPT}/{}", file.name);
            match file.name.rsplit_once(".seg.").map(|(_, since)| since.parse::<i64>()) {
                Some(Ok(since_ms)) if now_ms.saturating_sub(since_ms) > KEEP_MS => {
                    self.disk.remove(&path)?;
                    removed += 1;
                }
                None if file.name.ends_with(".seg") => {
                    self.disk.rename(&path, &format!("{path}.{now_ms}"))?
                }
                _ => {}
            }
        }
        Ok(removed)
    }
}
