//! The hits of the links, day by day, as batches that the store applies.
//!
//! Guarantees that batches follow from the plan alone, so that one which is applied already is known by its ordinals
//! and left out; that the site's numbers are the sums of the links'; and that sketches are there for as many days as a
//! server keeps them. Refuses to know single hits: each link's day is spread over its values at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use slugline::clock;
use slugline::domain::lane::{Lane, lane_of};
use slugline::domain::tally::{Batch, Counts, Group, Scope, StreamId};
use slugline::store::tallies::{Applied, Dataset};
use slugline::store::{Store, Tallies};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::links::{Codes, facts};
use super::spread::{Day, Spread};
use super::{DAY_MS, Plan, Progress, mixed};
use crate::Chance;

/// Days for which sketches are kept, as the server's configuration has it by default.
const SKETCH_DAYS: i64 = 58;
/// Different readers of a day, at most.
const READERS: u64 = 2_000_000;
/// Rows of one batch, if the store takes so many.
const ROWS: usize = 200_000;
/// Batches that are made but not applied.
const AHEAD: usize = 4;
/// What the last rank's weight is a part of.
const WEIGHT: u64 = 1 << 40;
/// No multiple of it is among the numbers of links, so that its multiples meet every rank once.
const STEP: u64 = 982_451_653;

/// Links with hits.
fn followed(plan: &Plan) -> u64 {
    plan.links.div_ceil(plan.one_in)
}

/// How often a link with hits is followed beside the others: 1 is the most.
pub(super) fn rank(plan: &Plan, n: u64) -> u64 {
    u128::from(n / plan.one_in)
        .wrapping_mul(u128::from(STEP))
        .checked_rem(u128::from(followed(plan)))
        .and_then(|rank| u64::try_from(rank).ok())
        .unwrap_or(0)
        + 1
}

/// By Zipf's law with s = 1/2.
fn weight(rank: u64) -> u64 {
    WEIGHT / (rank << 20).isqrt()
}

/// Applies all that is not applied yet.
pub(super) async fn count(store: &Store, plan: &Plan, codes: &Arc<Codes>, dataset: &Dataset) -> Result<()> {
    let tallies = &*store.tallies;
    let stream = StreamId(mixed(plan.links ^ plan.hits));
    let state = tallies.stream(stream).await?;
    if state.finished_at.is_some() {
        println!("hits: all are counted already");
        return Ok(());
    }
    let (batches, made) = channel(AHEAD);
    let making = Making {
        plan: plan.clone(),
        codes: Arc::clone(codes),
        lanes: dataset.lanes,
        stream,
        spread: Spread::new(),
        rows: tallies.max_rows().min(ROWS),
        last: vec![0; usize::from(dataset.lanes) + 1],
        weights: (1..=followed(plan)).map(|rank| u128::from(weight(rank))).sum(),
    };
    let making = tokio::task::spawn_blocking(move || making.run(&batches));
    let done = apply(tallies, made, state.ordinals, plan).await?;
    making.await??;
    let finished = tallies.finish(stream, &done, clock::now()).await?;
    ensure!(finished, "somebody else counts into this store");
    Ok(())
}

async fn apply(
    tallies: &dyn Tallies,
    mut made: Receiver<Batch>,
    mut done: Vec<u64>,
    plan: &Plan,
) -> Result<Vec<u64>> {
    let site = done.len() - 1;
    let mut told = Progress::new("hits", done[site], plan.hits);
    while let Some(batch) = made.recv().await {
        let lane = usize::from(batch.lane);
        if batch.to <= done[lane] {
            continue;
        }
        match tallies.apply(&batch).await? {
            Applied::Done => done[lane] = batch.to,
            Applied::At(at) => bail!("lane {lane} is at {at} instead of {}", batch.from),
        }
        told.at(done[site]);
    }
    Ok(done)
}

/// What makes the batches.
struct Making {
    plan: Plan,
    codes: Arc<Codes>,
    lanes: Lane,
    stream: StreamId,
    spread: Spread,
    /// Of a batch, at most.
    rows: usize,
    /// The last ordinal, by lane.
    last: Vec<u64>,
    /// Of all ranks.
    weights: u128,
}

impl Making {
    fn run(mut self, batches: &Sender<Batch>) -> Result<()> {
        let first = self.plan.until - i64::try_from(self.plan.span)?;
        for (nth, day) in (0..).zip(first..self.plan.until) {
            if !self.day(nth, day, batches)? {
                // Whoever applies them has failed, and says why.
                return Ok(());
            }
        }
        Ok(())
    }

    /// The batches of the `nth` day. False if nobody takes them.
    fn day(&mut self, nth: u64, day: i64, batches: &Sender<Batch>) -> Result<bool> {
        let begins = day * DAY_MS / 1_000;
        let mut lanes: Vec<Waiting> = (0..self.lanes).map(|_| Waiting::default()).collect();
        let mut scopes: BTreeMap<Scope, Day> = BTreeMap::new();
        for n in self.links_of(nth) {
            let Some(of) = self.link_day(n, nth, day) else { continue };
            for scope in scopes_of(n) {
                scopes.entry(scope).or_insert_with(|| self.spread.nothing()).merge(&of);
            }
            let code = self.codes.of(n);
            let lane = lane_of(&code, self.lanes);
            let group = self.spread.group(Scope::Link(code.into()), &of, day, begins);
            let waiting = lanes.get_mut(usize::from(lane)).context("no such lane")?;
            if waiting.rows + group.rows.len() + group.sketches.len() > self.rows {
                let batch = self.batch(lane, std::mem::take(waiting))?;
                if batches.blocking_send(batch).is_err() {
                    return Ok(false);
                }
            }
            waiting.add(group, of.total);
        }
        let mut site = Waiting::default();
        for (scope, of) in &scopes {
            let hits = if *scope == Scope::Site { of.total } else { Counts::default() };
            site.add(self.spread.group(scope.clone(), of, day, begins), hits);
        }
        // The links first: the site is what tells how far it is.
        for (lane, waiting) in (0..).zip(lanes.into_iter().chain([site])) {
            if waiting.hits > 0 && batches.blocking_send(self.batch(lane, waiting)?).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The links that have hits on a day: those made on it and on the days before.
    fn links_of(&self, nth: u64) -> impl Iterator<Item = u64> + use<> {
        let Plan { links, one_in, days, span, .. } = self.plan;
        let made_by = move |day: u64| (links * day).div_ceil(span);
        let from = made_by((nth + 1).saturating_sub(days)).div_ceil(one_in) * one_in;
        (from..made_by(nth + 1)).step_by(usize::try_from(one_in).unwrap_or(1))
    }

    /// A link's hits on a day; fewer with each day since it was made.
    fn link_day(&self, n: u64, nth: u64, day: i64) -> Option<Day> {
        let Plan { links, days, hits, span, until, .. } = self.plan;
        let age = nth.checked_sub(n * span / links)?;
        let decay = |age: u64| 1_000_000 / (age + 1);
        let whole = self.weights * u128::from((0..days).map(decay).sum::<u64>());
        let part = u128::from(weight(rank(&self.plan, n))) * u128::from(decay(age));
        let amount = u64::try_from(u128::from(hits) * part / whole).unwrap_or(u64::MAX).max(1);
        let (previews, bots) = (amount * 6 / 100, amount * 14 / 100);
        let hits = Counts { clicks: amount - previews - bots, previews, bots, ..Counts::default() };
        let mut chance = Chance(mixed(n << 16 | nth) | 1);
        let mut of = self.spread.nothing();
        self.spread.add(&mut of, hits, &mut chance);
        if until - day <= SKETCH_DAYS {
            // Of ten clicks two are somebody's who was there before.
            for _ in 0..hits.clicks - hits.clicks / 5 {
                of.readers.add(mixed(chance.below(READERS) << 20 | nth));
            }
            for _ in 0..previews.div_ceil(2) {
                of.shares.add(mixed(chance.wide(u64::MAX)));
            }
        } else {
            of.total.uniques = hits.clicks - hits.clicks / 5;
            of.total.unfurls = previews.div_ceil(2);
        }
        Some(of)
    }

    fn batch(&mut self, lane: Lane, waiting: Waiting) -> Result<Batch> {
        ensure!(
            waiting.rows <= self.rows,
            "{} rows in lane {lane} are more than a batch may have",
            waiting.rows
        );
        let last = self.last.get_mut(usize::from(lane)).context("no such lane")?;
        let from = *last;
        *last += waiting.hits;
        Ok(Batch {
            stream: self.stream,
            stream_began_ms: self.plan.from()?,
            lane,
            from,
            to: *last,
            lost: 0,
            groups: Arc::new(waiting.groups),
        })
    }
}

/// What the next batch of a lane has.
#[derive(Default)]
struct Waiting {
    groups: Vec<Group>,
    rows: usize,
    hits: u64,
}

impl Waiting {
    fn add(&mut self, group: Group, hits: Counts) {
        self.rows += group.rows.len() + group.sketches.len();
        self.hits += hits.all();
        self.groups.push(group);
    }
}

/// The site, and what else a link's hits are counted for.
fn scopes_of(n: u64) -> impl Iterator<Item = Scope> {
    let facts = facts(n);
    let named = facts.channel.map(Scope::Channel).into_iter().chain(facts.section.map(Scope::Section));
    std::iter::once(Scope::Site).chain(named).chain(facts.authors.into_iter().map(Scope::Author))
}
