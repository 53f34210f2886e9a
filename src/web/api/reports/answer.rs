//! What all reports have in common: the question, the head of the answer, JSON or CSV, and the tag.
//!
//! Guarantees that the same numbers are the same answer, and that nothing in a CSV is taken for a formula.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::clock;
use crate::domain::report::{Compare, Range, ReportScope};
use crate::domain::tally::Counts;
use crate::reports::Question;
use crate::web::State;
use crate::web::api::query::Params;
use crate::web::csv::csv;
use crate::web::error::Result;

/// What reports over a scope and range are asked with.
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) form: Form,
}

impl Asked {
    /// Reads `scope`, `from` and `to`.
    pub(super) fn read(state: &State, request: &Request, params: &mut Params) -> Result<Asked> {
        let now = clock::now();
        let scope = params.take("scope").unwrap_or_else(|| "site".to_owned());
        let (from, to) = (params.take("from"), params.take("to"));
        let calendar = state.reports.calendar();
        let question = Question {
            scope: ReportScope::parse(&scope)?,
            range: Range::parse(from.as_deref(), to.as_deref(), calendar, now)?,
            now,
            as_of: state.hits.standing(now).as_of,
        };
        Ok(Asked { question, form: Form::of(request) })
    }

    /// The same question about the range to compare with.
    pub(super) fn before(&self, by: Option<Compare>, state: &State) -> Option<Question> {
        let range = self.question.range.before(by?, state.reports.calendar());
        Some(Question { range, ..self.question.clone() })
    }
}

/// Reads `compare`.
pub(super) fn compare(params: &mut Params) -> Result<Option<Compare>> {
    Ok(params.take("compare").map(|c| Compare::parse(&c)).transpose()?)
}

/// In which form an answer is wanted.
pub(super) struct Form {
    csv: bool,
    if_none_match: Option<HeaderValue>,
}

impl Form {
    pub(super) fn of(request: &Request) -> Form {
        let csv = request.uri().path().ends_with(".csv") || accepts_csv(request.headers());
        Form { csv, if_none_match: request.headers().get(IF_NONE_MATCH).cloned() }
    }
}

fn accepts_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|part| part.split(';').next().is_some_and(|kind| kind.trim() == "text/csv"))
}

pub(super) fn time(second: i64) -> Value {
    json!(Timestamp::from_second(second).unwrap_or(Timestamp::MAX))
}

/// What every answer begins with.
pub(super) fn head(state: &State, question: &Question, range: Range) -> Map<String, Value> {
    let mut head = Map::new();
    head.insert("scope".into(), json!(question.scope.to_string()));
    covering(&mut head, state, range, question.now);
    head
}

/// What is covered, and how fresh it is.
pub(super) fn covering(head: &mut Map<String, Value>, state: &State, range: Range, now: Timestamp) {
    head.insert("from".into(), time(range.from));
    head.insert("to".into(), time(range.to));
    head.insert("timezone".into(), json!(state.reports.calendar().zone_name(now)));
    let standing = state.hits.standing(now);
    head.insert("as_of".into(), json!(standing.as_of));
    head.insert("waiting".into(), json!(standing.waiting));
}

pub(super) fn put_counts(into: &mut Map<String, Value>, counts: &Counts) {
    into.insert("clicks".into(), json!(counts.clicks));
    into.insert("previews".into(), json!(counts.previews));
    into.insert("bots".into(), json!(counts.bots));
}

pub(super) fn counted(counts: &Counts) -> Map<String, Value> {
    let mut map = Map::new();
    put_counts(&mut map, counts);
    map
}

/// The answer in its form: the whole as JSON, the rows as CSV.
pub(super) fn respond(
    form: &Form,
    answer: Map<String, Value>,
    columns: &[&str],
    rows: Vec<Vec<String>>,
) -> Response {
    let tag = tag(&answer, form.csv);
    let mut response = if form.if_none_match.as_ref().is_some_and(|t| matches_tag(t, &tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if form.csv {
        let kind = HeaderValue::from_static("text/csv; charset=utf-8");
        let header: Vec<String> = columns.iter().map(|c| (*c).to_owned()).collect();
        let lines = std::iter::once(&header).chain(&rows).map(Vec::as_slice);
        ([(CONTENT_TYPE, kind)], csv(lines)).into_response()
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

pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Objects as rows of cells.
pub(super) fn cells(columns: &[&str], rows: &[Map<String, Value>]) -> Vec<Vec<String>> {
    rows.iter()
        .map(|row| columns.iter().map(|c| row.get(*c).map(cell).unwrap_or_default()).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
