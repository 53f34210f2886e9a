//! The keyboard: which keys do what, and whether they do (WCAG 2.1.4: keys of one character can be switched off).
//!
//! Guarantees that the page is there without a script too, and that the choice is a browser's own: a cookie with nothing
//! else in it, which no server needs.

use askama::Template;
use axum::extract::State as Shared;
use axum::response::Response;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;

use super::shell::{Shell, page, see_other};
use crate::web::State;
use crate::web::error::Result;
use crate::web::session::{Form64, Staff};

/// The cookie's name; the script reads it.
const NAME: &str = "slugline_keys";
/// A year, in seconds.
const YEAR: u32 = 31_536_000;

type Keys = &'static [(&'static str, &'static str)];

/// What keys do, and where.
const KEYS: [(&str, Keys); 4] = [
    (
        "Everywhere",
        &[
            ("?", "This list"),
            ("n or c", "New link: the desk"),
            ("/", "Search"),
            ("d", "Desk"),
            ("l", "Links"),
            ("v", "Live"),
            ("r", "Reports"),
            ("s", "Settings"),
        ],
    ),
    (
        "In a list of links",
        &[
            ("j and k", "Next and previous link"),
            ("Enter", "Open it"),
            ("c", "Copy its short URL"),
            ("q", "Its QR code"),
            ("e", "Change it"),
            ("x", "Tick it"),
            ("Esc", "Tick none"),
        ],
    ),
    (
        "On pages of numbers",
        &[
            ("1, 7, 3, 9", "24 hours, 7, 30, 90 days"),
            ("y", "A year"),
            ("← and →", "Earlier and later; in a chart, from point to point"),
            ("x", "Compare, or not"),
            ("q", "On a link's page: its QR code"),
        ],
    ),
    (
        "At the desk",
        &[
            ("Ctrl or ⌘ + V", "Paste an address, wherever you are on the page"),
            ("Enter", "Get and copy its short URL"),
            ("Shift + Enter", "Another line"),
        ],
    ),
];

#[derive(Template)]
#[template(path = "staff/templates/keys.html")]
struct Keyboard {
    shell: Shell,
    on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    keys: String,
}

/// Whether this browser's user wants keys.
fn are_on(headers: &HeaderMap) -> bool {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    !pairs.any(|(name, value)| name == NAME && value == "off")
}

/// The page.
pub(super) async fn show(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    headers: HeaderMap,
) -> Result<Response> {
    Ok(page(StatusCode::OK, &Keyboard { shell: Shell::new(&state, &actor, "/-/keys"), on: are_on(&headers) }))
}

/// Switches keys off or on.
pub(super) async fn switch(Staff(..): Staff, Form64(wish): Form64<Wish>) -> Response {
    let value = if wish.keys == "off" { "off" } else { "on" };
    let mut response = see_other("/-/keys");
    let cookie = format!("{NAME}={value}; Path=/-/; Max-Age={YEAR}; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_on_until_they_are_switched_off() {
        let on = |cookie: &'static str| {
            are_on(&[(COOKIE, HeaderValue::from_static(cookie))].into_iter().collect::<HeaderMap>())
        };
        assert!(are_on(&HeaderMap::new()) && on("slugline=x") && on("slugline_keys=on; a=b"));
        assert!(!on("slugline_keys=off") && !on("slugline=x; slugline_keys=off"));
    }
}
