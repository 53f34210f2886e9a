//! Making what is gone of a store anew, from this node's mirror.
//!
//! Guarantees that a lane which is there is not touched; that one which is gone is filled before it bears the
//! dataset's id, so that nobody meets it half full; and that of two nodes only one fills a lane. Numbers begin at 0
//! there, with ordinals that are gone too: every node's journal brings what it still has and tells what it lacks.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;

use super::look;
use crate::domain::lane::Lane;
use crate::domain::tally::DatasetId;
use crate::store::mirror::{Followed, Mirror, Raw};
use crate::store::redis::conn::{Conn, Script, read};
use crate::store::redis::dataset::root_fields;
use crate::store::redis::lanes::Lanes;
use crate::store::redis::records::{self, bucket, bucket_key};
use crate::store::redis::{settings, tallies};
use crate::store::tallies::Dataset;
use crate::store::{Error, Result};

static FILL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("fill.lua")));

/// Records of one step.
const RECORDS: usize = 500;
/// Keys removed in one step.
const KEYS: usize = 1_000;
/// Seconds without a word after which another may go on with a lane.
const PATIENCE: &str = "30";

/// What was made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The dataset, the same as before.
    pub dataset: DatasetId,
    /// Lanes that were gone.
    pub lanes: usize,
    /// Records put into them.
    pub records: u64,
}

/// Makes the lanes that are gone anew. `progress` is told the records written.
///
/// # Errors
/// `Refused` where nothing is gone, where another dataset is in the way, or where the mirror has not all of it.
pub async fn rebuild(
    settings: &settings::Redis,
    mirror: &dyn Mirror,
    now: Timestamp,
    progress: &(dyn Fn(u64, Option<u64>) + Sync),
) -> Result<Rebuilt> {
    let conn = Conn::open(settings).await?;
    let rebuilt = over(&conn, &settings.prefix, mirror, now, progress).await;
    conn.close().await;
    rebuilt
}

async fn over(
    conn: &Conn,
    prefix: &str,
    mirror: &dyn Mirror,
    now: Timestamp,
    progress: &(dyn Fn(u64, Option<u64>) + Sync),
) -> Result<Rebuilt> {
    let refused = |why: String| Err(Error::Refused(why));
    let Some(known) = mirror.dataset().await? else {
        return refused("this node has no mirror to make a store from; run it on a node that has".into());
    };
    let found = look(conn, prefix, Some(&known)).await?;
    if let (Some(why), true) = (found.wrongs(Some(known.id)), found.moved.is_some()) {
        return refused(why);
    }
    let other = found.dataset.as_ref().map(|found| found.id).filter(|id| *id != known.id);
    if let Some(id) = other.map(|id| id.to_string()).or(found.wrong.iter().find_map(|(_, id)| id.clone())) {
        return refused(format!(
            "dataset {id} is there, and this node's is {}: `slugline store adopt` takes it; to make the known one \
             anew, give it another database or prefix",
            known.id
        ));
    }
    if found.wrong.is_empty() {
        return refused(format!("nothing is gone of dataset {}", known.id));
    }
    let followed = mirror.followed().await?;
    let of = |lane: Lane| followed.get(usize::from(lane)).copied().unwrap_or_default();
    if let Some((lane, _)) = found.wrong.iter().find(|(lane, _)| !of(*lane).complete) {
        return refused(format!(
            "this node's mirror has not all of lane {lane}; run it on a node that has been in step with the store"
        ));
    }
    let lanes = Lanes::new(prefix, known.id, known.lanes);
    let mut making = Making { conn, mirror, who: records::random_tag()?, lanes, records: 0 };
    // The root lane last: without it nobody begins to work with the rest.
    let mut gone: Vec<Lane> = found.wrong.iter().map(|(lane, _)| *lane).collect();
    gone.sort_unstable();
    for lane in &gone {
        making.clear(*lane, now).await?;
        making.fill(*lane, progress).await?;
    }
    for lane in &gone {
        making.seat(*lane, of(*lane), &known).await?;
    }
    Ok(Rebuilt { dataset: known.id, lanes: gone.len(), records: making.records })
}

struct Making<'a> {
    conn: &'a Conn,
    mirror: &'a dyn Mirror,
    /// A random name of this run.
    who: u64,
    lanes: Lanes,
    records: u64,
}

/// One command on one key.
type Step = (&'static str, Vec<u8>, Vec<Vec<u8>>);

impl Making<'_> {
    /// Removes what may be left of the lane: a server that was not flushed but evicted keys.
    async fn clear(&self, lane: Lane, now: Timestamp) -> Result<()> {
        let mut keys = vec![self.lanes.key(lane, "c")];
        keys.extend((0..records::BUCKETS).map(|bucket| bucket_key(&self.lanes, lane, bucket)));
        keys.extend(tallies::left_keys(self.conn, &self.lanes, lane, now).await?);
        for some in keys.chunks(KEYS) {
            self.step(lane, some.iter().map(|key| ("UNLINK", key.clone(), vec![])).collect()).await?;
        }
        Ok(())
    }

    /// Writes all records that the mirror has of the lane.
    async fn fill(&mut self, lane: Lane, progress: &(dyn Fn(u64, Option<u64>) + Sync)) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.mirror.page(lane, after, RECORDS).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.field.clone());
            self.records += u64::try_from(page.len()).unwrap_or(0);
            let mut by_bucket: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
            for Raw { field, raw, .. } in page.into_iter().filter(|record| !record.raw.is_empty()) {
                by_bucket.entry(bucket(&field)).or_default().extend([field, raw]);
            }
            let key = |bucket| bucket_key(&self.lanes, lane, bucket);
            let steps = by_bucket.into_iter().map(|(bucket, pairs)| ("HSET", key(bucket), pairs));
            self.step(lane, steps.collect()).await?;
            progress(self.records, None);
        }
    }

    /// Makes the lane the dataset's, where the mirror knows it to be: nobody who was in step has to compare it.
    async fn seat(&self, lane: Lane, at: Followed, known: &Dataset) -> Result<()> {
        let mut fields = vec![
            ("id".to_owned(), known.id.to_string()),
            ("maker".to_owned(), format!("{:016x}", self.who)),
            ("v".to_owned(), at.mark.version.to_string()),
            ("t".to_owned(), format!("{:016x}", at.mark.tag)),
        ];
        if lane == self.lanes.root() {
            fields.extend(root_fields(known));
            fields.push(("ready".to_owned(), "1".to_owned()));
        }
        let pairs = fields.into_iter().flat_map(|(field, value)| [field.into_bytes(), value.into_bytes()]);
        let meta = self.lanes.meta(lane);
        let made = vec![b"making".to_vec(), b"made".to_vec()];
        self.step(lane, vec![("HDEL", meta.clone(), made), ("HSET", meta, pairs.collect())]).await
    }

    async fn step(&self, lane: Lane, steps: Vec<Step>) -> Result<()> {
        let mut keys = vec![self.lanes.meta(lane)];
        let mut args = vec![format!("{:016x}", self.who).into_bytes(), PATIENCE.into()];
        for (command, key, arguments) in steps {
            keys.push(key);
            args.extend([command.into(), keys.len().to_string().into_bytes()]);
            args.push(arguments.len().to_string().into_bytes());
            args.extend(arguments);
        }
        match read::<i64>(self.conn.run(&FILL, &keys, &args).await?)? {
            1 => Ok(()),
            0 => Err(Error::Refused(format!("lane {lane} is there again: another node made it meanwhile"))),
            _ => Err(Error::Refused(format!(
                "another node is making lane {lane} anew; if it is not, try again in {PATIENCE} seconds"
            ))),
        }
    }
}
