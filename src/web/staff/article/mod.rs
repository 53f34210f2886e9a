//! A story's page: the numbers of all its links together, beside the usual story's, each of them, and its history.

mod change;

use askama::Template;
use axum::extract::{Path, Query, State as Shared};
use axum::response::Response;
use http::StatusCode;

pub(super) use self::change::change;
use self::change::{Form, undone};
use super::format::Times;
use super::heat::Heat;
use super::history::{Back, History};
use super::looking::Looking;
use super::marks;
use super::notes::{Notes, Wrong};
use super::numbers::{Numbers, Subject};
use super::question::{Address, NoNumbers, Picker, When};
use super::rows::{Row, rows};
use super::shell::{Shell, page, times};
use super::story::story;
use crate::domain::access::{Actor, Role};
use crate::domain::article::{Article, ArticleId};
use crate::domain::link::{Found, HistoryEntry};
use crate::domain::report::ReportScope;
use crate::web::State;
use crate::web::error::{Error, Result, status_of};

/// Links shown, the newest.
const LINKS: usize = 200;
/// Lines of history that are looked through for what happened.
const LINES: usize = 200;
/// Lines of it that are shown.
const LINES_SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "staff/templates/article.html")]
struct ArticlePage {
    shell: Shell,
    title: String,
    about: String,
    url: String,
    withdrawn: bool,
    id: String,
    version: u64,
    numbers: Option<Numbers>,
    heat: Option<Heat>,
    /// Why there are no numbers, where that is because of its address.
    none: Option<NoNumbers>,
    picker: Option<Picker>,
    notes: Option<Notes>,
    rows: Vec<Row>,
    times: Times,
    /// What can be changed of it, for those who may.
    form: Option<Form>,
    history: Option<History>,
    /// Its address, to be shared.
    view: String,
}

impl ArticlePage {
    /// Where its forms are sent.
    fn page(&self) -> String {
        format!("/-/articles/{}", self.id)
    }
}

/// What was wanted of it and is not there.
#[derive(Default)]
struct Failed {
    note: Option<Wrong>,
    form: Option<Form>,
    none: Option<NoNumbers>,
}

/// A story and its numbers.
pub(super) async fn show(
    Shared(state): Shared<State>,
    looking: Looking,
    Path(id): Path<String>,
    Query(when): Query<When>,
) -> Result<Response> {
    let id = ArticleId(id.into());
    match view(&state, &looking, &id, &when, Failed::default()).await {
        Err(Error::Refused(refusal)) => {
            let none = Some(when.wrong(&refusal).ok_or_else(|| refusal.clone())?);
            let view = view(&state, &looking, &id, &when, Failed { none, ..Failed::default() }).await?;
            Ok(page(status_of(refusal.reason), &view))
        }
        view => Ok(page(StatusCode::OK, &view?)),
    }
}

/// The same with a note that is not there, and why.
pub(super) async fn with_note(
    state: &State,
    actor: &Actor,
    id: &ArticleId,
    wrong: Wrong,
) -> Result<Response> {
    let failed = Failed { note: Some(wrong), ..Failed::default() };
    failed_page(state, actor, id, StatusCode::UNPROCESSABLE_ENTITY, failed).await
}

async fn failed_page(
    state: &State,
    actor: &Actor,
    id: &ArticleId,
    status: StatusCode,
    failed: Failed,
) -> Result<Response> {
    let view_of = format!("/-/articles/{}", id.0);
    let looking = Looking { actor: actor.clone(), shared: false, view: view_of };
    let view = view(state, &looking, id, &When::default(), failed).await?;
    Ok(page(status, &view))
}

async fn view(
    state: &State,
    looking: &Looking,
    id: &ArticleId,
    when: &When,
    failed: Failed,
) -> Result<ArticlePage> {
    let (times, actor, linked) = (times(state), &looking.actor, !looking.shared);
    let (article, links) = state.links.article_for(id, actor, times.now).await?;
    let began = article.facts.published_at.unwrap_or(article.created_at).min(article.created_at);
    // The picker leads from what is not there to what is.
    let when = if failed.none.is_some() { &when.known() } else { when };
    let time = if failed.none.is_some() { &When::default() } else { when };
    let range = time.range(state, began, times.now)?;
    let entries = state.links.article_history(&article.id, None, LINES).await?;
    let mut marks = marks::of_story(&article, &links, &entries, times.now);
    if linked {
        // What is noted is for colleagues.
        marks.extend(marks::noted(&article));
    }
    let scope = ReportScope::Article(article.id.clone());
    let subject = Subject { scope, range, compare: time.compare()?, when, marks, linked };
    let mut shell = Shell::new(state, actor, "/-/links");
    let (mut numbers, mut heat) = (None, None);
    if failed.none.is_none() {
        let (tiles, curve) = story(state, &article.id, &times).await?;
        numbers = Some(Numbers::new(state, &subject, &times).await?.with_story(tiles, curve));
        heat = Heat::new(state, &subject, &shell.zone, &times).await?;
    }
    let newest: Vec<Found> = links.into_iter().rev().take(LINKS).collect();
    let rows = rows(state, &newest, actor, times.now).await?;
    shell.shared = looking.shared;
    let address = Address { path: format!("/-/articles/{}", article.id.0), view: vec![] };
    let notes = Notes::new(&article, actor, (&address.path, &shell.zone), &times, failed.note);
    let may_change = linked && actor.role >= Role::Editor && article.merged_into.is_none();
    let history = linked.then(|| history(&article, &entries, may_change, &times));
    let picker = Picker::new(state, address, (when, range), true, times.now);
    let picker = picker.without(failed.none.as_ref());
    Ok(ArticlePage {
        shell,
        view: looking.view.clone(),
        title: article.facts.title.clone().unwrap_or_else(|| article.url.clone()),
        about: about(&article, &times),
        url: article.address().to_owned(),
        withdrawn: article.withdrawn,
        id: article.id.0.to_string(),
        version: article.version,
        numbers,
        heat,
        none: failed.none,
        picker: linked.then_some(picker),
        notes: notes.filter(|_| linked),
        rows,
        times,
        form: may_change.then(|| failed.form.unwrap_or_else(|| Form::of(&article))),
        history,
    })
}

/// What was changed of it; the last change can be undone if it is one that staff make.
fn history(article: &Article, entries: &[HistoryEntry], may_change: bool, times: &Times) -> History {
    let last = entries.first().map(|entry| entry.version);
    let back = |entry: &HistoryEntry| {
        let may = may_change && Some(entry.version) == last && undone(entry).is_some();
        may.then_some(Back { name: "undo", value: entry.version, words: "Undo this" })
    };
    let shown: Vec<HistoryEntry> = entries.iter().take(LINES_SHOWN).cloned().collect();
    let page = format!("/-/articles/{}", article.id.0);
    History::new(&shown, (&page, article.version), times, back)
}

fn about(article: &Article, times: &Times) -> String {
    let facts = &article.facts;
    let mut about: Vec<String> = facts.section.iter().cloned().collect();
    if !facts.authors.is_empty() {
        about.push(facts.authors.join(", "));
    }
    about.extend(facts.published_at.map(|at| format!("published {}", times.long(at))));
    about.join(" · ")
}
