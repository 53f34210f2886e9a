//! Which streams there are, which are done with, and what may go.
//!
//! Guarantees that a finished stream leaves a tombstone in the store and its numbers here, so that a journal that
//! was cloned or restored cannot count again; that what a rolled-back store lost and the journal no longer has is
//! added as lost, by its exact number; and that no segment goes before the store has it durably.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::{Applier, Draining, Pass};
use crate::clock;
use crate::domain::tally::StreamId;
use crate::hits::journal::{FinishedStream, Journal, StreamInfo};
use crate::hits::retention::before_ms;
use crate::store::tallies::StreamState;
use crate::{store, telemetry};

/// A stream that began longer ago than this and that the store does not know waits for the operator's word: its
/// tombstone may have gone, and counting it again would be counting it twice.
const TOO_OLD_MS: i64 = 29 * 86_400_000;
/// Tombstones are kept for this long, by the store and by the node.
const REMEMBERED_MS: i64 = 30 * 86_400_000;

impl Applier {
    /// Finds out which streams there are and how far the store has them.
    pub(super) async fn look(&mut self) -> store::Result<()> {
        let finished: HashMap<StreamId, FinishedStream> =
            self.journal.finished().into_iter().map(|f| (f.stream, f)).collect();
        let dataset = self.tallies.dataset().await?.id;
        let mut streams = vec![];
        let kept: Vec<StreamInfo> =
            self.journal.streams().into_iter().filter(|s| s.dataset == dataset).collect();
        for info in &kept {
            let state = self.tallies.stream(info.stream).await?;
            // Until it is told, the journal takes everything an earlier boot left for uncounted.
            self.journal.applied(info.stream, &state.ordinals);
            let ended = finished.get(&info.stream).map(|f| f.ordinals.clone());
            if is_done_with(&state, ended.as_deref()) {
                continue;
            }
            streams.push(self.draining(info.stream, info.began_ms, info.current, state.ordinals, ended));
        }
        for (stream, past) in &finished {
            if !kept.iter().any(|s| s.stream == *stream) {
                let state = self.tallies.stream(*stream).await?;
                if is_done_with(&state, Some(&past.ordinals)) {
                    continue;
                }
                let ended = Some(past.ordinals.clone());
                streams.push(self.draining(*stream, past.began_ms, false, state.ordinals, ended));
            }
        }
        // Earlier streams first: their hits are older.
        streams.sort_by_key(|s| (s.current, s.began_ms));
        for old in std::mem::take(&mut self.streams) {
            let Some(new) = streams.iter_mut().find(|s| s.stream == old.stream) else { continue };
            if new.done == old.done {
                // Where nothing changed, reading goes on where it was.
                new.reader = old.reader;
            } else if new.done.iter().zip(&old.done).any(|(has, had)| has < had) {
                metrics::counter!(telemetry::ROLLBACKS).increment(1);
                tracing::warn!(stream = %new.stream, "the store went back; counting again from there");
            }
        }
        self.streams = streams;
        self.known = true;
        Ok(())
    }

    fn draining(
        &self,
        stream: StreamId,
        began_ms: i64,
        current: bool,
        mut done: Vec<u64>,
        finished: Option<Vec<u64>>,
    ) -> Draining {
        done.resize(usize::from(self.lanes) + 1, 0);
        let unknown = done.last() == Some(&0);
        let held = self.holds && !current && unknown && clock::now_ms() - began_ms > TOO_OLD_MS;
        if held {
            tracing::error!(%stream, "a journal stream begun over 29 days ago is unknown to the store and is not counted");
        }
        Draining { stream, began_ms, current, done, reader: None, finished, held }
    }

    /// A stream of which the journal has nothing beyond what is done. If it was finished with more than the store
    /// has (it went back further than the journal), what cannot be sent again is added as lost.
    pub(super) async fn step_over(&mut self, i: usize) -> store::Result<Pass> {
        let Some(ends) = self.streams[i].finished.clone() else {
            return Ok(Pass { counted: 0, drained: true });
        };
        let mut agreed = true;
        for lane in 0..=self.lanes {
            let (end, done) =
                (ends.get(usize::from(lane)).copied().unwrap_or(0), self.streams[i].done[usize::from(lane)]);
            if end > done {
                agreed &= self.apply(i, lane, end, end - done, vec![]).await?;
            }
        }
        Ok(Pass { counted: 0, drained: agreed })
    }

    /// Makes a drained earlier stream a tombstone and remembers it. True if it needs no more looking at.
    pub(super) async fn finish(&mut self, i: usize, now_ms: i64) -> store::Result<bool> {
        let draining = &self.streams[i];
        if draining.current || draining.held {
            return Ok(false);
        }
        let now = Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let ends = self.journal.streams().into_iter().find(|s| s.stream == draining.stream).map(|s| s.ends);
        let ends = ends.or_else(|| draining.finished.clone()).unwrap_or_else(|| draining.done.clone());
        if ends.iter().zip(&draining.done).any(|(end, done)| end > done) {
            return Ok(false);
        }
        if !self.tallies.finish(draining.stream, &draining.done, now).await? {
            return Ok(false);
        }
        if draining.finished.is_none() {
            let (stream, began_ms, ordinals) = (draining.stream, draining.began_ms, draining.done.clone());
            let dataset = self.tallies.dataset().await?.id;
            let finished = FinishedStream { stream, dataset, began_ms, ordinals, finished_ms: now_ms };
            if let Err(error) = self.journal.remember_finished(finished) {
                tracing::error!(%error, "a finished stream could not be remembered; it is finished again next time");
            }
        }
        Ok(true)
    }

    pub(super) fn tell(&self, drained: bool, began_ms: i64) {
        let site = usize::from(self.lanes);
        let mut backlog = 0;
        for draining in &self.streams {
            let behind = |ends: &[u64]| {
                let lanes: u64 =
                    ends.iter().zip(&draining.done).take(site).map(|(e, d)| e.saturating_sub(*d)).sum();
                lanes.max(ends.get(site).copied().unwrap_or(0).saturating_sub(draining.done[site]))
            };
            if draining.current {
                let lanes: u64 = draining.done[..site].iter().sum();
                self.progress.counted.store(lanes.min(draining.done[site]), Ordering::Release);
            } else if !draining.held {
                let info = self.journal.streams().into_iter().find(|s| s.stream == draining.stream);
                backlog += info.map_or(0, |s| behind(&s.ends));
            }
        }
        self.progress.backlog.store(backlog, Ordering::Release);
        let held = self.streams.iter().filter(|draining| draining.held).count();
        self.progress.held.store(u64::try_from(held).unwrap_or(u64::MAX), Ordering::Release);
        if drained {
            self.progress.complete_ms.store(began_ms, Ordering::Release);
        }
    }

    /// Compares what is remembered with the store, lets segments go, forgets what is old.
    ///
    /// # Errors
    /// The store's or the disk's.
    pub async fn tidy(&mut self, now_ms: i64) -> anyhow::Result<()> {
        // A store that went back shows in the streams that are done with, too.
        self.known = false;
        let mut durable = HashMap::new();
        if self.journal.may_release(now_ms) {
            for info in self.journal.streams() {
                durable.insert(info.stream, self.tallies.durable_stream(info.stream).await?.ordinals);
            }
        }
        self.journal.release(&|stream| durable.get(&stream).cloned(), now_ms)?;
        self.journal.prune_corrupt(now_ms)?;
        self.journal.forget_finished(now_ms - REMEMBERED_MS)?;
        let before = Timestamp::from_millisecond(now_ms - REMEMBERED_MS).unwrap_or(Timestamp::UNIX_EPOCH);
        self.tallies.forget_finished(before).await?;
        self.forget(now_ms).await?;
        for damage in self.journal.take_damage() {
            metrics::counter!(telemetry::CORRUPT).increment(1);
            tracing::error!(
                stream = %damage.stream, file = damage.file, offset = damage.offset, bytes = damage.bytes,
                "a part of the journal is corrupt; the file is kept aside and the rest was recovered"
            );
        }
        Ok(())
    }
}

impl Applier {
    /// Lets numbers and lines of the audit go that are older than they are kept.
    async fn forget(&mut self, now_ms: i64) -> store::Result<()> {
        let minutes = before_ms(self.retention.minutes, now_ms).div_euclid(1_000);
        self.tallies.forget_minutes(minutes).await?;
        let calendar = self.placer.calendar();
        let day_of = |kept| calendar.place(before_ms(kept, now_ms)).day;
        // Whole days of the newsroom, so that a day has all of its hours or may have none.
        let day = day_of(self.retention.hours);
        if self.forgotten == Some(day) {
            return Ok(());
        }
        self.tallies.forget_hours(calendar.start_of(day)).await?;
        self.tallies.forget_sketches(day_of(self.retention.sketches).into()).await?;
        if let Some(accounts) = &self.accounts {
            let before = Timestamp::from_millisecond(before_ms(self.retention.audit, now_ms));
            accounts.forget_audit(before.unwrap_or(Timestamp::UNIX_EPOCH)).await?;
        }
        self.forgotten = Some(day);
        Ok(())
    }
}

/// True for a tombstone that says what is remembered: nothing of the stream can be missing.
fn is_done_with(state: &StreamState, finished: Option<&[u64]>) -> bool {
    state.finished_at.is_some() && finished.is_some_and(|ended| state.ordinals == ended)
}

/// Hits of earlier boots' streams that are not known to be counted.
pub(super) fn left_by_earlier_boots(journal: &Journal) -> u64 {
    let finished = journal.finished();
    let streams = journal.streams().into_iter();
    let waiting = streams.filter(|s| !s.current && finished.iter().all(|f| f.stream != s.stream));
    waiting.map(|s| s.ends.last().copied().unwrap_or(0)).sum()
}
