//! `/live`: what happens now, as server-sent events (WHATWG HTML, section 9.2).
//!
//! Guarantees `snapshot` first, then what happened since `Last-Event-ID` as far as it is kept, then each second a `tick`,
//! a `change` when there is one, and `bye` at shutdown. Who reads too slowly is let go of, and comes back. A screen is let
//! in by its token, which lets it into nothing else; a stream ends with what let it in.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State as Shared};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use http::header::{AUTHORIZATION, CACHE_CONTROL};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio_util::sync::CancellationToken;

use super::query::Params;
use crate::accounts::user_of;
use crate::clock;
use crate::domain::error::{Reason, Refusal};
use crate::live::{Live, Viewer};
use crate::sessions::{self, GrantKind};
use crate::web::State;
use crate::web::auth::{Caller, bearer};
use crate::web::error::{Error, Result};
use crate::web::session::{self, SignedIn};

/// Viewers at one node.
const MOST: usize = 500;
/// When a viewer who was cut off is to come back.
const RETRY: Duration = Duration::from_secs(2);
/// Between two comments, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Proxies in front are not to hold events back.
const NO_BUFFER: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How far one viewer is.
enum At {
    /// What was put together when it came.
    Greeting(std::vec::IntoIter<Event>),
    Following,
    Ended,
}

/// What happens now.
#[utoipa::path(get, path = "/api/v1/live", tag = "reports",
    params(("token" = Option<String>, Query, description = "Of a screen, instead of a key"), ("Last-Event-ID" = Option<u64>, Header, description = "Where a viewer was cut off")),
    responses((status = 200, description = "Server-sent events: snapshot, tick, change, bye", content_type = "text/event-stream",
        body = String)))]
pub async fn live(Shared(state): Shared<State>, access: Access, headers: HeaderMap) -> Result<Response> {
    let Some(viewer) = Live::watch(&state.live, MOST) else {
        return Err(Error::Limited(RETRY.as_secs()));
    };
    // An event between the two is shown twice rather than not at all.
    let id = state.live.last_id();
    let snapshot = state.live.snapshot(clock::now()).await.map_err(crate::reports::Error::Store)?;
    let snapshot = Event::default().event("snapshot").id(id.to_string()).retry(RETRY).data(snapshot);
    let last = headers.get(LAST_EVENT_ID).and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
    let missed = last.map_or_else(Vec::new, |last| state.live.since(last));
    let greeting: Vec<Event> = std::iter::once(snapshot).chain(missed.iter().map(event)).collect();
    let events = follow(viewer, greeting, access, state.closing.clone());
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    response.headers_mut().insert(NO_BUFFER, HeaderValue::from_static("no"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Whether a viewer still may watch: what let it in ends, and is revoked.
pub struct Access {
    state: State,
    by: By,
}

enum By {
    Key(String),
    /// The cookie's secret.
    Session(String),
    /// The user whom the proxy names.
    Proxy(String),
    Screen(String),
}

impl FromRequestParts<State> for Access {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Access> {
        let of = |by| Access { state: state.clone(), by };
        let token = Params::from_request_parts(parts, state).await?.take("token");
        let key = parts.headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(bearer);
        if let (Some(token), None) = (token, key) {
            let access = of(By::Screen(token));
            if access.holds().await {
                return Ok(access);
            }
            state.limits.failed_from(parts, state)?;
            let detail = "this token is not valid for the live board";
            return Err(Refusal::new(Reason::Unauthenticated, detail).into());
        }
        let key = key.map(str::to_owned);
        let Caller(actor) = Caller::from_request_parts(parts, state).await?;
        let secret = session::shown(&parts.headers, &state.staff_url).map(str::to_owned);
        Ok(of(match (key, user_of(&actor.name), parts.extensions.get::<SignedIn>(), secret) {
            (Some(key), ..) => By::Key(key),
            (None, Some(user), Some(in_by), _) if in_by.info.by == sessions::By::Proxy => {
                By::Proxy(user.to_owned())
            }
            (.., secret) => By::Session(secret.unwrap_or_default()),
        }))
    }
}

impl Access {
    async fn holds(&self) -> bool {
        let (state, now) = (&self.state, clock::now());
        match &self.by {
            By::Key(key) => state.accounts.holder(key, now).is_some(),
            By::Session(secret) => matches!(state.sessions.holder(secret, now).await, Ok(Some(_))),
            By::Proxy(user) => state.accounts.acting(user).is_some(),
            By::Screen(token) => {
                matches!(state.sessions.granted(GrantKind::Screen, token, now).await, Ok(Some(_)))
            }
        }
    }
}

fn event(event: &Arc<crate::live::Event>) -> Event {
    Event::default().event(event.name).id(event.id.to_string()).data(&event.data)
}

fn follow(
    viewer: Viewer,
    greeting: Vec<Event>,
    access: Access,
    closing: CancellationToken,
) -> impl Stream<Item = std::result::Result<Event, std::convert::Infallible>> {
    let begin = (viewer, (access, closing), At::Greeting(greeting.into_iter()));
    stream::unfold(begin, |(mut viewer, (access, closing), mut at)| async move {
        if let At::Greeting(left) = &mut at {
            match left.next() {
                Some(event) => return Some((Ok(event), (viewer, (access, closing), at))),
                None => at = At::Following,
            }
        }
        if matches!(at, At::Ended) || !access.holds().await {
            return None;
        }
        let next = tokio::select! {
            () = closing.cancelled() => None,
            next = viewer.next() => Some(next?),
        };
        match next {
            Some(next) => Some((Ok(event(&next)), (viewer, (access, closing), at))),
            None => {
                Some((Ok(Event::default().event("bye").data("{}")), (viewer, (access, closing), At::Ended)))
            }
        }
    })
}
