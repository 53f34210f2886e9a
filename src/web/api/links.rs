//! `/links`: get or create, batches, lists, changes, history.

use axum::Json;
use axum::extract::{Extension, Request, State as Shared};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::cursor;
use super::query::{Name, Params};
use super::view::{LinkView, is_hidden};
use crate::clock;
use crate::domain::access::{Actor, Role};
use crate::domain::code::Code;
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::{Found, HistoryEntry, Status, Via};
use crate::domain::tally::{Counts, Scope};
use crate::links::codes::Entropy;
use crate::links::request::{Change, NewLink};
use crate::links::{Made, request};
use crate::store;
use crate::store::links::{LinkFilter, LinkOrder, LinkPage};
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::{Error, Result};
use crate::web::idempotency::Derived;
use crate::web::json::{self, Body64, MAX_BATCH_BODY};

/// Most links of one batch.
const MAX_BATCH: usize = 1_000;
/// Longest list page.
const MAX_PAGE: usize = 200;

/// A link, and what came of the request for it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MadeLink)]
pub struct MadeView {
    #[serde(flatten)]
    link: LinkView,
    /// Fields that the request gave and that the link, which was there already, has otherwise.
    ignored: Vec<&'static str>,
    /// Parameters that were dropped from the address.
    dropped: Vec<String>,
}

/// One link for each channel.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MadeLinks)]
pub struct MadeLinks {
    links: Vec<MadeView>,
}

/// A page of links.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkList {
    items: Vec<LinkView>,
    /// For the next page; null at the end.
    next_cursor: Option<String>,
}

/// `POST /links/batch`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// 1 to 1,000 requests as of `POST /links`, without `channels`.
    #[schema(value_type = Vec<NewLink>)]
    links: Vec<Value>,
}

/// What came of each item, in order.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchAnswer {
    #[schema(value_type = Vec<Object>)]
    results: Vec<Value>,
}

/// A page of a link's history, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryList {
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<HistoryEntry>,
    pub next_cursor: Option<String>,
}

pub(super) fn entropy(derived: Option<Extension<Derived>>) -> Entropy {
    derived.map_or(Entropy::System, |Extension(Derived(entropy))| entropy)
}

/// The links with their totals, in order. Links are known without the store, totals are not: then they are left out.
pub async fn views(state: &State, found: &[Found], viewer: &Actor, now: Timestamp) -> Result<Vec<LinkView>> {
    let scopes: Vec<Scope> = found.iter().map(|f| Scope::Link(f.link.code.as_str().into())).collect();
    let totals = match state.links.within(state.tallies.totals(&scopes)).await {
        Err(store::Error::Unavailable(_) | store::Error::Fenced(_)) => vec![None; found.len()],
        totals => totals?.into_iter().map(Some).collect(),
    };
    let views = found.iter().zip(totals);
    Ok(views.map(|(f, totals)| LinkView::new(f, totals, &state.public_url, Some(viewer), now)).collect())
}

async fn view(state: &State, found: Found, viewer: &Actor, now: Timestamp) -> Result<LinkView> {
    let mut views = views(state, &[found], viewer, now).await?;
    views.pop().ok_or(Error::Internal)
}

async fn made_views(state: &State, made: Vec<Made>, viewer: &Actor, now: Timestamp) -> Result<Vec<MadeView>> {
    // A new link has no hits; asking for them would only cost time.
    let old: Vec<Found> = made.iter().filter(|m| !m.created).map(|m| m.found.clone()).collect();
    let mut old = views(state, &old, viewer, now).await?.into_iter();
    let fresh =
        |m: &Made| LinkView::new(&m.found, Some(Counts::default()), &state.public_url, Some(viewer), now);
    made.into_iter()
        .map(|m| {
            let link = if m.created { fresh(&m) } else { old.next().ok_or(Error::Internal)? };
            Ok(MadeView { link, ignored: m.ignored, dropped: m.dropped })
        })
        .collect()
}

fn status_of(created: bool) -> StatusCode {
    if created { StatusCode::CREATED } else { StatusCode::OK }
}

/// Get or create a link.
#[utoipa::path(post, path = "/api/v1/links", tag = "links", request_body = NewLink,
    responses((status = 201, description = "A new link", body = MadeView),
        (status = 200, description = "The one there is for this article, channel, campaign and target", body = MadeView),
        (status = 409, description = "code_taken, conflict"), (status = 422, description = "A field is wrong")))]
pub async fn create(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    derived: Option<Extension<Derived>>,
    Body64(body): Body64<request::NewLink>,
) -> Result<Response> {
    let now = clock::now();
    let several = body.channels.is_some();
    state.limits.creations(&actor.name, body.channels.as_ref().map_or(1, Vec::len))?;
    let made = state.links.create(body, &actor, Via::Api, &entropy(derived), now).await?;
    let status = status_of(made.iter().any(|m| m.created));
    let mut links = made_views(&state, made, &actor, now).await?;
    Ok(match several {
        true => (status, Json(MadeLinks { links })).into_response(),
        false => (status, Json(links.pop().ok_or(Error::Internal)?)).into_response(),
    })
}

/// Get or create up to 1,000 links; one bad item fails alone.
#[utoipa::path(post, path = "/api/v1/links/batch", tag = "links", request_body = Batch,
    responses((status = 200, description = "{status, link} or {status, error} for each, in order", body = BatchAnswer)))]
pub async fn batch(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    derived: Option<Extension<Derived>>,
    request: Request,
) -> Result<Json<BatchAnswer>> {
    let bytes = json::read(request, MAX_BATCH_BODY).await?;
    let batch: Batch = json::parse(&bytes)?;
    if batch.links.is_empty() || batch.links.len() > MAX_BATCH {
        let detail = format!("a batch has 1 to {MAX_BATCH} links");
        return Err(Refusal::field(Reason::OutOfRange, "links", detail).into());
    }
    let now = clock::now();
    state.limits.creations(&actor.name, batch.links.len())?;
    let requests = batch.links.into_iter().map(json::from_value::<NewLink>).collect();
    let results = state.links.create_batch(requests, &actor, Via::Api, &entropy(derived), now).await?;
    let good: Vec<Made> = results.iter().filter_map(|r| r.as_ref().ok().cloned()).collect();
    let mut views = made_views(&state, good, &actor, now).await?.into_iter();
    let mut answers = Vec::with_capacity(results.len());
    for result in results {
        answers.push(match result {
            Ok(made) => {
                let view = views.next().ok_or(Error::Internal)?;
                json!({ "status": status_of(made.created).as_u16(), "link": view })
            }
            Err(refusal) => {
                let (status, problem) = Error::Refused(refusal).problem(&state.public_url);
                json!({ "status": status.as_u16(), "error": problem })
            }
        });
    }
    Ok(Json(BatchAnswer { results: answers }))
}

/// Links, by filters and in an order.
#[utoipa::path(get, path = "/api/v1/links", tag = "links",
    params(("q" = Option<String>, Query, description = "Contained in code, title, target or note"),
        ("section" = Option<String>, Query), ("author" = Option<String>, Query), ("channel" = Option<String>, Query),
        ("campaign" = Option<String>, Query), ("tag" = Option<String>, Query), ("created_by" = Option<String>, Query),
        ("via" = Option<String>, Query), ("status" = Option<String>, Query),
        ("from" = Option<String>, Query, description = "Made at or after"),
        ("to" = Option<String>, Query, description = "Made before; a date includes its day"),
        ("sort" = Option<String>, Query, description = "created, updated, code, title; - descends; default -created"),
        ("limit" = Option<u32>, Query, description = "1 to 200, default 50"), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = LinkList), (status = 422, description = "bad_cursor, invalid_value")))]
pub async fn list(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    mut params: Params,
) -> Result<Json<LinkList>> {
    let now = clock::now();
    let limit = params.number("limit", 1, MAX_PAGE, 50)?;
    let after = params.take("cursor");
    let sort = params.take("sort").unwrap_or_else(|| "-created".to_owned());
    let broken = params.take_if("status", &["broken"]);
    let mut filter = LinkFilter { broken, ..filter(&mut params, &state, now)? };
    params.end()?;
    let (order, descending) = order(&sort)?;
    // A list that is found or sorted by what is secret would tell it.
    let tells = filter.q.is_some() || filter.section.is_some() || filter.author.is_some();
    if (tells || order == LinkOrder::Title) && actor.role != Role::Admin {
        filter.viewer = Some(actor.name.clone());
    }
    let name = format!("links {sort} {filter:?}");
    let after = after.map(|c| cursor::read(&name, &c)).transpose()?;
    let page = LinkPage { filter, order, descending, after, limit: limit + 1 };
    let mut found = state.links.within(state.links.store().list(page, now)).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|f| cursor::write(&name, &(order.key_of(f), f.link.code.to_string())));
    Ok(Json(LinkList { items: views(&state, &found, &actor, now).await?, next_cursor }))
}

fn order(sort: &str) -> std::result::Result<(LinkOrder, bool), Refusal> {
    let detail = "created, updated, code or title, with - for descending";
    LinkOrder::parse(sort).ok_or_else(|| Refusal::field(Reason::InvalidValue, "sort", detail))
}

fn filter(params: &mut Params, state: &State, now: Timestamp) -> std::result::Result<LinkFilter, Refusal> {
    let calendar = state.reports.calendar();
    let one_of =
        |field: &'static str, names: &'static str| Refusal::field(Reason::InvalidValue, field, names);
    let via = params.take("via");
    let status = params.take("status");
    let (from, to) = (params.take("from"), params.take("to"));
    let range = crate::domain::report::Range::parse(
        Some(from.as_deref().unwrap_or("1970-01-02")),
        Some(to.as_deref().unwrap_or("2069-12-31")),
        calendar,
        now,
    )?;
    let second = |s| Timestamp::from_second(s).ok();
    Ok(LinkFilter {
        q: params.take("q"),
        section: params.take("section"),
        author: params.take("author"),
        channel: params.take("channel"),
        campaign: params.take("campaign"),
        tag: params.take("tag"),
        created_by: params.take("created_by"),
        via: via
            .map(|v| {
                Via::from_name(&v).ok_or_else(|| one_of("via", "api, page, bookmarklet, button or import"))
            })
            .transpose()?,
        broken: false,
        status: status
            .map(|s| {
                let names = "reserved, scheduled, active, disabled, expired, withdrawn, retired or broken";
                Status::from_name(&s).ok_or_else(|| one_of("status", names))
            })
            .transpose()?,
        article: None,
        viewer: None,
        from: from.and(second(range.from)),
        to: to.and(second(range.to)),
    })
}

/// A link.
#[utoipa::path(get, path = "/api/v1/links/{code}", tag = "links", params(("code" = String, Path)),
    responses((status = 200, body = LinkView), (status = 404, description = "not_found")))]
pub async fn read(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(code): Name,
) -> Result<Json<LinkView>> {
    let found = state.links.get(&code).await?;
    Ok(Json(view(&state, found, &actor, clock::now()).await?))
}

/// Change a link.
#[utoipa::path(patch, path = "/api/v1/links/{code}", tag = "links", params(("code" = String, Path)),
    request_body = Change,
    responses((status = 200, body = LinkView), (status = 409, description = "stale (with version), conflict")))]
pub async fn change(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(code): Name,
    Body64(body): Body64<Change>,
) -> Result<Json<LinkView>> {
    let now = clock::now();
    let found = state.links.change(&code, body, &actor, now).await?;
    Ok(Json(view(&state, found, &actor, now).await?))
}

/// Retire a link: its statistics stay, its code is never given away.
#[utoipa::path(delete, path = "/api/v1/links/{code}", tag = "links", params(("code" = String, Path)),
    responses((status = 204, description = "Retired, now or before")))]
pub async fn retire(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(code): Name,
) -> Result<StatusCode> {
    state.links.retire(&code, &actor, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every change of a link: who, when, what.
#[utoipa::path(get, path = "/api/v1/links/{code}/history", tag = "links",
    params(("code" = String, Path), ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = HistoryList)))]
pub async fn history(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(code): Name,
    mut params: Params,
) -> Result<Json<HistoryList>> {
    let limit = params.number("limit", 1, MAX_PAGE, 50)?;
    let after = params.take("cursor");
    params.end()?;
    let found = state.links.get(&code).await?;
    let code: Code = found.link.code.clone();
    let name = format!("history {code}");
    let before = cursor::read_number(&name, after)?;
    let mut items = state.links.history(&code, before, limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|e| cursor::write(&name, &(e.version.to_string(), String::new())));
    if is_hidden(&found, Some(&actor), clock::now()) {
        items.iter_mut().for_each(|entry| entry.changes.clear());
    }
    Ok(Json(HistoryList { items, next_cursor }))
}
