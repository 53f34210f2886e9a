//! `/links/{code}/reasons`: why was this not counted as a reader?

use axum::extract::{Request, State as Shared};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::answer::{Form, cells, covering, respond};
use crate::clock;
use crate::domain::code::Code;
use crate::domain::error::{Reason, Refusal};
use crate::domain::report::Range;
use crate::reports::{ReasonRow, explanation};
use crate::web::State;
use crate::web::api::query::{Name, Params};
use crate::web::auth::Caller;
use crate::web::error::Result;

/// Why hits of a link were not clicks.
#[utoipa::path(get, path = "/api/v1/links/{code}/reasons", tag = "links",
    params(("code" = String, Path), ("from" = Option<String>, Query, description = "Without both: all time"),
        ("to" = Option<String>, Query)),
    responses((status = 200, description = "code, from, to, clicks, reasons: [{class (preview, bot or missed), reason, \
        name, count, explanation}], the most first; also as CSV", body = Object)))]
pub async fn reasons(
    Shared(state): Shared<State>,
    Caller(_): Caller,
    Name(code): Name,
    mut params: Params,
    request: Request,
) -> Result<Response> {
    let now = clock::now();
    let unknown = |_| Refusal::new(Reason::NotFound, "there is no link with this code");
    let code = Code::parse(&code).map_err(unknown)?;
    let (from, to) = (params.take("from"), params.take("to"));
    params.end()?;
    let range = match (&from, &to) {
        (None, None) => None,
        _ => Some(Range::parse(from.as_deref(), to.as_deref(), state.reports.calendar(), now)?),
    };
    state.hits.watch();
    let found = state.reports.reasons(&code, range, now).await?;
    let mut answer = Map::new();
    answer.insert("code".into(), json!(found.link.link.code.to_string()));
    covering(&mut answer, &state, found.range, now);
    answer.insert("clicks".into(), json!(found.clicks));
    let row = |row: &ReasonRow| {
        let mut map = Map::new();
        map.insert("class".into(), json!(row.class.as_str()));
        map.insert("reason".into(), json!(row.reason));
        map.insert("name".into(), json!(row.name));
        map.insert("count".into(), json!(row.count));
        map.insert("explanation".into(), json!(explanation(row.class, &row.reason)));
        map
    };
    let rows: Vec<Map<String, Value>> = found.rows.iter().map(row).collect();
    let columns = ["class", "reason", "name", "count", "explanation"];
    let lines = cells(&columns, &rows);
    answer.insert("reasons".into(), json!(rows));
    Ok(respond(&Form::of(&request), answer, &columns, lines))
}
