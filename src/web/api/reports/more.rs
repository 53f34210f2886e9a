//! `/reports/heat`, `/reports/curve`, `/reports/orphans`: when readers come, how a story does, what is missing.

use axum::extract::{Request, State as Shared};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::MAX_ROWS;
use super::answer::{Asked, Form, cells, covering, head, put_counts, respond};
use crate::clock;
use crate::domain::article::ArticleId;
use crate::domain::error::{Reason, Refusal};
use crate::links::Error as LinkError;
use crate::reports::{CurveRow, HeatRow};
use crate::web::State;
use crate::web::api::query::Params;
use crate::web::auth::Caller;
use crate::web::error::{Error, Result};

/// Clicks by hour of the week, in the newsroom's zone.
#[utoipa::path(get, path = "/api/v1/reports/heat", tag = "reports",
    params(("scope" = Option<String>, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query)),
    responses((status = 200, description = "rows: [{weekday (1 is Monday), hour, clicks, previews, bots}], all 168; \
        also as CSV", body = Object)))]
pub async fn heat(
    Shared(state): Shared<State>,
    Caller(_): Caller,
    mut params: Params,
    request: Request,
) -> Result<Response> {
    let asked = Asked::read(&state, &request, &mut params)?;
    params.end()?;
    state.hits.watch();
    let heat = state.reports.heat(&asked.question).await?;
    let mut answer = head(&state, &asked.question, heat.range);
    let row = |row: &HeatRow| {
        let mut map = Map::new();
        map.insert("weekday".into(), json!(row.weekday));
        map.insert("hour".into(), json!(row.hour));
        put_counts(&mut map, &row.counts);
        map
    };
    let rows: Vec<Map<String, Value>> = heat.rows.iter().map(row).collect();
    let columns = ["weekday", "hour", "clicks", "previews", "bots"];
    let lines = cells(&columns, &rows);
    answer.insert("rows".into(), json!(rows));
    Ok(respond(&asked.form, answer, &columns, lines))
}

/// Clicks of an article since its publication, by hour of its age, beside the usual story of its section.
#[utoipa::path(get, path = "/api/v1/reports/curve", tag = "reports",
    params(("article" = String, Query, description = "Its id")),
    responses((status = 200, description = "article, published_at, basis (published, or created: its first link), \
        section, hours: [{age, clicks, median, q1, q3, stories}], cumulative, for a week; also as CSV", body = Object)))]
pub async fn curve(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    mut params: Params,
    request: Request,
) -> Result<Response> {
    let id = params.take("article");
    params.end()?;
    let missing = || Refusal::field(Reason::Missing, "article", "the id of the article is missing");
    let id = ArticleId(id.ok_or_else(missing)?.into());
    let now = clock::now();
    // Who may not know of the story is told as little as of one that is not there.
    let known = state.links.article_for(&id, &actor, now).await;
    known.map_err(|error| match error {
        LinkError::Refused(_) => Refusal::new(Reason::NotFound, "there is no article with this id").into(),
        error => Error::from(error),
    })?;
    state.hits.watch();
    let curve = state.reports.curve(&id, now).await?;
    let mut answer = Map::new();
    answer.insert("scope".into(), json!(format!("article:{}", id.0)));
    covering(&mut answer, &state, curve.range, now);
    answer.insert("article".into(), json!(id.0));
    answer.insert("title".into(), json!(curve.article.facts.title));
    answer.insert("published_at".into(), json!(curve.article.facts.published_at));
    answer.insert("began".into(), json!(curve.began));
    answer.insert("basis".into(), json!(curve.basis.as_str()));
    answer.insert("section".into(), json!(curve.article.facts.section));
    let rows: Vec<Map<String, Value>> = curve.rows.iter().map(curve_row).collect();
    let columns = ["age", "clicks", "median", "q1", "q3", "stories"];
    let lines = cells(&columns, &rows);
    answer.insert("hours".into(), json!(rows));
    Ok(respond(&Form::of(&request), answer, &columns, lines))
}

fn curve_row(row: &CurveRow) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("age".into(), json!(row.age));
    map.insert("clicks".into(), json!(row.clicks));
    map.insert("median".into(), json!(row.usual.map(|usual| usual.median)));
    map.insert("q1".into(), json!(row.usual.map(|usual| usual.q1)));
    map.insert("q3".into(), json!(row.usual.map(|usual| usual.q3)));
    map.insert("stories".into(), json!(row.stories));
    map
}

/// Unknown codes that were asked for within the last day: by this node, best effort.
#[utoipa::path(get, path = "/api/v1/reports/orphans", tag = "reports",
    params(("limit" = Option<u32>, Query, description = "1 to 1,000, default 10")),
    responses((status = 200, description = "from, rows: [{code, count, last}], other; also as CSV", body = Object)))]
pub async fn orphans(
    Shared(state): Shared<State>,
    Caller(_): Caller,
    mut params: Params,
    request: Request,
) -> Result<Response> {
    let limit = params.number("limit", 1, MAX_ROWS, 10)?;
    params.end()?;
    let now = clock::now();
    let orphans = state.orphans.most(limit, now.as_millisecond());
    let time = |ms: i64| json!(Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX));
    let row = |row: &crate::orphans::Orphan| {
        let mut map = Map::new();
        map.insert("code".into(), json!(row.code));
        map.insert("count".into(), json!(row.count));
        map.insert("last".into(), time(row.last_ms));
        map
    };
    let rows: Vec<Map<String, Value>> = orphans.rows.iter().map(row).collect();
    let mut answer = Map::new();
    answer.insert("from".into(), orphans.since_ms.map(time).unwrap_or_default());
    answer.insert("as_of".into(), json!(now));
    let columns = ["code", "count", "last"];
    let mut lines = cells(&columns, &rows);
    lines.push(vec!["(other)".into(), orphans.other.to_string(), String::new()]);
    answer.insert("rows".into(), json!(rows));
    answer.insert("other".into(), json!(orphans.other));
    Ok(respond(&Form::of(&request), answer, &columns, lines))
}
