//! API keys: made, shown once, ended.

use askama::Template;

use super::sent::Sent;
use super::{Frame, Secret, rendered, unknown_action};
use crate::domain::access::{Actor, Role};
use crate::domain::error::{Reason, Refusal};
use crate::store::accounts::Key;
use crate::web::State;
use crate::web::error::Result;
use crate::web::staff::format::Times;

#[derive(Template)]
#[template(path = "staff/templates/settings/keys.html")]
struct Keys<'a> {
    frame: &'a Frame,
    keys: Vec<Key>,
}

impl Keys<'_> {
    /// How a key is now.
    fn standing(&self, key: &Key) -> String {
        let ended = key.expires_at.filter(|at| *at <= self.frame.times.now);
        match (key.revoked_at, ended, key.expires_at) {
            (Some(at), ..) => format!("revoked {}", self.frame.times.short(at)),
            (None, Some(at), _) => format!("ended {}", self.frame.times.short(at)),
            (None, None, Some(at)) => format!("until {}", self.frame.times.short(at)),
            (None, None, None) => String::new(),
        }
    }
}

pub(super) async fn body(state: &State, frame: &Frame) -> Result<String> {
    let mut keys = state.accounts.store().keys().await?;
    keys.sort_by_key(|key| (key.revoked_at.is_some(), std::cmp::Reverse(key.created_at)));
    rendered(&Keys { frame, keys })
}

pub(super) async fn act(state: &State, actor: &Actor, sent: &Sent, times: &Times) -> Result<Option<Secret>> {
    match sent.get("do") {
        "make" => {
            let role: Role = sent.get("role").parse()?;
            let no_time = || Refusal::field(Reason::InvalidValue, "expires_at", "this is no time");
            let until =
                sent.some("expires_at").map(|text| times.read(&text).ok_or_else(no_time)).transpose()?;
            let made =
                state.accounts.create_key(sent.get("name"), role, until, &actor.name, times.now).await?;
            let (key, text) = made;
            let then = "Put it where your program keeps its secrets. It is kept here as a hash only, and not shown again.";
            Ok(Some(Secret { what: format!("The key {}", key.name), text, then }))
        }
        "revoke" => {
            state.accounts.revoke_key(sent.get("id"), &actor.name, times.now).await?;
            Ok(None)
        }
        _ => Err(unknown_action().into()),
    }
}
