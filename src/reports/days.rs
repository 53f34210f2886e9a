//! Days of several scopes together: what was counted is summed, who was there is not counted twice.
//!
//! Guarantees that estimates of one scope are the ones that were counted, that those of several links are of the union
//! of their readers wherever sketches are kept, and that a link's number is added where its sketch has gone.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::{ReportService, Result};
use crate::domain::calendar::Day;
use crate::domain::report::{HOURS_BACK, Range, hours_from};
use crate::domain::sketch::Sketch;
use crate::domain::tally::{Counts, Row, Scope, Series, SketchOf};
use crate::store;

/// Numbers by day.
pub(super) type Days = BTreeMap<i64, Counts>;

/// What one scope had on a day, in the order of [`SketchOf::ALL`].
struct Number {
    day: i64,
    of: [u64; 2],
}

/// What the estimate of readers is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worth {
    /// Clicks of the same days.
    pub clicks: u64,
    /// Those of them that are in no sketch: they asked not to be followed.
    pub untracked: u64,
    /// True if readers were told apart by more than one key on some day: they may be counted twice.
    pub too_high: bool,
}

impl Worth {
    /// The share of the clicks whose readers could be told apart, 0 to 1, in ten-thousandths, rounded down.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        let tracked = u128::from(self.clicks.saturating_sub(self.untracked)) * 10_000;
        let share = tracked.checked_div(self.clicks.into()).unwrap_or(10_000);
        f64::from(u32::try_from(share).unwrap_or(10_000)) / 10_000.0
    }
}

impl ReportService {
    /// What these scopes have by day, without regard to readers that they share.
    pub(super) async fn days(&self, scopes: &[Scope], from: i64, to: i64) -> store::Result<Days> {
        let mut days = Days::new();
        let add = |row: Row| *days.entry(row.bucket).or_default() += row.counts;
        self.each_row(scopes, Series::Day, (from, to), add).await?;
        Ok(days)
    }

    /// What these scopes have by day, each reader and share once a day where that is known.
    pub(super) async fn days_of_readers(&self, scopes: &[Scope], from: i64, to: i64) -> store::Result<Days> {
        if scopes.len() < 2 {
            return self.days(scopes, from, to).await;
        }
        let mut numbers: Vec<(&Scope, Vec<Number>)> = vec![];
        let mut days = Days::new();
        for scope in scopes {
            let rows = self.tallies.rows(scope, Series::Day, from, to).await?;
            rows.iter().for_each(|row| *days.entry(row.bucket).or_default() += row.counts);
            let number = |row: &Row| Number { day: row.bucket, of: [row.counts.uniques, row.counts.unfurls] };
            let some = |number: &Number| number.of != [0, 0];
            numbers.push((scope, rows.iter().map(number).filter(some).collect()));
        }
        for (kind, of) in SketchOf::ALL.into_iter().enumerate() {
            self.once_each(kind, of, &numbers, &mut days).await?;
        }
        Ok(days)
    }

    /// Puts the estimate of the union in the place of the sum, on days that several scopes have numbers of.
    async fn once_each(
        &self,
        kind: usize,
        of: SketchOf,
        numbers: &[(&Scope, Vec<Number>)],
        days: &mut Days,
    ) -> store::Result<()> {
        let mut having: HashMap<i64, u32> = HashMap::new();
        for number in numbers.iter().flat_map(|(_, numbers)| numbers).filter(|number| number.of[kind] > 0) {
            *having.entry(number.day).or_default() += 1;
        }
        let mut unions: BTreeMap<i64, Sketch> = BTreeMap::new();
        for (scope, numbers) in numbers {
            let several = |number: &Number| having.get(&number.day).is_some_and(|scopes| *scopes > 1);
            let shared: BTreeMap<i64, u64> = numbers
                .iter()
                .filter(|number| number.of[kind] > 0 && several(number))
                .map(|number| (number.day, number.of[kind]))
                .collect();
            let (Some((first, _)), Some((last, _))) = (shared.first_key_value(), shared.last_key_value())
            else {
                continue;
            };
            for (day, sketch) in self.tallies.sketches(scope, of, *first, *last + 1).await? {
                if let (Some(number), Some(sum)) = (shared.get(&day), days.get_mut(&day)) {
                    *sum = sum.less(&of.counts(*number));
                    unions.entry(day).or_default().merge(&sketch);
                }
            }
        }
        for (day, union) in unions {
            *days.entry(day).or_default() += of.counts(union.estimate());
        }
        Ok(())
    }

    /// What the estimates of these days are worth.
    pub(super) async fn worth(
        &self,
        scopes: &[Scope],
        days: &Days,
        from: i64,
        to: i64,
    ) -> store::Result<Worth> {
        let untracked = self.rows(scopes, Series::Untracked, from, to).await?;
        let own_key = self.rows(scopes, Series::OwnKey, from, to).await?;
        Ok(Worth {
            clicks: days.values().map(|counts| counts.clicks).sum(),
            untracked: untracked.iter().map(|row| row.counts.clicks).sum(),
            too_high: own_key.iter().any(|row| row.counts.clicks > 0),
        })
    }

    /// The first day of which hours are kept, if it is later than a range's begin.
    pub(super) async fn hours_gone(&self, range: Range, now: Timestamp) -> Result<Option<Day>> {
        let (first, _) = range.days(&self.calendar);
        if first >= self.calendar.day(now) - HOURS_BACK {
            return Ok(None);
        }
        let (hour, day) =
            (self.tallies.first_bucket(Series::Hour).await?, self.tallies.first_bucket(Series::Day).await?);
        Ok(hours_from(hour, day, &self.calendar, now).filter(|kept| first < *kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_said_to_be_more_than_it_is() {
        let coverage = |clicks, untracked| Worth { clicks, untracked, too_high: false }.coverage();
        assert_eq!(coverage(0, 0).to_string(), "1");
        assert_eq!(coverage(10, 0).to_string(), "1");
        assert_eq!(coverage(3, 1).to_string(), "0.6666");
        assert_eq!(coverage(10_000_000, 1).to_string(), "0.9999");
        assert_eq!(coverage(5, 5).to_string(), "0");
        assert_eq!(coverage(5, 6).to_string(), "0", "read a moment later");
        assert_eq!(coverage(u64::MAX, 0).to_string(), "1");
    }
}
