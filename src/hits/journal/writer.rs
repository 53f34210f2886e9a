//! The end of the journal: every hit is stored here, under one short lock.
//!
//! Guarantees that ordinals are given without a hole and that a record is whole before it is published. An
//! append makes no system call while there is room (in mmap mode) and never fails: where no room can be had,
//! the hit takes its ordinals and is lost, and the ordinals reached are kept in the segment's header. Knows
//! nothing of syncing and reading.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::domain::hit::NewHit;

use super::core::{Core, Prepared, lock};
use super::disk::{SegmentFile, SegmentWriter};
use super::format::{self, encode_ordinals};
use super::record::{self, Texts};
use super::shelf::Segment;

/// How often every lane's ordinals are stored while there is traffic, in milliseconds.
const MARK_EVERY_MS: u64 = 1000;

/// What an append gives: the hit's ordinals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its number in (stream, lane), from 1.
    pub lane_ordinal: u64,
    /// Its number in (stream, site lane), from 1.
    pub site_ordinal: u64,
    /// True if there was no room for it: counted as lost.
    pub lost: bool,
}

/// A time without room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom {
    pub(super) since_ms: i64,
    pub(super) lost: u64,
}

/// The open segment.
struct Tail {
    segment: Arc<Segment>,
    out: Box<dyn SegmentWriter>,
    file: Arc<dyn SegmentFile>,
    seed: u32,
    /// Where the next record begins.
    at: u64,
}

pub(super) struct Writer {
    lanes: u16,
    began_ms: i64,
    layout: format::Layout,
    /// The last ordinal given, by lane; the site lane's last.
    ends: Vec<u64>,
    tail: Tail,
    spare: Option<Prepared>,
    /// Segments turned away from since the last sync.
    rotated: Vec<Arc<dyn SegmentFile>>,
    buf: Vec<u8>,
    header: Vec<u8>,
    last_mark_ms: i64,
    last_ms: i64,
    /// Counts stores of any kind, so that a sync knows if there is anything to do.
    stores: u64,
    lost: u64,
    no_room: Option<NoRoom>,
}

/// What a sync has to cover.
pub(super) struct Pending {
    pub(super) stores: u64,
    pub(super) ends: Vec<u64>,
    pub(super) rotated: Vec<Arc<dyn SegmentFile>>,
    pub(super) current: Arc<dyn SegmentFile>,
    pub(super) at: u64,
}

/// The numbers of an open journal that only its end knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) site: u64,
    pub(super) lost: u64,
    pub(super) no_room: Option<NoRoom>,
}

impl Writer {
    /// Begins a stream in its first segment.
    pub(super) fn begin(
        lanes: u16,
        began_ms: i64,
        identity: &format::Identity,
        first: Prepared,
    ) -> std::io::Result<Writer> {
        let layout = format::Layout::of(lanes);
        let ends = vec![0; usize::from(lanes) + 1];
        let segment = Segment::open(identity.stream, first.number, first.len, ends.clone(), layout.records);
        let mut writer = Writer {
            lanes,
            began_ms,
            layout,
            ends,
            tail: Tail {
                segment: Arc::new(segment),
                out: first.opened.out,
                file: first.opened.file,
                seed: identity.seed(),
                at: layout.records,
            },
            spare: None,
            rotated: Vec::new(),
            buf: vec![0; record::room(record::max_payload(lanes))],
            header: Vec::new(),
            last_mark_ms: began_ms,
            last_ms: began_ms,
            stores: 0,
            lost: 0,
            no_room: None,
        };
        writer.open_tail(began_ms)?;
        Ok(writer)
    }

    /// Stores a hit, or loses it and counts that.
    #[inline]
    pub(super) fn append(&mut self, core: &Core, hit: &NewHit<'_>) -> Receipt {
        let texts = Texts::of(hit);
        let mut room = record::room(texts.payload());
        let marking = hit.at_ms.abs_diff(self.last_mark_ms) >= MARK_EVERY_MS;
        if marking {
            room += record::room(record::mark_payload(self.lanes));
        }
        self.last_ms = hit.at_ms;
        if self.no_room.is_some() || self.tail.at + room as u64 > self.tail.segment.len {
            if !self.turn(core, hit.at_ms) {
                return self.lose(core, hit);
            }
        } else if marking {
            self.mark(false, hit.at_ms);
        }
        self.store(hit, &texts)
            .or_else(|| self.store_elsewhere(core, hit, &texts))
            .unwrap_or_else(|| self.lose(core, hit))
    }

    /// Encodes and stores a hit; its ordinals are taken only if that succeeds.
    #[inline]
    fn store(&mut self, hit: &NewHit<'_>, texts: &Texts<'_>) -> Option<Receipt> {
        let (lane, site) = self.places(hit);
        let ordinals = (self.ends[lane] + 1, self.ends[site] + 1);
        let lane_number = hit.lane.min(self.lanes - 1);
        let payload = texts.payload();
        record::encode_hit(&mut self.buf, hit, lane_number, ordinals, texts);
        self.put(payload)?;
        (self.ends[lane], self.ends[site]) = ordinals;
        Some(Receipt { lane_ordinal: ordinals.0, site_ordinal: ordinals.1, lost: false })
    }

    /// The places of the hit's two ordinals. A lane that cannot be is taken for the last one: whatever the
    /// caller did, the hit is counted once.
    fn places(&self, hit: &NewHit<'_>) -> (usize, usize) {
        let site = usize::from(self.lanes);
        (usize::from(hit.lane).min(site - 1), site)
    }

    /// Stores the payload in `buf` as the next record, and publishes it.
    #[inline]
    fn put(&mut self, payload: usize) -> Option<()> {
        let tail = &mut self.tail;
        let room = record::room(payload);
        if tail.at + room as u64 > tail.segment.len {
            return None;
        }
        record::seal(&mut self.buf, payload, tail.seed, tail.at);
        tail.out.put(tail.at, &self.buf[..room]).ok()?;
        tail.at += room as u64;
        // Release: who sees the new end sees the record before it.
        tail.segment.end.store(tail.at, Ordering::Release);
        self.stores += 1;
        Some(())
    }

    /// Stores every lane's ordinals. One that cannot be stored is missed only if the disk fails further.
    fn mark(&mut self, last: bool, at_ms: i64) {
        let payload = record::mark_payload(self.lanes);
        if self.tail.at + record::room(payload) as u64 <= self.tail.segment.len {
            record::encode_mark(&mut self.buf, last, at_ms, self.began_ms, &self.ends);
            let _stored = self.put(payload);
        }
        self.last_mark_ms = at_ms;
    }

    /// Says in the header and in a first record where the ordinals stand.
    fn open_tail(&mut self, at_ms: i64) -> std::io::Result<()> {
        encode_ordinals(&mut self.header, at_ms, &self.ends, self.tail.seed, self.layout.starts);
        self.tail.out.write_at(self.layout.starts, &self.header)?;
        self.stores += 1;
        self.mark(false, at_ms);
        Ok(())
    }

    /// Turns to the spare segment, or to one made on the spot. False if there is no room for one.
    #[cold]
    fn turn(&mut self, core: &Core, at_ms: i64) -> bool {
        if !core.may_grow() {
            return false;
        }
        let next = match (self.spare.take(), self.no_room) {
            (Some(spare), _) => spare,
            // Made on the spot once only: while there is no room the background thread tries, not every hit.
            (None, None) => match core.make_hurried(at_ms) {
                Ok(made) => made,
                Err(_) => {
                    core.wake_keeper();
                    return false;
                }
            },
            (None, Some(_)) => return false,
        };
        core.wake_keeper();
        self.turn_to(core, next, at_ms)
    }

    fn turn_to(&mut self, core: &Core, next: Prepared, at_ms: i64) -> bool {
        let owner = core.owner;
        let starts = self.ends.clone();
        let segment = Segment::open(owner.stream, next.number, next.len, starts.clone(), self.layout.records);
        let tail = Tail {
            segment: Arc::new(segment),
            out: next.opened.out,
            file: next.opened.file,
            seed: format::seed(owner.stream, next.number, owner.dataset),
            at: self.layout.records,
        };
        let before = std::mem::replace(&mut self.tail, tail);
        if self.open_tail(at_ms).is_err() {
            self.tail = before;
            return false;
        }
        {
            let mut shelf = lock(&core.shelf);
            if let Some(log) = shelf.logs.get_mut(&owner.stream) {
                log.segments.push_back(Arc::clone(&self.tail.segment));
            }
            core.unapplied.fetch_add(next.len, Ordering::Relaxed);
        }
        before.segment.last_ms.store(self.last_ms.max(at_ms), Ordering::Relaxed);
        // Last: who sees it closed finds the next one on the shelf.
        before.segment.close(starts);
        self.rotated.push(before.file);
        self.no_room = None;
        core.overflowing.store(false, Ordering::Release);
        true
    }

    /// The disk refused a record: tries the next segment.
    #[cold]
    fn store_elsewhere(&mut self, core: &Core, hit: &NewHit<'_>, texts: &Texts<'_>) -> Option<Receipt> {
        if self.turn(core, hit.at_ms) { self.store(hit, texts) } else { None }
    }

    /// Takes a hit's ordinals without storing it, and keeps them in the header: a gap of known size.
    #[cold]
    fn lose(&mut self, core: &Core, hit: &NewHit<'_>) -> Receipt {
        let (lane, site) = self.places(hit);
        self.ends[lane] += 1;
        self.ends[site] += 1;
        self.lost += 1;
        let no_room = self.no_room.get_or_insert(NoRoom { since_ms: hit.at_ms, lost: 0 });
        no_room.lost += 1;
        // In turns: a kill in the middle of one leaves the other.
        let place = self.layout.overflow[usize::from(!self.lost.is_multiple_of(2))];
        let stamp = i64::try_from(self.lost).unwrap_or(i64::MAX);
        encode_ordinals(&mut self.header, stamp, &self.ends, self.tail.seed, place);
        // If even this cannot be stored, the next segment's start says it.
        let _stored = self.tail.out.write_at(place, &self.header);
        self.stores += 1;
        self.tail.segment.overflowed.store(true, Ordering::Relaxed);
        core.overflowing.store(true, Ordering::Release);
        Receipt { lane_ordinal: self.ends[lane], site_ordinal: self.ends[site], lost: true }
    }

    /// Turns away from a segment whose sync failed. False if there is no room.
    pub(super) fn turn_away(&mut self, core: &Core) -> bool {
        self.turn(core, self.last_ms)
    }

    /// The last mark of the stream.
    pub(super) fn finish(&mut self, now_ms: i64) {
        // Hits that found no room are in the header only, and what is in the header stays true.
        if self.no_room.is_none() {
            self.mark(true, now_ms);
        }
    }

    /// Takes a segment to turn to; gives it back if it comes too late.
    pub(super) fn offer(&mut self, prepared: Prepared) -> Option<Prepared> {
        if self.spare.is_some() || prepared.number <= self.tail.segment.number {
            return Some(prepared);
        }
        self.spare = Some(prepared);
        None
    }

    pub(super) fn has_spare(&self) -> bool {
        self.spare.is_some()
    }

    pub(super) fn last_ms(&self) -> i64 {
        self.last_ms
    }

    pub(super) fn segment(&self) -> &Arc<Segment> {
        &self.tail.segment
    }

    /// The last ordinals given, by lane.
    pub(super) fn ordinals(&self) -> &[u64] {
        &self.ends
    }

    /// The ordinals reached, if `segment` is the open one, all its records end at `at` and hits found no room
    /// after them.
    pub(super) fn lost_after(&self, segment: u64, at: u64) -> Option<Vec<u64>> {
        let here = self.tail.segment.number == segment && self.tail.at == at && self.no_room.is_some();
        here.then(|| self.ends.clone())
    }

    /// What a sync has to cover now; none if nothing was stored since `stores`.
    pub(super) fn pending(&mut self, stores: u64) -> Option<Pending> {
        if self.stores == stores && self.rotated.is_empty() {
            return None;
        }
        Some(Pending {
            stores: self.stores,
            ends: self.ends.clone(),
            rotated: std::mem::take(&mut self.rotated),
            current: Arc::clone(&self.tail.file),
            at: self.tail.at,
        })
    }

    pub(super) fn numbers(&self) -> Ends {
        let site = self.ends.last().copied().unwrap_or(0);
        Ends { site, lost: self.lost, no_room: self.no_room }
    }
}
