//! All links: searched, filtered, sorted, page by page; changed many at once; taken along as CSV.
//!
//! Guarantees that a view's whole state is in its address, and that a list which is found or sorted by what is secret to
//! the viewer leaves that out.

mod many;
mod table;
mod view;

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::response::Response;
use http::StatusCode;

pub(super) use self::many::change;
pub(super) use self::table::{csv, download};
use self::view::{SORTS, STATUSES, View, WAYS};
use super::format::Times;
use super::question::question;
use super::rows::{Row, rows};
use super::shell::{Shell, page, times};
use crate::domain::access::Role;
use crate::domain::error::Refusal;
use crate::domain::report::{Range, ReportScope};
use crate::reports::{By, Order};
use crate::store::links::LinkPage;
use crate::web::State;
use crate::web::error::Result;
use crate::web::session::Staff;

/// Rows of a page.
const ROWS: usize = 50;
/// Names that a filter proposes.
const KNOWN: usize = 100;
/// Days whose sections and authors are proposed.
const DAYS: i32 = 30;

#[derive(Template)]
#[template(path = "staff/templates/links.html")]
struct Links {
    shell: Shell,
    view: View,
    rows: Vec<Row>,
    times: Times,
    next: Option<String>,
    /// What is wrong with a filter, and which.
    wrong: Option<Refusal>,
    may_change: bool,
    known: Known,
}

/// What filters can be chosen from: fields that take names, each with the best known ones.
type Known = [(&'static str, Vec<String>); 4];

impl Links {
    fn wrong_in(&self, field: &str) -> Option<&str> {
        let wrong = self.wrong.as_ref()?;
        (wrong.field.as_deref() == Some(field)).then_some(&*wrong.detail)
    }
}

/// A page of links.
pub(super) async fn list(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Query(view): Query<View>,
) -> Result<Response> {
    let times = times(&state);
    let shell = Shell::new(&state, &actor, "/-/links");
    let may_change = actor.role >= Role::Creator;
    let known = known(&state, &times).await;
    let filter = match view.filter(&state, &actor, times.now) {
        Ok(filter) => filter,
        Err(wrong) => {
            let (rows, next) = (vec![], None);
            let links = Links { shell, view, rows, times, next, wrong: Some(wrong), may_change, known };
            return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &links));
        }
    };
    let (order, descending) = view.order();
    let after = (!view.code.is_empty()).then(|| (view.key.clone(), view.code.clone()));
    let asked = LinkPage { filter, order, descending, after, limit: ROWS + 1 };
    let mut found = state.links.within(state.links.store().list(asked, times.now)).await?;
    let more = found.len() > ROWS;
    found.truncate(ROWS);
    let last = found.last().filter(|_| more);
    let next = last.map(|last| view.after(&order.key_of(last), last.link.code.as_str()));
    let rows = rows(&state, &found, &actor, times.now).await?;
    Ok(page(StatusCode::OK, &Links { shell, view, rows, times, next, wrong: None, may_change, known }))
}

/// Names for filters, all from memory. Those of sections and authors are from the lists of the last days, if these are at
/// hand: no page waits until they are summed.
async fn known(state: &State, times: &Times) -> Known {
    let calendar = state.reports.calendar();
    let today = calendar.day(times.now);
    let (from, to) = (today.saturating_sub(DAYS - 1), today.saturating_add(1));
    let range = Range { from: calendar.start_of(from), to: calendar.start_of(to) };
    let asked = question(state, ReportScope::Site, range, times.now);
    let named = async |by| {
        let top = state.reports.top_at_hand(&asked, by, Order::usual(by), KNOWN).await;
        let rows = top.iter().flat_map(|top| &top.rows).map(|row| row.value.clone());
        rows.filter(|name| !name.is_empty()).collect::<Vec<String>>()
    };
    let mut channels = state.links.channel_names();
    channels.truncate(KNOWN);
    let mut users = state.accounts.user_names();
    users.truncate(KNOWN);
    [
        ("section", named(By::Section).await),
        ("author", named(By::Author).await),
        ("channel", channels),
        ("created_by", users),
    ]
}
