//! Answers that are remembered for Idempotency-Keys.
//!
//! Guarantees that of many requests with one key one is told that it is new, also if its own answer from Redis was
//! lost: what stands there bears its random mark. Each ends by itself a little after a day.

use std::sync::LazyLock;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::store::accounts::{Answer, Begun};
use crate::store::redis::conn::{Script, read};
use crate::store::redis::records::{Records, Remembered, Tries, random_tag};
use crate::store::{Error, Result};

static ANSWER: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("answer.lua")));

/// A request that has not been answered for so long is taken for dead, in milliseconds.
const RUNNING_MS: i64 = 60_000;
/// An answer is remembered for so long, in milliseconds.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1_000;
/// A string lives an hour longer: the times in it count, not Redis's clock.
const LIFE_MS: i64 = REMEMBERED_MS + 60 * 60 * 1_000;

/// Where an answer lies.
struct Place {
    meta: Vec<u8>,
    key: Vec<u8>,
}

impl Place {
    fn of(records: &Records, owner: &str, key: &str) -> Place {
        let mut hash = Sha256::new();
        hash.update(owner);
        hash.update(b"\0");
        hash.update(key);
        let name: String = hash.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect();
        let lanes = records.lanes();
        let lane = lanes.of(&name);
        Place { meta: lanes.meta(lane), key: lanes.key(lane, &format!("i:{name}")) }
    }

    async fn read(&self, records: &Records) -> Result<Vec<u8>> {
        let mut cmd = redis::cmd("GET");
        cmd.arg(&self.key);
        let raw: Option<Vec<u8>> = read(records.conn().ask(cmd).await?)?;
        Ok(raw.unwrap_or_default())
    }

    /// True if it was what it was thought to be, and now is another.
    async fn replace(&self, records: &Records, was: &[u8], becomes: &[u8]) -> Result<bool> {
        records.gate()?;
        let lanes = records.lanes();
        let args = [lanes.dataset_arg(), was.to_vec(), becomes.to_vec(), LIFE_MS.to_string().into_bytes()];
        let keys = [self.meta.clone(), self.key.clone()];
        let (done, _): (i64, Vec<u8>) = read(records.conn().run(&ANSWER, &keys, &args).await?)?;
        match done {
            1 => Ok(true),
            0 => Ok(false),
            _ => Err(Error::Fenced(format!("the store was dataset {} and is not any more", lanes.dataset()))),
        }
    }
}

/// Looks a key up and, if it is new or was left running, marks it running.
pub(super) async fn begin(
    records: &Records,
    owner: &str,
    key: &str,
    body: [u8; 32],
    now: Timestamp,
) -> Result<Begun> {
    let (place, mut tries, mark) = (Place::of(records, owner, key), Tries::default(), random_tag()?);
    let now_ms = now.as_millisecond();
    let mine = Remembered { body, began_ms: now_ms, mark, answer: None };
    loop {
        let tried = async {
            let raw = place.read(records).await?;
            if let Some(there) = Remembered::read(&raw)?.filter(|r| now_ms - r.began_ms < REMEMBERED_MS) {
                let running = there.answer.is_none() && now_ms.saturating_sub(there.began_ms) < RUNNING_MS;
                match there {
                    there if there.mark == mark => return Ok(Some(Begun::New)),
                    there if there.body != body => return Ok(Some(Begun::Other)),
                    Remembered { answer: Some((status, body)), .. } => {
                        return Ok(Some(Begun::Done(Answer { status, body })));
                    }
                    _ if running => return Ok(Some(Begun::Running)),
                    _ => {}
                }
            }
            tries.sent();
            let done = place.replace(records, &raw, &mine.write()?).await;
            if !matches!(done, Err(Error::Unavailable(_))) {
                tries.answered();
            }
            Ok(done?.then_some(Begun::New))
        };
        let tried = tried.await;
        if let Some(begun) = tries.next(tried).await? {
            return Ok(begun);
        }
    }
}

/// Remembers the answer; None forgets that it was running.
pub(super) async fn finish(records: &Records, owner: &str, key: &str, answer: Option<Answer>) -> Result<()> {
    let (place, mut tries) = (Place::of(records, owner, key), Tries::default());
    let answer = answer.map(|answer| (answer.status, answer.body));
    loop {
        let tried = async {
            let raw = place.read(records).await?;
            let Some(there) = Remembered::read(&raw)? else { return Ok(Some(())) };
            let becomes = match &answer {
                None if there.answer.is_some() => return Ok(Some(())),
                None => vec![],
                Some(_) => Remembered { answer: answer.clone(), ..there }.write()?,
            };
            Ok(place.replace(records, &raw, &becomes).await?.then_some(()))
        };
        let tried = tried.await;
        if tries.next(tried).await?.is_some() {
            return Ok(());
        }
    }
}
