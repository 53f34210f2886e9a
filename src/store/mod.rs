//! Floor 1: keeps links, numbers, accounts and webhooks.
//!
//! One trait by noun, object-safe; [`Store`] holds one of each. A backend is one folder here and one line in
//! [`open`]; nothing above this floor can tell which it is. Knows the domain and nothing above.

pub mod accounts;
pub mod cache;
pub mod care;
pub mod conformance;
pub mod day_keys;
pub mod documents;
mod family;
pub mod leases;
pub mod links;
pub mod mirror;
mod named;
mod pack;
pub mod redis;
pub mod settings;
pub mod sqlite;
pub mod tallies;
pub mod tokens;
pub mod webhooks;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use accounts::Accounts;
pub use day_keys::DayKeys;
pub use documents::Documents;
pub use leases::Leases;
pub use links::Links;
pub use settings::Settings;
pub use tallies::Tallies;
pub use tokens::Tokens;
pub use webhooks::{Deliveries, Webhooks};

/// What can go wrong inside a store. None of it is ever shown to a client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached or is out of room; the same call may work later.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// What it holds cannot be.
    #[error("the store holds what cannot be: {0}")]
    Corrupt(String),
    /// It must not be touched as it is (newer than this program, files mixed or missing); says so in plain words.
    #[error("{0}")]
    Refused(String),
    /// It is not the store that this node knows (flushed, another database, half of it gone): nothing is written
    /// to it or taken from it until it is right again or the operator says so. Says in plain words what is wrong.
    #[error("the store is fenced: {0}")]
    Fenced(String),
}

/// The usual result of a store call.
pub type Result<T> = std::result::Result<T, Error>;

/// One open store.
#[derive(Clone)]
pub struct Store {
    /// Links, articles, history.
    pub links: Arc<dyn Links>,
    /// Numbers and ordinals.
    pub tallies: Arc<dyn Tallies>,
    /// Keys, users, audit, remembered answers.
    pub accounts: Arc<dyn Accounts>,
    /// Keys of the day.
    pub day_keys: Arc<dyn DayKeys>,
    /// Settings and channels that staff change.
    pub documents: Arc<dyn Documents>,
    /// Sessions and other secrets that end by themselves.
    pub tokens: Arc<dyn Tokens>,
    /// Who wants to be told of what.
    pub webhooks: Arc<dyn Webhooks>,
    /// Messages on their way to them.
    pub deliveries: Arc<dyn Deliveries>,
    /// Which of many nodes does what one should do.
    pub leases: Arc<dyn Leases>,
    /// What holds the others together.
    pub backend: Arc<dyn Backend>,
}

/// What a backend does as a whole.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Finishes what was begun, leaves everything safe on the disk or in the other server, and ends what this
    /// store runs. Later calls are `Unavailable`; closing again does nothing.
    async fn close(&self) -> Result<()>;

    /// Copies everything that is kept into files in the folder `to`, each as it is at one moment, numbers
    /// before links; gives their names. Works beside other processes. `Refused` by a store that is not files.
    async fn snapshot(&self, to: &Path) -> Result<Vec<String>>;

    /// What is not well with it now, the worst first.
    fn troubles(&self) -> Vec<Trouble> {
        vec![]
    }
}

/// Something of a store that is not well, for those who run it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Stable, for alerting rules.
    pub code: &'static str,
    /// For people.
    pub detail: String,
    /// For how long it has been so.
    pub lasting: Duration,
    /// True if not even known links can be told.
    pub blind: bool,
}

impl Store {
    /// See [`Backend::close`].
    ///
    /// # Errors
    /// `Unavailable` if the last of it could not be done; what was answered before stands.
    pub async fn close(&self) -> Result<()> {
        self.backend.close().await
    }
}

/// Opens the store that `settings` name. `dir` is the data folder, which must exist; `zone` (an IANA name) is
/// that of a store which is made now.
///
/// # Errors
/// `Refused` for a store that this program must not touch; the text says why in plain words.
pub async fn open(dir: &Path, settings: &Settings, now: Timestamp, zone: &str) -> Result<Store> {
    match settings.kind {
        settings::Kind::Sqlite => {
            let (dir, settings, zone) = (dir.to_path_buf(), settings.clone(), zone.to_owned());
            blocking(move || Ok(sqlite::open(&dir, &settings, now, &zone)?.store)).await
        }
        settings::Kind::Redis => {
            let (dir, all) = (dir.to_path_buf(), settings.clone());
            let mirror = blocking(move || sqlite::mirror::open(&dir, &all)).await?;
            redis::open(settings, mirror, now, zone).await
        }
    }
}

/// Does something away from the runtime's threads: a file may have to be recovered.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Error::Unavailable("the opening thread had died".into())))
}
