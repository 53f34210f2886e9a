//! The least that axum can do for a redirect: a map in memory, nothing counted, nothing logged.
//!
//! A peer to measure against, as short as a tutorial would have it. What it costs is what the framework, the runtime and
//! the kernel cost; it forgets every visit, and learns of no change before it is started anew.
#![allow(clippy::unwrap_used, reason = "a peer that cannot start is not measured")]

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};

type Links = Arc<HashMap<String, HeaderValue>>;

async fn redirect(State(links): State<Links>, Path(code): Path<String>) -> impl IntoResponse {
    match links.get(&code) {
        Some(target) => {
            let no_store = HeaderValue::from_static("private, no-store");
            (StatusCode::FOUND, [(LOCATION, target.clone()), (CACHE_CONTROL, no_store)]).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `bare LISTEN FILE`; each line of the file is a code, a space and a target.
#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (listen, file) = (arguments.next().unwrap(), arguments.next().unwrap());
    let text = std::fs::read_to_string(file).unwrap();
    let pairs = text.lines().map(|line| line.split_once(' ').unwrap());
    let links = pairs.map(|(code, to)| (code.to_owned(), HeaderValue::from_str(to).unwrap())).collect();
    drop(text);
    let app = Router::new().route("/{code}", get(redirect)).with_state(Links::new(links));
    let listener = tokio::net::TcpListener::bind(listen).await.unwrap();
    axum::serve(listener, app).await.unwrap();
}
