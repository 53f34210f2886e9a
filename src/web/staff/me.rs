//! What is one's own: the password, where one is signed in, and one's digest.
//!
//! Guarantees that a password is changed by who knows the one before, or came by a sign-in link a moment ago, and that a
//! session is ended by its user alone.

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::format::Times;
use super::login::{From, begun};
use super::shell::{Shell, page, see_other, times};
use crate::domain::access::Actor;
use crate::sessions::{By, SessionInfo};
use crate::web::State;
use crate::web::error::{Error, Result, status_of};
use crate::web::session::{self, Form64, Staff};

#[derive(Template)]
#[template(path = "staff/templates/me.html")]
struct Me {
    shell: Shell,
    times: Times,
    sessions: Vec<SessionInfo>,
    /// The session that asks.
    this: String,
    /// The proxy in front signs in: there is nothing to set.
    by_proxy: bool,
    needs_current: bool,
    /// One came by a link a moment ago.
    is_new: bool,
    /// What was done a moment ago.
    done: &'static str,
    wrong: Option<(String, String)>,
    /// One's digest: a part of its own.
    digest: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    new: String,
    done: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    #[serde(default)]
    current: Option<String>,
    password: String,
    again: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    /// A session's public name; "" for all others.
    id: String,
}

impl Me {
    fn wrong_in(&self, field: &str) -> Option<&str> {
        self.wrong.as_ref().filter(|(its, _)| its == field).map(|(_, text)| text.as_str())
    }
}

async fn me(state: &State, actor: &Actor, info: &SessionInfo, digest: String) -> Result<Me> {
    let times = times(state);
    let sessions = state.sessions.sessions(Some(&info.user), times.now).await?;
    let needs_current = !state.sessions.may_set_password(info, times.now);
    Ok(Me {
        shell: Shell::new(state, actor, "/-/me"),
        sessions,
        this: info.id.clone(),
        by_proxy: info.by == By::Proxy,
        needs_current,
        is_new: false,
        done: "",
        wrong: None,
        digest,
        times,
    })
}

/// The page.
pub(super) async fn show(
    Shared(state): Shared<State>,
    Staff(actor, info): Staff,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let digest = super::digest::mine(&state, &info.user, None).await?;
    let mut me = me(&state, &actor, &info, digest).await?;
    me.is_new = !asked.new.is_empty() && !me.needs_current;
    me.done = match asked.done.as_str() {
        "" => "",
        "digest" => "It is as you said.",
        _ => "Your password is set. Everywhere else you are signed out.",
    };
    Ok(page(StatusCode::OK, &me))
}

/// Sets one's password; all sessions end but the one that begins now.
pub(super) async fn set_password(
    Shared(state): Shared<State>,
    Staff(actor, info): Staff,
    From(parts): From,
    Form64(form): Form64<Password>,
) -> Result<Response> {
    if form.password != form.again {
        return refused(
            &state,
            &actor,
            &info,
            "again",
            "The two are not the same.",
            StatusCode::UNPROCESSABLE_ENTITY,
        )
        .await;
    }
    let from = session::client(&parts, &state);
    let changed =
        state.sessions.change_password(&info, form.current, form.password, &from, crate::clock::now());
    match changed.await.map_err(Error::from) {
        Ok(began) => Ok(begun(&state, &began, "/-/me?done=1")),
        Err(Error::Refused(refusal)) => {
            let field = refusal.field.clone().unwrap_or_else(|| "password".into());
            refused(&state, &actor, &info, &field, &refusal.detail, status_of(refusal.reason)).await
        }
        Err(error) => Err(error),
    }
}

async fn refused(
    state: &State,
    actor: &Actor,
    info: &SessionInfo,
    field: &str,
    detail: &str,
    status: StatusCode,
) -> Result<Response> {
    let digest = super::digest::mine(state, &info.user, None).await?;
    let mut me = me(state, actor, info, digest).await?;
    me.wrong = Some((field.to_owned(), detail.to_owned()));
    Ok(page(status, &me))
}

/// The page with this as its part about the digest.
pub(super) async fn with_digest(
    state: &State,
    actor: &Actor,
    info: &SessionInfo,
    digest: String,
    status: StatusCode,
) -> Result<Response> {
    Ok(page(status, &me(state, actor, info, digest).await?))
}

/// Ends a session, or all but this one.
pub(super) async fn end(
    Shared(state): Shared<State>,
    Staff(actor, info): Staff,
    Form64(form): Form64<End>,
) -> Result<Response> {
    let now = crate::clock::now();
    let own = state.sessions.sessions(Some(&info.user), now).await?;
    let ended =
        own.iter().filter(|its| if form.id.is_empty() { its.id != info.id } else { its.id == form.id });
    for its in ended {
        state.sessions.end(&its.id, &actor, now).await?;
    }
    Ok(see_other("/-/me"))
}
