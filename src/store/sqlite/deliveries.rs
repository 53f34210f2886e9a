//! Messages on their way, in links.db: so that one which was accepted survives what a link does.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::failure::{corrupt, maybe_time, ms, signed, time, unsigned};
use super::links::LinksState;
use super::threads::{Readers, Writer};
use crate::store::Result;
use crate::store::webhooks::{
    Deliveries, Delivery, Enqueued, GO_AT_ONCE, Health, KEPT, KEPT_DAYS, Settled, Stage, Tried, WAITING,
};

const COLUMNS: &str = "webhook, id, event, code, body, created_at, attempts, stage, until, tried_at, status, error, \
                       latency_ms";
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The embedded store's deliveries.
pub(super) struct SqliteDeliveries {
    pub(super) writer: Writer<LinksState>,
    pub(super) readers: Readers,
}

fn stage_of(stage: i64, until: Timestamp) -> Result<Stage> {
    match stage {
        0 => Ok(Stage::Waiting(until)),
        1 => Ok(Stage::Delivered(until)),
        2 => Ok(Stage::Failed(until)),
        other => Err(corrupt("a delivery's stage", other)),
    }
}

fn columns_of(stage: Stage) -> (i64, i64) {
    match stage {
        Stage::Waiting(at) => (0, ms(at)),
        Stage::Delivered(at) => (1, ms(at)),
        Stage::Failed(at) => (2, ms(at)),
    }
}

fn delivery(row: &Row<'_>) -> Result<Delivery> {
    Ok(Delivery {
        webhook: row.get(0)?,
        id: row.get(1)?,
        event: row.get(2)?,
        code: row.get(3)?,
        body: row.get(4)?,
        created_at: time(row.get(5)?)?,
        attempts: row.get(6)?,
        stage: stage_of(row.get(7)?, time(row.get(8)?)?)?,
        tried: Tried {
            at: maybe_time(row.get(9)?)?,
            status: row.get(10)?,
            error: row.get(11)?,
            latency_ms: unsigned(row.get(12)?)?,
        },
    })
}

fn all(conn: &Connection, rest: &str, params: impl rusqlite::Params) -> Result<Vec<Delivery>> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM deliveries {rest}"))?;
    let mut rows = statement.query(params)?;
    let mut found = vec![];
    while let Some(row) = rows.next()? {
        found.push(delivery(row)?);
    }
    Ok(found)
}

fn one(conn: &Connection, webhook: &str, id: &str) -> Result<Option<Delivery>> {
    Ok(all(conn, "WHERE webhook = ? AND id = ?", [webhook, id])?.pop())
}

fn put(conn: &Connection, delivery: &Delivery) -> Result<()> {
    let (stage, until) = columns_of(delivery.stage);
    conn.prepare_cached(
        "INSERT OR REPLACE INTO deliveries (webhook, id, event, code, body, created_at, attempts, stage, until, \
         tried_at, status, error, latency_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        delivery.webhook,
        delivery.id,
        delivery.event,
        delivery.code,
        delivery.body,
        ms(delivery.created_at),
        delivery.attempts,
        stage,
        until,
        delivery.tried.at.map(ms),
        delivery.tried.status,
        delivery.tried.error,
        signed(delivery.tried.latency_ms)?,
    ])?;
    Ok(())
}

fn enqueue(conn: &Connection, new: &[Delivery]) -> Result<Enqueued> {
    let mut done = Enqueued::default();
    let mut waiting: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for delivery in new {
        let webhook = delivery.webhook.as_str();
        let known = conn
            .prepare_cached("SELECT 1 FROM deliveries WHERE webhook = ? AND id = ?")?
            .exists([webhook, &delivery.id])?;
        if known || !conn.prepare_cached("SELECT 1 FROM webhooks WHERE id = ?")?.exists([webhook])? {
            continue;
        }
        let wait = match waiting.get(webhook) {
            Some(wait) => *wait,
            None => {
                let count = "SELECT count(*) FROM deliveries WHERE webhook = ? AND stage = 0";
                let count: i64 = conn.prepare_cached(count)?.query_row([webhook], |row| row.get(0))?;
                usize::try_from(count).unwrap_or(WAITING)
            }
        };
        if wait >= WAITING {
            waiting.insert(webhook, wait);
            done.refused += 1;
            continue;
        }
        waiting.insert(webhook, wait + 1);
        put(conn, delivery)?;
        done.added += 1;
    }
    Ok(done)
}

/// Lets ended deliveries go that are too old, or too many.
fn forget(conn: &Connection, webhook: &str, now: Timestamp) -> Result<()> {
    let go = i64::try_from(GO_AT_ONCE).unwrap_or(i64::MAX);
    let kept = i64::try_from(KEPT).unwrap_or(i64::MAX);
    conn.prepare_cached(
        "DELETE FROM deliveries WHERE rowid IN (SELECT rowid FROM deliveries \
         WHERE webhook = ? AND stage > 0 AND until < ? ORDER BY until LIMIT ?)",
    )?
    .execute(params![webhook, ms(now).saturating_sub(KEPT_DAYS * DAY_MS), go])?;
    conn.prepare_cached(
        "DELETE FROM deliveries WHERE rowid IN (SELECT rowid FROM deliveries \
         WHERE webhook = ? AND stage > 0 ORDER BY until DESC LIMIT ? OFFSET ?)",
    )?
    .execute(params![webhook, go, kept])?;
    Ok(())
}

fn failing_since(conn: &Connection, webhook: &str) -> Result<Option<Timestamp>> {
    let mut find = conn.prepare_cached("SELECT failing_since FROM webhooks WHERE id = ?")?;
    let since: Option<Option<i64>> = find.query_row([webhook], |row| row.get(0)).optional()?;
    maybe_time(since.flatten())
}

fn note(conn: &Connection, webhook: &str, health: Health) -> Result<()> {
    match health {
        Health::Unsaid => {}
        Health::Good => {
            conn.prepare_cached(
                "UPDATE webhooks SET failing_since = NULL WHERE id = ? AND failing_since IS NOT NULL",
            )?
            .execute([webhook])?;
        }
        Health::Failing(at) => {
            conn.prepare_cached(
                "UPDATE webhooks SET failing_since = ? WHERE id = ? AND failing_since IS NULL",
            )?
            .execute(params![ms(at), webhook])?;
        }
    }
    Ok(())
}

fn settle(
    conn: &Connection,
    before: &Delivery,
    after: &Delivery,
    health: Health,
    now: Timestamp,
) -> Result<Settled> {
    let is = one(conn, &before.webhook, &before.id)?;
    let done = is.as_ref() == Some(before);
    if done {
        put(conn, after)?;
        note(conn, &before.webhook, health)?;
        forget(conn, &before.webhook, now)?;
    }
    Ok(Settled { done, failing_since: failing_since(conn, &before.webhook)? })
}

#[async_trait]
impl Deliveries for SqliteDeliveries {
    async fn enqueue(&self, new: Vec<Delivery>) -> Result<Enqueued> {
        self.writer.write(move |conn, _| enqueue(conn, &new)).await
    }

    async fn due(&self, webhooks: &[String], now: Timestamp, limit: usize) -> Result<Vec<Delivery>> {
        let (webhooks, limit) = (webhooks.to_vec(), i64::try_from(limit).unwrap_or(i64::MAX));
        self.readers
            .read(move |conn| {
                let mut due = vec![];
                for webhook in &webhooks {
                    let rest =
                        "WHERE webhook = ? AND stage = 0 AND until <= ? ORDER BY until, created_at, id LIMIT ?";
                    due.extend(all(conn, rest, params![webhook, ms(now), limit])?);
                }
                Ok(due)
            })
            .await
    }

    async fn settle(
        &self,
        before: &Delivery,
        after: Delivery,
        health: Health,
        now: Timestamp,
    ) -> Result<Settled> {
        let before = before.clone();
        self.writer.write(move |conn, _| settle(conn, &before, &after, health, now)).await
    }

    async fn find(&self, webhook: &str, id: &str) -> Result<Option<Delivery>> {
        let (webhook, id) = (webhook.to_owned(), id.to_owned());
        self.readers.read(move |conn| one(conn, &webhook, &id)).await
    }

    async fn list(
        &self,
        webhook: &str,
        before: Option<(i64, String)>,
        limit: usize,
    ) -> Result<Vec<Delivery>> {
        let (webhook, limit) = (webhook.to_owned(), i64::try_from(limit).unwrap_or(i64::MAX));
        let (at, id) = before.unwrap_or((i64::MAX, String::new()));
        self.readers
            .read(move |conn| {
                let rest = "WHERE webhook = ? AND (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?";
                all(conn, rest, params![webhook, at, id, limit])
            })
            .await
    }

    async fn failing_since(&self, webhook: &str) -> Result<Option<Timestamp>> {
        let webhook = webhook.to_owned();
        self.readers.read(move |conn| failing_since(conn, &webhook)).await
    }

    async fn forgive(&self, webhook: &str) -> Result<()> {
        let webhook = webhook.to_owned();
        self.writer.write(move |conn, _| note(conn, &webhook, Health::Good)).await
    }
}
