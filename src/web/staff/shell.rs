//! What all pages have in common: the frame, the style sheet and the script, and the headers of an answer.
//!
//! Guarantees a content policy without inline script and style and without another host, and that style sheet and script
//! are kept by browsers for as long as they are the same.

use std::io::Write;
use std::sync::{Arc, LazyLock};

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, VARY};
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

/// The style sheet and the script.
struct Assets {
    css: Asset,
    js: Asset,
}

/// A file that pages load.
struct Asset {
    /// With the hash of what is in it.
    name: String,
    kind: HeaderValue,
    text: String,
    /// The same, smaller; packed once. None if that could not be done.
    packed: Option<Vec<u8>>,
}

impl Asset {
    fn new(text: &'static str, ending: &str, kind: &'static str) -> Asset {
        let text = bare(text);
        let hash = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(&text));
        let name = format!("app-{}.{ending}", hash.chars().take(16).collect::<String>());
        let packed = gzip(text.as_bytes()).ok();
        Asset { name, kind: HeaderValue::from_static(kind), text, packed }
    }
}

/// Without what is for people: indentation, and lines that are a comment.
fn bare(text: &str) -> String {
    let is_comment = |line: &&str| line.starts_with("//") || (line.starts_with("/*") && line.ends_with("*/"));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_comment(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    packer.write_all(bytes)?;
    packer.finish()
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    css: Asset::new(STYLE, "css", "text/css; charset=utf-8"),
    js: Asset::new(SCRIPT, "js", "text/javascript; charset=utf-8"),
});

/// Whether a browser takes what is packed so.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|one| {
        let (name, quality) = one.split_once(';').unwrap_or((one, ""));
        let refused = quality.split_once("q=").is_some_and(|(_, q)| q.trim().parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// A style sheet or script.
pub(super) async fn asset(Path(file): Path<String>, asked: HeaderMap) -> Response {
    let Some(asset) = [&ASSETS.css, &ASSETS.js].into_iter().find(|asset| asset.name == file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let packed = asset.packed.as_deref().filter(|_| takes_gzip(&asked));
    let mut response = packed.unwrap_or(asset.text.as_bytes()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, asset.kind.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if packed.is_some() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
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
            css: format!("/-/assets/{}", ASSETS.css.name),
            js: format!("/-/assets/{}", ASSETS.js.name),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_given_to_who_takes_it() {
        let table = [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.8", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000, br", false),
            ("br", false),
            ("", false),
        ];
        for (says, takes) in table {
            let headers = [(ACCEPT_ENCODING, HeaderValue::from_static(says))].into_iter().collect();
            assert_eq!(takes_gzip(&headers), takes, "{says}");
        }
        let packed = ASSETS.css.packed.as_ref().unwrap();
        assert!(packed.len() * 2 < STYLE.len(), "{}", packed.len());
    }
}
