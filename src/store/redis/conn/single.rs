//! The one server that takes writes: named by the configuration, or by Sentinels.
//!
//! Guarantees that a server which holds the connection and says nothing, or which has become a replica, is found
//! out and left.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, Value};
use tokio::sync::watch;

use super::clients::Clients;
use super::failure::{Means, late, means, unavailable};
use super::kept::{Kept, Look, Maker};
use super::sentinel::Sentinels;
use crate::store::redis::settings::{Address, Mode};
use crate::store::{Error, Result};

/// Commands of one batch that are sent in one piece: others get their turn between two pieces.
const PIECE: usize = 500;

/// No connection at all, or what came of sending on one.
pub(super) type Sent<T> = Result<std::result::Result<T, RedisError>>;

/// The server.
pub(super) struct Single {
    pub(super) kept: Arc<Kept<MultiplexedConnection>>,
}

impl Single {
    pub(super) fn new() -> Single {
        Single { kept: Arc::new(Kept::new()) }
    }

    /// Sends one command. An error that is no answer leaves open whether it was done.
    pub(super) async fn send(&self, cmd: &Cmd) -> Sent<Value> {
        let (number, mut connection) = self.kept.current().await?;
        let answer = cmd.query_async(&mut connection).await;
        self.judge(number, &answer);
        Ok(answer)
    }

    /// Sends many commands, in pieces.
    pub(super) async fn send_all(&self, cmds: &[Cmd]) -> Sent<Vec<Value>> {
        let mut answers = Vec::with_capacity(cmds.len());
        for piece in cmds.chunks(PIECE) {
            let mut pipeline = redis::pipe();
            for cmd in piece {
                pipeline.add_command(cmd.clone());
            }
            let (number, mut connection) = self.kept.current().await?;
            let some = pipeline.query_async::<Vec<Value>>(&mut connection).await;
            self.judge(number, &some);
            match some {
                Ok(some) => answers.extend(some),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(answers))
    }

    fn judge<T>(&self, number: u64, answer: &std::result::Result<T, RedisError>) {
        let Err(error) = answer else { return };
        match means(error) {
            Means::Answered => {}
            Means::WrongServer => self.kept.doubt(),
            Means::Lost => self.kept.lost(number),
        }
    }
}

/// Makes connections to the server.
pub(super) struct SingleMaker {
    clients: Clients,
    sentinels: Option<Sentinels>,
    /// Where the server is that the last connection goes to.
    place: watch::Sender<Option<Address>>,
}

impl SingleMaker {
    pub(super) fn new(clients: Clients, place: watch::Sender<Option<Address>>) -> SingleMaker {
        let watched = clients.settings.mode == Mode::Sentinel;
        let sentinels = watched.then(|| Sentinels::new(clients.clone()));
        SingleMaker { clients, sentinels, place }
    }

    async fn connect(&mut self) -> Result<MultiplexedConnection> {
        let at = match &mut self.sentinels {
            Some(sentinels) => sentinels.master().await?,
            None => self.clients.settings.urls[0].clone(),
        };
        let client = self.clients.server(&at)?;
        let made = client.get_multiplexed_async_connection_with_config(&self.clients.config()).await;
        let mut connection = made.map_err(|e| Error::Unavailable(format!("{at}: {e}")))?;
        takes_writes(&mut connection).await.map_err(|why| Error::Unavailable(format!("{at}: {why}")))?;
        self.place.send_if_modified(|place| {
            let moved = place.as_ref() != Some(&at);
            *place = Some(at.clone());
            moved
        });
        Ok(connection)
    }

    /// How long a look may take: a caller has waited before it.
    fn patience(&self) -> Duration {
        self.clients.deadline() / 2
    }
}

impl Maker for SingleMaker {
    type Connection = MultiplexedConnection;

    async fn make(&mut self) -> Result<MultiplexedConnection> {
        let deadline = self.clients.deadline();
        tokio::time::timeout(deadline, self.connect()).await.unwrap_or_else(|_| Err(late()))
    }

    async fn look(&mut self, connection: &mut MultiplexedConnection) -> Look {
        let patience = self.patience();
        let place = self.place.borrow().clone();
        let moved = async {
            match &mut self.sentinels {
                // Sentinels that do not answer change nothing: the server is asked as well.
                Some(sentinels) => sentinels.master().await.is_ok_and(|now| Some(now) != place),
                None => false,
            }
        };
        let writes = tokio::time::timeout(patience, takes_writes(connection));
        match tokio::join!(writes, moved) {
            (Ok(Ok(())), false) => Look::Well,
            (Ok(Ok(())), true) => Look::Gone("the Sentinels say that another server is the master".into()),
            (Ok(Err(why)), _) => Look::Gone(why),
            (Err(_), _) => Look::Gone("it does not answer".into()),
        }
    }
}

/// Asks a server whether it is a master; if not, says why it cannot be used.
async fn takes_writes(connection: &mut MultiplexedConnection) -> std::result::Result<(), String> {
    match redis::cmd("ROLE").query_async::<Value>(connection).await {
        Ok(Value::Array(role)) => match role.first() {
            Some(Value::BulkString(name)) if name == b"master" => Ok(()),
            _ => Err("it is a replica and takes no writes".into()),
        },
        Ok(_) => Ok(()),
        // A user who may not ask that is answered too.
        Err(error) if error.code() == Some("NOPERM") => Ok(()),
        Err(error) => match unavailable(&error) {
            Error::Unavailable(why) => Err(why),
            other => Err(other.to_string()),
        },
    }
}
