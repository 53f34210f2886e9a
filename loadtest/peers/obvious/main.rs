//! The obvious way to build a redirect on Redis: axum, and for each request one `GET` and one `INCR` in a pipeline.
//!
//! A peer to measure against, as short as a tutorial would have it. It counts only a total for each code, loses what
//! a failover loses and doubles what a retry doubles.
#![allow(clippy::unwrap_used, reason = "a peer that cannot start is not measured")]

use axum::Router;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};
use redis::aio::MultiplexedConnection;

async fn redirect(
    State(mut redis): State<MultiplexedConnection>,
    Path(code): Path<String>,
) -> impl IntoResponse {
    let mut both = redis::pipe();
    both.get(format!("link:{code}")).incr(format!("clicks:{code}"), 1);
    let (target, _clicks): (Option<String>, u64) = match both.query_async(&mut redis).await {
        Ok(found) => found,
        Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    match target.and_then(|target| HeaderValue::from_str(&target).ok()) {
        Some(target) => {
            let no_store = HeaderValue::from_static("private, no-store");
            (StatusCode::FOUND, [(LOCATION, target), (CACHE_CONTROL, no_store)]).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `obvious LISTEN REDIS_URL`
#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (listen, url) = (arguments.next().unwrap(), arguments.next().unwrap());
    let redis = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    let app = Router::new().route("/{code}", get(redirect)).with_state(redis);
    let listener = tokio::net::TcpListener::bind(listen).await.unwrap();
    axum::serve(listener, app).await.unwrap();
}
