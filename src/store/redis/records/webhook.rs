//! The records of webhooks, and how a delivery is packed.
//!
//! A webhook that was deleted leaves a record that says nothing but that: one that is gone would be taken for lost, and
//! put back by some node.

use serde::{Deserialize, Serialize};

use super::account::Owned;
use super::wire::{Who, decode, encode, ms, time};
use crate::secret::Secret;
use crate::store::Result;
use crate::store::links::RequestTag;
use crate::store::webhooks::{Delivery, Disabled, Stage, Tried, Webhook};

/// What a webhook's record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptWebhook {
    /// There is none and was none.
    None,
    /// There was one.
    Gone,
    /// It is there.
    There(Box<Owned<Webhook>>),
}

#[derive(Serialize, Deserialize)]
enum WireRecord {
    Gone,
    There(WireWebhook),
}

#[derive(Serialize, Deserialize)]
struct WireWebhook {
    name: String,
    url: String,
    events: Vec<String>,
    secret: String,
    created_ms: i64,
    created_by: Who,
    disabled: Option<(i64, String)>,
    version: u64,
    tag: RequestTag,
}

/// The record of a webhook.
///
/// # Errors
/// None that a webhook can have.
pub fn write(webhook: &Webhook, tag: RequestTag) -> Result<Vec<u8>> {
    encode(&WireRecord::There(WireWebhook {
        name: webhook.name.clone(),
        url: webhook.url.clone(),
        events: webhook.events.clone(),
        secret: webhook.secret.reveal().unwrap_or_default().to_owned(),
        created_ms: ms(webhook.created_at),
        created_by: Who::new(&webhook.created_by),
        disabled: webhook.disabled.as_ref().map(|disabled| (ms(disabled.at), disabled.why.clone())),
        version: webhook.version,
        tag,
    }))
}

/// The record of one that was deleted.
///
/// # Errors
/// None.
pub fn gone() -> Result<Vec<u8>> {
    encode(&WireRecord::Gone)
}

/// What a record says.
///
/// # Errors
/// `Corrupt` for bytes that are no webhook's.
pub fn read(id: &str, raw: &[u8]) -> Result<KeptWebhook> {
    if raw.is_empty() {
        return Ok(KeptWebhook::None);
    }
    let WireRecord::There(wire) = decode("a webhook", raw)? else { return Ok(KeptWebhook::Gone) };
    let disabled = match wire.disabled {
        Some((at, why)) => Some(Disabled { at: time(at)?, why }),
        None => None,
    };
    let of = Webhook {
        id: id.to_owned(),
        name: wire.name,
        url: wire.url,
        events: wire.events,
        secret: Secret::new(wire.secret),
        created_at: time(wire.created_ms)?,
        created_by: wire.created_by.name(),
        disabled,
        version: wire.version,
    };
    Ok(KeptWebhook::There(Box::new(Owned { of, tag: wire.tag })))
}

#[derive(Serialize, Deserialize)]
struct WireDelivery {
    event: String,
    code: String,
    body: String,
    created_ms: i64,
    attempts: u32,
    stage: u8,
    until_ms: i64,
    tried_ms: Option<i64>,
    status: Option<u16>,
    error: Option<String>,
    latency_ms: u64,
}

/// A delivery's bytes.
///
/// # Errors
/// None that a delivery can have.
pub fn pack_delivery(delivery: &Delivery) -> Result<Vec<u8>> {
    let (stage, until) = match delivery.stage {
        Stage::Waiting(at) => (0, at),
        Stage::Delivered(at) => (1, at),
        Stage::Failed(at) => (2, at),
    };
    encode(&WireDelivery {
        event: delivery.event.clone(),
        code: delivery.code.clone(),
        body: delivery.body.clone(),
        created_ms: ms(delivery.created_at),
        attempts: delivery.attempts,
        stage,
        until_ms: ms(until),
        tried_ms: delivery.tried.at.map(ms),
        status: delivery.tried.status,
        error: delivery.tried.error.clone(),
        latency_ms: delivery.tried.latency_ms,
    })
}

/// A delivery from its bytes.
///
/// # Errors
/// `Corrupt` for bytes that are no delivery's.
pub fn unpack_delivery(webhook: &str, id: &str, raw: &[u8]) -> Result<Delivery> {
    let wire: WireDelivery = decode("a delivery", raw)?;
    let until = time(wire.until_ms)?;
    Ok(Delivery {
        webhook: webhook.to_owned(),
        id: id.to_owned(),
        event: wire.event,
        code: wire.code,
        body: wire.body,
        created_at: time(wire.created_ms)?,
        attempts: wire.attempts,
        stage: match wire.stage {
            0 => Stage::Waiting(until),
            1 => Stage::Delivered(until),
            _ => Stage::Failed(until),
        },
        tried: Tried {
            at: wire.tried_ms.map(time).transpose()?,
            status: wire.status,
            error: wire.error,
            latency_ms: wire.latency_ms,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::webhooks::{delivery, webhook};

    #[test]
    fn all_come_back() {
        let at = |ms| time(ms).unwrap();
        let disabled = Some(Disabled { at: at(5), why: "it answered 410".into() });
        let full = Webhook { disabled, version: 4, ..webhook("w1", 1) };
        let read_back = read("w1", &write(&full, 9).unwrap()).unwrap();
        assert_eq!(read_back, KeptWebhook::There(Box::new(Owned { of: full, tag: 9 })));
        assert_eq!(read("w1", &gone().unwrap()).unwrap(), KeptWebhook::Gone);
        assert_eq!(read("w1", b"").unwrap(), KeptWebhook::None);
        for stage in [Stage::Waiting(at(7)), Stage::Delivered(at(8)), Stage::Failed(at(9))] {
            let tried =
                Tried { at: Some(at(3)), status: Some(500), error: Some("no".into()), latency_ms: 12 };
            let full = Delivery { stage, tried, attempts: 3, ..delivery("w1", "m1", 1) };
            assert_eq!(unpack_delivery("w1", "m1", &pack_delivery(&full).unwrap()).unwrap(), full);
        }
    }
}
