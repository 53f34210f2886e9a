//! How connections are made: addresses, names, passwords, encryption.
//!
//! The only place that reveals a password, and it gives it to the client alone.

use std::time::Duration;

use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo,
    TlsCertificates,
};

use crate::secret::Secret;
use crate::store::redis::settings::{Address, Redis};
use crate::store::{Error, Result};

/// How often the cluster's client sends a command again that was sent elsewhere or came too early.
const RETRIES: u32 = 10;
/// Its waits in between, in milliseconds.
const SHORTEST_WAIT: u64 = 5;
const LONGEST_WAIT: u64 = 100;

/// Makes clients for the addresses of one configuration.
#[derive(Clone)]
pub(super) struct Clients {
    pub(super) settings: Redis,
    /// PEM.
    ca: Option<Vec<u8>>,
}

impl Clients {
    /// Reads what the settings name.
    pub(super) fn new(settings: &Redis) -> Result<Clients> {
        let ca = match settings.tls_ca.as_str() {
            "" => None,
            path => Some(
                authorities(path)
                    .map_err(|e| Error::Refused(format!("store.redis.tls_ca: {path} cannot be used: {e}")))?,
            ),
        };
        Ok(Clients { settings: settings.clone(), ca })
    }

    /// A client of a server.
    pub(super) fn server(&self, at: &Address) -> Result<Client> {
        let user = Some(self.settings.username.as_str()).filter(|user| !user.is_empty());
        let sign_in = sign_in(user, &self.settings.password).set_db(i64::from(self.settings.database));
        self.client(info(at, sign_in)?)
    }

    /// A client of a Sentinel.
    pub(super) fn sentinel(&self, at: &Address) -> Result<Client> {
        self.client(info(at, sign_in(None, &self.settings.sentinel_password))?)
    }

    /// A client of the cluster. Its waits are short: the whole call has a deadline of its own.
    pub(super) fn cluster(&self) -> Result<ClusterClient> {
        let user = Some(self.settings.username.as_str()).filter(|user| !user.is_empty());
        let sign_in = || sign_in(user, &self.settings.password);
        let nodes = self.settings.urls.iter().map(|at| info(at, sign_in())).collect::<Result<Vec<_>>>()?;
        let mut builder = ClusterClientBuilder::new(nodes)
            .connection_timeout(self.deadline() / 2)
            .response_timeout(self.deadline())
            .overall_response_timeout(None)
            .tcp_settings(no_delay())
            .retries(RETRIES)
            .min_retry_wait(SHORTEST_WAIT)
            .max_retry_wait(LONGEST_WAIT);
        if self.settings.tls() {
            builder = builder.certs(self.certificates());
        }
        builder.build().map_err(|e| refused(&e))
    }

    fn client(&self, info: ConnectionInfo) -> Result<Client> {
        let client = if self.settings.tls() {
            Client::build_with_tls(info, self.certificates())
        } else {
            Client::open(info)
        };
        client.map_err(|e| refused(&e))
    }

    fn certificates(&self) -> TlsCertificates {
        TlsCertificates { client_tls: None, root_cert: self.ca.clone() }
    }

    /// Waiting is ours to end: the client shall not.
    pub(super) fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new().set_connection_timeout(Some(self.deadline())).set_response_timeout(None)
    }

    /// How long anything may take.
    pub(super) fn deadline(&self) -> Duration {
        self.settings.timeout.0
    }
}

/// The text of a PEM file that has a certificate in it.
fn authorities(path: &str) -> std::io::Result<Vec<u8>> {
    let text = std::fs::read(path)?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    if text.windows(begin.len()).any(|part| part == begin) {
        Ok(text)
    } else {
        Err(std::io::Error::other("there is no certificate in it"))
    }
}

fn sign_in(user: Option<&str>, password: &Secret) -> RedisConnectionInfo {
    let mut sign_in = RedisConnectionInfo::default();
    if let Some(user) = user {
        sign_in = sign_in.set_username(user);
    }
    if let Some(password) = password.reveal() {
        sign_in = sign_in.set_password(password);
    }
    sign_in
}

fn info(at: &Address, sign_in: RedisConnectionInfo) -> Result<ConnectionInfo> {
    let info = address(at).into_connection_info().map_err(|e| refused(&e))?;
    Ok(info.set_redis_settings(sign_in).set_tcp_settings(no_delay()))
}

/// Small commands must not wait for larger ones to travel with.
fn no_delay() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

fn address(at: &Address) -> ConnectionAddr {
    let (host, port) = (at.host.clone(), at.port);
    if at.tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    }
}

fn refused(error: &redis::RedisError) -> Error {
    Error::Refused(format!("store.redis: {error}"))
}
