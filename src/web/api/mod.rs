//! The API: its routes on one screen, and the layers around them.

mod accounts;
mod articles;
mod audit;
mod channels;
mod cursor;
mod grants;
mod links;
mod live;
mod lookup;
mod openapi;
mod qr;
mod query;
mod reports;
mod sessions;
mod settings;
pub mod view;
mod webhooks;

use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State as Shared};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};

pub use openapi::document;

use super::State;
use super::error::{Error, Rendered};
use super::idempotency;
use crate::domain::error::{Reason, Refusal};
use crate::telemetry;

/// All routes below `/api/v1`, and `/openapi.json`.
pub fn routes(state: &State, deadline: Duration) -> Router<State> {
    let v1 = Router::new()
        .route("/links", get(links::list).post(links::create))
        .route("/links/batch", post(links::batch))
        .route("/links/{code}", get(links::read).patch(links::change).delete(links::retire))
        .route("/links/{code}/history", get(links::history))
        .route("/links/{code}/reasons", get(reports::reasons::reasons))
        .route("/links/{code}/reasons.csv", get(reports::reasons::reasons))
        .route("/links/{code}/qr.svg", get(qr::svg))
        .route("/links/{code}/qr.png", get(qr::png))
        .route("/articles", get(articles::find))
        .route("/articles/{id}", get(articles::read).patch(articles::change))
        .route("/articles/{id}/history", get(articles::history))
        .route("/articles/{id}/refresh", post(articles::refresh))
        .route("/articles/{id}/check", post(articles::check))
        .route("/articles/{id}/merge", post(articles::merge))
        .route("/articles/{id}/split", post(articles::split))
        .route("/articles/{id}/redact", post(articles::redact))
        .route("/lookup", get(lookup::lookup))
        .route("/reports/summary", get(reports::summary))
        .route("/reports/summary.csv", get(reports::summary))
        .route("/reports/series", get(reports::series))
        .route("/reports/series.csv", get(reports::series))
        .route("/reports/top", get(reports::top))
        .route("/reports/top.csv", get(reports::top))
        .route("/reports/heat", get(reports::more::heat))
        .route("/reports/heat.csv", get(reports::more::heat))
        .route("/reports/curve", get(reports::more::curve))
        .route("/reports/curve.csv", get(reports::more::curve))
        .route("/reports/orphans", get(reports::more::orphans))
        .route("/reports/orphans.csv", get(reports::more::orphans))
        .merge(administration())
        // Inside: what only calls with a valid key or session reach.
        .route_layer(middleware::from_fn_with_state(state.clone(), idempotency::layer))
        // The one call that is for everybody, the one that lets in, and the one that a screen may make.
        .route("/short-url", get(lookup::short_url))
        .route("/sessions", post(sessions::sign_in))
        .route("/live", get(live::live))
        .method_not_allowed_fallback(|| async {
            refused(Reason::MethodNotAllowed, "this call has other methods")
        })
        .fallback(|| async { refused(Reason::NotFound, "there is no such call") })
        // A call that hangs on the store ends with an answer.
        .layer(middleware::from_fn(move |request, next| within(deadline, request, next)))
        // Errors that show a link need to know how it is spelt outside.
        .layer(middleware::from_fn_with_state(state.clone(), render));
    Router::new()
        .nest("/api/v1", v1)
        .route("/api", get(gone_astray))
        .route("/api/{*rest}", get(gone_astray).fallback(gone_astray))
        .route("/openapi.json", get(openapi::serve))
        .route("/errors/{code}", get(openapi::error))
        // Outermost: every answer is counted.
        .layer(middleware::from_fn(count))
}

/// Keys, people, settings, webhooks.
fn administration() -> Router<State> {
    Router::new()
        .route("/keys", get(accounts::keys).post(accounts::create_key))
        .route("/keys/{id}", delete(accounts::revoke_key))
        .route("/users", get(accounts::users).post(accounts::add_user))
        .route("/users/{name}", patch(accounts::change_user).delete(accounts::disable_user))
        .route("/users/{name}/sign-in-link", post(accounts::sign_in_link))
        .route("/sessions", get(sessions::list).delete(sessions::end_all))
        .route("/sessions/{id}", delete(sessions::end))
        .route("/screens", get(grants::screens).post(grants::make_screen))
        .route("/screens/{id}", delete(grants::revoke_screen))
        .route("/shares", get(grants::shares).post(grants::make_share))
        .route("/shares/{id}", delete(grants::revoke_share))
        .route("/audit", get(audit::list))
        .route("/settings", get(settings::list).post(settings::set))
        .route("/settings/{name}", get(settings::read).patch(settings::change).delete(settings::remove))
        .route("/channels", get(channels::list).post(channels::create))
        .route("/channels/{name}", patch(channels::change).delete(channels::remove))
        .route("/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/webhooks/{id}", get(webhooks::read).patch(webhooks::change).delete(webhooks::remove))
        .route("/webhooks/{id}/secret", post(webhooks::new_secret))
        .route("/webhooks/{id}/deliveries", get(webhooks::deliveries))
        .route("/webhooks/{id}/deliveries/{delivery}/retry", post(webhooks::retry))
        .route("/webhooks/{id}/test", post(webhooks::test))
}

fn refused(reason: Reason, detail: &'static str) -> Error {
    Refusal::new(reason, detail).into()
}

async fn gone_astray() -> Error {
    refused(Reason::NotFound, "the API begins at /api/v1; see /openapi.json")
}

async fn within(deadline: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!("an API call took longer than server.request_timeout");
            Error::Unavailable.into_response()
        }
    }
}

async fn render(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let Some(Rendered(error)) = response.extensions().get::<Rendered>().cloned() else { return response };
    match &*error {
        Error::Refused(refusal) if refusal.link.is_some() => {
            let (_, body) = error.problem(&state.public_url);
            let (mut parts, _) = response.into_parts();
            parts.headers.remove(http::header::CONTENT_LENGTH);
            let body = serde_json::to_vec(&body).unwrap_or_default();
            Response::from_parts(parts, body.into())
        }
        _ => response,
    }
}

async fn count(route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    // An unmatched path must not become a label.
    let route = route.map_or_else(|| "unmatched".to_owned(), |r| r.as_str().to_owned());
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    metrics::counter!(telemetry::REQUESTS, "route" => route, "status" => status).increment(1);
    response
}
