//! `[store.redis]` of the configuration.
//!
//! Guarantees that a section which passes [`Redis::check`] says where servers are, and nothing twice in two ways.
//! What an address may bring along (user, password, database) is taken out of it, so that addresses can be printed
//! and logged. Knows no connection.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::secret::Secret;
use crate::units::Span;

/// Redis's own port.
const PORT: u16 = 6379;
/// Sentinel's own port.
const SENTINEL_PORT: u16 = 26_379;
/// Longest prefix of keys.
const MAX_PREFIX: usize = 32;

/// How the servers belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One server, or one name that always leads to the right one.
    Standalone,
    /// One master that Sentinels watch and replace.
    Sentinel,
    /// Several masters that share the slots.
    Cluster,
}

/// `[store.redis]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// How the servers belong together.
    pub mode: Mode,
    /// The server, the Sentinels, or some nodes of the cluster.
    pub urls: Vec<Address>,
    /// The ACL user; "" for Redis's `default`.
    pub username: String,
    /// Of the servers.
    pub password: Secret,
    /// The database's number; a cluster has only 0.
    pub database: u16,
    /// What the Sentinels call the master.
    pub sentinel_master: String,
    /// Of the Sentinels themselves.
    pub sentinel_password: Secret,
    /// A PEM file with the authorities that may have signed the servers' certificates; "" for the public ones.
    pub tls_ca: String,
    /// What all keys begin with.
    pub prefix: String,
    /// A call that takes longer is given up.
    pub timeout: Span,
}

impl Default for Redis {
    fn default() -> Redis {
        Redis {
            mode: Mode::Standalone,
            urls: vec![Address::new(false, "127.0.0.1", PORT)],
            username: String::new(),
            password: Secret::default(),
            database: 0,
            sentinel_master: String::new(),
            sentinel_password: Secret::default(),
            tls_ca: String::new(),
            prefix: "sl:".into(),
            timeout: Span(Duration::from_secs(1)),
        }
    }
}

impl Redis {
    /// True if connections are encrypted; all are, or none.
    #[must_use]
    pub fn tls(&self) -> bool {
        self.urls.iter().any(|url| url.tls)
    }

    /// Moves what the addresses brought along to the options of that name, and gives each address its port.
    ///
    /// # Errors
    /// (key, why): something is said twice and differently.
    pub fn settle(&mut self) -> Result<(), (&'static str, String)> {
        let sentinel = self.mode == Mode::Sentinel;
        for address in &mut self.urls {
            let Given { user, password, database } = std::mem::take(&mut address.given);
            if sentinel && (!user.is_empty() || database != 0) {
                let why = "a Sentinel's address has no user and no database: username and database are the master's";
                return Err(("urls", why.into()));
            }
            if sentinel {
                fill("sentinel_password", &mut self.sentinel_password, password)?;
            } else {
                fill("password", &mut self.password, password)?;
            }
            fill("username", &mut self.username, user)?;
            fill("database", &mut self.database, database)?;
            if address.port == 0 {
                address.port = if sentinel { SENTINEL_PORT } else { PORT };
            }
        }
        Ok(())
    }

    /// Says which key cannot be run with, and why.
    ///
    /// # Errors
    /// (key, why).
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let refuse = |key, why: &str| Err((key, why.to_owned()));
        if self.urls.is_empty() {
            return refuse("urls", "at least one address");
        }
        if self.mode == Mode::Standalone && self.urls.len() > 1 {
            return refuse("urls", "mode standalone has one address");
        }
        if self.urls.iter().any(|url| url.tls) && self.urls.iter().any(|url| !url.tls) {
            return refuse("urls", "all addresses are rediss: (encrypted) or none is");
        }
        if !self.username.is_empty() && self.password.reveal().is_none() {
            return refuse("password", "a user needs one");
        }
        if self.mode == Mode::Cluster && self.database != 0 {
            return refuse("database", "a cluster has only database 0");
        }
        if self.mode == Mode::Sentinel && self.sentinel_master.is_empty() {
            return refuse("sentinel_master", "mode sentinel needs the master's name");
        }
        if self.mode != Mode::Sentinel && !self.sentinel_master.is_empty() {
            return refuse("sentinel_master", "only mode sentinel has one");
        }
        if !self.tls_ca.is_empty() && !self.tls() {
            return refuse("tls_ca", "only rediss: addresses are encrypted");
        }
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
        if !(1..=MAX_PREFIX).contains(&self.prefix.len()) || !self.prefix.bytes().all(fits) {
            return refuse("prefix", "1 to 32 of A-Z a-z 0-9 - _ . :");
        }
        if !(Duration::from_millis(50)..=Duration::from_secs(60)).contains(&self.timeout.0) {
            return refuse("timeout", "50ms to 60s");
        }
        Ok(())
    }
}

/// Takes what an address gave, unless the option says something else.
fn fill<T: PartialEq + Default>(
    key: &'static str,
    option: &mut T,
    given: T,
) -> Result<(), (&'static str, String)> {
    let none = T::default();
    if *option == none {
        *option = given;
    } else if given != none && given != *option {
        return Err((key, "an address in urls says something else".into()));
    }
    Ok(())
}

/// Where a server is: `redis://host:port`, or `rediss:` for an encrypted connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Encrypted.
    pub tls: bool,
    /// A name or an IP address, an IPv6 one without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    given: Given,
}

/// What an address brought along, until [`Redis::settle`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Given {
    user: String,
    password: Secret,
    database: u16,
}

impl Address {
    /// An address.
    #[must_use]
    pub fn new(tls: bool, host: impl Into<String>, port: u16) -> Address {
        Address { tls, host: host.into(), port, given: Given::default() }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        // Nothing of the text is told: it may have a password in it.
        let shape =
            || "an address looks like redis://[user:password@]host[:port][/database], or rediss: with TLS";
        let url = url::Url::parse(text).map_err(|_| shape())?;
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(shape().into()),
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(shape().into());
        }
        let host = match url.host().ok_or_else(shape)? {
            url::Host::Domain(name) => name.to_owned(),
            url::Host::Ipv4(ip) => ip.to_string(),
            url::Host::Ipv6(ip) => ip.to_string(),
        };
        let plain = |text: &str| {
            let text = percent_encoding::percent_decode_str(text).decode_utf8();
            text.map(std::borrow::Cow::into_owned).map_err(|_| shape())
        };
        let given = Given {
            user: plain(url.username())?,
            password: Secret::new(plain(url.password().unwrap_or_default())?),
            database: match url.path().trim_matches('/') {
                "" => 0,
                number => number.parse().map_err(|_| shape())?,
            },
        };
        // 0 stands for none until the mode is known.
        Ok(Address { tls, host, port: url.port().unwrap_or(0), given })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Address, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(mode: Mode, urls: &[&str]) -> Redis {
        let urls = urls.iter().map(|url| url.parse().unwrap()).collect();
        Redis { mode, urls, ..Redis::default() }
    }

    #[test]
    fn addresses() {
        let shown = |mode, url| {
            let mut settings = with(mode, &[url]);
            settings.settle().unwrap();
            settings.urls[0].to_string()
        };
        assert_eq!(shown(Mode::Standalone, "redis://cache"), "redis://cache:6379");
        assert_eq!(shown(Mode::Standalone, "redis://127.0.0.1:7000/"), "redis://127.0.0.1:7000");
        assert_eq!(shown(Mode::Cluster, "rediss://[::1]:7000"), "rediss://[::1]:7000");
        assert_eq!(shown(Mode::Sentinel, "redis://cache"), "redis://cache:26379");
        for bad in ["cache:6379", "http://cache", "redis://", "redis://cache/x", "rediss://cache#insecure"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        let why = "redis://:hunter2@cache?".parse::<Address>().unwrap_err();
        assert!(!why.contains("hunter2"), "{why}");
    }

    #[test]
    fn what_an_address_brings_along_is_taken_out_of_it() {
        let mut settings = with(Mode::Standalone, &["redis://news:hunter%202@cache:7000/3"]);
        settings.settle().unwrap();
        assert_eq!(
            (&*settings.username, settings.password.reveal(), settings.database),
            ("news", Some("hunter 2"), 3)
        );
        assert_eq!(settings.urls, [Address::new(false, "cache", 7000)]);
        // Said again is no fault, said differently is.
        settings.urls = vec!["redis://news:hunter%202@cache/3".parse().unwrap()];
        assert_eq!(settings.settle(), Ok(()));
        for (key, url) in [
            ("username", "redis://other:hunter%202@cache"),
            ("password", "redis://:other@cache"),
            ("database", "redis://cache/4"),
        ] {
            let mut settings = Redis { urls: vec![url.parse().unwrap()], ..settings.clone() };
            assert_eq!(settings.settle().unwrap_err().0, key);
        }
        // A Sentinel's address is about the Sentinel.
        let mut settings = with(Mode::Sentinel, &["redis://:hunter2@one", "redis://two"]);
        settings.settle().unwrap();
        assert_eq!(
            (settings.sentinel_password.reveal(), settings.password.reveal()),
            (Some("hunter2"), None)
        );
        assert_eq!(with(Mode::Sentinel, &["redis://one/3"]).settle().unwrap_err().0, "urls");
    }

    #[test]
    fn what_cannot_be_is_named() {
        let fault = |change: fn(&mut Redis)| {
            let mut settings = Redis::default();
            change(&mut settings);
            settings.check().unwrap_err().0
        };
        assert_eq!(Redis::default().check(), Ok(()));
        assert_eq!(fault(|s| s.urls.clear()), "urls");
        assert_eq!(fault(|s| s.urls.push("redis://b".parse().unwrap())), "urls");
        assert_eq!(
            fault(|s| {
                s.mode = Mode::Cluster;
                s.urls.push("rediss://b".parse().unwrap());
            }),
            "urls"
        );
        assert_eq!(fault(|s| s.username = "slugline".into()), "password");
        assert_eq!(fault(|s| (s.mode, s.database) = (Mode::Cluster, 1)), "database");
        assert_eq!(fault(|s| s.mode = Mode::Sentinel), "sentinel_master");
        assert_eq!(fault(|s| s.sentinel_master = "m".into()), "sentinel_master");
        assert_eq!(fault(|s| s.tls_ca = "ca.pem".into()), "tls_ca");
        assert_eq!(fault(|s| s.prefix = "a{b}".into()), "prefix");
        assert_eq!(fault(|s| s.timeout = Span(Duration::ZERO)), "timeout");
    }
}
