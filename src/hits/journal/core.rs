//! What the parts of an open journal share, and how a segment file is made.
//!
//! Locks are taken in this order: writer, shelf, anything else. A file is under its final name and on the disk
//! before it is offered to the writer; one made in a hurry is so with the next sync. Reads no clock.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::domain::tally::{DatasetId, StreamId};

use super::damage::DamageLog;
use super::disk::{Disk, Opened};
use super::format::{Identity, Layout, file_name};
use super::shelf::{MAX_SPARES, Shelf};
use super::syncer::SyncBoard;
use super::writer::Writer;

/// Whose hits a journal keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The random name of this boot's stream.
    pub stream: StreamId,
    /// The dataset that its hits are counted in.
    pub dataset: DatasetId,
    /// How many lanes, without the site lane: 1 to [`super::MAX_LANES`].
    pub lanes: u16,
}

/// A segment file that is ready to be begun.
pub(super) struct Prepared {
    pub(super) number: u64,
    pub(super) len: u64,
    pub(super) opened: Opened,
}

/// Limits in plain numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) segment_bytes: u64,
    pub(super) max_bytes: u64,
    pub(super) retain_age_ms: i64,
    pub(super) retain_bytes: u64,
}

/// What wakes the background threads.
#[derive(Default)]
pub(super) struct Wakes {
    pub(super) state: Mutex<Wanted>,
    pub(super) syncer: Condvar,
    pub(super) keeper: Condvar,
}

#[derive(Default)]
pub(super) struct Wanted {
    pub(super) stop: bool,
    pub(super) sync: bool,
    pub(super) spare: bool,
}

pub(super) struct Core {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) owner: Owner,
    pub(super) began_ms: i64,
    pub(super) layout: Layout,
    pub(super) limits: Limits,
    pub(super) writer: Mutex<Writer>,
    pub(super) shelf: Mutex<Shelf>,
    /// A copy of the shelf's number that an append can read without its lock.
    pub(super) unapplied: AtomicU64,
    /// True while hits find no room.
    pub(super) overflowing: AtomicBool,
    pub(super) next_number: AtomicU64,
    /// True if names were changed that a power cut could still undo.
    pub(super) dir_dirty: AtomicBool,
    pub(super) board: SyncBoard,
    pub(super) damage: Mutex<DamageLog>,
    pub(super) wakes: Wakes,
}

/// Locks; a thread that panicked while it held the lock left whole values behind.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens a spare to be written over; one that cannot be, or has another size, goes.
fn take_spare(disk: &dyn Disk, len: u64, spare: Option<String>) -> Option<(Opened, String)> {
    let spare = spare?;
    if let Some(opened) = disk.reopen(&spare).ok().filter(|opened| opened.file.len() == len) {
        return Some((opened, spare));
    }
    let _gone = disk.remove(&spare);
    None
}

/// How much is done for a file before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// It exists; all else comes with the next sync.
    Hurried,
    /// It survives a power cut.
    Safe,
    /// And all that a later store could wait for is done.
    Filled,
}

/// Makes the file of a segment: over a spare if there is one, else new.
pub(super) fn make_segment(
    disk: &dyn Disk,
    identity: &Identity,
    spare: Option<String>,
    care: Care,
) -> io::Result<Opened> {
    let name = file_name(identity.stream, identity.number);
    let (mut opened, spare) = take_spare(disk, identity.len, spare).map_or_else(
        || Ok::<_, io::Error>((disk.create(&name, identity.len)?, None)),
        |(opened, spare)| Ok((opened, Some(spare))),
    )?;
    let mut finish = || {
        if care == Care::Filled && spare.is_none() {
            opened.file.fill(0)?;
        }
        opened.out.write_at(0, &identity.encode())?;
        if care != Care::Hurried {
            // Before it is renamed: under its new name it must not be what it was before.
            opened.file.sync()?;
        }
        if let Some(spare) = &spare {
            disk.rename(spare, &name)?;
        }
        if care != Care::Hurried {
            disk.sync_dir()?;
        }
        Ok(())
    };
    match finish() {
        Ok(()) => Ok(opened),
        Err(e) => {
            // One of the two names is there; neither holds a hit.
            let _gone = disk.remove(&name);
            let _gone = spare.map(|spare| disk.remove(&spare));
            Err(e)
        }
    }
}

impl Core {
    pub(super) fn identity(&self, number: u64, made_ms: i64) -> Identity {
        Identity {
            stream: self.owner.stream,
            number,
            dataset: self.owner.dataset,
            lanes: self.owner.lanes,
            began_ms: self.began_ms,
            made_ms,
            len: self.limits.segment_bytes,
        }
    }

    /// True if one more segment may hold hits that are not counted.
    pub(super) fn may_grow(&self) -> bool {
        self.unapplied.load(Ordering::Relaxed) + self.limits.segment_bytes <= self.limits.max_bytes
    }

    /// Makes the next segment's file with all care.
    fn make(&self, made_ms: i64) -> io::Result<Prepared> {
        let spare = lock(&self.shelf).spares.pop();
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let identity = self.identity(number, made_ms);
        let opened = make_segment(self.disk.as_ref(), &identity, spare, Care::Filled)?;
        Ok(Prepared { number, len: identity.len, opened })
    }

    /// Makes the next segment's file while a hit waits for it: a new one, or a spare if the disk is full.
    pub(super) fn make_hurried(&self, made_ms: i64) -> io::Result<Prepared> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let identity = self.identity(number, made_ms);
        self.dir_dirty.store(true, Ordering::Release);
        let make = |spare| make_segment(self.disk.as_ref(), &identity, spare, Care::Hurried);
        let opened = make(None).or_else(|e| {
            let spare = lock(&self.shelf).spares.pop();
            if spare.is_some() { make(spare) } else { Err(e) }
        })?;
        Ok(Prepared { number, len: identity.len, opened })
    }

    /// Sees to it that the writer has a segment to turn to. True if it has one.
    pub(super) fn prepare(&self) -> io::Result<bool> {
        let (has_spare, at_ms) = {
            let writer = lock(&self.writer);
            (writer.has_spare(), writer.last_ms())
        };
        if has_spare || !self.may_grow() {
            return Ok(has_spare);
        }
        let prepared = self.make(at_ms)?;
        prepared.opened.file.warm(0, self.layout.records + super::syncer::MIN_WARM);
        let refused = lock(&self.writer).offer(prepared);
        if let Some(refused) = refused {
            // The writer made one itself meanwhile, with a higher number.
            self.put_by(&file_name(self.owner.stream, refused.number))?;
        }
        Ok(true)
    }

    /// Keeps a file that nobody needs for reuse, or removes it if there are enough.
    pub(super) fn put_by(&self, name: &str) -> io::Result<()> {
        let enough = lock(&self.shelf).spares.len() >= MAX_SPARES;
        if enough {
            return self.disk.remove(name);
        }
        let spare = spare_name(name);
        self.disk.rename(name, &spare)?;
        // Before it is written over: else a power cut could bring the old name back with new content.
        self.disk.sync_dir()?;
        lock(&self.shelf).spares.push(spare);
        Ok(())
    }

    /// Brings the copy of the shelf's number up to date.
    pub(super) fn count_unapplied(&self) {
        let shelf = lock(&self.shelf);
        self.unapplied.store(shelf.unapplied(), Ordering::Relaxed);
    }

    pub(super) fn wake_keeper(&self) {
        lock(&self.wakes.state).spare = true;
        self.wakes.keeper.notify_one();
    }
}

/// The name of a spare made from a segment.
pub(super) fn spare_name(name: &str) -> String {
    format!("spare-{name}")
}

/// True if this is a spare's name.
pub(super) fn is_spare(name: &str) -> bool {
    name.strip_prefix("spare-").is_some_and(|rest| super::format::parse_name(rest).is_some())
}

/// A queue that forgets its oldest beyond a limit.
pub(super) fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, limit: usize) {
    if queue.len() >= limit {
        queue.pop_front();
    }
    queue.push_back(item);
}
