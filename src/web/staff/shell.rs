//! What all pages have in common: the frame, the style sheet and the script, and the headers of an answer.
//!
//! Guarantees a content policy without inline script and style and without another host, and that style sheet and script
//! are kept by browsers for as long as they are the same.

use std::sync::{Arc, LazyLock};

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use super::format::Times;
use crate::clock;
use crate::domain::access::{Actor, Role};
use crate::web::State;
use crate::web::error::Error;

const STYLE: &str = include_str!("assets/app.css");
const SCRIPT: &str = include_str!("assets/app.js");
/// What a page may load: its own style sheet, script and pictures.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
     manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// The style sheet and the script, by the hash of what is in them.
struct Assets {
    css: String,
    js: String,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let hashed = |text: &str, kind: &str| {
        let hash = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(text));
        format!("app-{}.{kind}", hash.chars().take(16).collect::<String>())
    };
    Assets { css: hashed(STYLE, "css"), js: hashed(SCRIPT, "js") }
});

/// A style sheet or script.
pub(super) async fn asset(Path(file): Path<String>) -> Response {
    let (kind, text) = match file.as_str() {
        name if name == ASSETS.css => ("text/css; charset=utf-8", STYLE),
        name if name == ASSETS.js => ("text/javascript; charset=utf-8", SCRIPT),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, text).into_response()
}

/// The frame of a page.
pub(super) struct Shell {
    pub(super) newsroom: Arc<str>,
    pub(super) css: String,
    pub(super) js: String,
    /// The page in the rail.
    pub(super) here: &'static str,
    pub(super) user: String,
    pub(super) role: &'static str,
    pub(super) zone: String,
    /// "light" or "dark"; empty for what the system says.
    pub(super) theme: &'static str,
    /// Nobody encrypts what goes over the network.
    pub(super) insecure: bool,
    /// Whoever looks is not signed in: there is nowhere to go from here, and nothing to change.
    pub(super) shared: bool,
}

impl Shell {
    /// For somebody who is signed in; `here` is the page's address.
    pub(super) fn new(state: &State, actor: &Actor, here: &'static str) -> Shell {
        let zone = state.reports.calendar().zone_name(clock::now());
        let user = actor.name.strip_prefix("user:").unwrap_or(&actor.name).to_owned();
        let host = state.staff_url.split("://").nth(1).unwrap_or_default();
        let local =
            host.starts_with("127.0.0.1") || host.starts_with("localhost") || host.starts_with("[::1]");
        Shell {
            newsroom: state.pages.newsroom().0,
            css: format!("/-/assets/{}", ASSETS.css),
            js: format!("/-/assets/{}", ASSETS.js),
            here,
            user,
            role: actor.role.as_str(),
            zone,
            theme: "",
            insecure: !state.staff_url.starts_with("https:") && !local,
            shared: false,
        }
    }

    /// For nobody in particular.
    pub(super) fn bare(state: &State) -> Shell {
        Shell::new(state, &Actor { name: String::new(), role: Role::Viewer }, "")
    }

    /// Whether who looks may show this to others.
    pub(super) fn may_share(&self) -> bool {
        !self.shared && self.role != Role::Viewer.as_str()
    }

    /// Names and addresses of the pages in the rail.
    pub(super) fn nav(&self) -> [(&'static str, &'static str); 5] {
        [
            ("Desk", "/-/"),
            ("Links", "/-/links"),
            ("Live", "/-/live"),
            ("Reports", "/-/reports"),
            ("Settings", "/-/settings"),
        ]
    }
}

/// Times as the newsroom's clocks say them.
pub(super) fn times(state: &State) -> Times {
    let now = clock::now();
    let name = state.reports.calendar().zone_name(now);
    Times { zone: jiff::tz::TimeZone::get(&name).unwrap_or(jiff::tz::TimeZone::UTC), now }
}

/// A page.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let mut response = (status, html).into_response();
            headers(response.headers_mut());
            response
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            Error::Internal.into_response()
        }
    }
}

fn headers(headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(http::header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(http::header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
}

/// After a change: what it led to is another page.
pub(super) fn see_other(to: &str) -> Response {
    let to = HeaderValue::try_from(to).unwrap_or(HeaderValue::from_static("/-/"));
    (StatusCode::SEE_OTHER, [(LOCATION, to), (CACHE_CONTROL, HeaderValue::from_static("no-store"))])
        .into_response()
}
