//! Messages on their way, in the root lane: a hash of all of a webhook, and sorted sets of those that wait, those that
//! ended, and all in order.
//!
//! Guarantees that each step is one script for one webhook, fenced by the dataset, and the same if it is sent twice.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::store::redis::conn::{Script, read};
use crate::store::redis::dataset::fenced;
use crate::store::redis::records::{Records, cut, pack_delivery, unpack_delivery};
use crate::store::webhooks::{
    Deliveries, Delivery, Enqueued, GO_AT_ONCE, Health, KEPT, KEPT_DAYS, Settled, Stage, WAITING,
};
use crate::store::{Error, Result};

static ENQUEUE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("enqueue.lua")));
static SETTLE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("settle.lua")));

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Keys live so long after the last thing that happened with them.
const LIFE_MS: i64 = 30 * DAY_MS;
/// Deliveries added in one script: its answer holds up everybody.
const AT_ONCE: usize = 250;

/// The deliveries of a store in Redis.
pub struct RedisDeliveries {
    records: Records,
}

/// A webhook's keys.
struct Keys {
    all: Vec<u8>,
    waiting: Vec<u8>,
    order: Vec<u8>,
    ended: Vec<u8>,
    failing: Vec<u8>,
}

impl Keys {
    fn of(records: &Records, webhook: &str) -> Keys {
        let key = |what: &str| records.lanes().key(records.lanes().root(), &format!("{what}:{webhook}"));
        Keys { all: key("wd"), waiting: key("ww"), order: key("wo"), ended: key("we"), failing: key("wf") }
    }
}

/// Where a delivery stands among all: by time, then by id.
fn place(at_ms: i64, id: &str) -> Vec<u8> {
    format!("{:014}{id}", at_ms.max(0)).into_bytes()
}

fn bytes(number: impl ToString) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// Lets all deliveries of a webhook go.
pub(super) async fn forget(records: &Records, webhook: &str) -> Result<()> {
    records.gate()?;
    let Keys { all, waiting, order, ended, failing } = Keys::of(records, webhook);
    let mut cmd = redis::cmd("UNLINK");
    cmd.arg(&[all, waiting, order, ended, failing]);
    records.conn().ask(cmd).await.map(drop)
}

impl RedisDeliveries {
    /// The deliveries of a dataset that is open.
    #[must_use]
    pub fn new(records: Records) -> RedisDeliveries {
        RedisDeliveries { records }
    }

    fn keys(&self, webhook: &str) -> Keys {
        Keys::of(&self.records, webhook)
    }

    fn meta(&self) -> Vec<u8> {
        self.records.lanes().meta(self.records.lanes().root())
    }

    fn not_ours(&self, id: &[u8]) -> Error {
        let lanes = self.records.lanes();
        let id = String::from_utf8_lossy(id);
        fenced(lanes, lanes.root(), Some(&*id).filter(|id| !id.is_empty()))
    }

    async fn enqueue_some(&self, webhook: &str, new: &[Delivery]) -> Result<Enqueued> {
        let keys = self.keys(webhook);
        let mut args = vec![self.records.lanes().dataset_arg(), bytes(WAITING), bytes(LIFE_MS)];
        for delivery in new {
            let due = match delivery.stage {
                Stage::Waiting(at) | Stage::Delivered(at) | Stage::Failed(at) => at.as_millisecond(),
            };
            let at = delivery.created_at.as_millisecond();
            args.extend([delivery.id.as_bytes().to_vec(), pack_delivery(delivery)?, bytes(due)]);
            args.push(place(at, &delivery.id));
        }
        let keys = [self.meta(), keys.all, keys.waiting, keys.order];
        let answer = self.records.conn().run(&ENQUEUE, &keys, &args).await?;
        match read::<(i64, usize, usize, Vec<u8>)>(answer)? {
            (1, added, refused, _) => Ok(Enqueued { added, refused }),
            (.., id) => Err(self.not_ours(&id)),
        }
    }

    /// The deliveries with these ids, in their order, as far as they are there.
    async fn all(&self, webhook: &str, ids: &[String]) -> Result<Vec<Delivery>> {
        if ids.is_empty() {
            return Ok(vec![]);
        }
        let mut cmd = redis::cmd("HMGET");
        cmd.arg(&self.keys(webhook).all).arg(ids);
        let raws: Vec<Option<Vec<u8>>> = read(self.records.conn().ask(cmd).await?)?;
        let there = ids.iter().zip(raws).filter_map(|(id, raw)| Some((id, raw?)));
        there.map(|(id, raw)| unpack_delivery(webhook, id, &raw)).collect()
    }
}

#[async_trait]
impl Deliveries for RedisDeliveries {
    async fn enqueue(&self, new: Vec<Delivery>) -> Result<Enqueued> {
        self.records.gate()?;
        let mut by_webhook: BTreeMap<String, Vec<Delivery>> = BTreeMap::new();
        for delivery in new {
            by_webhook.entry(delivery.webhook.clone()).or_default().push(delivery);
        }
        let mut done = Enqueued::default();
        for (webhook, new) in &by_webhook {
            for some in new.chunks(AT_ONCE) {
                let more = self.enqueue_some(webhook, some).await?;
                done = Enqueued { added: done.added + more.added, refused: done.refused + more.refused };
            }
        }
        Ok(done)
    }

    async fn due(&self, webhooks: &[String], now: Timestamp, limit: usize) -> Result<Vec<Delivery>> {
        let ask = |webhook: &String| {
            let mut cmd = redis::cmd("ZRANGEBYSCORE");
            let until = now.as_millisecond();
            cmd.arg(&self.keys(webhook).waiting).arg("-inf").arg(until).arg("LIMIT").arg(0).arg(limit);
            cmd
        };
        if webhooks.is_empty() {
            return Ok(vec![]);
        }
        let answers = self.records.conn().ask_all(webhooks.iter().map(ask).collect()).await?;
        let mut due = vec![];
        for (webhook, answer) in webhooks.iter().zip(answers) {
            due.extend(self.all(webhook, &read::<Vec<String>>(answer)?).await?);
        }
        Ok(due)
    }

    async fn settle(
        &self,
        before: &Delivery,
        after: Delivery,
        health: Health,
        now: Timestamp,
    ) -> Result<Settled> {
        self.records.gate()?;
        let keys = self.keys(&before.webhook);
        let now_ms = now.as_millisecond();
        let (due, ended) = match after.stage {
            Stage::Waiting(at) => (bytes(at.as_millisecond()), vec![]),
            Stage::Delivered(at) | Stage::Failed(at) => (vec![], bytes(at.as_millisecond())),
        };
        let health = match health {
            Health::Unsaid => vec![],
            Health::Good => bytes(0),
            Health::Failing(at) => bytes(at.as_millisecond().max(1)),
        };
        let args = [
            self.records.lanes().dataset_arg(),
            before.id.as_bytes().to_vec(),
            pack_delivery(before)?,
            pack_delivery(&after)?,
            place(before.created_at.as_millisecond(), &before.id),
            due,
            ended,
            health,
            bytes(LIFE_MS),
            bytes(now_ms.saturating_sub(KEPT_DAYS * DAY_MS)),
            bytes(KEPT),
            bytes(GO_AT_ONCE),
        ];
        let keys = [self.meta(), keys.all, keys.waiting, keys.order, keys.ended, keys.failing];
        let (done, since): (i64, Vec<u8>) = read(self.records.conn().run(&SETTLE, &keys, &args).await?)?;
        if done < 0 {
            return Err(self.not_ours(&since));
        }
        Ok(Settled { done: done == 1, failing_since: time_of(&since)? })
    }

    async fn find(&self, webhook: &str, id: &str) -> Result<Option<Delivery>> {
        Ok(self.all(webhook, &[id.to_owned()]).await?.pop())
    }

    async fn list(
        &self,
        webhook: &str,
        before: Option<(i64, String)>,
        limit: usize,
    ) -> Result<Vec<Delivery>> {
        let from = match before {
            Some((at, id)) => [b"(".to_vec(), place(at, &id)].concat(),
            None => b"+".to_vec(),
        };
        let mut cmd = redis::cmd("ZREVRANGEBYLEX");
        cmd.arg(&self.keys(webhook).order).arg(from).arg("-").arg("LIMIT").arg(0).arg(limit);
        let places: Vec<String> = read(self.records.conn().ask(cmd).await?)?;
        let ids: Vec<String> = places.iter().filter_map(|p| p.get(14..).map(str::to_owned)).collect();
        self.all(webhook, &ids).await
    }

    async fn failing_since(&self, webhook: &str) -> Result<Option<Timestamp>> {
        let mut cmd = redis::cmd("GET");
        cmd.arg(&self.keys(webhook).failing);
        let since: Option<Vec<u8>> = read(self.records.conn().ask(cmd).await?)?;
        time_of(&since.unwrap_or_default())
    }

    async fn forgive(&self, webhook: &str) -> Result<()> {
        self.records.gate()?;
        let mut cmd = redis::cmd("UNLINK");
        cmd.arg(&self.keys(webhook).failing);
        self.records.conn().ask(cmd).await.map(drop)
    }
}

/// A time in milliseconds, as text; "" is none.
fn time_of(text: &[u8]) -> Result<Option<Timestamp>> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || Error::Corrupt(format!("a time is {}", text.escape_ascii()));
    let ms = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    Timestamp::from_millisecond(ms).map(|at| Some(cut(at))).map_err(|_| wrong())
}
