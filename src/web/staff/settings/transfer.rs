//! Links taken along and brought in, while it serves.
//!
//! Guarantees that an export is streamed in bounded memory, that a dry run makes nothing, and that of a file with anything
//! wrong in it nothing is made. What comes in follows the same rules as all other links, and the same file again makes
//! nothing twice.

use std::collections::{HashMap, HashSet};

use askama::Template;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::{Asked, Frame, answer, rendered, tab};
use crate::clock;
use crate::domain::access::{Actor, Role};
use crate::domain::code::{Code, fold};
use crate::domain::error::Refusal;
use crate::domain::link::{Found, Via};
use crate::links::codes::Entropy;
use crate::links::request::NewLink;
use crate::transfer::links_only;
use crate::transfer::sheet::{self, MOST, Sheet};
use crate::web::State;
use crate::web::error::Result;
use crate::web::session::{FormOfFile, Staff};
use crate::web::staff::format::number;
use crate::web::staff::links::download;
use crate::web::staff::settings::sent::Sent;
use crate::web::staff::shell::times;

/// Links made in one step.
const AT_ONCE: usize = 1_000;
/// Errors that are shown.
const ERRORS: usize = 100;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web::staff) struct Brought {
    text: String,
    r#do: String,
}

/// What came, or would come, of a file.
#[derive(Default)]
struct Outcome {
    dry: bool,
    made: usize,
    there: usize,
    left_out: u64,
    wrong: Vec<(u64, String)>,
    /// More errors than are shown.
    more: usize,
    /// Why the file cannot be read at all.
    unreadable: Option<String>,
}

#[derive(Template)]
#[template(path = "staff/templates/settings/transfer.html")]
struct Page {
    text: String,
    outcome: Option<Outcome>,
    most: String,
}

impl Outcome {
    fn number(&self, value: &usize) -> String {
        number(u64::try_from(*value).unwrap_or(0))
    }

    fn links(&self) -> String {
        format!("{} {}", self.number(&self.made), if self.made == 1 { "link" } else { "links" })
    }

    fn failed(&self) -> bool {
        self.unreadable.is_some() || !self.wrong.is_empty()
    }
}

pub(super) fn body(_: &Frame) -> Result<String> {
    part(String::new(), None)
}

fn part(text: String, outcome: Option<Outcome>) -> Result<String> {
    rendered(&Page { text, outcome, most: number(u64::try_from(MOST).unwrap_or(0)) })
}

/// Stories, links and their history, as a file that `slugline import --merge` reads.
pub(in crate::web::staff) async fn export(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
) -> Result<Response> {
    actor.require(Role::Admin)?;
    let links = state.links.store().clone();
    let pieces = links_only(links, state.tallies.clone(), clock::now());
    Ok(download("links.jsonl", "application/jsonl", Body::from_stream(pieces)))
}

/// Brings links in, or says what would come of it.
pub(in crate::web::staff) async fn import(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    FormOfFile(brought): FormOfFile<Brought>,
) -> Result<Response> {
    let tab = tab("transfer", &actor)?;
    let outcome = bring(&state, &actor, &brought.text, brought.r#do != "import").await?;
    let status = if outcome.failed() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    // What was brought in is done with; anything else is there to be mended.
    let text = if outcome.dry || outcome.failed() { brought.text } else { String::new() };
    let part = part(text, Some(outcome))?;
    let frame = Frame { asked: Asked::default(), sent: Sent::default(), secret: None, times: times(&state) };
    answer(&state, &actor, tab, (frame, Some(part)), status).await
}

async fn bring(state: &State, actor: &Actor, text: &str, dry: bool) -> Result<Outcome> {
    let Sheet { links, mut wrong, left_out } = match sheet::read(text) {
        Ok(sheet) => sheet,
        Err(why) => return Ok(Outcome { dry, unreadable: Some(why), ..Outcome::default() }),
    };
    let (mut made, mut there, reserved) = looked_at(state, &links, &mut wrong).await?;
    if wrong.is_empty() && !dry {
        // A code without a target is there or not: there is nothing that asking for it could find.
        (made, there) = (0, reserved.len());
        let mut links = links.into_iter().filter(|(line, _)| !reserved.contains(line)).peekable();
        while links.peek().is_some() {
            let (lines, requests): (Vec<u64>, Vec<_>) =
                links.by_ref().take(AT_ONCE).map(|(line, link)| (line, Ok(link))).unzip();
            let now = clock::now();
            let all = state.links.create_batch(requests, actor, Via::Import, &Entropy::System, now).await?;
            for (line, one) in lines.into_iter().zip(all) {
                match one {
                    Ok(one) if one.created => made += 1,
                    Ok(_) => there += 1,
                    Err(refusal) => wrong.push((line, refusal.detail.into())),
                }
            }
        }
    }
    let more = wrong.len().saturating_sub(ERRORS);
    wrong.truncate(ERRORS);
    Ok(Outcome { dry, made, there, left_out, wrong, more, unreadable: None })
}

/// How many of them would be made and how many are there, with what is wrong with any; and the lines of those that are
/// there as reserved codes.
async fn looked_at(
    state: &State,
    links: &[(u64, NewLink)],
    wrong: &mut Vec<(u64, String)>,
) -> Result<(usize, usize, HashSet<u64>)> {
    let rules = state.links.rules();
    let keys: Vec<String> = links
        .iter()
        .filter_map(|(_, link)| link.code.as_deref().map(|code| fold(code).into_owned()))
        .collect();
    let found = state.links.within(state.links.store().find_many(&keys)).await?;
    let found: HashMap<String, &Found> =
        found.iter().map(|found| (found.link.code.key().into_owned(), found)).collect();
    let (mut made, mut there, mut seen) = (0, 0, HashMap::<String, u64>::new());
    let mut reserved = HashSet::new();
    for (line, link) in links {
        let checked = || -> std::result::Result<Option<String>, Refusal> {
            link.clone().check()?;
            link.code.as_deref().map(Code::for_new_link).transpose()?;
            let keep = link.keep_params.unwrap_or(false);
            let address = link.url.as_deref().map(|url| rules.address(url, keep, "url")).transpose()?;
            Ok(address.map(|address| address.article))
        };
        let story = match checked() {
            Ok(story) => story,
            Err(refusal) => {
                wrong.push((*line, refusal.detail.into()));
                continue;
            }
        };
        let key = link.code.as_deref().map(|code| fold(code).into_owned());
        if let Some(key) = &key
            && let Some(before) = seen.insert(key.clone(), *line)
        {
            wrong.push((*line, format!("line {before} has this code too")));
            continue;
        }
        match key.and_then(|key| found.get(&key)) {
            None => made += 1,
            Some(found) if found.article.as_deref().map(|article| &article.url) == story.as_ref() => {
                there += 1;
                if story.is_none() {
                    reserved.insert(*line);
                }
            }
            Some(found) => wrong.push((*line, format!("the code {} is another link's", found.link.code))),
        }
    }
    wrong.sort_by_key(|(line, _)| *line);
    Ok((made, there, reserved))
}
