//! Taking back what was just made.
//!
//! Guarantees that only one's own links of the last minutes that nobody has changed are taken back, that each other one is
//! named with why it was not, and that what is said to be gone is gone, whatever the page's address claims.

use std::collections::HashSet;

use axum::extract::State as Shared;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use url::form_urlencoded::Serializer;

use super::SHOWN;
use super::make::MAX_LINES;
use crate::clock;
use crate::domain::access::Actor;
use crate::domain::link::Link;
use crate::web::State;
use crate::web::error::Result;
use crate::web::session::{Form64, Staff};
use crate::web::staff::shell::see_other;

/// So long a link can be taken back by a press.
const SOON: SignedDuration = SignedDuration::from_mins(10);
/// Links that are named with why they were not taken back.
const NAMED: usize = 10;

/// Whether this is undone for this person now; else why not.
pub(super) fn may_undo(link: &Link, actor: &Actor, now: Timestamp) -> std::result::Result<(), &'static str> {
    match () {
        () if link.created_by != actor.name => Err("a colleague made it"),
        () if link.retired_at.is_some() => Err("it was gone already"),
        () if link.version != 1 => Err("it was changed since"),
        () if now.duration_since(link.created_at) > SOON => Err("it was made more than ten minutes ago"),
        () => Ok(()),
    }
}

/// Takes back links that were just made: they end, with their codes.
pub(in crate::web::staff) async fn undo(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Form64(pairs): Form64<Vec<(String, String)>>,
) -> Result<Response> {
    let (now, mut seen) = (clock::now(), HashSet::new());
    let (mut undone, mut not): (Vec<&str>, Vec<&str>) = (vec![], vec![]);
    let codes = pairs.iter().filter(|(name, _)| name == "code").map(|(_, code)| code.as_str());
    for code in codes.filter(|code| seen.insert(*code)) {
        let found = state.links.find(code).await?;
        if found.is_some_and(|found| may_undo(&found.link, &actor, now).is_ok()) {
            state.links.retire(code, &actor, now).await?;
            undone.push(code);
        } else {
            not.push(code);
        }
    }
    let mut query = Serializer::new(String::new());
    for (name, codes) in [("undone", undone), ("not", not)] {
        if !codes.is_empty() {
            query.append_pair(name, &codes.join(","));
        }
    }
    Ok(see_other(&format!("/-/?{}", query.finish())))
}

/// What an undo did, in words, as far as it is so; `undone` and `not` are as the address has them.
pub(super) async fn said(
    state: &State,
    actor: &Actor,
    [undone, not]: [&str; 2],
    now: Timestamp,
) -> Result<Option<String>> {
    let (mut gone, mut seen) = (0_usize, HashSet::new());
    for code in undone.split(',').filter(|code| !code.is_empty()).take(MAX_LINES) {
        let found = state.links.find(code).await?;
        let its = found.filter(|f| f.link.created_by == actor.name && f.link.retired_at.is_some());
        gone += usize::from(its.is_some_and(|found| seen.insert(found.link.code.to_string())));
    }
    let not: Vec<&str> = not.split(',').filter(|code| !code.is_empty()).take(SHOWN).collect();
    let mut words = match gone {
        0 => vec![],
        1 => vec!["Taken back: the link is gone, and its code is not given away again.".to_owned()],
        n => vec![format!("Taken back: {n} links are gone, and their codes are not given away again.")],
    };
    for code in not.iter().take(NAMED) {
        let why = match state.links.find(code).await? {
            Some(found) => may_undo(&found.link, actor, now).err(),
            None => Some("there is no such link"),
        };
        // One that could be taken back now was not asked for.
        words.extend(why.map(|why| format!("Not taken back: {code}, because {why}.")));
    }
    if not.len() > NAMED {
        words.push(format!("And {} more were not.", not.len() - NAMED));
    }
    Ok(Some(words.join(" ")).filter(|words| !words.is_empty()))
}
