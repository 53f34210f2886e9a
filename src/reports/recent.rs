//! Lists that were summed over many links, kept for a moment.
//!
//! Guarantees that a list is given again only for a small multiple of the time that summing it took, so that a wall of
//! screens costs what one costs. Bounded; knows nothing of what is in a list.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A list is good for so many times as long as summing it took, ...
const WORTH: u32 = 20;
/// ... and for no longer than this.
const LONGEST: Duration = Duration::from_secs(60);
/// So many are kept; at the bound all go.
const MOST: usize = 256;

/// Answers by their question.
pub(super) struct Recent<K, T> {
    kept: Mutex<HashMap<K, Kept<T>>>,
}

struct Kept<T> {
    answer: T,
    until: Instant,
}

impl<K, T> Default for Recent<K, T> {
    fn default() -> Recent<K, T> {
        Recent { kept: Mutex::default() }
    }
}

impl<K: Eq + Hash, T: Clone> Recent<K, T> {
    /// An answer that is still good.
    pub(super) fn get(&self, question: &K) -> Option<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(question).filter(|kept| Instant::now() < kept.until)?;
        Some(found.answer.clone())
    }

    /// Keeps an answer that was begun at `began` and is ready now.
    pub(super) fn put(&self, question: K, answer: &T, began: Instant) {
        let worth = (began.elapsed() * WORTH).min(LONGEST);
        let until = Instant::now() + worth;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(question, Kept { answer: answer.clone(), until });
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
