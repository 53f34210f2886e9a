//! Who a client is.
//!
//! Guarantees that `X-Forwarded-For` is believed only from the operator's own proxies, and from them only up to
//! the rightmost address that is not one of them; and a header that says the country only from them. Addresses are used
//! within the request and kept nowhere.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};

use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

use super::headers::Headers;
use crate::units::Network;

/// How long a warning about an untrusted header stays after the last such request, in milliseconds.
const WARNS_FOR_MS: i64 = 3_600_000;
const FORWARDED: [HeaderName; 2] = [HeaderName::from_static("x-forwarded-for"), http::header::FORWARDED];

/// `[clients]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Ranges of the operator's own proxies.
    pub trusted_proxies: Vec<Network>,
    /// The header in which they say a client's country; empty for none.
    pub country_header: String,
    /// Ranges that are never people.
    pub excluded_addresses: Vec<Network>,
    /// Parts of agents that are never people.
    pub excluded_agents: Vec<String>,
    /// A file of further ranges; empty for none.
    pub networks_file: String,
}

/// Most parts of agents, and the longest.
const MAX_AGENTS: usize = 1_000;
const MAX_AGENT: usize = 200;

impl Settings {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// (key, why).
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if !self.country_header.is_empty() {
            let name = self.country_header.parse::<HeaderName>();
            name.map_err(|e| ("country_header", format!("\"{}\": {e}", self.country_header)))?;
        }
        let agents = &self.excluded_agents;
        if agents.len() > MAX_AGENTS || agents.iter().any(|agent| agent.len() > MAX_AGENT) {
            return Err(("excluded_agents", format!("at most {MAX_AGENTS} of at most {MAX_AGENT} bytes")));
        }
        Ok(())
    }
}

/// What is believed of whom.
#[derive(Debug, Default)]
struct Believed {
    trusted: Vec<Network>,
    country: Option<HeaderName>,
}

impl Believed {
    fn new(settings: &Settings) -> Believed {
        // One that is no name was refused before.
        let country = Some(&settings.country_header).filter(|name| !name.is_empty());
        let country = country.and_then(|name| name.parse().ok());
        Believed { trusted: settings.trusted_proxies.clone(), country }
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|range| range.0.contains(&address))
    }

    /// The client behind a trusted proxy.
    fn behind(&self, proxy: IpAddr, headers: Headers<'_>) -> IpAddr {
        let mut client = proxy;
        headers.each_from_the_last(&FORWARDED[0], |line| {
            // What is beyond something that cannot be read is of no proxy that is known.
            let parts = std::str::from_utf8(line)
                .ok()
                .filter(|line| line.is_ascii())
                .into_iter()
                .flat_map(|line| line.rsplit(','));
            let mut trusted = false;
            for address in parts.map(read) {
                trusted = address.is_some_and(|address| self.is_trusted(address));
                client = address.unwrap_or(client);
                if !trusted {
                    break;
                }
            }
            trusted
        });
        client
    }
}

/// Tells clients from proxies.
#[derive(Debug, Default)]
pub struct Clients {
    believed: RwLock<Believed>,
    /// When a header from elsewhere was last seen; 0 for never.
    untrusted_seen_ms: AtomicI64,
}

impl Clients {
    /// From settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Clients {
        let believed = RwLock::new(Believed::new(settings));
        Clients { believed, untrusted_seen_ms: AtomicI64::new(0) }
    }

    /// Puts others in their place.
    pub fn set(&self, settings: &Settings) {
        *self.believed.write().unwrap_or_else(PoisonError::into_inner) = Believed::new(settings);
    }

    fn believed(&self) -> std::sync::RwLockReadGuard<'_, Believed> {
        self.believed.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// True for an address of the operator's own proxies.
    #[must_use]
    pub fn is_trusted(&self, address: IpAddr) -> bool {
        self.believed().is_trusted(address.to_canonical())
    }

    /// The client behind a connection from `peer`.
    #[must_use]
    pub fn address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.place(peer, headers.into()).0
    }

    /// The client behind a connection from `peer`, and what a trusted proxy says of its country.
    #[must_use]
    pub fn place<'h>(&self, peer: IpAddr, headers: Headers<'h>) -> (IpAddr, Option<&'h [u8]>) {
        let peer = peer.to_canonical();
        let believed = self.believed();
        if !believed.is_trusted(peer) {
            return (peer, None);
        }
        let country = believed.country.as_ref().map(|name| headers.get(name));
        (believed.behind(peer, headers), country)
    }

    /// Notes a forwarding header from a peer that is not trusted. Warns once in a while: either a proxy is missing
    /// from the configuration, or someone is making headers up.
    #[inline]
    pub fn notice(&self, peer: IpAddr, headers: Headers<'_>, now_ms: i64) {
        if FORWARDED.iter().any(|name| headers.has(name)) && !self.is_trusted(peer) {
            self.warn(now_ms);
        }
    }

    #[cold]
    fn warn(&self, now_ms: i64) {
        let last = self.untrusted_seen_ms.swap(now_ms, Ordering::Relaxed);
        if now_ms - last > WARNS_FOR_MS {
            tracing::warn!(
                "a request with X-Forwarded-For or Forwarded came from an address that is not trusted, and the header \
                 was ignored; if that was your own proxy, add its range to clients.trusted_proxies"
            );
        }
    }

    /// Since when (milliseconds since 1970) such a header was last seen, if that is not long ago.
    #[must_use]
    pub fn untrusted_header(&self, now_ms: i64) -> Option<i64> {
        let seen = self.untrusted_seen_ms.load(Ordering::Relaxed);
        (seen > 0 && now_ms - seen < WARNS_FOR_MS).then_some(seen)
    }
}

fn read(part: &str) -> Option<IpAddr> {
    let part = part.trim();
    let plain = part.strip_prefix('[').and_then(|p| p.split(']').next()).unwrap_or(part);
    let address = plain.parse().ok().or_else(|| part.parse::<std::net::SocketAddr>().ok().map(|a| a.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            country_header: "CF-IPCountry".into(),
            excluded_addresses: vec![],
            excluded_agents: vec![],
            networks_file: String::new(),
        }
    }

    #[test]
    fn only_a_trusted_proxy_knows_countries() {
        let clients = Clients::new(&settings());
        let mut headers = HeaderMap::new();
        headers.insert("cf-ipcountry", "AT".parse().unwrap());
        headers.insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
        let of = |peer: &str| clients.place(peer.parse().unwrap(), Headers::from(&headers));
        assert_eq!(of("10.0.0.1"), ("203.0.113.9".parse().unwrap(), Some(&b"AT"[..])));
        assert_eq!(of("192.0.2.1"), ("192.0.2.1".parse().unwrap(), None));
        clients.set(&Settings { country_header: String::new(), ..settings() });
        assert_eq!(clients.place("10.0.0.1".parse().unwrap(), Headers::from(&headers)).1, None);
        for bad in ["no name", "a:b"] {
            let settings = Settings { country_header: bad.into(), ..settings() };
            assert_eq!(settings.check().unwrap_err().0, "country_header");
        }
        settings().check().unwrap();
    }

    #[test]
    fn the_rightmost_untrusted_address_counts() {
        let clients = Clients::new(&settings());
        let table: &[(&str, &[&str], &str)] = &[
            ("192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("::1", &["[2001:db8::1]:80"], "2001:db8::1"),
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1", "", "10.0.0.3"], "10.0.0.3"),
        ];
        for (peer, lines, expected) in table {
            let mut headers = HeaderMap::new();
            for line in *lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            assert_eq!(
                clients.address(peer.parse().unwrap(), &headers).to_string(),
                *expected,
                "{peer} {lines:?}"
            );
        }
    }

    #[test]
    fn an_untrusted_header_is_noticed() {
        let clients = Clients::new(&settings());
        let (elsewhere, proxy) = ("192.0.2.1".parse().unwrap(), "10.0.0.1".parse().unwrap());
        let mut headers = HeaderMap::new();
        clients.notice(elsewhere, Headers::from(&headers), 5_000_000);
        assert_eq!(clients.untrusted_header(5_000_000), None);
        headers.insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
        clients.notice(proxy, Headers::from(&headers), 5_000_000);
        assert_eq!(clients.untrusted_header(5_000_000), None);
        clients.notice(elsewhere, Headers::from(&headers), 5_000_000);
        assert_eq!(clients.untrusted_header(5_000_001), Some(5_000_000));
    }
}
