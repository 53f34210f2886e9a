//! What the feed asks of Redis: how far lanes are, what changed, what records are now.
//!
//! Only reads, which may be asked twice. Guarantees that what a lane says of itself is read before its records, so
//! that records are never older than the version they are taken for.

use std::collections::BTreeMap;
use std::ops::Range;

use redis::Value;

use crate::domain::lane::Lane;
use crate::store::mirror::Mark;
use crate::store::redis::conn::{Conn, read};
use crate::store::redis::lanes::Lanes;
use crate::store::redis::records::{bucket, bucket_key, fields};
use crate::store::{Error, Result};

/// Most changes of a lane that are read at once.
const CHANGES: usize = 1_000;

/// What a lane says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Whose it is.
    pub(super) id: Option<String>,
    /// How far it is.
    pub(super) mark: Mark,
}

/// A change of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The lane's mark after it.
    pub(super) mark: Mark,
    /// The records that it changed.
    pub(super) fields: Vec<Vec<u8>>,
}

/// A change as it is told to whoever listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Where.
    pub(super) lane: Lane,
    /// The lane's tag before it.
    pub(super) before: u64,
    /// What.
    pub(super) entry: Entry,
}

/// Reads a message: `lane version tag-before tag fields`.
pub(super) fn message(bytes: &[u8]) -> Result<Message> {
    let corrupt = || Error::Corrupt(format!("a message is {}", bytes.escape_ascii()));
    let mut parts = bytes.splitn(5, |byte| *byte == b' ');
    let mut next = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
    let lane = next().and_then(|text| text.parse().ok()).ok_or_else(corrupt)?;
    let version = next().and_then(|text| text.parse().ok()).ok_or_else(corrupt)?;
    let before = tag(next().ok_or_else(corrupt)?)?;
    let tag = tag(next().ok_or_else(corrupt)?)?;
    let fields = fields::unpack(parts.next().ok_or_else(corrupt)?)?;
    Ok(Message { lane, before, entry: Entry { mark: Mark { version, tag }, fields } })
}

/// A tag as it is written: 16 hex digits, or nothing before the first commit.
pub(super) fn tag(text: &str) -> Result<u64> {
    if text.is_empty() {
        return Ok(0);
    }
    u64::from_str_radix(text, 16).map_err(|_| Error::Corrupt(format!("a lane's tag is \"{text}\"")))
}

fn ask(lanes: &Lanes, lane: Lane) -> redis::Cmd {
    let mut cmd = redis::cmd("HMGET");
    cmd.arg(lanes.meta(lane)).arg(&["id", "v", "t"]);
    cmd
}

fn told_by(answer: Value) -> Result<Told> {
    let (id, version, text): (Option<String>, Option<u64>, Option<String>) = read(answer)?;
    let mark = Mark { version: version.unwrap_or(0), tag: tag(&text.unwrap_or_default())? };
    Ok(Told { id, mark })
}

/// How far all lanes are.
pub(super) async fn all(conn: &Conn, lanes: &Lanes) -> Result<Vec<Told>> {
    let answers = conn.ask_all(lanes.all().map(|lane| ask(lanes, lane)).collect()).await?;
    answers.into_iter().map(told_by).collect()
}

/// How far a lane is.
pub(super) async fn one(conn: &Conn, lanes: &Lanes, lane: Lane) -> Result<Told> {
    told_by(conn.ask(ask(lanes, lane)).await?)
}

/// How far a lane is, and its first changes from `from` on, that one included.
pub(super) async fn changes(conn: &Conn, lanes: &Lanes, lane: Lane, from: u64) -> Result<(Told, Vec<Entry>)> {
    let mut range = redis::cmd("XRANGE");
    range.arg(lanes.key(lane, "c")).arg(format!("{from}-0")).arg("+").arg("COUNT").arg(CHANGES);
    let mut answers = conn.ask_all(vec![ask(lanes, lane), range]).await?.into_iter();
    let told = told_by(answers.next().unwrap_or(Value::Nil))?;
    let entries: Vec<(String, Vec<Vec<u8>>)> = read(answers.next().unwrap_or(Value::Nil))?;
    Ok((told, entries.into_iter().map(|(id, parts)| entry(&id, parts)).collect::<Result<_>>()?))
}

/// Reads `t tag f fields` of the change `version-0`.
fn entry(id: &str, parts: Vec<Vec<u8>>) -> Result<Entry> {
    let corrupt = || Error::Corrupt(format!("a change of a lane has the id \"{id}\""));
    let version = id.split_once('-').and_then(|(v, _)| v.parse().ok()).ok_or_else(corrupt)?;
    let mut entry = Entry { mark: Mark { version, tag: 0 }, fields: vec![] };
    for pair in parts.chunks_exact(2) {
        match pair[0].as_slice() {
            b"t" => entry.mark.tag = tag(std::str::from_utf8(&pair[1]).map_err(|_| corrupt())?)?,
            b"f" => entry.fields = fields::unpack(&pair[1])?,
            _ => {}
        }
    }
    Ok(entry)
}

/// These records as they are now, each with its bytes; empty for one that is not there.
pub(super) async fn records(
    conn: &Conn,
    lanes: &Lanes,
    lane: Lane,
    fields: Vec<Vec<u8>>,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut by_bucket: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
    for field in fields {
        by_bucket.entry(bucket(&field)).or_default().push(field);
    }
    let cmds = by_bucket.iter().map(|(bucket, fields)| {
        let mut cmd = redis::cmd("HMGET");
        cmd.arg(bucket_key(lanes, lane, *bucket)).arg(fields);
        cmd
    });
    let answers = conn.ask_all(cmds.collect()).await?;
    let mut found = vec![];
    for (fields, answer) in by_bucket.into_values().zip(answers) {
        let raws: Vec<Option<Vec<u8>>> = read(answer)?;
        found.extend(fields.into_iter().zip(raws.into_iter().map(Option::unwrap_or_default)));
    }
    Ok(found)
}

/// All records of some of a lane's hashes.
pub(super) async fn hashes(
    conn: &Conn,
    lanes: &Lanes,
    lane: Lane,
    which: Range<u32>,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let cmds = which.map(|bucket| {
        let mut cmd = redis::cmd("HGETALL");
        cmd.arg(bucket_key(lanes, lane, bucket));
        cmd
    });
    let mut found = vec![];
    for answer in conn.ask_all(cmds.collect()).await? {
        found.extend(read::<Vec<(Vec<u8>, Vec<u8>)>>(answer)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        assert_eq!(tag("").unwrap(), 0);
        assert_eq!(tag("00000000000000ff").unwrap(), 255);
        assert!(tag("xyz").is_err());
        assert!(message(b"1 2").is_err());
    }
}
