//! All links: searched, filtered, sorted, page by page; and changed many at once.
//!
//! Guarantees that a view's whole state is in its address, and that a list which is found or sorted by what is secret to
//! the viewer leaves that out.

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::format::Times;
use super::rows::{Row, rows};
use super::shell::{Shell, page, times};
use crate::domain::access::Role;
use crate::domain::link::Status;
use crate::store::links::{LinkFilter, LinkOrder, LinkPage};
use crate::web::State;
use crate::web::error::Result;
use crate::web::session::Staff;

/// Rows of a page.
const ROWS: usize = 50;

/// The state of a view, as it stands in its address.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct View {
    q: String,
    section: String,
    author: String,
    channel: String,
    campaign: String,
    tag: String,
    created_by: String,
    status: String,
    sort: String,
    /// The last row of the page before: its sort key and its code.
    key: String,
    code: String,
}

const STATUSES: [(&str, &str); 8] = [
    ("active", "active"),
    ("scheduled", "not open yet"),
    ("reserved", "printed, still without target"),
    ("broken", "target broken"),
    ("disabled", "disabled"),
    ("expired", "expired"),
    ("withdrawn", "withdrawn"),
    ("retired", "retired"),
];
const SORTS: [(&str, &str); 4] =
    [("-created", "newest"), ("-updated", "last changed"), ("title", "title"), ("code", "code")];

#[derive(Template)]
#[template(path = "staff/templates/links.html")]
struct Links {
    shell: Shell,
    view: View,
    rows: Vec<Row>,
    times: Times,
    next: Option<String>,
    is_filtered: bool,
}

impl View {
    fn filter(&self, viewer: Option<String>) -> LinkFilter {
        let text = |value: &String| Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        LinkFilter {
            q: text(&self.q),
            section: text(&self.section),
            author: text(&self.author),
            channel: text(&self.channel),
            campaign: text(&self.campaign),
            tag: text(&self.tag),
            created_by: text(&self.created_by),
            status: Status::from_name(&self.status),
            broken: self.status == "broken",
            viewer,
            ..LinkFilter::default()
        }
    }

    fn order(&self) -> (LinkOrder, bool) {
        match self.sort.as_str() {
            "-updated" => (LinkOrder::Updated, true),
            "title" => (LinkOrder::Title, false),
            "code" => (LinkOrder::Code, false),
            _ => (LinkOrder::Created, true),
        }
    }

    /// True if the list tells what its links say.
    fn tells(&self) -> bool {
        let by = [&self.q, &self.section, &self.author];
        by.iter().any(|value| !value.is_empty()) || self.order().0 == LinkOrder::Title
    }

    /// This view after such a row.
    fn after(&self, key: &str, code: &str) -> String {
        let mut query = Serializer::new(String::new());
        let parts = [
            ("q", &self.q),
            ("section", &self.section),
            ("author", &self.author),
            ("channel", &self.channel),
            ("campaign", &self.campaign),
            ("tag", &self.tag),
            ("created_by", &self.created_by),
            ("status", &self.status),
            ("sort", &self.sort),
        ];
        for (name, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        query.append_pair("key", key).append_pair("code", code);
        format!("/-/links?{}", query.finish())
    }
}

/// A page of links.
pub(super) async fn list(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Query(view): Query<View>,
) -> Result<Response> {
    let times = times(&state);
    let viewer = (view.tells() && actor.role != Role::Admin).then(|| actor.name.clone());
    let (order, descending) = view.order();
    let after = (!view.code.is_empty()).then(|| (view.key.clone(), view.code.clone()));
    let filter = view.filter(viewer.clone());
    let is_filtered = filter != LinkFilter { viewer, ..LinkFilter::default() };
    let asked = LinkPage { filter, order, descending, after, limit: ROWS + 1 };
    let mut found = state.links.within(state.links.store().list(asked, times.now)).await?;
    let more = found.len() > ROWS;
    found.truncate(ROWS);
    let last = found.last().filter(|_| more);
    let next = last.map(|last| view.after(&order.key_of(last), last.link.code.as_str()));
    let rows = rows(&state, &found, &actor, times.now).await?;
    let shell = Shell::new(&state, &actor, "/-/links");
    Ok(page(StatusCode::OK, &Links { shell, view, rows, times, next, is_filtered }))
}
