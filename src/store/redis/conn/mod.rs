//! Connections to Redis: the only place that knows how one is made, kept and lost.
//!
//! Guarantees that every call ends within its deadline; that while the server is known to be down calls fail at
//! once; and that what failed without an answer is [`Error::Unavailable`]: it may have been done, so only what may
//! be done twice is sent. Knows no key and no record.

mod clients;
mod cluster;
mod failure;
mod kept;
mod messages;
mod script;
mod sentinel;
mod single;

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Value};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::clients::Clients;
use self::cluster::Cluster;
use self::failure::{Means, is_unknown_script, late, means, unavailable};
use self::messages::Place;
use self::single::{Sent, Single, SingleMaker};
use super::settings::{Address, Mode, Redis};
use crate::store::{Error, Result};

pub use script::Script;

/// How often an idempotent command is sent that met a lost connection.
const SENDS: u32 = 3;

/// A way to Redis. Cheap to clone.
#[derive(Clone)]
pub struct Conn {
    inner: Arc<Inner>,
    deadline: Duration,
}

struct Inner {
    clients: Clients,
    servers: Servers,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Who is asked.
enum Servers {
    /// One server, and where it is.
    Single(Single, watch::Receiver<Option<Address>>),
    /// The nodes of a cluster.
    Cluster(Cluster),
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Conn {
    /// Looks for the server. Does not fail when it is away: calls do, until it is there.
    ///
    /// # Errors
    /// `Refused` for settings that name what is not there.
    pub async fn open(settings: &Redis) -> Result<Conn> {
        let clients = Clients::new(settings)?;
        let deadline = clients.deadline();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let servers = if settings.mode == Mode::Cluster {
            let cluster = Cluster::new(deadline);
            let maker = cluster.maker(clients.clone());
            tasks.spawn(Arc::clone(&cluster.kept).supervise(maker, stop.clone()));
            Servers::Cluster(cluster)
        } else {
            let single = Single::new();
            let (told, place) = watch::channel(None);
            let maker = SingleMaker::new(clients.clone(), told);
            tasks.spawn(Arc::clone(&single.kept).supervise(maker, stop.clone()));
            Servers::Single(single, place)
        };
        // So that the first call does not find a server away that is only a moment late.
        let _ = tokio::time::timeout(deadline, servers.known()).await;
        Ok(Conn { inner: Arc::new(Inner { clients, servers, tasks, stop }), deadline })
    }

    /// The same connection for calls that may take this long instead of `store.redis.timeout`.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Conn {
        Conn { inner: Arc::clone(&self.inner), deadline }
    }

    /// Runs a script, which is atomic.
    ///
    /// # Errors
    /// `Unavailable`: whether it ran is not known.
    pub async fn run(&self, script: &Script, keys: &[Vec<u8>], args: &[Vec<u8>]) -> Result<Value> {
        self.in_time(async {
            match self.inner.servers.send(&script.by_hash(keys, args)).await? {
                Err(error) if is_unknown_script(&error) => {
                    self.inner.servers.send(&script.by_text(keys, args)).await?.map_err(|e| unavailable(&e))
                }
                answer => answer.map_err(|e| unavailable(&e)),
            }
        })
        .await
    }

    /// Sends a command that may be done twice.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn ask(&self, cmd: Cmd) -> Result<Value> {
        self.in_time(async {
            let mut sends = 1;
            loop {
                match self.inner.servers.send(&cmd).await? {
                    Err(error) if sends < SENDS && means(&error) == Means::Lost => sends += 1,
                    answer => return answer.map_err(|e| unavailable(&e)),
                }
            }
        })
        .await
    }

    /// Sends many commands at once that may each be done twice; gives their answers in order.
    ///
    /// # Errors
    /// `Unavailable`, if any of them fails.
    pub async fn ask_all(&self, cmds: Vec<Cmd>) -> Result<Vec<Value>> {
        self.in_time(async {
            let mut sends = 1;
            loop {
                match self.inner.servers.send_all(&cmds).await? {
                    Err(error) if sends < SENDS && means(&error) == Means::Lost => sends += 1,
                    answers => return answers.map_err(|e| unavailable(&e)),
                }
            }
        })
        .await
    }

    /// Asks every server that takes writes; gives each one's name with its answer.
    ///
    /// # Errors
    /// `Unavailable`, if any of them fails.
    pub async fn ask_each(&self, cmd: Cmd) -> Result<Vec<(String, Value)>> {
        self.in_time(async { self.inner.servers.ask_each(cmd).await?.map_err(|e| unavailable(&e)) }).await
    }

    /// Messages of a channel; None at first and each time some may have been missed.
    ///
    /// # Errors
    /// None: while the server is away there are no messages.
    pub async fn subscribe(&self, channel: &str) -> Result<mpsc::Receiver<Option<Vec<u8>>>> {
        let (to, from) = messages::channel();
        let (clients, stop) = (self.inner.clients.clone(), self.inner.stop.clone());
        let place = match &self.inner.servers {
            Servers::Single(_, place) => Place::At(place.clone()),
            Servers::Cluster(_) => Place::AnyOf(clients.settings.urls.clone()),
        };
        self.inner.tasks.spawn(messages::listen(clients, place, channel.to_owned(), to, stop));
        Ok(from)
    }

    /// Ends what runs for this connection. Later calls are `Unavailable`.
    pub async fn close(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    async fn in_time<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(self.deadline, call).await.unwrap_or_else(|_| {
            self.inner.servers.doubt();
            Err(late())
        })
    }
}

impl Servers {
    async fn send(&self, cmd: &Cmd) -> Sent<Value> {
        match self {
            Servers::Single(single, _) => single.send(cmd).await,
            Servers::Cluster(cluster) => cluster.send(cmd).await,
        }
    }

    async fn send_all(&self, cmds: &[Cmd]) -> Sent<Vec<Value>> {
        match self {
            Servers::Single(single, _) => single.send_all(cmds).await,
            Servers::Cluster(cluster) => cluster.send_all(cmds).await,
        }
    }

    async fn ask_each(&self, cmd: Cmd) -> Sent<Vec<(String, Value)>> {
        match self {
            Servers::Single(single, place) => {
                let answer = single.send(&cmd).await?;
                let at = place.borrow().as_ref().map(Address::to_string).unwrap_or_default();
                Ok(answer.map(|answer| vec![(at, answer)]))
            }
            Servers::Cluster(cluster) => cluster.ask_each(cmd).await,
        }
    }

    /// Returns once it is known whether anybody is there.
    async fn known(&self) {
        match self {
            Servers::Single(single, _) => drop(single.kept.current().await),
            Servers::Cluster(cluster) => drop(cluster.kept.current().await),
        }
    }

    /// A caller has waited for too long.
    fn doubt(&self) {
        match self {
            Servers::Single(single, _) => single.kept.doubt(),
            // Its parts know by themselves.
            Servers::Cluster(_) => {}
        }
    }
}

/// Reads an answer.
///
/// # Errors
/// `Corrupt` for one that is not what it should be.
pub fn read<T: FromRedisValue>(answer: Value) -> Result<T> {
    redis::from_redis_value(answer).map_err(|e| Error::Corrupt(format!("an answer of Redis: {e}")))
}
