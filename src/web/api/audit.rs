//! `/audit`: who did what. Admins only.

use axum::Json;
use axum::extract::State as Shared;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::cursor;
use super::query::Params;
use crate::domain::access::Role;
use crate::store::accounts::AuditEntry;
use crate::web::State;
use crate::web::auth::Caller;
use crate::web::error::Result;

/// One line.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditView {
    /// Its number, ascending.
    id: u64,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who.
    by: String,
    /// What, as noun.verb.
    action: String,
    /// On what.
    object: String,
    /// More, in words.
    detail: String,
}

impl AuditView {
    fn new(e: AuditEntry) -> AuditView {
        AuditView { id: e.id, at: e.at, by: e.by, action: e.action, object: e.object, detail: e.detail }
    }
}

/// A page of the audit, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditList {
    items: Vec<AuditView>,
    next_cursor: Option<String>,
}

/// Who did what, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "administration",
    params(("limit" = Option<u32>, Query, description = "1 to 200, default 50"), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = AuditList)))]
pub async fn list(
    Shared(state): Shared<State>,
    Caller(actor): Caller,
    mut params: Params,
) -> Result<Json<AuditList>> {
    actor.require(Role::Admin)?;
    let limit = params.number("limit", 1, 200, 50)?;
    let after = params.take("cursor");
    params.end()?;
    let before = cursor::read_number("audit", after)?;
    let mut entries = state.accounts.store().audited(before, limit + 1).await?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| more);
    let next_cursor = last.map(|e| cursor::write("audit", &(e.id.to_string(), String::new())));
    Ok(Json(AuditList { items: entries.into_iter().map(AuditView::new).collect(), next_cursor }))
}
