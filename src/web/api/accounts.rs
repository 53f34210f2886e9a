//! `/keys` and `/users`: admins only.

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use http::header::SET_COOKIE;
use http::request::Parts;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::Name;
use crate::clock;
use crate::domain::access::Role;
use crate::domain::error::{Reason, Refusal};
use crate::store::accounts::{Key, User};
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::idempotency::WithoutSecret;
use crate::web::json::Body64;
use crate::web::session::{self, SignedIn};

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyView {
    /// Its public part.
    id: String,
    /// What it is for.
    name: String,
    /// viewer, creator, editor or admin.
    #[schema(value_type = String)]
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    created_by: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// The key itself: only in the answer that made it, only once.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// A member of staff.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    name: String,
    #[schema(value_type = String)]
    role: Role,
    /// True if a password is set.
    has_password: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    created_by: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    disabled_at: Option<Timestamp>,
}

/// All keys; there are few.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyList {
    items: Vec<KeyView>,
    next_cursor: Option<String>,
}

/// All users.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserList {
    items: Vec<UserView>,
    next_cursor: Option<String>,
}

/// `POST /keys`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What it is for, at most 100 characters.
    name: String,
    /// viewer, creator, editor or admin.
    #[schema(value_type = String)]
    role: Role,
    /// It is not valid from then on.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// `POST /users`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Sign-in name, at most 100 characters.
    name: String,
    /// viewer, creator, editor or admin.
    #[schema(value_type = String)]
    role: Role,
    /// 8 characters or more; can be set later.
    #[serde(default)]
    password: Option<String>,
}

/// `PATCH /users/{name}`: admins change role and state, everybody their own password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedUser {
    /// viewer, creator, editor or admin.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// True ends their sessions and keys too; false lets them in again.
    #[serde(default)]
    disabled: Option<bool>,
    /// One's own new password, by session; all sessions of the user end, another comes as a cookie.
    #[serde(default)]
    password: Option<String>,
    /// The password as it was; not needed within an hour of a sign-in link.
    #[serde(default)]
    current: Option<String>,
}

/// A link that signs in once.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignInLink {
    /// Shown once: whoever opens it is that user.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl KeyView {
    fn new(key: Key, secret: Option<String>) -> KeyView {
        KeyView {
            id: key.id,
            name: key.name,
            role: key.role,
            created_at: key.created_at,
            created_by: key.created_by,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            key: secret,
        }
    }
}

impl UserView {
    fn new(user: User) -> UserView {
        UserView {
            name: user.name,
            role: user.role,
            has_password: user.password.is_some(),
            created_at: user.created_at,
            created_by: user.created_by,
            disabled_at: user.disabled_at,
        }
    }
}

/// All keys.
#[utoipa::path(get, path = "/api/v1/keys", tag = "administration", responses((status = 200, body = KeyList)))]
pub async fn keys(Shared(state): Shared<State>, Caller(actor): Caller) -> Result<Json<KeyList>> {
    actor.require(Role::Admin)?;
    let keys = state.accounts.store().keys().await?;
    Ok(Json(KeyList { items: keys.into_iter().map(|k| KeyView::new(k, None)).collect(), next_cursor: None }))
}

/// Make a key; it is shown once.
#[utoipa::path(post, path = "/api/v1/keys", tag = "administration", request_body = NewKey,
    responses((status = 201, description = "With `key`, once", body = KeyView)))]
pub async fn create_key(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Body64(new): Body64<NewKey>,
) -> Result<Response> {
    actor.require(Role::Admin)?;
    let made =
        state.accounts.create_key(&new.name, new.role, new.expires_at, &actor.name, clock::now()).await?;
    let (key, secret) = made;
    let kept = serde_json::to_value(KeyView::new(key.clone(), None)).unwrap_or_default();
    let mut response = (StatusCode::CREATED, Json(KeyView::new(key, Some(secret)))).into_response();
    response.extensions_mut().insert(WithoutSecret(kept));
    Ok(response)
}

/// End a key.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", tag = "administration", params(("id" = String, Path)),
    responses((status = 204, description = "Ended, now or before"), (status = 404, description = "not_found")))]
pub async fn revoke_key(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
) -> Result<StatusCode> {
    actor.require(Role::Admin)?;
    state.accounts.revoke_key(&id, &actor.name, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All users.
#[utoipa::path(get, path = "/api/v1/users", tag = "administration", responses((status = 200, body = UserList)))]
pub async fn users(Shared(state): Shared<State>, Caller(actor): Caller) -> Result<Json<UserList>> {
    actor.require(Role::Admin)?;
    let users = state.accounts.store().users().await?;
    Ok(Json(UserList { items: users.into_iter().map(UserView::new).collect(), next_cursor: None }))
}

/// Add a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "administration", request_body = NewUser,
    responses((status = 201, body = UserView), (status = 409, description = "conflict: the name is taken")))]
pub async fn add_user(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Body64(new): Body64<NewUser>,
) -> Result<(StatusCode, Json<UserView>)> {
    actor.require(Role::Admin)?;
    let user = state.accounts.add_user(&new.name, new.role, new.password, &actor.name, clock::now()).await?;
    Ok((StatusCode::CREATED, Json(UserView::new(user))))
}

/// Disable a user: their sessions and keys end, their links and history stay.
#[utoipa::path(delete, path = "/api/v1/users/{name}", tag = "administration", params(("name" = String, Path)),
    responses((status = 204, description = "Disabled, now or before"), (status = 404, description = "not_found")))]
pub async fn disable_user(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(name): Name,
) -> Result<StatusCode> {
    actor.require(Role::Admin)?;
    state.accounts.disable_user(&name, &actor.name, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change a user.
#[utoipa::path(patch, path = "/api/v1/users/{name}", tag = "administration", params(("name" = String, Path)),
    request_body = ChangedUser,
    responses((status = 200, body = UserView), (status = 404, description = "not_found")))]
pub async fn change_user(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(name): Name,
    signed_in: Option<Extension<SignedIn>>,
    parts: Parts,
    Body64(change): Body64<ChangedUser>,
) -> Result<Response> {
    let now = clock::now();
    if let Some(password) = change.password {
        if change.role.is_some() || change.disabled.is_some() {
            let detail = "a password is set by itself";
            return Err(Refusal::field(Reason::InvalidValue, "password", detail).into());
        }
        let own = signed_in.filter(|own| own.info.user.to_lowercase() == name.to_lowercase());
        let Some(Extension(own)) = own else {
            let detail = "one sets one's own password, signed in; others get a sign-in link";
            return Err(Refusal::field(Reason::Forbidden, "password", detail).into());
        };
        let from = session::client(&parts, &state);
        let began = state.sessions.change_password(&own.info, change.current, password, &from, now).await?;
        let cookie = [(SET_COOKIE, session::set_cookie(&state.staff_url, &began))];
        return Ok((cookie, Json(user_view(&state, &name)?)).into_response());
    }
    actor.require(Role::Admin)?;
    // First: what cannot be leaves the rest as it is.
    user_view(&state, &name)?;
    if let Some(role) = change.role {
        state.accounts.set_role(&name, role, &actor.name, now).await?;
    }
    match change.disabled {
        Some(true) => drop(state.accounts.disable_user(&name, &actor.name, now).await?),
        Some(false) => drop(state.accounts.enable_user(&name, &actor.name, now).await?),
        None => {}
    }
    Ok(Json(user_view(&state, &name)?).into_response())
}

fn user_view(state: &State, name: &str) -> Result<UserView> {
    let user = state.accounts.user_called(name);
    let user = user.ok_or_else(|| Refusal::new(Reason::NotFound, "there is no user of this name"))?;
    Ok(UserView::new(User::clone(&user)))
}

/// Make a link that signs a user in once, within the hour.
#[utoipa::path(post, path = "/api/v1/users/{name}/sign-in-link", tag = "administration",
    params(("name" = String, Path)), responses((status = 201, description = "With `url`, once", body = SignInLink)))]
pub async fn sign_in_link(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(name): Name,
) -> Result<Response> {
    actor.require(Role::Admin)?;
    let (secret, expires_at) = state.sessions.sign_in_link(&name, &actor.name, clock::now()).await?;
    let url = session::link(&state.staff_url, &secret);
    let kept = serde_json::to_value(SignInLink { url: None, expires_at }).unwrap_or_default();
    let made = Json(SignInLink { url: Some(url), expires_at });
    let mut response = (StatusCode::CREATED, made).into_response();
    response.extensions_mut().insert(WithoutSecret(kept));
    Ok(response)
}
