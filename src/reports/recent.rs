//! Lists that were summed over many links, kept for a moment.
//!
//! Guarantees that a list is given again only for a small multiple of the time that summing it took, so that a wall of
//! screens costs what one costs; to those who would rather have an old one at once, for some minutes; and that a list
//! is summed once at a time for them. Bounded; knows nothing of what is in a list.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A list is good for so many times as long as summing it took, ...
const WORTH: u32 = 20;
/// ... and for no longer than this.
const LONGEST: Duration = Duration::from_secs(60);
/// To those who do not want to wait it is given for so long.
const STALE: Duration = Duration::from_secs(600);
/// So many are kept; at the bound all go.
const MOST: usize = 256;

/// Answers by their question.
pub(super) struct Recent<K, T> {
    kept: Mutex<HashMap<K, Kept<T>>>,
    /// Those that are being summed anew.
    renewed: Mutex<HashSet<K>>,
}

struct Kept<T> {
    answer: T,
    since: Instant,
    until: Instant,
}

impl<K, T> Default for Recent<K, T> {
    fn default() -> Recent<K, T> {
        Recent { kept: Mutex::default(), renewed: Mutex::default() }
    }
}

impl<K: Clone + Eq + Hash, T: Clone> Recent<K, T> {
    /// An answer that is still good.
    pub(super) fn get(&self, question: &K) -> Option<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(question).filter(|kept| Instant::now() < kept.until)?;
        Some(found.answer.clone())
    }

    /// An answer of the last minutes.
    pub(super) fn get_stale(&self, question: &K) -> Option<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(question).filter(|kept| kept.since.elapsed() < STALE)?;
        Some(found.answer.clone())
    }

    /// True for the one who is to sum it anew, until [`Recent::renewed`].
    pub(super) fn renew(&self, question: &K) -> bool {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner).insert(question.clone())
    }

    /// It was summed anew, or could not be.
    pub(super) fn renewed(&self, question: &K) {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner).remove(question);
    }

    /// Keeps an answer that was begun at `began` and is ready now.
    pub(super) fn put(&self, question: K, answer: &T, began: Instant) {
        let worth = (began.elapsed() * WORTH).min(LONGEST);
        let since = Instant::now();
        let until = since + worth;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(question, Kept { answer: answer.clone(), since, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_long_is_good_for_longer() {
        let recent: Recent<u32, u32> = Recent::default();
        let Some(began) = Instant::now().checked_sub(Duration::from_secs(1)) else { return };
        recent.put(1, &7, began);
        assert_eq!(recent.get(&1), Some(7));
        assert_eq!(recent.get(&2), None);
        // In no time: worth nothing.
        recent.put(1, &8, Instant::now() + Duration::from_secs(1));
        assert_eq!(recent.get(&1), None);
        assert_eq!(recent.get_stale(&1), Some(8), "but better than to wait");
        assert_eq!(recent.get_stale(&2), None);
    }

    #[test]
    fn one_sums_it_anew() {
        let recent: Recent<u32, u32> = Recent::default();
        assert!(recent.renew(&1));
        assert!(!recent.renew(&1));
        assert!(recent.renew(&2));
        recent.renewed(&1);
        assert!(recent.renew(&1));
    }

    #[test]
    fn not_too_many_are_kept() {
        let recent: Recent<usize, usize> = Recent::default();
        let Some(began) = Instant::now().checked_sub(Duration::from_secs(1)) else { return };
        (0..=MOST).for_each(|n| recent.put(n, &n, began));
        assert_eq!(recent.get(&0), None);
        assert_eq!(recent.get(&MOST), Some(MOST));
    }
}
