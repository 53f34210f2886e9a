//! What the store is: made once, read, and refused when it is not what it was.
//!
//! Guarantees that starts at the same moment make one dataset, that a start cut short is gone on with, and that a
//! store of which a part is gone, or another one in its place, is [`Error::Fenced`]. The root lane is made first,
//! then each lane gets the dataset's id, then the root lane is `ready`: only then does anyone work with it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;

use super::conn::{Conn, Script, read};
use super::lanes::Lanes;
use crate::domain::lane::Lane;
use crate::domain::tally::DatasetId;
use crate::store::tallies::Dataset;
use crate::store::{Error, Result};

/// Makes the root lane.
static FOUND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("found.lua")));
/// Sets fields of a lane of this dataset.
static SET: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("set.lua")));

/// A field of a zone: this and the second it holds from.
const ZONE: &str = "z:";

/// The root lane's field that says to where all of it was migrated.
pub(super) const MOVED: &str = "moved";

/// Says that a store was left.
pub(super) fn moved(to: &str) -> String {
    format!("the store was migrated to {to}. `slugline store adopt` takes it into use again")
}

/// Opens the dataset that is there, or makes `new`. `known` is the dataset that this node has worked with before,
/// if it has: then no other one will do, and none is made.
///
/// # Errors
/// `Fenced` for a store that is not the known one or lacks a part, `Refused` for one that was left for another;
/// `Unavailable` when that cannot be said.
pub async fn open(
    conn: &Conn,
    prefix: &str,
    new: Dataset,
    known: Option<DatasetId>,
) -> Result<(Lanes, Dataset)> {
    let planned = Lanes::new(prefix, new.id, new.lanes);
    let mut fields = root(conn, &planned).await?;
    if let Some(to) = fields.get(MOVED) {
        // Not `Fenced`: a node that went on from its mirror would redirect by links that live elsewhere by now.
        return Err(Error::Refused(moved(to)));
    }
    if !fields.contains_key("id") {
        if let Some(known) = known {
            return Err(Error::Fenced(format!(
                "this node knows dataset {known}, and the store is empty. If it was emptied by mistake, put it back; \
                 `slugline store rebuild` makes it anew from what the nodes still have"
            )));
        }
        refuse_remains(conn, &planned).await?;
        let arguments = root_fields(&new).into_iter().flat_map(|(field, value)| [field, value]);
        let arguments: Vec<Vec<u8>> = arguments.map(String::into_bytes).collect();
        fields = read(conn.run(&FOUND, &[planned.meta(planned.root())], &arguments).await?)?;
    }
    let dataset = dataset(&fields)?;
    if let Some(known) = known.filter(|known| *known != dataset.id) {
        return Err(Error::Fenced(format!(
            "this node knows dataset {known}, and the store is dataset {}: another database or server. If that is \
             meant, `slugline store adopt` takes it",
            dataset.id
        )));
    }
    let lanes = Lanes::new(prefix, dataset.id, dataset.lanes);
    if !fields.contains_key("ready") {
        finish(conn, &lanes).await?;
    }
    check(conn, &lanes).await?;
    Ok((lanes, dataset))
}

/// What the dataset is now.
///
/// # Errors
/// `Fenced` if it is gone or another one.
pub async fn current(conn: &Conn, lanes: &Lanes) -> Result<Dataset> {
    let fields = root(conn, lanes).await?;
    if fields.get("id").is_none_or(|id| *id != lanes.dataset().to_string()) {
        return Err(fenced(lanes, lanes.root(), fields.get("id").map(String::as_str)));
    }
    dataset(&fields)
}

/// Looks whether every lane is this dataset's.
///
/// # Errors
/// `Fenced`, naming the first lane that is not.
pub async fn check(conn: &Conn, lanes: &Lanes) -> Result<()> {
    for (lane, id) in ids(conn, lanes).await? {
        if id.as_deref() != Some(&*lanes.dataset().to_string()) {
            return Err(fenced(lanes, lane, id.as_deref()));
        }
    }
    Ok(())
}

/// Adds a zone that holds from `from` (UTC seconds) on.
///
/// # Errors
/// `Fenced` if the dataset is gone or another one.
pub async fn add_zone(conn: &Conn, lanes: &Lanes, from: i64, zone: &str) -> Result<()> {
    set(conn, lanes, &format!("{ZONE}{from}"), zone).await
}

/// Gives every lane the dataset's id, and says that all have it.
async fn finish(conn: &Conn, lanes: &Lanes) -> Result<()> {
    let id = lanes.dataset().to_string();
    let write = |lane| {
        let mut cmd = redis::cmd("HSETNX");
        cmd.arg(lanes.meta(lane)).arg("id").arg(&id);
        cmd
    };
    conn.ask_all(lanes.all().map(write).collect()).await?;
    check(conn, lanes).await?;
    set(conn, lanes, "ready", "1").await
}

async fn set(conn: &Conn, lanes: &Lanes, field: &str, value: &str) -> Result<()> {
    let arguments = [lanes.dataset_arg(), field.into(), value.into()];
    match read(conn.run(&SET, &[lanes.meta(lanes.root())], &arguments).await?)? {
        1 => Ok(()),
        _ => Err(fenced(lanes, lanes.root(), None)),
    }
}

/// A store without a root lane must have nothing else of one either.
async fn refuse_remains(conn: &Conn, planned: &Lanes) -> Result<()> {
    let left = ids(conn, planned).await?.into_iter().find_map(|(lane, id)| Some((lane, id?)));
    let Some((lane, id)) = left else { return Ok(()) };
    // Another start may have made all of it since the root lane was looked for.
    if root(conn, planned).await?.contains_key("id") {
        return Ok(());
    }
    Err(Error::Fenced(format!(
        "lane {lane} is of dataset {id}, but what the dataset is has gone from the store: it was flushed in part, or \
         keys were evicted"
    )))
}

/// Each lane with the dataset it says it is of.
pub(super) async fn ids(conn: &Conn, lanes: &Lanes) -> Result<Vec<(Lane, Option<String>)>> {
    let ask = |lane| {
        let mut cmd = redis::cmd("HGET");
        cmd.arg(lanes.meta(lane)).arg("id");
        cmd
    };
    let answers = conn.ask_all(lanes.all().map(ask).collect()).await?;
    lanes.all().zip(answers).map(|(lane, id)| Ok((lane, read(id)?))).collect()
}

/// What the root lane says, which is found without knowing how many lanes there are.
pub(super) async fn root(conn: &Conn, lanes: &Lanes) -> Result<BTreeMap<String, String>> {
    let mut cmd = redis::cmd("HGETALL");
    cmd.arg(lanes.meta(lanes.root()));
    read(conn.ask(cmd).await?)
}

pub(super) fn fenced(lanes: &Lanes, lane: Lane, id: Option<&str>) -> Error {
    let is = match id {
        Some(id) => format!("of dataset {id}"),
        None => "gone".into(),
    };
    Error::Fenced(format!("the store was dataset {}, and its lane {lane} is {is}", lanes.dataset()))
}

/// The root lane's fields of a dataset.
pub(super) fn root_fields(new: &Dataset) -> Vec<(String, String)> {
    let mut fields = vec![
        ("id".to_owned(), new.id.to_string()),
        ("lanes".to_owned(), new.lanes.to_string()),
        ("created_at".to_owned(), new.created_at.as_millisecond().to_string()),
    ];
    fields.extend(new.zones.iter().map(|(from, zone)| (format!("{ZONE}{from}"), zone.clone())));
    fields
}

/// The dataset that the root lane's fields tell of.
pub(super) fn dataset(fields: &BTreeMap<String, String>) -> Result<Dataset> {
    let corrupt = |name: &str| Error::Corrupt(format!("the dataset's {name} is {:?}", fields.get(name)));
    let field = |name| fields.get(name).ok_or_else(|| corrupt(name));
    let mut zones = vec![];
    for (name, zone) in fields {
        if let Some(from) = name.strip_prefix(ZONE) {
            zones.push((from.parse().map_err(|_| corrupt(name))?, zone.clone()));
        }
    }
    zones.sort();
    let created = field("created_at")?.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    Ok(Dataset {
        id: field("id")?.parse().map_err(|_| corrupt("id"))?,
        lanes: field("lanes")?.parse().ok().filter(|n| *n > 0).ok_or_else(|| corrupt("lanes"))?,
        zones,
        created_at: created.ok_or_else(|| corrupt("created_at"))?,
    })
}
