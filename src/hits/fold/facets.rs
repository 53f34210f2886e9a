//! Facets: what a hit is counted under, as numbers that are compared at once.
//!
//! A facet is a series, a bucket and a value; a bundle is what many hits have together, like the device, system and browser
//! of an agent on a day. All are numbered by their first use within one fold; what the numbers stand for is in [`Names`].
//! Knows nothing of hits, and nothing of sums.

use std::borrow::Cow;

use super::FastMap;
use crate::domain::calendar::Place;
use crate::domain::tally::{Counts, Row, Series};

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

/// The number of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bundle(u32);

/// The number of a day, and what all hits of a minute have.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) day: u32,
    pub(super) time: Bundle,
}

impl At {
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
    facets: Vec<Facet>,
    facet_numbers: FastMap<Facet, u32>,
    /// Numbers of facets.
    bundles: Vec<Box<[u32]>>,
    bundle_numbers: FastMap<Box<[u32]>, u32>,
}

impl Default for Names {
    fn default() -> Names {
        Names {
            buckets: vec![],
            bucket_numbers: FastMap::default(),
            last: None,
            values: vec!["".into()],
            value_numbers: FastMap::from_iter([("".into(), 0)]),
            facets: vec![],
            facet_numbers: FastMap::default(),
            bundles: vec![],
            bundle_numbers: FastMap::default(),
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
        let (minute, hour) = (self.bucket(place.minute), self.bucket(place.hour));
        let day = self.bucket(i64::from(place.day));
        let time = [(Series::Minute, minute), (Series::Hour, hour), (Series::Day, day)];
        let time = time.map(|(series, bucket)| Facet::new(series, bucket, Names::NONE));
        let at = At { day, time: self.bundle(&time) };
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

    /// The number of what hits with these facets have together.
    pub(super) fn bundle(&mut self, facets: &[Facet]) -> Bundle {
        let numbers: Box<[u32]> = facets.iter().map(|facet| self.facet(*facet)).collect();
        if let Some(bundle) = self.bundle_numbers.get(&numbers) {
            return Bundle(*bundle);
        }
        let bundle = number(self.bundles.len());
        self.bundles.push(numbers.clone());
        self.bundle_numbers.insert(numbers, bundle);
        Bundle(bundle)
    }

    fn facet(&mut self, facet: Facet) -> u32 {
        *self.facet_numbers.entry(facet).or_insert_with(|| {
            self.facets.push(facet);
            number(self.facets.len() - 1)
        })
    }

    /// The numbers of a bundle's facets: each less than [`Names::facets`].
    pub(super) fn facets_of(&self, bundle: Bundle) -> &[u32] {
        usize::try_from(bundle.0).ok().and_then(|at| self.bundles.get(at)).map_or(&[], |facets| facets)
    }

    /// How many facets there are.
    pub(super) fn facets(&self) -> usize {
        self.facets.len()
    }

    /// The facet of a number that [`Names::facets_of`] gave.
    pub(super) fn facet_of(&self, number: usize) -> Facet {
        self.facets[number]
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
        let time: Vec<Row> = names
            .facets_of(at.time)
            .iter()
            .map(|number| names.row(names.facet_of(usize::try_from(*number).unwrap()), one))
            .collect();
        let buckets: Vec<_> = time.iter().map(|row| (row.series, row.bucket, &*row.value)).collect();
        assert_eq!(buckets, [(Series::Minute, 120, ""), (Series::Hour, 0, ""), (Series::Day, 20_000, "")]);
    }

    #[test]
    fn the_same_facets_are_the_same_bundle() {
        let mut names = Names::default();
        let at = names.at(Place { minute: 120, hour: 0, day: 20_000 });
        let (phone, linux) = (names.named("phone"), names.named("linux"));
        let facets = [at.day(Series::Device, phone), at.day(Series::Os, linux)];
        let bundle = names.bundle(&facets);
        assert_eq!(names.bundle(&facets), bundle);
        assert_ne!(names.bundle(&facets[..1]), bundle);
        assert_eq!(names.facets_of(bundle).len(), 2);
    }
}
