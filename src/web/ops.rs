//! The operations listener: is it alive, can it redirect, how is it doing.
//!
//! Knows nothing of accounts: it is bound to a private address.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;

use crate::app::health::{Health, Reason};
use crate::clock;

/// `/readyz`.
#[derive(Serialize)]
struct Ready {
    status: &'static str,
    reasons: Vec<Reason>,
}

/// What the handlers may use.
#[derive(Clone)]
pub struct OpsState {
    /// How the process is.
    pub health: Arc<Health>,
}

/// The routes of the operations listener.
pub fn routes(state: OpsState) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(state)
}

async fn ready(Shared(state): Shared<OpsState>) -> Response {
    let (phase, reasons) = state.health.now(clock::now());
    let (code, status) = match phase {
        None if reasons.is_empty() => (StatusCode::OK, "ready"),
        None => (StatusCode::OK, "degraded"),
        Some(phase) => (StatusCode::SERVICE_UNAVAILABLE, phase),
    };
    (code, [(CACHE_CONTROL, "no-store")], Json(Ready { status, reasons })).into_response()
}

async fn metrics(Shared(state): Shared<OpsState>) -> Response {
    let Some(handle) = crate::telemetry::metrics() else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "metrics could not be set up\n").into_response();
    };
    state.health.measure(clock::now()).await;
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response()
}
