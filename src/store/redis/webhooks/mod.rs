//! Webhooks and their deliveries in Redis.
//!
//! Webhooks are records of the root lane, like keys: they are in the change feed and in the mirror, which lists them.
//! Deliveries are hashes and sorted sets of the root lane, one of each for a webhook, in no feed: a failover may lose
//! what was added last, or send again what was delivered last. Shows no secret.

mod deliveries;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::accounts::audit_writes;
use super::records::{
    Committed, KeptWebhook, Name, Records, Tries, Write, cut, gone_webhook, random_tag, read_webhook,
    write_webhook,
};
use crate::store::accounts::AuditEntry;
use crate::store::mirror::Mirror;
use crate::store::webhooks::{Disabled, Replaced, Webhook, Webhooks};
use crate::store::{Error, Result};

pub use deliveries::RedisDeliveries;

/// The webhooks of a store in Redis.
pub struct RedisWebhooks {
    records: Records,
    mirror: Arc<dyn Mirror>,
}

impl RedisWebhooks {
    /// The webhooks of a dataset that is open, which `records` shows to `mirror`.
    #[must_use]
    pub fn new(records: Records, mirror: Arc<dyn Mirror>) -> RedisWebhooks {
        RedisWebhooks { records, mirror }
    }

    async fn try_to_add(
        &self,
        tries: &mut Tries,
        webhook: &Webhook,
        tag: u64,
        line: Option<&AuditEntry>,
    ) -> Result<Option<bool>> {
        let record = self.records.read_one(Name::Webhook(webhook.id.clone())).await?;
        match read_webhook(&webhook.id, &record.raw)? {
            KeptWebhook::None => {}
            KeptWebhook::There(there) if there.tag == tag => {
                self.records.saw(vec![record]).await;
                return Ok(Some(true));
            }
            KeptWebhook::There(_) | KeptWebhook::Gone => return Ok(Some(false)),
        }
        let mut writes = vec![record.becomes(write_webhook(webhook, tag)?)];
        writes.extend(audit_writes(&self.records, line).await?);
        self.commit(tries, writes, true).await
    }

    async fn try_to_replace(
        &self,
        tries: &mut Tries,
        (webhook, tag): (&Webhook, u64),
        line: &AuditEntry,
    ) -> Result<Option<Replaced>> {
        let record = self.records.read_one(Name::Webhook(webhook.id.clone())).await?;
        let KeptWebhook::There(there) = read_webhook(&webhook.id, &record.raw)? else {
            return Ok(Some(Replaced::NotFound));
        };
        if there.tag == tag {
            self.records.saw(vec![record]).await;
            return Ok(Some(Replaced::Done));
        }
        if there.of.version + 1 != webhook.version {
            return Ok(Some(Replaced::Stale(Box::new(there.of))));
        }
        let mut writes = vec![record.becomes(write_webhook(webhook, tag)?)];
        writes.extend(audit_writes(&self.records, [line]).await?);
        self.commit(tries, writes, Replaced::Done).await
    }

    async fn try_to_remove(
        &self,
        tries: &mut Tries,
        id: &str,
        line: &mut AuditEntry,
    ) -> Result<Option<bool>> {
        let record = self.records.read_one(Name::Webhook(id.to_owned())).await?;
        let there = match read_webhook(id, &record.raw)? {
            KeptWebhook::There(there) => there,
            // This call's own work, or another's: it is gone either way.
            KeptWebhook::Gone if tries.repeated() => {
                self.records.saw(vec![record]).await;
                return Ok(Some(true));
            }
            KeptWebhook::Gone | KeptWebhook::None => return Ok(Some(false)),
        };
        line.detail = there.of.name;
        let mut writes = vec![record.becomes(gone_webhook()?)];
        writes.extend(audit_writes(&self.records, [&*line]).await?);
        self.commit(tries, writes, true).await
    }

    async fn commit<T>(&self, tries: &mut Tries, writes: Vec<Write>, done: T) -> Result<Option<T>> {
        Ok((self.records.commit(tries, writes).await? == Committed::Done).then_some(done))
    }

    async fn put(&self, webhook: &Webhook, line: Option<AuditEntry>) -> Result<bool> {
        let (mut tries, tag) = (Tries::default(), random_tag()?);
        loop {
            let tried = self.try_to_add(&mut tries, webhook, tag, line.as_ref()).await;
            if let Some(added) = tries.next(tried).await? {
                return Ok(added);
            }
        }
    }
}

fn line(at: Timestamp, by: &str, action: &str, id: &str, detail: &str) -> AuditEntry {
    let object = format!("webhook:{id}");
    AuditEntry { id: 0, at, by: by.into(), action: action.into(), object, detail: detail.into() }
}

/// With times as they are read again.
fn cut_times(webhook: Webhook) -> Webhook {
    let disabled = webhook.disabled.map(|disabled| Disabled { at: cut(disabled.at), ..disabled });
    Webhook { created_at: cut(webhook.created_at), disabled, ..webhook }
}

#[async_trait]
impl Webhooks for RedisWebhooks {
    async fn all(&self) -> Result<Vec<Webhook>> {
        let root = self.records.lanes().root();
        let followed = self.mirror.followed().await?;
        if !followed.get(usize::from(root)).is_some_and(|lane| lane.complete) {
            return Err(Error::Unavailable("the mirror has not read webhooks yet".into()));
        }
        self.mirror.webhooks().all().await
    }

    async fn add(&self, webhook: Webhook) -> Result<bool> {
        let webhook = cut_times(webhook);
        let (by, name) = (&webhook.created_by, &webhook.name);
        let line = line(webhook.created_at, by, "webhook.created", &webhook.id, name);
        self.put(&webhook, Some(line)).await
    }

    async fn replace(&self, webhook: Webhook, by: &str, action: &str, now: Timestamp) -> Result<Replaced> {
        let (mut tries, tag) = (Tries::default(), random_tag()?);
        let webhook = cut_times(webhook);
        let why = webhook.disabled.as_ref().map_or("", |disabled| &disabled.why);
        let line = line(now, by, action, &webhook.id, why);
        loop {
            let tried = self.try_to_replace(&mut tries, (&webhook, tag), &line).await;
            if let Some(replaced) = tries.next(tried).await? {
                return Ok(replaced);
            }
        }
    }

    async fn remove(&self, id: &str, by: &str, now: Timestamp) -> Result<bool> {
        let mut tries = Tries::default();
        let mut line = line(now, by, "webhook.deleted", id, "");
        loop {
            let tried = self.try_to_remove(&mut tries, id, &mut line).await;
            if let Some(removed) = tries.next(tried).await? {
                if removed {
                    deliveries::forget(&self.records, id).await?;
                }
                return Ok(removed);
            }
        }
    }

    async fn import(&self, webhooks: Vec<Webhook>) -> Result<()> {
        for webhook in webhooks {
            self.put(&cut_times(webhook), None).await?;
        }
        Ok(())
    }
}
