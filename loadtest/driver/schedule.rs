//! The schedule: when each request is meant to start.
//!
//! Guarantees: with a rate, the starts are evenly spaced and do not depend on any answer (open loop), and none is
//! skipped however late it is taken; without a rate, a request is due whenever a connection is free (closed loop).
//! Refuses to know: connections, and what is sent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    /// As many as the connections take, one after another.
    Max,
    /// So many a second, come what may.
    PerSecond(u64),
}

const SECOND: u64 = 1_000_000_000;

/// One thread's share of the starts: every `stride`-th, from `first` on.
pub(crate) struct Schedule {
    rate: Rate,
    stride: u64,
    next: u64,
    total: u64,
    start: Instant,
    end: Instant,
    next_start: Instant,
    /// Starts that were taken but could not be sent.
    returned: VecDeque<Instant>,
}

impl Schedule {
    pub(crate) fn new(rate: Rate, first: u64, stride: u64, start: Instant, length: Duration) -> Self {
        let total = match rate {
            Rate::Max => u64::MAX,
            Rate::PerSecond(rate) => {
                let starts = u128::from(rate) * length.as_nanos() / u128::from(SECOND);
                u64::try_from(starts).unwrap_or(u64::MAX)
            }
        };
        let end = start + length;
        let mut made = Self {
            rate,
            stride,
            next: first,
            total,
            start,
            end,
            next_start: start,
            returned: VecDeque::new(),
        };
        made.next_start = made.start_of(first);
        made
    }

    fn start_of(&self, n: u64) -> Instant {
        match self.rate {
            Rate::Max => self.start,
            Rate::PerSecond(rate) => {
                let nanos = u128::from(n) * u128::from(SECOND) / u128::from(rate.max(1));
                self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX >> 1))
            }
        }
    }

    /// Takes the earliest start that is not after `now`.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Instant> {
        if let Some(intended) = self.returned.pop_front() {
            return Some(intended);
        }
        if self.rate == Rate::Max {
            return (now >= self.start && now < self.end).then_some(now);
        }
        if self.next >= self.total || self.next_start > now {
            return None;
        }
        let intended = self.next_start;
        self.next += self.stride;
        self.next_start = self.start_of(self.next);
        Some(intended)
    }

    /// Gives back a start whose request never left.
    pub(crate) fn give_back(&mut self, intended: Instant) {
        if self.rate != Rate::Max {
            self.returned.push_back(intended);
        }
    }

    /// When something is due again.
    pub(crate) fn next_start(&self) -> Instant {
        self.next_start
    }

    /// Whether nothing will be due any more.
    pub(crate) fn finished(&self, now: Instant) -> bool {
        match self.rate {
            Rate::Max => now >= self.end,
            Rate::PerSecond(_) => self.next >= self.total && self.returned.is_empty(),
        }
    }

    /// Starts that were never taken, or came back.
    pub(crate) fn left(&self) -> u64 {
        match self.rate {
            Rate::Max => 0,
            Rate::PerSecond(_) => {
                self.total.saturating_sub(self.next).div_ceil(self.stride)
                    + crate::numbers::count(self.returned.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Rate, Schedule};

    #[test]
    fn two_threads_share_every_start_once() {
        let start = Instant::now();
        let late = start + Duration::from_secs(60);
        let mut all = Vec::new();
        for first in 0..2 {
            let mut schedule = Schedule::new(Rate::PerSecond(1_000), first, 2, start, Duration::from_secs(1));
            assert_eq!(schedule.left(), 500);
            while let Some(intended) = schedule.take(late) {
                all.push(intended - start);
            }
            assert!(schedule.finished(late));
        }
        all.sort();
        let wanted: Vec<Duration> = (0..1_000).map(Duration::from_millis).collect();
        assert_eq!(all, wanted);
    }

    #[test]
    fn what_is_not_due_is_not_given() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Rate::PerSecond(10), 0, 1, start, Duration::from_secs(1));
        assert!(schedule.take(start).is_some());
        assert!(schedule.take(start + Duration::from_millis(99)).is_none());
        let second = schedule.take(start + Duration::from_millis(100)).unwrap();
        schedule.give_back(second);
        assert_eq!(schedule.take(start), Some(second));
    }
}
