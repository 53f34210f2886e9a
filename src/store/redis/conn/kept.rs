//! A connection that is kept: made, looked after, made again.
//!
//! Guarantees that callers fail at once while it is known to be down and wait while nobody knows yet, and that
//! nothing but the supervisor makes connections (the applier's runtime, which calls too, has no network).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::store::{Error, Result};

/// Between two looks at a connection that nobody complains about.
const LOOK: Duration = Duration::from_secs(1);
/// Waits between tries grow from this ...
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// ... to this.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// What makes connections of one kind.
pub(super) trait Maker: Send {
    /// The kind.
    type Connection: Clone + Send + Sync + 'static;

    /// A connection that has answered; an error says in words why there is none.
    fn make(&mut self) -> impl Future<Output = Result<Self::Connection>> + Send;

    /// How a connection is.
    fn look(&mut self, connection: &mut Self::Connection) -> impl Future<Output = Look> + Send;
}

/// How a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It can be used.
    Well,
    /// It can be used for a part; a new one may be better.
    Worn,
    /// It cannot be used, for this reason.
    Gone(String),
}

/// What is known of the server.
#[derive(Clone)]
enum State<C> {
    /// The n-th connection stands.
    Up(u64, C),
    /// It was lost, or there was none yet; whether there is another is about to be known.
    Trying,
    /// The last try failed, for this reason.
    Down(Arc<str>),
}

/// The connection.
pub(super) struct Kept<C> {
    state: watch::Sender<State<C>>,
    doubt: Notify,
}

impl<C: Clone + Send + Sync + 'static> Kept<C> {
    pub(super) fn new() -> Kept<C> {
        Kept { state: watch::Sender::new(State::Trying), doubt: Notify::new() }
    }

    /// The connection that stands, and its number.
    ///
    /// # Errors
    /// `Unavailable`, at once, while it is known that there is none.
    pub(super) async fn current(&self) -> Result<(u64, C)> {
        let mut states = self.state.subscribe();
        let known = states.wait_for(|state| !matches!(state, State::Trying)).await;
        match known.as_deref() {
            Ok(State::Up(number, connection)) => Ok((*number, connection.clone())),
            Ok(State::Down(why)) => Err(Error::Unavailable(format!("Redis is away: {why}"))),
            Ok(State::Trying) | Err(_) => Err(Error::Unavailable("the store is closed".into())),
        }
    }

    /// Somebody has waited for too long, or was told that this server takes no writes: it is looked at.
    pub(super) fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// The n-th connection is of no use any more; callers wait until it is known whether there is another.
    pub(super) fn lost(&self, number: u64) {
        self.state.send_if_modified(|state| {
            let it = matches!(state, State::Up(n, _) if *n == number);
            if it {
                *state = State::Trying;
            }
            it
        });
    }

    /// Keeps a connection until `stop`.
    pub(super) async fn supervise(
        self: Arc<Self>,
        mut maker: impl Maker<Connection = C>,
        stop: CancellationToken,
    ) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.keep(&mut maker) => {}
        }
        self.state.send_replace(State::Down("the store is closed".into()));
    }

    async fn keep(&self, maker: &mut impl Maker<Connection = C>) {
        let (mut number, mut wait, mut told) = (0, FIRST_WAIT, false);
        loop {
            match maker.make().await {
                Ok(connection) => {
                    if std::mem::take(&mut told) {
                        tracing::info!("Redis is there again");
                    }
                    wait = FIRST_WAIT;
                    let since = Instant::now();
                    if let Some(why) = self.stand(&mut number, connection, maker).await {
                        self.down(why, &mut told);
                    }
                    // One that does not last is not made again as fast as it can be.
                    if since.elapsed() < LOOK {
                        tokio::time::sleep(FIRST_WAIT).await;
                    }
                    continue;
                }
                Err(Error::Unavailable(why)) => self.down(why, &mut told),
                Err(other) => self.down(other.to_string(), &mut told),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// From now on callers fail at once.
    fn down(&self, why: String, told: &mut bool) {
        if !std::mem::replace(told, true) {
            tracing::warn!(%why, "Redis is away");
        }
        self.state.send_replace(State::Down(why.into()));
    }

    /// Gives out a connection and looks after it; returns when it is of no use any more. None if a call has found
    /// that out: then callers wait for the next one. Else why.
    async fn stand(
        &self,
        number: &mut u64,
        mut connection: C,
        maker: &mut impl Maker<Connection = C>,
    ) -> Option<String> {
        *number += 1;
        self.state.send_replace(State::Up(*number, connection.clone()));
        let mut states = self.state.subscribe();
        loop {
            let current = *number;
            let lost = states.wait_for(|state| !matches!(state, State::Up(n, _) if *n == current));
            let look = async {
                tokio::select! {
                    () = self.doubt.notified() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
                maker.look(&mut connection).await
            };
            let look = tokio::select! {
                _ = lost => return None,
                look = look => look,
            };
            match look {
                Look::Well => {}
                Look::Worn => {
                    if let Ok(new) = maker.make().await {
                        connection = new;
                        *number += 1;
                        self.state.send_replace(State::Up(*number, connection.clone()));
                    }
                }
                Look::Gone(why) => return Some(why),
            }
        }
    }
}
