//! `/sessions`: signing in and out, and who is signed in where.

use axum::Json;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::{Name, Params};
use crate::accounts::user_of;
use crate::clock;
use crate::domain::access::{Actor, Role};
use crate::domain::error::{Reason, Refusal};
use crate::sessions::{Began, By, SessionInfo};
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::{Error, Result};
use crate::web::json::Body64;
use crate::web::session::{self, SignedIn};

/// The name of the session that a request shows.
const CURRENT: &str = "current";

/// A session, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// Its public name.
    id: String,
    /// Whose it is.
    user: String,
    /// password or link: how it began.
    #[schema(value_type = String)]
    by: By,
    /// What the browser calls itself.
    agent: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// When it was last used, to the hour.
    #[schema(value_type = String, format = DateTime)]
    seen_at: Timestamp,
    /// True for the one that asks.
    current: bool,
}

impl SessionView {
    fn new(info: SessionInfo, current: bool) -> SessionView {
        let SessionInfo { id, user, by, agent, created_at, expires_at, seen_at } = info;
        SessionView { id, user, by, agent, created_at, expires_at, seen_at, current }
    }
}

/// Sessions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionList {
    items: Vec<SessionView>,
    next_cursor: Option<String>,
}

/// `POST /sessions`: name and password, or the token of a sign-in link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    name: Option<String>,
    password: Option<String>,
    /// Of a sign-in link; used up by it.
    token: Option<String>,
}

/// What stands for all users.
const EVERYBODY: &str = "*";

/// The user that is meant: one's own if none is named; None for everybody.
fn meant(whose: Option<String>, actor: &Actor) -> Result<Option<String>> {
    let own = user_of(&actor.name);
    let Some(name) = whose.or_else(|| own.map(str::to_owned)) else {
        actor.require(Role::Admin)?;
        return Ok(None);
    };
    if own.is_none_or(|own| own.to_lowercase() != name.to_lowercase()) {
        actor.require(Role::Admin)?;
    }
    Ok(Some(name).filter(|name| name != EVERYBODY))
}

/// Who is signed in where.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "administration",
    params(("user" = Option<String>, Query, description = "For admins; * is everybody. Without it one's own; for a key everybody's")),
    responses((status = 200, body = SessionList)))]
pub async fn list(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    current: Option<axum::Extension<SignedIn>>,
    mut params: Params,
) -> Result<Json<SessionList>> {
    let whose = meant(params.take("user"), &actor)?;
    params.end()?;
    let sessions = state.sessions.sessions(whose.as_deref(), clock::now()).await?;
    let current = current.map(|axum::Extension(signed_in)| signed_in.info.id).unwrap_or_default();
    let items = sessions.into_iter().map(|info| {
        let is = info.id == current;
        SessionView::new(info, is)
    });
    Ok(Json(SessionList { items: items.collect(), next_cursor: None }))
}

/// Sign in. The session comes as a cookie.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "administration", request_body = SignIn, security(()),
    responses((status = 201, description = "With the session in Set-Cookie", body = SessionView),
        (status = 401, description = "unauthenticated"), (status = 429, description = "rate_limited")))]
pub async fn sign_in(
    Shared(state): Shared<State>,
    parts: Parts,
    Body64(asked): Body64<SignIn>,
) -> Result<Response> {
    if !state.staff_here {
        return Err(Refusal::new(Reason::NotFound, "there is no such call").into());
    }
    // Else a page elsewhere could sign somebody in as another.
    session::same_origin(&parts.headers, &state.staff_url)?;
    let (from, now) = (session::client(&parts, &state), clock::now());
    let missing = |field| Refusal::field(Reason::Missing, field, "this field is missing");
    let began = match asked {
        SignIn { token: Some(token), name: None, password: None } => {
            state.sessions.use_link(&token, &from, now).await?
        }
        SignIn { token: Some(_), .. } => {
            let detail = "a token, or a name and a password";
            return Err(Refusal::field(Reason::InvalidValue, "token", detail).into());
        }
        SignIn { name, password, token: None } => {
            let (name, password) =
                (name.ok_or_else(|| missing("name"))?, password.ok_or_else(|| missing("password"))?);
            state.sessions.sign_in(&name, password, &from, now).await?
        }
    };
    // The one before is not gone on with, whoever put it there.
    if let Some(before) = session::shown(&parts.headers, &state.staff_url) {
        state.sessions.sign_out(before, now).await?;
    }
    Ok(with_cookie(StatusCode::CREATED, began, &state))
}

/// An answer that gives a session that has just begun.
pub fn with_cookie(status: StatusCode, began: Began, state: &State) -> Response {
    let cookie = session::set_cookie(&state.staff_url, &began);
    let no_store = HeaderValue::from_static("no-store");
    let body = Json(SessionView::new(began.info, true));
    (status, [(SET_COOKIE, cookie), (CACHE_CONTROL, no_store)], body).into_response()
}

/// End a session; `current` is the one that asks: signing out.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "administration", params(("id" = String, Path)),
    responses((status = 204, description = "Ended, now or before"), (status = 403, description = "forbidden")))]
pub async fn end(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
    parts: Parts,
) -> Result<Response> {
    let now = clock::now();
    if id != CURRENT {
        state.sessions.end(&id, &actor, now).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    match session::shown(&parts.headers, &state.staff_url) {
        Some(secret) if state.staff_here => state.sessions.sign_out(secret, now).await?,
        _ => {
            let detail = "this request shows no session";
            return Err(Error::from(Refusal::new(Reason::NotFound, detail)));
        }
    }
    let gone = [(SET_COOKIE, session::clear_cookie(&state.staff_url))];
    Ok((StatusCode::NO_CONTENT, gone).into_response())
}

/// End all sessions of a user: one's own without `user`.
#[utoipa::path(delete, path = "/api/v1/sessions", tag = "administration",
    params(("user" = Option<String>, Query, description = "For admins; without it one's own")),
    responses((status = 204, description = "Ended"), (status = 403, description = "forbidden")))]
pub async fn end_all(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    mut params: Params,
) -> Result<StatusCode> {
    let user = meant(params.take("user"), &actor)?;
    params.end()?;
    let user = user.ok_or_else(|| Refusal::field(Reason::Missing, "user", "say whose sessions"))?;
    state.sessions.end_all(&user, &actor, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
