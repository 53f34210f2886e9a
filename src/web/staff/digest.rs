//! Digests: one's own, and the pages behind the links in letters.
//!
//! Guarantees that looking at a link does nothing (mail scanners do): a press of a button does. To end a digest nobody has
//! to sign in, and programs that read mail may do it by one POST from anywhere (RFC 8058): who has the link got the letter.

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::login::From as Asking;
use super::me;
use super::shell::{Shell, page, see_other, times};
use crate::clock;
use crate::digest::{Asked, Standing, Wanted};
use crate::domain::access::Actor;
use crate::sessions::SessionInfo;
use crate::web::State;
use crate::web::error::{Error, Result, status_of};
use crate::web::session::{Form64, Staff};

/// One's own digest, as a part of one's page.
#[derive(Template)]
#[template(path = "staff/templates/digest/mine.html")]
struct Mine {
    has_mail: bool,
    there: Option<Standing>,
    /// When the last one was sent, or why it was not.
    last: Option<String>,
    unconfirmed: Vec<String>,
    wanted: Wanted,
    wrong: Option<(String, String)>,
}

/// The page behind a link of a letter.
#[derive(Template)]
#[template(path = "staff/templates/digest/link.html")]
struct Behind {
    shell: Shell,
    title: &'static str,
    text: String,
    /// Where its button leads, what is on it, and the secret in its form.
    button: Option<(String, &'static str, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    #[serde(rename = "do")]
    what: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    every: String,
    #[serde(default)]
    hour: String,
}

#[derive(Deserialize)]
pub(super) struct Token {
    #[serde(default)]
    token: String,
}

/// Hours of the clock: what a form sends, and what people read.
pub(super) fn hours() -> Vec<(String, String)> {
    (0..24).map(|hour| (hour.to_string(), format!("{hour:02}:00"))).collect()
}

/// "daily, 07:00" or "Mondays, 07:00".
pub(super) fn rhythm(standing: &Standing) -> String {
    let its = &standing.subscription;
    let days = if its.every == crate::digest::Every::Daily { "daily" } else { "Mondays" };
    format!("{days}, {:02}:00", its.hour)
}

/// What became of the last one.
pub(super) fn last(standing: &Standing, times: &super::format::Times) -> Option<String> {
    let (at, failed) = standing.last.as_ref()?;
    Some(match failed {
        Some(why) => format!("The last one was given up, {}: {why}.", times.short(*at)),
        None => format!("The last one was sent {}.", times.short(*at)),
    })
}

impl Mine {
    fn hours(&self) -> Vec<(String, String)> {
        hours()
    }

    fn wrong_in(&self, field: &str) -> Option<&str> {
        self.wrong.as_ref().filter(|(its, _)| its == field).map(|(_, text)| text.as_str())
    }

    fn rhythm(&self, there: &Standing) -> String {
        rhythm(there)
    }
}

/// The part of one's page; `refused` is what was sent and what is wrong with it.
pub(super) async fn mine(
    state: &State,
    user: &str,
    refused: Option<(Wanted, (String, String))>,
) -> Result<String> {
    let times = times(state);
    let there = state.digests.of(user, times.now).await?;
    let (wanted, wrong) = match (refused, &there) {
        (Some((wanted, wrong)), _) => (wanted, Some(wrong)),
        (None, Some(there)) => {
            let its = there.subscription.clone();
            (Wanted { email: its.email, every: its.every.as_str().into(), hour: its.hour.to_string() }, None)
        }
        (None, None) => {
            let hour = state.digests.usual_hour().to_string();
            (Wanted { email: String::new(), every: "daily".into(), hour }, None)
        }
    };
    let last = there.as_ref().and_then(|there| last(there, &times));
    let unconfirmed = state.digests.unconfirmed(user, times.now).await?;
    let mine = Mine { has_mail: state.digests.has_mail(), there, last, unconfirmed, wanted, wrong };
    mine.render().map_err(|error| {
        tracing::error!(%error, "a part of a page could not be made");
        Error::Internal
    })
}

/// Asks for one's digest, changes or ends it.
pub(super) async fn change(
    Shared(state): Shared<State>,
    Staff(actor, info): Staff,
    Form64(form): Form64<Form>,
) -> Result<Response> {
    let now = clock::now();
    if form.what == "end" {
        state.digests.end(&info.user, &actor, now).await?;
        return Ok(see_other("/-/me?done=digest#digest"));
    }
    let wanted = Wanted { email: form.email, every: form.every, hour: form.hour };
    match state.digests.ask(&info.user, &wanted, now).await.map_err(Error::from) {
        Ok(Asked::Done) => Ok(see_other("/-/me?done=digest#digest")),
        Ok(Asked::Sent) => Ok(see_other("/-/me#digest")),
        Err(Error::Refused(refusal)) => {
            let field = refusal.field.clone().unwrap_or_else(|| "email".into());
            let wrong = (field.to_string(), refusal.detail.to_string());
            answer(&state, &actor, &info, (wanted, wrong), status_of(refusal.reason)).await
        }
        Err(error) => Err(error),
    }
}

async fn answer(
    state: &State,
    actor: &Actor,
    info: &SessionInfo,
    refused: (Wanted, (String, String)),
    status: StatusCode,
) -> Result<Response> {
    let digest = mine(state, &info.user, Some(refused)).await?;
    me::with_digest(state, actor, info, digest, status).await
}

/// What came of a link's secret; wrong ones are limited.
fn limited<T>(state: &State, parts: &http::request::Parts, found: crate::digest::Result<T>) -> Result<T> {
    let refused = matches!(&found, Err(crate::digest::Error::Refused(_)));
    if refused {
        state.limits.failed_from(parts, state)?;
    }
    Ok(found?)
}

/// Where an address is confirmed.
pub(super) async fn to_confirm(
    Shared(state): Shared<State>,
    Asking(parts): Asking,
    Query(asked): Query<Token>,
) -> Result<Response> {
    let found = state.digests.would_confirm(&asked.token, clock::now()).await;
    let (user, wanted) = limited(&state, &parts, found)?;
    Ok(page(
        StatusCode::OK,
        &Behind {
            shell: Shell::bare(&state),
            title: "Your digest",
            text: format!("{user}'s digest goes to {}, if you confirm it.", wanted.email),
            button: Some(("/-/digest/confirm".into(), "Confirm", asked.token)),
        },
    ))
}

/// Confirms an address.
pub(super) async fn confirm(
    Shared(state): Shared<State>,
    Asking(parts): Asking,
    Form64(form): Form64<Token>,
) -> Result<Response> {
    let found = state.digests.confirm(&form.token, clock::now()).await;
    let (user, wanted) = limited(&state, &parts, found)?;
    let text = format!("{user}'s digest goes to {} from now on. Each has a link that ends it.", wanted.email);
    Ok(done(&state, "It is confirmed", text))
}

/// Where a digest is ended.
pub(super) async fn to_end(
    Shared(state): Shared<State>,
    Asking(parts): Asking,
    Query(asked): Query<Token>,
) -> Result<Response> {
    let found = state.digests.would_end(&asked.token, clock::now()).await;
    let user = limited(&state, &parts, found)?;
    let secret = url::form_urlencoded::byte_serialize(asked.token.as_bytes()).collect::<String>();
    Ok(page(
        StatusCode::OK,
        &Behind {
            shell: Shell::bare(&state),
            title: "No more digests?",
            text: format!(
                "{user} gets no more of them, if you say so. One can be asked for again at any time."
            ),
            button: Some((format!("/-/digest/end?token={secret}"), "End it", String::new())),
        },
    ))
}

/// Ends a digest.
pub(super) async fn end(
    Shared(state): Shared<State>,
    Asking(parts): Asking,
    Query(asked): Query<Token>,
) -> Result<Response> {
    let found = state.digests.end_by_link(&asked.token, clock::now()).await;
    let user = limited(&state, &parts, found)?;
    Ok(done(&state, "It has ended", format!("{user} gets no more digests.")))
}

fn done(state: &State, title: &'static str, text: String) -> Response {
    page(StatusCode::OK, &Behind { shell: Shell::bare(state), title, text, button: None })
}
