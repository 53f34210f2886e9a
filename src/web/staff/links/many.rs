//! Many links changed at once: tagged, ended, switched off and on; each is a change of its own.
//!
//! Guarantees that of each link it is said what came of it, that one which cannot be changed costs the others nothing,
//! that each can be put back alone, and that what is refused as a whole changes none.

use std::collections::HashSet;

use askama::Template;
use axum::extract::State as Shared;
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;

use super::table;
use crate::domain::access::{Actor, Role};
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::Found;
use crate::links::Error as LinkError;
use crate::links::request::Change;
use crate::web::State;
use crate::web::error::Result;
use crate::web::session::{Form64, Staff, said};
use crate::web::staff::format::Times;
use crate::web::staff::rows::{Row, rows};
use crate::web::staff::shell::{Shell, page, times};

/// Most links at once.
const MOST: usize = 500;

/// What is to be done with each.
enum Wish {
    Tag(Vec<String>),
    End(Timestamp),
    Switch { off: bool },
}

/// What came of one.
struct Outcome {
    row: Row,
    /// What was done.
    did: String,
    /// Why nothing was.
    wrong: Option<String>,
    /// The version that an undo puts back.
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "staff/templates/links_changed.html")]
struct Changed {
    shell: Shell,
    outcomes: Vec<Outcome>,
    /// The list that it was asked from.
    back: String,
    said: String,
    /// What is wrong with the whole.
    wrong: Option<String>,
}

/// Changes the links that were chosen, or gives them as CSV.
pub(in crate::web::staff) async fn change(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Form64(pairs): Form64<Vec<(String, String)>>,
) -> Result<Response> {
    let times = times(&state);
    let value = |name: &str| said(&pairs, name).unwrap_or_default();
    let mut seen = HashSet::new();
    let codes = pairs.iter().filter(|(name, _)| name == "code").map(|(_, code)| code.as_str());
    let codes: Vec<&str> = codes.filter(|code| seen.insert(*code)).collect();
    let back = format!("/-/links?{}", value("view"));
    let asked = match (codes.len(), value("do")) {
        (0, _) => Err("Choose links first: tick them in the list.".to_owned()),
        (n, _) if n > MOST => Err(format!("At most {MOST} links at once.")),
        // All are looked for before any is changed: of a code that nobody has, nothing comes.
        (_, action) => match found(&state, &codes).await? {
            Err(wrong) => Err(wrong),
            Ok(found) if action == "csv" => return table::chosen(&state, &found, &actor, times.now).await,
            Ok(found) => {
                actor.require(Role::Creator)?;
                wish(action, value("tag"), value("expires_at"), &times).map(|wish| (wish, found))
            }
        },
    };
    let shell = Shell::new(&state, &actor, "/-/links");
    let (wish, found) = match asked {
        Ok(asked) => asked,
        Err(wrong) => {
            let (outcomes, said) = (vec![], String::new());
            let view = Changed { shell, outcomes, back, said, wrong: Some(wrong) };
            return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &view));
        }
    };
    let mut outcomes = Vec::with_capacity(found.len());
    for found in found {
        outcomes.push(one(&state, &actor, found, &wish, &times).await?);
    }
    let done = outcomes.iter().filter(|outcome| outcome.before.is_some()).count();
    let said = format!("{done} of {} links changed", outcomes.len());
    Ok(page(StatusCode::OK, &Changed { shell, outcomes, back, said, wrong: None }))
}

/// The links of these codes; else which of them there is none of.
async fn found(state: &State, codes: &[&str]) -> Result<std::result::Result<Vec<Found>, String>> {
    let mut all = Vec::with_capacity(codes.len());
    for code in codes {
        match state.links.find(code).await? {
            Some(found) => all.push(found),
            None => return Ok(Err(format!("There is no link {code}; nothing was changed."))),
        }
    }
    Ok(Ok(all))
}

fn wish(action: &str, tag: &str, expires_at: &str, times: &Times) -> std::result::Result<Wish, String> {
    match action {
        "tag" => {
            let tags: Vec<String> =
                tag.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect();
            if tags.is_empty() { Err("Say which tag.".into()) } else { Ok(Wish::Tag(tags)) }
        }
        "expire" => times.read(expires_at).map(Wish::End).ok_or_else(|| "Say when they end.".into()),
        "disable" => Ok(Wish::Switch { off: true }),
        "enable" => Ok(Wish::Switch { off: false }),
        _ => Err("This page does not know what to do.".into()),
    }
}

impl Wish {
    fn change(&self, found: &Found) -> Change {
        let none = Change { version: Some(found.link.version), ..Change::default() };
        match self {
            Wish::Tag(more) => {
                let mut tags = found.link.tags.clone();
                tags.extend(more.iter().filter(|tag| !found.link.tags.contains(tag)).cloned());
                Change { tags: Some(Some(tags)), ..none }
            }
            Wish::End(at) => Change { expires_at: Some(Some(*at)), ..none },
            Wish::Switch { off } => Change { disabled: Some(Some(*off)), ..none },
        }
    }

    fn did(&self, times: &Times) -> String {
        match self {
            Wish::Tag(tags) => format!("Tagged {}", tags.join(", ")),
            Wish::End(at) => format!("Ends {}", times.short(*at)),
            Wish::Switch { off: true } => "Disabled".into(),
            Wish::Switch { off: false } => "Enabled".into(),
        }
    }
}

async fn one(state: &State, actor: &Actor, found: Found, wish: &Wish, times: &Times) -> Result<Outcome> {
    let before = found.link.version;
    let changed =
        match state.links.change(found.link.code.as_str(), wish.change(&found), actor, times.now).await {
            Ok(changed) => Ok(changed),
            Err(LinkError::Refused(refusal)) => Err(why(&refusal)),
            Err(error) => return Err(error.into()),
        };
    let (now, wrong) = match changed {
        Ok(changed) => (changed, None),
        Err(why) => (found, Some(why)),
    };
    let row = rows(state, std::slice::from_ref(&now), actor, times.now).await?.pop();
    let row = row.ok_or(crate::web::error::Error::Internal)?;
    let changed = now.link.version > before;
    let did = if changed || wrong.is_some() { wish.did(times) } else { "Was so already".to_owned() };
    Ok(Outcome { row, did, wrong, before: changed.then_some(before) })
}

fn why(refusal: &Refusal) -> String {
    match refusal.reason {
        Reason::Stale => "Somebody changed it meanwhile.".into(),
        Reason::Forbidden => "It is a colleague's: editors change links of others.".into(),
        _ => refusal.detail.to_string(),
    }
}
