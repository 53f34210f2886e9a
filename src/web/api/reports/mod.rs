//! `/reports`: numbers as JSON and CSV.
//!
//! Every answer says what it covers (`scope, from, to`), as of when, and how many hits of this node wait to be
//! counted. Asking is watching: hits are counted at the short interval for a while.

mod answer;
pub mod more;
pub mod reasons;

use axum::extract::{Request, State as Shared};
use axum::response::Response;
use serde_json::{Map, Value, json};

use self::answer::{Asked, cell, cells, compare, counted, head, put_counts, respond, time};
use super::query::Params;
use crate::domain::error::{Reason, Refusal};
use crate::domain::report::Unit;
use crate::domain::tally::Counts;
use crate::reports::{By, Order, Question, SeriesReport, Summary, Top};
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::Result;

/// Longest top list.
const MAX_ROWS: usize = 1_000;

/// Hits by class of a scope and range.
#[utoipa::path(get, path = "/api/v1/reports/summary", tag = "reports",
    params(("scope" = Option<String>, Query, description = "site, link:CODE, article:ID, section:, author:, channel:, \
            campaign:, tag: or creator:NAME"),
        ("from" = Option<String>, Query, description = "Date or RFC 3339"), ("to" = Option<String>, Query),
        ("compare" = Option<String>, Query, description = "previous, weekday or year")),
    responses((status = 200, description = "clicks, uniques, unique_basis, previews, unfurls, bots, missed by reason, \
        unique_coverage, unique_too_high; also as CSV", body = Object)))]
pub async fn summary(
    Shared(state): Shared<State>,
    Caller(_): Caller,
    mut params: Params,
    request: Request,
) -> Result<Response> {
    let asked = Asked::read(&state, &request, &mut params)?;
    let compare = compare(&mut params)?;
    params.end()?;
    state.hits.watch();
    let summary = state.reports.summary(&asked.question).await?;
    let mut answer = head(&state, &asked.question, summary.range);
    answer.extend(summary_fields(&summary));
    if let Some(before) = asked.before(compare, &state) {
        let summary = state.reports.summary(&before).await?;
        let mut previous = Map::new();
        previous.insert("from".into(), time(summary.range.from));
        previous.insert("to".into(), time(summary.range.to));
        previous.extend(summary_fields(&summary));
        answer.insert("previous".into(), Value::Object(previous));
    }
    let mut columns = vec!["scope", "from", "to", "clicks", "previews", "bots"];
    columns.extend(["uniques", "unique_basis", "unfurls", "unique_coverage", "unique_too_high"]);
    let mut row: Vec<String> = columns.iter().map(|c| cell(&answer[*c])).collect();
    for (reason, n) in summary.missed {
        columns.push(reason.as_str());
        row.push(n.to_string());
    }
    Ok(respond(&asked.form, answer, &columns, vec![row]))
}

fn summary_fields(summary: &Summary) -> Map<String, Value> {
    let mut fields = counted(&summary.counts);
    fields.insert("uniques".into(), json!(summary.counts.uniques));
    fields.insert("unique_basis".into(), json!(if summary.days == 1 { "day" } else { "sum_of_days" }));
    fields.insert("unfurls".into(), json!(summary.counts.unfurls));
    let missed: Map<String, Value> =
        summary.missed.iter().map(|(reason, n)| (reason.as_str().to_owned(), json!(n))).collect();
    fields.insert("missed".into(), Value::Object(missed));
    fields.insert("unique_coverage".into(), json!(summary.worth.coverage()));
    fields.insert("unique_too_high".into(), json!(summary.worth.too_high));
    fields
}

/// Hits by class in buckets, empty ones included.
#[utoipa::path(get, path = "/api/v1/reports/series", tag = "reports",
    params(("unit" = Option<String>, Query, description = "minute, hour, day (default), week or month"),
        ("by" = Option<String>, Query, description = "With value: of this value of a list alone (source, medium, \
            referrer, country, device, os, browser, trigger, target, preview, bot), by days and longer"),
        ("value" = Option<String>, Query),
        ("scope" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("compare" = Option<String>, Query)),
    responses((status = 200, description = "unit, buckets: [{start, clicks, previews, bots}], \
        with uniques for days; also as CSV", body = Object)))]
pub async fn series(
    Shared(state): Shared<State>,
    Caller(_): Caller,
    mut params: Params,
    request: Request,
) -> Result<Response> {
    let asked = Asked::read(&state, &request, &mut params)?;
    let compare = compare(&mut params)?;
    let unit = Unit::parse(params.take("unit").as_deref().unwrap_or("day"))?;
    let of = of_value(&mut params)?;
    params.end()?;
    state.hits.watch();
    let report = series_of(&state, &asked.question, &of, unit).await?;
    let mut answer = head(&state, &asked.question, report.range);
    answer.insert("unit".into(), json!(unit.as_str()));
    if let Some((by, value)) = &of {
        answer.insert("by".into(), json!(by.as_str()));
        answer.insert("value".into(), json!(value));
    }
    let mut buckets: Vec<Map<String, Value>> = Vec::with_capacity(report.buckets.len());
    for bucket in &report.buckets {
        let mut map = Map::new();
        map.insert("start".into(), time(bucket.start));
        put_bucket(&mut map, unit, of.is_some(), &bucket.counts);
        buckets.push(map);
    }
    if let Some(before) = asked.before(compare, &state) {
        let report = series_of(&state, &before, &of, unit).await?;
        for (map, bucket) in buckets.iter_mut().zip(&report.buckets) {
            let mut previous = Map::new();
            previous.insert("start".into(), time(bucket.start));
            put_bucket(&mut previous, unit, of.is_some(), &bucket.counts);
            map.insert("previous".into(), Value::Object(previous));
        }
    }
    let mut columns = vec!["start", "clicks", "previews", "bots"];
    if unit == Unit::Day && of.is_none() {
        columns.push("uniques");
    }
    let rows = cells(&columns, &buckets);
    answer.insert("buckets".into(), json!(buckets));
    Ok(respond(&asked.form, answer, &columns, rows))
}

/// Reads `by` and `value`, which belong together.
fn of_value(params: &mut Params) -> Result<Option<(By, String)>> {
    match (params.take("by"), params.take("value")) {
        (None, None) => Ok(None),
        (by, Some(value)) => Ok(Some((By::parse(by.as_deref())?, value))),
        (Some(_), None) => {
            Err(Refusal::field(Reason::Missing, "value", "which value of that list is missing").into())
        }
    }
}

async fn series_of(
    state: &State,
    question: &Question,
    of: &Option<(By, String)>,
    unit: Unit,
) -> Result<SeriesReport> {
    Ok(match of {
        Some((by, value)) => state.reports.series_of(question, (*by, value), unit).await?,
        None => state.reports.series(question, unit).await?,
    })
}

/// Readers are told apart by day: of hours nothing is known, of weeks only the sum, and of single values nothing.
fn put_bucket(into: &mut Map<String, Value>, unit: Unit, of_value: bool, counts: &Counts) {
    put_counts(into, counts);
    if unit == Unit::Day && !of_value {
        into.insert("uniques".into(), json!(counts.uniques));
    }
}

/// The links, articles, sections ... with the most hits.
#[utoipa::path(get, path = "/api/v1/reports/top", tag = "reports",
    params(("by" = String, Query, description = "link, article, section, author, channel, campaign, creator, source, \
            medium, referrer, country, device, os, browser, trigger, target, preview, bot or host"),
        ("class" = Option<String>, Query, description = "Orders by click (default), preview, bot or all"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000, default 10"),
        ("scope" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("compare" = Option<String>, Query)),
    responses((status = 200, description = "by, rows: [{value, label, clicks, previews, bots}], other; also as CSV",
        body = Object)))]
pub async fn top(
    Shared(state): Shared<State>,
    Caller(_): Caller,
    mut params: Params,
    request: Request,
) -> Result<Response> {
    let asked = Asked::read(&state, &request, &mut params)?;
    let compare = compare(&mut params)?;
    let by = By::parse(params.take("by").as_deref())?;
    let order = Order::parse(params.take("class").as_deref().unwrap_or("click"))?;
    let limit = params.number("limit", 1, MAX_ROWS, 10)?;
    params.end()?;
    state.hits.watch();
    let top = state.reports.top(&asked.question, by, order, limit).await?;
    let mut answer = head(&state, &asked.question, top.range);
    answer.insert("as_of".into(), json!(top.as_of));
    answer.insert("by".into(), json!(by.as_str()));
    let mut rows = top_rows(&top);
    if let Some(before) = asked.before(compare, &state) {
        let was = state.reports.counts_of(&before, by, &top.rows).await?;
        for (row, counts) in rows.iter_mut().zip(was) {
            row.insert("previous".into(), Value::Object(counted(&counts)));
        }
    }
    let columns = ["value", "label", "clicks", "previews", "bots"];
    let mut lines = cells(&columns, &rows);
    let other = &top.other;
    lines.push(vec![
        "(other)".into(),
        "(other)".into(),
        other.clicks.to_string(),
        other.previews.to_string(),
        other.bots.to_string(),
    ]);
    answer.insert("rows".into(), json!(rows));
    answer.insert("other".into(), Value::Object(counted(other)));
    Ok(respond(&asked.form, answer, &columns, lines))
}

fn top_rows(top: &Top) -> Vec<Map<String, Value>> {
    let row = |r: &crate::reports::TopRow| {
        let mut map = Map::new();
        map.insert("value".into(), json!(r.value));
        map.insert("label".into(), json!(r.label));
        put_counts(&mut map, &r.counts);
        map
    };
    top.rows.iter().map(row).collect()
}
