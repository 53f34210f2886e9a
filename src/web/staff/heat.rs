//! The hours of a week in which links are followed.
//!
//! Guarantees that a link or story without clicks has no such panel: a page without data stays small.

use askama::Template;

use super::charts::heat;
use super::format::{Times, number};
use super::numbers::Subject;
use super::question::{Address, question};
use crate::domain::error::Reason;
use crate::reports::{Error as ReportError, HeatRow};
use crate::web::State;
use crate::web::error::Result;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAYS_IN_FULL: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// Steps of the scale beside the hours of a week.
const STEPS: u64 = 4;

/// The hours of a week.
struct Week {
    /// Days, each with its hours' pictures and numbers.
    days: Vec<(&'static str, Vec<(String, String)>)>,
    /// The fullest hour, and its number; None if there is none.
    most: Option<(String, String)>,
    /// Pictures from little to most.
    scale: Vec<String>,
}

/// A panel with a table.
#[derive(Template)]
#[template(path = "staff/templates/heat.html")]
pub(super) struct Heat {
    week: Week,
    zone: String,
    /// The same as a report.
    href: Option<String>,
}

impl Heat {
    /// Of these hours, whether or not there are clicks in them.
    pub(super) fn of(rows: &[HeatRow], zone: &str) -> Heat {
        Heat { week: week(rows), zone: zone.to_owned(), href: None }
    }

    /// Of a subject; None without clicks, or if hours of that time are not kept any more.
    pub(super) async fn new(
        state: &State,
        subject: &Subject<'_>,
        zone: &str,
        times: &Times,
    ) -> Result<Option<Heat>> {
        let asked = question(state, subject.scope.clone(), subject.range, times.now);
        let rows = match state.reports.heat(&asked).await {
            Ok(heat) => heat.rows,
            Err(ReportError::Refused(refusal)) if refusal.reason == Reason::OutOfRange => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if rows.iter().all(|row| row.counts.clicks == 0) {
            return Ok(None);
        }
        let view = vec![("tab", "times".to_owned()), ("scope", subject.scope.to_string())];
        let when = subject.when.elsewhere(subject.range, state.reports.calendar());
        let href = Address { path: "/-/reports".into(), view }.at(&when);
        Ok(Some(Heat { href: subject.linked.then_some(href), ..Heat::of(&rows, zone) }))
    }

    fn hours(&self) -> std::ops::Range<u8> {
        0..24
    }
}

/// A week, day by day, hour by hour: each cell's picture and number.
fn week(rows: &[HeatRow]) -> Week {
    let most = rows.iter().map(|row| row.counts.clicks).max().unwrap_or(0);
    let of = |day: i8| {
        let hours = rows.iter().filter(move |row| row.weekday == day);
        hours.map(|row| (heat(row.counts.clicks, most), number(row.counts.clicks))).collect()
    };
    let fullest = rows.iter().find(|row| most > 0 && row.counts.clicks == most);
    Week {
        days: (1..).zip(DAYS).map(|(day, name)| (name, of(day))).collect(),
        most: fullest.map(|row| (in_words(row), number(most))),
        scale: (1..=STEPS).map(|step| heat(step, STEPS)).collect(),
    }
}

/// An hour of the week in words.
fn in_words(row: &HeatRow) -> String {
    let names = (1..).zip(DAYS_IN_FULL).find(|(day, _)| *day == row.weekday);
    format!("{}s from {}:00 to {}:00", names.map_or("", |(_, name)| name), row.hour, row.hour + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tally::Counts;

    #[test]
    fn the_fullest_hour_of_a_week_is_said() {
        let row =
            |weekday, hour, clicks| HeatRow { weekday, hour, counts: Counts { clicks, ..Counts::default() } };
        let shown = week(&[row(1, 0, 0), row(4, 9, 1_204), row(7, 23, 3)]);
        assert_eq!(shown.most, Some(("Thursdays from 9:00 to 10:00".into(), "1,204".into())));
        assert_eq!((shown.days.len(), shown.days[3].1[0].1.as_str()), (7, "1,204"));
        assert_eq!(week(&[row(1, 0, 0)]).most, None);
    }
}
