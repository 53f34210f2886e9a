//! Letters, as text and as simple HTML: no picture, nothing from elsewhere, nothing that tells who has read them.

use askama::Template;
use jiff::Timestamp;

use super::contents::Contents;
use super::mail::Letter;

#[derive(Template)]
#[template(path = "digest.txt")]
struct Text<'a> {
    its: &'a Contents,
    me_url: &'a str,
    end_url: &'a str,
}

#[derive(Template)]
#[template(path = "digest.html")]
struct Html<'a> {
    its: &'a Contents,
    me_url: &'a str,
    end_url: &'a str,
}

#[derive(Template)]
#[template(path = "confirm.txt")]
struct Confirm<'a> {
    newsroom: &'a str,
    user: &'a str,
    url: &'a str,
}

/// A digest for somebody. `end_url` ends it without signing in; `id` is the same if it is sent again.
///
/// # Errors
/// The template's.
pub(super) fn digest(
    its: &Contents,
    (to, id): (&str, String),
    (me_url, end_url): (&str, &str),
    at: Timestamp,
) -> askama::Result<Letter> {
    Ok(Letter {
        to: to.to_owned(),
        subject: format!("{}: {} clicks, {}", its.newsroom, its.clicks.shown(), its.days),
        text: Text { its, me_url, end_url }.render()?,
        html: Some(Html { its, me_url, end_url }.render()?),
        id,
        unsubscribe: Some(end_url.to_owned()),
        at,
    })
}

/// What asks whether a digest may go to an address.
///
/// # Errors
/// The template's.
pub(super) fn confirm(
    (newsroom, user, url): (&str, &str, &str),
    (to, id): (&str, String),
    at: Timestamp,
) -> askama::Result<Letter> {
    Ok(Letter {
        to: to.to_owned(),
        subject: format!("{newsroom}: your digest"),
        text: Confirm { newsroom, user, url }.render()?,
        html: None,
        id,
        unsubscribe: None,
        at,
    })
}
