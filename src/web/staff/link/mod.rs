//! A link's page: its numbers, what it is, its history; and the changes that can be made of it.
//!
//! Guarantees that a change is made on the version that its editor saw, that what was typed is not lost by a refusal, and
//! that who may not see title and target of a confidential link does not see its numbers by source either.

mod form;

use askama::Template;
use axum::extract::{Path, Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use self::form::{Form, as_it_was};
use super::format::Times;
use super::heat::Heat;
use super::history::{Back, History, what};
use super::looking::Looking;
use super::marks;
use super::notes::{Notes, Wrong};
use super::numbers::{Numbers, Subject};
use super::question::{Address, NoNumbers, Picker, When};
use super::rows::{Row, answers, maker, rows};
use super::shell::{Shell, page, see_other, times};
use crate::domain::access::Actor;
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::{Broken, Found, HistoryEntry};
use crate::domain::report::ReportScope;
use crate::links::Error as LinkError;
use crate::links::request::Change;
use crate::web::State;
use crate::web::error::{Error, Result, status_of};
use crate::web::session::{Form64, Staff, said};

/// Lines of history shown.
const LINES: usize = 50;
/// Lines of history that a form may be behind.
const BEHIND: usize = 200;

#[derive(Template)]
#[template(path = "staff/templates/link.html")]
struct LinkPage {
    shell: Shell,
    row: Row,
    link: Shown,
    form: Form,
    numbers: Option<Numbers>,
    heat: Option<Heat>,
    /// Why there are no numbers, where that is because of its address.
    none: Option<NoNumbers>,
    picker: Option<Picker>,
    notes: Option<Notes>,
    /// Whoever came here wants to change it.
    changing: bool,
    history: Option<History>,
    times: Times,
    may_change: bool,
    /// What is wrong with none of its fields.
    wrong: Option<String>,
    /// What others changed since the form was read: who, and what.
    meanwhile: Vec<String>,
    /// Its address, to be shared.
    view: String,
}

/// What a link is.
struct Shown {
    target: String,
    article: Option<(String, String)>,
    note: String,
    tags: String,
    retired: bool,
    hidden: bool,
    broken: Option<String>,
    proposal: Option<String>,
    version: u64,
}

/// What was wanted of it and is not there.
#[derive(Default)]
struct Failed {
    /// The form as it was sent.
    form: Option<Form>,
    wrong: Option<String>,
    meanwhile: Vec<String>,
    note: Option<Wrong>,
    none: Option<NoNumbers>,
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
            note: text(&link.note),
            tags: link.tags.join(", "),
            retired: link.retired_at.is_some(),
            hidden,
            broken: broken.map(|broken| what_is_broken(broken, times)),
            proposal: broken.and_then(|broken| broken.proposal.clone()),
            version: link.version,
        }
    }

    /// Without what is for colleagues.
    fn for_strangers(&mut self) {
        self.note.clear();
        self.tags.clear();
        (self.broken, self.proposal) = (None, None);
    }
}

/// What a broken target answers, and since when.
pub(super) fn what_is_broken(broken: &Broken, times: &Times) -> String {
    format!("{}, since {}", answers(broken), times.short(broken.since))
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
    let viewer = (&looking.actor, !looking.shared);
    let (status, mut view) = match view(&state, viewer, &found, &asked.when, Failed::default()).await {
        Err(Error::Refused(refusal)) => {
            let none = Some(asked.when.wrong(&refusal).ok_or_else(|| refusal.clone())?);
            let failed = Failed { none, ..Failed::default() };
            let view = view(&state, viewer, &found, &asked.when, failed).await?;
            (status_of(refusal.reason), view)
        }
        view => (StatusCode::OK, view?),
    };
    view.changing = !asked.change.is_empty();
    if looking.shared {
        // What is for colleagues is for them.
        (view.shell.shared, view.history, view.picker) = (true, None, None);
        view.link.for_strangers();
        if view.row.broken {
            (view.row.broken, view.row.status) = (false, String::new());
        }
    }
    view.view = looking.view;
    Ok(page(status, &view))
}

/// The same with a note of its story that is not there, and why.
pub(super) async fn with_note(state: &State, actor: &Actor, code: &str, wrong: Wrong) -> Result<Response> {
    let found = state.links.get(code).await?;
    let failed = Failed { note: Some(wrong), ..Failed::default() };
    failed_page(state, actor, &found, StatusCode::UNPROCESSABLE_ENTITY, failed).await
}

async fn failed_page(
    state: &State,
    actor: &Actor,
    found: &Found,
    status: StatusCode,
    failed: Failed,
) -> Result<Response> {
    let view = view(state, (actor, true), found, &When::default(), failed).await?;
    Ok(page(status, &view))
}

async fn view(
    state: &State,
    (actor, linked): (&Actor, bool),
    found: &Found,
    when: &When,
    failed: Failed,
) -> Result<LinkPage> {
    let (times, link) = (times(state), &found.link);
    let address = Address { path: format!("/-/links/{}", link.code), view: vec![] };
    let (shown, shell) = (Shown::new(found, actor, &times), Shell::new(state, actor, "/-/links"));
    let hidden = shown.hidden;
    let entries = if hidden { vec![] } else { state.links.history(&link.code, None, LINES).await? };
    // The picker leads from what is not there to what is.
    let when = if failed.none.is_some() { &when.known() } else { when };
    let time = if failed.none.is_some() { &When::default() } else { when };
    let range = time.range(state, link.created_at, times.now)?;
    let picker = Picker::new(state, address.clone(), (when, range), true, times.now);
    let picker = picker.without(failed.none.as_ref());
    let (mut numbers, mut heat) = (None, None);
    if !hidden && failed.none.is_none() {
        let mut marks = marks::of_link(found, &entries, times.now);
        // What is noted is for colleagues.
        marks.extend(found.article.iter().filter(|_| linked).flat_map(|article| marks::noted(article)));
        let scope = ReportScope::Link(link.code.clone());
        let subject = Subject { scope, range, compare: when.compare()?, when, marks, linked };
        numbers = Some(Numbers::new(state, &subject, &times).await?);
        heat = Heat::new(state, &subject, &shell.zone, &times).await?;
    }
    let row =
        rows(state, std::slice::from_ref(found), actor, times.now).await?.pop().ok_or(Error::Internal)?;
    let may_change = actor.require_change_of(&link.created_by).is_ok() && !shown.retired;
    let article = found.article.as_ref().filter(|_| linked && !hidden);
    let on = (address.path.as_str(), shell.zone.as_str());
    let notes = article.and_then(|article| Notes::new(article, actor, on, &times, failed.note));
    let back = |entry: &HistoryEntry| {
        let may = may_change && entry.version < link.version;
        may.then_some(Back { name: "revert_to", value: entry.version, words: "Put this back" })
    };
    Ok(LinkPage {
        shell,
        row,
        changing: failed.form.is_some() || failed.wrong.is_some(),
        notes,
        history: Some(History::new(&entries, (&address.path, link.version), &times, back)),
        form: failed.form.unwrap_or_else(|| Form::of(link, actor, &times)),
        link: shown,
        numbers,
        heat,
        none: failed.none,
        may_change,
        wrong: failed.wrong,
        meanwhile: failed.meanwhile,
        view: address.path.clone(),
        picker: (!hidden).then_some(picker),
        times,
    })
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
    actor.require_change_of(&found.link.created_by)?;
    let number = |name: &str| said(&pairs, name)?.parse::<u64>().ok();
    let (version, revert_to) = (number("version"), number("revert_to"));
    let is = Form::of(&found.link, &actor, &times);
    let mut form = is.with(&pairs);
    let change = match revert_to {
        Some(_) => Ok(Change { revert_to, ..Change::default() }),
        None => form.change(&is, &times),
    };
    let change = match change {
        Ok(change) => Change { version, ..change },
        Err(wrong) => {
            form.mark(wrong);
            let failed = Failed { form: Some(form), ..Failed::default() };
            return failed_page(&state, &actor, &found, StatusCode::UNPROCESSABLE_ENTITY, failed).await;
        }
    };
    match state.links.change(&code, change, &actor, times.now).await {
        Ok(found) => Ok(see_other(&format!("/-/links/{}", found.link.code))),
        Err(LinkError::Refused(refusal)) if refusal.reason == Reason::Stale => {
            stale(&state, &actor, (&code, version), &pairs, &times).await
        }
        Err(LinkError::Refused(refusal)) => {
            let wrong = form.refuse(&refusal);
            let failed = Failed { form: Some(form), wrong, ..Failed::default() };
            failed_page(&state, &actor, &found, status_of(refusal.reason), failed).await
        }
        Err(error) => Err(error.into()),
    }
}

/// What was typed, on what others made of the link since it was read.
async fn stale(
    state: &State,
    actor: &Actor,
    (code, read): (&str, Option<u64>),
    pairs: &[(String, String)],
    times: &Times,
) -> Result<Response> {
    let found = state.links.get(code).await?;
    let (link, is) = (&found.link, Form::of(&found.link, actor, times));
    let history = state.links.history(&link.code, None, BEHIND).await?;
    let hidden = link.is_hidden_from(actor, times.now);
    let later = history.iter().filter(|entry| !hidden && read.is_some_and(|read| entry.version > read));
    let meanwhile = later.flat_map(|entry| {
        let by = maker(&entry.by);
        what(entry).into_iter().map(move |text| format!("{by}, {text}"))
    });
    let typed = is.with(pairs);
    let form = match read.and_then(|read| as_it_was(&found, &history, read)) {
        Some(was) => typed.onto(&Form::of(&was, actor, times), &is),
        None => typed,
    };
    let wrong = "Somebody changed this link meanwhile. What you typed is below, nothing of it is saved yet: look at it \
                 again, and change it if you still want to.";
    let (wrong, meanwhile) = (Some(wrong.to_owned()), meanwhile.collect());
    let failed = Failed { form: Some(form), wrong, meanwhile, ..Failed::default() };
    failed_page(state, actor, &found, StatusCode::CONFLICT, failed).await
}

/// Retires a link for good.
pub(super) async fn retire(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Path(code): Path<String>,
    Form64(pairs): Form64<Vec<(String, String)>>,
) -> Result<Response> {
    let times = times(&state);
    let sure = said(&pairs, "code") == Some(code.as_str());
    if !sure {
        let found = state.links.get(&code).await?;
        actor.require_change_of(&found.link.created_by)?;
        let mut form = Form::of(&found.link, &actor, &times);
        form.mark(("code", "To retire a link for good, type its code.".into()));
        let failed = Failed { form: Some(form), ..Failed::default() };
        return failed_page(&state, &actor, &found, StatusCode::UNPROCESSABLE_ENTITY, failed).await;
    }
    state.links.retire(&code, &actor, times.now).await?;
    Ok(see_other(&format!("/-/links/{code}")))
}

/// Refuses what must not be shown to strangers yet.
pub(super) async fn require_open(state: &State, code: &str) -> Result<()> {
    let found = state.links.get(code).await?;
    if found.link.is_secret(crate::clock::now()) {
        let detail = "this link is confidential until it opens; share it then";
        return Err(Refusal::field(Reason::Conflict, "view", detail).into());
    }
    Ok(())
}
