//! Who a client is.
//!
//! Guarantees that `X-Forwarded-For` is believed only from the operator's own proxies, and from them only up to
//! the rightmost address that is not one of them. Addresses are used within the request and kept nowhere.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};

use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

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
}

/// Tells clients from proxies.
#[derive(Debug, Default)]
pub struct Clients {
    trusted: RwLock<Vec<Network>>,
    /// When a header from elsewhere was last seen; 0 for never.
    untrusted_seen_ms: AtomicI64,
}

impl Clients {
    /// From settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Clients {
        let trusted = RwLock::new(settings.trusted_proxies.clone());
        Clients { trusted, untrusted_seen_ms: AtomicI64::new(0) }
    }

    /// Puts other ranges in their place.
    pub fn set(&self, settings: &Settings) {
        *self.trusted.write().unwrap_or_else(PoisonError::into_inner) = settings.trusted_proxies.clone();
    }

    /// True for an address of the operator's own proxies.
    #[must_use]
    pub fn is_trusted(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let trusted = self.trusted.read().unwrap_or_else(PoisonError::into_inner);
        trusted.iter().any(|range| range.0.contains(&address))
    }

    /// The client behind a connection from `peer`.
    #[must_use]
    pub fn address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.is_trusted(client) {
            return client;
        }
        let lines: Vec<&str> =
            headers.get_all(&FORWARDED[0]).iter().filter_map(|v| v.to_str().ok()).collect();
        for part in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let Some(address) = read(part) else { break };
            client = address;
            if !self.is_trusted(client) {
                break;
            }
        }
        client
    }

    /// Notes a forwarding header from a peer that is not trusted. Warns once in a while: either a proxy is missing
    /// from the configuration, or someone is making headers up.
    #[inline]
    pub fn notice(&self, peer_is_trusted: bool, headers: &HeaderMap, now_ms: i64) {
        if !peer_is_trusted && FORWARDED.iter().any(|name| headers.contains_key(name)) {
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

    #[test]
    fn the_rightmost_untrusted_address_counts() {
        let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let clients = Clients::new(&Settings { trusted_proxies });
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
        let clients = Clients::default();
        let mut headers = HeaderMap::new();
        clients.notice(false, &headers, 5_000_000);
        assert_eq!(clients.untrusted_header(5_000_000), None);
        headers.insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
        clients.notice(true, &headers, 5_000_000);
        assert_eq!(clients.untrusted_header(5_000_000), None);
        clients.notice(false, &headers, 5_000_000);
        assert_eq!(clients.untrusted_header(5_000_001), Some(5_000_000));
    }
}
