//! Sharing a view: an address that shows it, and nothing else, to whoever has it.
//!
//! Guarantees that what is shared can be seen by a stranger now: it is there, and it is not confidential still.

use askama::Template;
use axum::extract::{Path, Query, State as Shared};
use axum::response::Response;
use http::{StatusCode, Uri};
use serde::Deserialize;

use super::login::From as Asking;
use super::looking::{Looking, apart, shared, stranger};
use super::shell::{Shell, page, see_other, times};
use super::{article, link, reports};
use crate::domain::access::Role;
use crate::domain::error::{Reason, Refusal};
use crate::sessions::GrantKind;
use crate::web::State;
use crate::web::error::{Error, Result};
use crate::web::session::{Form64, Staff};

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
    actor.require(Role::Creator)?;
    require_visible(&state, &form.view).await?;
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

/// Refuses what a stranger would not see: pages of another kind, what is not there, what is confidential.
///
/// # Errors
/// The refusal of what is not to be seen, always on `view`; the store's.
pub(in crate::web) async fn require_visible(state: &State, view: &str) -> Result<()> {
    match look(state, view).await {
        // Whatever of it is wrong there, here it is the view.
        Err(Error::Refused(refusal)) => Err(Refusal { field: Some("view".into()), ..refusal }.into()),
        looked => looked,
    }
}

/// Looks at a view as a stranger.
async fn look(state: &State, view: &str) -> Result<()> {
    let refused = || {
        let detail = "links, stories and reports can be shared";
        Refusal::field(Reason::InvalidValue, "view", detail)
    };
    let uri: Uri = view.parse().map_err(|_| refused())?;
    let whole = uri.path_and_query().is_some_and(|all| all.as_str() == view);
    if !whole || apart(view).1.is_some() {
        return Err(refused().into());
    }
    let looking = Looking { actor: stranger(), shared: true, view: view.to_owned() };
    let (shared, segments) = (Shared(state.clone()), uri.path().split('/').skip(2).collect::<Vec<_>>());
    let shown = match segments.as_slice() {
        ["links", code] => {
            link::require_open(state, code).await?;
            let asked = Query::try_from_uri(&uri).map_err(|_| refused())?;
            link::show(shared, looking, Path((*code).to_owned()), asked).await?
        }
        ["articles", id] => {
            let asked = Query::try_from_uri(&uri).map_err(|_| refused())?;
            article::show(shared, looking, Path((*id).to_owned()), asked).await?
        }
        ["reports"] => {
            reports::show(shared, looking, Query::try_from_uri(&uri).map_err(|_| refused())?).await?
        }
        _ => return Err(refused().into()),
    };
    if shown.status().is_success() { Ok(()) } else { Err(refused().into()) }
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
