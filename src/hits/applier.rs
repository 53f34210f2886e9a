//! From journal to numbers: reads, classifies, folds, applies; exactly once.
//!
//! The store's own ordinal of (stream, lane) is the only truth about what is counted. Every batch begins at that
//! ordinal and succeeds only if it is still there, so a retry, a late duplicate, a rollback of the store or a
//! cloned journal changes nothing twice; on any doubt the applier drops what it folded, reads the ordinal and
//! reads the journal again from there. Knows the store only by its traits.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::classify::Classifier;
use super::fold::{Fold, LinkFacts, Placer};
use super::journal::{Entry, FinishedStream, Journal, Reader, StreamInfo};
use super::{Progress, Settings};
use crate::clock;
use crate::domain::calendar::Calendar;
use crate::domain::code::fold as fold_code;
use crate::domain::lane::Lane;
use crate::domain::tally::{Batch, Counts, Group, Scope, Series, StreamId};
use crate::store::cache::{Cache, Cached, Routes};
use crate::store::tallies::Applied;
use crate::store::{self, Links, Tallies};
use crate::telemetry;

/// Fewer waiting hits than this are counted at once: it is quiet.
const QUIET: u64 = 2_000;
/// Links whose facts are asked for at once.
const CHUNK: usize = 10_000;
/// A stream that began longer ago than this and that the store does not know waits for the operator's word: its
/// tombstone may have gone, and counting it again would be counting it twice.
const TOO_OLD_MS: i64 = 29 * 86_400_000;
/// Tombstones are kept for this long, by the store and by the node.
const REMEMBERED_MS: i64 = 30 * 86_400_000;
/// How often what is remembered is compared with the store, segments are released and old things forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(30);
/// How long a stop waits for a store that does not answer.
const LAST_APPLY: Duration = Duration::from_secs(20);

/// One stream on its way into the store.
struct Draining {
    stream: StreamId,
    began_ms: i64,
    current: bool,
    /// The store's ordinals by lane, the site lane's last; as read, or as the last apply left them.
    done: Vec<u64>,
    /// Where reading goes on; None after any doubt.
    reader: Option<Reader>,
    /// The ordinals at the stream's end, for a stream that was finished before.
    finished: Option<Vec<u64>>,
    /// True if it waits for the operator.
    held: bool,
}

/// Hits read from the journal, folded, and the ordinals they take.
struct Folded {
    lanes: Fold,
    /// The site's fold, where it differs from the lanes' (after a lane and the site lane were applied apart).
    site: Option<Fold>,
    to: Vec<u64>,
    lost: Vec<u64>,
}

/// What one pass came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Hits counted by it.
    pub counted: u64,
    /// True if nothing is left of what was there when it began.
    pub drained: bool,
}

/// Where links' facts come from, and where numbers go.
pub struct Applier {
    journal: Arc<Journal>,
    tallies: Arc<dyn Tallies>,
    links: Arc<dyn Links>,
    cache: Arc<Cache>,
    progress: Arc<Progress>,
    settings: Settings,
    classifier: Classifier,
    placer: Placer,
    lanes: u16,
    streams: Vec<Draining>,
    known: bool,
}

impl Applier {
    /// Over an open journal and store.
    pub fn new(
        journal: Arc<Journal>,
        tallies: Arc<dyn Tallies>,
        links: Arc<dyn Links>,
        cache: Arc<Cache>,
        progress: Arc<Progress>,
        settings: Settings,
        calendar: Calendar,
    ) -> Applier {
        let lanes = cache.lanes();
        Applier {
            journal,
            tallies,
            links,
            cache,
            progress,
            settings,
            classifier: Classifier::default(),
            placer: Placer::new(calendar),
            lanes,
            streams: vec![],
            known: false,
        }
    }

    /// Counts until `stop`, then counts what is left. A store that is away is waited for; the journal keeps.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut last = tokio::time::Instant::now();
        let mut tidied: Option<tokio::time::Instant> = None;
        let mut wait = Duration::ZERO;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
                () = self.progress.wake.notified() => {
                    // Asked for a fresh number: at once, but no more often than at the short interval.
                    tokio::time::sleep_until(last + self.settings.apply_interval.0).await;
                }
            }
            wait = self.settings.apply_interval.0;
            if self.known && !self.is_time(last.elapsed()) {
                continue;
            }
            match self.pass().await {
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "hits could not be counted; they wait in the journal");
                    wait = (self.settings.apply_interval.0 * 2).min(Duration::from_secs(5));
                }
            }
            last = tokio::time::Instant::now();
            if tidied.is_none_or(|t| t.elapsed() >= TIDY_EVERY) {
                tidied = Some(last);
                if let Err(error) = self.tidy(clock::now_ms()).await {
                    tracing::error!(%error, "the journal could not be tidied");
                }
            }
        }
        if tokio::time::timeout(LAST_APPLY, self.settle()).await.is_err() {
            tracing::warn!("the store did not take the last hits; they are counted after the next start");
        }
    }

    /// Counts everything there is. Fails with the store's first error.
    ///
    /// # Errors
    /// The store's.
    pub async fn settle(&mut self) -> store::Result<()> {
        while !self.pass().await?.drained {}
        Ok(())
    }

    fn is_time(&self, since: Duration) -> bool {
        let given = self.journal.ordinals().last().copied().unwrap_or(0);
        let waiting = given.saturating_sub(self.progress.counted.load(Ordering::Relaxed))
            + self.progress.backlog.load(Ordering::Relaxed);
        let watched = clock::now_ms() < self.progress.watched_until_ms.load(Ordering::Relaxed);
        waiting > 0
            && (watched
                || waiting < QUIET
                || waiting >= self.settings.batch_hits / 2
                || since >= self.settings.apply_max_delay.0)
    }

    /// Reads, folds and applies at most one batch of each stream.
    ///
    /// # Errors
    /// The store's; nothing is lost by it.
    pub async fn pass(&mut self) -> store::Result<Pass> {
        let began_ms = clock::now_ms();
        if !self.known {
            self.look().await?;
        }
        let mut sum = Pass { counted: 0, drained: true };
        let mut failed = None;
        let mut i = 0;
        while i < self.streams.len() {
            match self.drain(i).await {
                Ok(pass) => {
                    sum.counted += pass.counted;
                    sum.drained &= pass.drained;
                    if pass.drained && self.finish(i, began_ms).await? {
                        self.streams.swap_remove(i);
                        continue;
                    }
                }
                Err(error) => {
                    self.streams[i].reader = None;
                    metrics::counter!(telemetry::APPLIES, "outcome" => "failed").increment(1);
                    failed = Some(error);
                }
            }
            i += 1;
        }
        self.tell(sum.drained && failed.is_none(), began_ms);
        match failed {
            None => Ok(sum),
            Some(error) => {
                // What the store has is not sure any more.
                self.known = false;
                Err(error)
            }
        }
    }

    /// Finds out which streams there are and how far the store has them.
    async fn look(&mut self) -> store::Result<()> {
        let finished: HashMap<StreamId, FinishedStream> =
            self.journal.finished().into_iter().map(|f| (f.stream, f)).collect();
        let dataset = self.tallies.dataset().await?.id;
        let mut streams = vec![];
        let kept: Vec<StreamInfo> =
            self.journal.streams().into_iter().filter(|s| s.dataset == dataset).collect();
        for info in &kept {
            let state = self.tallies.stream(info.stream).await?;
            let ended = finished.get(&info.stream).map(|f| f.ordinals.clone());
            streams.push(self.draining(info.stream, info.began_ms, info.current, state.ordinals, ended));
        }
        for (stream, past) in &finished {
            if !kept.iter().any(|s| s.stream == *stream) {
                let state = self.tallies.stream(*stream).await?;
                let ended = Some(past.ordinals.clone());
                streams.push(self.draining(*stream, past.began_ms, false, state.ordinals, ended));
            }
        }
        // Earlier streams first: their hits are older.
        streams.sort_by_key(|s| (s.current, s.began_ms));
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
        let held = !current && unknown && clock::now_ms() - began_ms > TOO_OLD_MS;
        if held {
            tracing::error!(%stream, "a journal stream begun over 29 days ago is unknown to the store and is not counted");
        }
        Draining { stream, began_ms, current, done, reader: None, finished, held }
    }

    /// One batch of one stream.
    async fn drain(&mut self, i: usize) -> store::Result<Pass> {
        if self.streams[i].held {
            return Ok(Pass { counted: 0, drained: true });
        }
        let Some(folded) = self.read(i) else { return self.step_over(i).await };
        let full = folded.lanes.hits() >= self.settings.batch_hits;
        let counted = folded.lanes.hits();
        let mut agreed = true;
        for lane in 0..=self.lanes {
            let at = usize::from(lane);
            if folded.to[at] > self.streams[i].done[at] {
                let groups = self.groups(&folded, lane).await?;
                agreed &= self.apply(i, lane, folded.to[at], folded.lost[at], groups).await?;
            }
        }
        let draining = &mut self.streams[i];
        self.journal.applied(draining.stream, &draining.done);
        if !agreed {
            draining.reader = None;
        }
        Ok(Pass { counted, drained: agreed && !full })
    }

    /// Reads and folds up to a batch. None for a stream of which nothing can be read any more.
    fn read(&mut self, i: usize) -> Option<Folded> {
        let draining = &mut self.streams[i];
        if draining.reader.is_none() {
            draining.reader = self.journal.read(draining.stream, &draining.done);
        }
        let reader = draining.reader.as_mut()?;
        let site = usize::from(self.lanes);
        let mut folded =
            Folded { lanes: Fold::default(), site: None, to: draining.done.clone(), lost: vec![0; site + 1] };
        while folded.lanes.hits() < self.settings.batch_hits {
            let Some(entry) = reader.next() else { break };
            match entry {
                Entry::Gap(gap) => {
                    let at = usize::from(gap.lane);
                    if gap.to > folded.to[at] {
                        folded.lost[at] += gap.to - gap.from.max(folded.to[at]);
                        folded.to[at] = gap.to;
                    }
                }
                Entry::Hit(hit) => {
                    let lane = usize::from(hit.lane);
                    let (new_lane, new_site) =
                        (hit.lane_ordinal > folded.to[lane], hit.site_ordinal > folded.to[site]);
                    let verdict = self.classifier.classify(&hit);
                    let place = self.placer.place(hit.at_ms);
                    if new_lane != new_site && folded.site.is_none() {
                        folded.site = Some(folded.lanes.clone());
                    }
                    if new_lane {
                        folded.lanes.add(&hit, verdict, place);
                        folded.to[lane] = hit.lane_ordinal;
                    }
                    if new_site {
                        if let Some(site) = &mut folded.site {
                            site.add(&hit, verdict, place);
                        }
                        folded.to[site] = hit.site_ordinal;
                    }
                }
            }
        }
        Some(folded)
    }

    async fn groups(&self, folded: &Folded, lane: Lane) -> store::Result<Vec<Group>> {
        if lane < self.lanes {
            return Ok(folded.lanes.of_lane(lane));
        }
        let fold = folded.site.as_ref().unwrap_or(&folded.lanes);
        let facts = self.facts(fold).await?;
        Ok(fold.of_site(|code| facts.get(code).cloned().unwrap_or_default()))
    }

    /// What the links of a fold are counted under: from this process's cache, else from the store.
    async fn facts<'f>(&self, fold: &'f Fold) -> store::Result<HashMap<&'f str, LinkFacts>> {
        let mut facts = HashMap::new();
        let mut missing: Vec<&str> = vec![];
        for code in fold.codes() {
            match self.cache.get(code) {
                Cached::Known(routes) => drop(facts.insert(code, facts_of(&routes, code))),
                Cached::Unknown | Cached::Miss => missing.push(code),
            }
        }
        for chunk in missing.chunks(CHUNK) {
            let keys: Vec<String> = chunk.iter().map(|c| fold_code(c).into_owned()).collect();
            let found = self.links.find_many(&keys).await?;
            for code in chunk {
                if let Some(one) = found.iter().find(|f| f.link.code.as_str() == *code) {
                    facts.insert(code, facts_of(&self.cache.routes(std::slice::from_ref(one)), code));
                }
            }
        }
        Ok(facts)
    }

    /// Applies one batch; false if the store was elsewhere than we thought.
    async fn apply(
        &mut self,
        i: usize,
        lane: Lane,
        to: u64,
        lost: u64,
        groups: Vec<Group>,
    ) -> store::Result<bool> {
        let draining = &self.streams[i];
        let from = draining.done[usize::from(lane)];
        let (stream, stream_began_ms) = (draining.stream, draining.began_ms);
        let batch = Batch { stream, stream_began_ms, lane, from, to, lost, groups };
        let applied = self.tallies.apply(&batch).await?;
        let done = &mut self.streams[i].done[usize::from(lane)];
        match applied {
            Applied::Done => {
                *done = to;
                metrics::counter!(telemetry::APPLIES, "outcome" => "done").increment(1);
                if lane == self.lanes {
                    count_classes(&batch.groups);
                }
                if lost > 0 {
                    tracing::error!(%stream, lane, lost, "hits of the journal are gone; they are counted as lost");
                }
                Ok(true)
            }
            // An earlier try landed whose answer did not.
            Applied::At(at) if at == to => {
                *done = to;
                Ok(true)
            }
            Applied::At(at) => {
                metrics::counter!(telemetry::APPLIES, "outcome" => "mismatch").increment(1);
                if at < from {
                    metrics::counter!(telemetry::ROLLBACKS).increment(1);
                    tracing::warn!(%stream, lane, had = from, has = at, "the store went back; counting again from there");
                    // Whatever took this lane back may have taken others.
                    self.known = false;
                }
                *done = at;
                Ok(false)
            }
        }
    }

    /// A stream of which the journal has nothing beyond what is done. If it was finished with more than the store
    /// has (it went back further than the journal), what cannot be sent again is added as lost.
    async fn step_over(&mut self, i: usize) -> store::Result<Pass> {
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
    async fn finish(&mut self, i: usize, now_ms: i64) -> store::Result<bool> {
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
            let finished = FinishedStream { stream, began_ms, ordinals, finished_ms: now_ms };
            if let Err(error) = self.journal.remember_finished(finished) {
                tracing::error!(%error, "a finished stream could not be remembered; it is finished again next time");
            }
        }
        Ok(true)
    }

    fn tell(&self, drained: bool, began_ms: i64) {
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
        for info in self.journal.streams() {
            if self.journal.may_release(now_ms) {
                durable.insert(info.stream, self.tallies.durable_stream(info.stream).await?.ordinals);
            }
        }
        self.journal.release(&|stream| durable.get(&stream).cloned(), now_ms)?;
        self.journal.prune_corrupt(now_ms)?;
        self.journal.forget_finished(now_ms - REMEMBERED_MS)?;
        let before = Timestamp::from_millisecond(now_ms - REMEMBERED_MS).unwrap_or(Timestamp::UNIX_EPOCH);
        self.tallies.forget_finished(before).await?;
        let minutes = i64::try_from(self.settings.keep_minutes.0.as_secs()).unwrap_or(i64::MAX);
        self.tallies.forget_minutes(now_ms / 1000 - minutes).await?;
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

fn facts_of(routes: &Routes, code: &str) -> LinkFacts {
    match routes.pick(code, false) {
        Some(route) => LinkFacts {
            channel: route.channel.clone(),
            section: route.section.clone(),
            authors: route.authors.to_vec(),
        },
        None => LinkFacts::default(),
    }
}

fn count_classes(groups: &[Group]) {
    let site = groups.iter().filter(|g| g.scope == Scope::Site).flat_map(|g| &g.rows);
    let counts: Counts = site.filter(|r| r.series == Series::Total).map(|r| r.counts).sum();
    let classes = [
        ("click", counts.clicks),
        ("preview", counts.previews),
        ("bot", counts.bots),
        ("missed", counts.missed),
    ];
    for (class, n) in classes {
        metrics::counter!(telemetry::HITS, "class" => class).increment(n);
    }
}
