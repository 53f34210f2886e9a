//! Finds the valid records of one segment, one after the other.
//!
//! Bytes that are no record are stepped over by looking for the next valid one, 8 bytes at a time; what was
//! stepped over is told. Total: any bytes give some records and an end. Memory is one buffer. Knows nothing of
//! streams and ordinals.

use std::ops::Range;
use std::sync::Arc;

use super::disk::{SegmentFile, read_all};
use super::format::index;
use super::record::{self, HEAD, MIN_PAYLOAD};

const BUFFER: usize = 256 << 10;
/// Bytes that are looked at together where nothing seems to be; a multiple of 8.
const BLANK: usize = 128;

/// What comes next in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A valid record, whose payload [`Scanner::payload`] gives.
    Record(Range<usize>),
    /// Bytes that are no record: where they begin, and how many.
    Skipped { at: u64, bytes: u64 },
    /// No record between here and the end.
    End,
}

/// Reads one segment from its first record on.
pub(super) struct Scanner {
    file: Arc<dyn SegmentFile>,
    seed: u32,
    max: usize,
    /// Where the next record should begin.
    at: u64,
    buf: Vec<u8>,
    /// Where in the file `buf` begins, and how much of it is from the file.
    buf_at: u64,
    filled: usize,
}

impl Scanner {
    pub(super) fn new(file: Arc<dyn SegmentFile>, seed: u32, lanes: u16, from: u64) -> Scanner {
        let max = record::max_payload(lanes);
        Scanner { file, seed, max, at: from, buf: Vec::new(), buf_at: 0, filled: 0 }
    }

    /// Goes on with another segment, keeping the buffer.
    pub(super) fn turn_to(&mut self, file: Arc<dyn SegmentFile>, seed: u32, from: u64) {
        (self.file, self.seed, self.at, self.filled) = (file, seed, from, 0);
    }

    /// Where the next record should begin.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn payload(&self, range: Range<usize>) -> &[u8] {
        self.buf.get(range).unwrap_or_default()
    }

    /// The next step before `end`. With `exact`, `end` is where the last record ends, so bytes that are no
    /// record are damage even at the end; without it they may never have been written.
    #[inline]
    pub(super) fn step(&mut self, end: u64, exact: bool) -> Step {
        if let Some(payload) = self.record_at(self.at, end) {
            let start = index(self.at - self.buf_at) + HEAD;
            self.at += record::room(payload) as u64;
            return Step::Record(start..start + payload);
        }
        self.resync(end, exact)
    }

    /// True if a valid record comes next, without looking further.
    pub(super) fn goes_on(&mut self, end: u64) -> bool {
        self.record_at(self.at, end).is_some()
    }

    /// The payload length of the valid record at `at`, if there is one that ends before `end`.
    #[inline]
    fn record_at(&mut self, at: u64, end: u64) -> Option<usize> {
        let head = self.need(at, HEAD, end)?;
        let payload = record::plausible(&self.buf[head..head + HEAD], self.max)?;
        let start = self.need(at, record::room(payload), end)?;
        record::valid(&self.buf[start..start + HEAD + payload], payload, self.seed, at).then_some(payload)
    }

    /// Where in the buffer the `n` bytes at `at` are, after reading them if need be.
    #[inline]
    fn need(&mut self, at: u64, n: usize, end: u64) -> Option<usize> {
        if at.checked_add(n as u64)? > end {
            return None;
        }
        if at < self.buf_at || at + n as u64 > self.buf_at + self.filled as u64 {
            self.fill(at, end);
        }
        let start = index(at - self.buf_at);
        (start + n <= self.filled).then_some(start)
    }

    #[cold]
    fn fill(&mut self, at: u64, end: u64) {
        let want = index(end - at).min(BUFFER);
        if self.buf.len() < want {
            self.buf.resize(want, 0);
        }
        self.buf_at = at;
        // Never beyond `end`: what lies there may be half-written, and must be read again later.
        self.filled = read_all(self.file.as_ref(), at, &mut self.buf[..want]);
    }

    /// True if the next bytes were never written.
    fn is_blank(&mut self, at: u64, end: u64) -> bool {
        let start = self.need(at, BLANK, end);
        start.is_some_and(|start| self.buf[start..start + BLANK] == [0; BLANK])
    }

    #[cold]
    fn resync(&mut self, end: u64, exact: bool) -> Step {
        let from = self.at;
        let smallest = record::room(MIN_PAYLOAD) as u64;
        let mut at = from + 8;
        while at + smallest <= end {
            if self.is_blank(at, end) {
                // Most of a segment that a killed process left was never written. No record begins with so many zeros.
                at += BLANK as u64;
                continue;
            }
            if self.record_at(at, end).is_some() {
                self.at = at;
                return Step::Skipped { at: from, bytes: at - from };
            }
            at += 8;
        }
        if exact && from < end {
            self.at = end;
            return Step::Skipped { at: from, bytes: end - from };
        }
        Step::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hits::journal::record::{encode_mark, mark_payload, room, seal};
    use proptest::prelude::*;

    struct Bytes(Vec<u8>);

    impl SegmentFile for Bytes {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }
        fn read_at(&self, at: u64, buf: &mut [u8]) -> std::io::Result<usize> {
            let from = self.0.get(index(at)..).unwrap_or_default();
            let n = from.len().min(buf.len());
            buf[..n].copy_from_slice(&from[..n]);
            Ok(n)
        }
        fn sync(&self) -> std::io::Result<()> {
            Ok(())
        }
        fn warm(&self, _: u64, _: u64) {}
        fn fill(&self, _: u64) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn marks(n: usize) -> Vec<u8> {
        let size = room(mark_payload(1));
        let mut out = vec![0; n * size];
        for (i, buf) in out.chunks_exact_mut(size).enumerate() {
            encode_mark(buf, false, 0, 0, &[i as u64, 0]);
            seal(buf, mark_payload(1), 5, (i * size) as u64);
        }
        out
    }

    fn steps(bytes: Vec<u8>, exact: bool) -> Vec<Step> {
        let end = bytes.len() as u64;
        let mut scanner = Scanner::new(Arc::new(Bytes(bytes)), 5, 1, 0);
        std::iter::from_fn(|| Some(scanner.step(end, exact)).filter(|s| *s != Step::End))
            .take(100_000)
            .collect()
    }

    #[test]
    fn damage_is_stepped_over_and_told() {
        let mut bytes = marks(4);
        let size = (bytes.len() / 4) as u64;
        bytes[index(size) + 20] ^= 1;
        bytes[index(3 * size)] = 0;
        let told =
            |exact| steps(bytes.clone(), exact).into_iter().filter(|s| matches!(s, Step::Skipped { .. }));
        assert_eq!(told(false).collect::<Vec<_>>(), [Step::Skipped { at: size, bytes: size }]);
        assert_eq!(told(true).count(), 2);
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..5000), exact: bool) {
            let end = steps(bytes, exact);
            prop_assert!(end.len() < 700);
        }

        #[test]
        fn records_after_garbage_are_found(len in 0usize..320) {
            let len = len.next_multiple_of(8);
            let mut bytes = marks(9);
            bytes[100..100 + len].fill(0x5a);
            let size = bytes.len() / 9;
            let hurt = if len == 0 { 0 } else { (100 + len - 1) / size - 100 / size + 1 };
            let found = steps(bytes, true).iter().filter(|s| matches!(s, Step::Record(_))).count();
            prop_assert!(found + hurt >= 9, "{found} {hurt}");
        }
    }
}
