//! `/channels`: where links are meant to be shared, and what each adds to addresses. Read by all, changed by admins.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Shared;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::cursor;
use super::query::{Name, Params};
use crate::clock;
use crate::domain::access::{Actor, Role};
use crate::settings::Channel;
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::json::Body64;

/// A channel.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Channel)]
pub struct ChannelView {
    /// Its name.
    name: String,
    /// What its links add to addresses: `utm_source`, `utm_medium`, `utm_campaign` ...
    #[serde(flatten)]
    parameters: BTreeMap<String, String>,
    /// True if the operator gave it; then it cannot be changed here.
    locked: bool,
    /// Whose it is: store (staff), file, environment or flag.
    source: &'static str,
    /// The file, variable or flag of a locked one; for admins.
    given_in: Option<String>,
    /// Why what staff said is not in force, if it cannot be.
    problem: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    updated_by: Option<String>,
    /// 0 for one that staff never touched.
    version: u64,
}

/// A page of channels, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChannelList {
    items: Vec<ChannelView>,
    next_cursor: Option<String>,
}

/// `POST /channels`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewChannel {
    /// At most 50 characters.
    name: String,
    /// `utm_source`, `utm_medium`, `utm_campaign` ...: texts.
    #[serde(flatten)]
    #[schema(value_type = BTreeMap<String, String>)]
    parameters: Map<String, Value>,
}

/// `PATCH /channels/{name}`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChannelChange {
    /// The version that was read.
    version: u64,
    /// `utm_source`, `utm_medium`, `utm_campaign` ...: texts; null takes one away.
    #[serde(flatten)]
    #[schema(value_type = BTreeMap<String, String>)]
    parameters: Map<String, Value>,
}

impl ChannelView {
    /// Where the operator's files are is told to admins alone.
    fn new(channel: Channel, actor: &Actor) -> ChannelView {
        let Channel { name, parameters, given, kept, problem } = channel;
        let source = given.as_ref().map_or("store", |given| given.layer.as_str());
        ChannelView {
            name,
            parameters,
            locked: given.is_some(),
            source,
            given_in: given.filter(|_| actor.role == Role::Admin).map(|given| given.place),
            problem,
            updated_at: kept.as_ref().map(|kept| kept.updated_at),
            updated_by: kept.as_ref().map(|kept| kept.updated_by.clone()),
            version: kept.map_or(0, |kept| kept.version),
        }
    }
}

/// All channels, by name. A link may have others too.
#[utoipa::path(get, path = "/api/v1/channels", tag = "administration",
    params(("limit" = Option<u32>, Query, description = "1 to 200, default 50"), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = ChannelList)))]
pub async fn list(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    mut params: Params,
) -> Result<Json<ChannelList>> {
    let limit = params.number("limit", 1, 200, 50)?;
    let after = params.take("cursor").map(|cursor| cursor::read("channels", &cursor)).transpose()?;
    params.end()?;
    let mut items: Vec<ChannelView> = state
        .settings
        .channels()
        .await?
        .into_iter()
        .map(|channel| ChannelView::new(channel, &actor))
        .collect();
    if let Some((after, _)) = after {
        items.retain(|channel| channel.name > after);
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|last| cursor::write("channels", &(last.name.clone(), String::new())));
    Ok(Json(ChannelList { items, next_cursor }))
}

/// Make a channel.
#[utoipa::path(post, path = "/api/v1/channels", tag = "administration", request_body = NewChannel,
    responses((status = 201, body = ChannelView), (status = 409, description = "conflict: there is one of this name"),
        (status = 422, description = "unknown_field, missing, wrong_type, out_of_range")))]
pub async fn create(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Body64(new): Body64<NewChannel>,
) -> Result<(StatusCode, Json<ChannelView>)> {
    actor.require(Role::Admin)?;
    let made = state.settings.create_channel(new.name, new.parameters, &actor.name, clock::now()).await?;
    Ok((StatusCode::CREATED, Json(ChannelView::new(made, &actor))))
}

/// Change what a channel adds. Links that are there keep their addresses.
#[utoipa::path(patch, path = "/api/v1/channels/{name}", tag = "administration", params(("name" = String, Path)),
    request_body = ChannelChange,
    responses((status = 200, body = ChannelView), (status = 404, description = "not_found"),
        (status = 409, description = "conflict: locked; stale")))]
pub async fn change(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(name): Name,
    Body64(change): Body64<ChannelChange>,
) -> Result<Json<ChannelView>> {
    actor.require(Role::Admin)?;
    let ChannelChange { version, parameters } = change;
    let changed =
        state.settings.change_channel(&name, parameters, version, &actor.name, clock::now()).await?;
    Ok(Json(ChannelView::new(changed, &actor)))
}

/// Remove a channel. Its links stay as they are.
#[utoipa::path(delete, path = "/api/v1/channels/{name}", tag = "administration", params(("name" = String, Path)),
    responses((status = 204, description = "Removed, now or before"), (status = 404, description = "not_found"),
        (status = 409, description = "conflict: locked")))]
pub async fn remove(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(name): Name,
) -> Result<StatusCode> {
    actor.require(Role::Admin)?;
    state.settings.remove_channel(&name, &actor.name, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
