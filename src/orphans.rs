//! Floor 2: orphans, visits to codes that nobody has: a misprint, a lost link, a scan.
//!
//! Counted in memory, best effort, and forgotten within a day. Guarantees bounded memory whatever is asked for, and that a
//! flood of different codes pushes out none that is asked for often: the counting is "space saving" (Metwally, Agrawal,
//! El Abbadi, 2005), where a new code takes the place of the rarest, and what it may have taken over is not shown as its
//! own. Keeps nothing that could not be a code. Knows no HTTP.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::code::{Code, fold};

/// Different codes of one half of a day.
const DIFFERENT: usize = 500;
/// A half of a day, in milliseconds: two of them are remembered.
const HALF_MS: i64 = 12 * 3_600_000;

/// An unknown code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The code, in its folded form.
    pub code: String,
    /// How often it was asked for, at least.
    pub count: u64,
    /// When it was last asked for, in milliseconds since 1970.
    pub last_ms: i64,
}

/// `GET /reports/orphans`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    /// The most asked for.
    pub rows: Vec<Orphan>,
    /// All other visits.
    pub other: u64,
    /// Since when, in milliseconds since 1970; None if there was none.
    pub since_ms: Option<i64>,
}

/// Counts visits to unknown codes.
#[derive(Debug, Default)]
pub struct OrphanCounter(Mutex<[Half; 2]>);

/// What was asked for in half a day.
#[derive(Debug, Default)]
struct Half {
    /// Its number since 1970.
    number: i64,
    since_ms: Option<i64>,
    total: u64,
    places: HashMap<Box<str>, usize>,
    kept: Vec<Kept>,
    /// (count, place), the rarest first.
    order: BTreeSet<(u64, usize)>,
}

#[derive(Debug)]
struct Kept {
    code: Box<str>,
    count: u64,
    /// How much of it may have been others'.
    taken_over: u64,
    last_ms: i64,
}

impl OrphanCounter {
    /// Counts a visit to a code that nobody has; what cannot be a code is not even looked at.
    pub fn count(&self, code: &str, now_ms: i64) {
        if Code::parse(code).is_ok() {
            let mut halves = self.at(now_ms);
            halves[0].count(&fold(code), now_ms);
        }
    }

    /// The most asked for, at most `limit`; ties by code.
    #[must_use]
    pub fn most(&self, limit: usize, now_ms: i64) -> Orphans {
        let halves = self.at(now_ms);
        let mut sums: HashMap<&str, (u64, i64)> = HashMap::new();
        for kept in halves.iter().flat_map(|half| &half.kept) {
            let (count, last) = sums.entry(&kept.code).or_default();
            *count += kept.count - kept.taken_over;
            *last = kept.last_ms.max(*last);
        }
        let orphan =
            |(code, (count, last_ms)): (&str, (u64, i64))| Orphan { code: code.into(), count, last_ms };
        let mut rows: Vec<Orphan> = sums.into_iter().map(orphan).collect();
        rows.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.code.cmp(&b.code)));
        rows.truncate(limit);
        let total: u64 = halves.iter().map(|half| half.total).sum();
        let shown: u64 = rows.iter().map(|row| row.count).sum();
        let since_ms = halves.iter().filter_map(|half| half.since_ms).min();
        Orphans { rows, other: total.saturating_sub(shown), since_ms }
    }

    /// The halves as of now, the present one first.
    fn at(&self, now_ms: i64) -> MutexGuard<'_, [Half; 2]> {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now_ms.div_euclid(HALF_MS);
        if number > halves[0].number {
            halves.swap(0, 1);
            halves[0] = Half { number, ..Half::default() };
            if halves[1].number < number - 1 {
                halves[1] = Half::default();
            }
        }
        halves
    }
}

impl Half {
    fn count(&mut self, code: &str, now_ms: i64) {
        self.total += 1;
        self.since_ms.get_or_insert(now_ms);
        let place = match self.places.get(code) {
            Some(place) => *place,
            None => self.place_for(code),
        };
        let Some(kept) = self.kept.get_mut(place) else { return };
        self.order.remove(&(kept.count, place));
        kept.count += 1;
        kept.last_ms = kept.last_ms.max(now_ms);
        self.order.insert((kept.count, place));
    }

    /// A free place, or that of the rarest.
    fn place_for(&mut self, code: &str) -> usize {
        let new = |count| Kept { code: code.into(), count, taken_over: count, last_ms: 0 };
        let place = match self.order.first().copied().filter(|_| self.kept.len() >= DIFFERENT) {
            None => {
                self.kept.push(new(0));
                self.kept.len() - 1
            }
            Some((count, place)) => {
                if let Some(rarest) = self.kept.get_mut(place) {
                    self.places.remove(&rarest.code);
                    *rarest = new(count);
                }
                place
            }
        };
        self.places.insert(code.into(), place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    fn counts(orphans: &Orphans) -> Vec<(&str, u64)> {
        orphans.rows.iter().map(|row| (row.code.as_str(), row.count)).collect()
    }

    #[test]
    fn the_most_asked_for_come_first() {
        let orphans = OrphanCounter::default();
        assert_eq!(orphans.most(10, NOW), Orphans::default());
        for (code, times) in [("aa", 2), ("bb", 3), ("cc", 2), ("Bb", 1), ("DD", 1)] {
            (0..times).for_each(|n| orphans.count(code, NOW + n));
        }
        let most = orphans.most(3, NOW + 10);
        assert_eq!(counts(&most), [("bb", 4), ("aa", 2), ("cc", 2)]);
        assert_eq!((most.other, most.since_ms, most.rows[0].last_ms), (1, Some(NOW), NOW + 2));
    }

    #[test]
    fn what_cannot_be_a_code_is_not_kept() {
        let orphans = OrphanCounter::default();
        let long = "a".repeat(65);
        for text in ["", "a b", "jo@example.com", "<script>", "wp-login.php", "ü", &long] {
            orphans.count(text, NOW);
        }
        assert_eq!(orphans.most(10, NOW), Orphans::default());
    }

    #[test]
    fn a_flood_takes_no_room_and_pushes_nobody_out() {
        let orphans = OrphanCounter::default();
        let mut asked = 0;
        for n in 0..50_000_u32 {
            orphans.count(&format!("x{n}"), NOW);
            asked += 1;
            if n % 50 == 0 {
                orphans.count("lost", NOW);
                asked += 1;
            }
        }
        let most = orphans.most(1_000, NOW);
        assert!(most.rows.len() <= DIFFERENT);
        assert_eq!(most.rows[0].code, "lost");
        assert!(
            (900..=1_000).contains(&most.rows[0].count),
            "never more than there were: {}",
            most.rows[0].count
        );
        assert_eq!(most.rows.iter().map(|row| row.count).sum::<u64>() + most.other, asked);
        let halves = orphans.at(NOW);
        assert_eq!((halves[0].kept.len(), halves[0].places.len(), halves[0].order.len()), (500, 500, 500));
    }

    #[test]
    fn all_is_forgotten_within_a_day() {
        let orphans = OrphanCounter::default();
        orphans.count("aa", NOW);
        orphans.count("aa", NOW + HALF_MS);
        assert_eq!(counts(&orphans.most(10, NOW + HALF_MS)), [("aa", 2)]);
        assert_eq!(counts(&orphans.most(10, NOW + 2 * HALF_MS)), [("aa", 1)]);
        assert_eq!(orphans.most(10, NOW + 3 * HALF_MS), Orphans::default());
        orphans.count("bb", NOW + 9 * HALF_MS);
        assert_eq!(counts(&orphans.most(10, NOW + 9 * HALF_MS)), [("bb", 1)]);
        // A clock that goes back a little counts on.
        orphans.count("bb", NOW + 8 * HALF_MS);
        assert_eq!(counts(&orphans.most(10, NOW + 8 * HALF_MS)), [("bb", 2)]);
    }
}
