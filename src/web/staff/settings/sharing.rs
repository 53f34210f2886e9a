//! What lets somebody look who is not signed in: screens and shared views. One sees one's own, admins see all.

use askama::Template;
use jiff::Timestamp;

use super::sent::Sent;
use super::{Frame, Secret, rendered, unknown_action};
use crate::domain::access::{Actor, Role};
use crate::sessions::{Grant, GrantKind};
use crate::web::State;
use crate::web::error::Result;

#[derive(Template)]
#[template(path = "staff/templates/settings/sharing.html")]
struct Sharing<'a> {
    frame: &'a Frame,
    screens: Vec<Grant>,
    shares: Vec<Grant>,
    may_make: bool,
}

pub(super) async fn body(state: &State, actor: &Actor, frame: &Frame) -> Result<String> {
    let now = frame.times.now;
    let screens = state.sessions.grants(GrantKind::Screen, actor, now).await?;
    let shares = state.sessions.grants(GrantKind::Share, actor, now).await?;
    rendered(&Sharing { frame, screens, shares, may_make: actor.role >= Role::Creator })
}

pub(super) async fn act(state: &State, actor: &Actor, sent: &Sent, now: Timestamp) -> Result<Option<Secret>> {
    match sent.get("do") {
        "screen" => {
            let what = (sent.get("name"), "");
            let (secret, grant) = state.sessions.make_grant(GrantKind::Screen, what, actor, now).await?;
            let text = format!("{}/-/live?token={secret}&theme=dark", state.staff_url);
            let then = "Open it on the screen. It shows the live board and nothing else, for a year; it is not shown again.";
            Ok(Some(Secret { what: format!("The address of the screen {}", grant.name), text, then }))
        }
        "end_screen" => {
            state.sessions.revoke_grant(GrantKind::Screen, sent.get("id"), actor, now).await?;
            Ok(None)
        }
        "end_share" => {
            state.sessions.revoke_grant(GrantKind::Share, sent.get("id"), actor, now).await?;
            Ok(None)
        }
        _ => Err(unknown_action().into()),
    }
}
