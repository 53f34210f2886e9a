//! `Idempotency-Key`: a POST that was sent twice is done once.
//!
//! Guarantees that the same key with the same body gets the first answer (without any secret that was in it, and
//! without what was redacted since), that another body is refused, and that a crash between doing and remembering is
//! met by the request's own tag: all randomness of the request is derived from its key. 5xx and 429 are not kept.

use axum::extract::{Request, State as Shared};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use sha2::{Digest, Sha256};

use super::State;
use super::auth::Caller;
use super::error::Error;
use super::json::{self, MAX_BATCH_BODY};
use super::redacted;
use crate::clock;
use crate::domain::error::{Reason, Refusal};
use crate::links::codes::Entropy;
use crate::store::accounts::{Answer, Begun};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key, in bytes.
const MAX_KEY: usize = 255;
/// Largest answer that is kept, in bytes: a batch of 1,000 links.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Set by a handler whose answer holds a secret: what to remember instead of it.
#[derive(Clone)]
pub struct WithoutSecret(pub serde_json::Value);

/// The layer around the API's POSTs.
pub async fn layer(Shared(state): Shared<State>, caller: Caller, request: Request, next: Next) -> Response {
    let key = request.headers().get(&KEY).filter(|_| request.method() == Method::POST).cloned();
    let Some(key) = key else { return next.run(request).await };
    match once(&state, caller, key, request, next).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn once(
    state: &State,
    Caller(actor): Caller,
    key: HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let key = key.to_str().ok().filter(|k| !k.is_empty() && k.len() <= MAX_KEY).ok_or_else(|| {
        let detail = format!("1 to {MAX_KEY} visible ASCII characters");
        Refusal::field(Reason::InvalidValue, "Idempotency-Key", detail)
    })?;
    let (mut parts, body) = request.into_parts();
    let bytes = json::bytes(body, MAX_BATCH_BODY).await?;
    let mut hash = Sha256::new();
    hash.update(parts.uri.path_and_query().map_or("", |p| p.as_str()));
    hash.update([0]);
    hash.update(&bytes);
    let store = state.accounts.store();
    match store.begin(&actor.name, key, hash.finalize().into(), clock::now()).await? {
        Begun::Done(answer) => return replay(state, answer).await,
        Begun::Running => {
            let detail = "a request with this Idempotency-Key is being worked on";
            return Err(Refusal::field(Reason::InProgress, "Idempotency-Key", detail).into());
        }
        Begun::Other => {
            let detail = "this Idempotency-Key was used with another body";
            return Err(Refusal::field(Reason::KeyReused, "Idempotency-Key", detail).into());
        }
        Begun::New => {}
    }
    parts.extensions.insert(Derived(Entropy::derived(&actor.name, key)));
    let response = next.run(Request::from_parts(parts, bytes.into())).await;
    remember(state, &actor.name, key, response).await
}

/// The randomness of a request with an Idempotency-Key.
#[derive(Clone)]
pub struct Derived(pub Entropy);

async fn remember(state: &State, owner: &str, key: &str, response: Response) -> Result<Response, Error> {
    let store = state.accounts.store();
    let status = response.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        store.finish(owner, key, None).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_ANSWER).await.map_err(|error| {
        tracing::error!(%error, "an answer could not be read to be remembered");
        Error::Internal
    })?;
    let kept = match parts.extensions.get::<WithoutSecret>() {
        Some(WithoutSecret(value)) => serde_json::to_vec(value).unwrap_or_default(),
        None => bytes.to_vec(),
    };
    store.finish(owner, key, Some(Answer { status: status.as_u16(), body: kept })).await?;
    Ok(Response::from_parts(parts, bytes.into()))
}

async fn replay(state: &State, answer: Answer) -> Result<Response, Error> {
    let body = redacted::blank(state, answer.body).await?;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    let headers = [
        (http::header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (REPLAYED, HeaderValue::from_static("true")),
    ];
    Ok((status, headers, body).into_response())
}
