//! A story's page: the numbers of all its links together, beside the usual story's, and each of them.

use askama::Template;
use axum::extract::{Path, Query, State as Shared};
use axum::response::Response;
use http::StatusCode;

use super::format::Times;
use super::looking::Looking;
use super::marks;
use super::notes::{Notes, Wrong};
use super::numbers::{Numbers, Subject};
use super::question::{Address, Picker, When};
use super::rows::{Row, rows};
use super::shell::{Shell, page, times};
use super::story::story;
use crate::domain::access::Actor;
use crate::domain::article::{Article, ArticleId};
use crate::domain::link::Found;
use crate::domain::report::ReportScope;
use crate::web::State;
use crate::web::error::Result;

/// Links shown, the newest.
const LINKS: usize = 200;
/// Lines of history that are looked through for what happened.
const LINES: usize = 200;

#[derive(Template)]
#[template(path = "staff/templates/article.html")]
struct ArticlePage {
    shell: Shell,
    title: String,
    about: String,
    url: String,
    withdrawn: bool,
    numbers: Numbers,
    picker: Option<Picker>,
    notes: Option<Notes>,
    rows: Vec<Row>,
    times: Times,
    /// Its address, to be shared.
    view: String,
}

/// A story and its numbers.
pub(super) async fn show(
    Shared(state): Shared<State>,
    looking: Looking,
    Path(id): Path<String>,
    Query(when): Query<When>,
) -> Result<Response> {
    let view = view(&state, &looking, &ArticleId(id.into()), &when, None).await?;
    Ok(page(StatusCode::OK, &view))
}

/// The same with a note that is not there, and why.
pub(super) async fn with_note(
    state: &State,
    actor: &Actor,
    id: &ArticleId,
    wrong: Wrong,
) -> Result<Response> {
    let view_of = format!("/-/articles/{}", id.0);
    let looking = Looking { actor: actor.clone(), shared: false, view: view_of };
    let view = view(state, &looking, id, &When::default(), Some(wrong)).await?;
    Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &view))
}

async fn view(
    state: &State,
    looking: &Looking,
    id: &ArticleId,
    when: &When,
    wrong: Option<Wrong>,
) -> Result<ArticlePage> {
    let (times, actor, linked) = (times(state), &looking.actor, !looking.shared);
    let (article, links) = state.links.article_for(id, actor, times.now).await?;
    let began = article.facts.published_at.unwrap_or(article.created_at).min(article.created_at);
    let range = when.range(state, began, times.now)?;
    let history = state.links.article_history(&article.id, None, LINES).await?;
    let mut marks = marks::of_story(&article, &links, &history, times.now);
    if linked {
        // What is noted is for colleagues.
        marks.extend(marks::noted(&article));
    }
    let scope = ReportScope::Article(article.id.clone());
    let subject = Subject { scope, range, compare: when.compare()?, when, marks, linked };
    let (tiles, curve) = story(state, &article.id, &times).await?;
    let numbers = Numbers::new(state, &subject, &times).await?.with_story(tiles, curve);
    let newest: Vec<Found> = links.into_iter().rev().take(LINKS).collect();
    let rows = rows(state, &newest, actor, times.now).await?;
    let mut shell = Shell::new(state, actor, "/-/links");
    shell.shared = looking.shared;
    let address = Address { path: format!("/-/articles/{}", article.id.0), view: vec![] };
    let notes = Notes::new(&article, actor, (&address.path, &shell.zone), &times, wrong);
    let picker = Picker::new(state, address, (when, range), true, times.now);
    Ok(ArticlePage {
        shell,
        view: looking.view.clone(),
        title: article.facts.title.clone().unwrap_or_else(|| article.url.clone()),
        about: about(&article, &times),
        url: article.address().to_owned(),
        withdrawn: article.withdrawn,
        numbers,
        picker: linked.then_some(picker),
        notes: notes.filter(|_| linked),
        rows,
        times,
    })
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
