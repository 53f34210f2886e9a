//! Digests: who gets which, and what became of the last one.

use askama::Template;
use jiff::Timestamp;

use super::sent::Sent;
use super::{Frame, Secret, rendered, unknown_action};
use crate::digest::{Standing, Wanted};
use crate::domain::access::Actor;
use crate::web::State;
use crate::web::error::Result;
use crate::web::staff::digest::{hours, last, rhythm};

#[derive(Template)]
#[template(path = "staff/templates/settings/digests.html")]
struct Digests<'a> {
    frame: &'a Frame,
    has_mail: bool,
    standing: Vec<Standing>,
    /// Those who may get one.
    users: Vec<String>,
    hour: String,
}

impl Digests<'_> {
    fn hours(&self) -> Vec<(String, String)> {
        hours()
    }

    fn rhythm(&self, standing: &Standing) -> String {
        rhythm(standing)
    }

    fn last(&self, standing: &Standing) -> String {
        last(standing, &self.frame.times).unwrap_or_else(|| "None was sent yet.".into())
    }
}

pub(super) async fn body(state: &State, frame: &Frame) -> Result<String> {
    let users = state.accounts.store().users().await?;
    let mut users: Vec<String> =
        users.into_iter().filter(|user| user.disabled_at.is_none()).map(|user| user.name).collect();
    users.sort_by_key(|name| name.to_lowercase());
    rendered(&Digests {
        frame,
        has_mail: state.digests.has_mail(),
        standing: state.digests.all(frame.times.now).await?,
        users,
        hour: state.digests.usual_hour().to_string(),
    })
}

pub(super) async fn act(state: &State, actor: &Actor, sent: &Sent, now: Timestamp) -> Result<Option<Secret>> {
    let user = sent.get("user");
    match sent.get("do") {
        "set" => {
            let text = |name: &str| sent.get(name).to_owned();
            let wanted = Wanted { email: text("email"), every: text("every"), hour: text("hour") };
            state.digests.set(user, &wanted, actor, now).await?;
        }
        "end" => state.digests.end(user, actor, now).await?,
        _ => return Err(unknown_action().into()),
    }
    Ok(None)
}
