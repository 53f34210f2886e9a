//! The small files of a site: `/`, robots.txt, the icon, security.txt. All routes of readers' pages.

use axum::Router;
use axum::extract;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{Timestamp, ToSpan, Unit, Zoned, tz::TimeZone};

use super::{Asks, Html, button, never_kept};
use crate::clock;
use crate::web::State;
use crate::web::headers::Headers;

const ROBOTS: &str = "User-agent: *\nDisallow: /-/\nDisallow: /api/\n";
const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect width=\"32\" height=\"32\" \
                    rx=\"6\" fill=\"#c2341d\"/><path d=\"M7 10h18v3H7zm0 9h11v3H7z\" fill=\"#fff\"/></svg>";

/// The routes of this file and the button's. `contact` is for security.txt; empty for none.
pub fn routes(contact: String) -> Router<State> {
    let contact: std::sync::Arc<str> = contact.into();
    button::routes()
        .route("/", get(root))
        .route("/robots.txt", get(|| async { file("text/plain; charset=utf-8", ROBOTS) }))
        .route("/favicon.ico", get(|| async { file("image/svg+xml", ICON) }))
        .route("/.well-known/security.txt", get(move |state| security(state, contact)))
}

async fn root(extract::State(state): extract::State<State>, headers: HeaderMap) -> Response {
    let desk = || if state.staff_here { Some("/-/".to_owned()) } else { None };
    // Where staff have a listener of their own, readers are not told of it.
    let Some(to) = state.pages.home().or_else(desk) else {
        return nothing(extract::State(state), headers).await;
    };
    match HeaderValue::try_from(to) {
        Ok(to) => (StatusCode::FOUND, [(LOCATION, to)]).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What has a route's first segment and is no route.
pub async fn nothing(extract::State(state): extract::State<State>, headers: HeaderMap) -> Response {
    let asks = Asks { article: None, accepts: accepts(&headers) };
    page(StatusCode::NOT_FOUND, state.pages.shown(super::Shown::Unknown, asks))
}

/// The languages that a reader asks for.
pub(crate) fn accepts<'a>(headers: impl Into<Headers<'a>>) -> &'a str {
    std::str::from_utf8(headers.into().get(&ACCEPT_LANGUAGE)).unwrap_or_default()
}

/// A page of staff or of nothing: never kept, never indexed.
pub(crate) fn page(status: StatusCode, html: Html) -> Response {
    let mut response = (status, html.body).into_response();
    never_kept(response.headers_mut(), html.policy);
    response
}

fn file(kind: &'static str, text: impl Into<String>) -> Response {
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=86400")];
    (headers, text.into()).into_response()
}

/// RFC 9116. `Expires` is always half a year ahead: the file is made when it is read.
async fn security(extract::State(state): extract::State<State>, contact: std::sync::Arc<str>) -> Response {
    if contact.is_empty() {
        return page(StatusCode::NOT_FOUND, state.pages.shown(super::Shown::Unknown, Asks::default()));
    }
    let expires = half_a_year_after(clock::now());
    let text = format!(
        "Contact: {contact}\nExpires: {expires}\nCanonical: {}/.well-known/security.txt\n",
        state.public_url
    );
    file("text/plain; charset=utf-8", text)
}

fn half_a_year_after(now: Timestamp) -> Timestamp {
    let later = Zoned::new(now, TimeZone::UTC).saturating_add(180.days());
    later.round(Unit::Hour).map_or(now, |z| z.timestamp())
}
