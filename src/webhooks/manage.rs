//! Webhooks as admins use them: made, changed, tried, looked at.
//!
//! Guarantees that a secret is shown once, when it is made; that an address of the private network, or of this service,
//! is refused where that can be seen; and that a change is made on the version that its admin saw.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use url::Url;
use utoipa::ToSchema;

use super::message::{EVENTS, OF_LINKS, of_test};
use super::{Error, MOST, Result, WebhookService, cut, delivery, host_of, sign};
use crate::accounts::MAX_NAME;
use crate::domain::access::{Actor, Role};
use crate::domain::error::{Reason, Refusal};
use crate::domain::target::{MAX_URL, Rules};
use crate::links::codes::{Drawer, Entropy, Settings as CodeSettings, system_bytes};
use crate::links::request::{given, text};
use crate::secret::Secret;
use crate::store::accounts::AuditEntry;
use crate::store::webhooks::{Delivery, Disabled, Health, Replaced, Stage, Webhook};

/// How long a name is looked up for while somebody waits.
const LOOK_UP: Duration = Duration::from_secs(2);
/// Changes of one webhook at the same moment that are waited for.
const TRIES: usize = 5;
const ID_LEN: usize = 12;
/// How long answers to an Idempotency-Key are remembered, in seconds.
const KEY_LIFE_S: i64 = 86_400;
/// Who disables what fails.
const SYSTEM: &str = "slugline";

/// `POST /webhooks`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = NewWebhook)]
pub struct NewWebhook {
    /// Who is told: an http(s) address on the public internet, port 80 or 443. Required.
    pub url: Option<String>,
    /// What it is for, at most 100 characters.
    pub name: Option<String>,
    /// Of what: link.created, link.changed, link.broken, link.mended, link.spike, digest. All of links, if not given.
    pub events: Option<Vec<String>>,
}

/// `PATCH /webhooks/{id}`: a field that is missing stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = WebhookChange)]
pub struct WebhookChange {
    /// The version that was read. Required.
    pub version: Option<u64>,
    /// Who is told.
    pub url: Option<String>,
    /// What it is for; null clears.
    #[serde(deserialize_with = "given")]
    pub name: Option<Option<String>>,
    /// Of what.
    pub events: Option<Vec<String>>,
    /// True stops it, false goes on; what waits is sent then.
    pub disabled: Option<bool>,
}

impl WebhookService {
    /// All webhooks, oldest first.
    ///
    /// # Errors
    /// The store's, `forbidden`.
    pub async fn all(&self, actor: &Actor) -> Result<Vec<Webhook>> {
        actor.require(Role::Admin)?;
        Ok(self.within(self.needs.webhooks.all()).await?)
    }

    /// One of them.
    ///
    /// # Errors
    /// `not_found`, `forbidden`.
    pub async fn get(&self, id: &str, actor: &Actor) -> Result<Webhook> {
        let all = self.all(actor).await?;
        all.into_iter().find(|webhook| webhook.id == id).ok_or_else(|| unknown().into())
    }

    /// Since when a webhook has been failing.
    ///
    /// # Errors
    /// The store's.
    pub async fn failing_since(&self, id: &str) -> Result<Option<Timestamp>> {
        Ok(self.within(self.needs.deliveries.failing_since(id)).await?)
    }

    /// Makes a webhook. Its secret is shown now and never again.
    ///
    /// # Errors
    /// The refusals of `POST /webhooks`.
    pub async fn create(
        &self,
        new: NewWebhook,
        rules: &Rules,
        actor: &Actor,
        entropy: &Entropy,
        now: Timestamp,
    ) -> Result<Webhook> {
        actor.require(Role::Admin)?;
        let missing = || Refusal::field(Reason::Missing, "url", "a webhook needs an address");
        let url = self.address(&new.url.ok_or_else(missing)?, rules).await?;
        let name = text("name", new.name, MAX_NAME)?.unwrap_or_default();
        let events = new.events.map_or_else(|| Ok(OF_LINKS.map(str::to_owned).to_vec()), events)?;
        let letters = CodeSettings { alphabet: "abcdefghijkmnpqrstuvwxyz23456789".into(), length: ID_LEN };
        let drawn = Drawer::new(&letters).codes(entropy.bytes("webhook", 0), 1, 0, 0);
        let webhook = Webhook {
            id: drawn.texts().next().unwrap_or_default().to_owned(),
            name,
            url,
            events,
            secret: new_secret(),
            created_at: cut(now),
            created_by: actor.name.clone(),
            disabled: None,
            version: 1,
        };
        let all = self.within(self.needs.webhooks.all()).await?;
        if let Some(there) = all.iter().find(|there| there.id == webhook.id) {
            // A request with an Idempotency-Key that was cut short before its answer was kept: nobody has seen the
            // secret. Later it is in use, and the key only used again.
            let is_new = now.as_second() - there.created_at.as_second() < KEY_LIFE_S;
            if is_new && there.version == 1 && there.url == webhook.url {
                return self.new_secret(&there.id, actor, now).await;
            }
            let detail = "a webhook was made with this key; use another";
            return Err(Refusal::field(Reason::Conflict, "Idempotency-Key", detail).into());
        }
        if all.len() >= MOST {
            let detail = format!("there are {MOST} webhooks already, the most there may be");
            return Err(Refusal::new(Reason::OutOfRange, detail).into());
        }
        if !self.within(self.needs.webhooks.add(webhook.clone())).await? {
            return Err(Refusal::new(Reason::Conflict, "a webhook like this was deleted; ask again").into());
        }
        tracing::info!(webhook = webhook.id, host = host_of(&webhook.url), "a webhook was made");
        self.reload().await?;
        Ok(webhook)
    }

    /// Changes a webhook. One that goes on has not been failing any more.
    ///
    /// # Errors
    /// The refusals of `PATCH /webhooks/{id}`.
    pub async fn change(
        &self,
        id: &str,
        change: WebhookChange,
        rules: &Rules,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Webhook> {
        let before = self.get(id, actor).await?;
        let missing = || Refusal::field(Reason::Missing, "version", "the version that was read");
        if change.version.ok_or_else(missing)? != before.version {
            return Err(stale(&before).into());
        }
        let mut after = before.clone();
        if let Some(url) = &change.url {
            after.url = self.address(url, rules).await?;
        }
        if let Some(name) = change.name {
            after.name = text("name", name, MAX_NAME)?.unwrap_or_default();
        }
        if let Some(given) = change.events {
            after.events = events(given)?;
        }
        match change.disabled {
            Some(true) if after.disabled.is_none() => {
                after.disabled =
                    Some(Disabled { at: cut(now), why: format!("switched off by {}", actor.name) });
            }
            Some(false) => after.disabled = None,
            Some(true) | None => {}
        }
        if after == before {
            return Ok(before);
        }
        let action = match (&before.disabled, &after.disabled) {
            (None, Some(_)) => "webhook.disabled",
            (Some(_), None) => "webhook.enabled",
            _ => "webhook.changed",
        };
        after.version += 1;
        self.put(after.clone(), &actor.name, action, now).await?;
        if action == "webhook.enabled" {
            self.within(self.needs.deliveries.forgive(id)).await?;
        }
        self.reload().await?;
        Ok(after)
    }

    /// Gives a webhook another secret, which is shown now and never again. The one before is good no more.
    ///
    /// # Errors
    /// `not_found`, `stale`.
    pub async fn new_secret(&self, id: &str, actor: &Actor, now: Timestamp) -> Result<Webhook> {
        let before = self.get(id, actor).await?;
        let after = Webhook { secret: new_secret(), version: before.version + 1, ..before };
        self.put(after.clone(), &actor.name, "webhook.secret_changed", now).await?;
        self.reload().await?;
        Ok(after)
    }

    /// Deletes a webhook with all that is on its way to it.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn remove(&self, id: &str, actor: &Actor, now: Timestamp) -> Result<()> {
        actor.require(Role::Admin)?;
        if !self.within(self.needs.webhooks.remove(id, &actor.name, now)).await? {
            return Err(unknown().into());
        }
        Ok(self.reload().await?)
    }

    /// A webhook's deliveries, newest first.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn deliveries(
        &self,
        id: &str,
        before: Option<(i64, String)>,
        limit: usize,
        actor: &Actor,
    ) -> Result<Vec<Delivery>> {
        self.get(id, actor).await?;
        Ok(self.within(self.needs.deliveries.list(id, before, limit)).await?)
    }

    /// Sends a message that says nothing but that it came, to this webhook alone.
    ///
    /// # Errors
    /// `not_found`; `conflict` for one that is told nothing.
    pub async fn test(&self, id: &str, actor: &Actor, entropy: &Entropy, now: Timestamp) -> Result<Delivery> {
        let webhook = self.open_one(id, actor).await?;
        let name = if webhook.name.is_empty() { &webhook.id } else { &webhook.name };
        let message = of_test(name, &entropy.bytes("test", 0)(16), &actor.name, now);
        let new = delivery(&webhook, &message);
        self.audit("webhook.tested", id, &new.id, actor, now).await?;
        let done = self.within(self.needs.deliveries.enqueue(vec![new.clone()])).await?;
        if done.refused > 0 {
            return Err(Refusal::field(Reason::Conflict, "id", "too many of its messages wait").into());
        }
        self.wake.notify_one();
        Ok(new)
    }

    /// Sends a message once more, now.
    ///
    /// # Errors
    /// `not_found`; `conflict` for a webhook that is told nothing.
    pub async fn retry(&self, id: &str, message: &str, actor: &Actor, now: Timestamp) -> Result<Delivery> {
        self.open_one(id, actor).await?;
        // It may be tried at this very moment.
        for _ in 0..TRIES {
            let found = self.within(self.needs.deliveries.find(id, message)).await?;
            let unknown = || Refusal::new(Reason::NotFound, "there is no delivery with this id any more");
            let before = found.ok_or_else(unknown)?;
            let after = Delivery { stage: Stage::Waiting(cut(now)), ..before.clone() };
            let settling = self.needs.deliveries.settle(&before, after.clone(), Health::Unsaid, now);
            if self.within(settling).await?.done {
                self.audit("webhook.retried", id, message, actor, now).await?;
                self.wake.notify_one();
                return Ok(after);
            }
        }
        Err(Refusal::new(Reason::Stale, "it is being delivered; look again").into())
    }

    /// Stops telling a webhook anything, because of what it does.
    pub(super) async fn disable(&self, id: &str, why: String, now: Timestamp) -> crate::store::Result<()> {
        for _ in 0..TRIES {
            let all = self.within(self.needs.webhooks.all()).await?;
            let found = all.into_iter().find(|webhook| webhook.id == id && webhook.disabled.is_none());
            let Some(mut webhook) = found else { return self.reload().await };
            let host = host_of(&webhook.url);
            webhook.disabled = Some(Disabled { at: cut(now), why: why.clone() });
            webhook.version += 1;
            let replacing = self.needs.webhooks.replace(webhook, SYSTEM, "webhook.disabled", now);
            if self.within(replacing).await? == Replaced::Done {
                tracing::warn!(webhook = id, host, why, "a webhook is told nothing any more");
                break;
            }
        }
        self.reload().await
    }

    async fn put(&self, webhook: Webhook, by: &str, action: &str, now: Timestamp) -> Result<()> {
        match self.within(self.needs.webhooks.replace(webhook, by, action, now)).await? {
            Replaced::Done => Ok(()),
            Replaced::Stale(there) => Err(stale(&there).into()),
            Replaced::NotFound => Err(unknown().into()),
        }
    }

    async fn open_one(&self, id: &str, actor: &Actor) -> Result<Webhook> {
        let webhook = self.get(id, actor).await?;
        let why = match &webhook.disabled {
            Some(disabled) => format!("it is disabled: {}", disabled.why),
            None if webhook.secret.reveal().is_none() => "it has no secret yet: make one".into(),
            None => return Ok(webhook),
        };
        Err(Error::Refused(Refusal::field(Reason::Conflict, "id", why)))
    }

    /// An address that messages are sent to.
    async fn address(&self, url: &str, rules: &Rules) -> Result<String> {
        let invalid = |why: String| Refusal::field(Reason::InvalidUrl, "url", why);
        if url.len() > MAX_URL {
            return Err(invalid("an address is at most 8 KiB long".into()).into());
        }
        let parsed = Url::parse(url.trim()).map_err(|e| invalid(format!("not an address: {e}")))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(invalid("an address begins with http:// or https://".into()).into());
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(invalid("an address must not carry a user name or password".into()).into());
        }
        let host = parsed.host_str().unwrap_or_default().trim_end_matches('.').to_owned();
        if rules.own.as_ref() == Some(&(host, parsed.port_or_known_default())) {
            return Err(Refusal::field(Reason::OwnHost, "url", "that is an address of this service").into());
        }
        let judged = self.needs.poster.judge(&parsed, LOOK_UP).await;
        judged.map_err(|why| {
            tracing::warn!(host = host_of(parsed.as_str()), why, "no webhook is made there");
            Refusal::field(Reason::DeniedHost, "url", why)
        })?;
        Ok(parsed.into())
    }

    async fn audit(&self, action: &str, id: &str, message: &str, actor: &Actor, at: Timestamp) -> Result<()> {
        let (by, action, object) = (actor.name.clone(), action.to_owned(), format!("webhook:{id}"));
        let line = AuditEntry { id: 0, at, by, action, object, detail: message.to_owned() };
        Ok(self.within(self.needs.accounts.audit(vec![line])).await?)
    }
}

fn new_secret() -> Secret {
    Secret::new(sign::secret(&system_bytes(sign::BYTES)))
}

fn events(given: Vec<String>) -> std::result::Result<Vec<String>, Refusal> {
    if given.is_empty() {
        return Err(Refusal::field(Reason::InvalidValue, "events", "at least one"));
    }
    if let Some(unknown) = given.iter().find(|event| !EVENTS.contains(&event.as_str())) {
        let detail = format!("\"{unknown}\" is none of {}", EVENTS.join(", "));
        return Err(Refusal::field(Reason::InvalidValue, "events", detail));
    }
    Ok(EVENTS.iter().filter(|event| given.iter().any(|g| g == *event)).map(|e| (*e).to_owned()).collect())
}

fn unknown() -> Refusal {
    Refusal::new(Reason::NotFound, "there is no webhook with this id")
}

fn stale(there: &Webhook) -> Refusal {
    let detail = format!("the webhook was changed meanwhile; it is at version {}", there.version);
    Refusal::field(Reason::Stale, "version", detail).with_version(there.version)
}
