//! Sentinels: who says which server is the master.
//!
//! All of them are asked each time, and the one that knows of the newest failover is believed: a Sentinel that was
//! cut off still names the old master.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;

use super::clients::Clients;
use super::failure::{late, unavailable};
use crate::store::redis::settings::Address;
use crate::store::{Error, Result};

/// The Sentinels, with the connections to them.
pub(super) struct Sentinels {
    clients: Clients,
    kept: Vec<Option<MultiplexedConnection>>,
}

impl Sentinels {
    pub(super) fn new(clients: Clients) -> Sentinels {
        let kept = clients.settings.urls.iter().map(|_| None).collect();
        Sentinels { clients, kept }
    }

    /// Where the master is.
    ///
    /// # Errors
    /// `Unavailable` if none of them says so; the text is what the last one said instead.
    pub(super) async fn master(&mut self) -> Result<Address> {
        let clients = &self.clients;
        let asked = clients.settings.urls.iter().zip(&mut self.kept).map(|(at, kept)| ask(clients, at, kept));
        let mut newest: Result<(u64, Address)> = Err(Error::Unavailable("no Sentinel was asked".into()));
        for answer in join_all(asked).await {
            let newer = match (&answer, &newest) {
                (Ok((epoch, _)), Ok((best, _))) => epoch > best,
                (Err(_), Ok(_)) => false,
                (_, Err(_)) => true,
            };
            if newer {
                newest = answer;
            }
        }
        newest.map(|(_, at)| at)
    }
}

/// What one Sentinel says: the epoch of the last failover it knows, and where the master is.
async fn ask(
    clients: &Clients,
    at: &Address,
    kept: &mut Option<MultiplexedConnection>,
) -> Result<(u64, Address)> {
    let asking = async {
        // Kept again only once it has answered.
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => {
                let client = clients.sentinel(at)?;
                let made = client.get_multiplexed_async_connection_with_config(&clients.config()).await;
                made.map_err(|e| unavailable(&e))?
            }
        };
        let name = &clients.settings.sentinel_master;
        let asked = redis::cmd("SENTINEL").arg("MASTER").arg(name).query_async(&mut connection).await;
        let said: BTreeMap<String, String> = asked.map_err(|e| unavailable(&e))?;
        *kept = Some(connection);
        let field = |name: &str| {
            let unsaid = || Error::Unavailable(format!("the Sentinel at {at} says no {name}"));
            said.get(name).cloned().ok_or_else(unsaid)
        };
        let number = |name: &str| -> Result<u64> {
            let odd = |_| Error::Unavailable(format!("the Sentinel at {at} says an odd {name}"));
            field(name)?.parse().map_err(odd)
        };
        let port = u16::try_from(number("port")?).unwrap_or(0);
        Ok((number("config-epoch")?, Address::new(at.tls, field("ip")?, port)))
    };
    let answer = tokio::time::timeout(clients.deadline() / 2, asking).await.unwrap_or_else(|_| Err(late()));
    answer.map_err(|error| match error {
        Error::Unavailable(why) => Error::Unavailable(format!("the Sentinel at {at}: {why}")),
        other => other,
    })
}
