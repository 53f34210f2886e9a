//! What an operator does with the embedded store as a whole: count anew after tallies.db was lost, leave the store
//! for another one, come back to it.
//!
//! Guarantees that nothing which is there is made anew, and that a store which was left is not opened again without
//! the operator's word. The caller holds the data folder's lock.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::file::{LINKS, TALLIES};
use super::{said_dataset, tallies};
use crate::domain::tally::DatasetId;
use crate::store::care::Standing;
use crate::store::tallies::Dataset;
use crate::store::{Error, Result, Settings};

/// Where all of it was migrated to, if it was.
pub(super) fn said_moved(links: &Connection) -> Result<Option<String>> {
    let find = "SELECT value FROM meta WHERE name = 'moved'";
    Ok(links.query_row(find, [], |row| row.get(0)).optional()?)
}

/// Says that a store was left.
pub(super) fn moved(to: &str) -> String {
    format!("the store was migrated to {to}. `slugline store adopt` takes it into use again")
}

/// True if there are files of a store here.
#[must_use]
pub fn is_there(dir: &Path) -> bool {
    LINKS.path(dir).exists() || TALLIES.path(dir).exists()
}

/// Makes tallies.db, which is missing or empty, for the links that are there. Its lanes are those that `lanes` says
/// for the dataset, its days those of `zone`.
///
/// # Errors
/// `Refused` where nothing is missing, or what is missing is not the numbers.
pub fn rebuild(
    dir: &Path,
    settings: &Settings,
    zone: &str,
    lanes: &dyn Fn(DatasetId) -> u16,
    now: Timestamp,
) -> Result<DatasetId> {
    if !LINKS.path(dir).exists() {
        let what =
            "there is no links.db: what cannot be counted anew are links. Put it back or restore a backup";
        return Err(Error::Refused(what.into()));
    }
    let links = LINKS.open_writer(dir, settings.page_cache.0)?;
    if let Some(to) = said_moved(&links)? {
        return Err(Error::Refused(moved(&to)));
    }
    let Some(id) = said_dataset(&links)? else {
        return Err(Error::Refused("links.db is empty: there is nothing to count for".into()));
    };
    let numbers = TALLIES.open_writer(dir, settings.page_cache.0)?;
    let numbers = rusqlite::Transaction::new_unchecked(&numbers, TransactionBehavior::Immediate)?;
    match tallies::dataset(&numbers)? {
        None => {}
        Some(dataset) if dataset.id == id => {
            return Err(Error::Refused("tallies.db is there: nothing has to be counted anew".into()));
        }
        Some(dataset) => {
            return Err(Error::Refused(format!(
                "tallies.db is of dataset {} and links.db of {id}: move tallies.db away first",
                dataset.id
            )));
        }
    }
    let zones = vec![(0, zone.to_owned())];
    tallies::found(&numbers, &Dataset { id, lanes: lanes(id), zones, created_at: now })?;
    numbers.commit()?;
    Ok(id)
}

/// Whether there is a store, and whether it was left.
///
/// # Errors
/// The file's.
pub fn standing(dir: &Path) -> Result<Standing> {
    if !LINKS.path(dir).exists() {
        return Ok(if is_there(dir) { Standing::There } else { Standing::Nothing });
    }
    let links = LINKS.open_writer(dir, 0)?;
    Ok(said_moved(&links)?.map_or(Standing::There, Standing::Left))
}

/// Notes that all of it was migrated: from then on it is not opened.
///
/// # Errors
/// The file's; `Fenced` if it is not `dataset`.
pub fn leave(dir: &Path, dataset: DatasetId, to: &str) -> Result<()> {
    let links = LINKS.open_writer(dir, 0)?;
    if said_dataset(&links)? != Some(dataset) {
        return Err(Error::Fenced(format!("the store is not dataset {dataset} any more")));
    }
    links.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('moved', ?)", [to])?;
    Ok(())
}

/// Takes that note away; gives what it said.
///
/// # Errors
/// `Refused` where there is none.
pub fn adopt(dir: &Path) -> Result<String> {
    let none = || {
        Error::Refused(
            "there is nothing to adopt: the embedded store is the one of its data folder, and was not migrated".into(),
        )
    };
    if !LINKS.path(dir).exists() {
        return Err(none());
    }
    let links = LINKS.open_writer(dir, 0)?;
    let to = said_moved(&links)?.ok_or_else(none)?;
    links.execute("DELETE FROM meta WHERE name = 'moved'", [])?;
    Ok(to)
}
