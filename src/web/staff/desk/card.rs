//! What is known of an address before a link is made of it, and whether a code is free: parts of the desk that its script
//! asks for while somebody types.
//!
//! Guarantees that asking changes nothing, that no page is read for it, and that what is secret to who asks is not told.

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use url::Url;

use super::make::in_words as in_words_of;
use crate::domain::access::Actor;
use crate::domain::code::Code;
use crate::domain::link::Found;
use crate::links::{Error as LinkError, Lookup};
use crate::web::State;
use crate::web::error::Result;
use crate::web::session::Staff;
use crate::web::staff::format::Times;
use crate::web::staff::rows::{Row, rows};
use crate::web::staff::shell::{page, times};

/// Links that a card names.
const LINKS: usize = 5;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web::staff) struct Asked {
    url: String,
    code: String,
}

/// What is known of an address before a link is made.
#[derive(Template)]
#[template(path = "staff/templates/card.html")]
pub(super) struct Card {
    headline: Option<String>,
    about: String,
    target: String,
    /// What would be dropped from the address, in words; "" for nothing.
    dropped: String,
    /// Leaves the newsroom's own hosts.
    leaves: Option<String>,
    links: Vec<Row>,
    /// So many more than are named.
    more: usize,
    times: Times,
    pub(super) wrong: Option<String>,
}

#[derive(Template)]
#[template(path = "staff/templates/code.html")]
struct Standing {
    is_free: bool,
    says: String,
    /// Where the link is that has it.
    href: String,
}

/// What is known of an address, as a part of a page.
pub(in crate::web::staff) async fn card(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    Ok(page(StatusCode::OK, &card_of(&state, &actor, &asked.url).await?))
}

/// Whether a code is free, as a part of a page.
pub(in crate::web::staff) async fn code(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let (text, times) = (asked.code.trim(), times(&state));
    let standing = match Code::for_new_link(text) {
        Err(refusal) => Standing { is_free: false, says: refusal.detail.into(), href: String::new() },
        Ok(code) => match state.links.find(code.as_str()).await? {
            None => Standing { is_free: true, says: format!("{code} is free."), href: String::new() },
            Some(found) => {
                let row = rows(&state, std::slice::from_ref(&found), &actor, times.now).await?.pop();
                let of = row.map(|row| row.title).unwrap_or_default();
                let says = format!("{} is taken: {of}", found.link.code);
                Standing { is_free: false, says, href: format!("/-/links/{}", found.link.code) }
            }
        },
    };
    Ok(page(StatusCode::OK, &standing))
}

pub(super) async fn card_of(state: &State, actor: &Actor, url: &str) -> Result<Card> {
    let times = times(state);
    match state.links.lookup(url, actor, times.now).await {
        Ok(lookup) => known(state, actor, (url, lookup), times).await,
        Err(LinkError::Refused(refusal)) => Ok(Card {
            headline: None,
            about: String::new(),
            target: String::new(),
            dropped: String::new(),
            leaves: None,
            links: vec![],
            more: 0,
            times,
            wrong: Some(in_words_of(&refusal)),
        }),
        Err(error) => Err(error.into()),
    }
}

async fn known(state: &State, actor: &Actor, (url, lookup): (&str, Lookup), times: Times) -> Result<Card> {
    let facts = lookup.article.as_deref().map(|article| article.facts.clone()).unwrap_or_default();
    let mut about: Vec<String> = facts.section.into_iter().collect();
    if !facts.authors.is_empty() {
        about.push(facts.authors.join(", "));
    }
    about.extend(facts.published_at.map(|at| format!("published {}", times.short(at))));
    about.push(lookup.address.site.clone());
    let mut open: Vec<Found> =
        lookup.links.into_iter().filter(|found| found.link.retired_at.is_none()).collect();
    let more = open.len().saturating_sub(LINKS);
    open.truncate(LINKS);
    let host = Url::parse(&lookup.address.target).ok().and_then(|url| url.host_str().map(str::to_owned));
    let leaves = host.filter(|_| !lookup.address.allowed && state.links.knows_own_hosts());
    // By the address alone: a story may have moved since.
    let plain = state.links.rules().address(url, false, "url").map(|address| address.target);
    let form = plain.ok().and_then(|plain| form(url, &plain));
    Ok(Card {
        headline: facts.title,
        about: about.join(" · "),
        target: lookup.address.target,
        dropped: in_words(form, lookup.address.dropped.len()),
        leaves,
        links: rows(state, &open, actor, times.now).await?,
        more,
        times,
        wrong: None,
    })
}

/// Which form of the page was pasted, if another one is led to.
fn form(pasted: &str, target: &str) -> Option<&'static str> {
    let (pasted, target) = (Url::parse(pasted.trim()).ok()?, Url::parse(target).ok()?);
    let same_host = pasted.host_str() == target.host_str();
    let label = pasted.host_str().unwrap_or_default().split('.').next().unwrap_or_default();
    match () {
        () if same_host && pasted.path().trim_end_matches('/') == target.path().trim_end_matches('/') => None,
        () if !same_host && matches!(label, "m" | "mobile" | "mobil") => Some("Mobile form"),
        () if pasted.as_str().to_ascii_lowercase().contains("amp") => Some("AMP form"),
        () => None,
    }
}

/// "AMP form and two tracking parameters dropped."
fn in_words(form: Option<&str>, parameters: usize) -> String {
    const NUMBERS: [&str; 9] = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let number = parameters.checked_sub(1).and_then(|at| NUMBERS.get(at)).map(|word| (*word).to_owned());
    let number = number.unwrap_or_else(|| parameters.to_string());
    let names = match parameters {
        0 => None,
        1 => Some(format!("{number} tracking parameter")),
        _ => Some(format!("{number} tracking parameters")),
    };
    let text = match (form, names) {
        (None, None) => return String::new(),
        (Some(form), None) => form.to_owned(),
        (None, Some(names)) => names,
        (Some(form), Some(names)) => format!("{form} and {names}"),
    };
    let first = text.chars().next().map(|c| c.to_ascii_uppercase()).unwrap_or_default();
    format!("{first}{} dropped.", text.get(first.len_utf8()..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_said_in_words() {
        let table = [
            (None, 0, ""),
            (None, 1, "One tracking parameter dropped."),
            (Some("AMP form"), 0, "AMP form dropped."),
            (Some("AMP form"), 2, "AMP form and two tracking parameters dropped."),
            (None, 12, "12 tracking parameters dropped."),
        ];
        for (form, parameters, words) in table {
            assert_eq!(in_words(form, parameters), words);
        }
        let table = [
            ("https://a.example/amp/x", "https://a.example/x", Some("AMP form")),
            ("https://m.a.example/x", "https://a.example/x", Some("Mobile form")),
            ("https://a.example/x?utm_source=y", "https://a.example/x", None),
            ("https://a.example/x/", "https://a.example/x", None),
        ];
        for (pasted, target, said) in table {
            assert_eq!(form(pasted, target), said, "{pasted}");
        }
    }
}
