//! `/keys` and `/users`: admins only.

use axum::Json;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::Name;
use crate::clock;
use crate::domain::access::Role;
use crate::store::accounts::{Key, User};
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::idempotency::WithoutSecret;
use crate::web::json::Body64;

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

/// Disable a user: their keys end, their links and history stay.
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
