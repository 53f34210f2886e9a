//! Lists of a report, and one value of a list over time.

use super::super::format::{Times, change, number, share};
use super::super::numbers::{Chart, Subject, Tile, against, leads, of_series};
use super::super::question::question;
use crate::domain::report::{Compare, Range, Unit};
use crate::reports::{By, Order};
use crate::web::State;
use crate::web::error::Result;

/// Rows of a list.
const ROWS: usize = 50;
/// Days of a value that are drawn as days; of more, weeks.
const DAYS_DRAWN: i64 = 400;
const DAY: i64 = 86_400;

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

/// What the numbers of a list are called.
fn counts(by: By) -> &'static str {
    match by {
        By::Preview => "Previews",
        By::Bot => "Bots",
        _ => "Clicks",
    }
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
