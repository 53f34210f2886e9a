//! Reports: the whole newsroom by stories, sections, authors, channels, sources, places and times.
//!
//! Guarantees that rows and "others" are the total, that rows which name a scope lead to it, and that each list can be had
//! as CSV of the same range.

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::charts::heat;
use super::format::{change, number, share};
use super::looking::Looking;
use super::numbers::Numbers;
use super::question::{PERIODS, When, question};
use super::shell::{Shell, page, times};
use crate::domain::report::{Range, ReportScope};
use crate::reports::{By, HeatRow, Order, Top};
use crate::web::State;
use crate::web::error::Result;

/// Rows of a list.
const ROWS: usize = 50;
/// What is shown if nothing is asked for.
const USUAL: &str = "7d";
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Lists: what stands in the address, what people say.
const TABS: [(&str, &str); 13] = [
    ("overview", "Overview"),
    ("article", "Stories"),
    ("link", "Links"),
    ("section", "Sections"),
    ("author", "Authors"),
    ("channel", "Channels"),
    ("campaign", "Campaigns"),
    ("creator", "Makers"),
    ("source", "Sources"),
    ("country", "Countries"),
    ("preview", "Previews"),
    ("bot", "Bots"),
    ("times", "Times"),
];

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    tab: String,
    scope: String,
    period: String,
    from: String,
    to: String,
}

#[derive(Template)]
#[template(path = "staff/templates/reports.html")]
struct Reports {
    shell: Shell,
    scope: String,
    tabs: Vec<(String, &'static str, bool)>,
    periods: Vec<(String, &'static str, bool)>,
    name: &'static str,
    numbers: Option<Numbers>,
    rows: Vec<ReportRow>,
    others: Option<(String, String)>,
    heat: Vec<(&'static str, Vec<(String, String)>)>,
    csv: String,
    when: When,
    /// Its address, to be shared.
    view: String,
}

/// A row of a list.
struct ReportRow {
    label: String,
    href: Option<String>,
    clicks: String,
    share: String,
    change: String,
    up: bool,
    others: String,
}

impl Asked {
    fn tab(&self) -> (&'static str, &'static str) {
        TABS.into_iter().find(|(name, _)| *name == self.tab).unwrap_or(TABS[0])
    }

    fn when(&self) -> When {
        let none = self.period.is_empty() && self.from.is_empty() && self.to.is_empty();
        let period = if none { USUAL.to_owned() } else { self.period.clone() };
        When { period, from: self.from.clone(), to: self.to.clone() }
    }

    /// This view with another tab or period.
    fn address(&self, tab: &str, period: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        let kept = |value: &str| value.to_owned();
        let parts = match period {
            Some(period) => [("period", kept(period)), ("from", String::new()), ("to", String::new())],
            None => [("period", kept(&self.period)), ("from", kept(&self.from)), ("to", kept(&self.to))],
        };
        query.append_pair("tab", tab);
        for (name, value) in
            parts.into_iter().chain([("scope", kept(&self.scope))]).filter(|(_, v)| !v.is_empty())
        {
            query.append_pair(name, &value);
        }
        format!("/-/reports?{}", query.finish())
    }
}

/// A report.
pub(super) async fn show(
    Shared(state): Shared<State>,
    looking: Looking,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let times = times(&state);
    let scope = match asked.scope.as_str() {
        "" => ReportScope::Site,
        scope => ReportScope::parse(scope)?,
    };
    let (tab, name) = asked.tab();
    let when = asked.when();
    let range = when.range(&state, Timestamp::UNIX_EPOCH, times.now)?;
    let periods = PERIODS.iter().filter(|(period, _)| *period != "all");
    let mut report = Reports {
        shell: Shell::new(&state, &looking.actor, "/-/reports"),
        scope: asked.scope.clone(),
        tabs: TABS.iter().map(|(its, words)| (asked.address(its, None), *words, *its == tab)).collect(),
        periods: periods
            .map(|(period, words)| (asked.address(tab, Some(period)), *words, when.name() == *period))
            .collect(),
        name,
        numbers: None,
        rows: vec![],
        others: None,
        heat: vec![],
        csv: csv(tab, &asked.scope, range),
        when,
        view: looking.view,
    };
    report.shell.shared = looking.shared;
    match tab {
        "overview" => report.numbers = Some(Numbers::new(&state, &scope, range, &[], &times).await?),
        "times" => {
            let heat = state.reports.heat(&question(&state, scope, range, times.now)).await?;
            report.heat = week(&heat.rows);
        }
        by => list(&state, &mut report, (scope, range), By::parse(Some(by))?, times.now).await?,
    }
    if looking.shared {
        // They lead to what is not shared.
        report.rows.iter_mut().for_each(|row| row.href = None);
    }
    Ok(page(StatusCode::OK, &report))
}

/// Where the same is as CSV.
fn csv(tab: &str, scope: &str, range: Range) -> String {
    let time = |second: i64| Timestamp::from_second(second).map(|at| at.to_string()).unwrap_or_default();
    let mut query = Serializer::new(String::new());
    query.append_pair("from", &time(range.from)).append_pair("to", &time(range.to));
    if !scope.is_empty() {
        query.append_pair("scope", scope);
    }
    match tab {
        "overview" => format!("/api/v1/reports/series.csv?unit=day&{}", query.finish()),
        "times" => format!("/api/v1/reports/heat.csv?{}", query.finish()),
        by => format!("/api/v1/reports/top.csv?by={by}&limit=1000&{}", query.finish()),
    }
}

async fn list(
    state: &State,
    report: &mut Reports,
    (scope, range): (ReportScope, Range),
    by: By,
    now: Timestamp,
) -> Result<()> {
    let order = match by {
        By::Preview => Order::Preview,
        By::Bot => Order::Bot,
        _ => Order::Click,
    };
    let asked = question(state, scope.clone(), range, now);
    let top = state.reports.top(&asked, by, order, ROWS).await?;
    let long = range.to - range.from;
    let before = Range { from: range.from - long, to: range.from };
    let before = question(state, scope, before, now);
    let before = state.reports.counts_of(&before, by, &top.rows).await?;
    let of = |counts: &crate::domain::tally::Counts| match order {
        Order::Preview => counts.previews,
        Order::Bot => counts.bots,
        _ => counts.clicks,
    };
    let all = of(&top.total);
    report.rows = top
        .rows
        .iter()
        .zip(&before)
        .map(|(row, before)| {
            let (change, up) = change(of(&row.counts), of(before));
            ReportRow {
                label: row.label.clone(),
                href: leads(by, &row.value),
                clicks: number(of(&row.counts)),
                share: share(of(&row.counts), all),
                change,
                up,
                others: number(row.counts.hits().saturating_sub(of(&row.counts))),
            }
        })
        .collect();
    report.others = others(&top, of(&top.other), all);
    Ok(())
}

fn others(top: &Top, rest: u64, all: u64) -> Option<(String, String)> {
    (rest > 0 && !top.rows.is_empty()).then(|| (number(rest), share(rest, all)))
}

/// Where a row leads, if it names something that has numbers of its own.
fn leads(by: By, value: &str) -> Option<String> {
    let scoped = |kind: &str| {
        let query = Serializer::new(String::new()).append_pair("scope", &format!("{kind}:{value}")).finish();
        Some(format!("/-/reports?{query}"))
    };
    match by {
        By::Link => Some(format!("/-/links/{value}")),
        By::Article => Some(format!("/-/articles/{value}")),
        By::Section => scoped("section"),
        By::Author => scoped("author"),
        By::Channel => scoped("channel"),
        By::Creator => scoped("creator"),
        _ => None,
    }
}

/// A week, day by day, hour by hour: each cell's picture and number.
fn week(rows: &[HeatRow]) -> Vec<(&'static str, Vec<(String, String)>)> {
    let most = rows.iter().map(|row| row.counts.clicks).max().unwrap_or(0);
    let of = |day: i8| {
        let hours = rows.iter().filter(move |row| row.weekday == day);
        hours.map(|row| (heat(row.counts.clicks, most), number(row.counts.clicks))).collect()
    };
    (1..).zip(DAYS).map(|(day, name)| (name, of(day))).collect()
}

impl Reports {
    fn hours(&self) -> std::ops::Range<u8> {
        0..24
    }
}
