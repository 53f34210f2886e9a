//! What a page says when there is none: the same problems as the API's, in words and with the way back.
//!
//! Guarantees the status and `Retry-After` of the problem, and nothing of the inside.

use askama::Template;
use axum::extract::State as Shared;
use axum::response::Response;
use http::header::RETRY_AFTER;

use super::shell::{Shell, page};
use crate::web::State;
use crate::web::error::Rendered;

#[derive(Template)]
#[template(path = "staff/templates/failure.html")]
struct Failure {
    shell: Shell,
    title: &'static str,
    detail: String,
}

/// The title of a page that could not be.
fn title(status: u16) -> &'static str {
    match status {
        401 | 403 => "This is not yours to do",
        404 => "There is nothing here",
        409 => "Somebody was faster",
        429 => "That was too fast",
        503 => "The store is away",
        500.. => "Something broke on our side",
        _ => "That cannot be",
    }
}

/// Puts a page in the place of a problem.
pub(super) async fn in_words(Shared(state): Shared<State>, response: Response) -> Response {
    let Some(Rendered(error)) = response.extensions().get::<Rendered>() else { return response };
    let (status, body) = error.problem(&state.public_url);
    let detail = body.get("detail").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let failure = Failure { shell: Shell::bare(&state), title: title(status.as_u16()), detail };
    let mut answer = page(status, &failure);
    if let Some(wait) = response.headers().get(RETRY_AFTER) {
        answer.headers_mut().insert(RETRY_AFTER, wait.clone());
    }
    answer
}
