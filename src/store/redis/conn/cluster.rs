//! A cluster: the client finds nodes and follows slots; what is ours is to know which part does not answer.
//!
//! Guarantees that a part of the slots whose master is away fails at once and holds nothing up, and that the whole
//! client is made anew when a part has not answered for a while: it may hold on to nodes that are no more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{Arg, Cmd, ErrorKind, RedisError, ServerErrorKind, Value};

use super::clients::Clients;
use super::failure::{Means, late, means, unavailable};
use super::kept::{Kept, Look, Maker};
use super::single::Sent;
use crate::store::redis::tags::{SLOTS, slot_of_key};
use crate::store::{Error, Result};

/// Slots of one part: the smallest piece that is known to be away by itself.
const PART: u16 = 256;
/// After so long without an answer from a part the client is made anew.
const PATIENCE: Duration = Duration::from_secs(3);
/// Making it may take so long: it asks several nodes, and some may be frozen.
const MAKING: Duration = Duration::from_secs(5);
/// A part that is away is tried again after this ...
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// ... and then after up to this.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// Commands of one batch that are under way at once.
const PIECE: usize = 500;

/// The cluster.
pub(super) struct Cluster {
    pub(super) kept: Arc<Kept<ClusterConnection>>,
    parts: Arc<Parts>,
    deadline: Duration,
}

impl Cluster {
    pub(super) fn new(deadline: Duration) -> Cluster {
        Cluster { kept: Arc::new(Kept::new()), parts: Arc::default(), deadline }
    }

    /// What makes its connections.
    pub(super) fn maker(&self, clients: Clients) -> ClusterMaker {
        ClusterMaker { clients, parts: Arc::clone(&self.parts) }
    }

    /// Sends one command. An error that is no answer leaves open whether it was done.
    pub(super) async fn send(&self, cmd: &Cmd) -> Sent<Value> {
        let trial = self.parts.begin(part_of(cmd), self.deadline)?;
        let (_, mut connection) = self.kept.current().await?;
        let answer = cmd.query_async(&mut connection).await;
        trial.end(answer.as_ref().err().is_none_or(is_answer));
        Ok(answer)
    }

    /// Sends many commands beside each other.
    pub(super) async fn send_all(&self, cmds: &[Cmd]) -> Sent<Vec<Value>> {
        let mut answers = Vec::with_capacity(cmds.len());
        for piece in cmds.chunks(PIECE) {
            for answer in join_all(piece.iter().map(|cmd| self.send(cmd))).await {
                match answer? {
                    Ok(answer) => answers.push(answer),
                    Err(error) => return Ok(Err(error)),
                }
            }
        }
        Ok(Ok(answers))
    }
}

impl Cluster {
    /// Asks every master; gives each one's name with its answer.
    pub(super) async fn ask_each(&self, cmd: Cmd) -> Sent<Vec<(String, Value)>> {
        let (_, mut connection) = self.kept.current().await?;
        let to_all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let answers = connection.route_command(cmd, to_all).await;
        Ok(answers.and_then(|answers| Ok(redis::from_redis_value(answers)?)))
    }
}

/// True if an error is the answer of a node that serves the slot.
fn is_answer(error: &RedisError) -> bool {
    let elsewhere = matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::ClusterDown | ServerErrorKind::Moved | ServerErrorKind::Ask)
    );
    means(error) == Means::Answered && !elsewhere
}

/// The part that a command is about: that of its first key.
fn part_of(cmd: &Cmd) -> usize {
    let mut words = cmd.args_iter().filter_map(|arg| match arg {
        Arg::Simple(word) => Some(word),
        _ => None,
    });
    let name = words.next().unwrap_or_default();
    let key = if name.starts_with(b"EVAL") { words.nth(2) } else { words.next() };
    usize::from(slot_of_key(key.unwrap_or_default()) / PART)
}

/// Which parts do not answer.
struct Parts(Box<[Mutex<Option<Failing>>]>);

/// A part that does not answer.
struct Failing {
    since: Instant,
    /// Nobody tries it before this.
    next: Instant,
    wait: Duration,
}

impl Default for Parts {
    fn default() -> Parts {
        Parts((0..SLOTS / PART).map(|_| Mutex::new(None)).collect())
    }
}

impl Parts {
    /// A call to a part begins.
    ///
    /// # Errors
    /// `Unavailable` while the part is known to be away and it is not yet time to try again.
    fn begin(&self, part: usize, deadline: Duration) -> Result<Trial<'_>> {
        let now = Instant::now();
        let mut state = self.0[part].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failing) = &mut *state {
            if now < failing.next {
                return Err(Error::Unavailable(
                    "Redis is away: a part of the cluster does not answer".into(),
                ));
            }
            // One tries; the others do not wait with it.
            failing.next = now + deadline;
        }
        Ok(Trial { state: &self.0[part], ended: false })
    }

    /// For how long the part has failed that has failed for longest.
    fn longest(&self) -> Duration {
        let since = |state: &Mutex<Option<Failing>>| {
            let state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.as_ref().map(|failing| failing.since.elapsed())
        };
        self.0.iter().filter_map(since).max().unwrap_or_default()
    }

    /// The client was made anew: those that fail begin to fail now.
    fn renew(&self) {
        for state in &self.0 {
            if let Some(failing) = &mut *state.lock().unwrap_or_else(PoisonError::into_inner) {
                failing.since = Instant::now();
                failing.next = failing.since;
            }
        }
    }
}

/// A call to a part. One that is given up without an end has failed.
struct Trial<'p> {
    state: &'p Mutex<Option<Failing>>,
    ended: bool,
}

impl Trial<'_> {
    fn end(mut self, answered: bool) {
        if answered {
            self.ended = true;
            *self.state.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let failing = state.get_or_insert(Failing { since: now, next: now, wait: FIRST_WAIT });
        failing.next = now + failing.wait;
        failing.wait = (failing.wait * 2).min(LONGEST_WAIT);
    }
}

/// Makes clients of the cluster.
pub(super) struct ClusterMaker {
    clients: Clients,
    parts: Arc<Parts>,
}

impl Maker for ClusterMaker {
    type Connection = ClusterConnection;

    async fn make(&mut self) -> Result<ClusterConnection> {
        let client = self.clients.cluster()?;
        let made = tokio::time::timeout(MAKING, client.get_async_connection()).await;
        let connection = made.map_err(|_| late())?.map_err(|e| unavailable(&e))?;
        self.parts.renew();
        Ok(connection)
    }

    async fn look(&mut self, _: &mut ClusterConnection) -> Look {
        if self.parts.longest() >= PATIENCE { Look::Worn } else { Look::Well }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_belong_to_the_part_of_their_key() {
        let mut get = redis::cmd("HGET");
        get.arg("sl:{foo}:m").arg("id");
        let mut run = redis::cmd("EVALSHA");
        run.arg("0123").arg(2).arg("sl:{foo}:m").arg("sl:{foo}:c").arg("more");
        // The slot of foo is 12,182.
        assert_eq!((part_of(&get), part_of(&run), part_of(&redis::cmd("PING"))), (47, 47, 0));
    }

    #[test]
    fn a_part_that_is_away_is_tried_by_one_at_a_time() {
        let parts = Parts::default();
        let begin = |part| parts.begin(part, Duration::from_secs(9));
        drop(begin(3).unwrap());
        assert!(begin(3).is_err(), "just now it failed");
        begin(4).unwrap().end(true);
        parts.renew();
        let trial = begin(3).unwrap();
        assert!(begin(3).is_err(), "somebody tries");
        assert!(parts.longest() < Duration::from_secs(9));
        trial.end(true);
        begin(3).unwrap().end(true);
        assert_eq!(parts.longest(), Duration::ZERO);
    }
}
