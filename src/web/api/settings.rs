//! `/settings`: what staff change while it runs. Admins only.

use axum::Json;
use axum::extract::State as Shared;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::query::Name;
use crate::clock;
use crate::domain::access::Role;
use crate::domain::error::{Reason, Refusal};
use crate::settings::Shown;
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::json::Body64;

/// A setting.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Setting)]
pub struct SettingView {
    /// Its name in the configuration.
    name: &'static str,
    /// text, switch (true or false), number, list (of texts) or groups (lists by name).
    r#type: &'static str,
    /// What is in force.
    value: Value,
    /// What is in force when nobody says anything.
    default: Value,
    /// True if the operator gave it; then it cannot be changed here.
    locked: bool,
    /// Where the value comes from: default, store (staff), file, environment or flag.
    source: &'static str,
    /// The file, variable or flag of a locked one.
    given_in: Option<String>,
    /// Why what staff said is not in force, if it cannot be.
    problem: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    updated_by: Option<String>,
    /// 0 while staff have said nothing.
    version: u64,
}

/// All settings.
#[derive(Debug, Serialize, ToSchema)]
pub struct SettingList {
    items: Vec<SettingView>,
    next_cursor: Option<String>,
}

/// `POST /settings`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSetting {
    /// Its name in the configuration.
    name: String,
    /// As its type says.
    #[serde(default, deserialize_with = "given")]
    value: Option<Value>,
    /// The version that was read. Without it, whatever is there is replaced.
    #[serde(default)]
    version: Option<u64>,
}

/// `PATCH /settings/{name}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingChange {
    /// As its type says.
    #[serde(default, deserialize_with = "given")]
    value: Option<Value>,
    /// The version that was read.
    version: u64,
}

/// null is a value too, and not the right one.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn there(value: Option<Value>) -> std::result::Result<Value, Refusal> {
    value.ok_or_else(|| Refusal::field(Reason::Missing, "value", "this field is missing"))
}

impl SettingView {
    fn new(shown: Shown) -> SettingView {
        let Shown { setting, value, default, given, kept, problem } = shown;
        let source = match (&given, &kept) {
            (Some(given), _) => given.layer.as_str(),
            (None, Some(_)) if problem.is_none() => "store",
            (None, _) => "default",
        };
        SettingView {
            name: setting.name,
            r#type: setting.shape.as_str(),
            value,
            default,
            locked: given.is_some(),
            source,
            given_in: given.map(|given| given.place),
            problem,
            updated_at: kept.as_ref().map(|kept| kept.updated_at),
            updated_by: kept.as_ref().map(|kept| kept.updated_by.clone()),
            version: kept.map_or(0, |kept| kept.version),
        }
    }
}

/// All settings that staff may change, and what is in force.
#[utoipa::path(get, path = "/api/v1/settings", tag = "administration",
    responses((status = 200, body = SettingList)))]
pub async fn list(Shared(state): Shared<State>, Caller(actor): Caller) -> Result<Json<SettingList>> {
    actor.require(Role::Admin)?;
    let items = state.settings.list().await?.into_iter().map(SettingView::new).collect();
    Ok(Json(SettingList { items, next_cursor: None }))
}

/// One setting.
#[utoipa::path(get, path = "/api/v1/settings/{name}", tag = "administration", params(("name" = String, Path)),
    responses((status = 200, body = SettingView), (status = 422, description = "unknown_field")))]
pub async fn read(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(name): Name,
) -> Result<Json<SettingView>> {
    actor.require(Role::Admin)?;
    Ok(Json(SettingView::new(state.settings.read(&name)?)))
}

/// Change a setting; it is in force on all nodes within 1.5 seconds.
#[utoipa::path(post, path = "/api/v1/settings", tag = "administration", request_body = NewSetting,
    responses((status = 200, body = SettingView), (status = 409, description = "conflict: locked; stale"),
        (status = 422, description = "unknown_field, wrong_type, invalid_value")))]
pub async fn set(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Body64(new): Body64<NewSetting>,
) -> Result<Json<SettingView>> {
    actor.require(Role::Admin)?;
    let value = there(new.value)?;
    let shown = state.settings.change(&new.name, value, new.version, &actor.name, clock::now()).await?;
    Ok(Json(SettingView::new(shown)))
}

/// Change a setting that was read at this version.
#[utoipa::path(patch, path = "/api/v1/settings/{name}", tag = "administration", params(("name" = String, Path)),
    request_body = SettingChange,
    responses((status = 200, body = SettingView), (status = 409, description = "conflict: locked; stale"),
        (status = 422, description = "unknown_field, wrong_type, invalid_value")))]
pub async fn change(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(name): Name,
    Body64(change): Body64<SettingChange>,
) -> Result<Json<SettingView>> {
    actor.require(Role::Admin)?;
    let (value, seen) = (there(change.value)?, Some(change.version));
    let shown = state.settings.change(&name, value, seen, &actor.name, clock::now()).await?;
    Ok(Json(SettingView::new(shown)))
}

/// Back to the default.
#[utoipa::path(delete, path = "/api/v1/settings/{name}", tag = "administration", params(("name" = String, Path)),
    responses((status = 204, description = "The default is in force, now or before"),
        (status = 409, description = "conflict: locked"), (status = 422, description = "unknown_field")))]
pub async fn remove(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(name): Name,
) -> Result<StatusCode> {
    actor.require(Role::Admin)?;
    state.settings.remove(&name, &actor.name, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
