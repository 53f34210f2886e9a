//! Lists of a report, one value of a list over time, and the hours of a week.

use super::super::charts::heat;
use super::super::format::{Times, change, number, share};
use super::super::numbers::{Chart, Subject, Tile, against, leads, of_series};
use super::super::question::question;
use crate::domain::report::{Compare, Range, Unit};
use crate::reports::{By, HeatRow, Order};
use crate::web::State;
use crate::web::error::Result;

/// Rows of a list.
const ROWS: usize = 50;
/// Days of a value that are drawn as days; of more, weeks.
const DAYS_DRAWN: i64 = 400;
const DAY: i64 = 86_400;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAYS_IN_FULL: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// Steps of the scale beside the hours of a week.
const STEPS: u64 = 4;

/// A list.
pub(super) struct List {
    /// What its numbers are.
    pub(super) counts: &'static str,
    pub(super) rows: Vec<ListRow>,
    /// All hits in no row, and their share.
    pub(super) others: Option<(String, String)>,
    /// Today is in it, and not over.
    pub(super) running: bool,
    pub(super) compared: bool,
    /// Lists are by whole days, and this time is not: which days these are.
    pub(super) days: Option<String>,
}

/// A row of it.
pub(super) struct ListRow {
    pub(super) label: String,
    pub(super) href: Option<String>,
    pub(super) clicks: String,
    pub(super) share: String,
    pub(super) change: String,
    pub(super) up: bool,
    pub(super) others: String,
}

/// One value over time.
pub(super) struct ValueOf {
    pub(super) name: String,
    pub(super) tile: Tile,
    pub(super) chart: Chart,
    /// The list that it is of.
    pub(super) back: String,
}

/// The hours of a week.
pub(super) struct Week {
    /// Days, each with its hours' pictures and numbers.
    pub(super) days: Vec<(&'static str, Vec<(String, String)>)>,
    /// The fullest hour, and its number; None if there is none.
    pub(super) most: Option<(String, String)>,
    /// Pictures from little to most.
    pub(super) scale: Vec<String>,
}

/// What the numbers of a list are called.
fn counts(by: By) -> &'static str {
    match by {
        By::Preview => "Previews",
        By::Bot => "Bots",
        _ => "Clicks",
    }
}

/// True for lists whose values have days of their own, and no numbers of their own otherwise.
pub(super) fn is_value(by: By) -> bool {
    !matches!(
        by,
        By::Link
            | By::Article
            | By::Section
            | By::Author
            | By::Channel
            | By::Campaign
            | By::Creator
            | By::Host
            | By::Target
    )
}

/// The largest rows of a list.
pub(super) async fn list(state: &State, subject: &Subject<'_>, by: By, times: &Times) -> Result<List> {
    let order = Order::usual(by);
    let asked = |range| question(state, subject.scope.clone(), range, times.now);
    let top = state.reports.top(&asked(subject.range), by, order, ROWS).await?;
    let before = match subject.before(state) {
        Some(before) => state.reports.counts_of(&asked(before), by, &top.rows).await?,
        None => vec![],
    };
    let all = order.of(&top.total);
    let when = subject.when.elsewhere(subject.range, state.reports.calendar());
    let rows = top.rows.iter().enumerate().filter(|(_, row)| order.of(&row.counts) > 0).map(|(at, row)| {
        let clicks = order.of(&row.counts);
        let (change, up) = before.get(at).map(|then| change(clicks, order.of(then))).unwrap_or_default();
        ListRow {
            label: row.label.clone(),
            href: leads(&subject.scope, by, &row.value, &when).filter(|_| subject.linked),
            clicks: number(clicks),
            share: share(clicks, all),
            change,
            up,
            others: number(row.counts.hits().saturating_sub(clicks)),
        }
    });
    let rows: Vec<ListRow> = rows.collect();
    let rest = order.of(&top.other);
    Ok(List {
        counts: counts(by),
        others: (rest > 0 && !rows.is_empty()).then(|| (number(rest), share(rest, all))),
        rows,
        running: (subject.range.from..subject.range.to).contains(&times.now.as_second()),
        compared: subject.compare.is_some(),
        days: subject.whole_days(state, times),
    })
}

/// One value of a list over time: by days, as values are kept.
pub(super) async fn value(
    state: &State,
    subject: &Subject<'_>,
    (by, value): (By, &str),
    back: String,
    times: &Times,
) -> Result<ValueOf> {
    let unit =
        if (subject.range.to - subject.range.from) / DAY <= DAYS_DRAWN { Unit::Day } else { Unit::Week };
    let order = Order::usual(by);
    let series = async |range: Range| {
        let asked = question(state, subject.scope.clone(), range, times.now);
        let mut series = state.reports.series_of(&asked, (by, value), unit).await?;
        // What a list is about is what its chart shows.
        for bucket in &mut series.buckets {
            let (shown, all) = (order.of(&bucket.counts), bucket.counts.hits());
            (bucket.counts.clicks, bucket.counts.previews) = (shown, all - shown);
            bucket.counts.bots = 0;
        }
        crate::web::error::Result::Ok(series)
    };
    let own = series(subject.range).await?;
    let then = match subject.before(state) {
        Some(before) => Some(series(before).await?),
        None => None,
    };
    let sum = |series: &crate::reports::SeriesReport, over: usize| -> u64 {
        series.buckets.iter().take(over).map(|bucket| bucket.counts.clicks).sum()
    };
    let mut tile = Tile::new(counts(by), number(sum(&own, usize::MAX)), "in this time");
    // Of what is not over yet nothing fair can be said by days.
    let ends = own.buckets.iter().skip(1).map(|bucket| bucket.start).chain([own.range.to]);
    let over = ends.take_while(|end| *end <= times.now.as_second()).count();
    if let (Some(compare), Some(then)) = (subject.compare, &then) {
        tile.change = changed(sum(&own, over), sum(then, over), compare, over);
        if let Some((words, _)) = tile.change.as_mut().filter(|_| over < own.buckets.len()) {
            words.push_str(if unit == Unit::Day { ", without today" } else { ", without this week" });
        }
    }
    tile.now = true;
    let chart = of_series(counts(by), &own, subject.compare.zip(then), &[], times);
    Ok(ValueOf { name: state.reports.name_of(by, value), tile, chart, back })
}

fn changed(now: u64, then: u64, compare: Compare, over: usize) -> Option<(String, bool)> {
    if over == 0 { None } else { against(now, then, compare) }
}

/// A week, day by day, hour by hour: each cell's picture and number.
pub(super) fn week(rows: &[HeatRow]) -> Week {
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
