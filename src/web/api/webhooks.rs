//! `/webhooks`: who is told what happens, and what is on its way to them. Admins only.

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::cursor;
use super::links::entropy;
use super::query::{Name, Names, Params};
use crate::clock;
use crate::domain::error::{Reason, Refusal};
use crate::store::webhooks::{Delivery, Stage, Webhook};
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::idempotency::{Derived, WithoutSecret};
use crate::web::json::Body64;
use crate::webhooks::manage::{NewWebhook, WebhookChange};

/// Who is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookView {
    /// Ours, opaque.
    id: String,
    /// What it is for.
    name: String,
    /// Who is told.
    url: String,
    /// Of what.
    events: Vec<String>,
    /// False for one that was imported: it is told nothing before it gets a secret.
    has_secret: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    created_by: String,
    /// Since when it is told nothing.
    #[schema(value_type = Option<String>, format = DateTime)]
    disabled_at: Option<Timestamp>,
    /// Why.
    disabled_why: Option<String>,
    /// Since when every try failed; null if the last one did not.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// Send it back with a change.
    version: u64,
    /// What its messages are signed with: only in the answer that made it, only once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// A page of webhooks, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookList {
    items: Vec<WebhookView>,
    next_cursor: Option<String>,
}

/// A message on its way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    /// The message's id, which its receiver gets as `webhook-id`.
    id: String,
    /// What it tells of.
    event: String,
    /// The link it is about; null for a test.
    code: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// waiting, delivered or failed.
    status: &'static str,
    /// How often it was tried.
    attempts: u32,
    /// When it is tried next; null if it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    /// When it was tried last.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_at: Option<Timestamp>,
    /// What was answered then; null if nothing was.
    last_status: Option<u16>,
    /// Why it was not taken then, in words.
    error: Option<String>,
    /// How long that took.
    latency_ms: Option<u64>,
}

/// A page of deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryList {
    items: Vec<DeliveryView>,
    next_cursor: Option<String>,
}

impl WebhookView {
    fn new(webhook: Webhook, failing_since: Option<Timestamp>) -> WebhookView {
        let (disabled_at, disabled_why) = webhook.disabled.map(|d| (d.at, d.why)).unzip();
        WebhookView {
            id: webhook.id,
            name: webhook.name,
            url: webhook.url,
            events: webhook.events,
            has_secret: webhook.secret.reveal().is_some(),
            created_at: webhook.created_at,
            created_by: webhook.created_by,
            disabled_at,
            disabled_why,
            failing_since,
            version: webhook.version,
            secret: None,
        }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> DeliveryView {
        let (status, next_at) = match delivery.stage {
            Stage::Waiting(at) => ("waiting", Some(at)),
            Stage::Delivered(_) => ("delivered", None),
            Stage::Failed(_) => ("failed", None),
        };
        DeliveryView {
            id: delivery.id,
            event: delivery.event,
            code: Some(delivery.code).filter(|code| !code.is_empty()),
            created_at: delivery.created_at,
            status,
            attempts: delivery.attempts,
            next_at,
            last_at: delivery.tried.at,
            last_status: delivery.tried.status,
            error: delivery.tried.error,
            latency_ms: delivery.tried.at.map(|_| delivery.tried.latency_ms),
        }
    }
}

async fn view(state: &State, webhook: Webhook) -> Result<WebhookView> {
    let failing_since = state.webhooks.failing_since(&webhook.id).await?;
    Ok(WebhookView::new(webhook, failing_since))
}

/// An answer with the secret in it, of which nothing but the rest is remembered.
fn with_secret(status: StatusCode, webhook: Webhook) -> Response {
    let secret = webhook.secret.reveal().map(str::to_owned);
    let view = WebhookView::new(webhook, None);
    let kept = serde_json::to_value(&view).unwrap_or_default();
    let mut response = (status, Json(WebhookView { secret, ..view })).into_response();
    response.extensions_mut().insert(WithoutSecret(kept));
    response
}

/// All webhooks, oldest first.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "administration",
    params(("limit" = Option<u32>, Query, description = "1 to 200, default 50"), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = WebhookList)))]
pub async fn list(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    mut params: Params,
) -> Result<Json<WebhookList>> {
    let all = state.webhooks.all(&actor).await?;
    let limit = params.number("limit", 1, 200, 50)?;
    let after = params.take("cursor").map(|c| cursor::read("webhooks", &c)).transpose()?;
    params.end()?;
    let position = |webhook: &Webhook| {
        (format!("{:014}", webhook.created_at.as_millisecond().max(0)), webhook.id.clone())
    };
    let mut rest = all.into_iter().filter(|w| after.as_ref().is_none_or(|after| position(w) > *after));
    let page: Vec<Webhook> = rest.by_ref().take(limit).collect();
    let last = page.last().map(position).filter(|_| rest.next().is_some());
    let next_cursor = last.map(|last| cursor::write("webhooks", &last));
    let mut items = vec![];
    for webhook in page {
        items.push(view(&state, webhook).await?);
    }
    Ok(Json(WebhookList { items, next_cursor }))
}

/// Be told what happens. The secret is shown once.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "administration", request_body = NewWebhook,
    responses((status = 201, description = "With `secret`, once", body = WebhookView),
        (status = 422, description = "invalid_url, own_host, denied_host, invalid_value, missing, out_of_range")))]
pub async fn create(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    derived: Option<Extension<Derived>>,
    Body64(new): Body64<NewWebhook>,
) -> Result<Response> {
    let (rules, entropy) = (state.links.rules(), entropy(derived));
    let made = state.webhooks.create(new, &rules, &actor, &entropy, clock::now()).await?;
    Ok(with_secret(StatusCode::CREATED, made))
}

/// One webhook.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "administration", params(("id" = String, Path)),
    responses((status = 200, body = WebhookView), (status = 404, description = "not_found")))]
pub async fn read(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
) -> Result<Json<WebhookView>> {
    let webhook = state.webhooks.get(&id, &actor).await?;
    Ok(Json(view(&state, webhook).await?))
}

/// Change a webhook, stop it, or let it go on.
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", tag = "administration", params(("id" = String, Path)),
    request_body = WebhookChange,
    responses((status = 200, body = WebhookView), (status = 409, description = "stale"),
        (status = 404, description = "not_found")))]
pub async fn change(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
    Body64(change): Body64<WebhookChange>,
) -> Result<Json<WebhookView>> {
    let rules = state.links.rules();
    let changed = state.webhooks.change(&id, change, &rules, &actor, clock::now()).await?;
    Ok(Json(view(&state, changed).await?))
}

/// Delete a webhook and all that is on its way to it.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "administration", params(("id" = String, Path)),
    responses((status = 204, description = "Deleted"), (status = 404, description = "not_found")))]
pub async fn remove(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
) -> Result<StatusCode> {
    state.webhooks.remove(&id, &actor, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get another secret, shown once. The one before is good no more.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/secret", tag = "administration", params(("id" = String, Path)),
    responses((status = 200, description = "With `secret`, once", body = WebhookView),
        (status = 404, description = "not_found")))]
pub async fn new_secret(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
) -> Result<Response> {
    let changed = state.webhooks.new_secret(&id, &actor, clock::now()).await?;
    Ok(with_secret(StatusCode::OK, changed))
}

/// What is on its way to a webhook, and what became of it; newest first.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", tag = "administration",
    params(("id" = String, Path), ("limit" = Option<u32>, Query, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query)),
    responses((status = 200, body = DeliveryList), (status = 404, description = "not_found")))]
pub async fn deliveries(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Name(id): Name,
    mut params: Params,
) -> Result<Json<DeliveryList>> {
    let limit = params.number("limit", 1, 200, 50)?;
    let cursor_of = format!("deliveries {id}");
    let before = params.take("cursor").map(|c| cursor::read(&cursor_of, &c)).transpose()?;
    params.end()?;
    let bad = || Refusal::field(Reason::BadCursor, "cursor", "this cursor is not from this list");
    let before = match before {
        Some((at, id)) => Some((at.parse().map_err(|_| bad())?, id)),
        None => None,
    };
    let mut found = state.webhooks.deliveries(&id, before, limit + 1, &actor).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let place = |last: &Delivery| (last.created_at.as_millisecond().to_string(), last.id.clone());
    let next_cursor = found.last().filter(|_| more).map(|last| cursor::write(&cursor_of, &place(last)));
    Ok(Json(DeliveryList { items: found.into_iter().map(DeliveryView::from).collect(), next_cursor }))
}

/// Send a test message.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", tag = "administration", params(("id" = String, Path)),
    responses((status = 202, body = DeliveryView), (status = 404, description = "not_found"),
        (status = 409, description = "conflict: it is disabled, or has no secret")))]
pub async fn test(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    derived: Option<Extension<Derived>>,
    Name(id): Name,
) -> Result<(StatusCode, Json<DeliveryView>)> {
    let sent = state.webhooks.test(&id, &actor, &entropy(derived), clock::now()).await?;
    Ok((StatusCode::ACCEPTED, Json(sent.into())))
}

/// Send a message once more, now.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/deliveries/{delivery}/retry", tag = "administration",
    params(("id" = String, Path), ("delivery" = String, Path)),
    responses((status = 202, body = DeliveryView), (status = 404, description = "not_found"),
        (status = 409, description = "conflict: it is disabled, or has no secret; stale: it is being delivered")))]
pub async fn retry(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    Names(id, message): Names,
) -> Result<(StatusCode, Json<DeliveryView>)> {
    let sent = state.webhooks.retry(&id, &message, &actor, clock::now()).await?;
    Ok((StatusCode::ACCEPTED, Json(sent.into())))
}
