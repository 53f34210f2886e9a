//! A site on a listener of its own, whose pages somebody else makes: the newsroom's own site of the demo.

use axum::Router;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use http::{StatusCode, Uri};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::server::{Bounds, Place, serve};

/// Serves what `page` gives for a path, until `stop`; 404 where it gives nothing.
pub async fn site(
    listener: TcpListener,
    page: impl Fn(&str) -> Option<String> + Clone + Send + Sync + 'static,
    bounds: Bounds,
    stop: CancellationToken,
) {
    let answer = move |uri: Uri| async move {
        match page(uri.path()) {
            Some(page) => Html(page).into_response(),
            None => (StatusCode::NOT_FOUND, Html("<!doctype html><title>Not found</title>")).into_response(),
        }
    };
    let router: Router = Router::new().fallback(get(answer));
    let service = move |_| hyper_util::service::TowerToHyperService::new(router.clone());
    serve(listener, service, bounds, Place::default(), stop).await;
}
