//! How often one may try to sign in: by name and by address, whether or not there is such a name.
//!
//! All attempts count, right ones too: what is counted before a password is looked at cannot be told by the time it takes.
//! From where somebody signed in lately they are counted apart, so that nobody is kept out by a stranger who tries their
//! name from elsewhere.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::Settings;

/// In this time as many attempts come back as there were.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Lines of the audit about failed attempts, of all names: at once, and again in an hour.
const LINES: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// Limiters forget who is back at the full allowance when they hold more than this.
const HELD: usize = 10_000;

/// The limits.
pub(super) struct Attempts {
    /// By name; with a network, if that name signed in from there.
    names: DefaultKeyedRateLimiter<(String, Option<IpAddr>)>,
    welcome: Mutex<HashSet<(String, IpAddr)>>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    lines: DefaultDirectRateLimiter,
    clock: DefaultClock,
}

fn quota(attempts: u32) -> Quota {
    let attempts = NonZeroU32::new(attempts).unwrap_or(NonZeroU32::MIN);
    let each = Quota::with_period(WINDOW / attempts.get());
    each.unwrap_or(Quota::per_minute(attempts)).allow_burst(attempts)
}

/// One subscriber has a whole /64 of IPv6.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

impl Attempts {
    pub(super) fn new(settings: &Settings) -> Attempts {
        Attempts {
            names: RateLimiter::keyed(quota(settings.attempts_per_user)),
            welcome: Mutex::default(),
            addresses: RateLimiter::keyed(quota(settings.attempts_per_address)),
            lines: RateLimiter::direct(Quota::per_hour(LINES)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts an attempt; how long to wait if there were too many.
    pub(super) fn by(&self, address: Option<IpAddr>, name: &str) -> Result<(), Duration> {
        self.by_address(address)?;
        if self.names.len() > HELD {
            self.names.retain_recent();
        }
        let name = name.to_lowercase();
        let known = address.map(network).filter(|from| self.welcome().contains(&(name.clone(), *from)));
        let check = self.names.check_key(&(name, known));
        check.map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Somebody signed in from there.
    pub(super) fn succeeded(&self, address: Option<IpAddr>, name: &str) {
        let Some(address) = address else { return };
        let mut welcome = self.welcome();
        if welcome.len() >= HELD {
            welcome.clear();
        }
        welcome.insert((name.to_lowercase(), network(address)));
    }

    fn welcome(&self) -> std::sync::MutexGuard<'_, HashSet<(String, IpAddr)>> {
        self.welcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an attempt that has no name.
    pub(super) fn by_address(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        let Some(address) = address else { return Ok(()) };
        if self.addresses.len() > HELD {
            self.addresses.retain_recent();
        }
        let check = self.addresses.check_key(&network(address));
        check.map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Whether a failed attempt gets a line in the audit: who tries much must not push other lines out.
    pub(super) fn may_be_noted(&self) -> bool {
        self.lines.check().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_have_their_limits() {
        let settings = Settings { attempts_per_user: 3, attempts_per_address: 5, ..Settings::for_tests() };
        let attempts = Attempts::new(&settings);
        let a: IpAddr = "2001:db8:1:2:3:4:5:6".parse().unwrap();
        let b: IpAddr = "2001:db8:1:2::9".parse().unwrap();
        assert_eq!(network(a).to_string(), "2001:db8:1:2::");
        assert!((0..3).all(|_| attempts.by(Some(a), "Maria").is_ok()));
        let wait = attempts.by(Some(a), "mARIA").unwrap_err();
        assert!(wait > Duration::from_secs(200) && wait <= Duration::from_secs(300), "{wait:?}");
        assert!(attempts.by(None, "maria").is_err(), "from wherever");
        assert!(attempts.by(Some(b), "anna").is_ok());
        assert!(attempts.by(Some(b), "otto").is_err(), "five from one network");
        assert!(attempts.by(Some("192.0.2.1".parse().unwrap()), "otto").is_ok());
        // Who signed in from there is not kept out by who tries elsewhere.
        let home: IpAddr = "198.51.100.7".parse().unwrap();
        attempts.succeeded(Some(home), "Maria");
        assert!((0..3).all(|_| attempts.by(Some(home), "maria").is_ok()));
        assert!(attempts.by(Some(home), "maria").is_err(), "and tries no more often there");
        assert_eq!((0..500).filter(|_| attempts.may_be_noted()).count(), 100);
    }
}
