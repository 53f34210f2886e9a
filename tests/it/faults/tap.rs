//! The store's numbers with a hand on the line: any call may fail before or after it is done, every batch is kept,
//! and the store behind it can be changed for an older one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use async_trait::async_trait;
use jiff::Timestamp;
use slugline::domain::lane::Lane;
use slugline::domain::sketch::Sketch;
use slugline::domain::tally::{Batch, Counts, Group, Row, Scope, ScopeKind, Series, SketchOf, StreamId};
use slugline::store::tallies::{Applied, Dataset, LaneAudit, StreamState};
use slugline::store::{Error, Result, Tallies};

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is lost: nothing is done.
    Request,
    /// The reply is lost: it is done, and the caller does not know.
    Reply,
}

#[derive(Default)]
struct Plan {
    /// Calls since the plan was made.
    calls: u64,
    /// Which of them fail, and how.
    faults: Vec<(u64, Fault)>,
    /// How many have.
    failed: u64,
}

/// The decorator.
pub struct Tap {
    inner: RwLock<Arc<dyn Tallies>>,
    plan: Mutex<Plan>,
    batches: Mutex<Vec<Batch>>,
    /// Most rows of a batch.
    rows: AtomicUsize,
}

impl Tap {
    pub fn new(inner: Arc<dyn Tallies>) -> Tap {
        Tap {
            inner: RwLock::new(inner),
            plan: Mutex::default(),
            batches: Mutex::default(),
            rows: AtomicUsize::new(usize::MAX),
        }
    }

    /// From now on a batch may have so many rows.
    pub fn take_rows(&self, most: usize) {
        self.rows.store(most, Ordering::Relaxed);
    }

    /// The store behind it.
    pub fn inner(&self) -> Arc<dyn Tallies> {
        Arc::clone(&self.inner.read().unwrap())
    }

    /// From now on another store is behind it.
    pub fn change(&self, inner: Arc<dyn Tallies>) {
        *self.inner.write().unwrap() = inner;
    }

    /// Lets these calls fail, counted from 1 from now on.
    pub fn fail(&self, faults: &[(u64, Fault)]) {
        *self.plan.lock().unwrap() = Plan { faults: faults.to_vec(), ..Plan::default() };
    }

    /// How many calls failed since then.
    pub fn failed(&self) -> u64 {
        self.plan.lock().unwrap().failed
    }

    /// Every batch that was to be applied, in order.
    pub fn batches(&self) -> Vec<Batch> {
        self.batches.lock().unwrap().clone()
    }

    async fn pass<T>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let fault = {
            let mut plan = self.plan.lock().unwrap();
            plan.calls += 1;
            let now = plan.calls;
            let fault = plan.faults.iter().find(|(at, _)| *at == now).map(|(_, fault)| *fault);
            plan.failed += u64::from(fault.is_some());
            fault
        };
        if fault == Some(Fault::Request) {
            return Err(Error::Unavailable("the request was lost".into()));
        }
        let done = call.await;
        match fault {
            None => done,
            Some(_) => Err(Error::Unavailable("the reply was lost".into())),
        }
    }
}

#[async_trait]
impl Tallies for Tap {
    async fn dataset(&self) -> Result<Dataset> {
        let inner = self.inner();
        self.pass(inner.dataset()).await
    }

    async fn add_zone(&self, from: i64, zone: &str) -> Result<()> {
        let inner = self.inner();
        self.pass(inner.add_zone(from, zone)).await
    }

    fn max_rows(&self) -> usize {
        self.inner().max_rows().min(self.rows.load(Ordering::Relaxed))
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied> {
        self.batches.lock().unwrap().push(batch.clone());
        let inner = self.inner();
        self.pass(inner.apply(batch)).await
    }

    async fn stream(&self, stream: StreamId) -> Result<StreamState> {
        let inner = self.inner();
        self.pass(inner.stream(stream)).await
    }

    async fn streams(&self) -> Result<Vec<StreamState>> {
        let inner = self.inner();
        self.pass(inner.streams()).await
    }

    async fn durable_stream(&self, stream: StreamId) -> Result<StreamState> {
        let inner = self.inner();
        self.pass(inner.durable_stream(stream)).await
    }

    async fn finish(&self, stream: StreamId, ordinals: &[u64], now: Timestamp) -> Result<bool> {
        let inner = self.inner();
        self.pass(inner.finish(stream, ordinals, now)).await
    }

    async fn forget_finished(&self, before: Timestamp) -> Result<u64> {
        let inner = self.inner();
        self.pass(inner.forget_finished(before)).await
    }

    async fn forget_minutes(&self, before: i64) -> Result<()> {
        let inner = self.inner();
        self.pass(inner.forget_minutes(before)).await
    }

    async fn rows(&self, scope: &Scope, series: Series, from: i64, to: i64) -> Result<Vec<Row>> {
        self.inner().rows(scope, series, from, to).await
    }

    async fn by_scope(
        &self,
        kind: ScopeKind,
        from: i64,
        to: i64,
        only: Option<&[String]>,
    ) -> Result<Vec<(String, Counts)>> {
        self.inner().by_scope(kind, from, to, only).await
    }

    async fn links_by_minute(&self, from: i64, to: i64) -> Result<Vec<(String, Counts)>> {
        self.inner().links_by_minute(from, to).await
    }

    async fn share_watch(&self, until_ms: i64) -> Result<()> {
        self.inner().share_watch(until_ms).await
    }

    async fn watched_until(&self) -> Result<i64> {
        self.inner().watched_until().await
    }

    async fn totals(&self, scopes: &[Scope]) -> Result<Vec<Counts>> {
        self.inner().totals(scopes).await
    }

    async fn forget_hours(&self, before: i64) -> Result<()> {
        let inner = self.inner();
        self.pass(inner.forget_hours(before)).await
    }

    async fn first_bucket(&self, series: Series) -> Result<Option<i64>> {
        let inner = self.inner();
        self.pass(inner.first_bucket(series)).await
    }

    async fn sketches(&self, scope: &Scope, of: SketchOf, from: i64, to: i64) -> Result<Vec<(i64, Sketch)>> {
        self.inner().sketches(scope, of, from, to).await
    }

    async fn forget_sketches(&self, before: i64) -> Result<()> {
        self.inner().forget_sketches(before).await
    }

    async fn audit(&self) -> Result<Vec<LaneAudit>> {
        self.inner().audit().await
    }

    async fn lost(&self) -> Result<Vec<u64>> {
        self.inner().lost().await
    }

    async fn export(&self, after: Option<(ScopeKind, String)>) -> Result<Vec<Group>> {
        self.inner().export(after).await
    }

    async fn import(&self, groups: Vec<Group>) -> Result<()> {
        self.inner().import(groups).await
    }

    async fn import_lost(&self, lane: Lane, lost: u64) -> Result<()> {
        self.inner().import_lost(lane, lost).await
    }
}
