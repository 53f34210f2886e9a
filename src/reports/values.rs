//! One value of a list over time: how many came from a source, a country, a browser, day by day.
//!
//! Guarantees that its days sum to its row in the list of the same days. Values are kept by day: nothing is said of hours.

use super::top::label;
use super::{Bucket, By, Question, ReportService, Result, SeriesReport};
use crate::domain::error::{Reason, Refusal};
use crate::domain::report::{ReportScope, Unit, buckets, first_day};
use crate::domain::tally::{BEYOND, Counts, Series, shown_value};

impl ReportService {
    /// Hits by class of one value of a list, in buckets of days and longer.
    ///
    /// # Errors
    /// `out_of_range` for shorter units; `invalid_value` for lists of what is a scope of its own, and for `target` of
    /// anything but a link; those of [`ReportService::summary`].
    pub async fn series_of(
        &self,
        question: &Question,
        (by, value): (By, &str),
        unit: Unit,
    ) -> Result<SeriesReport> {
        let Some(series) = by.dimension() else {
            let detail = format!("a {} has numbers of its own: ask for it as a scope", by.as_str());
            return Err(Refusal::field(Reason::InvalidValue, "by", detail).into());
        };
        if series == Series::Target && !matches!(question.scope, ReportScope::Link(_)) {
            let detail = "hits by target are known for one link only";
            return Err(Refusal::field(Reason::InvalidValue, "by", detail).into());
        }
        if matches!(unit, Unit::Minute | Unit::Hour) {
            let detail = "values are kept by day: day, week or month";
            return Err(Refusal::field(Reason::OutOfRange, "unit", detail).into());
        }
        let (starts, range) = buckets(question.range, unit, self.calendar())?;
        let scopes = self.scopes(&question.scope).await?;
        let mut filled: Vec<Bucket> =
            starts.iter().map(|start| Bucket { start: *start, counts: Counts::default() }).collect();
        let (first, end) = range.days(self.calendar());
        self.each_row(&scopes, series, (first.into(), end.into()), |row| {
            let day = i32::try_from(row.bucket).unwrap_or(i32::MAX);
            if row.value != BEYOND
                && shown_value(&row.value) == value
                && let Ok(at) = starts.binary_search(&self.calendar().start_of(first_day(unit, day)))
            {
                filled[at].counts += row.counts;
            }
        })
        .await?;
        Ok(SeriesReport { range, unit, buckets: filled })
    }

    /// What a person would call a value of a list.
    #[must_use]
    pub fn name_of(&self, by: By, value: &str) -> String {
        by.dimension().map_or_else(|| value.to_owned(), |series| label(series, value))
    }
}
