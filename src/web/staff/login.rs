//! Signing in and out: by password, by a sign-in link, after which one may set a password.
//!
//! Guarantees that a link is used up by a press of a button and not by who looks at it (mail scanners do), and that a
//! wrong name and a wrong password have one answer.

use askama::Template;
use axum::extract::{Query, Request, State as Shared};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use http::request::Parts;
use serde::Deserialize;

use super::shell::{Shell, page as answer, see_other};
use crate::clock;
use crate::domain::error::Reason;
use crate::sessions::{Began, Error};
use crate::web::State;
use crate::web::session::{self, Form64, Staff};

#[derive(Template)]
#[template(path = "staff/templates/login.html")]
struct Login {
    shell: Shell,
    next: String,
    user: String,
    /// A link's secret, and whom it signs in.
    link: Option<(String, String)>,
    wrong: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    next: String,
    token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    user: String,
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ByLink {
    token: String,
}

/// Where one signs in.
pub(super) async fn page(
    Shared(state): Shared<State>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let mut login =
        Login { shell: Shell::bare(&state), next: asked.next, user: String::new(), link: None, wrong: None };
    if let Some(token) = asked.token {
        let from = session::client(&parts, &state);
        match state.sessions.link_is_for(&token, &from, clock::now()).await {
            Ok(user) => login.link = Some((token, user)),
            Err(error) => return refused(login, error),
        }
    } else if let Ok(Some(_)) = session::identify(&parts, &state).await {
        return see_other(session::landing(Some(&login.next)));
    }
    answer(StatusCode::OK, &login)
}

/// Signs in by name and password.
pub(super) async fn sign_in(
    Shared(state): Shared<State>,
    From(parts): From,
    Form64(form): Form64<SignIn>,
) -> Response {
    let from = session::client(&parts, &state);
    match state.sessions.sign_in(&form.user, form.password, &from, clock::now()).await {
        Ok(began) => begun(&state, &began, session::landing(Some(&form.next))),
        Err(error) => {
            let (shell, next, user) = (Shell::bare(&state), form.next, form.user);
            refused(Login { shell, next, user, link: None, wrong: None }, error)
        }
    }
}

/// Signs in by a link.
pub(super) async fn by_link(
    Shared(state): Shared<State>,
    From(parts): From,
    Form64(form): Form64<ByLink>,
) -> Response {
    let from = session::client(&parts, &state);
    match state.sessions.use_link(&form.token, &from, clock::now()).await {
        Ok(began) => begun(&state, &began, "/-/me?new=1"),
        Err(error) => {
            let (shell, next, user) = (Shell::bare(&state), String::new(), String::new());
            refused(Login { shell, next, user, link: None, wrong: None }, error)
        }
    }
}

/// Ends the session that asks.
pub(super) async fn sign_out(Shared(state): Shared<State>, Staff(..): Staff, From(parts): From) -> Response {
    if let Some(secret) = session::shown(&parts.headers, &state.staff_url)
        && let Err(error) = state.sessions.sign_out(secret, clock::now()).await
    {
        tracing::error!(%error, "a session could not be ended");
        return crate::web::error::Error::Unavailable.into_response();
    }
    let mut response = see_other("/-/login");
    response.headers_mut().insert(SET_COOKIE, session::clear_cookie(&state.staff_url));
    response
}

pub(super) fn begun(state: &State, began: &Began, to: &str) -> Response {
    let mut response = see_other(to);
    response.headers_mut().insert(SET_COOKIE, session::set_cookie(&state.staff_url, began));
    response
}

fn refused(mut login: Login, error: Error) -> Response {
    let (status, wrong) = match error {
        Error::Refused(refusal) if refusal.reason == Reason::Unauthenticated => {
            (StatusCode::UNAUTHORIZED, refusal.detail.to_string())
        }
        Error::Refused(refusal) => (StatusCode::UNPROCESSABLE_ENTITY, refusal.detail.to_string()),
        Error::Limited(wait) => {
            let wait = wait.as_secs().max(1);
            (StatusCode::TOO_MANY_REQUESTS, format!("Too many attempts. Try again in {wait} seconds."))
        }
        other => {
            tracing::error!(error = %other, "nobody can sign in");
            let text =
                "Nobody can sign in right now, because the store cannot be asked. Try again in a moment.";
            (StatusCode::SERVICE_UNAVAILABLE, text.to_owned())
        }
    };
    login.wrong = Some(wrong);
    answer(status, &login)
}

/// The head of a request whose body somebody else reads.
pub(super) struct From(pub(super) Parts);

impl<S: Sync> axum::extract::FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<From, Self::Rejection> {
        Ok(From(parts.clone()))
    }
}
