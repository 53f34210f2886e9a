//! The feed: how this node follows the store's changes into its mirror, and everybody else of this process with it.
//!
//! A *push* (publish and subscribe) makes it fast, a *poll* of all lanes each second makes it certain, and where a
//! lane's history is another than the one followed, the whole lane is compared. Guarantees that a change is in the
//! mirror before it is told here; that own writes are in it before their callers hear of them; and that nothing is
//! taken from or put into a store that is not the one this node knows. Knows records by name, not what is done with
//! them.

mod follow;
mod heal;
mod lane;
mod listen;
mod lost;
mod read;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::lane::LaneState;
use super::conn::Conn;
use super::lanes::Lanes;
use super::records::{Records, Witness, Written};
use crate::domain::lane::Lane;
use crate::domain::link::Found;
use crate::store::links::Changes;
use crate::store::mirror::{Mirror, Put};
use crate::store::{Error, Result, Trouble};

/// Lanes that are compared at the same moment.
const COMPARED: usize = 2;
/// A store that does not answer for so long is away.
const BLINK: Duration = Duration::from_secs(2);
/// Whoever needs all of the mirror waits this long for it to grow.
const PATIENCE: Duration = Duration::from_secs(5);

/// The feed of an open store.
pub struct Feed(Arc<Core>);

struct Core {
    conn: Conn,
    lanes: Lanes,
    /// Writes without telling the feed of it.
    records: Records,
    mirror: Arc<dyn Mirror>,
    states: Vec<LaneState>,
    /// Why nothing may be written or taken.
    fence: State,
    /// Why the lanes cannot be asked.
    away: State,
    /// When it began: times of lanes are since then.
    began: Instant,
    /// Somebody wants to know now how far all lanes are.
    look: Notify,
    /// A connection was lost, or is new: servers may have been restarted.
    reconnected: AtomicBool,
    /// Rises whenever a lane was found in step.
    steps: watch::Sender<u64>,
    /// Who compares a lane holds one.
    comparing: Semaphore,
    /// Records read while lanes were compared, for the log.
    compared: AtomicU64,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Something that holds or does not, why, and since when.
#[derive(Default)]
struct State(Mutex<Option<(String, Instant)>>);

impl State {
    fn new(why: Option<String>) -> State {
        State(Mutex::new(why.map(|why| (why, Instant::now()))))
    }

    /// Holds from now on, unless it did before, or does not. True if it held before.
    fn set(&self, why: Option<String>) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = state.as_ref().map(|(_, since)| *since);
        *state = why.map(|why| (why, held.unwrap_or_else(Instant::now)));
        held.is_some()
    }

    /// Why it holds, and for how long it has.
    fn holds(&self) -> Option<(String, Duration)> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.as_ref().map(|(why, since)| (why.clone(), since.elapsed()))
    }
}

/// Nobody is told.
struct Nobody;

#[async_trait]
impl Witness for Nobody {
    fn sends(&self, _lane: Lane, _tag: u64) {}

    fn over(&self, _lane: Lane, _tag: u64, _told: bool) {}

    async fn wrote(&self, _lane: Lane, _written: Written) {}

    async fn saw(&self, _lane: Lane, _puts: Vec<Put>) {}
}

impl Feed {
    /// Begins to follow the store into `mirror`, which is of the same dataset. With `fence`, it is known already that
    /// another store answers.
    ///
    /// # Errors
    /// The mirror's.
    pub async fn start(
        conn: Conn,
        lanes: Lanes,
        mirror: Arc<dyn Mirror>,
        fence: Option<String>,
    ) -> Result<Feed> {
        let followed = mirror.followed().await?;
        let state = |lane: Lane| LaneState::new(followed.get(usize::from(lane)).copied().unwrap_or_default());
        let core = Arc::new(Core {
            records: Records::new(conn.clone(), lanes.clone(), Arc::new(Nobody)),
            states: lanes.all().map(state).collect(),
            conn,
            lanes,
            mirror,
            fence: State::new(fence),
            away: State::default(),
            began: Instant::now(),
            look: Notify::new(),
            reconnected: AtomicBool::new(true),
            steps: watch::Sender::new(0),
            comparing: Semaphore::new(COMPARED),
            compared: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        let stop = core.stop.clone();
        core.tasks.spawn(stop.clone().run_until_cancelled_owned(Arc::clone(&core).poll()));
        core.tasks.spawn(stop.run_until_cancelled_owned(Arc::clone(&core).listen()));
        Ok(Feed(core))
    }

    /// Ends what runs for it.
    pub async fn close(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Waits until a lane is in step, for at most `patience`. False if it is not.
    pub async fn in_step(&self, lane: Lane, patience: Duration) -> bool {
        let mut steps = self.0.steps.subscribe();
        let stepped = steps.wait_for(|_| self.0.state(lane).in_step().is_some());
        tokio::time::timeout(patience, stepped).await.is_ok_and(|stepped| stepped.is_ok())
    }

    /// Waits until the mirror has all that the store has now.
    ///
    /// # Errors
    /// `Unavailable` if that does not come nearer any more.
    pub async fn whole(&self) -> Result<()> {
        let asked = self.0.now();
        let whole = || {
            let in_step = |state: &LaneState| state.at().complete && state.in_step() >= Some(asked);
            self.0.states.iter().all(in_step)
        };
        let mut steps = self.0.steps.subscribe();
        let mut compared = self.0.count(0);
        self.suspect();
        while !whole() {
            let stepped = tokio::time::timeout(PATIENCE, steps.changed()).await;
            let now = self.0.count(0);
            if stepped.is_err() && now == std::mem::replace(&mut compared, now) {
                return Err(Error::Unavailable(
                    "the mirror does not have everything, and gets no more".into(),
                ));
            }
        }
        Ok(())
    }

    /// Must be asked before anything is written.
    ///
    /// # Errors
    /// `Fenced` while another store than the known one answers.
    pub fn gate(&self) -> Result<()> {
        self.0.gate()
    }

    /// Something does not fit the store that this node knows: looks at it now.
    pub fn suspect(&self) {
        self.0.look.notify_one();
    }

    /// The links of a folded code while the store cannot be asked.
    ///
    /// # Errors
    /// `Unavailable` if the mirror does not know the code and has not all codes.
    pub async fn find_away(&self, key: &str) -> Result<Vec<Found>> {
        let found = self.0.mirror.links().find(key).await?;
        if found.is_empty() && !self.0.state(self.0.lanes.of(key)).at().complete {
            return Err(Error::Unavailable("the mirror does not know the code and is not complete".into()));
        }
        Ok(found)
    }

    /// What changed since a version of this node's own feed. The store is not asked.
    ///
    /// # Errors
    /// The mirror's.
    pub async fn changes_since(&self, version: u64) -> Result<Changes> {
        // Before the changes are read: what comes in between is told, and does not count as seen.
        let behind = self.0.behind();
        Ok(Changes { behind, ..self.0.mirror.links().changes_since(version).await? })
    }

    /// Wakes whoever follows the feed.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.0.mirror.links().changed()
    }

    /// What is not well.
    #[must_use]
    pub fn troubles(&self) -> Vec<Trouble> {
        let missing = self.0.states.iter().filter(|state| !state.at().complete).count();
        let mut troubles = vec![];
        if let Some((why, lasting)) = self.0.fence.holds() {
            let detail = format!("{why}; known links redirect, nothing is written, hits wait in the journal");
            troubles.push(Trouble { code: "store_fenced", detail, lasting, blind: missing > 0 });
        }
        // A blink is no trouble, but at a start nothing is known to be well.
        let new = self.0.states.iter().any(|state| state.in_step().is_none());
        if let Some((why, lasting)) = self.0.away.holds().filter(|(_, lasting)| new || *lasting > BLINK) {
            let detail = format!("{why}; known links redirect, their hits wait in the journal");
            troubles.push(Trouble { code: "store_unavailable", detail, lasting, blind: false });
        }
        if missing > 0 {
            let all = self.0.states.len();
            let detail = format!("the mirror has {} of {all} lanes; the rest is being read", all - missing);
            let lasting = self.0.began.elapsed();
            troubles.push(Trouble { code: "mirror_incomplete", detail, lasting, blind: false });
        }
        troubles
    }
}

#[async_trait]
impl Witness for Feed {
    fn sends(&self, lane: Lane, tag: u64) {
        self.0.state(lane).sends(tag);
    }

    fn over(&self, lane: Lane, tag: u64, told: bool) {
        self.0.over(lane, tag, told);
    }

    async fn wrote(&self, lane: Lane, written: Written) {
        self.0.wrote(lane, written).await;
    }

    async fn saw(&self, lane: Lane, puts: Vec<Put>) {
        self.0.saw(lane, puts).await;
    }

    fn gate(&self) -> Result<()> {
        self.0.gate()
    }
}

impl Core {
    fn state(&self, lane: Lane) -> &LaneState {
        // Lanes come from this dataset's own functions, or were compared with how many there are.
        &self.states[usize::from(lane)]
    }

    fn gate(&self) -> Result<()> {
        self.fence.holds().map_or(Ok(()), |(why, _)| Err(Error::Fenced(why)))
    }

    /// Sets or lifts the fence.
    fn set_fence(&self, why: Option<String>) {
        match (self.fence.set(why.clone()), why) {
            (false, Some(why)) => {
                tracing::error!(%why, "the store is fenced: nothing is written to it or taken from it");
            }
            (true, None) => tracing::warn!("the store is the one that this node knows again"),
            _ => {}
        }
    }

    /// Milliseconds since the feed began.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// For how long something may have changed that the mirror does not have.
    fn behind(&self) -> Duration {
        let oldest = self.states.iter().map(|state| state.in_step().unwrap_or(0)).min().unwrap_or(0);
        Duration::from_millis(self.now().saturating_sub(oldest))
    }

    /// A lane was in step with the store when it was asked at `asked`.
    fn stepped(&self, lane: Lane, asked: u64) {
        self.state(lane).set_in_step(asked);
        self.steps.send_modify(|steps| *steps = steps.wrapping_add(1));
    }

    /// Counts records that were compared; gives how many now.
    fn count(&self, records: usize) -> u64 {
        let records = u64::try_from(records).unwrap_or(0);
        self.compared.fetch_add(records, Ordering::Relaxed) + records
    }
}
