//! Which titles claim which address, as far as this process has seen.
//!
//! Guarantees that of two pages with different titles that claim one address, which is neither's own, not both are
//! believed, and from the second on none. The page at an address may always claim it. Bounded; what was pushed out is
//! believed anew. An article that is kept has its title in the store: whoever makes links compares that too.

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

impl Titles {
    /// True if a page that is `own` itself may claim this address.
    pub fn agree(&self, claim: &Identity, own: &Identity, title: Option<&str>) -> bool {
        let is_own = claim == own;
        let Some(title) = title else { return true };
        let (claim, own) = (claim.url.as_str(), own.url.as_str());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Claimed { title: title.to_owned(), by: own.to_owned(), contested: false };
        let Some(before) = known.get(claim).cloned() else {
            known.insert(claim.to_owned(), fresh());
            return true;
        };
        // Whose address it is says what its title is; and a headline may be corrected.
        if is_own || before.by == own {
            known.insert(claim.to_owned(), Claimed { contested: before.contested && !is_own, ..fresh() });
            return is_own || !before.contested;
        }
        if same_story(Some(&before.title), Some(title)) {
            return !before.contested;
        }
        if before.by != claim {
            known.insert(claim.to_owned(), Claimed { contested: true, ..before });
        }
        false
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
        let titles = Titles::default();
        let story = page("story");
        assert!(titles.agree(&story, &page("1"), Some("River rises")));
        assert!(titles.agree(&story, &page("2"), Some("RIVER RISES | A Test")), "another make of it");
        assert!(titles.agree(&story, &page("1"), Some("River rises again")), "its headline was changed");
        assert!(titles.agree(&story, &page("5"), None), "nothing speaks against it");
        assert!(!titles.agree(&story, &page("3"), Some("Bridge falls")));
        assert!(!titles.agree(&story, &page("1"), Some("River rises again")), "from then on nobody's");
        assert!(!titles.agree(&story, &page("4"), Some("River rises again")));
        assert!(titles.agree(&story, &story, Some("The story")), "but its own");
        assert!(titles.agree(&story, &page("4"), Some("The story")), "and who agrees with it");
        assert!(!titles.agree(&story, &page("3"), Some("Bridge falls")));
        assert!(titles.agree(&story, &page("4"), Some("The story")), "one mistaken page does not spoil it");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let titles = Titles::default();
        for n in 0..2 * MAX_CLAIMED {
            assert!(titles.agree(&page(&n.to_string()), &page("x"), Some("A title")));
        }
        assert!(titles.0.lock().unwrap().len() <= MAX_CLAIMED);
    }
}
