//! The embedded store: two SQLite files in the data folder.
//!
//! `links.db` (links, articles, history, accounts) waits for the disk at each commit; `tallies.db` (numbers)
//! does not, because the journal of hits can repeat what a power cut takes. Guarantees that the two belong
//! together: both carry the dataset's id. Other processes may write beside this one. Knows no other backend.

mod accounts;
pub mod care;
pub mod day_keys;
mod deliveries;
mod documents;
mod failure;
mod file;
mod leases;
mod links;
pub mod mirror;
mod snapshot;
mod tallies;
mod threads;
mod tokens;
mod webhooks;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::tallies::Dataset;
use super::{Backend, Error, Result, Settings, Store};
use crate::domain::tally::DatasetId;
use failure::corrupt;
use file::{Kind, LINKS, TALLIES};
use threads::{Readers, Writer};

pub use threads::Commits;

/// An embedded store that is open.
pub struct Opened {
    /// The store.
    pub store: Store,
    /// How writes of links and accounts share commits.
    pub links_commits: Arc<Commits>,
    /// How writes of numbers share commits.
    pub tallies_commits: Arc<Commits>,
    #[cfg(test)]
    links_writer: Writer<links::LinksState>,
}

#[cfg(test)]
impl Opened {
    fn links_writer(&self) -> Writer<links::LinksState> {
        self.links_writer.clone()
    }
}

/// Opens the store in `dir`, or makes one there: then with `zone` (an IANA name) and the settings' lanes.
///
/// # Errors
/// `Refused` for files of a newer program, files that do not belong together, or one without the other.
pub fn open(dir: &Path, settings: &Settings, now: Timestamp, zone: &str) -> Result<Opened> {
    let page_cache = settings.page_cache.0;
    refuse_half(dir)?;
    let tallies = TALLIES.open_writer(dir, page_cache)?;
    let links = LINKS.open_writer(dir, page_cache)?;
    let new = Dataset {
        id: DatasetId(random_id()?),
        lanes: settings.lanes.max(1),
        zones: vec![(0, zone.to_owned())],
        created_at: now,
    };
    let dataset = one_dataset(&links, &tallies, new)?;

    let state = links::LinksState::default();
    let changed = state.bell.listen();
    let (links_writer, links_commits, links_thread) = Writer::start(&LINKS, links, state, false)?;
    let (tallies_writer, tallies_commits, tallies_thread) =
        Writer::start(&TALLIES, tallies, tallies::Names::default(), true)?;
    let (links_readers, mut reading) = Readers::start(&LINKS, dir, settings)?;
    let (tallies_readers, more) = Readers::start(&TALLIES, dir, settings)?;
    reading.extend(more);

    #[cfg(test)]
    let for_tests = links_writer.clone();
    let backend = Files {
        dir: dir.to_path_buf(),
        links: (links_writer.clone(), links_readers.clone()),
        tallies: (tallies_writer.clone(), tallies_readers.clone()),
        reading: Mutex::new(reading),
        writing: Mutex::new(vec![links_thread, tallies_thread]),
    };
    let (writer, readers) = (|| Some(links_writer.clone()), || links_readers.clone());
    let store = Store {
        links: Arc::new(links::SqliteLinks { writer: writer(), readers: readers(), changed }),
        documents: Arc::new(documents::SqliteDocuments { writer: writer(), readers: readers() }),
        accounts: Arc::new(accounts::SqliteAccounts { writer: writer(), readers: readers() }),
        webhooks: Arc::new(webhooks::SqliteWebhooks { writer: writer(), readers: readers() }),
        deliveries: Arc::new(deliveries::SqliteDeliveries {
            writer: links_writer.clone(),
            readers: readers(),
        }),
        tokens: Arc::new(tokens::SqliteTokens { writer: links_writer.clone(), readers: readers() }),
        leases: Arc::new(leases::MemoryLeases::default()),
        tallies: Arc::new(tallies::SqliteTallies {
            writer: tallies_writer,
            readers: tallies_readers,
            lanes: dataset.lanes,
        }),
        day_keys: Arc::new(day_keys::FileDayKeys { dir: dir.to_path_buf() }),
        backend: Arc::new(backend),
    };
    Ok(Opened {
        store,
        links_commits,
        tallies_commits,
        #[cfg(test)]
        links_writer: for_tests,
    })
}

fn random_id() -> Result<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| Error::Unavailable(format!("no random numbers: {e}")))?;
    Ok(u128::from_le_bytes(bytes))
}

/// Looks before anything is made: a store of which one file is gone is not mended by an empty one.
///
/// `tallies.db` is made first, so a start that was cut short leaves it alone and untouched; that is gone on with.
fn refuse_half(dir: &Path) -> Result<()> {
    let there = |kind: &Kind| kind.path(dir).exists();
    if there(&LINKS) && !there(&TALLIES) {
        let links = LINKS.open_reader(dir, 0)?;
        if said_dataset(&links).ok().flatten().is_some() {
            return Err(Error::Refused(format!(
                "tallies.db is missing in {} while links.db is there: all numbers would silently begin at 0. Put \
                 tallies.db back, restore a backup, or run `slugline store rebuild` to count anew what the \
                 journal still has",
                dir.display()
            )));
        }
    }
    Ok(())
}

/// The dataset that links.db says it belongs to.
fn said_dataset(links: &Connection) -> Result<Option<DatasetId>> {
    let said: Option<String> =
        links.query_row("SELECT value FROM meta WHERE name = 'dataset'", [], |row| row.get(0)).optional()?;
    said.map(|id| id.parse().map_err(|_| corrupt("the dataset's id", &id))).transpose()
}

/// The dataset of both files; `new` becomes theirs if they are new.
fn one_dataset(links: &Connection, tallies: &Connection, new: Dataset) -> Result<Dataset> {
    // Almost always there is nothing to write; then a command does not wait for a server that writes much.
    if let (None, Some(dataset)) = (care::said_moved(links)?, tallies::dataset(tallies)?)
        && said_dataset(links)? == Some(dataset.id)
    {
        return Ok(dataset);
    }
    // In this order everywhere, so that two processes cannot wait for each other.
    let tallies = rusqlite::Transaction::new_unchecked(tallies, TransactionBehavior::Immediate)?;
    let links = rusqlite::Transaction::new_unchecked(links, TransactionBehavior::Immediate)?;
    if let Some(to) = care::said_moved(&links)? {
        return Err(Error::Refused(care::moved(&to)));
    }
    let dataset = match (tallies::dataset(&tallies)?, said_dataset(&links)?) {
        (Some(dataset), Some(said)) if dataset.id == said => return Ok(dataset),
        (Some(dataset), Some(said)) => {
            return Err(Error::Refused(format!(
                "links.db belongs to dataset {said} and tallies.db to dataset {}: files of two stores were mixed",
                dataset.id
            )));
        }
        (Some(dataset), None) if tallies::is_untouched(&tallies)? => dataset,
        (Some(_), None) => {
            return Err(Error::Refused(
                "links.db is missing or empty while tallies.db has numbers: put links.db back or restore a \
                 backup; to begin anew, move tallies.db away as well"
                    .into(),
            ));
        }
        (None, Some(_)) => {
            return Err(Error::Refused(
                "tallies.db is empty while links.db is not: put tallies.db back, restore a backup, or run \
                 `slugline store rebuild`"
                    .into(),
            ));
        }
        (None, None) => {
            tallies::found(&tallies, &new)?;
            new
        }
    };
    links.execute("INSERT INTO meta (name, value) VALUES ('dataset', ?)", [dataset.id.to_string()])?;
    // Numbers first: the other order could leave links without them.
    tallies.commit()?;
    links.commit()?;
    Ok(dataset)
}

/// What closing needs.
struct Files {
    dir: PathBuf,
    links: (Writer<links::LinksState>, Readers),
    tallies: (Writer<tallies::Names>, Readers),
    reading: Mutex<Vec<JoinHandle<()>>>,
    writing: Mutex<Vec<JoinHandle<()>>>,
}

async fn join(threads: &Mutex<Vec<JoinHandle<()>>>) -> Result<()> {
    let threads = std::mem::take(&mut *threads.lock().unwrap_or_else(PoisonError::into_inner));
    let joined =
        tokio::task::spawn_blocking(|| threads.into_iter().all(|thread| thread.join().is_ok())).await;
    match joined {
        Ok(true) => Ok(()),
        _ => Err(Error::Unavailable("a thread of the embedded store had died".into())),
    }
}

#[async_trait]
impl Backend for Files {
    async fn snapshot(&self, to: &Path) -> Result<Vec<String>> {
        let (from, to) = (self.dir.clone(), to.to_path_buf());
        let copied = tokio::task::spawn_blocking(move || snapshot::snapshot(&from, &to)).await;
        copied.map_err(|_| Error::Unavailable("the copying thread had died".into()))?
    }

    async fn close(&self) -> Result<()> {
        // Readers first: the last checkpoint can empty a log only if nobody reads it.
        self.links.1.close().await;
        self.tallies.1.close().await;
        let read = join(&self.reading).await;
        let links = self.links.0.close().await;
        let tallies = self.tallies.0.close().await;
        read.and(links).and(tallies).and(join(&self.writing).await)
    }
}

#[cfg(test)]
mod tests;
