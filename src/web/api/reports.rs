//! `/reports`: numbers as JSON and CSV.
//!
//! Every answer says what it covers (`scope, from, to`), as of when, and how many hits of this node wait to be
//! counted. Asking is watching: hits are counted at the short interval for a while.

use axum::extract::{Request, State as Shared};
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::query::Params;
use crate::clock;
use crate::domain::report::{Compare, Range, ReportScope, Unit};
use crate::domain::tally::Counts;
use crate::reports::{By, Order, Question, Summary, Top};
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::Result;

/// Longest top list.
const MAX_ROWS: usize = 1_000;

/// What all reports are asked with.
struct Asked {
    question: Question,
    compare: Option<Compare>,
    csv: bool,
    if_none_match: Option<HeaderValue>,
}

fn asked(state: &State, request: &Request, params: &mut Params) -> Result<Asked> {
    let now = clock::now();
    let scope = params.take("scope").unwrap_or_else(|| "site".to_owned());
    let (from, to) = (params.take("from"), params.take("to"));
    let calendar = state.reports.calendar();
    let question = Question {
        scope: ReportScope::parse(&scope)?,
        range: Range::parse(from.as_deref(), to.as_deref(), calendar, now)?,
        now,
    };
    let compare = params.take("compare").map(|c| Compare::parse(&c)).transpose()?;
    let csv = request.uri().path().ends_with(".csv") || accepts_csv(request.headers());
    let if_none_match = request.headers().get(IF_NONE_MATCH).cloned();
    Ok(Asked { question, compare, csv, if_none_match })
}

fn accepts_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|part| part.split(';').next().is_some_and(|kind| kind.trim() == "text/csv"))
}

impl Asked {
    /// The same question about the range to compare with.
    fn before(&self, state: &State) -> Option<Question> {
        let by = self.compare?;
        let range = self.question.range.before(by, state.reports.calendar());
        Some(Question { range, ..self.question.clone() })
    }
}

fn time(second: i64) -> Value {
    json!(Timestamp::from_second(second).unwrap_or(Timestamp::MAX))
}

/// What every answer begins with.
fn head(state: &State, question: &Question, range: Range) -> Map<String, Value> {
    let mut head = Map::new();
    head.insert("scope".into(), json!(question.scope.to_string()));
    head.insert("from".into(), time(range.from));
    head.insert("to".into(), time(range.to));
    head.insert("timezone".into(), json!(state.reports.calendar().zone_name(question.now)));
    let standing = state.hits.standing(question.now);
    head.insert("as_of".into(), json!(standing.as_of));
    head.insert("waiting".into(), json!(standing.waiting));
    head
}

fn put_counts(into: &mut Map<String, Value>, counts: &Counts) {
    into.insert("clicks".into(), json!(counts.clicks));
    into.insert("previews".into(), json!(counts.previews));
    into.insert("bots".into(), json!(counts.bots));
}

fn counted(counts: &Counts) -> Map<String, Value> {
    let mut map = Map::new();
    put_counts(&mut map, counts);
    map
}

/// Hits by class of a scope and range.
#[utoipa::path(get, path = "/api/v1/reports/summary", tag = "reports",
    params(("scope" = Option<String>, Query, description = "site, link:CODE, article:ID, section:, author:, channel:, \
            tag: or creator:NAME"),
        ("from" = Option<String>, Query, description = "Date or RFC 3339"), ("to" = Option<String>, Query),
        ("compare" = Option<String>, Query, description = "previous, weekday or year")),
    responses((status = 200, description = "clicks, previews, bots, missed by reason; also as CSV", body = Object)))]
pub async fn summary(
    Shared(state): Shared<State>,
    Caller(_): Caller,
    mut params: Params,
    request: Request,
) -> Result<Response> {
    let asked = asked(&state, &request, &mut params)?;
    params.end()?;
    state.hits.watch();
    let summary = state.reports.summary(&asked.question).await?;
    let mut answer = head(&state, &asked.question, summary.range);
    answer.extend(summary_fields(&summary));
    if let Some(before) = asked.before(&state) {
        let summary = state.reports.summary(&before).await?;
        let mut previous = Map::new();
        previous.insert("from".into(), time(summary.range.from));
        previous.insert("to".into(), time(summary.range.to));
        previous.extend(summary_fields(&summary));
        answer.insert("previous".into(), Value::Object(previous));
    }
    let columns = ["scope", "from", "to", "clicks", "previews", "bots"];
    let row = columns.map(|c| cell(&answer[c])).to_vec();
    Ok(respond(&asked, answer, &columns, vec![row]))
}

fn summary_fields(summary: &Summary) -> Map<String, Value> {
    let mut fields = counted(&summary.counts);
    let missed: Map<String, Value> =
        summary.missed.iter().map(|(reason, n)| (reason.as_str().to_owned(), json!(n))).collect();
    fields.insert("missed".into(), Value::Object(missed));
    fields
}

/// Hits by class in buckets, empty ones included.
#[utoipa::path(get, path = "/api/v1/reports/series", tag = "reports",
    params(("unit" = Option<String>, Query, description = "minute, hour, day (default), week or month"),
        ("scope" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query),
        ("compare" = Option<String>, Query)),
    responses((status = 200, description = "unit, buckets: [{start, clicks, previews, bots}]; also as CSV", body = Object)))]
pub async fn series(
    Shared(state): Shared<State>,
    Caller(_): Caller,
    mut params: Params,
    request: Request,
) -> Result<Response> {
    let asked = asked(&state, &request, &mut params)?;
    let unit = Unit::parse(params.take("unit").as_deref().unwrap_or("day"))?;
    params.end()?;
    state.hits.watch();
    let report = state.reports.series(&asked.question, unit).await?;
    let mut answer = head(&state, &asked.question, report.range);
    answer.insert("unit".into(), json!(unit.as_str()));
    let mut buckets: Vec<Map<String, Value>> = Vec::with_capacity(report.buckets.len());
    for bucket in &report.buckets {
        let mut map = Map::new();
        map.insert("start".into(), time(bucket.start));
        put_counts(&mut map, &bucket.counts);
        buckets.push(map);
    }
    if let Some(before) = asked.before(&state) {
        let report = state.reports.series(&before, unit).await?;
        for (map, bucket) in buckets.iter_mut().zip(&report.buckets) {
            let mut previous = counted(&bucket.counts);
            previous.insert("start".into(), time(bucket.start));
            map.insert("previous".into(), Value::Object(previous));
        }
    }
    let columns = ["start", "clicks", "previews", "bots"];
    let rows = buckets.iter().map(|b| columns.map(|c| cell(&b[c])).to_vec()).collect();
    answer.insert("buckets".into(), json!(buckets));
    Ok(respond(&asked, answer, &columns, rows))
}

/// The links, articles, sections ... with the most hits.
#[utoipa::path(get, path = "/api/v1/reports/top", tag = "reports",
    params(("by" = String, Query, description = "link, article, section, author, channel, campaign, creator, host, \
            trigger, target, preview or bot"),
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
    let asked = asked(&state, &request, &mut params)?;
    let by = By::parse(params.take("by").as_deref())?;
    let order = Order::parse(params.take("class").as_deref().unwrap_or("click"))?;
    let limit = params.number("limit", 1, MAX_ROWS, 10)?;
    params.end()?;
    state.hits.watch();
    let top = state.reports.top(&asked.question, by, order, limit).await?;
    let mut answer = head(&state, &asked.question, top.range);
    answer.insert("by".into(), json!(by.as_str()));
    let mut rows = top_rows(&top);
    if let Some(before) = asked.before(&state) {
        let was = state.reports.counts_of(&before, by, &top.rows).await?;
        for (row, counts) in rows.iter_mut().zip(was) {
            row.insert("previous".into(), Value::Object(counted(&counts)));
        }
    }
    let columns = ["value", "label", "clicks", "previews", "bots"];
    let mut lines: Vec<Vec<String>> = rows.iter().map(|r| columns.map(|c| cell(&r[c])).to_vec()).collect();
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
    Ok(respond(&asked, answer, &columns, lines))
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

fn respond(asked: &Asked, answer: Map<String, Value>, columns: &[&str], rows: Vec<Vec<String>>) -> Response {
    let tag = tag(&answer, asked.csv);
    let mut response = if asked.if_none_match.as_ref().is_some_and(|t| matches_tag(t, &tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if asked.csv {
        let kind = HeaderValue::from_static("text/csv; charset=utf-8");
        ([(CONTENT_TYPE, kind)], csv(columns, &rows)).into_response()
    } else {
        axum::Json(answer).into_response()
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Accept, Authorization"));
    response
}

/// Weak, over everything but the moment it was made: the same numbers are the same answer.
fn tag(answer: &Map<String, Value>, csv: bool) -> String {
    let mut lasting = answer.clone();
    lasting.remove("as_of");
    let mut hash = Sha256::new();
    hash.update([u8::from(csv)]);
    hash.update(serde_json::to_vec(&lasting).unwrap_or_default());
    let hash: [u8; 32] = hash.finalize().into();
    format!("W/\"{}\"", hash[..8].iter().map(|b| format!("{b:02x}")).collect::<String>())
}

fn matches_tag(given: &HeaderValue, tag: &str) -> bool {
    let given = given.to_str().unwrap_or_default();
    given.trim() == "*"
        || given.split(',').any(|t| t.trim().trim_start_matches("W/") == tag.trim_start_matches("W/"))
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// RFC 4180 with a BOM, because spreadsheets take UTF-8 for something else without one.
fn csv(columns: &[&str], rows: &[Vec<String>]) -> Vec<u8> {
    let mut out = "\u{feff}".as_bytes().to_vec();
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut out);
    let header: Vec<String> = columns.iter().map(|c| (*c).to_owned()).collect();
    for row in std::iter::once(&header).chain(rows) {
        // Writing to memory cannot fail.
        if let Err(error) = writer.write_record(row.iter().map(|c| harmless(c))) {
            tracing::error!(%error, "a CSV row could not be written");
        }
    }
    drop(writer);
    out
}

/// A cell that a spreadsheet would take for a formula becomes text.
fn harmless(cell: &str) -> String {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{cell}"),
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_for_spreadsheets_and_harmless() {
        let rows =
            vec![vec!["=HYPERLINK(\"x\")".to_owned(), "a,b".to_owned()], vec!["-1".into(), "ü".into()]];
        let text = String::from_utf8(csv(&["value", "label"], &rows)).unwrap();
        assert_eq!(text, "\u{feff}value,label\r\n\"'=HYPERLINK(\"\"x\"\")\",\"a,b\"\r\n'-1,ü\r\n");
    }

    #[test]
    fn tags() {
        let mut answer = Map::new();
        answer.insert("clicks".into(), json!(1));
        answer.insert("as_of".into(), json!("then"));
        let first = tag(&answer, false);
        answer.insert("as_of".into(), json!("now"));
        assert_eq!(first, tag(&answer, false));
        assert_ne!(first, tag(&answer, true));
        assert!(matches_tag(&HeaderValue::from_str(&first).unwrap(), &first));
        answer.insert("clicks".into(), json!(2));
        assert_ne!(first, tag(&answer, false));
    }
}
