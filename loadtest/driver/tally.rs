//! What one thread of the driver saw, and how such views are added up.
//!
//! Guarantees: every request that was sent is in exactly one of `answered`, `statuses` of another kind, and `unknown`.
//! Latencies are those of requests meant for the measured window, from their intended start. Refuses to know: when to
//! send what.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use hdrhistogram::Histogram;

use crate::numbers::nanos;

/// The longest latency told apart from longer ones: 100 s.
const LONGEST: u64 = 100_000_000_000;

/// The part of a run that is measured.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: Instant,
    pub(crate) to: Instant,
}

pub(crate) struct Tally {
    window: Window,
    redirects: Vec<u16>,
    /// Whole redirects, warm-up included: the A of `A <= C <= A + U`.
    pub(crate) answered: u64,
    /// Sent, but with no whole answer: the U.
    pub(crate) unknown: u64,
    /// Whole answers, redirects or not, that came within the window.
    pub(crate) in_window: u64,
    pub(crate) unsent: u64,
    pub(crate) connect_failures: u64,
    pub(crate) cut: u64,
    statuses: Vec<u64>,
    /// Nanoseconds from the intended start to the whole answer.
    pub(crate) latency: Histogram<u64>,
    /// Nanoseconds from the intended start to the sending.
    pub(crate) delay: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new(window: Window, redirects: &[u16]) -> Result<Self> {
        Ok(Self {
            window,
            redirects: redirects.to_vec(),
            answered: 0,
            unknown: 0,
            in_window: 0,
            unsent: 0,
            connect_failures: 0,
            cut: 0,
            statuses: vec![0; 600],
            latency: Histogram::new_with_bounds(1, LONGEST, 3)?,
            delay: Histogram::new_with_bounds(1, LONGEST, 3)?,
        })
    }

    pub(crate) fn sent(&mut self, intended: Instant, now: Instant) {
        if intended >= self.window.from {
            self.delay.saturating_record(nanos(now.saturating_duration_since(intended)));
        }
    }

    pub(crate) fn answer(&mut self, status: u16, intended: Instant, now: Instant) {
        if let Some(seen) = self.statuses.get_mut(usize::from(status)) {
            *seen += 1;
        }
        if self.redirects.contains(&status) {
            self.answered += 1;
        }
        if now >= self.window.from && now < self.window.to {
            self.in_window += 1;
        }
        if intended >= self.window.from && intended < self.window.to {
            self.latency.saturating_record(nanos(now.saturating_duration_since(intended)));
        }
    }

    pub(crate) fn add(&mut self, other: &Self) -> Result<()> {
        self.answered += other.answered;
        self.unknown += other.unknown;
        self.in_window += other.in_window;
        self.unsent += other.unsent;
        self.connect_failures += other.connect_failures;
        self.cut += other.cut;
        for (mine, theirs) in self.statuses.iter_mut().zip(&other.statuses) {
            *mine += theirs;
        }
        self.latency.add(&other.latency)?;
        self.delay.add(&other.delay)?;
        Ok(())
    }

    /// Statuses that were seen, and how often.
    pub(crate) fn statuses(&self) -> BTreeMap<usize, u64> {
        self.statuses.iter().copied().enumerate().filter(|&(_, n)| n > 0).collect()
    }
}
