//! Which titles claim which address, as far as this process has seen.
//!
//! Guarantees that of two pages with different titles that claim one address, which is neither's own, not both are
//! believed, and from the second on none, unless the page at that address settles it: it may always claim itself, and
//! its title is the right one. Bounded; what was pushed out is believed anew. An article that is kept has its title in
//! the store: whoever makes links compares that too.

use std::sync::{Mutex, PoisonError};

use quick_cache::unsync::Cache;

use crate::domain::canonical::{Identity, same_story};

/// Addresses that are remembered.
const MAX_CLAIMED: usize = 10_000;

/// The memory.
pub(super) struct Titles(Mutex<Cache<String, Claimed>>);

#[derive(Clone)]
struct Claimed {
    title: String,
    /// The page that was first.
    by: String,
    /// Pages with different titles claim it.
    contested: bool,
}

impl Default for Titles {
    fn default() -> Titles {
        Titles(Mutex::new(Cache::new(MAX_CLAIMED)))
    }
}

/// Whether a page may claim an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreed {
    /// Nothing speaks against it.
    Yes,
    /// Its title is another than the one that is known there. The page at that address can tell.
    Doubtful,
    /// Pages with different titles claim it.
    No,
}

impl Titles {
    /// Whether a page that is `own` itself may claim this address.
    pub fn agree(&self, claim: &Identity, own: &Identity, title: Option<&str>) -> Agreed {
        let is_own = claim == own;
        let Some(title) = title else { return Agreed::Yes };
        let (claim, own) = (claim.url.as_str(), own.url.as_str());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Claimed { title: title.to_owned(), by: own.to_owned(), contested: false };
        let Some(before) = known.get(claim).cloned() else {
            known.insert(claim.to_owned(), fresh());
            return Agreed::Yes;
        };
        if before.contested && !is_own {
            return Agreed::No;
        }
        // Whose address it is says what its title is; and a headline may be corrected.
        if is_own || before.by == own {
            known.insert(claim.to_owned(), fresh());
            return Agreed::Yes;
        }
        if same_story(Some(&before.title), Some(title)) { Agreed::Yes } else { Agreed::Doubtful }
    }

    /// The page at this address could not settle a doubt. What is known from itself stands all the same.
    pub fn contest(&self, claim: &Identity) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut before) = known.get_mut(claim.url.as_str())
            && before.by != claim.url.as_str()
        {
            before.contested = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn page(path: &str) -> Identity {
        let url = Url::parse(&format!("https://a.test/{path}")).unwrap();
        Identity { url, site: "a.test".into() }
    }

    #[test]
    fn an_address_that_different_titles_claim_is_nobodys() {
        let (titles, story) = (Titles::default(), page("story"));
        let agree = |own: &str, title: &str| titles.agree(&story, &page(own), Some(title));
        assert_eq!(agree("1", "River rises"), Agreed::Yes);
        assert_eq!(agree("2", "RIVER RISES | A Test"), Agreed::Yes, "another make of it");
        assert_eq!(agree("1", "River rises again"), Agreed::Yes, "its headline was changed");
        assert_eq!(titles.agree(&story, &page("5"), None), Agreed::Yes, "nothing speaks against it");
        assert_eq!(agree("3", "Bridge falls"), Agreed::Doubtful);
        titles.contest(&story);
        assert_eq!(agree("3", "Bridge falls"), Agreed::No);
        assert_eq!(agree("1", "River rises again"), Agreed::No, "from then on nobody's");
        assert_eq!(agree("4", "River rises again"), Agreed::No);
        assert_eq!(agree("story", "The story"), Agreed::Yes, "but its own");
        assert_eq!(agree("4", "The story"), Agreed::Yes, "and who agrees with it");
        assert_eq!(agree("3", "Bridge falls"), Agreed::Doubtful);
        titles.contest(&story);
        assert_eq!(agree("4", "The story"), Agreed::Yes, "one mistaken page does not spoil it");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let titles = Titles::default();
        for n in 0..2 * MAX_CLAIMED {
            assert_eq!(titles.agree(&page(&n.to_string()), &page("x"), Some("A title")), Agreed::Yes);
        }
        assert!(titles.0.lock().unwrap().len() <= MAX_CLAIMED);
    }
}
