//! A list of links as CSV, however long.
//!
//! Guarantees bounded memory, that a download which was cut short does not look whole, and that what is secret to the
//! viewer is not in it.

use axum::body::{Body, Bytes};
use axum::extract::{Query, State as Shared};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use jiff::Timestamp;

use super::view::View;
use crate::clock;
use crate::domain::access::Actor;
use crate::domain::link::Found;
use crate::domain::tally::{Counts, Scope};
use crate::store::links::LinkPage;
use crate::web::State;
use crate::web::csv as table;
use crate::web::error::Result;
use crate::web::session::Staff;

/// Links asked for at once.
const AT_ONCE: usize = 500;

const COLUMNS: [&str; 18] = [
    "code",
    "short_url",
    "target",
    "title",
    "section",
    "authors",
    "channel",
    "campaign",
    "tags",
    "status",
    "created_at",
    "created_by",
    "via",
    "updated_at",
    "clicks",
    "uniques",
    "previews",
    "bots",
];

/// The list of a view.
pub(in crate::web::staff) async fn csv(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Query(view): Query<View>,
) -> Result<Response> {
    let now = clock::now();
    let filter = view.filter(&state, &actor, now)?;
    let (order, descending) = view.order();
    let first = LinkPage { filter, order, descending, after: None, limit: AT_ONCE };
    let rows = stream::try_unfold((state, actor, Some(first)), move |(state, actor, page)| async move {
        let Some(mut page) = page else { return Ok::<_, crate::store::Error>(None) };
        let found = state.links.within(state.links.store().list(page.clone(), now)).await?;
        let lines = lines(&state, &found, &actor, now).await?;
        let last = found.last().filter(|_| found.len() >= AT_ONCE);
        page.after = last.map(|last| (page.order.key_of(last), last.link.code.to_string()));
        let next = page.after.is_some().then_some(page);
        Ok(Some((Bytes::from(lines), (state, actor, next))))
    });
    let first = stream::once(async { Ok(Bytes::from(head())) });
    Ok(download(
        "links.csv",
        "text/csv; charset=utf-8",
        Body::from_stream(stream::StreamExt::chain(first, rows)),
    ))
}

/// These links as CSV.
pub(super) async fn chosen(
    state: &State,
    found: &[Found],
    viewer: &Actor,
    now: Timestamp,
) -> Result<Response> {
    let text = [head(), lines(state, found, viewer, now).await?].concat();
    Ok(download("links.csv", "text/csv; charset=utf-8", Body::from(text)))
}

/// A file to be kept.
pub(in crate::web::staff) fn download(name: &str, kind: &'static str, body: Body) -> Response {
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (CACHE_CONTROL, "private, no-store".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, body).into_response()
}

async fn lines(
    state: &State,
    found: &[Found],
    viewer: &Actor,
    now: Timestamp,
) -> crate::store::Result<Vec<u8>> {
    let scopes: Vec<Scope> = found.iter().map(|f| Scope::Link(f.link.code.as_str().into())).collect();
    let totals = state.links.within(state.tallies.totals(&scopes)).await?;
    let rows: Vec<Vec<String>> =
        found.iter().zip(totals).map(|(found, totals)| row(state, found, &totals, viewer, now)).collect();
    Ok(table::lines(rows.iter().map(Vec::as_slice)))
}

/// The first line, with what a file begins with.
fn head() -> Vec<u8> {
    table::csv([&COLUMNS.map(str::to_owned)[..]])
}

fn row(state: &State, found: &Found, totals: &Counts, viewer: &Actor, now: Timestamp) -> Vec<String> {
    let (link, hidden) = (&found.link, found.link.is_hidden_from(viewer, now));
    let facts = found.article.as_deref().filter(|_| !hidden).map(|article| &article.facts);
    let text = |value: &Option<String>| value.clone().filter(|_| !hidden).unwrap_or_default();
    let title = match (&link.title, facts) {
        (None, Some(facts)) => facts.title.clone().unwrap_or_default(),
        (title, _) => text(title),
    };
    vec![
        link.code.to_string(),
        format!("{}/{}", state.public_url, link.code),
        text(&link.target),
        title,
        facts.and_then(|facts| facts.section.clone()).unwrap_or_default(),
        facts.map(|facts| facts.authors.join(", ")).unwrap_or_default(),
        link.channel.clone().unwrap_or_default(),
        link.campaign.clone().unwrap_or_default(),
        link.tags.join(", "),
        found.status(now).as_str().to_owned(),
        link.created_at.to_string(),
        link.created_by.clone(),
        link.via.as_str().to_owned(),
        link.updated_at.to_string(),
        totals.clicks.to_string(),
        totals.uniques.to_string(),
        totals.previews.to_string(),
        totals.bots.to_string(),
    ]
}
