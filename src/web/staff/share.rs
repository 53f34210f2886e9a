//! Sharing a view: an address that shows it, and nothing else, to whoever has it.

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::login::From as Asking;
use super::looking::shared;
use super::shell::{Shell, page, see_other, times};
use crate::domain::error::{Reason, Refusal};
use crate::sessions::GrantKind;
use crate::web::State;
use crate::web::error::Result;
use crate::web::session::{Form64, Staff};

/// Views that can be shared begin so.
const VIEWS: [&str; 3] = ["/-/links/", "/-/articles/", "/-/reports"];
/// Longest name of a share, in characters.
const NAME: usize = 100;

#[derive(Template)]
#[template(path = "staff/templates/share.html")]
struct Made {
    shell: Shell,
    name: String,
    url: String,
    view: String,
    until: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    view: String,
    name: String,
}

#[derive(Deserialize)]
pub(super) struct Shown {
    token: String,
}

/// Makes a share of a view; its address is shown once.
pub(super) async fn make(
    Shared(state): Shared<State>,
    Staff(actor, _): Staff,
    Form64(form): Form64<Wanted>,
) -> Result<Response> {
    if !VIEWS.iter().any(|view| form.view.starts_with(view)) {
        let detail = "links, stories and reports can be shared";
        return Err(Refusal::field(Reason::InvalidValue, "view", detail).into());
    }
    let times = times(&state);
    let name: String = form.name.trim().chars().take(NAME).collect();
    let what = (name.as_str(), form.view.as_str());
    let (secret, grant) = state.sessions.make_grant(GrantKind::Share, what, &actor, times.now).await?;
    let made = Made {
        shell: Shell::new(&state, &actor, ""),
        url: format!("{}{}", state.staff_url, shared(&grant.view, &secret)),
        name: grant.name,
        view: grant.view,
        until: times.long(grant.expires_at),
    };
    Ok(page(StatusCode::CREATED, &made))
}

/// The view that a share is of.
pub(super) async fn show(
    Shared(state): Shared<State>,
    Asking(parts): Asking,
    Query(shown): Query<Shown>,
) -> Result<Response> {
    let grant = state.sessions.granted(GrantKind::Share, &shown.token, crate::clock::now()).await?;
    match grant {
        Some(grant) => Ok(see_other(&shared(&grant.view, &shown.token))),
        None => {
            state.limits.failed_from(&parts, &state)?;
            let detail = "this view is not shared, or not any more; ask who sent you the link";
            Err(Refusal::new(Reason::NotFound, detail).into())
        }
    }
}
