//! What a page says when there is none: the same problems as the API's, in words and with the way back.
//!
//! Guarantees the status and `Retry-After` of the problem, and nothing of the inside; that what an address says and
//! nobody can read is a page too; and that whoever is signed in can go on from there.

use askama::Template;
use axum::extract::{Request, State as Shared};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{Method, StatusCode};

use super::shell::{Shell, page, see_other};
use crate::domain::error::{Reason, Refusal};
use crate::web::error::{Error, Rendered};
use crate::web::session::identify;
use crate::web::{State, pages};

/// Whatever is below `/-/` and nowhere else.
pub(super) const ELSEWHERE: &str = "/-/{*rest}";

#[derive(Template)]
#[template(path = "staff/templates/failure.html")]
struct Failure {
    shell: Shell,
    title: &'static str,
    detail: String,
    /// The same page, without what was asked of it.
    plain: Option<String>,
}

/// The title of a page that could not be.
fn title(status: u16) -> &'static str {
    match status {
        401 | 403 => "This is not yours to do",
        404 => "There is nothing here",
        405 => "That is not done here",
        409 => "Somebody was faster",
        429 => "That was too fast",
        503 => "The store is away",
        500.. => "Something broke on our side",
        _ => "That cannot be",
    }
}

/// What is wrong, if an answer is no page yet: a problem of ours, or what the router says by itself.
fn wrong(response: &Response, state: &State) -> Option<(StatusCode, String)> {
    if let Some(Rendered(error)) = response.extensions().get::<Rendered>() {
        let (status, body) = error.problem(&state.public_url);
        let detail = body.get("detail").and_then(serde_json::Value::as_str).unwrap_or_default();
        return Some((status, detail.to_owned()));
    }
    let is_text = || {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        kind.is_some_and(|kind| kind.starts_with("text/plain"))
    };
    match response.status() {
        StatusCode::BAD_REQUEST if is_text() => {
            Some((StatusCode::BAD_REQUEST, "a part of this address cannot be read, or is missing".into()))
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            Some((StatusCode::METHOD_NOT_ALLOWED, "this address is only looked at; it takes nothing".into()))
        }
        _ => None,
    }
}

/// The page that an address belongs to, which only takes what a form sends.
fn above(path: &str) -> &str {
    let (page, _) = path.rsplit_once('/').unwrap_or_default();
    if page.len() > "/-/".len() { page } else { "/-/" }
}

/// Puts a page in the place of a problem.
pub(super) async fn in_words(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let asked = parts.clone();
    let response = next.run(Request::from_parts(parts, body)).await;
    let Some((status, detail)) = wrong(&response, &state) else { return response };
    let looks = matches!(asked.method, Method::GET | Method::HEAD);
    if status == StatusCode::METHOD_NOT_ALLOWED && looks {
        return see_other(above(asked.uri.path()));
    }
    let plain = (status == StatusCode::BAD_REQUEST && looks && asked.uri.query().is_some())
        .then(|| asked.uri.path().to_owned());
    let failure =
        Failure { shell: shell(&asked, &state).await, title: title(status.as_u16()), detail, plain };
    let mut answer = page(status, &failure);
    if let Some(wait) = response.headers().get(RETRY_AFTER) {
        answer.headers_mut().insert(RETRY_AFTER, wait.clone());
    }
    answer
}

/// The frame for who is signed in; else, and if that cannot be known now, for nobody.
async fn shell(asked: &Parts, state: &State) -> Shell {
    match identify(asked, state).await {
        Ok(Some(signed_in)) => Shell::new(state, &signed_in.actor, ""),
        Ok(None) | Err(_) => Shell::bare(state),
    }
}

/// What is nowhere: staff go on from there, all others are readers.
pub(super) async fn nowhere(Shared(state): Shared<State>, request: Request) -> Response {
    let (asked, _) = request.into_parts();
    match identify(&asked, &state).await {
        Ok(Some(_)) => {
            Error::from(Refusal::new(Reason::NotFound, "no page has this address")).into_response()
        }
        Ok(None) | Err(_) => pages::nothing(Shared(state), asked.headers).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_takes_forms_belongs_to_a_page() {
        let table = [
            ("/-/undo", "/-/"),
            ("/-/me/password", "/-/me"),
            ("/-/links/x/retire", "/-/links/x"),
            ("/-/reports/adopt", "/-/reports"),
        ];
        for (path, page) in table {
            assert_eq!(above(path), page);
        }
    }
}
