//! `/lookup`: what a request for a link would do; and the public `/short-url` of an article, for its button.

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::response::{IntoResponse, Response};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::links::views;
use super::query::Params;
use super::view::{ArticleView, LinkView};
use crate::clock;
use crate::domain::error::{Reason, Refusal};
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::{Error, Result};
use crate::web::surface::Peer;

/// What `POST /links` would do with an address.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lookup)]
pub struct LookupView {
    /// The story, if it is known.
    article: Option<ArticleView>,
    /// What the story would be known by.
    canonical: String,
    /// Where a link would lead.
    target: String,
    /// Parameters that would be dropped.
    dropped: Vec<String>,
    /// True on a host of the newsroom. A link that leaves those deserves a second look.
    allowed: bool,
    /// Links of the story, the newest first.
    links: Vec<LinkView>,
}

/// An article's own short URL.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShortUrl)]
pub struct ShortUrlView {
    short_url: String,
    code: String,
}

fn address(params: &mut Params) -> std::result::Result<String, Refusal> {
    params.take("url").ok_or_else(|| Refusal::field(Reason::Missing, "url", "the address is missing"))
}

/// What a request for a link would do.
#[utoipa::path(get, path = "/api/v1/lookup", tag = "links", params(("url" = String, Query)),
    responses((status = 200, body = LookupView), (status = 422, description = "invalid_url, own_host, denied_host")))]
pub async fn lookup(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    mut params: Params,
) -> Result<Json<LookupView>> {
    let url = address(&mut params)?;
    params.end()?;
    let now = clock::now();
    let mut found = state.links.lookup(&url, &actor, now).await?;
    found.links.reverse();
    Ok(Json(LookupView {
        article: found.article.as_deref().map(ArticleView::new),
        canonical: found.address.article,
        target: found.address.target,
        dropped: found.address.dropped,
        allowed: found.address.allowed,
        links: views(&state, &found.links, &actor, now).await?,
    }))
}

/// The short URL of an article, for anybody: its button asks. One is made only for a page that is there and says
/// itself that it is at this address.
#[utoipa::path(get, path = "/api/v1/short-url", tag = "links", params(("url" = String, Query)), security(()),
    responses((status = 200, body = ShortUrlView), (status = 403, description = "host_not_allowed"),
        (status = 404, description = "unknown_article"), (status = 429, description = "rate_limited")))]
pub async fn short_url(
    Shared(state): Shared<State>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    params: Result<Params>,
) -> Response {
    let mut response = match answer(&state, peer, &headers, params).await {
        Ok(answer) => {
            let mut response = Json(answer).into_response();
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
            response
        }
        Err(error) => error.into_response(),
    };
    // A page on any site may ask, and read why not.
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

async fn answer(
    state: &State,
    peer: Option<Extension<Peer>>,
    headers: &HeaderMap,
    params: Result<Params>,
) -> Result<ShortUrlView> {
    let mut params = params?;
    let url = address(&mut params)?;
    params.end()?;
    if let Some(Extension(peer)) = peer {
        state.limits.button(state.clients.address(peer.0.ip(), headers))?;
    }
    let (now, calendar) = (clock::now(), state.reports.calendar());
    let today = Timestamp::from_second(calendar.start_of(calendar.day(now))).unwrap_or(now);
    let code = match state.links.short_url(&url, today, now).await {
        Ok(found) => found.link.code.to_string(),
        // What is wrong with a link of it is nobody's business.
        Err(crate::links::Error::Refused(refusal)) if refusal.link.is_some() => {
            let detail = "there is no short URL for this address";
            return Err(Refusal::new(Reason::UnknownArticle, detail).into());
        }
        Err(error) => return Err(Error::from(error)),
    };
    Ok(ShortUrlView { short_url: format!("{}/{code}", state.public_url), code })
}
