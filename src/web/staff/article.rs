//! A story's page: the numbers of all its links together, and each of them.

use askama::Template;
use axum::extract::{Path, Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;

use super::format::Times;
use super::looking::Looking;
use super::numbers::{Numbers, Subject};
use super::question::{Address, Picker, When};
use super::rows::{Row, rows};
use super::shell::{Shell, page, times};
use crate::domain::article::{Article, ArticleId};
use crate::domain::link::Found;
use crate::domain::report::ReportScope;
use crate::web::State;
use crate::web::error::Result;

/// Links shown, the newest.
const LINKS: usize = 200;

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
    let (times, actor) = (times(&state), &looking.actor);
    let (article, links) = state.links.article_for(&ArticleId(id.into()), actor, times.now).await?;
    let began = article.facts.published_at.unwrap_or(article.created_at).min(article.created_at);
    let range = when.range(&state, began, times.now)?;
    let scope = ReportScope::Article(article.id.clone());
    let (compare, linked) = (when.compare()?, !looking.shared);
    let marks = marks(&article, &links);
    let subject = Subject { scope, range, compare, when: &when, marks, linked };
    let numbers = Numbers::new(&state, &subject, &times).await?;
    let newest: Vec<Found> = links.into_iter().rev().take(LINKS).collect();
    let rows = rows(&state, &newest, actor, times.now).await?;
    let mut shell = Shell::new(&state, actor, "/-/links");
    shell.shared = looking.shared;
    let address = Address { path: format!("/-/articles/{}", article.id.0), view: vec![] };
    let picker = Picker::new(&state, address, (&when, range), true, times.now);
    let view = ArticlePage {
        shell,
        view: looking.view,
        title: article.facts.title.clone().unwrap_or_else(|| article.url.clone()),
        about: about(&article, &times),
        url: article.address().to_owned(),
        withdrawn: article.withdrawn,
        numbers,
        picker: linked.then_some(picker),
        rows,
        times,
    };
    Ok(page(StatusCode::OK, &view))
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

/// What happened to a story: when it was published, and when it was first shared on each channel.
fn marks(article: &Article, links: &[Found]) -> Vec<(Timestamp, String)> {
    let mut marks: Vec<(Timestamp, String)> =
        article.facts.published_at.map(|at| (at, "published".to_owned())).into_iter().collect();
    for found in links {
        let Some(channel) = &found.link.channel else { continue };
        if !marks.iter().any(|(_, text)| text == channel) && marks.len() < 8 {
            marks.push((found.link.created_at, channel.clone()));
        }
    }
    marks
}
