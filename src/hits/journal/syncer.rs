//! Makes hits survive a power cut, behind the appends.
//!
//! One sync covers all hits appended before it began. After a failed one nothing that was on its way is taken
//! for safe (the kernel may have dropped it and say "done" the next time): those hits are counted as not
//! covered until the store has them, and the journal turns to a new segment. Never stops an append.

use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::core::{Core, lock, push_bounded};
use super::writer::{Pending, Receipt};

/// How far ahead of the last record pages are made writable, at least and at most, in bytes.
pub(super) const MIN_WARM: u64 = 64 << 10;
const MAX_WARM: u64 = 8 << 20;

/// How long a journal stays in a segment whose sync failed, doubled with each further failure.
const FIRST_TURN: Duration = Duration::from_secs(1);
const LAST_TURN: Duration = Duration::from_secs(32);

const MAX_FAILED: usize = 64;

/// Up to which site ordinal it is settled whether hits survive a power cut.
#[derive(Debug, Default)]
struct Settled {
    to: u64,
    /// Ranges below `to`, as (after, to), that no sync has covered.
    failed: VecDeque<(u64, u64)>,
    closed: bool,
}

/// Failed syncs that have not been made good yet.
#[derive(Debug, Clone)]
struct Failing {
    since_ms: i64,
    error: String,
    /// Hits that no sync covered.
    uncovered: u64,
    /// The ordinals up to which that is so.
    ends: Vec<u64>,
    /// True until a later sync succeeds.
    now: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Stores covered by the last sync, as the writer counts them.
    stores: u64,
    /// Where the open segment's records ended then.
    at: u64,
    last: Duration,
    max: Duration,
    syncs: u64,
    failing: Option<Failing>,
    turns: u32,
    turn_after: Option<Instant>,
}

/// What is known of syncs.
pub(super) struct SyncBoard {
    settled: watch::Sender<Settled>,
    state: Mutex<State>,
    /// One sync at a time; a second one would take the first one's files for covered.
    turn: Mutex<()>,
}

/// How syncs went, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncTimes {
    /// How many succeeded.
    pub count: u64,
    /// How long the last one took.
    pub last: Duration,
    /// The longest since the last time this was asked.
    pub max: Duration,
}

/// A failed sync that has not been made good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyncFailure {
    pub(super) since_ms: i64,
    pub(super) uncovered: u64,
    pub(super) error: String,
}

impl Default for SyncBoard {
    fn default() -> SyncBoard {
        SyncBoard {
            settled: watch::Sender::new(Settled::default()),
            state: Mutex::default(),
            turn: Mutex::default(),
        }
    }
}

impl SyncBoard {
    /// Up to which site ordinal it is settled whether hits are covered.
    pub(super) fn settled_to(&self) -> u64 {
        self.settled.borrow().to
    }

    /// Waits until it is settled whether this hit survives a power cut, and says so.
    pub(super) async fn wait(&self, receipt: Receipt) -> bool {
        let mut settled = self.settled.subscribe();
        let site = receipt.site_ordinal;
        let Ok(now) = settled.wait_for(|s| s.closed || s.to >= site).await else { return false };
        now.to >= site && !now.failed.iter().any(|(after, to)| (after + 1..=*to).contains(&site))
    }

    fn settle(&self, to: u64, covered: bool) {
        self.settled.send_modify(|settled| {
            if !covered && to > settled.to {
                match settled.failed.back_mut() {
                    Some(last) if last.1 == settled.to => last.1 = to,
                    _ => push_bounded(&mut settled.failed, (settled.to, to), MAX_FAILED),
                }
            }
            settled.to = settled.to.max(to);
        });
    }

    /// Lets go of everybody who waits: there will be no further sync.
    pub(super) fn close(&self) {
        self.settled.send_modify(|settled| settled.closed = true);
    }

    pub(super) fn times(&self) -> SyncTimes {
        let mut state = lock(&self.state);
        let max = std::mem::take(&mut state.max);
        SyncTimes { count: state.syncs, last: state.last, max }
    }

    pub(super) fn failure(&self) -> Option<SyncFailure> {
        let state = lock(&self.state);
        let failing = state.failing.as_ref()?;
        let Failing { since_ms, uncovered, error, .. } = failing.clone();
        Some(SyncFailure { since_ms, uncovered, error })
    }

    /// Notes that what earlier boots appended may not survive a power cut; ends with the next sync.
    pub(super) fn note_failure(&self, since_ms: i64, error: &io::Error) {
        let failing =
            Failing { since_ms, error: error.to_string(), uncovered: 0, ends: Vec::new(), now: true };
        lock(&self.state).failing = Some(failing);
    }

    /// The store has these hits: what it has need not be covered here.
    pub(super) fn applied(&self, ordinals: &[u64]) {
        let mut state = lock(&self.state);
        if let Some(failing) = &mut state.failing {
            let have = ordinals.iter().copied().chain(std::iter::repeat(0));
            if failing.ends.iter().zip(have).all(|(end, have)| *end <= have) {
                failing.uncovered = 0;
            }
            if failing.uncovered == 0 && !failing.now {
                state.failing = None;
            }
        }
    }
}

impl Core {
    /// Makes all that was appended before this call survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        let _turn = lock(&self.board.turn);
        let before = lock(&self.board.state).stores;
        let Some(pending) = lock(&self.writer).pending(before) else { return Ok(()) };
        let began = Instant::now();
        let outcome = self.sync_files(&pending);
        match outcome {
            Ok(()) => {
                self.synced(&pending, began.elapsed());
                Ok(())
            }
            Err(e) => {
                self.sync_failed(&e);
                Err(e)
            }
        }
    }

    fn sync_files(&self, pending: &Pending) -> io::Result<()> {
        // Names first: a file's bytes are worth nothing while a power cut can take its name.
        if self.dir_dirty.swap(false, Ordering::AcqRel) {
            self.disk.sync_dir().inspect_err(|_| self.dir_dirty.store(true, Ordering::Release))?;
        }
        for file in &pending.rotated {
            file.sync()?;
        }
        pending.current.sync()
    }

    fn synced(&self, pending: &Pending, took: Duration) {
        let warm = {
            let mut state = lock(&self.board.state);
            let grown = pending.at.saturating_sub(if pending.rotated.is_empty() { state.at } else { 0 });
            state.stores = pending.stores;
            state.at = pending.at;
            state.last = took;
            state.max = state.max.max(took);
            state.syncs += 1;
            state.turns = 0;
            state.turn_after = None;
            if let Some(failing) = &mut state.failing {
                failing.now = false;
                if failing.uncovered == 0 {
                    state.failing = None;
                }
            }
            // What is warmed is written with the next sync, so little more than what is needed until then.
            (grown + grown / 4).clamp(MIN_WARM, MAX_WARM)
        };
        // A sync makes pages read-only again. Whoever stores into one next waits for the file system, with the
        // lock in hand; better here.
        pending.current.warm(pending.at, pending.at + warm);
        self.board.settle(pending.ends.last().copied().unwrap_or(0), true);
    }

    fn sync_failed(&self, error: &io::Error) {
        let now = Instant::now();
        let mut state = lock(&self.board.state);
        let turn = state.turn_after.is_none_or(|after| now >= after);
        if turn {
            let wait = FIRST_TURN.saturating_mul(1 << state.turns.min(5)).min(LAST_TURN);
            state.turns += 1;
            state.turn_after = Some(now + wait);
        }
        drop(state);
        // The ordinals as they are now, not as they were when the sync began: what was stored meanwhile may
        // have been dropped with the rest.
        let (ends, since_ms, stores) = {
            let mut writer = lock(&self.writer);
            if turn {
                writer.turn_away(self);
            }
            let stores = writer.pending(u64::MAX).map_or(0, |p| p.stores);
            (writer.ordinals().to_vec(), writer.last_ms(), stores)
        };
        let site = ends.last().copied().unwrap_or(0);
        let mut state = lock(&self.board.state);
        let new = site.saturating_sub(self.board.settled_to());
        let failing = state.failing.get_or_insert_with(|| Failing {
            since_ms,
            error: String::new(),
            uncovered: 0,
            ends: Vec::new(),
            now: true,
        });
        failing.error = error.to_string();
        failing.uncovered += new;
        failing.ends = ends;
        failing.now = true;
        // One less: the next pass tries again even if nothing is appended, so that the alarm can end.
        state.stores = stores.saturating_sub(1);
        drop(state);
        self.board.settle(site, false);
    }
}
