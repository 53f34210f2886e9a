//! The life of the process: start, run, stop; all of it on this page.
//!
//! Guarantees that every task is owned: if the listener, the journal, the applier or the change feed ends, the
//! process stops and says which. [`start`] is what `main` and every test use.

pub mod coherence;
mod digests;
mod effects;
pub mod health;
mod keys;
mod leases;
pub mod lock;
mod parts;
mod sessions;
mod stories;
mod tasks;
mod telling;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::net::TcpListener;

pub use parts::JOURNAL;

use crate::clock;
use crate::config::Config;
use crate::hits::journal::Journal;
use crate::store::Store;
use crate::{telemetry, web};
use health::{Health, Phase};
use lock::DataLock;
use parts::Parts;
use tasks::{Listeners, Tasks};

/// How often the journal's own threads are looked after.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// A process that serves.
pub struct Running {
    /// Where readers, the API and the pages are served.
    pub public_addr: SocketAddr,
    /// Where operations are served.
    pub ops_addr: SocketAddr,
    /// Where staff are served, if they have a listener of their own.
    pub staff_addr: Option<SocketAddr>,
    /// The admin's key, if this was the first start. It exists nowhere else.
    pub first_key: Option<String>,
    /// A link that signs the first admin in, likewise.
    pub first_link: Option<String>,
    health: Arc<Health>,
    state: web::State,
    journal: Arc<Journal>,
    store: Store,
    tasks: Tasks,
    _lock: DataLock,
}

/// Starts everything: the lock, the listeners, the store, the journal, the tasks.
///
/// # Errors
/// Says in plain words what is in the way; nothing is left running.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    start_over(config, |store| store).await
}

/// The same over what `change` makes of the store, for measurements.
///
/// # Errors
/// As [`start`].
pub async fn start_over(config: Config, change: impl FnOnce(Store) -> Store) -> anyhow::Result<Running> {
    let now = clock::now();
    telemetry::metrics();
    let lock = lock::lock(&config.data.dir, "serve")?;
    if let Some(unfinished) = crate::transfer::unfinished(&config.data.dir)? {
        anyhow::bail!("{unfinished}");
    }
    let public = bind("server.listen", config.server.listen).await?;
    let operations = bind("server.ops_listen", config.server.ops_listen).await?;
    let staff = match config.server.staff_listen {
        Some(address) => Some(bind("server.staff_listen", address).await?),
        None => None,
    };
    let (public_addr, ops_addr) = (public.local_addr()?, operations.local_addr()?);
    let staff_addr = staff.as_ref().map(TcpListener::local_addr).transpose()?;
    let store = change(open_store(&config, now).await?);
    let mut parts = match Parts::new(&config, &store, (public_addr, staff_addr), now).await {
        Ok(parts) => parts,
        Err(error) => {
            store.close().await?;
            return Err(error);
        }
    };
    let (health, state, journal) =
        (Arc::clone(&parts.health), parts.state.clone(), Arc::clone(&parts.journal));
    let (first_key, first_link) = parts.first.take().unzip();
    let tasks = tasks::start(&config, parts, Listeners { public, operations, staff });
    health.enter(Phase::Running);
    Ok(Running {
        public_addr,
        ops_addr,
        staff_addr,
        first_key,
        first_link: first_link.flatten(),
        health,
        state,
        journal,
        store,
        tasks,
        _lock: lock,
    })
}

async fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} ({key})"))
}

/// Opens the store.
///
/// # Errors
/// The store's, in plain words.
pub async fn open_store(config: &Config, now: Timestamp) -> anyhow::Result<Store> {
    let opened = crate::store::open(&config.data.dir, &config.store, now, &config.newsroom.timezone).await;
    opened.with_context(|| format!("the store in {} cannot be opened", config.data.dir.display()))
}

/// Counts what is left in the journal of a data folder that nobody serves from, and closes it again.
///
/// # Errors
/// As [`start`]; a folder without a store is left as it is.
pub async fn settle(config: &Config) -> anyhow::Result<()> {
    let now = clock::now();
    if !config.data.dir.join(JOURNAL).is_dir() {
        return Ok(());
    }
    let _lock = lock::lock(&config.data.dir, "export")?;
    let store = open_store(config, now).await?;
    let settled = parts::settle(config, &store, now, false).await;
    store.close().await?;
    settled
}

/// Counts what the journal has into an open store, but for what waits for the operator's word. The caller holds the
/// data folder's lock.
///
/// # Errors
/// The journal's or the store's.
pub async fn settle_journal(config: &Config, store: &Store) -> anyhow::Result<()> {
    match config.data.dir.join(JOURNAL).is_dir() {
        true => parts::settle(config, store, clock::now(), false).await,
        false => Ok(()),
    }
}

/// Counts what the journal has into an open store, also what waits for the operator's word. The caller holds the
/// data folder's lock.
///
/// # Errors
/// The journal's or the store's.
pub async fn settle_all(config: &Config, store: &Store) -> anyhow::Result<()> {
    match config.data.dir.join(JOURNAL).is_dir() {
        true => parts::settle(config, store, clock::now(), true).await,
        false => Ok(()),
    }
}

impl Running {
    /// What handlers work with, for who works beside them.
    #[must_use]
    pub fn state(&self) -> &web::State {
        &self.state
    }

    /// Waits until something ends that must not; gives its name.
    pub async fn failed(&mut self) -> &'static str {
        loop {
            tokio::select! {
                Some(name) = self.tasks.ended.recv() => return name,
                () = tokio::time::sleep(LOOK_AFTER) => {}
            }
            if !self.journal.running() {
                return "the journal";
            }
        }
    }

    /// Takes what can change while it runs ([`effects`]) from a configuration that was read again, with what staff
    /// changed over it; all else needs a restart.
    ///
    /// # Errors
    /// [`crate::config::Invalid`]; then nothing changed.
    pub async fn reload(&self, config: Config) -> anyhow::Result<()> {
        self.state.settings.rebase(config).await?;
        tracing::info!("lists and limits were read again");
        Ok(())
    }

    /// Stops in order: no new connections; requests under way within their grace; the journal synced; what is left
    /// counted; the store closed.
    ///
    /// # Errors
    /// What could not be finished; nothing answered is lost by it.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.health.enter(Phase::Stopping);
        self.state.closing.cancel();
        self.tasks.public.stop().await;

        let journal = Arc::clone(&self.journal);
        let synced = tokio::task::spawn_blocking(move || journal.sync_now()).await?;
        self.tasks.workers.stop().await;

        let journal = self.journal;
        let closed = tokio::task::spawn_blocking(move || journal.close(clock::now_ms())).await?;
        self.store.close().await?;
        self.tasks.operations.stop().await;
        synced.and(closed).context("the journal could not be synced")
    }
}
