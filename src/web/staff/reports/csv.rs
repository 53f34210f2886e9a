//! A report as CSV: what the page shows, in full, with what it is of before its rows.
//!
//! Guarantees that a file says of itself whose numbers it has, from when to when, in which zone, as of when, what they are
//! compared with, and what each is.

use axum::body::Body;
use axum::extract::{Query, State as Shared};
use axum::response::Response;
use jiff::Timestamp;

use super::super::links::download;
use super::super::numbers::Subject;
use super::super::question::{in_words, question};
use super::super::shell::times;
use super::{Asked, BROKEN, ORPHANS, USUAL, of};
use crate::domain::calendar::date_of;
use crate::domain::error::{Reason, Refusal};
use crate::domain::report::{Range, Unit};
use crate::domain::tally::Counts;
use crate::reports::{By, Order, SeriesReport};
use crate::web::State;
use crate::web::csv::csv as written;
use crate::web::error::Result;
use crate::web::session::Staff;

/// Most rows of a list.
const ROWS: usize = 1_000;
const CLICKS: &str = "Hits of people, each counted once, when the short link was opened";
const DEFINITIONS: [(&str, &str); 4] = [
    ("clicks", CLICKS),
    ("previews", "Fetches of the card that chats and networks show; no clicks"),
    ("bots", "Programs; no clicks"),
    ("uniques", "Estimate of different readers of one day, by network address and browser"),
];

type Rows = Vec<Vec<String>>;

/// The file of a view.
pub(in crate::web::staff) async fn csv(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let asked = Asked { when: asked.when.clone().or(USUAL), ..asked };
    let (times, scope, (tab, name)) = (times(&state), asked.scope()?, asked.tab()?);
    if tab == BROKEN || tab == ORPHANS {
        return Err(Refusal::field(Reason::InvalidValue, "tab", "this list is not there as CSV").into());
    }
    let range = asked.when.range(&state, Timestamp::UNIX_EPOCH, times.now)?;
    let of = of(&state, &actor, &scope, times.now).await?;
    let compare = asked.compare()?;
    let subject = Subject { scope, range, compare, when: &asked.when, marks: vec![], linked: false };
    let (covered, rows) = rows(&state, &subject, (tab, &asked.value), times.now).await?;
    let time = |second: i64| Timestamp::from_second(second).map(|at| at.to_string()).unwrap_or_default();
    let standing = state.hits.standing(times.now);
    let pair = |name: &str, value: String| vec![name.to_owned(), value];
    let mut lines = vec![
        pair("report", name.to_owned()),
        pair(
            "of",
            of.map_or_else(|| state.pages.newsroom().0.to_string(), |of| format!("{}: {}", of.kind, of.name)),
        ),
        pair("from", time(covered.from)),
        pair("to (exclusive)", time(covered.to)),
        pair("time zone", state.reports.calendar().zone_name(times.now)),
        pair("as of", standing.as_of.to_string()),
        pair("waiting hits", standing.waiting.to_string()),
        pair("compared with", subject.compare.map_or("nothing", in_words).to_owned()),
    ];
    if !asked.value.is_empty() {
        lines.insert(1, pair("value", asked.value.clone()));
    }
    lines.extend(DEFINITIONS.iter().map(|(name, meaning)| pair(name, (*meaning).to_owned())));
    lines.push(vec![String::new()]);
    lines.extend(rows);
    let (first, end) = covered.days(state.reports.calendar());
    let name = format!("report-{tab}-{}-{}.csv", date_of(first), date_of(end - 1));
    let text = written(lines.iter().map(Vec::as_slice));
    Ok(download(&name, "text/csv; charset=utf-8", Body::from(text)))
}

/// What is really covered, and a header with its rows.
async fn rows(
    state: &State,
    subject: &Subject<'_>,
    (tab, value): (&str, &str),
    now: Timestamp,
) -> Result<(Range, Rows)> {
    let asked = |range| question(state, subject.scope.clone(), range, now);
    match tab {
        "overview" => {
            let series = state.reports.series(&asked(subject.range), Unit::Day).await?;
            let then = match subject.before(state) {
                Some(before) => Some(state.reports.series(&asked(before), Unit::Day).await?),
                None => None,
            };
            Ok((series.range, of_series(&series, then.as_ref(), true)))
        }
        "times" => {
            let heat = state.reports.heat(&asked(subject.range)).await?;
            let mut rows = vec![header(&["weekday (1 is Monday)", "hour"], false, false)];
            let row = |row: &crate::reports::HeatRow| {
                line(vec![row.weekday.to_string(), row.hour.to_string()], &row.counts, None)
            };
            rows.extend(heat.rows.iter().map(row));
            Ok((heat.range, rows))
        }
        by if !value.is_empty() => {
            let by = By::parse(Some(by))?;
            let series = state.reports.series_of(&asked(subject.range), (by, value), Unit::Day).await?;
            let then = match subject.before(state) {
                Some(before) => Some(state.reports.series_of(&asked(before), (by, value), Unit::Day).await?),
                None => None,
            };
            Ok((series.range, of_series(&series, then.as_ref(), false)))
        }
        by => list(state, subject, By::parse(Some(by))?, now).await,
    }
}

async fn list(state: &State, subject: &Subject<'_>, by: By, now: Timestamp) -> Result<(Range, Rows)> {
    let asked = |range| question(state, subject.scope.clone(), range, now);
    let top = state.reports.top(&asked(subject.range), by, Order::usual(by), ROWS).await?;
    let then = match subject.before(state) {
        Some(before) => Some(state.reports.counts_of(&asked(before), by, &top.rows).await?),
        None => None,
    };
    let mut rows = vec![header(&["value", "label"], false, then.is_some())];
    rows.extend(top.rows.iter().enumerate().map(|(at, row)| {
        let before = then.as_ref().and_then(|then| then.get(at));
        line(vec![row.value.clone(), row.label.clone()], &row.counts, before)
    }));
    rows.push(line(vec!["(other)".into(), "(other)".into()], &top.other, None));
    Ok((top.range, rows))
}

fn header(begin: &[&str], uniques: bool, compared: bool) -> Vec<String> {
    let counts = ["clicks", "previews", "bots"].into_iter();
    let then = ["clicks before", "previews before", "bots before"].into_iter().filter(|_| compared);
    let uniques = ["uniques"].into_iter().filter(|_| uniques);
    begin.iter().copied().chain(counts).chain(uniques).chain(then).map(str::to_owned).collect()
}

fn line(begin: Vec<String>, counts: &Counts, then: Option<&Counts>) -> Vec<String> {
    let mut cells = begin;
    for counts in std::iter::once(counts).chain(then) {
        cells.extend([counts.clicks, counts.previews, counts.bots].map(|n| n.to_string()));
    }
    cells
}

fn of_series(series: &SeriesReport, then: Option<&SeriesReport>, uniques: bool) -> Rows {
    let time = |second: i64| Timestamp::from_second(second).map(|at| at.to_string()).unwrap_or_default();
    let mut rows = vec![header(&["day begins"], uniques, then.is_some())];
    rows.extend(series.buckets.iter().enumerate().map(|(at, bucket)| {
        let mut cells = line(vec![time(bucket.start)], &bucket.counts, None);
        cells.extend(uniques.then(|| bucket.counts.uniques.to_string()));
        let before = then.and_then(|then| then.buckets.get(at));
        cells.extend(before.into_iter().flat_map(|before| line(vec![], &before.counts, None)));
        cells
    }));
    rows
}
