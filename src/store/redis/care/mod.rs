//! What an operator does with a store in Redis as a whole: look at it, take the one that is there, leave it, make it
//! anew.
//!
//! Guarantees that none of it touches a lane that is another dataset's, and that what was begun and cut short can
//! be done again. Knows the mirror by its trait.

mod rebuild;

use std::sync::LazyLock;

use super::conn::{Conn, Script, read};
use super::dataset::{self, MOVED, moved};
use super::lanes::Lanes;
use super::settings;
use crate::domain::lane::Lane;
use crate::domain::tally::DatasetId;
use crate::store::care::Standing;
use crate::store::mirror::Mirror;
use crate::store::tallies::Dataset;
use crate::store::{Error, Result};

pub use rebuild::{Rebuilt, rebuild};

/// Changes what a lane says of itself.
static CHANGE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("change.lua")));

/// What is there.
#[derive(Clone, Debug)]
pub struct Found {
    /// What the root lane says; None without one.
    pub dataset: Option<Dataset>,
    /// To where it was migrated, if it was.
    pub moved: Option<String>,
    /// Lanes that are not that dataset's (without one: not the known one's), and whose they say they are.
    pub wrong: Vec<(Lane, Option<String>)>,
    /// False for one that was begun to be made and not ended.
    pub ready: bool,
}

impl Found {
    fn first_wrong(&self) -> Option<String> {
        let (lane, id) = self.wrong.first()?;
        let is = id.as_ref().map_or("gone".into(), |id| format!("of dataset {id}"));
        Some(format!("lane {lane} is {is}"))
    }

    /// Why it cannot be worked with, by a node that knows `known`.
    #[must_use]
    pub fn wrongs(&self, known: Option<DatasetId>) -> Option<String> {
        if let Some(to) = &self.moved {
            return Some(moved(to));
        }
        let Some(dataset) = &self.dataset else {
            return Some(match known {
                Some(known) => format!("this node knows dataset {known}, and the store has lost what it is"),
                None => "there is no store yet: the first start makes one".into(),
            });
        };
        if let Some(known) = known.filter(|known| *known != dataset.id) {
            return Some(format!("this node knows dataset {known}, and the store is dataset {}", dataset.id));
        }
        if let Some(first) = self.first_wrong() {
            return Some(format!("{} of its lanes are not its own any more: {first}", self.wrong.len()));
        }
        (!self.ready).then(|| "it was begun to be made, and not ended: the next start goes on".into())
    }
}

/// Looks at what is there, for a node that knows `known`.
///
/// # Errors
/// `Unavailable`.
pub async fn look(conn: &Conn, prefix: &str, known: Option<&Dataset>) -> Result<Found> {
    // The root lane's tag does not depend on the rest.
    let fields = dataset::root(conn, &Lanes::new(prefix, DatasetId(0), 1)).await?;
    let there = if fields.contains_key("id") { Some(dataset::dataset(&fields)?) } else { None };
    let mut wrong = vec![];
    if let Some(wanted) = there.as_ref().or(known) {
        let lanes = Lanes::new(prefix, wanted.id, wanted.lanes);
        let id = wanted.id.to_string();
        let all = dataset::ids(conn, &lanes).await?;
        wrong.extend(all.into_iter().filter(|(_, said)| said.as_deref() != Some(&id)));
    }
    let (moved, ready) = (fields.get(MOVED).cloned(), fields.contains_key("ready"));
    Ok(Found { dataset: there, moved, wrong, ready })
}

/// What was adopted.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// What this node knew before.
    pub before: Option<DatasetId>,
    /// What it works with now.
    pub now: Dataset,
    /// To where it had been migrated, if it had.
    pub moved: Option<String>,
}

/// Takes the store that is there for the right one: the mirror, of another one so far, begins anew.
///
/// # Errors
/// `Refused` where there is no whole store, or none to take.
pub async fn adopt(settings: &settings::Redis, mirror: &dyn Mirror) -> Result<Adopted> {
    let conn = Conn::open(settings).await?;
    let adopted = adopt_over(&conn, &settings.prefix, mirror).await;
    conn.close().await;
    adopted
}

async fn adopt_over(conn: &Conn, prefix: &str, mirror: &dyn Mirror) -> Result<Adopted> {
    let known = mirror.dataset().await?;
    let mut found = look(conn, prefix, known.as_ref()).await?;
    let Some(now) = found.dataset.clone() else {
        let what = "there is no store to adopt: Redis has nothing of one under this prefix. `slugline store rebuild` \
                    makes it anew from this node's mirror";
        return Err(Error::Refused(what.into()));
    };
    let before = known.map(|known| known.id);
    if found.moved.is_some() {
        let lanes = Lanes::new(prefix, now.id, now.lanes);
        rename(conn, &lanes, "was", "id").await?;
        note(conn, &lanes, "").await?;
        found.wrong = look(conn, prefix, None).await?.wrong;
    } else if before == Some(now.id) && found.wrong.is_empty() {
        return Err(Error::Refused(format!(
            "there is nothing to adopt: dataset {} is the known one",
            now.id
        )));
    }
    if let Some(first) = found.first_wrong() {
        return Err(Error::Refused(format!(
            "dataset {} is not whole: {first}. Put it back, or make what is gone anew with `slugline store rebuild`",
            now.id
        )));
    }
    mirror.set_dataset(now.clone()).await?;
    Ok(Adopted { before, now, moved: found.moved })
}

/// Leaves the store for another one: no node works with it any more.
///
/// # Errors
/// `Fenced` if it is not `dataset`.
pub async fn leave(settings: &settings::Redis, dataset: DatasetId, to: &str) -> Result<()> {
    let conn = Conn::open(settings).await?;
    let left = leave_over(&conn, &settings.prefix, dataset, to).await;
    conn.close().await;
    left
}

async fn leave_over(conn: &Conn, prefix: &str, dataset: DatasetId, to: &str) -> Result<()> {
    let there = look(conn, prefix, None).await?.dataset.filter(|there| there.id == dataset);
    let other = || Error::Fenced(format!("the store is not dataset {dataset} any more"));
    let there = there.ok_or_else(other)?;
    let lanes = Lanes::new(prefix, there.id, there.lanes);
    // The note first, and last on the way back: while it is there the rest is known to be half done.
    note(conn, &lanes, to).await?;
    rename(conn, &lanes, "id", "was").await
}

/// Whether there is a store, and whether it was left.
///
/// # Errors
/// `Unavailable`.
pub async fn standing(settings: &settings::Redis) -> Result<Standing> {
    let conn = Conn::open(settings).await?;
    // The root lane's tag does not depend on the rest.
    let fields = dataset::root(&conn, &Lanes::new(&settings.prefix, DatasetId(0), 1)).await;
    conn.close().await;
    let fields = fields?;
    Ok(match fields.get(MOVED) {
        Some(to) => Standing::Left(to.clone()),
        None if fields.contains_key("id") => Standing::There,
        None => Standing::Nothing,
    })
}

/// Renames the field in which every lane but the root has its dataset.
async fn rename(conn: &Conn, lanes: &Lanes, from: &str, to: &str) -> Result<()> {
    for lane in lanes.all().filter(|lane| *lane != lanes.root()) {
        change(conn, lanes, lane, ["rename", from, to]).await?;
    }
    Ok(())
}

/// Notes in the root lane to where all of it went; "" takes the note away.
async fn note(conn: &Conn, lanes: &Lanes, to: &str) -> Result<()> {
    change(conn, lanes, lanes.root(), ["note", MOVED, to]).await
}

async fn change(conn: &Conn, lanes: &Lanes, lane: Lane, what: [&str; 3]) -> Result<()> {
    let args: Vec<Vec<u8>> = what.iter().map(|text| text.as_bytes().to_vec()).collect();
    let args = [vec![lanes.dataset_arg()], args].concat();
    match read::<i64>(conn.run(&CHANGE, &[lanes.meta(lane)], &args).await?)? {
        1 => Ok(()),
        _ => Err(dataset::fenced(lanes, lane, None)),
    }
}
