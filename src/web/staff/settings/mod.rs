//! Settings: keys, users, hosts, channels, webhooks, what is shared, what is stored, who did what.
//!
//! Guarantees that each part is seen by who may change it (the others see what is theirs), that a secret is shown once, in
//! the answer that made it, and that what is refused stands beside the field that it is about, with the rest as it was
//! sent. A part knows its own form; this knows how they are asked and answered.

mod channels;
mod digests;
mod keys;
mod options;
mod sent;
mod sharing;
mod texts;
pub(super) mod transfer;
mod users;
mod watch;
mod webhooks;

use askama::Template;
use axum::extract::{Path, Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;

use self::sent::Sent;
use super::format::Times;
use super::rows::maker;
use super::shell::{Shell, page, see_other, times};
use crate::domain::access::{Actor, Role};
use crate::domain::error::{Reason, Refusal};
use crate::web::State;
use crate::web::error::{Error, Result, status_of};
use crate::web::session::{Form64, Staff};

/// Parts: what stands in the address, what people say, and who may see it.
const TABS: [(&str, &str, Role); 13] = [
    ("keys", "API keys", Role::Admin),
    ("users", "Users", Role::Admin),
    ("hosts", "Hosts and sites", Role::Admin),
    ("newsroom", "Newsroom", Role::Admin),
    ("channels", "Channels", Role::Admin),
    ("webhooks", "Webhooks", Role::Admin),
    ("digests", "Digests", Role::Admin),
    ("sharing", "Screens and shares", Role::Viewer),
    ("integrations", "Integrations", Role::Viewer),
    ("transfer", "Import and export", Role::Admin),
    ("privacy", "Privacy", Role::Viewer),
    ("audit", "Audit", Role::Admin),
    ("system", "System", Role::Admin),
];

/// What an address says beside the part.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// Of what more is to be seen: a webhook.
    of: String,
    /// Lines before this one.
    before: Option<u64>,
    /// Something was done a moment ago.
    done: String,
}

/// A secret that was made a moment ago, which is shown now only.
struct Secret {
    what: String,
    text: String,
    then: &'static str,
}

/// What parts are made of.
struct Frame {
    asked: Asked,
    sent: Sent,
    secret: Option<Secret>,
    times: Times,
}

impl Frame {
    fn short(&self, at: &Timestamp) -> String {
        self.times.short(*at)
    }

    fn long(&self, at: &Timestamp) -> String {
        self.times.long(*at)
    }

    fn maker(&self, name: &str) -> String {
        maker(name)
    }
}

#[derive(Template)]
#[template(path = "staff/templates/settings/page.html")]
struct Page {
    shell: Shell,
    tabs: Vec<(&'static str, &'static str, bool)>,
    name: &'static str,
    frame: Frame,
    body: String,
}

type Tab = (&'static str, &'static str, Role);

fn tabs_of(actor: &Actor) -> impl Iterator<Item = Tab> {
    let role = actor.role;
    TABS.into_iter().filter(move |(_, _, needs)| role >= *needs)
}

/// The part of this name; "" for the first that one may see.
fn tab(name: &str, actor: &Actor) -> Result<Tab> {
    let found = match name {
        "" => tabs_of(actor).next(),
        name => TABS.into_iter().find(|(its, ..)| *its == name),
    };
    let tab = found.ok_or_else(|| Refusal::new(Reason::NotFound, "there are no settings of this name"))?;
    actor.require(tab.2)?;
    Ok(tab)
}

async fn answer(
    state: &State,
    actor: &Actor,
    tab: Tab,
    (frame, part): (Frame, Option<String>),
    status: StatusCode,
) -> Result<Response> {
    let body = match part {
        Some(part) => part,
        None => body(state, actor, tab, &frame).await?,
    };
    let tabs = tabs_of(actor).map(|(name, words, _)| (name, words, name == tab.0)).collect();
    let shell = Shell::new(state, actor, "/-/settings");
    Ok(page(status, &Page { shell, tabs, name: tab.1, frame, body }))
}

async fn body(state: &State, actor: &Actor, tab: Tab, frame: &Frame) -> Result<String> {
    match tab.0 {
        "keys" => keys::body(state, frame).await,
        "users" => users::body(state, actor, frame).await,
        "hosts" | "newsroom" => options::body(state, tab.0, frame).await,
        "channels" => channels::body(state, frame).await,
        "webhooks" => webhooks::body(state, actor, frame).await,
        "digests" => digests::body(state, frame).await,
        "sharing" => sharing::body(state, actor, frame).await,
        "integrations" => texts::integrations(state),
        "transfer" => transfer::body(frame),
        "privacy" => texts::privacy(state),
        "audit" => watch::audit(state, frame).await,
        _ => watch::system(state, frame).await,
    }
}

/// A part as text, to be put into the page.
fn rendered(part: &impl Template) -> Result<String> {
    part.render().map_err(|error| {
        tracing::error!(%error, "a part of the settings could not be made");
        Error::Internal
    })
}

/// The first part that one may see.
pub(super) async fn first(Shared(state): Shared<State>, Staff(actor, _): Staff) -> Result<Response> {
    let frame = Frame { asked: Asked::default(), sent: Sent::default(), secret: None, times: times(&state) };
    answer(&state, &actor, tab("", &actor)?, (frame, None), StatusCode::OK).await
}

/// Import and export, whose form takes a file.
pub(super) async fn transfer_page(Shared(state): Shared<State>, Staff(actor, _): Staff) -> Result<Response> {
    let frame = Frame { asked: Asked::default(), sent: Sent::default(), secret: None, times: times(&state) };
    answer(&state, &actor, tab("transfer", &actor)?, (frame, None), StatusCode::OK).await
}

/// A part.
pub(super) async fn show(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let frame = Frame { asked, sent: Sent::default(), secret: None, times: times(&state) };
    answer(&state, &actor, tab(&name, &actor)?, (frame, None), StatusCode::OK).await
}

/// Does what a form of a part asks for.
pub(super) async fn change(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    Form64(pairs): Form64<Vec<(String, String)>>,
) -> Result<Response> {
    let (tab, sent, times) = (tab(&name, &actor)?, Sent::new(pairs), times(&state));
    let outcome = match tab.0 {
        "keys" => keys::act(&state, &actor, &sent, &times).await,
        "users" => users::act(&state, &actor, &sent, times.now).await,
        "hosts" | "newsroom" => options::act(&state, &actor, &sent, times.now).await,
        "channels" => channels::act(&state, &actor, &sent, times.now).await,
        "webhooks" => webhooks::act(&state, &actor, &sent, times.now).await,
        "digests" => digests::act(&state, &actor, &sent, times.now).await,
        "sharing" => sharing::act(&state, &actor, &sent, times.now).await,
        _ => Err(unknown_action().into()),
    };
    match outcome {
        Ok(None) => Ok(see_other(&back(tab.0, &asked))),
        Ok(secret) => {
            let frame = Frame { asked, sent: Sent::default(), secret, times };
            answer(&state, &actor, tab, (frame, None), StatusCode::CREATED).await
        }
        Err(Error::Refused(refusal)) => {
            let status = status_of(refusal.reason);
            let frame = Frame { asked, sent: sent.refused(&refusal), secret: None, times };
            answer(&state, &actor, tab, (frame, None), status).await
        }
        Err(error) => Err(error),
    }
}

fn back(tab: &str, asked: &Asked) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if !asked.of.is_empty() {
        query.append_pair("of", &asked.of);
    }
    query.append_pair("done", "1");
    format!("/-/settings/{tab}?{}", query.finish())
}

fn unknown_action() -> Refusal {
    Refusal::field(Reason::InvalidValue, "do", "this page does not know what to do")
}
