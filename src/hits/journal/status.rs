//! What an open journal can be asked, and what it is told about the store.
//!
//! Numbers are for metrics and alarms for people; neither waits for a disk. Deletion is here too: it happens
//! only when it is asked for, with what the store has durably counted.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering;

use crate::domain::tally::{DatasetId, StreamId};

use super::Journal;
use super::core::lock;
use super::damage::{Damage, Odd};
use super::finished::{self, FinishedStream};
use super::shelf::Retention;
use super::syncer::SyncTimes;

/// Something that people should see to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// There is no room for hits: the disk is full or broken, or too many hits are not counted.
    NoRoom {
        /// Since when, in milliseconds since 1970.
        since_ms: i64,
        /// How many hits were lost since.
        lost: u64,
    },
    /// Hits may not survive a power cut.
    SyncFailing {
        /// Since when, in milliseconds since 1970.
        since_ms: i64,
        /// How many hits no sync has covered, and the store has not been seen to have.
        uncovered: u64,
        /// What the disk said last.
        error: String,
    },
}

/// What is there of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// Which.
    pub stream: StreamId,
    /// When it began, in milliseconds since 1970; of a damaged one, when its first hit was made.
    pub began_ms: i64,
    /// Whose hits. If not ours, it is not read and what follows is unknown, except `bytes`.
    pub dataset: DatasetId,
    /// True for the one that is appended to.
    pub current: bool,
    /// The last ordinals, by lane, the site lane's last.
    pub ends: Vec<u64>,
    /// The first ordinals that can still be read, by lane, if there are any.
    pub first_retained: Vec<u64>,
    /// The bytes of its files.
    pub bytes: u64,
}

/// The journal in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Hits stored since the journal was opened.
    pub appended: u64,
    /// Hits lost since then because there was no room.
    pub lost: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Bytes of segments that hold, or may get, hits that are not counted yet.
    pub unapplied_bytes: u64,
    /// How many segments.
    pub segments: usize,
    /// Hits that a power cut could take now.
    pub unsynced: u64,
    /// Bytes found damaged since the journal was opened.
    pub damaged_bytes: u64,
    /// How syncs went.
    pub syncs: SyncTimes,
}

impl Journal {
    /// The stream that is appended to.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        self.core.owner.stream
    }

    /// The last ordinals given in the current stream, by lane, the site lane's last.
    #[must_use]
    pub fn ordinals(&self) -> Vec<u64> {
        lock(&self.core.writer).ordinals().to_vec()
    }

    /// Every stream that has segments here.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamInfo> {
        let current = self.ordinals();
        let shelf = lock(&self.core.shelf);
        let ours = shelf.logs.iter().map(|(stream, log)| {
            let is_current = *stream == self.core.owner.stream;
            let ends = log.segments.back().and_then(|s| s.ends()).map(<[u64]>::to_vec).unwrap_or_default();
            let starts = log.segments.front().map(|s| s.starts.clone()).unwrap_or_default();
            StreamInfo {
                stream: *stream,
                began_ms: log.began_ms,
                dataset: log.dataset,
                current: is_current,
                ends: if is_current { current.clone() } else { ends },
                first_retained: starts.into_iter().map(|start| start + 1).collect(),
                bytes: log.segments.iter().map(|s| s.len).sum(),
            }
        });
        let foreign = shelf.foreign.iter().map(|(stream, (dataset, began_ms, bytes))| StreamInfo {
            stream: *stream,
            began_ms: *began_ms,
            dataset: *dataset,
            current: false,
            ends: Vec::new(),
            first_retained: Vec::new(),
            bytes: *bytes,
        });
        ours.chain(foreign).collect()
    }

    /// Files in the folder that were left alone when the journal was opened.
    #[must_use]
    pub fn odd(&self) -> &[Odd] {
        &self.odd
    }

    /// Damage found since the last time this was asked; at most the 1,024 newest.
    #[must_use]
    pub fn take_damage(&self) -> Vec<Damage> {
        lock(&self.core.damage).take()
    }

    /// The journal in numbers.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        let ends = lock(&self.core.writer).numbers();
        let (bytes, segments, unapplied_bytes) = {
            let shelf = lock(&self.core.shelf);
            (shelf.bytes(), shelf.segments(), shelf.unapplied())
        };
        let uncovered = self.core.board.failure().map_or(0, |f| f.uncovered);
        Numbers {
            appended: ends.site - ends.lost,
            lost: ends.lost,
            bytes,
            unapplied_bytes,
            segments,
            unsynced: ends.site.saturating_sub(self.core.board.settled_to()) + uncovered,
            damaged_bytes: lock(&self.core.damage).bytes,
            syncs: self.core.board.times(),
        }
    }

    /// What people should see to now.
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        let no_room = lock(&self.core.writer).numbers().no_room;
        let no_room = no_room.map(|n| Alarm::NoRoom { since_ms: n.since_ms, lost: n.lost });
        let sync = self.core.board.failure().map(|f| Alarm::SyncFailing {
            since_ms: f.since_ms,
            uncovered: f.uncovered,
            error: f.error,
        });
        no_room.into_iter().chain(sync).collect()
    }

    /// Says what the store has counted of a stream, by lane; makes room within `max_bytes`.
    pub fn applied(&self, stream: StreamId, ordinals: &[u64]) {
        if let Some(log) = lock(&self.core.shelf).logs.get_mut(&stream) {
            log.applied = ordinals.to_vec();
        }
        self.core.count_unapplied();
        if stream == self.core.owner.stream {
            self.core.board.applied(ordinals);
        }
    }

    /// True if some segment is old enough, or segments are large enough together, that [`Journal::release`] could
    /// let one go; cheap, so that the store is asked only then.
    #[must_use]
    pub fn may_release(&self, now_ms: i64) -> bool {
        let limits = self.core.limits;
        lock(&self.core.shelf).is_over(limits.retain_bytes, now_ms.saturating_sub(limits.retain_age_ms))
    }

    /// Lets segments go that the store has durably counted and that are old or too many; see `retain_age` and
    /// `retain_bytes`. `durable` says what the store would know of a stream after a power cut. Gives the
    /// streams that have no segment left; after an error [`Journal::streams`] says it. Files that could not
    /// be removed are found again by the next boot.
    pub fn release(
        &self,
        durable: &dyn Fn(StreamId) -> Option<Vec<u64>>,
        now_ms: i64,
    ) -> io::Result<Vec<StreamId>> {
        let streams: Vec<StreamId> = lock(&self.core.shelf).logs.keys().copied().collect();
        // Asked without the lock: the answer may come from a store.
        let durable: BTreeMap<_, _> = streams.into_iter().filter_map(|s| Some((s, durable(s)?))).collect();
        let limits = self.core.limits;
        let keep = Retention { age_ms: limits.retain_age_ms, bytes: limits.retain_bytes, now_ms };
        let (gone, empty) = lock(&self.core.shelf).take_released(&durable, keep);
        self.core.count_unapplied();
        let mut outcome = Ok(());
        for segment in &gone {
            let name = segment.name();
            let reusable = segment.len == limits.segment_bytes && !segment.damaged.load(Ordering::Relaxed);
            let went = if reusable { self.core.put_by(&name) } else { self.core.disk.remove(&name) };
            // One that stays is found and released again by the next boot.
            outcome = outcome.and(went);
        }
        outcome.map(|()| empty)
    }

    /// Removes damaged files that have been kept aside for [`super::KEEP_MS`], and dates new ones. Gives how
    /// many went.
    pub fn prune_corrupt(&self, now_ms: i64) -> io::Result<usize> {
        self.core.prune_corrupt(now_ms)
    }

    /// The finished streams of our dataset that are remembered, earliest first.
    #[must_use]
    pub fn finished(&self) -> Vec<FinishedStream> {
        let ours = |stream: &&FinishedStream| stream.dataset == self.core.owner.dataset;
        lock(&self.finished).iter().filter(ours).cloned().collect()
    }

    /// Remembers a finished stream; on the disk when this returns.
    pub fn remember_finished(&self, stream: FinishedStream) -> io::Result<()> {
        self.change_finished(|streams| finished::add(streams, stream))
    }

    /// Forgets streams that were finished before `before_ms`. Gives how many.
    pub fn forget_finished(&self, before_ms: i64) -> io::Result<usize> {
        let mut forgotten = 0;
        self.change_finished(|streams| {
            let had = streams.len();
            streams.retain(|s| s.finished_ms >= before_ms);
            forgotten = had - streams.len();
            forgotten > 0
        })?;
        Ok(forgotten)
    }

    fn change_finished(&self, change: impl FnOnce(&mut Vec<FinishedStream>) -> bool) -> io::Result<()> {
        let mut streams = lock(&self.finished);
        let mut changed = streams.clone();
        if change(&mut changed) {
            finished::store(self.core.disk.as_ref(), &changed)?;
            *streams = changed;
        }
        Ok(())
    }
}
