//! From journal to numbers: reads, classifies, folds, applies; exactly once.
//!
//! The store's own ordinal of (stream, lane) is the only truth about what is counted. Every batch begins at that
//! ordinal and succeeds only if it is still there, so a retry, a late duplicate, a rollback of the store or a
//! cloned journal changes nothing twice; on any doubt the applier drops what it folded, reads the ordinal and
//! reads the journal again from there. Knows the store only by its traits.

mod read;
mod streams;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::classify::{Classifier, Current};
use super::fold::Placer;
use super::journal::{Journal, Reader};
use super::retention::Settings as Retention;
use super::{Progress, Settings};
use crate::clock;
use crate::domain::calendar::{Calendar, Day};
use crate::domain::lane::Lane;
use crate::domain::tally::{Batch, Counts, Group, Scope, Series, StreamId};
use crate::priority::give_way;
use crate::store::cache::Cache;
use crate::store::tallies::Applied;
use crate::store::{self, Accounts, Links, Tallies};
use crate::telemetry;

/// Fewer waiting hits than this are counted at once: it is quiet.
const QUIET: u64 = 2_000;
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
    /// Whose audit is let go when it is old; None where somebody else does that.
    accounts: Option<Arc<dyn Accounts>>,
    cache: Arc<Cache>,
    progress: Arc<Progress>,
    settings: Settings,
    retention: Retention,
    classifier: Classifier,
    /// The tables that the classifier is to use; None for the compiled-in ones.
    tables: Option<Arc<Current>>,
    placer: Placer,
    lanes: u16,
    streams: Vec<Draining>,
    known: bool,
    /// The day whose hours, and those before it, were let go last, and all else that is old.
    forgotten: Option<Day>,
    /// False after the operator's word: then no stream waits for it.
    holds: bool,
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
        // What earlier boots left waits, also before the store could be asked how much of it.
        progress.backlog.store(streams::left_by_earlier_boots(&journal), Ordering::Release);
        Applier {
            journal,
            tallies,
            links,
            accounts: None,
            cache,
            progress,
            settings,
            retention: Retention::default(),
            forgotten: None,
            classifier: Classifier::default(),
            tables: None,
            placer: Placer::new(calendar),
            lanes,
            streams: vec![],
            known: false,
            holds: true,
        }
    }

    /// Classifies by these tables, and by others in their place from the next batch on.
    #[must_use]
    pub fn by(mut self, tables: Arc<Current>) -> Applier {
        self.classifier = Classifier::new(tables.get());
        self.tables = Some(tables);
        self
    }

    /// Keeps numbers for this long instead of what is usual.
    #[must_use]
    pub fn keeping(self, retention: Retention) -> Applier {
        Applier { retention, ..self }
    }

    /// Lets old lines of this audit go, too.
    #[must_use]
    pub fn with_audit(self, accounts: Arc<dyn Accounts>) -> Applier {
        Applier { accounts: Some(accounts), ..self }
    }

    /// The operator's word: streams that the store does not know are counted, however old they are.
    pub fn hold_nothing(&mut self) {
        self.holds = false;
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
                // Asked for a fresh number: at once, but no more often than at the short interval.
                () = self.progress.wake.notified() => tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep_until(last + self.settings.apply_interval.0) => {}
                },
            }
            wait = self.settings.apply_interval.0;
            let untidy = tidied.is_none_or(|t| t.elapsed() >= TIDY_EVERY);
            if self.known && !untidy && !self.is_time(last.elapsed()) && !self.is_watched_elsewhere().await {
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
            if untidy {
                tidied = Some(last);
                if let Err(error) = self.tidy(clock::now_ms()).await {
                    tracing::error!(%error, "the journal could not be tidied");
                }
            }
        }
        match tokio::time::timeout(LAST_APPLY, self.end()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "the last hits could not be counted; they are after the next start")
            }
            Err(_) => tracing::error!(
                "the store did not take the last hits in time; they are counted after the next start"
            ),
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

    /// Counts everything there is, and ends this boot's stream too, because nothing more comes: so nobody has to
    /// wait for this node to begin again.
    ///
    /// # Errors
    /// The store's.
    pub async fn end(&mut self) -> store::Result<()> {
        self.settle().await?;
        let now_ms = clock::now_ms();
        for i in 0..self.streams.len() {
            if self.streams[i].current && self.streams[i].done.iter().any(|n| *n > 0) {
                self.streams[i].current = false;
                self.finish(i, now_ms).await?;
            }
        }
        Ok(())
    }

    /// Hits of this node that are not counted.
    fn left(&self) -> u64 {
        let given = self.journal.ordinals().last().copied().unwrap_or(0);
        given.saturating_sub(self.progress.counted.load(Ordering::Relaxed))
            + self.progress.backlog.load(Ordering::Relaxed)
    }

    /// True if hits wait and somebody watches at another node.
    async fn is_watched_elsewhere(&self) -> bool {
        // Whoever looks there sees these hits a little later if that cannot be asked.
        let until = match self.left() {
            0 => 0,
            _ => self.tallies.watched_until().await.unwrap_or(0),
        };
        clock::now_ms() < until
    }

    fn is_time(&self, since: Duration) -> bool {
        let waiting = self.left();
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
                        self.streams.remove(i);
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

    /// One batch of one stream.
    async fn drain(&mut self, i: usize) -> store::Result<Pass> {
        if self.streams[i].held {
            return Ok(Pass { counted: 0, drained: true });
        }
        let Some((folded, of_site)) = self.read_fitting(i).await? else {
            return self.step_over(i).await;
        };
        let counted = folded.hits;
        let mut batches: Vec<(Lane, Vec<Group>)> = (0..).zip(folded.lanes.of_lanes(self.lanes)).collect();
        // Nodes that begin at the same moment, because the store is back, begin in different lanes.
        let first = self.streams[i].stream.0 % u64::from(self.lanes.max(1));
        batches.rotate_left(usize::try_from(first).unwrap_or(0));
        batches.push((self.lanes, of_site));
        let mut agreed = true;
        for (lane, groups) in batches {
            let at = usize::from(lane);
            if folded.to[at] > self.streams[i].done[at] {
                agreed &= self.apply(i, lane, folded.to[at], folded.lost[at], groups).await?;
            }
        }
        let draining = &mut self.streams[i];
        self.journal.applied(draining.stream, &draining.done);
        if !agreed {
            draining.reader = None;
        }
        Ok(Pass { counted, drained: agreed && !folded.cut })
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
        let batch = Batch { stream, stream_began_ms, lane, from, to, lost, groups: Arc::new(groups) };
        let applied = self.tallies.apply(&batch).await?;
        let done = &mut self.streams[i].done[usize::from(lane)];
        match applied {
            Applied::Done => {
                *done = to;
                metrics::counter!(telemetry::APPLIES, "outcome" => "done").increment(1);
                if lane == self.lanes {
                    count_classes(&batch.groups);
                }
                Arc::into_inner(batch.groups).into_iter().for_each(drop_groups);
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
}

/// They are many, and freeing them is work.
fn drop_groups(groups: Vec<Group>) {
    for (round, group) in groups.into_iter().enumerate() {
        give_way(round);
        drop(group);
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
