//! Delivers messages, on the one node that holds the lease.
//!
//! Guarantees that each webhook has its own turn, one message at a time, so that a receiver that hangs holds up nobody
//! else; that one which fails is left alone for a while; and that what a try came to is kept before the next one. A
//! process that dies in between tries the message again: its id tells the receiver.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::message::conceal;
use super::{WebhookService, cut, host_of, schedule, sign};
use crate::articles::fetch::Posted;
use crate::clock;
use crate::store::webhooks::{Delivery, Stage, Webhook};
use crate::store::{self, Links};
use crate::telemetry;

/// Between two looks at what is due.
const LOOK: Duration = Duration::from_secs(1);
/// Messages of a webhook that are taken up at once.
const AT_ONCE: usize = 16;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const AT: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// What delivers.
pub struct Dispatcher {
    /// Whose messages.
    pub service: Arc<WebhookService>,
    /// What may be told of a link now.
    pub links: Arc<dyn Links>,
    /// True while this node is the one that delivers.
    pub held: watch::Receiver<bool>,
}

/// A webhook whose turn has ended, and until when it is left alone.
type Turn<'a> = BoxFuture<'a, (String, Option<Timestamp>)>;

impl Dispatcher {
    /// Delivers until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut turns: FuturesUnordered<Turn<'_>> = FuturesUnordered::new();
        let mut busy: HashSet<String> = HashSet::new();
        let mut rests: HashMap<String, Timestamp> = HashMap::new();
        let mut next = Instant::now();
        let mut failing = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some((webhook, rest)) = turns.next(), if !turns.is_empty() => {
                    busy.remove(&webhook);
                    if let Some(until) = rest {
                        rests.insert(webhook, until);
                    }
                    // There may be more of it.
                    next = Instant::now();
                    continue;
                }
                () = self.service.wake.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            }
            next = Instant::now() + LOOK;
            let now = clock::now();
            rests.retain(|_, until| *until > now);
            if let Some(first) = rests.values().min() {
                let left = Duration::try_from(first.duration_since(now)).unwrap_or(LOOK);
                next = next.min(Instant::now() + left.max(Duration::from_millis(1)));
            }
            if !*self.held.borrow() {
                continue;
            }
            let free = |webhook: &&Webhook| !busy.contains(&webhook.id) && !rests.contains_key(&webhook.id);
            match self.due(free, now).await {
                Ok(due) => {
                    failing = false;
                    for (webhook, deliveries) in due {
                        busy.insert(webhook.id.clone());
                        turns.push(self.turn(webhook, deliveries).boxed());
                    }
                }
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "messages that are due could not be read");
                }
                Err(_) => {}
            }
        }
    }

    /// What is due of those webhooks, each with its messages in order.
    async fn due(
        &self,
        free: impl Fn(&&Webhook) -> bool,
        now: Timestamp,
    ) -> store::Result<Vec<(Webhook, Vec<Delivery>)>> {
        let known = self.service.known();
        let open: Vec<&Webhook> = known.iter().filter(|w| w.is_open()).filter(free).collect();
        if open.is_empty() {
            return Ok(vec![]);
        }
        let ids: Vec<String> = open.iter().map(|webhook| webhook.id.clone()).collect();
        let deliveries = &self.service.needs.deliveries;
        let mut due: HashMap<String, Vec<Delivery>> = HashMap::new();
        for delivery in self.service.within(deliveries.due(&ids, now, AT_ONCE)).await? {
            due.entry(delivery.webhook.clone()).or_default().push(delivery);
        }
        let each = open.into_iter().filter_map(|webhook| Some((webhook.clone(), due.remove(&webhook.id)?)));
        Ok(each.collect())
    }

    /// Delivers to a webhook until one message is not taken.
    async fn turn(&self, webhook: Webhook, deliveries: Vec<Delivery>) -> (String, Option<Timestamp>) {
        for delivery in deliveries {
            // It may have been changed or stopped since its turn began.
            let known = self.service.known();
            let Some(webhook) = known.iter().find(|known| known.id == webhook.id && known.is_open()) else {
                break;
            };
            match self.deliver(webhook, &delivery).await {
                Ok(None) => {}
                Ok(Some(until)) => return (webhook.id.clone(), Some(until)),
                Err(error) => {
                    tracing::error!(%error, webhook = webhook.id, "what a delivery came to could not be kept");
                    // It was tried and is tried again: not at once, as nobody knows how often it was.
                    let rest = self.rest(clock::now());
                    return (webhook.id.clone(), Some(rest));
                }
            }
        }
        (webhook.id, None)
    }

    fn rest(&self, now: Timestamp) -> Timestamp {
        let first = self.service.needs.settings.retry_after.first();
        schedule::later(now, first.map_or(LOOK, |pause| pause.0))
    }

    /// Tries a message once. Gives until when its webhook is left alone, if it was not taken.
    async fn deliver(&self, webhook: &Webhook, delivery: &Delivery) -> store::Result<Option<Timestamp>> {
        let service = &self.service;
        let body = self.body(delivery, clock::now()).await?;
        let began = Instant::now();
        let posted = self.post(webhook, delivery, &body, clock::now()).await;
        let (now, latency) = (cut(clock::now()), began.elapsed());
        let settings = &service.needs.settings;
        let next = schedule::after(delivery, &posted, latency, &settings.pauses(), now);
        count(&next.delivery);
        self.log(webhook, &next.delivery, &posted);
        let rest = match next.delivery.stage {
            Stage::Delivered(_) => None,
            Stage::Waiting(at) if matches!(next.delivery.tried.status, Some(429 | 503)) => Some(at),
            Stage::Waiting(_) | Stage::Failed(_) => Some(self.rest(now)),
        };
        let settling = service.needs.deliveries.settle(delivery, next.delivery, next.health, now);
        let settled = service.within(settling).await?;
        let why = next.disable.or_else(|| {
            schedule::too_long(
                settled.failing_since.filter(|_| rest.is_some()),
                settings.disable_after.0,
                now,
            )
        });
        if let Some(why) = why {
            service.disable(&webhook.id, why, now).await?;
        }
        Ok(rest)
    }

    /// The message as it may be told now.
    async fn body(&self, delivery: &Delivery, now: Timestamp) -> store::Result<String> {
        if delivery.code.is_empty() {
            return Ok(delivery.body.clone());
        }
        let key = crate::domain::code::fold(&delivery.code);
        let found = self.service.within(self.links.find(&key)).await?;
        let found = found.iter().find(|found| found.link.code.as_str() == delivery.code);
        let url = &self.service.needs.public_url;
        let less = found.and_then(|found| conceal(&delivery.event, &delivery.body, found, url, now));
        Ok(less.unwrap_or_else(|| delivery.body.clone()))
    }

    async fn post(&self, webhook: &Webhook, delivery: &Delivery, body: &str, now: Timestamp) -> Posted {
        let seconds = now.as_second();
        let secret = webhook.secret.reveal().unwrap_or_default();
        let Some(signature) = sign::signature(secret, &delivery.id, seconds, body.as_bytes()) else {
            return Posted::Refused { why: "its secret cannot be used: make a new one".into() };
        };
        let Ok(url) = Url::parse(&webhook.url) else {
            return Posted::Refused { why: "its address is none".into() };
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let values = [(ID, delivery.id.clone()), (AT, seconds.to_string()), (SIGNATURE, signature)];
        for (name, value) in values {
            match HeaderValue::from_str(&value) {
                Ok(value) => drop(headers.insert(name, value)),
                Err(_) => return Posted::Refused { why: format!("{name} cannot be a header") },
            }
        }
        self.service.needs.poster.post(&url, headers, body.to_owned().into()).await
    }

    fn log(&self, webhook: &Webhook, after: &Delivery, posted: &Posted) {
        let (id, host, message) = (&webhook.id, host_of(&webhook.url), &after.id);
        let why = after.tried.error.as_deref().unwrap_or_default();
        match (posted, after.stage) {
            (Posted::Refused { .. }, _) => tracing::warn!(webhook = id, host, message, why, "not sent"),
            (_, Stage::Failed(_)) => {
                tracing::warn!(webhook = id, host, message, why, "a message was given up")
            }
            (_, Stage::Waiting(_)) => {
                tracing::info!(webhook = id, host, message, why, "a message was not taken")
            }
            (_, Stage::Delivered(_)) => tracing::debug!(webhook = id, host, message, "a message was taken"),
        }
    }
}

fn count(after: &Delivery) {
    let outcome = match after.stage {
        Stage::Delivered(_) => "delivered",
        Stage::Waiting(_) => "again",
        Stage::Failed(_) => "given_up",
    };
    metrics::counter!(telemetry::WEBHOOK_DELIVERIES, "outcome" => outcome).increment(1);
}
