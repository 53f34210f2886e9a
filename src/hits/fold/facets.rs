//! Facets: what a hit is counted under, as numbers that are compared at once.
//!
//! A facet is a series, a bucket and a value. Buckets and values are numbered by their first use within one fold, so a
//! facet is one integer; what the numbers stand for is in [`Names`]. Guarantees that a sum costs the same however many
//! facets a link has. Knows nothing of hits.

use std::borrow::Cow;

use super::FastMap;
use crate::domain::calendar::Place;
use crate::domain::tally::{Counts, Row, Series};

/// Up to so many facets are looked through; more are indexed.
const FEW: usize = 64;

/// A series (8 bits), the number of a bucket (24) and the number of a value (32), from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Facet(u64);

const BUCKETS: u32 = 1 << 24;

impl Facet {
    fn new(series: Series, bucket: u32, value: Value) -> Facet {
        Facet(u64::from(series.number()) << 56 | u64::from(bucket % BUCKETS) << 32 | u64::from(value.0))
    }

    pub(super) fn series(self) -> Series {
        Series::from_number(self.0 >> 56).unwrap_or(Series::Total)
    }

    pub(super) fn bucket(self) -> usize {
        usize::try_from(self.0 >> 32 & u64::from(BUCKETS - 1)).unwrap_or(0)
    }

    fn value(self) -> usize {
        usize::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(0)
    }
}

/// The number of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value(u32);

/// The numbers of a place's buckets.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    minute: u32,
    hour: u32,
    pub(super) day: u32,
}

impl At {
    pub(super) fn minute(self) -> Facet {
        Facet::new(Series::Minute, self.minute, Names::NONE)
    }

    pub(super) fn hour(self) -> Facet {
        Facet::new(Series::Hour, self.hour, Names::NONE)
    }

    /// A facet of any of the series by day.
    pub(super) fn day(self, series: Series, value: Value) -> Facet {
        Facet::new(series, self.day, value)
    }
}

/// What numbers stand for.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Minutes, hours and days alike.
    buckets: Vec<i64>,
    bucket_numbers: FastMap<i64, u32>,
    /// The last place and its numbers: hits come in order.
    last: Option<(Place, At)>,
    values: Vec<Cow<'static, str>>,
    value_numbers: FastMap<Cow<'static, str>, u32>,
}

impl Default for Names {
    fn default() -> Names {
        Names {
            buckets: vec![],
            bucket_numbers: FastMap::default(),
            last: None,
            values: vec!["".into()],
            value_numbers: FastMap::from_iter([("".into(), 0)]),
        }
    }
}

impl Names {
    /// No value.
    pub(super) const NONE: Value = Value(0);

    /// The numbers of a place.
    pub(super) fn at(&mut self, place: Place) -> At {
        if let Some((last, at)) = self.last
            && last == place
        {
            return at;
        }
        let at = At {
            minute: self.bucket(place.minute),
            hour: self.bucket(place.hour),
            day: self.bucket(i64::from(place.day)),
        };
        self.last = Some((place, at));
        at
    }

    fn bucket(&mut self, bucket: i64) -> u32 {
        *self.bucket_numbers.entry(bucket).or_insert_with(|| {
            self.buckets.push(bucket);
            number(self.buckets.len() - 1)
        })
    }

    /// The bucket of a number.
    pub(super) fn bucket_of(&self, number: u32) -> i64 {
        usize::try_from(number).ok().and_then(|at| self.buckets.get(at)).copied().unwrap_or(0)
    }

    /// The number of a name.
    pub(super) fn named(&mut self, name: &'static str) -> Value {
        self.value(name.into())
    }

    /// The number of a value.
    pub(super) fn value(&mut self, value: Cow<'static, str>) -> Value {
        if let Some(number) = self.value_numbers.get(&*value) {
            return Value(*number);
        }
        let number = number(self.values.len());
        self.values.push(value.clone());
        self.value_numbers.insert(value, number);
        Value(number)
    }

    /// What a facet stands for.
    pub(super) fn row(&self, facet: Facet, counts: Counts) -> Row {
        let value = self.values[facet.value()].clone();
        Row { series: facet.series(), bucket: self.buckets[facet.bucket()], value, counts }
    }
}

/// A fold has at most a few million hits, and each brings a few new numbers at most.
fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// How many hits a facet has, and the site ordinal of the first of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum {
    pub(super) facet: Facet,
    pub(super) counts: Counts,
    pub(super) first: u64,
}

/// Counts by facet. Facets stand beside each other, so that looking through them reads little memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    facets: Vec<Facet>,
    /// Of the facet at the same place: its counts, and the site ordinal of its first hit.
    all: Vec<(Counts, u64)>,
    /// Where each is, when they are many.
    index: FastMap<Facet, usize>,
}

impl Sums {
    pub(super) fn is_empty(&self) -> bool {
        self.facets.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.facets.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Sum> + '_ {
        let all = self.facets.iter().zip(&self.all);
        all.map(|(facet, (counts, first))| Sum { facet: *facet, counts: *counts, first: *first })
    }

    pub(super) fn add(&mut self, sum: Sum) {
        let found = match self.facets.len() <= FEW {
            true => self.facets.iter().position(|there| *there == sum.facet),
            false => self.index.get(&sum.facet).copied(),
        };
        match found {
            Some(at) => {
                let (counts, first) = &mut self.all[at];
                *counts += sum.counts;
                *first = sum.first.min(*first);
            }
            None => self.push(sum),
        }
    }

    fn push(&mut self, sum: Sum) {
        self.facets.push(sum.facet);
        self.all.push((sum.counts, sum.first));
        match self.facets.len() {
            ..=FEW => {}
            len if self.index.is_empty() => {
                self.index.extend(self.facets.iter().zip(0..len).map(|(facet, at)| (*facet, at)));
            }
            len => drop(self.index.insert(sum.facet, len - 1)),
        }
    }

    /// In the order of their first hits, in which hits came one by one.
    pub(super) fn in_order(&self) -> Vec<Sum> {
        let mut all: Vec<Sum> = self.iter().collect();
        all.sort_by_key(|sum| sum.first);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_facet_is_what_it_was_made_of() {
        let mut names = Names::default();
        let at = names.at(Place { minute: 120, hour: 0, day: 20_000 });
        let one = Counts { clicks: 1, ..Counts::default() };
        let value = names.value("7".into());
        assert_eq!(names.named("7"), value);
        for series in Series::ALL {
            let row = names.row(at.day(series, value), one);
            assert_eq!((row.series, row.bucket, &*row.value, row.counts), (series, 20_000, "7", one));
        }
        assert_eq!(names.row(at.minute(), one).bucket, 120);
        assert_eq!(&*names.row(at.hour(), one).value, "");
    }

    #[test]
    fn many_facets_are_summed_as_few_are() {
        let (mut names, mut sums) = (Names::default(), Sums::default());
        let one = Counts { bots: 1, ..Counts::default() };
        let many = 2 * FEW;
        for round in 0..3_u64 {
            for n in 0..many {
                let at = names.at(Place { minute: 60 * i64::try_from(n).unwrap(), hour: 0, day: 1 });
                sums.add(Sum { facet: at.minute(), counts: one, first: 100 - round });
            }
            assert_eq!(sums.len(), many, "round {round}");
        }
        assert!(sums.iter().all(|sum| (sum.counts.bots, sum.first) == (3, 98)));
    }
}
