//! A link's page: its numbers, what it is, its history; and the changes that can be made of it.
//!
//! Guarantees that a change is made on the version that its editor saw, and that who may not see title and target of a
//! confidential link does not see its numbers by source either.

use askama::Template;
use axum::extract::{Path, Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::format::Times;
use super::looking::Looking;
use super::marks;
use super::notes::Notes;
use super::numbers::{Numbers, Subject};
use super::question::{Address, Picker, When};
use super::rows::{Row, maker, rows};
use super::shell::{Shell, page, see_other, times};
use crate::domain::access::Actor;
use crate::domain::error::Reason;
use crate::domain::link::{Broken, Found, HistoryEntry};
use crate::domain::report::ReportScope;
use crate::links::Error as LinkError;
use crate::links::request::Change;
use crate::web::State;
use crate::web::error::Result;
use crate::web::session::{Form64, Staff};

/// Lines of history shown.
const LINES: usize = 50;

#[derive(Template)]
#[template(path = "staff/templates/link.html")]
struct LinkPage {
    shell: Shell,
    row: Row,
    link: Shown,
    numbers: Option<Numbers>,
    picker: Option<Picker>,
    notes: Option<Notes>,
    /// Whoever came here wants to change it.
    changing: bool,
    history: Vec<Line>,
    times: Times,
    may_change: bool,
    wrong: Option<String>,
    /// Its address, to be shared.
    view: String,
}

/// What a link is, as its form shows it.
struct Shown {
    target: String,
    article: Option<(String, String)>,
    title: String,
    note: String,
    message: String,
    tags: String,
    not_before: String,
    expires_at: String,
    disabled: bool,
    retired: bool,
    hidden: bool,
    broken: Option<String>,
    proposal: Option<String>,
    version: u64,
}

/// A line of its history.
struct Line {
    version: u64,
    when: String,
    by: String,
    action: String,
    what: Vec<String>,
    may_revert: bool,
}

impl Shown {
    fn new(found: &Found, viewer: &Actor, times: &Times) -> Shown {
        let (link, hidden) = (&found.link, found.link.is_hidden_from(viewer, times.now));
        let text = |value: &Option<String>| value.clone().filter(|_| !hidden).unwrap_or_default();
        let article = found.article.as_deref().filter(|_| !hidden);
        let broken = link.broken.as_ref().filter(|_| !hidden);
        Shown {
            target: text(&link.target),
            article: article.map(|article| {
                let name = article.facts.title.clone().unwrap_or_else(|| article.url.clone());
                (article.id.0.to_string(), name)
            }),
            title: text(&link.title),
            note: text(&link.note),
            message: link.message.clone().unwrap_or_default(),
            tags: link.tags.join(", "),
            not_before: times.field(link.not_before),
            expires_at: times.field(link.expires_at),
            disabled: link.disabled,
            retired: link.retired_at.is_some(),
            hidden,
            broken: broken.map(|broken| what_is_broken(broken, times)),
            proposal: broken.and_then(|broken| broken.proposal.clone()),
            version: link.version,
        }
    }
}

/// What a broken target answers.
pub(super) fn what_is_broken(broken: &Broken, times: &Times) -> String {
    let status = broken.status.map_or_else(|| "it cannot be reached".into(), |n| format!("it answers {n}"));
    format!("{status}, since {}", times.short(broken.since))
}

/// The view that is asked for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    #[serde(flatten)]
    when: When,
    /// Anything: the form is open.
    change: String,
}

/// A link and its numbers.
pub(super) async fn show(
    Shared(state): Shared<State>,
    looking: Looking,
    Path(code): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let found = state.links.get(&code).await?;
    let mut view = view(&state, (&looking.actor, !looking.shared), &found, &asked.when, None).await?;
    view.changing = !asked.change.is_empty();
    if looking.shared {
        // What is for colleagues is for them.
        (view.shell.shared, view.history, view.picker) = (true, vec![], None);
        view.link.note.clear();
    }
    view.view = looking.view;
    Ok(page(StatusCode::OK, &view))
}

async fn view(
    state: &State,
    (actor, linked): (&Actor, bool),
    found: &Found,
    when: &When,
    wrong: Option<String>,
) -> Result<LinkPage> {
    let (times, link) = (times(state), &found.link);
    let now = times.now;
    let address = Address { path: format!("/-/links/{}", link.code), view: vec![] };
    let range = when.range(state, link.created_at, times.now)?;
    let shown = Shown::new(found, actor, &times);
    let history = if shown.hidden { vec![] } else { state.links.history(&link.code, None, LINES).await? };
    let numbers = match shown.hidden {
        true => None,
        false => {
            let mut marks = marks::of_link(found, &history, now);
            // What is noted is for colleagues.
            marks.extend(found.article.iter().filter(|_| linked).flat_map(|article| marks::noted(article)));
            let scope = ReportScope::Link(link.code.clone());
            let subject = Subject { scope, range, compare: when.compare()?, when, marks, linked };
            Some(Numbers::new(state, &subject, &times).await?)
        }
    };
    let mut row = rows(state, std::slice::from_ref(found), actor, times.now).await?;
    let row = row.pop().ok_or(crate::web::error::Error::Internal)?;
    let may_change = actor.require_change_of(&link.created_by).is_ok() && !shown.retired;
    let shell = Shell::new(state, actor, "/-/links");
    let article = found.article.as_ref().filter(|_| !shown.hidden);
    let on = (address.path.as_str(), shell.zone.as_str());
    let notes = article.and_then(|article| Notes::new(article, actor, on, &times, None));
    let line = |entry: &HistoryEntry| line(entry, &times, may_change && entry.version < link.version);
    Ok(LinkPage {
        shell,
        row,
        changing: wrong.is_some(),
        notes: notes.filter(|_| linked),
        history: history.iter().map(line).collect(),
        link: shown,
        numbers,
        times,
        may_change,
        wrong,
        view: address.path.clone(),
        picker: Some(Picker::new(state, address, (when, range), true, now)),
    })
}

fn line(entry: &HistoryEntry, times: &Times, may_revert: bool) -> Line {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => "nothing".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let shown = entry.changes.iter().filter(|(field, _)| *field != "follows_article");
    let what = shown.map(|(field, change)| {
        let field = field.replace('_', " ");
        match (change.get("from"), change.get("to")) {
            (Some(from), Some(to)) => format!("{field}: {} → {}", text(from), text(to)),
            _ => format!("{field}: {}", text(change)),
        }
    });
    Line {
        version: entry.version,
        when: times.long(entry.at),
        by: maker(&entry.by),
        action: entry.action.clone(),
        what: what.collect(),
        may_revert,
    }
}

/// Changes a link by its form, or puts an earlier version back.
pub(super) async fn change(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Path(code): Path<String>,
    Form64(pairs): Form64<Vec<(String, String)>>,
) -> Result<Response> {
    let times = times(&state);
    let found = state.links.get(&code).await?;
    let outcome = match asked(&pairs, &found, &actor, &times) {
        Ok(change) => state.links.change(&code, change, &actor, times.now).await,
        Err(wrong) => {
            let view = view(&state, (&actor, true), &found, &When::default(), Some(wrong)).await?;
            return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &view));
        }
    };
    match outcome {
        Ok(found) => Ok(see_other(&format!("/-/links/{}", found.link.code))),
        Err(LinkError::Refused(refusal)) => {
            let now = state.links.get(&code).await?;
            let wrong = match refusal.reason {
                Reason::Stale => "Somebody changed this link meanwhile. Look at it again, and change it if you still want to.".into(),
                _ => refusal.detail.to_string(),
            };
            let view = view(&state, (&actor, true), &now, &When::default(), Some(wrong)).await?;
            Ok(page(StatusCode::CONFLICT, &view))
        }
        Err(error) => Err(error.into()),
    }
}

/// What a form asks for: only what it says otherwise than the link is.
fn asked(
    pairs: &[(String, String)],
    found: &Found,
    viewer: &Actor,
    times: &Times,
) -> std::result::Result<Change, String> {
    let value =
        |name: &str| pairs.iter().find(|(its, _)| its == name).map(|(_, value)| value.trim().to_owned());
    let version = value("version").and_then(|version| version.parse().ok());
    if let Some(to) = value("revert_to") {
        return Ok(Change { version, revert_to: to.parse().ok(), ..Change::default() });
    }
    let is = Shown::new(found, viewer, times);
    let text = |name: &str, is: &str| {
        value(name).filter(|said| said != is).map(|said| Some(said).filter(|said| !said.is_empty()))
    };
    let time = |name: &'static str, words: &str, is: &str| match text(name, is) {
        None => Ok(None),
        Some(None) => Ok(Some(None)),
        Some(Some(said)) => times.read(&said).map(|at| Some(Some(at))).ok_or(format!("{words} is no time")),
    };
    let tags = text("tags", &is.tags)
        .map(|tags| tags.map(|tags| tags.split(',').map(|tag| tag.trim().to_owned()).collect()));
    let disabled =
        value("disabled").map(|said| Some(said == "true")).filter(|said| *said != Some(is.disabled));
    Ok(Change {
        version,
        url: text("url", &is.target),
        title: text("title", &is.title),
        note: text("note", &is.note),
        message: text("message", &is.message),
        tags,
        not_before: time("not_before", "Opens", &is.not_before)?,
        expires_at: time("expires_at", "Ends", &is.expires_at)?,
        disabled,
        ..Change::default()
    })
}

/// Retires a link for good.
pub(super) async fn retire(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Path(code): Path<String>,
    Form64(pairs): Form64<Vec<(String, String)>>,
) -> Result<Response> {
    let times = times(&state);
    let sure = pairs.iter().any(|(name, value)| name == "code" && value.trim() == code);
    if !sure {
        let found = state.links.get(&code).await?;
        let wrong = Some("To retire a link for good, type its code.".into());
        let view = view(&state, (&actor, true), &found, &When::default(), wrong).await?;
        return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &view));
    }
    state.links.retire(&code, &actor, times.now).await?;
    Ok(see_other(&format!("/-/links/{code}")))
}
