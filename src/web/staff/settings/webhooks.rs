//! Webhooks: made, tried, stopped, and what became of their messages.

use askama::Template;
use jiff::Timestamp;

use super::sent::Sent;
use super::{Frame, Secret, rendered, unknown_action};
use crate::domain::access::Actor;
use crate::domain::error::{Reason, Refusal};
use crate::links::codes::Entropy;
use crate::store::webhooks::{Delivery, Stage, Webhook};
use crate::web::State;
use crate::web::error::Result;
use crate::webhooks::manage::{NewWebhook, WebhookChange};
use crate::webhooks::message::EVENTS;

/// Deliveries shown, the newest.
const DELIVERIES: usize = 50;

struct Shown {
    webhook: Webhook,
    standing: String,
    well: bool,
}

#[derive(Template)]
#[template(path = "staff/templates/settings/webhooks.html")]
struct Webhooks<'a> {
    frame: &'a Frame,
    webhooks: Vec<Shown>,
    /// Whose deliveries are shown, and these.
    deliveries: Option<(String, Vec<Delivery>)>,
}

impl Webhooks<'_> {
    fn events(&self) -> [&'static str; EVENTS.len()] {
        EVENTS
    }

    /// What became of a message.
    fn became(&self, delivery: &Delivery) -> String {
        match delivery.stage {
            Stage::Waiting(at) if delivery.attempts == 0 => {
                format!("goes out, {}", self.frame.times.short(at))
            }
            Stage::Waiting(at) => format!("is tried again, {}", self.frame.times.short(at)),
            Stage::Delivered(at) => format!("taken, {}", self.frame.times.short(at)),
            Stage::Failed(at) => format!("given up, {}", self.frame.times.short(at)),
        }
    }

    /// What was answered last.
    fn answered(&self, delivery: &Delivery) -> String {
        match (delivery.tried.status, &delivery.tried.error) {
            (Some(status), _) => format!("{status} in {} ms", delivery.tried.latency_ms),
            (None, Some(error)) => error.clone(),
            (None, None) => String::new(),
        }
    }
}

pub(super) async fn body(state: &State, actor: &Actor, frame: &Frame) -> Result<String> {
    let mut webhooks = vec![];
    for webhook in state.webhooks.all(actor).await? {
        let failing = state.webhooks.failing_since(&webhook.id).await?;
        let (standing, well) = match (&webhook.disabled, webhook.secret.reveal(), failing) {
            (Some(disabled), ..) => {
                (format!("off since {}: {}", frame.times.short(disabled.at), disabled.why), false)
            }
            (None, None, _) => ("has no secret yet: give it one".into(), false),
            (None, Some(_), Some(since)) => (format!("failing since {}", frame.times.short(since)), false),
            (None, Some(_), None) => ("on".into(), true),
        };
        webhooks.push(Shown { webhook, standing, well });
    }
    let of = webhooks.iter().find(|shown| shown.webhook.id == frame.asked.of);
    let deliveries = match of {
        Some(Shown { webhook, .. }) => {
            let name = if webhook.name.is_empty() { webhook.url.clone() } else { webhook.name.clone() };
            Some((name, state.webhooks.deliveries(&webhook.id, None, DELIVERIES, actor).await?))
        }
        None => None,
    };
    rendered(&Webhooks { frame, webhooks, deliveries })
}

fn secret(webhook: &Webhook) -> Result<Option<Secret>> {
    let none = || Refusal::new(Reason::Conflict, "this webhook got no secret; try again");
    let text = webhook.secret.reveal().ok_or_else(none)?.to_owned();
    let then = "Its receiver checks messages with it, as Standard Webhooks says. It is not shown again.";
    Ok(Some(Secret { what: format!("What messages to {} are signed with", webhook.url), text, then }))
}

pub(super) async fn act(state: &State, actor: &Actor, sent: &Sent, now: Timestamp) -> Result<Option<Secret>> {
    let (id, rules) = (sent.get("id"), state.links.rules());
    match sent.get("do") {
        "make" => {
            let new = NewWebhook {
                url: sent.some("url"),
                name: sent.some("name"),
                events: Some(sent.all("events")).filter(|events| !events.is_empty()),
            };
            secret(&state.webhooks.create(new, &rules, actor, &Entropy::System, now).await?)
        }
        "secret" => secret(&state.webhooks.new_secret(id, actor, now).await?),
        "on" | "off" => {
            let (version, disabled) = (Some(sent.number("version")?), Some(sent.get("do") == "off"));
            let change = WebhookChange { version, disabled, ..WebhookChange::default() };
            state.webhooks.change(id, change, &rules, actor, now).await?;
            Ok(None)
        }
        "test" => {
            state.webhooks.test(id, actor, &Entropy::System, now).await?;
            Ok(None)
        }
        "again" => {
            state.webhooks.retry(id, sent.get("message"), actor, now).await?;
            Ok(None)
        }
        "remove" => {
            state.webhooks.remove(id, actor, now).await?;
            Ok(None)
        }
        _ => Err(unknown_action().into()),
    }
}
