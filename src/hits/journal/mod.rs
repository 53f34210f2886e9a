//! The journal: this node's append-only file of hits, the heart of "counted exactly once".
//!
//! What it guarantees:
//!
//! - An append gives a hit its two ordinals and stores it where a `kill -9` cannot take it back. It never
//!   fails and never waits for a disk.
//! - Every ordinal that was given is read back as its hit or reported as part of a gap, exactly once.
//! - A hit is not lost to a power cut once a sync has covered it.
//! - What is lost (no room, damage, a power cut) has a known size as soon as anything later is known.
//! - Nothing is deleted that the store has not durably counted.
//!
//! It refuses to know what hits are counted for, what a store is, and what time it is.
//!
//! `format` and `record` say what lies in a file; `writer` appends, `syncer` and `keeper` work behind it,
//! `recover` looks at what earlier boots left, `scan` and `reader` read, `shelf` says what may go.

mod core;
mod damage;
pub mod disk;
mod finished;
mod format;
mod keeper;
mod mapping;
mod reader;
pub mod real;
mod record;
mod recover;
mod scan;
pub mod settings;
mod shelf;
pub mod sim;
mod status;
mod survey;
mod syncer;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::domain::hit::NewHit;
use crate::domain::tally::StreamId;

use self::core::{Care, Core, Limits, Prepared, Wakes, lock, make_segment};
use self::disk::Disk;
use self::format::{Identity, Layout};
use self::shelf::Log;
use self::syncer::SyncBoard;
use self::writer::Writer;

pub use self::core::Owner;
pub use self::damage::{Damage, KEEP_MS, MAX_KEPT, Odd};
pub use self::finished::{FinishedStream, MAX_FINISHED};
pub use self::format::MAX_LANES;
pub use self::reader::{Entry, Gap, Reader};
pub use self::record::MAX_CODE;
pub use self::settings::Settings;
pub use self::status::{Alarm, Numbers, StreamInfo};
pub use self::survey::Survey;
pub use self::syncer::SyncTimes;
pub use self::writer::Receipt;

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk refused.
    #[error("the journal cannot {what}: {source}")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// What the disk said.
        source: std::io::Error,
    },
    /// It must not be opened like this.
    #[error("{0}")]
    Refused(String),
}

fn while_trying(what: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Io { what, source }
}

/// An open journal: the handle to append to, read from and look after.
///
/// Dropping it ends its threads; [`Journal::close`] also leaves a last mark and syncs.
pub struct Journal {
    core: Arc<Core>,
    sync: settings::Sync,
    threads: Mutex<Vec<JoinHandle<()>>>,
    finished: Mutex<Vec<FinishedStream>>,
    odd: Vec<Odd>,
}

impl Journal {
    /// Opens the journal in a folder, with its threads. See [`Journal::open_on`].
    pub fn open(folder: &Path, settings: &Settings, owner: Owner, now_ms: i64) -> Result<Journal, Error> {
        let disk = real::RealDisk::open(folder, settings.io).map_err(while_trying("open its folder"))?;
        Journal::open_on(Arc::new(disk), settings, owner, now_ms)
    }

    /// Begins a new stream on a disk, beside what earlier ones left there. Its first segment survives a power
    /// cut when this returns. Settings are taken as [`Settings::check`] wants them, segments may be smaller.
    pub fn open_on(
        disk: Arc<dyn Disk>,
        settings: &Settings,
        owner: Owner,
        now_ms: i64,
    ) -> Result<Journal, Error> {
        let journal = Journal::open_still(disk, settings, owner, now_ms)?;
        let threads = keeper::start(&journal.core, settings.sync, settings.sync_interval.0)
            .map_err(while_trying("start its threads"))?;
        *lock(&journal.threads) = threads;
        Ok(journal)
    }

    /// The same without threads: nothing is synced or made ready except by [`Journal::sync_now`] and
    /// [`Journal::prepare_now`]. For simulations.
    pub fn open_still(
        disk: Arc<dyn Disk>,
        settings: &Settings,
        owner: Owner,
        now_ms: i64,
    ) -> Result<Journal, Error> {
        if !(1..=MAX_LANES).contains(&owner.lanes) {
            return Err(Error::Refused(format!("{} is no number of lanes", owner.lanes)));
        }
        let (finished, _unreadable) =
            finished::load(disk.as_ref(), owner.dataset).map_err(while_trying("read its streams"))?;
        let mut recovered =
            recover::recover(disk.as_ref(), owner, &finished).map_err(while_trying("read its segments"))?;
        if recovered.shelf.has(owner.stream) || finished.iter().any(|s| s.stream == owner.stream) {
            return Err(Error::Refused(format!("stream {} was begun before", owner.stream)));
        }
        // What a killed process did to names may not be on the disk yet, and a spare is written over next.
        disk.sync_dir().map_err(while_trying("sync its folder"))?;
        let layout = Layout::of(owner.lanes);
        let limits = limits(settings, &layout, owner.lanes);
        let identity = first_identity(owner, now_ms, limits.segment_bytes);
        let spare = recovered.shelf.spares.pop();
        let writer =
            first_segment(disk.as_ref(), &identity, spare).map_err(while_trying("begin its stream"))?;
        let log = Log {
            began_ms: now_ms,
            dataset: owner.dataset,
            segments: [Arc::clone(writer.segment())].into(),
            applied: vec![0; usize::from(owner.lanes) + 1],
        };
        recovered.shelf.logs.insert(owner.stream, log);
        let core = Arc::new(Core {
            disk,
            owner,
            began_ms: now_ms,
            layout,
            limits,
            writer: Mutex::new(writer),
            shelf: Mutex::new(recovered.shelf),
            unapplied: AtomicU64::new(0),
            overflowing: AtomicBool::new(false),
            next_number: AtomicU64::new(2),
            dir_dirty: AtomicBool::new(false),
            board: SyncBoard::default(),
            damage: Mutex::default(),
            wakes: Wakes::default(),
        });
        core.count_unapplied();
        if let Some(e) = &recovered.sync_error {
            core.board.note_failure(now_ms, e);
        }
        for segment in recovered.hurt {
            core.damaged(&segment, 0, layout.starts.min(segment.len));
        }
        Ok(Journal {
            core,
            sync: settings.sync,
            threads: Mutex::default(),
            finished: Mutex::new(finished),
            odd: recovered.odd,
        })
    }

    /// Stores a hit. Never fails and never waits for a disk; see [`Receipt`].
    #[inline]
    pub fn append(&self, hit: &NewHit<'_>) -> Receipt {
        lock(&self.core.writer).append(&self.core, hit)
    }

    /// Waits until a sync has covered this hit, and says whether one has: not if it was lost, if that sync
    /// failed, if the journal is closed before, or with `sync = "never"`.
    pub async fn synced(&self, receipt: Receipt) -> bool {
        if receipt.lost || self.sync == settings::Sync::Never {
            return false;
        }
        if self.sync == settings::Sync::Always {
            lock(&self.core.wakes.state).sync = true;
            self.core.wakes.syncer.notify_one();
        }
        self.core.board.wait(receipt).await
    }

    /// Reads a stream beyond `done`, its ordinals by lane with the site lane's last (0 for lanes that are not
    /// in it). None for a stream that is not here or of another dataset.
    #[must_use]
    pub fn read(&self, stream: StreamId, done: &[u64]) -> Option<Reader> {
        Reader::open(&self.core, stream, done)
    }

    /// Syncs now, in this thread.
    pub fn sync_now(&self) -> std::io::Result<()> {
        self.core.sync()
    }

    /// Makes the next segment ready now, in this thread. True if one is.
    pub fn prepare_now(&self) -> std::io::Result<bool> {
        self.core.prepare()
    }

    /// Stores a last mark, ends the threads and syncs. What is appended later is stored, but not synced.
    pub fn close(&self, now_ms: i64) -> std::io::Result<()> {
        self.stop_threads();
        lock(&self.core.writer).finish(now_ms);
        let synced = self.core.sync();
        self.core.board.close();
        synced
    }

    /// True while the threads behind the journal run; false after [`Journal::close`].
    #[must_use]
    pub fn running(&self) -> bool {
        let threads = lock(&self.threads);
        !threads.is_empty() && threads.iter().all(|thread| !thread.is_finished())
    }

    fn stop_threads(&self) {
        let threads = std::mem::take(&mut *lock(&self.threads));
        keeper::stop(&self.core, threads);
    }
}

/// What the settings come to, in plain numbers; a segment holds at least one longest record and one mark.
fn limits(settings: &Settings, layout: &Layout, lanes: u16) -> Limits {
    let longest = record::room(record::max_payload(lanes)) + record::room(record::mark_payload(lanes));
    let smallest = layout.records + longest as u64;
    Limits {
        segment_bytes: settings.segment_bytes.0.max(smallest).next_multiple_of(8),
        max_bytes: settings.max_bytes.0,
        retain_age_ms: i64::try_from(settings.retain_age.0.as_millis()).unwrap_or(i64::MAX),
        retain_bytes: settings.retain_bytes.0,
    }
}

fn first_identity(owner: Owner, now_ms: i64, len: u64) -> Identity {
    let Owner { stream, dataset, lanes } = owner;
    Identity { stream, number: 1, dataset, lanes, began_ms: now_ms, made_ms: now_ms, len }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.stop_threads();
        self.core.board.close();
    }
}

/// Makes and begins the first segment of a stream, so that it survives a power cut.
fn first_segment(disk: &dyn Disk, identity: &Identity, spare: Option<String>) -> std::io::Result<Writer> {
    // Not filled: that would hold up the start.
    let opened = make_segment(disk, identity, spare, Care::Safe)?;
    let file = Arc::clone(&opened.file);
    let first = Prepared { number: identity.number, len: identity.len, opened };
    let writer = Writer::begin(identity.lanes, identity.began_ms, identity, first)?;
    file.sync()?;
    file.warm(0, Layout::of(identity.lanes).records + syncer::MIN_WARM);
    Ok(writer)
}

#[cfg(test)]
mod tests;
