//! Gives a stream's hits in order, and what is missing between them.
//!
//! Guarantees that every ordinal of every lane beyond `done` is given as a hit or reported in a gap, exactly
//! once and in order within its lane. A gap's size is known from the next thing that says where its lane
//! stands: a hit, a mark, the end or the start of a segment. Never waits and never fails: what cannot be read
//! is a gap. Knows nothing of what hits are read for.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::domain::hit::Hit;
use crate::domain::lane::Lane;
use crate::domain::tally::StreamId;

use super::core::{Core, lock};
use super::format::{Layout, seed};
use super::record::{self, MIN_PAYLOAD, Said};
use super::scan::{Scanner, Step};
use super::shelf::Segment;

/// What comes next in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A hit. At least one of its two ordinals is beyond what was done; a reader who has more of one lane than
    /// of another compares each with its own place.
    Hit(Hit<'a>),
    /// Hits of one lane that are gone.
    Gap(Gap),
}

/// Hits `from + 1 ..= to` of one lane, which are gone. The site lane has gaps of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Which lane; the number of lanes means the site lane.
    pub lane: Lane,
    /// The last ordinal before the gap.
    pub from: u64,
    /// The last ordinal that is gone.
    pub to: u64,
}

/// Reads one stream. Keeps its place: after the end, it goes on with what is appended later.
pub struct Reader {
    core: Arc<Core>,
    stream: StreamId,
    segment: Arc<Segment>,
    scanner: Scanner,
    /// The last ordinal given or reported, by lane; the site lane's last.
    seen: Vec<u64>,
    gaps: VecDeque<Gap>,
    /// A hit that waits for the gaps before it.
    held: Option<Range<usize>>,
    /// True after a stream's last mark: nothing is looked for behind it.
    finished: bool,
    /// The segment to go on with, where its file could not be opened yet.
    next: Option<Arc<Segment>>,
    /// True if there will never be more.
    ended: bool,
}

impl Reader {
    /// A reader of what a stream has beyond `done` (0 for lanes that are not in it); none for a stream that
    /// is not here.
    pub(super) fn open(core: &Arc<Core>, stream: StreamId, done: &[u64]) -> Option<Reader> {
        let segment = lock(&core.shelf).first_beyond(stream, done)?;
        let lanes = core.owner.lanes;
        let mut seen = vec![0; usize::from(lanes) + 1];
        super::recover::raise(&mut seen, done);
        let file = Arc::new(Nothing);
        let mut reader = Reader {
            core: Arc::clone(core),
            stream,
            scanner: Scanner::new(file, 0, lanes, 0),
            segment: Arc::clone(&segment),
            seen,
            gaps: VecDeque::new(),
            held: None,
            finished: false,
            next: Some(segment),
            ended: false,
        };
        reader.enter();
        Some(reader)
    }

    /// Which stream.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// The last ordinal given or reported by [`Reader::next`] (gaps that it has yet to report included), by
    /// lane; the site lane's is the last.
    #[must_use]
    pub fn position(&self) -> &[u64] {
        &self.seen
    }

    /// The next entry; none if there is nothing more for now.
    #[allow(clippy::should_implement_trait, reason = "entries borrow from the reader")]
    pub fn next(&mut self) -> Option<Entry<'_>> {
        let range = loop {
            if let Some(gap) = self.gaps.pop_front() {
                return Some(Entry::Gap(gap));
            }
            if let Some(range) = self.held.take() {
                break range;
            }
            if self.ended || (self.next.is_some() && !self.enter()) {
                return None;
            }
            if !self.gaps.is_empty() {
                continue;
            }
            // Before the end: once it is closed, its end stays.
            let closed = self.segment.ends().is_some();
            let end = self.segment.end.load(Ordering::Acquire);
            let step = match self.finished && !self.scanner.goes_on(end) {
                true => Step::End,
                false => self.scanner.step(end, self.segment.exact),
            };
            match step {
                Step::Record(range) => {
                    if self.take(range.clone()) {
                        if self.gaps.is_empty() {
                            break range;
                        }
                        self.held = Some(range);
                    }
                }
                Step::Skipped { at, bytes } => self.core.damaged(&self.segment, at, bytes),
                Step::End if closed => self.leave(),
                Step::End => {
                    if !self.find_lost() {
                        return None;
                    }
                }
            }
        };
        record::decode_hit(self.scanner.payload(range)).map(Entry::Hit)
    }

    /// Notes a record. True if it is a hit with something beyond what was seen.
    #[inline]
    fn take(&mut self, range: Range<usize>) -> bool {
        let payload = self.scanner.payload(range);
        let site = self.seen.len() - 1;
        match record::peek(payload, self.core.owner.lanes) {
            Some(Said::Hit { lane, lane_ordinal, site_ordinal, .. }) => {
                let place = usize::from(lane);
                let lane_new = advance(&mut self.seen, &mut self.gaps, place, lane_ordinal);
                let site_new = advance(&mut self.seen, &mut self.gaps, site, site_ordinal);
                lane_new || site_new
            }
            Some(Said::Mark { last, .. }) => {
                for (place, end) in record::mark_ends(payload).enumerate() {
                    gap_to(&mut self.seen, &mut self.gaps, place, end);
                }
                self.finished = last;
                false
            }
            // Valid, and of no kind that this version knows: its ordinals show as gaps.
            None => false,
        }
    }

    /// Begins with the next segment. False if its file cannot be opened for now (no descriptor is free, say):
    /// what it holds must not be taken for lost.
    fn enter(&mut self) -> bool {
        let Some(segment) = self.next.clone() else { return false };
        let core = &self.core;
        let file = match core.disk.open(&segment.name()) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                core.damaged(&segment, 0, segment.len);
                Arc::new(Nothing)
            }
            Err(_) => return false,
        };
        let seed = seed(segment.stream, segment.number, core.owner.dataset);
        self.scanner.turn_to(file, seed, Layout::of(core.owner.lanes).records);
        for (place, start) in segment.starts.iter().enumerate() {
            gap_to(&mut self.seen, &mut self.gaps, place, *start);
        }
        self.finished = false;
        self.segment = segment;
        self.next = None;
        true
    }

    /// Goes from a closed segment to the next.
    fn leave(&mut self) {
        let before: u64 = self.seen.last().copied().unwrap_or(0);
        let ends = self.segment.ends().unwrap_or_default().to_vec();
        for (place, end) in ends.iter().enumerate() {
            gap_to(&mut self.seen, &mut self.gaps, place, *end);
        }
        let next = lock(&self.core.shelf).after(self.stream, self.segment.number);
        let missing = ends.last().is_some_and(|end| *end > before);
        let rest = self.segment.len.saturating_sub(self.scanner.at());
        let explained = self.segment.exact || self.segment.overflowed.load(Ordering::Relaxed);
        if missing && !explained && rest >= record::room(MIN_PAYLOAD) as u64 {
            // Its last records are gone, which only the next segment tells.
            self.core.damaged(&self.segment, self.scanner.at(), rest);
        }
        self.ended = next.is_none();
        self.next = next;
    }

    /// Reports hits that found no room after the last record of the open segment. True if there are any.
    fn find_lost(&mut self) -> bool {
        if !self.core.overflowing.load(Ordering::Acquire) {
            return false;
        }
        let lost = lock(&self.core.writer).lost_after(self.segment.number, self.scanner.at());
        for (place, end) in lost.unwrap_or_default().into_iter().enumerate() {
            gap_to(&mut self.seen, &mut self.gaps, place, end);
        }
        !self.gaps.is_empty()
    }
}

/// Reports what is missing of a lane up to `end`.
fn gap_to(seen: &mut [u64], gaps: &mut VecDeque<Gap>, place: usize, end: u64) {
    if let Some(seen) = seen.get_mut(place).filter(|seen| **seen < end) {
        gaps.push_back(Gap { lane: Lane::try_from(place).unwrap_or(Lane::MAX), from: *seen, to: end });
        *seen = end;
    }
}

/// Notes an ordinal, and what is missing before it. True if it is new.
#[inline]
fn advance(seen: &mut [u64], gaps: &mut VecDeque<Gap>, place: usize, ordinal: u64) -> bool {
    let last = seen[place];
    if ordinal <= last {
        return false;
    }
    if ordinal > last + 1 {
        gap_to(seen, gaps, place, ordinal - 1);
    }
    seen[place] = ordinal;
    true
}

/// A file with nothing in it.
struct Nothing;

impl super::disk::SegmentFile for Nothing {
    fn len(&self) -> u64 {
        0
    }

    fn read_at(&self, _: u64, _: &mut [u8]) -> std::io::Result<usize> {
        Ok(0)
    }

    fn sync(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn warm(&self, _: u64, _: u64) {}

    fn fill(&self, _: u64) -> std::io::Result<()> {
        Ok(())
    }
}
