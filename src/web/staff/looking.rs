//! Who looks at a view: somebody who is signed in, or whoever has a share of this very view.
//!
//! Guarantees that a share shows the one view that it was made for and nothing else, to somebody who may do nothing and to
//! whom everything confidential is secret; whose it was before does not help.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use crate::clock;
use crate::domain::access::{Actor, Role};
use crate::domain::error::{Reason, Refusal};
use crate::sessions::GrantKind;
use crate::web::State;
use crate::web::error::Error;
use crate::web::session::Staff;

/// The parameter with a share's secret.
const SHARE: &str = "share=";

/// Somebody who looks at a view.
pub(super) struct Looking {
    pub(super) actor: Actor,
    /// By a share.
    pub(super) shared: bool,
    /// Path and query of the view, without the share.
    pub(super) view: String,
}

/// Somebody who is nobody here.
pub(super) fn stranger() -> Actor {
    Actor { name: "share".into(), role: Role::Viewer }
}

/// The address of a view for whoever has this share.
pub(super) fn shared(view: &str, secret: &str) -> String {
    let and = if view.contains('?') { '&' } else { '?' };
    format!("{view}{and}{SHARE}{secret}")
}

/// A view's address, and the share in it.
pub(super) fn apart(address: &str) -> (String, Option<&str>) {
    let Some((path, query)) = address.split_once('?') else { return (address.to_owned(), None) };
    let share = query.split('&').find_map(|part| part.strip_prefix(SHARE));
    let rest: Vec<&str> = query.split('&').filter(|part| !part.starts_with(SHARE)).collect();
    let view = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    (view, share)
}

impl FromRequestParts<State> for Looking {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Looking, Response> {
        let address = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        let (view, share) = apart(&address);
        let Some(secret) = share else {
            let Staff(actor, _) = Staff::from_request_parts(parts, state).await?;
            return Ok(Looking { actor, shared: false, view });
        };
        let grant = state.sessions.granted(GrantKind::Share, secret, clock::now()).await;
        match grant.map_err(|error| Error::from(error).into_response())? {
            Some(grant) if grant.view == view => Ok(Looking { actor: stranger(), shared: true, view }),
            _ => {
                state.limits.failed_from(parts, state).map_err(IntoResponse::into_response)?;
                let detail = "this view is not shared, or not any more; ask who sent you the link";
                Err(Error::from(Refusal::new(Reason::NotFound, detail)).into_response())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_parameter_of_its_view() {
        for view in ["/-/links/a", "/-/reports?tab=link&scope=section:World%20News"] {
            assert_eq!(apart(&shared(view, "x")), (view.to_owned(), Some("x")));
            assert_eq!(apart(view), (view.to_owned(), None));
        }
        assert_eq!(apart("/-/links/a?share=x&period=7d"), ("/-/links/a?period=7d".to_owned(), Some("x")));
    }
}
