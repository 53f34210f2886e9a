//! Users: added, with a role, let in by a link, disabled.

use askama::Template;
use jiff::Timestamp;

use super::sent::Sent;
use super::{Frame, Secret, rendered, unknown_action};
use crate::accounts::actor_name;
use crate::domain::access::Actor;
use crate::domain::error::{Reason, Refusal};
use crate::store::accounts::User;
use crate::web::State;
use crate::web::error::Result;
use crate::web::session;

#[derive(Template)]
#[template(path = "staff/templates/settings/users.html")]
struct Users<'a> {
    frame: &'a Frame,
    users: Vec<User>,
    /// Who looks: nobody shuts themselves out.
    own: String,
}

impl Users<'_> {
    /// The id of a row's choice of roles.
    fn select(&self, row: &usize) -> String {
        format!("role-{row}")
    }

    fn is_own(&self, user: &User) -> bool {
        actor_name(&user.name) == self.own
    }
}

pub(super) async fn body(state: &State, actor: &Actor, frame: &Frame) -> Result<String> {
    let mut users = state.accounts.store().users().await?;
    users.sort_by_key(|user| (user.disabled_at.is_some(), user.name.to_lowercase()));
    rendered(&Users { frame, users, own: actor.name.clone() })
}

pub(super) async fn act(state: &State, actor: &Actor, sent: &Sent, now: Timestamp) -> Result<Option<Secret>> {
    let (name, by) = (sent.get("name"), actor.name.as_str());
    let own = state.accounts.user_called(name).is_some_and(|user| actor_name(&user.name) == actor.name);
    if own && matches!(sent.get("do"), "role" | "disable") {
        let detail = "you would shut yourself out; another admin can do that";
        return Err(Refusal::field(Reason::Conflict, "name", detail).into());
    }
    match sent.get("do") {
        "add" => {
            let user = state.accounts.add_user(name, sent.get("role").parse()?, None, by, now).await?;
            Ok(Some(link(state, &user.name, by, now).await?))
        }
        "link" => Ok(Some(link(state, name, by, now).await?)),
        "role" => {
            state.accounts.set_role(name, sent.get("role").parse()?, by, now).await?;
            Ok(None)
        }
        "disable" => {
            state.accounts.disable_user(name, by, now).await?;
            Ok(None)
        }
        "enable" => {
            state.accounts.enable_user(name, by, now).await?;
            Ok(None)
        }
        _ => Err(unknown_action().into()),
    }
}

async fn link(state: &State, name: &str, by: &str, now: Timestamp) -> Result<Secret> {
    let (secret, _) = state.sessions.sign_in_link(name, by, now).await?;
    let then = "It works once, within the hour. Give it to nobody else: whoever opens it is that user.";
    Ok(Secret { what: format!("What signs {name} in"), text: session::link(&state.staff_url, &secret), then })
}
