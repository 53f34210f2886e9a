//! Messages of a channel, on a connection of their own.
//!
//! Guarantees that whoever reads is told each time some may have been missed; nothing else about them is certain.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::clients::Clients;
use super::failure::{late, unavailable};
use crate::store::redis::settings::Address;
use crate::store::{Error, Result};

/// Messages that wait for their reader; more are dropped, and it is told.
const WAITING: usize = 4_096;
/// Between two tries to connect.
const WAIT: Duration = Duration::from_millis(250);
/// A connection that said nothing for so long is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(1);

/// A message, or None where some may be missing.
pub(super) type Messages = mpsc::Sender<Option<Vec<u8>>>;

/// A new pair of ends.
pub(super) fn channel() -> (Messages, mpsc::Receiver<Option<Vec<u8>>>) {
    mpsc::channel(WAITING)
}

/// Where messages are heard.
pub(super) enum Place {
    /// At any of these: every node of a cluster hears all.
    AnyOf(Vec<Address>),
    /// At the server that takes writes, wherever that is.
    At(watch::Receiver<Option<Address>>),
}

impl Place {
    /// Where to listen now, the turn-th time.
    async fn now(&mut self, turn: usize) -> Option<Address> {
        match self {
            Place::AnyOf(all) => all.get(turn % all.len().max(1)).cloned(),
            Place::At(place) => place.wait_for(Option::is_some).await.ok()?.clone(),
        }
    }

    /// Returns when it is no longer the place that [`Place::now`] gave.
    async fn left(&mut self) {
        match self {
            Place::AnyOf(_) => std::future::pending().await,
            // It ends with the supervisor, and so does the listening.
            Place::At(place) => drop(place.changed().await),
        }
    }
}

/// Listens until `stop`, or until nobody reads any more.
pub(super) async fn listen(
    clients: Clients,
    mut place: Place,
    channel: String,
    to: Messages,
    stop: CancellationToken,
) {
    let listening = async {
        for turn in 0.. {
            let Some(at) = place.now(turn).await else { return };
            tokio::select! {
                // Why it ended does not matter: the poll says whether the server is there.
                _ = once(&clients, &at, &channel, &to) => {}
                () = place.left() => {}
                () = to.closed() => return,
            }
            tokio::time::sleep(WAIT).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = listening => {}
    }
}

/// Listens on one connection until it ends.
async fn once(clients: &Clients, at: &Address, channel: &str, to: &Messages) -> Result<()> {
    let deadline = clients.deadline();
    let connecting = async {
        let mut pubsub = clients.server(at)?.get_async_pubsub().await.map_err(|e| unavailable(&e))?;
        pubsub.subscribe(channel).await.map_err(|e| unavailable(&e))?;
        Ok::<_, Error>(pubsub)
    };
    let pubsub = tokio::time::timeout(deadline, connecting).await.map_err(|_| late())??;
    let (mut sink, mut messages) = pubsub.split();
    // Whatever was said before this moment was missed.
    let mut missed = true;
    loop {
        if missed {
            missed = to.try_send(None).is_err();
        }
        match tokio::time::timeout(SILENCE, messages.next()).await {
            Ok(Some(message)) => missed |= to.try_send(Some(message.get_payload_bytes().to_vec())).is_err(),
            Ok(None) => return Ok(()),
            Err(_) => {
                let ping = tokio::time::timeout(deadline, sink.ping::<redis::Value>()).await;
                ping.map_err(|_| late())?.map_err(|e| unavailable(&e))?;
            }
        }
    }
}
