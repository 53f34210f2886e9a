//! Counts by bundle, and by the facets of bundles.
//!
//! A hit adds to a few bundles; what their facets come to is worked out once for each scope. Guarantees that a facet's
//! count is the sum over the bundles that have it, and that adding costs the same however many bundles a scope has; facets
//! come in the order of their first hits.
//! Knows nothing of hits.

use super::FastMap;
use super::facets::{Bundle, Names};
use crate::domain::hit::Class;
use crate::domain::tally::{Counts, Row, Series};

/// Up to so many bundles are looked through; more are indexed.
const FEW: usize = 32;

/// Hits by class; of one fold, so fewer than 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hits([u32; 4]);

impl Hits {
    /// One hit.
    pub(super) fn one(class: Class) -> Hits {
        match class {
            Class::Click => Hits([1, 0, 0, 0]),
            Class::Preview => Hits([0, 1, 0, 0]),
            Class::Bot => Hits([0, 0, 1, 0]),
            Class::Missed => Hits([0, 0, 0, 1]),
        }
    }

    pub(super) fn add(&mut self, more: Hits) {
        self.0.iter_mut().zip(more.0).for_each(|(n, more)| *n += more);
    }

    pub(super) fn counts(self) -> Counts {
        let [clicks, previews, bots, missed] = self.0.map(u64::from);
        Counts { clicks, previews, bots, missed, ..Counts::default() }
    }
}

/// Counts by bundle. What is looked through and what is added to stand apart, and both
/// close together: a fold's time goes into memory that is not in the cache.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    bundles: Vec<Bundle>,
    /// Of the bundle at the same place.
    hits: Vec<Hits>,
    /// Which of the fold's hits was the bundle's first one.
    first: Vec<u32>,
    /// Where each is, when they are many.
    index: FastMap<Bundle, usize>,
}

impl Sums {
    /// Adds hits, the fold's `first` one and later ones. True if the bundle is new here.
    pub(super) fn add(&mut self, bundle: Bundle, hits: Hits, first: u32) -> bool {
        let found = self.place(bundle);
        match found {
            Some(at) => self.hits[at].add(hits),
            None => self.push(bundle, hits, first),
        }
        found.is_none()
    }

    fn push(&mut self, bundle: Bundle, hits: Hits, first: u32) {
        self.bundles.push(bundle);
        self.hits.push(hits);
        self.first.push(first);
        match self.bundles.len() {
            ..=FEW => {}
            _ if self.index.is_empty() => self.index_all(),
            len => drop(self.index.insert(bundle, len - 1)),
        }
    }

    /// Adds all of another scope's.
    pub(super) fn merge(&mut self, other: &Sums) {
        for ((bundle, hits), first) in other.bundles.iter().zip(&other.hits).zip(&other.first) {
            if !self.add(*bundle, *hits, *first) {
                let at = self.place(*bundle).unwrap_or(0);
                self.first[at] = self.first[at].min(*first);
            }
        }
    }

    /// Bundles and their hits, in the order of their first hits.
    fn in_order(&self) -> impl Iterator<Item = (Bundle, Hits)> + '_ {
        let mut order: Vec<usize> = (0..self.bundles.len()).collect();
        if !self.first.is_sorted() {
            order.sort_unstable_by_key(|at| self.first[*at]);
        }
        order.into_iter().map(|at| (self.bundles[at], self.hits[at]))
    }

    fn place(&self, bundle: Bundle) -> Option<usize> {
        match self.bundles.len() <= FEW {
            true => self.bundles.iter().position(|there| *there == bundle),
            false => self.index.get(&bundle).copied(),
        }
    }

    fn index_all(&mut self) {
        self.index = self.bundles.iter().copied().zip(0..).collect();
    }
}

/// Works out what facets come to; one for many scopes, so that what it needs for that is made once.
#[derive(Default)]
pub(super) struct Spreader {
    /// By the number of a facet: the scope that had it last, and where it is in that scope's facets.
    last: Vec<(usize, usize)>,
    scopes: usize,
    found: Vec<(usize, Hits)>,
}

impl Spreader {
    /// The rows of a scope, of the series that are wanted, in the order of their first hits.
    pub(super) fn rows(&mut self, names: &Names, sums: &Sums, wanted: impl Fn(Series) -> bool) -> Vec<Row> {
        self.last.resize(names.facets(), (0, 0));
        self.scopes += 1;
        self.found.clear();
        for (bundle, hits) in sums.in_order() {
            for number in names.facets_of(bundle) {
                let Ok(number) = usize::try_from(*number) else { continue };
                let last = &mut self.last[number];
                if last.0 != self.scopes {
                    *last = (self.scopes, self.found.len());
                    self.found.push((number, Hits::default()));
                }
                self.found[last.1].1.add(hits);
            }
        }
        // One more for the total.
        let mut rows = Vec::with_capacity(self.found.len() + 1);
        let facets = self.found.iter().map(|(number, hits)| (names.facet_of(*number), hits));
        let facets = facets.filter(|(facet, _)| wanted(facet.series()));
        rows.extend(facets.map(|(facet, hits)| names.row(facet, hits.counts())));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::Place;

    #[test]
    fn many_bundles_are_summed_as_few_are() {
        let (mut names, mut sums) = (Names::default(), Sums::default());
        let many = 2 * FEW;
        for round in 0..3_u32 {
            for n in 0..many {
                let at = names.at(Place { minute: 60 * i64::try_from(n).unwrap(), hour: 0, day: 1 });
                assert_eq!(sums.add(at.time, Hits::one(Class::Bot), round), round == 0);
            }
        }
        let rows = Spreader::default().rows(&names, &sums, |series| series == Series::Minute);
        assert_eq!(rows.len(), many);
        assert!(rows.iter().all(|row| row.counts == Counts { bots: 3, ..Counts::default() }));
    }

    #[test]
    fn what_is_merged_comes_in_the_order_of_first_hits() {
        let (mut names, mut sums, mut others) = (Names::default(), Sums::default(), Sums::default());
        let at = names.at(Place { minute: 60, hour: 0, day: 1 });
        let bundles: Vec<Bundle> = ["a", "b", "c"]
            .into_iter()
            .map(|value| {
                let value = names.named(value);
                names.bundle(&[at.day(Series::Referrer, value), at.day(Series::Medium, Names::NONE)])
            })
            .collect();
        sums.add(bundles[0], Hits::one(Class::Click), 2);
        sums.add(bundles[2], Hits::one(Class::Click), 3);
        others.add(bundles[2], Hits::one(Class::Click), 0);
        others.add(bundles[1], Hits::one(Class::Click), 1);
        sums.merge(&others);
        let mut spreader = Spreader::default();
        for _ in 0..2 {
            let rows = spreader.rows(&names, &sums, |_| true);
            let told: Vec<_> = rows.iter().map(|row| (row.series, &*row.value, row.counts.clicks)).collect();
            let expected = [
                (Series::Referrer, "c", 2),
                (Series::Medium, "", 4),
                (Series::Referrer, "b", 1),
                (Series::Referrer, "a", 1),
            ];
            assert_eq!(told, expected);
        }
    }
}
