//! Who a reader is, for a day: a hash of address and agent under the day's random key.
//!
//! Guarantees that the key of today and the next one are there before they are needed, so that nobody waits for one;
//! that all nodes use the store's where it can be had; and that hits made with another one say so. An address goes
//! into a hash and nowhere else.

use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use siphasher::sip::SipHasher13;

use crate::domain::calendar::{Calendar, Day};
use crate::domain::hit::{MAX_TEXT, Visitor};
use crate::store;
use crate::store::day_keys::{DayKey, DayKeys};

/// A day's key is kept by the store for so long after the day.
const KEPT_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// A key stays here for so long after its day: for a hit whose time was taken a moment before.
const LINGER_MS: i64 = 60_000;

/// A key, and from when to when it is used.
#[derive(Clone, Copy, Debug)]
struct Held {
    day: Day,
    from_ms: i64,
    until_ms: i64,
    key: DayKey,
    /// True if the store has it, or had it when it was last asked.
    shared: bool,
    /// True if hits of this day were made with two keys.
    parted: bool,
}

impl Held {
    fn new(day: Day, calendar: &Calendar, key: DayKey) -> Held {
        let (from, until) = (calendar.start_of(day), calendar.start_of(day + 1));
        Held { day, from_ms: from * 1_000, until_ms: until * 1_000, key, shared: false, parted: false }
    }

    /// Takes what the store has. `used` is true if hits may have been made with ours.
    fn found(&mut self, there: DayKey, used: bool) {
        self.parted |= used && there != self.key;
        self.key = there;
        self.shared = true;
    }

    fn is_own(&self) -> bool {
        self.parted || !self.shared
    }
}

/// The keys that are held.
#[derive(Debug)]
struct Ring {
    held: Vec<Held>,
    /// For a time that no key is for: after a jump of the clock.
    spare: DayKey,
}

/// The keys of the day.
#[derive(Debug)]
pub struct Keyring(RwLock<Ring>);

impl Keyring {
    /// Without a key yet; `spare` is a random one.
    #[must_use]
    pub fn new(spare: DayKey) -> Keyring {
        Keyring(RwLock::new(Ring { held: vec![], spare }))
    }

    /// Who this is on the day of `at_ms`.
    #[must_use]
    pub fn visitor(&self, at_ms: i64, address: IpAddr, user_agent: &[u8]) -> Visitor {
        let (key, own_key) = {
            let ring = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let of_day = ring.held.iter().find(|held| (held.from_ms..held.until_ms).contains(&at_ms));
            of_day.map_or((ring.spare, true), |held| (held.key, held.is_own()))
        };
        Visitor { hash: hash(key, address, user_agent), own_key }
    }

    /// Makes the keys of today and of the next day, shares them with the store, takes the store's where it has others,
    /// and forgets old ones. `draw` gives random keys. To be called before the first hit and then again and again.
    ///
    /// # Errors
    /// The store's first; all keys are there nonetheless, and marked as this node's own where they are.
    pub async fn keep(
        &self,
        store: &dyn DayKeys,
        calendar: &Calendar,
        now: Timestamp,
        draw: &mut (dyn FnMut() -> DayKey + Send),
    ) -> store::Result<()> {
        let now_ms = now.as_millisecond();
        let today = calendar.day(now);
        // After a change of the zone the next day is not always the next date.
        let next = calendar.place(calendar.start_of(today + 1) * 1_000).day.max(today + 1);
        let mut outcome = Ok(());
        for day in [today, next] {
            let known = self.of(day);
            let mut held = known.unwrap_or_else(|| Held::new(day, calendar, draw()));
            let ends = Timestamp::from_millisecond(held.until_ms).unwrap_or(Timestamp::MAX);
            let ends = ends.checked_add(KEPT_AFTER).unwrap_or(Timestamp::MAX);
            match store.share(day, held.key, ends, now).await {
                Ok(there) => held.found(there, known.is_some() && held.from_ms <= now_ms),
                Err(error) if outcome.is_ok() => outcome = Err(error),
                Err(_) => {}
            }
            self.put(held, now_ms);
        }
        outcome
    }

    fn of(&self, day: Day) -> Option<Held> {
        let ring = self.0.read().unwrap_or_else(PoisonError::into_inner);
        ring.held.iter().find(|held| held.day == day).copied()
    }

    fn put(&self, new: Held, now_ms: i64) {
        let mut ring = self.0.write().unwrap_or_else(PoisonError::into_inner);
        ring.held.retain(|held| held.day != new.day && now_ms < held.until_ms.saturating_add(LINGER_MS));
        ring.held.push(new);
    }
}

/// A hash of (address, or an IPv6 network of 64 bits; agent): never 0, which is who asked not to be followed.
fn hash(key: DayKey, address: IpAddr, user_agent: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(&key.0);
    // The first byte says how long the address is, so that no agent can look like a part of one.
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            hasher.write(&[4]);
            hasher.write(&v4.octets());
        }
        IpAddr::V6(v6) => {
            hasher.write(&[6]);
            hasher.write(&v6.octets()[..8]);
        }
    }
    hasher.write(&user_agent[..user_agent.len().min(MAX_TEXT)]);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::store::Error;

    /// A store that may be away.
    #[derive(Default)]
    struct Shelf {
        keys: Mutex<HashMap<Day, DayKey>>,
        away: std::sync::atomic::AtomicBool,
    }

    impl Shelf {
        fn away(&self, away: bool) {
            self.away.store(away, std::sync::atomic::Ordering::Relaxed);
        }
    }

    #[async_trait]
    impl DayKeys for Shelf {
        async fn share(
            &self,
            day: Day,
            ours: DayKey,
            ends: Timestamp,
            now: Timestamp,
        ) -> store::Result<DayKey> {
            if self.away.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(Error::Unavailable("away".into()));
            }
            assert!(ends.as_second() >= now.as_second() + 86_400);
            Ok(*self.keys.lock().unwrap().entry(day).or_insert(ours))
        }
    }

    /// A node that draws 1, 2, 3 ... beginning with a byte of its own.
    struct Node {
        ring: Keyring,
        next: u8,
    }

    impl Node {
        fn new(first: u8) -> Node {
            Node { ring: Keyring::new(DayKey([first; 16])), next: first }
        }

        fn keep(&mut self, shelf: &Shelf, now: &str) -> bool {
            let calendar = Calendar::new(&[(0, "Europe/Vienna".into())]).unwrap();
            let next = &mut self.next;
            let mut draw = || {
                *next += 1;
                DayKey([*next; 16])
            };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(self.ring.keep(shelf, &calendar, ts(now), &mut draw)).is_ok()
        }

        fn sees(&self, at: &str) -> Visitor {
            self.ring.visitor(ts(at).as_millisecond(), "203.0.113.7".parse().unwrap(), b"Firefox")
        }
    }

    fn ts(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const NOON: &str = "2026-11-23T11:00:00Z";
    const LATE: &str = "2026-11-23T22:59:59.999Z";
    const MORROW: &str = "2026-11-23T23:00:00Z";

    #[test]
    fn a_visitor_is_address_and_agent() {
        let key = DayKey([7; 16]);
        let of = |address: &str, agent: &[u8]| hash(key, address.parse().unwrap(), agent);
        let one = of("203.0.113.7", b"Firefox");
        assert_eq!(one, of("::ffff:203.0.113.7", b"Firefox"));
        assert_ne!(one, of("203.0.113.8", b"Firefox"));
        assert_ne!(one, of("203.0.113.7", b"Chrome"));
        assert_ne!(one, hash(DayKey([8; 16]), "203.0.113.7".parse().unwrap(), b"Firefox"));
        let six = of("2001:db8:1:2::1", b"Firefox");
        assert_eq!(six, of("2001:db8:1:2:ffff::9", b"Firefox"), "one network of 64 bits");
        assert_ne!(six, of("2001:db8:1:3::1", b"Firefox"));
        let long = [b'x'; 5_000];
        assert_eq!(of("203.0.113.7", &long), of("203.0.113.7", &long[..MAX_TEXT]));
    }

    #[test]
    fn nodes_of_a_store_agree_and_days_do_not() {
        let (shelf, mut a, mut b) = (Shelf::default(), Node::new(10), Node::new(100));
        assert!(a.keep(&shelf, NOON) && b.keep(&shelf, NOON));
        assert_eq!(a.sees(NOON), b.sees(LATE));
        assert!(!a.sees(NOON).own_key);
        // Tomorrow's is there before it begins, and stays when its day is today.
        let tomorrow = a.sees(MORROW);
        assert!(!tomorrow.own_key && tomorrow.hash != a.sees(LATE).hash);
        assert!(a.keep(&shelf, MORROW));
        assert_eq!((a.sees(MORROW), b.sees(MORROW)), (tomorrow, tomorrow));
        assert!(!a.sees(LATE).own_key, "a hit from a moment before finds its key");
        assert!(a.keep(&shelf, "2026-11-23T23:02:00Z"));
        assert!(a.sees(LATE).own_key, "then it is gone");
        assert_eq!(a.ring.0.read().unwrap().held.len(), 2);
    }

    #[test]
    fn a_node_without_its_store_says_so() {
        let (shelf, mut a, mut b) = (Shelf::default(), Node::new(10), Node::new(100));
        assert!(a.sees(NOON).own_key, "before the first key");
        shelf.away(true);
        assert!(!a.keep(&shelf, NOON));
        let own = a.sees(NOON);
        assert!(own.own_key);
        shelf.away(false);
        assert!(a.keep(&shelf, NOON));
        assert_eq!(a.sees(NOON), Visitor { own_key: false, ..own }, "it was the first to share");
        assert!(b.keep(&shelf, NOON));
        assert_eq!(b.sees(NOON), a.sees(NOON));
        shelf.away(true);
        assert!(!a.keep(&shelf, NOON));
        assert!(!a.sees(NOON).own_key, "what is shared stays so");
    }

    #[test]
    fn a_key_that_the_store_lost_is_put_back() {
        let (shelf, mut a, mut b) = (Shelf::default(), Node::new(10), Node::new(100));
        assert!(a.keep(&shelf, NOON));
        let before = a.sees(NOON);
        shelf.keys.lock().unwrap().clear();
        assert!(a.keep(&shelf, NOON) && b.keep(&shelf, NOON));
        assert_eq!((a.sees(NOON), b.sees(NOON)), (before, before));
    }

    #[test]
    fn who_finds_another_key_takes_it_and_marks_the_day() {
        let (shelf, mut a, mut b) = (Shelf::default(), Node::new(10), Node::new(100));
        assert!(a.keep(&shelf, NOON));
        shelf.keys.lock().unwrap().clear();
        assert!(b.keep(&shelf, NOON) && a.keep(&shelf, NOON));
        assert_eq!(a.sees(NOON).hash, b.sees(NOON).hash);
        assert!(a.sees(NOON).own_key && !b.sees(NOON).own_key);
        assert!(a.keep(&shelf, LATE) && a.sees(LATE).own_key, "for the whole day");
        assert_eq!(a.sees(MORROW), b.sees(MORROW));
        assert!(!a.sees(MORROW).own_key, "tomorrow's was not used yet");
    }
}
