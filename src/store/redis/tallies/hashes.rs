//! One lane's hashes, read at one moment and changed only if nobody changed them since.
//!
//! Each change of a lane's numbers sets a new random tag, in the same atomic step; the same tag is the same
//! numbers, also after a failover that lost some. So whoever changes reads, decides, and writes under the tag that
//! was read; who comes too late reads again. Guarantees that a lane of another dataset, or of none, is neither
//! read nor changed. Knows nothing of what numbers mean.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use redis::{Cmd, Value};

use super::keys::{BUCKETS, Family, LaneKeys};
use crate::domain::lane::Lane;
use crate::store::redis::conn::{Conn, Script, read};
use crate::store::redis::dataset::fenced;
use crate::store::redis::lanes::Lanes;
use crate::store::{Error, Result};

static LOOK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("look.lua")));
static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("put.lua")));
static AUDIT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("audit.lua")));

/// How often a change is tried before it is said that others are always faster.
const TRIES: u32 = 50;
/// Longest that one waits who lost, in milliseconds.
const LONGEST_WAIT: u32 = 64;
/// Commands in one round trip.
const AT_ONCE: usize = 128;

/// The hashes of all lanes of a store.
pub(super) struct Hashes {
    pub(super) conn: Conn,
    pub(super) lanes: Lanes,
}

/// What is asked of a lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    /// Fields of the lane's own hash.
    pub(super) own: Vec<Vec<u8>>,
    /// Fields of hashes of numbers.
    pub(super) numbers: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
}

/// What a lane has.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    tag: Vec<u8>,
    pub(super) own: Vec<Option<Vec<u8>>>,
    /// In the order of the question, hash by hash.
    pub(super) numbers: Vec<Option<Vec<u8>>>,
}

/// A lane's own hash.
#[derive(Clone, Debug, Default)]
pub(super) struct Own(pub(super) HashMap<Vec<u8>, Vec<u8>>);

impl Own {
    pub(super) fn number(&self, field: &[u8]) -> Result<u64> {
        number(self.0.get(field).map(Vec::as_slice))
    }
}

/// Changes of a lane, written together or not at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Put {
    /// The field of an ordinal, and what it must be.
    ordinal: Option<(Vec<u8>, u64)>,
    own: Vec<(Vec<u8>, Vec<u8>)>,
    steps: Vec<Step>,
}

/// One command on one key.
#[derive(Clone, Debug)]
struct Step {
    command: &'static str,
    key: Vec<u8>,
    args: Vec<Vec<u8>>,
}

/// What shall be done with what was read.
pub(super) enum Decision<T> {
    /// Nothing; this is the result.
    Leave(T),
    /// This; if it is done, that is the result.
    Change(Put, T),
}

impl Seen {
    /// The number in one of the own fields that were asked for.
    pub(super) fn number(&self, at: usize) -> Result<u64> {
        number(self.own.get(at).and_then(Option::as_deref))
    }
}

impl Put {
    /// Changes that are made only if the field of an ordinal is this.
    pub(super) fn at(field: &[u8], ordinal: u64) -> Put {
        Put { ordinal: Some((field.to_vec(), ordinal)), ..Put::default() }
    }

    /// Sets a field of the lane's own hash.
    pub(super) fn own(&mut self, field: &[u8], value: impl std::fmt::Display) {
        self.own.push((field.to_vec(), value.to_string().into_bytes()));
    }

    /// Sets fields of a hash: field, value, field, value ...
    pub(super) fn set(&mut self, key: Vec<u8>, pairs: Vec<Vec<u8>>) {
        self.step("HSET", key, pairs);
    }

    /// Takes fields out of a hash.
    pub(super) fn unset(&mut self, key: Vec<u8>, fields: Vec<Vec<u8>>) {
        self.step("HDEL", key, fields);
    }

    /// Puts members into a set.
    pub(super) fn join(&mut self, key: Vec<u8>, members: Vec<Vec<u8>>) {
        self.step("SADD", key, members);
    }

    /// Takes members out of a set.
    pub(super) fn leave(&mut self, key: Vec<u8>, members: Vec<Vec<u8>>) {
        self.step("SREM", key, members);
    }

    /// Takes a whole key away.
    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.steps.push(Step { command: "UNLINK", key, args: vec![] });
    }

    fn step(&mut self, command: &'static str, key: Vec<u8>, args: Vec<Vec<u8>>) {
        if !args.is_empty() {
            self.steps.push(Step { command, key, args });
        }
    }
}

impl Hashes {
    /// The site lane's number: those of links are below.
    pub(super) fn site(&self) -> Lane {
        self.lanes.site()
    }

    /// The names of a lane's keys.
    pub(super) fn keys(&self, lane: Lane) -> LaneKeys<'_> {
        LaneKeys::new(&self.lanes, lane)
    }

    /// Reads a lane at one moment.
    pub(super) async fn look(&self, lane: Lane, ask: &Ask) -> Result<Seen> {
        let mut keys = vec![self.keys(lane).own()];
        let mut args = vec![self.lanes.dataset_arg()];
        let own = std::iter::once(b"w".to_vec()).chain(ask.own.iter().cloned());
        args.push((ask.own.len() + 1).to_string().into_bytes());
        args.extend(own);
        for (key, fields) in &ask.numbers {
            keys.push(key.clone());
            args.push(fields.len().to_string().into_bytes());
            args.extend(fields.iter().cloned());
        }
        let answer = self.answer(lane, self.conn.run(&LOOK, &keys, &args).await?)?;
        let mut found = answer.map(read).collect::<Result<Vec<Option<Vec<u8>>>>>()?;
        let expected: usize = ask.numbers.iter().map(|(_, fields)| fields.len()).sum();
        if found.len() != 1 + ask.own.len() + expected {
            return Err(Error::Corrupt(format!(
                "lane {lane} answers {} of the fields asked for",
                found.len()
            )));
        }
        let numbers = found.split_off(1 + ask.own.len());
        let own = found.split_off(1);
        let tag = found.pop().flatten().unwrap_or_default();
        Ok(Seen { tag, own, numbers })
    }

    /// What comes after the 1 of an answer.
    fn answer(&self, lane: Lane, value: Value) -> Result<impl Iterator<Item = Value> + use<>> {
        let mut all = read::<Vec<Value>>(value)?.into_iter();
        match (all.next(), all.len()) {
            (Some(Value::Int(1)), _) => Ok(all),
            (Some(Value::Int(-1)), 1) => {
                let id: String = all.next().map_or(Ok(String::new()), read)?;
                Err(self.fenced(lane, &id))
            }
            other => Err(Error::Corrupt(format!("lane {lane} answers {other:?}"))),
        }
    }

    fn fenced(&self, lane: Lane, id: &str) -> Error {
        fenced(&self.lanes, lane, (!id.is_empty()).then_some(id))
    }

    /// Reads, decides, and writes what was decided; again from the top as long as others are faster.
    pub(super) async fn change<T>(
        &self,
        lane: Lane,
        ask: &Ask,
        decide: impl Fn(&Seen) -> Result<Decision<T>> + Send + Sync,
    ) -> Result<T>
    where
        T: Send,
    {
        for lost in 0..TRIES {
            let seen = self.look(lane, ask).await?;
            match decide(&seen)? {
                Decision::Leave(result) => return Ok(result),
                Decision::Change(put, result) => {
                    if self.put(lane, &seen, put).await? {
                        return Ok(result);
                    }
                }
            }
            // Those who always meet would always meet again.
            tokio::time::sleep(some_time(lost)?).await;
        }
        Err(Error::Unavailable(format!("others change lane {lane} all the time")))
    }

    /// Writes; false if somebody else changed the lane since it was read.
    async fn put(&self, lane: Lane, seen: &Seen, put: Put) -> Result<bool> {
        let (own, tag) = (self.keys(lane).own(), new_tag()?);
        let (field, ordinal) = match put.ordinal {
            Some((field, ordinal)) => (field, ordinal.to_string().into_bytes()),
            None => (vec![], vec![]),
        };
        let dataset = self.lanes.dataset_arg();
        let mut args = vec![dataset, field, ordinal, seen.tag.clone(), tag.clone()];
        let mut pairs: Vec<Vec<u8>> = put.own.into_iter().flat_map(|(field, value)| [field, value]).collect();
        pairs.extend([b"w".to_vec(), tag]);
        // The first key is the lane's own, and so is that of the first step: it is named twice.
        let mut keys = vec![own.clone()];
        let first = Step { command: "HSET", key: own, args: pairs };
        for step in std::iter::once(first).chain(put.steps) {
            keys.push(step.key);
            args.push(step.command.into());
            args.push(keys.len().to_string().into_bytes());
            args.push(step.args.len().to_string().into_bytes());
            args.extend(step.args);
        }
        let answer: Vec<Value> = read(self.conn.run(&PUT, &keys, &args).await?)?;
        match &answer[..] {
            [Value::Int(1)] => Ok(true),
            [Value::Int(0), _] | [Value::Int(2)] => Ok(false),
            [Value::Int(-1), id] => Err(self.fenced(lane, &read::<String>(id.clone())?)),
            other => Err(Error::Corrupt(format!("lane {lane} answers {other:?}"))),
        }
    }

    /// Reads a lane's own hash and totals at one moment: all of them, or one field's.
    pub(super) async fn totals(
        &self,
        lane: Lane,
        only: Option<(Vec<u8>, i64)>,
    ) -> Result<(Own, Vec<Vec<u8>>)> {
        let names = self.keys(lane);
        let mut keys = vec![names.own()];
        let mut args = vec![self.lanes.dataset_arg()];
        match only {
            Some((field, bucket)) => {
                keys.push(names.numbers(Family::Total, bucket));
                args.push(field);
            }
            None => {
                keys.extend((0..i64::from(BUCKETS)).map(|bucket| names.numbers(Family::Total, bucket)));
                args.push(vec![]);
            }
        }
        let mut all = self.answer(lane, self.conn.run(&AUDIT, &keys, &args).await?)?;
        let own = Own(all.next().map_or(Ok(HashMap::new()), read)?);
        let totals = all.map(read).collect::<Result<Vec<Option<Vec<u8>>>>>()?;
        Ok((own, totals.into_iter().flatten().collect()))
    }

    /// Answers of commands that only read, in order; refused if one of these lanes is not this store's. That is
    /// asked last: what was read before it was read of this store.
    pub(super) async fn ask(&self, lanes: &[Lane], mut cmds: Vec<Cmd>) -> Result<Vec<Value>> {
        let asked = cmds.len();
        for lane in lanes {
            let mut id = redis::cmd("HGET");
            id.arg(self.keys(*lane).own()).arg("id");
            cmds.push(id);
        }
        let mut answers = Vec::with_capacity(cmds.len());
        while !cmds.is_empty() {
            let later = cmds.split_off(cmds.len().min(AT_ONCE));
            answers.extend(self.conn.ask_all(std::mem::replace(&mut cmds, later)).await?);
        }
        let ids = answers.split_off(asked.min(answers.len()));
        let dataset = self.lanes.dataset().to_string();
        for (lane, id) in lanes.iter().zip(ids) {
            let id: Option<String> = read(id)?;
            if id.as_deref() != Some(&dataset) {
                return Err(self.fenced(*lane, id.as_deref().unwrap_or_default()));
            }
        }
        Ok(answers)
    }

    /// The own hashes of these lanes.
    pub(super) async fn own(&self, lanes: impl Iterator<Item = Lane>) -> Result<Vec<Own>> {
        let lanes: Vec<Lane> = lanes.collect();
        let cmds = lanes.iter().map(|lane| {
            let mut all = redis::cmd("HGETALL");
            all.arg(self.keys(*lane).own());
            all
        });
        let answers = self.ask(&lanes, cmds.collect()).await?;
        answers.into_iter().map(|value| Ok(Own(read(value)?))).collect()
    }
}

/// A new random tag.
fn new_tag() -> Result<Vec<u8>> {
    let mut tag = vec![0; 8];
    getrandom::fill(&mut tag).map_err(|e| Error::Unavailable(format!("no random numbers: {e}")))?;
    Ok(tag)
}

/// A random time to wait for who has lost so often, twice as long each time.
fn some_time(lost: u32) -> Result<Duration> {
    let most = 1_000 * 1_u32.checked_shl(lost).unwrap_or(u32::MAX).min(LONGEST_WAIT);
    let random = new_tag()?.iter().fold(0, |n: u32, byte| n.wrapping_mul(256).wrapping_add(u32::from(*byte)));
    Ok(Duration::from_micros(u64::from(random % most)))
}

/// A number in text; 0 for a field that is not there.
pub(super) fn number<T: std::str::FromStr + Default>(bytes: Option<&[u8]>) -> Result<T> {
    let Some(bytes) = bytes else { return Ok(T::default()) };
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.parse().map_err(|_| Error::Corrupt(format!("a number is \"{}\"", bytes.escape_ascii())))
}
