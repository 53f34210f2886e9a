//! Reading records, and writing them by comparison with what was read.
//!
//! Guarantees that a commit changes all its records or none, only in the dataset this node knows, and only if each
//! still is what the caller read; that it raises the lane's version and tells all nodes; and that this node's own
//! mirror has it before the caller hears of it. Whether a commit without an answer was done is for the caller to
//! see from the records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;

use super::name::{bucket, bucket_key};
use super::{Name, Tries, decode};
use crate::domain::lane::Lane;
use crate::store::mirror::{Mark, Put, base_of};
use crate::store::redis::conn::{Conn, Script, read};
use crate::store::redis::lanes::Lanes;
use crate::store::{Error, Result};

static COMMIT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("commit.lua")));

/// Commits that each lane's stream of changes remembers, at least; with 64 lanes some 16,000 new links. Who comes
/// later compares the whole lane.
const FEED: &str = "512";
/// Most records read in one go.
const READ: usize = 1_000;

/// A record as it was read; no bytes if it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which.
    pub name: Name,
    /// Its bytes.
    pub raw: Vec<u8>,
}

impl Record {
    /// The write that replaces it.
    #[must_use]
    pub fn becomes(&self, raw: Vec<u8>) -> Write {
        Write { name: self.name.clone(), was: Some(self.raw.clone()), raw }
    }
}

/// A record to be written.
#[derive(Clone, Debug)]
pub struct Write {
    /// Which.
    pub name: Name,
    /// What it must be, no bytes for absent; None if that does not matter.
    pub was: Option<Vec<u8>>,
    /// What it becomes; no bytes for nothing.
    pub raw: Vec<u8>,
}

/// What came of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// All is written.
    Done,
    /// Nothing is: some record is not what it was. (Or all is, and it was sent twice.)
    Lost,
}

/// A commit of this node.
#[derive(Debug)]
pub struct Written {
    /// The lane's version that it made.
    pub version: u64,
    /// The tag of the commit before it; 0 for the first.
    pub before: u64,
    /// Its own tag.
    pub tag: u64,
    /// Its records.
    pub puts: Vec<Put>,
}

impl Written {
    /// The lane's place in its history after it.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { version: self.version, tag: self.tag }
    }
}

/// What came of [`Records::restore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// All is written.
    Done {
        /// The lane's version that it made.
        version: u64,
        /// The tag of the commit before it; 0 for the first.
        before: u64,
        /// Its own tag.
        tag: u64,
    },
    /// Nothing is: some record is not what it was.
    Conflict,
}

/// Who is told of each commit of this node before the caller is.
#[async_trait]
pub trait Witness: Send + Sync {
    /// Refuses commits while what answers is not known to be the right store.
    ///
    /// # Errors
    /// `Fenced`.
    fn gate(&self) -> Result<()> {
        Ok(())
    }

    /// A commit is about to be sent.
    fn sends(&self, lane: Lane, tag: u64);

    /// Its caller knows what came of it, or has gone. `told` is true if [`Witness::wrote`] has returned.
    fn over(&self, lane: Lane, tag: u64, told: bool);

    /// Takes the commit into the mirror and the change feed.
    async fn wrote(&self, lane: Lane, written: Written);

    /// Takes in records that an earlier commit without an answer may have written.
    async fn saw(&self, lane: Lane, puts: Vec<Put>);
}

/// All records of a dataset. Cheap to clone.
#[derive(Clone)]
pub struct Records {
    conn: Conn,
    lanes: Lanes,
    witness: Arc<dyn Witness>,
}

impl Records {
    /// The records of a dataset that is open.
    #[must_use]
    pub fn new(conn: Conn, lanes: Lanes, witness: Arc<dyn Witness>) -> Records {
        Records { conn, lanes, witness }
    }

    /// The connection.
    #[must_use]
    pub fn conn(&self) -> &Conn {
        &self.conn
    }

    /// The dataset's lanes.
    #[must_use]
    pub fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// Must be asked before anything is written.
    ///
    /// # Errors
    /// `Fenced` while what answers is not known to be the right store.
    pub fn gate(&self) -> Result<()> {
        self.witness.gate()
    }

    /// These records, in their order.
    ///
    /// # Errors
    /// `Fenced` if one of their lanes is another dataset's.
    pub async fn read(&self, names: Vec<Name>) -> Result<Vec<Record>> {
        let mut records = Vec::with_capacity(names.len());
        let mut names = names.into_iter().peekable();
        while names.peek().is_some() {
            records.extend(self.read_some(names.by_ref().take(READ).collect()).await?);
        }
        Ok(records)
    }

    async fn read_some(&self, names: Vec<Name>) -> Result<Vec<Record>> {
        let lanes: BTreeSet<Lane> = names.iter().map(|name| name.lane(&self.lanes)).collect();
        let record = |name: &Name| {
            let field = name.field();
            hget(bucket_key(&self.lanes, name.lane(&self.lanes), bucket(&field)), &field)
        };
        let mut commands: Vec<redis::Cmd> = names.iter().map(record).collect();
        // After the records: what is found missing was not flushed before this.
        commands.extend(lanes.iter().map(|lane| hget(self.lanes.meta(*lane), b"id")));
        let mut answers = self.conn.ask_all(commands).await?.into_iter();
        let mut records = Vec::with_capacity(names.len());
        for (name, answer) in names.into_iter().zip(answers.by_ref()) {
            let raw: Option<Vec<u8>> = read(answer)?;
            records.push(Record { name, raw: raw.unwrap_or_default() });
        }
        for (lane, answer) in lanes.into_iter().zip(answers) {
            let id: Option<Vec<u8>> = read(answer)?;
            self.expect(lane, &id.unwrap_or_default())?;
        }
        Ok(records)
    }

    /// One record.
    ///
    /// # Errors
    /// As [`Records::read`].
    pub async fn read_one(&self, name: Name) -> Result<Record> {
        let missing = || Error::Corrupt("a record was asked for and not answered".into());
        self.read(vec![name]).await?.pop().ok_or_else(missing)
    }

    /// All names in the hash of a record.
    ///
    /// # Errors
    /// As [`Records::read`].
    pub async fn beside(&self, name: &Name) -> Result<Vec<Name>> {
        let mut cmd = redis::cmd("HKEYS");
        cmd.arg(bucket_key(&self.lanes, name.lane(&self.lanes), bucket(&name.field())));
        let fields: Vec<Vec<u8>> = read(self.conn.ask(cmd).await?)?;
        fields.iter().map(|field| Name::of(field)).collect()
    }

    /// Writes records of one lane in one step.
    ///
    /// # Errors
    /// `Unavailable`: whether it was done is not known, and `tries` knows that; `Fenced`: it was not.
    pub async fn commit(&self, tries: &mut Tries, writes: Vec<Write>) -> Result<Committed> {
        let Some(lane) = writes.first().map(|write| write.name.lane(&self.lanes)) else {
            return Ok(Committed::Done);
        };
        if writes.iter().any(|write| write.name.lane(&self.lanes) != lane) {
            return Err(Error::Corrupt("a commit is of more than one lane".into()));
        }
        self.gate()?;
        let mut under_way = UnderWay::new(self.witness.as_ref(), lane, random_tag()?);
        let sent = writes.iter().map(|write| (write.name.field(), write.was.clone(), write.raw.clone()));
        tries.sent();
        let sent = self.send(lane, under_way.tag, sent.collect()).await;
        if !matches!(sent, Err(Error::Unavailable(_))) {
            tries.answered();
        }
        let Restored::Done { version, before, tag } = sent? else { return Ok(Committed::Lost) };
        let puts = puts(writes)?;
        self.witness.wrote(lane, Written { version, before, tag, puts }).await;
        under_way.told = true;
        Ok(Committed::Done)
    }

    /// Writes records of a lane: (name, what it must be, what it becomes), no bytes for none. Tells nobody here.
    ///
    /// # Errors
    /// As [`Records::commit`].
    pub async fn restore(&self, lane: Lane, writes: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>) -> Result<Restored> {
        let writes = writes.into_iter().map(|(field, was, raw)| (field, Some(was), raw));
        self.send(lane, random_tag()?, writes.collect()).await
    }

    async fn send(&self, lane: Lane, tag: u64, writes: Vec<Sent>) -> Result<Restored> {
        let (keys, args) = self.arguments(lane, tag, writes)?;
        let answer: Vec<redis::Value> = read(self.conn.run(&COMMIT, &keys, &args).await?)?;
        let mut answer = answer.into_iter();
        let mut next = || answer.next().unwrap_or(redis::Value::Nil);
        match read(next())? {
            1 => {
                let version = read(next())?;
                let before: String = read(next())?;
                Ok(Restored::Done { version, before: u64::from_str_radix(&before, 16).unwrap_or(0), tag })
            }
            0 => Ok(Restored::Conflict),
            _ => {
                let id: Vec<u8> = read(next())?;
                self.expect(lane, &id)?;
                Ok(Restored::Conflict)
            }
        }
    }

    /// Tells the mirror of records that turned out to be written by an earlier try of the caller.
    pub async fn saw(&self, records: Vec<Record>) {
        let mut lanes: BTreeMap<Lane, Vec<Put>> = BTreeMap::new();
        for Record { name, raw } in records {
            match decode(name.field(), raw, None) {
                Ok(put) => lanes.entry(name.lane(&self.lanes)).or_default().push(put),
                Err(error) => tracing::error!(%error, "a record cannot be shown to the mirror"),
            }
        }
        for (lane, puts) in lanes {
            self.witness.saw(lane, puts).await;
        }
    }

    fn arguments(&self, lane: Lane, tag: u64, writes: Vec<Sent>) -> Result<(Words, Words)> {
        let mut keys = vec![self.lanes.meta(lane), self.lanes.key(lane, "c")];
        let mut args = vec![
            self.lanes.dataset_arg(),
            format!("{tag:016x}").into_bytes(),
            self.lanes.changes().into_bytes(),
            lane.to_string().into_bytes(),
            fields::pack(writes.iter().map(|(field, ..)| field.as_slice()))?,
            FEED.into(),
        ];
        for (field, was, raw) in writes {
            let key = bucket_key(&self.lanes, lane, bucket(&field));
            let at = keys.iter().position(|k| *k == key).unwrap_or_else(|| {
                keys.push(key);
                keys.len() - 1
            });
            let was = was.unwrap_or_else(|| b"*".to_vec());
            args.extend([(at + 1).to_string().into_bytes(), field, was, raw]);
        }
        Ok((keys, args))
    }

    fn expect(&self, lane: Lane, id: &[u8]) -> Result<()> {
        if id == self.lanes.dataset_arg() {
            return Ok(());
        }
        let is = if id.is_empty() { "gone".into() } else { format!("of dataset {}", id.escape_ascii()) };
        Err(Error::Fenced(format!(
            "the store was dataset {}, and its lane {lane} is {is}",
            self.lanes.dataset()
        )))
    }
}

/// A commit whose caller does not know yet what came of it. The witness is told when that is over, also if the caller
/// goes away.
struct UnderWay<'w> {
    witness: &'w dyn Witness,
    lane: Lane,
    tag: u64,
    told: bool,
}

impl<'w> UnderWay<'w> {
    fn new(witness: &'w dyn Witness, lane: Lane, tag: u64) -> UnderWay<'w> {
        witness.sends(lane, tag);
        UnderWay { witness, lane, tag, told: false }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.witness.over(self.lane, self.tag, self.told);
    }
}

/// A record's field, what it must be (None: anything), what it becomes.
type Sent = (Vec<u8>, Option<Vec<u8>>, Vec<u8>);

/// Keys or arguments of a script.
type Words = Vec<Vec<u8>>;

fn hget(key: Vec<u8>, field: &[u8]) -> redis::Cmd {
    let mut cmd = redis::cmd("HGET");
    cmd.arg(key).arg(field);
    cmd
}

fn puts(writes: Vec<Write>) -> Result<Vec<Put>> {
    let put = |write: Write| decode(write.name.field(), write.raw, write.was.map(|was| base_of(&was)));
    writes.into_iter().map(put).collect()
}

/// A name for one write, never 0.
///
/// # Errors
/// `Unavailable` on a system without random numbers.
pub fn random_tag() -> Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|e| Error::Unavailable(format!("no random numbers: {e}")))?;
    Ok(u64::from_le_bytes(bytes).max(1))
}

/// Names of records as a stream's entry and a message have them: each after its length in two bytes.
pub mod fields {
    use super::{Error, Result};

    /// All in one.
    ///
    /// # Errors
    /// `Corrupt` for a name of more than 64 KiB.
    pub fn pack<'f>(fields: impl IntoIterator<Item = &'f [u8]>) -> Result<Vec<u8>> {
        let mut packed = vec![];
        for field in fields {
            let long = |_| Error::Corrupt(format!("a record's name has {} bytes", field.len()));
            packed.extend(u16::try_from(field.len()).map_err(long)?.to_be_bytes());
            packed.extend(field);
        }
        Ok(packed)
    }

    /// Each by itself.
    ///
    /// # Errors
    /// `Corrupt` for what was not packed.
    pub fn unpack(mut packed: &[u8]) -> Result<Vec<Vec<u8>>> {
        let broken = || Error::Corrupt("names of records are cut short".into());
        let mut fields = vec![];
        while !packed.is_empty() {
            let (length, rest) = packed.split_first_chunk::<2>().ok_or_else(broken)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (field, rest) = rest.split_at_checked(length).ok_or_else(broken)?;
            fields.push(field.to_vec());
            packed = rest;
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::fields::{pack, unpack};

    #[test]
    fn names_are_packed_and_unpacked() {
        let names = vec![b"lkx7dw4m".to_vec(), vec![], vec![b'u', 0, 255]];
        let packed = pack(names.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(unpack(&packed).unwrap(), names);
        assert!(unpack(&packed[..packed.len() - 1]).is_err() && unpack(&[0]).is_err());
        assert!(unpack(b"").unwrap().is_empty());
        assert!(pack([[0; 70_000].as_slice()]).is_err());
    }
}
