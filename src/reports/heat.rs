//! When readers come: clicks by hour of the week, in the newsroom's zone.
//!
//! Guarantees all 168 hours, and that the two hours which one hour of the clock is in autumn are both in it.

use super::{Question, ReportService, Result};
use crate::domain::error::{Reason, Refusal};
use crate::domain::report::Range;
use crate::domain::tally::{Counts, Series};

/// One hour of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeatRow {
    /// Monday is 1, Sunday 7.
    pub weekday: i8,
    /// 0 to 23.
    pub hour: i8,
    /// How many, in all weeks of the range.
    pub counts: Counts,
}

/// `GET /reports/heat`.
#[derive(Clone, Debug)]
pub struct Heat {
    /// What the numbers really cover.
    pub range: Range,
    /// From Monday, 0 h, to Sunday, 23 h.
    pub rows: Vec<HeatRow>,
}

impl ReportService {
    /// Hits by hour of the week.
    ///
    /// # Errors
    /// `out_of_range` for a time whose hours have gone; those of [`ReportService::summary`].
    pub async fn heat(&self, question: &Question) -> Result<Heat> {
        let calendar = self.calendar();
        let mut range = question.range.to_hours(calendar);
        if let Some(kept) = self.hours_gone(range, question.now).await? {
            range.from = calendar.start_of(kept);
        }
        if range.from >= range.to {
            let detail = "the hours of that time are not kept any more, only its days";
            return Err(Refusal::field(Reason::OutOfRange, "from", detail).into());
        }
        let week = (1..=7).flat_map(|weekday| (0..24).map(move |hour| (weekday, hour)));
        let mut rows: Vec<HeatRow> =
            week.map(|(weekday, hour)| HeatRow { weekday, hour, counts: Counts::default() }).collect();
        let scopes = self.scopes(&question.scope).await?;
        self.each_row(&scopes, Series::Hour, (range.from, range.to), |row| {
            let (weekday, hour) = calendar.hour_of_week(row.bucket);
            if let Some(there) = rows.iter_mut().find(|there| (there.weekday, there.hour) == (weekday, hour))
            {
                there.counts += row.counts;
            }
        })
        .await?;
        Ok(Heat { range, rows })
    }
}
