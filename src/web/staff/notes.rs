//! What staff note of a story at a time of it ("push 09:05"), on its chart and its links'.
//!
//! Guarantees that a note is made and taken back beside whatever else is changed of the story meanwhile.

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::response::Response;
use jiff::Timestamp;

use super::article;
use super::format::Times;
use super::link;
use super::rows::maker;
use super::shell::{see_other, times};
use crate::domain::access::{Actor, Role};
use crate::domain::article::{Article, ArticleId, MAX_NOTED, MAX_NOTES};
use crate::domain::error::{Reason, Refusal};
use crate::links::{ArticleChange, Error as LinkError, NoteChange};
use crate::web::State;
use crate::web::error::Result;
use crate::web::session::{Form64, Staff, said};

/// A note that others were faster than is tried again this often.
const TRIES: usize = 5;

/// The notes of a story, and the form for another.
#[derive(Template)]
#[template(path = "staff/templates/notes.html")]
pub(super) struct Notes {
    id: String,
    rows: Vec<NoteRow>,
    may_note: bool,
    /// The page that it is on.
    back: String,
    zone: String,
    now: String,
    wrong: Option<Wrong>,
}

/// A note.
struct NoteRow {
    when: String,
    text: String,
    by: String,
    /// In milliseconds, to name it.
    at: i64,
}

/// What somebody wanted to note, and why that is not there.
#[derive(Clone)]
pub(super) struct Wrong {
    pub(super) at: String,
    pub(super) text: String,
    pub(super) why: String,
}

impl Notes {
    /// For this page, if there is anything to show or to do.
    pub(super) fn new(
        article: &Article,
        viewer: &Actor,
        (back, zone): (&str, &str),
        times: &Times,
        wrong: Option<Wrong>,
    ) -> Option<Notes> {
        let may_note = viewer.role >= Role::Editor && article.merged_into.is_none();
        let row = |note: &crate::domain::article::Note| NoteRow {
            when: times.short(note.at),
            text: note.text.clone(),
            by: maker(&note.by),
            at: note.at.as_millisecond(),
        };
        (may_note || !article.notes.is_empty()).then(|| Notes {
            id: article.id.0.to_string(),
            rows: article.notes.iter().map(row).collect(),
            may_note,
            back: back.to_owned(),
            zone: zone.to_owned(),
            now: wrong.as_ref().map_or_else(|| times.field(Some(times.now)), |wrong| wrong.at.clone()),
            wrong,
        })
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= MAX_NOTES
    }

    fn longest(&self) -> usize {
        MAX_NOTED
    }
}

/// What a form asks for.
enum Wanted {
    Add { at: Option<Timestamp>, text: String },
    TakeBack { at: i64, text: String },
}

fn wanted(value: impl Fn(&str) -> String, times: &Times) -> std::result::Result<Wanted, String> {
    let text = value("text");
    if value("do") == "take_back" {
        let at = value("at").parse().map_err(|_| "That is no note.".to_owned())?;
        return Ok(Wanted::TakeBack { at, text });
    }
    let at = match value("at").as_str() {
        "" => None,
        said => Some(times.read(said).ok_or("That is no time.")?),
    };
    if text.is_empty() { Err("Say what happened.".into()) } else { Ok(Wanted::Add { at, text }) }
}

/// All notes of a story with one more or less.
fn with(article: &Article, wanted: &Wanted) -> Vec<NoteChange> {
    let mut notes: Vec<NoteChange> = vec![];
    for note in &article.notes {
        let gone = matches!(wanted, Wanted::TakeBack { at, text }
            if note.at.as_millisecond() == *at && note.text == *text);
        if !gone {
            notes.push(NoteChange { at: Some(note.at), text: note.text.clone() });
        }
    }
    if let Wanted::Add { at, text } = wanted {
        notes.push(NoteChange { at: *at, text: text.clone() });
    }
    notes
}

/// Makes a note, or takes one back.
pub(super) async fn change(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Path(id): Path<String>,
    Form64(pairs): Form64<Vec<(String, String)>>,
) -> Result<Response> {
    let (times, id) = (times(&state), ArticleId(id.into()));
    let value = |name: &str| said(&pairs, name).unwrap_or_default().to_owned();
    let back = Some(value("back")).filter(|back| back.starts_with("/-/links/"));
    let back = back.unwrap_or_else(|| format!("/-/articles/{}", id.0));
    let wrong = |why: String| Wrong { at: value("at"), text: value("text"), why };
    let wanted = match wanted(value, &times) {
        Ok(wanted) => wanted,
        Err(why) => return refused(&state, &actor, (&id, &back), wrong(why)).await,
    };
    for _ in 0..TRIES {
        let (article, _) = state.links.article_for(&id, &actor, times.now).await?;
        let notes = Some(Some(with(&article, &wanted)));
        let change = ArticleChange { version: Some(article.version), notes, ..ArticleChange::default() };
        match state.links.change_article(&article.id, change, &actor, times.now).await {
            Ok(_) => return Ok(see_other(&back)),
            Err(LinkError::Refused(refusal)) if refusal.reason == Reason::Stale => {}
            Err(LinkError::Refused(refusal)) if refusal.field.as_deref() == Some("notes") => {
                let wrong = wrong(refusal.detail.to_string());
                return refused(&state, &actor, (&id, &back), wrong).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::new(Reason::Stale, "this story is being changed by others; try again").into())
}

/// The page that it was noted on, with the note that is not there.
async fn refused(
    state: &State,
    actor: &Actor,
    (id, back): (&ArticleId, &str),
    wrong: Wrong,
) -> Result<Response> {
    match back.strip_prefix("/-/links/") {
        Some(code) => link::with_note(state, actor, code, wrong).await,
        None => article::with_note(state, actor, id, wrong).await,
    }
}
