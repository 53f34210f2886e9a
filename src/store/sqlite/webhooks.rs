//! Webhooks in links.db, so that a change of them is in the change feed; of a mirror too, which is only read.
//!
//! Shows no secret.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::failure::{corrupt, maybe_time, ms, signed, time, unsigned};
use super::links::{LinksState, account_changed, audited, writer};
use super::threads::{Readers, Writer};
use crate::secret::Secret;
use crate::store::Result;
use crate::store::webhooks::{Disabled, Replaced, Webhook, Webhooks};

const COLUMNS: &str =
    "id, name, url, events, secret, created_at, created_by, disabled_at, disabled_why, version";

/// The embedded store's webhooks.
pub(super) struct SqliteWebhooks {
    /// None in a mirror.
    pub(super) writer: Option<Writer<LinksState>>,
    pub(super) readers: Readers,
}

fn webhook(row: &Row<'_>) -> Result<Webhook> {
    let events: String = row.get(3)?;
    let why: Option<String> = row.get(8)?;
    let at = maybe_time(row.get(7)?)?;
    Ok(Webhook {
        id: row.get(0)?,
        name: row.get(1)?,
        url: row.get(2)?,
        events: serde_json::from_str(&events).map_err(|_| corrupt("a webhook's events", &events))?,
        secret: Secret::new(row.get::<_, String>(4)?),
        created_at: time(row.get(5)?)?,
        created_by: row.get(6)?,
        disabled: at.map(|at| Disabled { at, why: why.unwrap_or_default() }),
        version: unsigned(row.get(9)?)?,
    })
}

fn all(conn: &Connection) -> Result<Vec<Webhook>> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM webhooks ORDER BY created_at, id"))?;
    let mut rows = statement.query([])?;
    let mut found = vec![];
    while let Some(row) = rows.next()? {
        found.push(webhook(row)?);
    }
    Ok(found)
}

fn one(conn: &Connection, id: &str) -> Result<Option<Webhook>> {
    let mut find = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM webhooks WHERE id = ?"))?;
    let found = find.query_row([id], |row| Ok(webhook(row))).optional()?;
    found.transpose()
}

/// Writes a webhook over the one of its id, if there is one. Its health stays.
pub(super) fn put(conn: &Connection, webhook: &Webhook) -> Result<()> {
    let events = serde_json::to_string(&webhook.events).map_err(|e| corrupt("a webhook's events", e))?;
    conn.prepare_cached(
        "INSERT INTO webhooks (id, name, url, events, secret, created_at, created_by, disabled_at, disabled_why, \
         version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET name = excluded.name, \
         url = excluded.url, events = excluded.events, secret = excluded.secret, \
         created_at = excluded.created_at, created_by = excluded.created_by, \
         disabled_at = excluded.disabled_at, disabled_why = excluded.disabled_why, version = excluded.version",
    )?
    .execute(params![
        webhook.id,
        webhook.name,
        webhook.url,
        events,
        webhook.secret.reveal().unwrap_or_default(),
        ms(webhook.created_at),
        webhook.created_by,
        webhook.disabled.as_ref().map(|disabled| ms(disabled.at)),
        webhook.disabled.as_ref().map(|disabled| &disabled.why),
        signed(webhook.version)?,
    ])?;
    account_changed(conn)
}

/// Removes a webhook's row. False if there was none.
pub(super) fn take_out(conn: &Connection, id: &str) -> Result<bool> {
    let gone = conn.prepare_cached("DELETE FROM webhooks WHERE id = ?")?.execute([id])?;
    account_changed(conn)?;
    Ok(gone > 0)
}

#[async_trait]
impl Webhooks for SqliteWebhooks {
    async fn all(&self) -> Result<Vec<Webhook>> {
        self.readers.read(all).await
    }

    async fn add(&self, webhook: Webhook) -> Result<bool> {
        writer(&self.writer)?
            .write(move |conn, _| {
                if one(conn, &webhook.id)?.is_some() {
                    return Ok(false);
                }
                let object = format!("webhook:{}", webhook.id);
                let (at, by) = (ms(webhook.created_at), &webhook.created_by);
                audited(conn, at, by, "webhook.created", &object, &webhook.name)?;
                put(conn, &webhook)?;
                Ok(true)
            })
            .await
    }

    async fn replace(&self, webhook: Webhook, by: &str, action: &str, now: Timestamp) -> Result<Replaced> {
        let (by, action) = (by.to_owned(), action.to_owned());
        writer(&self.writer)?
            .write(move |conn, _| {
                let Some(there) = one(conn, &webhook.id)? else { return Ok(Replaced::NotFound) };
                if there.version + 1 != webhook.version {
                    return Ok(Replaced::Stale(Box::new(there)));
                }
                let why = webhook.disabled.as_ref().map_or("", |disabled| &disabled.why);
                audited(conn, ms(now), &by, &action, &format!("webhook:{}", webhook.id), why)?;
                put(conn, &webhook)?;
                Ok(Replaced::Done)
            })
            .await
    }

    async fn remove(&self, id: &str, by: &str, now: Timestamp) -> Result<bool> {
        let (id, by) = (id.to_owned(), by.to_owned());
        writer(&self.writer)?
            .write(move |conn, _| {
                let Some(there) = one(conn, &id)? else { return Ok(false) };
                conn.prepare_cached("DELETE FROM deliveries WHERE webhook = ?")?.execute([&id])?;
                audited(conn, ms(now), &by, "webhook.deleted", &format!("webhook:{id}"), &there.name)?;
                take_out(conn, &id)
            })
            .await
    }

    async fn import(&self, webhooks: Vec<Webhook>) -> Result<()> {
        writer(&self.writer)?
            .write(move |conn, _| {
                webhooks.iter().try_for_each(|webhook| match one(conn, &webhook.id)? {
                    Some(_) => Ok(()),
                    None => put(conn, webhook),
                })
            })
            .await
    }
}
