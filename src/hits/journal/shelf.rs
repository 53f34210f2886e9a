//! Which segments there are, whose they are, and which may go.
//!
//! A segment goes only when the store has durably counted all it holds, when it is old enough or too much lies
//! there, and when nobody reads it; the oldest first. Knows no record and makes no store itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::domain::tally::{DatasetId, StreamId};

use super::format::file_name;

/// Most spare files kept for reuse.
pub(super) const MAX_SPARES: usize = 2;

/// One segment file with a name of its own.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) stream: StreamId,
    pub(super) number: u64,
    /// The file's length in bytes.
    pub(super) len: u64,
    /// The ordinals before its first record, site lane last.
    pub(super) starts: Vec<u64>,
    /// How far its records go, in bytes; for an earlier stream's this is the file's length.
    pub(super) end: AtomicU64,
    /// True if `end` is where its last record ends.
    pub(super) exact: bool,
    /// The ordinals at its end, known once nothing is appended any more.
    ends: OnceLock<Vec<u64>>,
    /// True if hits found no room after its last record, so that a gap there is no damage.
    pub(super) overflowed: AtomicBool,
    /// When its newest hit was made, or later.
    pub(super) last_ms: AtomicI64,
    /// True if it holds bytes that should have been records: never recycled.
    pub(super) damaged: AtomicBool,
}

impl Segment {
    pub(super) fn open(stream: StreamId, number: u64, len: u64, starts: Vec<u64>, end: u64) -> Segment {
        Segment {
            stream,
            number,
            len,
            starts,
            end: AtomicU64::new(end),
            exact: true,
            ends: OnceLock::new(),
            overflowed: AtomicBool::new(false),
            last_ms: AtomicI64::new(i64::MIN),
            damaged: AtomicBool::new(false),
        }
    }

    pub(super) fn found(
        stream: StreamId,
        number: u64,
        len: u64,
        starts: Vec<u64>,
        ends: Vec<u64>,
    ) -> Segment {
        let segment = Segment { exact: false, ..Segment::open(stream, number, len, starts, len) };
        segment.close(ends);
        segment
    }

    /// Says that nothing is appended any more; `ends` are the ordinals at its end.
    pub(super) fn close(&self, ends: Vec<u64>) {
        let _once = self.ends.set(ends);
    }

    /// The ordinals at its end; none while it is appended to.
    pub(super) fn ends(&self) -> Option<&[u64]> {
        self.ends.get().map(Vec::as_slice)
    }

    pub(super) fn name(&self) -> String {
        file_name(self.stream, self.number)
    }

    fn within(&self, ordinals: &[u64]) -> bool {
        let have = ordinals.iter().copied().chain(std::iter::repeat(0));
        self.ends().is_some_and(|ends| ends.iter().zip(have).all(|(end, have)| *end <= have))
    }
}

/// One stream's segments, by number.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) began_ms: i64,
    pub(super) dataset: DatasetId,
    pub(super) segments: VecDeque<Arc<Segment>>,
    /// What the store has counted, as last told.
    pub(super) applied: Vec<u64>,
}

/// Everything on the disk that is ours, and what is not.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) logs: BTreeMap<StreamId, Log>,
    /// Streams of other datasets: bytes by stream.
    pub(super) foreign: BTreeMap<StreamId, (DatasetId, i64, u64)>,
    /// Names of files that may be written over.
    pub(super) spares: Vec<String>,
}

/// When segments may go although they could be counted again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    pub(super) age_ms: i64,
    pub(super) bytes: u64,
    pub(super) now_ms: i64,
}

impl Shelf {
    /// The bytes of all segments of ours.
    pub(super) fn bytes(&self) -> u64 {
        self.logs.values().flat_map(|log| &log.segments).map(|s| s.len).sum()
    }

    /// True if anything here is of this stream.
    pub(super) fn has(&self, stream: StreamId) -> bool {
        self.logs.contains_key(&stream) || self.foreign.contains_key(&stream)
    }

    /// True for more than `bytes` in all, or a closed segment whose last hit is from before `before_ms`.
    pub(super) fn is_over(&self, bytes: u64, before_ms: i64) -> bool {
        let old = |s: &Arc<Segment>| s.ends().is_some() && s.last_ms.load(Ordering::Relaxed) < before_ms;
        self.bytes() > bytes || self.logs.values().any(|log| log.segments.front().is_some_and(old))
    }

    pub(super) fn segments(&self) -> usize {
        self.logs.values().map(|log| log.segments.len()).sum()
    }

    /// The bytes of segments that hold, or may still get, hits that are not counted yet.
    pub(super) fn unapplied(&self) -> u64 {
        let waiting = |log: &Log| {
            let counted = log.segments.iter().take_while(|s| s.within(&log.applied)).count();
            log.segments.iter().skip(counted).map(|s| s.len).sum::<u64>()
        };
        self.logs.values().map(waiting).sum()
    }

    /// The first segment of a stream that holds something beyond `done`, else its last.
    pub(super) fn first_beyond(&self, stream: StreamId, done: &[u64]) -> Option<Arc<Segment>> {
        let segments = &self.logs.get(&stream)?.segments;
        segments.iter().find(|s| !s.within(done)).or(segments.back()).map(Arc::clone)
    }

    /// The segment that follows this number in a stream.
    pub(super) fn after(&self, stream: StreamId, number: u64) -> Option<Arc<Segment>> {
        self.logs.get(&stream)?.segments.iter().find(|s| s.number > number).map(Arc::clone)
    }

    /// Takes the segments that may go off the shelf, and the streams that have none left. `durable` is what
    /// the store would still know after a power cut.
    pub(super) fn take_released(
        &mut self,
        durable: &BTreeMap<StreamId, Vec<u64>>,
        keep: Retention,
    ) -> (Vec<Arc<Segment>>, Vec<StreamId>) {
        let mut total = self.bytes();
        let mut gone = Vec::new();
        while let Some((stream, age_ms)) = self.oldest_free(durable, keep.now_ms) {
            if age_ms <= keep.age_ms && total <= keep.bytes {
                break;
            }
            let taken = self.logs.get_mut(&stream).and_then(|log| log.segments.pop_front());
            total -= taken.as_ref().map_or(total, |s| s.len);
            gone.extend(taken);
        }
        let empty: Vec<StreamId> =
            self.logs.iter().filter(|(_, log)| log.segments.is_empty()).map(|(id, _)| *id).collect();
        for stream in &empty {
            self.logs.remove(stream);
        }
        (gone, empty)
    }

    /// The stream whose first segment is counted, unread and older than that of any other such stream, with
    /// that segment's age.
    fn oldest_free(&self, durable: &BTreeMap<StreamId, Vec<u64>>, now_ms: i64) -> Option<(StreamId, i64)> {
        let free = self.logs.iter().filter_map(|(stream, log)| {
            let first = log.segments.front()?;
            // Two owners: a reader is in it, and would see it change under its eyes.
            let free = first.within(durable.get(stream)?) && Arc::strong_count(first) == 1;
            free.then(|| (first.last_ms.load(Ordering::Relaxed), *stream))
        });
        free.min().map(|(last_ms, stream)| (stream, now_ms.saturating_sub(last_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: StreamId = StreamId(1);

    fn shelf(ends: &[Option<u64>]) -> Shelf {
        let mut start = 0;
        let segments = ends.iter().zip(1..).map(|(end, number)| {
            let segment = Segment::open(STREAM, number, 100, vec![start, start], 50);
            if let Some(end) = *end {
                segment.close(vec![end, end]);
                start = end;
            }
            segment.last_ms.store(i64::try_from(number).unwrap() * 1000, Ordering::Relaxed);
            Arc::new(segment)
        });
        let log =
            Log { began_ms: 0, dataset: DatasetId(1), segments: segments.collect(), applied: vec![0, 0] };
        Shelf { logs: BTreeMap::from([(STREAM, log)]), ..Shelf::default() }
    }

    fn released(shelf: &mut Shelf, durable: u64, age_ms: i64, bytes: u64) -> usize {
        let durable = BTreeMap::from([(STREAM, vec![durable, durable])]);
        shelf.take_released(&durable, Retention { age_ms, bytes, now_ms: 10_000 }).0.len()
    }

    #[test]
    fn only_what_is_counted_and_old_or_too_much_goes() {
        let ends = [Some(10), Some(20), Some(30), None];
        assert_eq!(released(&mut shelf(&ends), 9, 0, 0), 0, "not counted");
        assert_eq!(released(&mut shelf(&ends), 30, 20_000, 400), 0, "young and little");
        assert_eq!(released(&mut shelf(&ends), 20, 0, 400), 2, "old");
        assert_eq!(released(&mut shelf(&ends), 30, 20_000, 250), 2, "too much");
        assert_eq!(released(&mut shelf(&ends), 99, 0, 0), 3, "never the current one");
        let durable = BTreeMap::new();
        let keep = Retention { age_ms: 0, bytes: 0, now_ms: 10_000 };
        assert!(shelf(&ends).take_released(&durable, keep).0.is_empty(), "unknown to the store");
    }

    #[test]
    fn what_is_read_stays() {
        let mut shelf = shelf(&[Some(10), Some(20), None]);
        let reading = shelf.first_beyond(STREAM, &[0, 0]).unwrap();
        assert_eq!(released(&mut shelf, 20, 0, 0), 0);
        drop(reading);
        assert_eq!(released(&mut shelf, 20, 0, 0), 2);
    }

    #[test]
    fn a_stream_without_segments_is_named() {
        let mut shelf = shelf(&[Some(10)]);
        let durable = BTreeMap::from([(STREAM, vec![10, 10])]);
        let keep = Retention { age_ms: 0, bytes: 0, now_ms: 10_000 };
        assert_eq!(shelf.take_released(&durable, keep).1, [STREAM]);
        assert!(shelf.logs.is_empty());
    }

    #[test]
    fn unapplied_bytes_and_positions() {
        let mut shelf = shelf(&[Some(10), Some(20), None]);
        assert_eq!(shelf.unapplied(), 300);
        shelf.logs.get_mut(&STREAM).unwrap().applied = vec![20, 19];
        assert_eq!(shelf.unapplied(), 200);
        assert_eq!(shelf.first_beyond(STREAM, &[20, 19]).unwrap().number, 2);
        assert_eq!(shelf.first_beyond(STREAM, &[20, 20]).unwrap().number, 3);
        assert_eq!(shelf.after(STREAM, 2).unwrap().number, 3);
        assert!(shelf.after(STREAM, 3).is_none());
        assert!(shelf.first_beyond(StreamId(9), &[]).is_none());
    }
}
