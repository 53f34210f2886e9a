//! `/screens` and `/shares`: what lets somebody look who is not signed in.

use axum::Json;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::Name;
use crate::clock;
use crate::domain::access::{Actor, Role};
use crate::sessions::{Grant, GrantKind};
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::idempotency::WithoutSecret;
use crate::web::json::Body64;
use crate::web::require_visible;

/// A screen or a shared view, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Grant)]
pub struct GrantView {
    /// Its public name.
    id: String,
    /// What it is for.
    name: String,
    /// Path and query of the view; null for a screen.
    view: Option<String>,
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// The secret itself: only in the answer that made it, only once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl GrantView {
    fn new(grant: Grant, token: Option<String>) -> GrantView {
        let Grant { id, name, view, created_by, created_at, expires_at } = grant;
        let view = Some(view).filter(|view| !view.is_empty());
        GrantView { id, name, view, created_by, created_at, expires_at, token }
    }
}

/// One's own, newest first; for admins all.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantList {
    items: Vec<GrantView>,
    next_cursor: Option<String>,
}

/// `POST /screens`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewScreen {
    /// What it is for, at most 100 characters.
    name: String,
}

/// `POST /shares`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShare {
    /// What it is for, at most 100 characters.
    name: String,
    /// Path and query of a page of numbers (`/-/links/`, `/-/articles/` or `/-/reports`) that is there for a stranger, too.
    view: String,
}

async fn list(state: &State, kind: GrantKind, actor: &Actor) -> Result<Json<GrantList>> {
    let grants = state.sessions.grants(kind, actor, clock::now()).await?;
    let items = grants.into_iter().map(|grant| GrantView::new(grant, None)).collect();
    Ok(Json(GrantList { items, next_cursor: None }))
}

async fn make(state: &State, kind: GrantKind, what: (&str, &str), actor: &Actor) -> Result<Response> {
    let (secret, grant) = state.sessions.make_grant(kind, what, actor, clock::now()).await?;
    let kept = serde_json::to_value(GrantView::new(grant.clone(), None)).unwrap_or_default();
    let mut response = (StatusCode::CREATED, Json(GrantView::new(grant, Some(secret)))).into_response();
    response.extensions_mut().insert(WithoutSecret(kept));
    Ok(response)
}

async fn revoke(state: &State, kind: GrantKind, id: &str, actor: &Actor) -> Result<StatusCode> {
    state.sessions.revoke_grant(kind, id, actor, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Screens.
#[utoipa::path(get, path = "/api/v1/screens", tag = "administration", responses((status = 200, body = GrantList)))]
pub async fn screens(Shared(state): Shared<State>, Caller(actor): Caller) -> Result<Json<GrantList>> {
    list(&state, GrantKind::Screen, &actor).await
}

/// Make a token with which a screen shows the live board (`/live?token=`), for a year.
#[utoipa::path(post, path = "/api/v1/screens", tag = "administration", request_body = NewScreen,
    responses((status = 201, description = "With `token`, once", body = GrantView)))]
pub async fn make_screen(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Body64(new): Body64<NewScreen>,
) -> Result<Response> {
    make(&state, GrantKind::Screen, (&new.name, ""), &actor).await
}

/// End a screen's token.
#[utoipa::path(delete, path = "/api/v1/screens/{id}", tag = "administration", params(("id" = String, Path)),
    responses((status = 204, description = "Ended, now or before"), (status = 403, description = "forbidden")))]
pub async fn revoke_screen(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
) -> Result<StatusCode> {
    revoke(&state, GrantKind::Screen, &id, &actor).await
}

/// Shared views.
#[utoipa::path(get, path = "/api/v1/shares", tag = "administration", responses((status = 200, body = GrantList)))]
pub async fn shares(Shared(state): Shared<State>, Caller(actor): Caller) -> Result<Json<GrantList>> {
    list(&state, GrantKind::Share, &actor).await
}

/// Make a token that shows one view to whoever has it, for 30 days: a link's, a story's, or a report.
#[utoipa::path(post, path = "/api/v1/shares", tag = "administration", request_body = NewShare,
    responses((status = 201, description = "With `token`, once", body = GrantView),
        (status = 404, description = "not_found, unknown_article: there is no such view"),
        (status = 409, description = "conflict: it is confidential still")))]
pub async fn make_share(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Body64(new): Body64<NewShare>,
) -> Result<Response> {
    actor.require(Role::Creator)?;
    require_visible(&state, &new.view).await?;
    make(&state, GrantKind::Share, (&new.name, &new.view), &actor).await
}

/// End a shared view's token.
#[utoipa::path(delete, path = "/api/v1/shares/{id}", tag = "administration", params(("id" = String, Path)),
    responses((status = 204, description = "Ended, now or before"), (status = 403, description = "forbidden")))]
pub async fn revoke_share(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
) -> Result<StatusCode> {
    revoke(&state, GrantKind::Share, &id, &actor).await
}
