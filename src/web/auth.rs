//! Who is calling the API.
//!
//! Guarantees that every call but the public ones has a valid key or comes from somebody who is signed in, that a session
//! changes things only from our own pages, that guessing keys is slowed down by address, and that the answer to a wrong
//! key does not tell whether its id exists.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::FromRequestParts;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::error::Error;
use super::session::{self, SignedIn};
use super::surface::Peer;
use super::{Settings, State};
use crate::clock;
use crate::domain::access::Actor;
use crate::domain::error::{Reason, Refusal};
use crate::sessions::network;

/// Keyed limiters forget keys that are back at their full allowance when they hold more than this.
const LIMITER_KEYS: usize = 10_000;
/// Calls of articles' buttons from one address.
const BUTTONS_A_MINUTE: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// The limits on keys.
pub struct Limits {
    now: RwLock<Arc<Now>>,
    buttons: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

/// What settings say; each is kept as long as its number stays.
#[derive(Clone)]
struct Now {
    failed: Arc<DefaultKeyedRateLimiter<IpAddr>>,
    failed_a_minute: u32,
    requests: Option<Arc<DefaultKeyedRateLimiter<String>>>,
    requests_a_minute: u32,
    creations: Option<Arc<DefaultKeyedRateLimiter<String>>>,
    creations_a_minute: u32,
}

fn failed(a_minute: u32) -> Arc<DefaultKeyedRateLimiter<IpAddr>> {
    let a_minute = NonZeroU32::new(a_minute).unwrap_or(NonZeroU32::MIN);
    Arc::new(RateLimiter::keyed(Quota::per_minute(a_minute)))
}

fn requests(a_minute: u32) -> Option<Arc<DefaultKeyedRateLimiter<String>>> {
    let a_minute = NonZeroU32::new(a_minute)?;
    let burst = NonZeroU32::new(a_minute.get() / 10).unwrap_or(NonZeroU32::MIN);
    Some(Arc::new(RateLimiter::keyed(Quota::per_minute(a_minute).allow_burst(burst))))
}

fn creations(a_minute: u32) -> Option<Arc<DefaultKeyedRateLimiter<String>>> {
    Some(Arc::new(RateLimiter::keyed(Quota::per_minute(NonZeroU32::new(a_minute)?))))
}

impl Limits {
    /// From settings.
    #[must_use]
    pub fn new(settings: &Settings, creations_per_minute: u32) -> Limits {
        let (failed_a_minute, requests_a_minute) =
            (settings.failed_keys_per_minute, settings.key_requests_per_minute);
        let now = Now {
            failed: failed(failed_a_minute),
            failed_a_minute,
            requests: requests(requests_a_minute),
            requests_a_minute,
            creations: creations(creations_per_minute),
            creations_a_minute: creations_per_minute,
        };
        let buttons = RateLimiter::keyed(Quota::per_minute(BUTTONS_A_MINUTE));
        Limits { now: RwLock::new(Arc::new(now)), buttons, clock: DefaultClock::default() }
    }

    /// Puts other limits in the place of those that changed; what is counted for the others goes on.
    pub fn set(&self, settings: &Settings, creations_per_minute: u32) {
        let mut now = Now::clone(&self.now());
        if now.failed_a_minute != settings.failed_keys_per_minute {
            now.failed_a_minute = settings.failed_keys_per_minute;
            now.failed = failed(now.failed_a_minute);
        }
        if now.requests_a_minute != settings.key_requests_per_minute {
            now.requests_a_minute = settings.key_requests_per_minute;
            now.requests = requests(now.requests_a_minute);
        }
        if now.creations_a_minute != creations_per_minute {
            now.creations_a_minute = creations_per_minute;
            now.creations = creations(creations_per_minute);
        }
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
    }

    fn now(&self) -> Arc<Now> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn failed(&self, address: IpAddr) -> Result<(), Error> {
        let failed = &self.now().failed;
        if failed.len() > LIMITER_KEYS {
            failed.retain_recent();
        }
        let check = failed.check_key(&network(address));
        check.map_err(|until| limited(until.wait_time_from(self.clock.now())))
    }

    /// Counts a request that showed something that is not valid.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn failed_from(&self, parts: &Parts, state: &State) -> Result<(), Error> {
        address(parts, state).map_or(Ok(()), |address| self.failed(address))
    }

    fn request(&self, key: &str) -> Result<(), Error> {
        let now = self.now();
        let Some(limiter) = &now.requests else { return Ok(()) };
        if limiter.len() > LIMITER_KEYS {
            limiter.retain_recent();
        }
        let check = limiter.check_key(&key.to_owned());
        check.map_err(|until| limited(until.wait_time_from(self.clock.now())))
    }

    /// Counts links that somebody is about to make.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn creations(&self, who: &str, links: usize) -> Result<(), Error> {
        let now = self.now();
        let Some(limiter) = &now.creations else { return Ok(()) };
        if limiter.len() > LIMITER_KEYS {
            limiter.retain_recent();
        }
        let Some(links) = u32::try_from(links).ok().and_then(NonZeroU32::new) else { return Ok(()) };
        match limiter.check_key_n(&who.to_owned(), links) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => Err(limited(until.wait_time_from(self.clock.now()))),
            // More at once than in a minute: there is no time to wait.
            Err(_) => Err(limited(Duration::from_secs(60))),
        }
    }

    /// Counts a call of an article's button from this address.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn button(&self, address: IpAddr) -> Result<(), Error> {
        let buttons = &self.buttons;
        if buttons.len() > LIMITER_KEYS {
            buttons.retain_recent();
        }
        let check = buttons.check_key(&network(address));
        check.map_err(|until| limited(until.wait_time_from(self.clock.now())))
    }
}

fn limited(wait: Duration) -> Error {
    Error::Limited(wait.as_secs() + 1)
}

/// Who is calling: by `Authorization: Bearer KEY`, else by session. Who came by session is also [`SignedIn`].
#[derive(Clone, Debug)]
pub struct Caller(pub Actor);

impl FromRequestParts<State> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Caller, Error> {
        if let Some(caller) = parts.extensions.get::<Caller>() {
            return Ok(caller.clone());
        }
        if !parts.headers.contains_key(AUTHORIZATION)
            && let Some(signed_in) = session::identify(parts, state).await?
        {
            session::may_change(&parts.method, &parts.headers, state)?;
            return admit(signed_in.actor.clone(), Some(signed_in), parts, state);
        }
        let key = parts.headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(bearer);
        let Some(actor) = key.and_then(|key| state.accounts.holder(key, clock::now())) else {
            state.limits.failed_from(parts, state)?;
            let detail = match key {
                None => "send Authorization: Bearer and an API key, or sign in",
                Some(_) => "this key is not valid",
            };
            return Err(Refusal::new(Reason::Unauthenticated, detail).into());
        };
        admit(actor, None, parts, state)
    }
}

fn admit(
    actor: Actor,
    signed_in: Option<SignedIn>,
    parts: &mut Parts,
    state: &State,
) -> Result<Caller, Error> {
    state.limits.request(&actor.name)?;
    let caller = Caller(actor);
    parts.extensions.insert(caller.clone());
    if let Some(signed_in) = signed_in {
        parts.extensions.insert(signed_in);
    }
    Ok(caller)
}

/// The client's address.
pub fn address(parts: &Parts, state: &State) -> Option<IpAddr> {
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip());
    peer.map(|peer| state.clients.address(peer, &parts.headers))
}

/// The key in the value of `Authorization`.
pub fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearers() {
        assert_eq!(bearer("Bearer slk_a_b"), Some("slk_a_b"));
        assert_eq!(bearer("bearer  slk_a_b "), Some("slk_a_b"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("slk_a_b"), None);
    }

    #[test]
    fn a_subscriber_is_one_network() {
        let a: IpAddr = "2001:db8:1:2:3:4:5:6".parse().unwrap();
        let defaults = crate::config::Config::defaults().unwrap().server;
        let limits = Limits::new(&Settings { failed_keys_per_minute: 2, ..defaults.clone() }, 3);
        let b: IpAddr = "2001:db8:1:2::9".parse().unwrap();
        assert!(limits.failed(a).is_ok() && limits.failed(b).is_ok());
        assert!(matches!(limits.failed(a), Err(Error::Limited(_))));
        assert!(limits.creations("key:a", 2).is_ok() && limits.creations("key:b", 3).is_ok());
        assert!(matches!(limits.creations("key:a", 2), Err(Error::Limited(_))));
        assert!(matches!(limits.creations("key:c", 4), Err(Error::Limited(_))), "more than there ever is");
        for _ in 0..30 {
            assert!(limits.button(a).is_ok());
        }
        assert!(matches!(limits.button(b), Err(Error::Limited(_))));
        // Other limits change nothing of what was counted for these.
        let settings = Settings { failed_keys_per_minute: 2, ..defaults };
        limits.set(&settings, 9);
        assert!(limits.button(b).is_err() && limits.failed(a).is_err());
        assert!(limits.creations("key:a", 9).is_ok(), "this is another one");
        limits.set(&Settings { failed_keys_per_minute: 3, ..settings }, 9);
        assert!(limits.failed(a).is_ok() && limits.creations("key:a", 1).is_err());
    }
}
