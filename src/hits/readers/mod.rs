//! What is known of a reader by the address: the network, the country, and who it is for a day.
//!
//! The request path's part of the way of a hit that knows addresses, and the only one besides `web/client.rs`, which
//! finds them. Guarantees that nothing is waited for or allocated, and that no address leaves but as those three. Knows
//! no HTTP.

pub mod day_keys;
pub mod networks;
pub mod place;

use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use crate::domain::hit::{Country, Network, Visitor};
use day_keys::Keyring;
use networks::Networks;
use place::Places;

/// The tables that addresses are looked up in.
#[derive(Debug, Default)]
pub struct Lists {
    /// The operator's ranges.
    pub networks: Networks,
    /// Countries.
    pub places: Places,
}

/// A reader as a request shows it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The address, used here and forgotten.
    pub address: IpAddr,
    /// `User-Agent`.
    pub user_agent: &'a [u8],
    /// What a trusted proxy says of the country, if anything.
    pub country: Country,
    /// True if the reader asks not to be followed.
    pub unfollowed: bool,
}

/// What goes into a hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    /// What the operator's tables say of the address.
    pub network: Network,
    /// Where it is.
    pub country: Country,
    /// Who it is, for a day.
    pub visitor: Visitor,
}

/// Knows readers by their addresses.
#[derive(Debug)]
pub struct Readers {
    lists: RwLock<Lists>,
    /// The keys of the day.
    pub keys: Keyring,
}

impl Readers {
    /// Over tables and keys.
    #[must_use]
    pub fn new(lists: Lists, keys: Keyring) -> Readers {
        Readers { lists: RwLock::new(lists), keys }
    }

    /// Puts other tables in place.
    pub fn set(&self, lists: Lists) {
        // The old ones, which may be large, are freed after the lock.
        let old = std::mem::replace(&mut *self.lists.write().unwrap_or_else(PoisonError::into_inner), lists);
        drop(old);
    }

    /// What is known of a reader at a time in milliseconds since 1970.
    #[must_use]
    pub fn see(&self, shown: &Shown<'_>, at_ms: i64) -> Reader {
        let visitor = match shown.unfollowed {
            true => Visitor::default(),
            false => self.keys.visitor(at_ms, shown.address, shown.user_agent),
        };
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        let network = lists.networks.of(shown.address);
        let country = match shown.country.as_str() {
            Some(_) => shown.country,
            None => lists.places.country(shown.address),
        };
        Reader { network, country, visitor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::day_keys::DayKey;

    #[test]
    fn what_is_known_of_a_reader() {
        let readers = Readers::new(Lists::default(), Keyring::new(DayKey([1; 16])));
        let shown = Shown {
            address: "193.171.255.2".parse().unwrap(),
            user_agent: b"Firefox",
            country: Country::default(),
            unfollowed: false,
        };
        let seen = readers.see(&shown, 0);
        assert_eq!((seen.network, seen.country.as_str()), (Network::Unknown, Some("AT")));
        assert!(seen.visitor.hash != 0 && seen.visitor.own_key);
        let said = readers.see(&Shown { country: Country(*b"DE"), unfollowed: true, ..shown }, 0);
        assert_eq!((said.country.as_str(), said.visitor), (Some("DE"), Visitor::default()));
        let excluded = Networks::open(&["193.171.0.0/16".parse().unwrap()], "").unwrap();
        readers.set(Lists { networks: excluded, ..Lists::default() });
        assert_eq!(readers.see(&shown, 0).network, Network::Excluded);
    }
}
