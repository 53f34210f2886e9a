//! Lines about webhooks.
//!
//! Guarantees that a secret is in none: who reads a file must not be able to sign. So a webhook that comes from one gets
//! a new secret before it is told anything. What is on its way to webhooks is not written at all.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Item, Line};
use crate::secret::Secret;
use crate::store::webhooks::{Disabled, Webhook};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::transfer) struct WebhookLine {
    id: String,
    #[serde(default)]
    name: String,
    url: String,
    events: Vec<String>,
    created_at: Timestamp,
    created_by: String,
    #[serde(default)]
    disabled_at: Option<Timestamp>,
    #[serde(default)]
    disabled_why: Option<String>,
    version: u64,
}

/// A webhook, as a line.
pub(in crate::transfer) fn webhook_line(webhook: Webhook) -> Line {
    let (disabled_at, disabled_why) = webhook.disabled.map(|d| (d.at, d.why)).unzip();
    Line::Webhook(WebhookLine {
        id: webhook.id,
        name: webhook.name,
        url: webhook.url,
        events: webhook.events,
        created_at: webhook.created_at,
        created_by: webhook.created_by,
        disabled_at,
        disabled_why,
        version: webhook.version,
    })
}

pub(super) fn read(line: WebhookLine) -> Item {
    let why = line.disabled_why.unwrap_or_default();
    Item::Webhook(Webhook {
        id: line.id,
        name: line.name,
        url: line.url,
        events: line.events,
        secret: Secret::default(),
        created_at: line.created_at,
        created_by: line.created_by,
        disabled: line.disabled_at.map(|at| Disabled { at, why }),
        version: line.version,
    })
}
