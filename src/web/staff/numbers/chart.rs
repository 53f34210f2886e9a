//! A chart with all that belongs to it: its unit, what it is compared with, what happened meanwhile, and its table.
//!
//! Guarantees that a bucket which has not begun is not drawn, and that one which is not over looks so.

use askama::Template;
use jiff::Timestamp;

use super::Subject;
use crate::domain::error::Reason;
use crate::domain::report::{Compare, Range, Unit};
use crate::reports::{Error as ReportError, Question, SeriesReport, Summary};
use crate::web::State;
use crate::web::error::Result;
use crate::web::staff::charts::{Line, Mark};
use crate::web::staff::format::{Times, number};
use crate::web::staff::question::{in_words, question};

/// Most points of a chart.
const POINTS: i64 = 400;
const DAY: i64 = 86_400;
/// Hours of which each may be written below a chart; of more, days.
const HOURS_WRITTEN: usize = 48;

/// A column of a chart's table: its heading, and what stands behind its number when it is read out, or nothing.
pub(in crate::web::staff) struct Column {
    pub(in crate::web::staff) name: String,
    pub(in crate::web::staff) said: &'static str,
}

/// A picture and all that says the same in words.
#[derive(Template)]
#[template(path = "staff/templates/chart.html")]
pub(in crate::web::staff) struct Chart {
    /// What it is of.
    pub(in crate::web::staff) name: String,
    pub(in crate::web::staff) svg: String,
    /// What a line is, and how it is drawn.
    pub(in crate::web::staff) legend: Vec<(&'static str, String)>,
    /// Number, time and words of what happened.
    pub(in crate::web::staff) marks: Vec<(usize, String, String)>,
    /// The heading of its buckets.
    pub(in crate::web::staff) unit: &'static str,
    pub(in crate::web::staff) columns: Vec<Column>,
    pub(in crate::web::staff) rows: Vec<(String, Vec<String>)>,
}

impl Chart {
    /// Whether there is nothing to write below it: no bucket has begun, or all are nothing.
    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Hours while there are not too many of them for a picture, then days, weeks, months.
fn unit(range: Range) -> Unit {
    match (range.to - range.from) / DAY {
        days if days * 24 <= POINTS => Unit::Hour,
        days if days <= POINTS => Unit::Day,
        days if days / 7 <= POINTS => Unit::Week,
        _ => Unit::Month,
    }
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Minute => "Minute",
        Unit::Hour => "Hour",
        Unit::Day => "Day",
        Unit::Week => "Week from",
        Unit::Month => "Month",
    }
}

/// The clicks of a subject over time, and the most of an hour of them.
pub(super) async fn clicks(
    state: &State,
    subject: &Subject<'_>,
    summary: &Summary,
    times: &Times,
) -> Result<(Chart, Option<u64>)> {
    let asked = |range| question(state, subject.scope.clone(), range, times.now);
    let mut unit = unit(subject.range);
    let series = match kept(state, &asked(subject.range), unit).await? {
        Some(series) => series,
        None => {
            unit = Unit::Day;
            state.reports.series(&asked(subject.range), unit).await?
        }
    };
    let then = match subject.before(state) {
        Some(before) => kept(state, &asked(before), unit).await?,
        None => None,
    };
    let compared = subject.compare.zip(then);
    let peak = series.buckets.iter().map(|bucket| bucket.counts.clicks).max().filter(|_| unit == Unit::Hour);
    let mut chart = of_series("Clicks", &series, compared, &subject.marks, times);
    chart.name = format!("{}, {} in all", chart.name, number(summary.counts.clicks));
    Ok((chart, peak))
}

/// A series; None if its hours are not kept any more.
async fn kept(state: &State, asked: &Question, unit: Unit) -> Result<Option<SeriesReport>> {
    match state.reports.series(asked, unit).await {
        Ok(series) => Ok(Some(series)),
        Err(ReportError::Refused(refusal)) if refusal.reason == Reason::OutOfRange && unit == Unit::Hour => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The chart of a series, beside another one if there is one to compare with.
pub(in crate::web::staff) fn of_series(
    what: &str,
    series: &SeriesReport,
    compared: Option<(Compare, SeriesReport)>,
    marks: &[(Timestamp, String)],
    times: &Times,
) -> Chart {
    let unit = series.unit;
    let begun = series.buckets.iter().take_while(|bucket| bucket.start <= times.now.as_second()).count();
    let running = begun > 0 && series.range.to > times.now.as_second();
    let clicks: Vec<u64> = series.buckets.iter().take(begun).map(|bucket| bucket.counts.clicks).collect();
    let then_name = compared.as_ref().map_or("", |(compare, _)| in_words(*compare));
    let then: Vec<u64> =
        compared.iter().flat_map(|(_, then)| &then.buckets).map(|b| b.counts.clicks).collect();
    // Of many hours only midnights are written.
    let days = unit == Unit::Hour && series.buckets.len() > HOURS_WRITTEN;
    let short = |start| {
        if days && !times.is_midnight(start) { String::new() } else { times.bucket(unit, start, false) }
    };
    let short: Vec<String> = series.buckets.iter().map(|bucket| short(bucket.start)).collect();
    let (placed, listed) = placed(series, marks, times);
    let each = unit_name(unit).split(' ').next().unwrap_or_default().to_lowercase();
    let name = format!("{what} in each {each}");
    let description = described(&clicks, &then, then_name);
    let line = Line {
        now: &clicks,
        running,
        // Its name is in the legend: it ends where the lines do, and would stand across them.
        then: &then,
        words: &short,
        marks: &placed,
        label: &name,
        description: &description,
        ..Line::default()
    };
    let mut columns = vec![Column { name: what.to_owned(), said: "clicks" }];
    if !then.is_empty() {
        columns.push(Column { name: upper(then_name), said: "before" });
    }
    columns.push(Column { name: "Previews and bots".into(), said: "" });
    // Where all is nothing, a table of it would only be long.
    let nothing = then.iter().all(|n| *n == 0) && series.buckets.iter().all(|b| b.counts.hits() == 0);
    let rows = series.buckets.iter().take(if nothing { 0 } else { begun }).enumerate().map(|(at, bucket)| {
        let mut cells = vec![number(bucket.counts.clicks)];
        if !then.is_empty() {
            cells.push(then.get(at).map(|n| number(*n)).unwrap_or_default());
        }
        cells.push(number(bucket.counts.previews + bucket.counts.bots));
        let mut words = times.bucket(unit, bucket.start, true);
        if running && at + 1 == begun {
            words.push_str(", so far");
        }
        (words, cells)
    });
    let mut legend = vec![("line", name.clone())];
    if !then.is_empty() {
        legend.push(("then", then_name.to_owned()));
    }
    if running {
        legend.push(("line running", format!("this {each}, so far")));
    }
    Chart {
        svg: line.svg(),
        rows: rows.collect(),
        name,
        legend,
        marks: listed,
        unit: unit_name(unit),
        columns,
    }
}

/// What a chart says, in a sentence.
fn described(clicks: &[u64], then: &[u64], then_name: &str) -> String {
    let sum = |numbers: &[u64]| number(numbers.iter().sum());
    let peak = clicks.iter().copied().max().unwrap_or(0);
    let mut text = format!("{} in all, at most {} at once", sum(clicks), number(peak));
    if !then.is_empty() {
        text.push_str(&format!("; {}: {}", then_name, sum(then)));
    }
    text.push_str(". The table below has every number.");
    text
}

fn upper(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// What happened in the time of a series: where on its chart, and as a list.
fn placed(
    series: &SeriesReport,
    marks: &[(Timestamp, String)],
    times: &Times,
) -> (Vec<Mark>, Vec<(usize, String, String)>) {
    let within = |at: i64| series.range.from <= at && at < series.range.to;
    let mut marks: Vec<&(Timestamp, String)> =
        marks.iter().filter(|(at, _)| within(at.as_second())).collect();
    marks.sort_by_key(|(at, _)| *at);
    let bucket = |at: &Timestamp| {
        series.buckets.iter().rposition(|bucket| bucket.start <= at.as_second()).unwrap_or(0)
    };
    let numbered = || marks.iter().enumerate().map(|(n, mark)| (n + 1, *mark));
    let placed = numbered().map(|(number, (at, text))| Mark { at: bucket(at), number, text: text.clone() });
    let listed = numbered().map(|(number, (at, text))| (number, times.short(*at), text.clone()));
    (placed.collect(), listed.collect())
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::domain::tally::Counts;
    use crate::reports::Bucket;

    fn series(from: i64, hours: i64, clicks: u64) -> SeriesReport {
        let counts = Counts { clicks, ..Counts::default() };
        let buckets = (0..hours).map(|hour| Bucket { start: from + hour * 3_600, counts }).collect();
        SeriesReport { range: Range { from, to: from + hours * 3_600 }, unit: Unit::Hour, buckets }
    }

    fn times(now: i64) -> Times {
        Times { zone: TimeZone::UTC, now: Timestamp::from_second(now).unwrap() }
    }

    #[test]
    fn what_has_not_begun_has_no_row_and_what_is_not_over_says_so() {
        let from = 1_795_305_600;
        let before = Some((Compare::Weekday, series(from - 7 * DAY, 24, 980)));
        let chart = of_series("Clicks", &series(from, 24, 1_204), before, &[], &times(from + 9 * 3_600 + 60));
        assert_eq!(chart.rows.len(), 10);
        assert_eq!(chart.rows[9].1, ["1,204", "980", "0"]);
        assert!(chart.rows[9].0.ends_with("09:00, so far") && chart.rows[8].0.ends_with("08:00"));
        assert_eq!(chart.columns[1].name, "The same weekdays before");
        assert!(chart.legend.contains(&("then", "the same weekdays before".to_owned())));
        assert!(!chart.svg.contains("class=\"named\""), "{}", chart.svg);
        assert!(chart.svg.contains("the same weekdays before: 23,520"), "{}", chart.svg);
        let over = of_series("Clicks", &series(from, 24, 1), None, &[], &times(from + DAY));
        assert!(over.rows.len() == 24 && !over.svg.contains("running") && over.columns.len() == 2);
        let ahead = of_series("Clicks", &series(from, 24, 1), None, &[], &times(from - 1));
        assert!(ahead.is_empty());
        assert!(of_series("Clicks", &series(from, 24, 0), None, &[], &times(from + DAY)).is_empty());
    }

    #[test]
    fn what_happened_is_numbered_in_order_and_only_of_this_time() {
        let from = 1_795_305_600;
        let at = |second: i64| Timestamp::from_second(from + second).unwrap();
        let marks = [(at(7_300), "push".to_owned()), (at(10), "published".into()), (at(-1), "before".into())];
        let chart = of_series("Clicks", &series(from, 24, 1), None, &marks, &times(from + DAY));
        let listed: Vec<(usize, &str)> = chart.marks.iter().map(|(n, _, text)| (*n, text.as_str())).collect();
        assert_eq!(listed, [(1, "published"), (2, "push")]);
    }

    #[test]
    fn long_times_have_long_buckets() {
        let of = |days: i64| unit(Range { from: 0, to: days * DAY });
        assert_eq!(
            [of(1), of(16), of(17), of(400), of(401), of(7_300)],
            [Unit::Hour, Unit::Hour, Unit::Day, Unit::Day, Unit::Week, Unit::Month]
        );
    }
}
