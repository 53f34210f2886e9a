//! The "Get short URL" button for article pages (`/widget.js`), the bookmarklet, and what a phone needs to offer this
//! service where addresses are shared.
//!
//! Guarantees that the button is one small file without imports, which any page may use and any cache may keep for an hour.

use axum::Router;
use axum::extract;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::web::State;

const WIDGET: &str = include_str!("static/widget.js");
/// The icon within the address, so that whoever reads the manifest asks for nothing more.
const ICON_URL: &str = "data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'%20viewBox='0%200%2032%2032'%3E\
    %3Crect%20width='32'%20height='32'%20rx='6'%20fill='%23c2341d'/%3E%3Cpath%20d='M7%2010h18v3H7zm0%209h11v3H7z'%20\
    fill='%23fff'/%3E%3C/svg%3E";
/// So that pages which let in only what allows it (`Cross-Origin-Embedder-Policy`) let it in.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// The routes of this file.
pub(super) fn routes() -> Router<State> {
    let hash = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(WIDGET));
    let tag = format!("\"{hash}\"");
    Router::new()
        .route("/widget.js", get(move |headers: HeaderMap| async move { widget(&tag, &headers) }))
        .route("/-/manifest.webmanifest", get(manifest))
}

fn widget(tag: &str, asked: &HeaderMap) -> Response {
    let has = |value: &HeaderValue| {
        let tags = value.to_str().unwrap_or_default();
        tags.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
    };
    let mut response = match asked.get_all(IF_NONE_MATCH).iter().any(has) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Bytes::from_static(WIDGET.as_bytes()).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    headers.insert(CACHE_CONTROL, AN_HOUR);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Lets the pages be put on a phone's first screen, and addresses be shared with them.
async fn manifest(extract::State(state): extract::State<State>) -> Response {
    let (name, language) = state.pages.newsroom();
    let manifest = json!({
        "id": "/-/",
        "name": format!("{name}: Slugline"),
        "short_name": "Slugline",
        "lang": language,
        "start_url": "/-/",
        "scope": "/-/",
        "display": "standalone",
        "background_color": "#fbfaf7",
        "theme_color": "#fbfaf7",
        "icons": [{ "src": ICON_URL, "type": "image/svg+xml", "sizes": "any", "purpose": "any" }],
        "share_target": {
            "action": "/-/new",
            "method": "GET",
            "params": { "title": "title", "text": "text", "url": "url" },
        },
    });
    let mut response = manifest.to_string().into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/manifest+json"));
    headers.insert(CACHE_CONTROL, AN_HOUR);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The bookmarklet of the service at `public_url`. It only opens a window: a page's own policy cannot forbid that.
#[must_use]
pub fn bookmarklet(public_url: &str) -> String {
    // A JSON string is a JavaScript string; an address has nothing that an attribute would end at but the quotes.
    let base = serde_json::Value::from(format!("{public_url}/-/new?url="));
    format!(
        "javascript:void window.open({base}+encodeURIComponent((document.querySelector('link[rel~=canonical][href]')\
         ||location).href))"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_button_is_small_and_alone() {
        assert!(WIDGET.len() <= 4_096, "{}", WIDGET.len());
        for no in ["import", "cookie", "localStorage", "innerHTML", "eval", "setAttribute('style"] {
            assert!(!WIDGET.replace("no cookies", "").contains(no), "{no}");
        }
    }

    #[test]
    fn the_bookmarklet_only_opens_a_window() {
        let text = bookmarklet("https://sl.example");
        assert!(text.starts_with("javascript:void window.open(\"https://sl.example/-/new?url=\"+"), "{text}");
        assert!(!text.contains("createElement") && !text.contains('\n'), "{text}");
    }
}
