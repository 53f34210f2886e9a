//! Which addresses may be asked.
//!
//! Guarantees that nothing inside a network is reached: an address is looked at where it is written and where a name
//! leads, and what is asked is exactly what was looked at. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::domain::target::HostRule;

/// Networks of IPv4 that are not on the public internet: (first address, bits).
const NOT_PUBLIC: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Networks within the global part of IPv6 (2000::/3) that are not public, or hold an IPv4 address: (first, bits).
const NOT_GLOBAL: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// True for an address of the public internet. Not for loopback, private, link-local, shared, mapped, translated
/// (NAT64, 6to4, Teredo), documentation, benchmark and multicast addresses, nor for what is not given out at all.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let within =
                |(first, bits): &(Ipv4Addr, u32)| (v4.to_bits() ^ first.to_bits()) >> (32 - bits) == 0;
            !NOT_PUBLIC.iter().any(within)
        }
        IpAddr::V6(v6) => {
            let within =
                |(first, bits): &(Ipv6Addr, u32)| (v6.to_bits() ^ first.to_bits()) >> (128 - bits) == 0;
            v6.to_bits() >> 125 == 1 && !NOT_GLOBAL.iter().any(within)
        }
    }
}

/// Where something may be asked for or sent.
#[derive(Debug)]
pub(super) struct Place {
    /// The host as it is written, without the dot at its end.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The address, where it is written as one.
    pub literal: Option<IpAddr>,
    /// Private addresses are good too.
    pub private: bool,
    /// Encrypted.
    pub secure: bool,
}

/// Looks at an address before anything is done with it.
///
/// # Errors
/// Why it may not be asked, in words for an editor.
pub(super) fn place(url: &Url, private_hosts: &[HostRule]) -> Result<Place, String> {
    let secure = match url.scheme() {
        "https" => true,
        "http" => false,
        other => return Err(format!("{other}: is not asked, only http: and https:")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address with a user name or password is not asked".into());
    }
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return Err("an address needs a host".into());
    };
    let name = url.host_str().unwrap_or_default().trim_end_matches('.').to_owned();
    let private = private_hosts.iter().any(|rule| rule.is(&name, Some(port)));
    if !private && !matches!(port, 80 | 443) {
        return Err(format!("port {port} of {name} is not asked, only 80 and 443"));
    }
    let literal = match host {
        Host::Ipv4(v4) => Some(IpAddr::V4(v4)),
        Host::Ipv6(v6) => Some(IpAddr::V6(v6)),
        Host::Domain(_) => None,
    };
    if name.is_empty() {
        return Err("an address needs a host".into());
    }
    if literal.is_some_and(|address| !private && !is_public(address)) {
        return Err(format!("{name} is not on the public internet"));
    }
    Ok(Place { host: name, port, literal, private, secure })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: [&str; 41] = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.5",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:10::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];
    const PUBLIC: [&str; 20] = [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "192.167.1.1",
        "198.17.0.1",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2606:4700::1",
        "2a00:1450::1",
        "3ffe::1",
    ];

    #[test]
    fn what_is_not_public() {
        for address in PRIVATE {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in PUBLIC {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_may_be_asked() {
        let private = [HostRule::parse("127.0.0.1:8099").unwrap(), HostRule::parse("test.local").unwrap()];
        let good = [
            "https://news.example/a",
            "http://news.example:443/",
            "https://8.8.8.8/",
            "http://127.0.0.1:8099/",
            "http://test.local:81/",
            "https://news.example./",
        ];
        for url in good {
            assert!(place(&Url::parse(url).unwrap(), &private).is_ok(), "{url}");
        }
        let bad = [
            "ftp://news.example/",
            "file:///etc/passwd",
            "gopher://news.example/",
            "data:text/html,x",
            "https://news.example:8443/",
            "http://news.example:22/",
            "https://user:pw@news.example/",
            "http://127.0.0.1/",
            "http://127.0.0.1:8098/",
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://017700000001/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]/",
            "http://169.254.169.254/latest/",
            "http://0/",
            "http://10.1/",
        ];
        for url in bad {
            assert!(place(&Url::parse(url).unwrap(), &private).is_err(), "{url}");
        }
    }
}
