//! Which numbers are kept together, and in which period each bucket is.
//!
//! Pure. A family is packed as one (`pack`); whoever keeps it knows where. A period never changes for a store that
//! exists.

use crate::domain::tally::{Series, SketchOf};

/// What is kept together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// Sums for ever, by bucket of names.
    Total,
    /// Days and all that is by day, by day.
    Day,
    /// Hours, by days of UTC.
    Hour,
    /// Minutes, by hours of UTC: they go after two days.
    Minute,
    /// Sketches of readers, by day. What they say is no packed numbers.
    Readers,
    /// Sketches of shares, by day.
    Shares,
}

impl Family {
    /// Those whose periods come and go.
    pub(crate) const DATED: [Family; 5] =
        [Family::Day, Family::Hour, Family::Minute, Family::Readers, Family::Shares];

    /// Those of sketches.
    pub(crate) const SKETCHES: [Family; 2] = [Family::Readers, Family::Shares];

    /// That of the sketches of this.
    pub(crate) fn of_sketches(of: SketchOf) -> Family {
        match of {
            SketchOf::Readers => Family::Readers,
            SketchOf::Shares => Family::Shares,
        }
    }

    /// What its sketches are of, if it is one of sketches.
    pub(crate) fn sketch_of(self) -> Option<SketchOf> {
        SketchOf::ALL.into_iter().find(|of| Family::of_sketches(*of) == self)
    }

    pub(crate) fn of(series: Series) -> Family {
        match series {
            Series::Total => Family::Total,
            Series::Minute => Family::Minute,
            Series::Hour => Family::Hour,
            _ => Family::Day,
        }
    }

    /// The series of a family that has but one; of the days, the one that gave the name.
    pub(crate) fn series(self) -> Series {
        match self {
            Family::Total => Series::Total,
            Family::Day | Family::Readers | Family::Shares => Series::Day,
            Family::Hour => Series::Hour,
            Family::Minute => Series::Minute,
        }
    }

    /// How long a period is, in the units of its buckets.
    pub(crate) fn length(self) -> i64 {
        match self {
            Family::Total | Family::Day | Family::Readers | Family::Shares => 1,
            Family::Hour => 86_400,
            Family::Minute => 3_600,
        }
    }

    /// What the places of buckets within a period usually are a multiple of, in seconds.
    pub(crate) fn unit(self) -> u32 {
        match self {
            Family::Total | Family::Day | Family::Readers | Family::Shares => 1,
            // Zones differ by quarters of an hour.
            Family::Hour => 900,
            Family::Minute => 60,
        }
    }

    /// The period of a bucket, and its place in it.
    pub(crate) fn place(self, bucket: i64) -> (i64, u32) {
        let place = bucket.rem_euclid(self.length());
        (bucket.div_euclid(self.length()), u32::try_from(place).unwrap_or(0))
    }

    /// The bucket at a place of a period.
    pub(crate) fn bucket(self, period: i64, place: u32) -> i64 {
        period.saturating_mul(self.length()).saturating_add(i64::from(place))
    }

    /// The first and the last period of `from <= bucket < to`; None if that is nothing.
    pub(crate) fn periods(self, from: i64, to: i64) -> Option<(i64, i64)> {
        (from < to).then(|| (self.place(from).0, self.place(to - 1).0))
    }
}
