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
const FEW: usize = 32;

/// A series (8 bits), the number of a bucket (24) and the number of a value (32), from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Facet(u64);

const BUCKETS: u32 = 1 << 24;

impl Facet {
    fn new(series: Series, bucket: u32, value: Value) -> Facet {
        Facet((series as u64) << 56 | u64::from(bucket % BUCKETS) << 32 | u64::from(value.0))
    }

    pub(super) fn series(self) -> Series {
        let number = usize::try_from(self.0 >> 56).unwrap_or(0);
        // Series are numbered from 0 in this order; a test holds them to it.
        Series::ALL[number]
    }

    fn bucket(self) -> usize {
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
    day: u32,
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
    targets: FastMap<u32, Value>,
}

impl Default for Names {
    fn default() -> Names {
        Names {
            buckets: vec![],
            bucket_numbers: FastMap::default(),
            last: None,
            values: vec!["".into()],
            value_numbers: FastMap::from_iter([("".into(), 0)]),
            targets: FastMap::default(),
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

    /// The number of a name.
    pub(super) fn named(&mut self, name: &'static str) -> Value {
        match self.value_numbers.get(name) {
            Some(number) => Value(*number),
            None => self.new_value(name.into()),
        }
    }

    /// The number of a target: the link's version that set it.
    pub(super) fn target(&mut self, target: u32) -> Value {
        if let Some(value) = self.targets.get(&target) {
            return *value;
        }
        let name: Cow<'static, str> = target.to_string().into();
        let known = self.value_numbers.get(&name).copied();
        let value = known.map_or_else(|| self.new_value(name), Value);
        self.targets.insert(target, value);
        value
    }

    fn new_value(&mut self, name: Cow<'static, str>) -> Value {
        let number = number(self.values.len());
        self.values.push(name.clone());
        self.value_numbers.insert(name, number);
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

/// Counts by facet.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    all: Vec<(Facet, Counts)>,
    /// Where each is, when they are many.
    index: FastMap<Facet, usize>,
}

impl Sums {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(Facet, Counts)> {
        self.all.iter()
    }

    pub(super) fn add(&mut self, facet: Facet, counts: Counts) {
        let found = match self.all.len() <= FEW {
            // The newest are the likeliest.
            true => self.all.iter().rposition(|(there, _)| *there == facet),
            false => self.index.get(&facet).copied(),
        };
        match found {
            Some(at) => self.all[at].1 += counts,
            None => self.push(facet, counts),
        }
    }

    fn push(&mut self, facet: Facet, counts: Counts) {
        self.all.push((facet, counts));
        match self.all.len() {
            ..=FEW => {}
            len if self.index.is_empty() => {
                self.index.extend(self.all.iter().zip(0..len).map(|((facet, _), at)| (*facet, at)));
            }
            len => drop(self.index.insert(facet, len - 1)),
        }
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
        let value = names.target(7);
        assert_eq!(names.target(7), value);
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
        let many = 3 * FEW;
        for round in 0..3 {
            for n in 0..many {
                let at = names.at(Place { minute: 60 * i64::try_from(n).unwrap(), hour: 0, day: 1 });
                sums.add(at.minute(), one);
            }
            assert_eq!(sums.len(), many, "round {round}");
        }
        assert!(sums.iter().all(|(_, counts)| counts.bots == 3));
    }
}
