//! Links as rows of tables: what lists, the desk and a story's page show of one.
//!
//! Guarantees that what is secret to the viewer is not in a row.

use jiff::Timestamp;

use super::charts::spark;
use super::format::{Times, number};
use super::shell::times;
use crate::domain::access::Actor;
use crate::domain::link::{Broken, Found, Status};
use crate::domain::tally::{Counts, Scope};
use crate::web::State;
use crate::web::error::Result;

/// One link.
pub(super) struct Row {
    pub(super) code: String,
    /// Without the scheme, as people say it.
    pub(super) short: String,
    /// With it, to copy.
    pub(super) url: String,
    pub(super) title: String,
    /// What the newsroom wrote, and not an address.
    pub(super) is_headline: bool,
    pub(super) channel: String,
    pub(super) section: String,
    pub(super) maker: String,
    pub(super) created_at: Timestamp,
    /// "" while it is active.
    pub(super) status: String,
    /// What is wrong with its target.
    pub(super) broken: bool,
    pub(super) version: u64,
    pub(super) clicks: String,
    /// The last 24 hours, as a picture.
    pub(super) spark: String,
}

/// The rows of these links.
pub(super) async fn rows(state: &State, found: &[Found], viewer: &Actor, now: Timestamp) -> Result<Vec<Row>> {
    let scopes: Vec<Scope> = found.iter().map(|f| Scope::Link(f.link.code.as_str().into())).collect();
    let totals = state.links.within(state.tallies.totals(&scopes)).await?;
    let days = state.reports.last_hours(&scopes, now).await?;
    let (rows, times) = (found.iter().zip(totals).zip(days), Times { now, ..times(state) });
    Ok(rows.map(|((found, totals), hours)| row(state, found, (totals, &hours[..]), viewer, &times)).collect())
}

fn row(
    state: &State,
    found: &Found,
    (totals, hours): (Counts, &[u64]),
    viewer: &Actor,
    times: &Times,
) -> Row {
    let (link, hidden) = (&found.link, found.link.is_hidden_from(viewer, times.now));
    let article = found.article.as_deref().filter(|_| !hidden);
    let headline = link.title.as_deref().filter(|_| !hidden);
    let headline = headline.or_else(|| article.and_then(|article| article.facts.title.as_deref()));
    let target = link.target.as_deref().filter(|_| !hidden);
    let title = match (headline, target) {
        (Some(headline), _) => headline.to_owned(),
        (None, Some(target)) => without_scheme(target).to_owned(),
        (None, None) if hidden => "Confidential until it opens".to_owned(),
        (None, None) => "No target yet".to_owned(),
    };
    let url = format!("{}/{}", state.public_url, link.code);
    Row {
        code: link.code.to_string(),
        short: without_scheme(&url).to_owned(),
        url,
        title,
        is_headline: headline.is_some(),
        channel: link.channel.clone().unwrap_or_default(),
        section: article.and_then(|article| article.facts.section.clone()).unwrap_or_default(),
        maker: maker(&link.created_by),
        created_at: link.created_at,
        status: in_words(found, hidden, times),
        version: link.version,
        broken: link.broken.is_some() && !hidden,
        clicks: number(totals.clicks),
        spark: spark(hours),
    }
}

/// An address as people say it.
pub(super) fn without_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// Who made something, without what kind of name it is.
pub(super) fn maker(name: &str) -> String {
    match name.split_once(':') {
        Some(("user", name)) => name.to_owned(),
        Some(("key", id)) => format!("key {id}"),
        _ => name.to_owned(),
    }
}

/// What a broken target answers.
pub(super) fn answers(broken: &Broken) -> String {
    broken.status.map_or_else(|| "it cannot be reached".into(), |status| format!("it answers {status}"))
}

/// Where a link is in its life; nothing while it simply leads on.
fn in_words(found: &Found, hidden: bool, times: &Times) -> String {
    let link = &found.link;
    let at = |words: &str, at: Option<Timestamp>| match at {
        Some(at) => format!("{words} {}", times.short(at)),
        None => words.to_owned(),
    };
    match found.status(times.now) {
        Status::Active => match link.broken.as_ref().filter(|_| !hidden) {
            Some(broken) => format!("Target broken: {}", answers(broken)),
            None => String::new(),
        },
        Status::Scheduled => at("Opens", link.not_before),
        Status::Reserved => "Printed, still without target".into(),
        Status::Withdrawn => "Withdrawn".into(),
        Status::Disabled => "Disabled".into(),
        Status::Expired => at("Ended", link.expires_at),
        Status::Retired => at("Retired", link.retired_at),
    }
}
