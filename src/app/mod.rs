//! The life of the process: start, run, stop; all of it on this page.
//!
//! Guarantees that every task is owned: if the listener, the journal, the applier or the change feed ends, the
//! process stops and says which. [`start`] is what `main` and every test use.

pub mod coherence;
pub mod health;
pub mod lock;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::AccountService;
use crate::clock;
use crate::config::Config;
use crate::domain::access::Role;
use crate::domain::calendar::Calendar;
use crate::domain::tally::StreamId;
use crate::hits::applier::Applier;
use crate::hits::journal::{Journal, Owner};
use crate::hits::{Hits, Progress};
use crate::links::LinkService;
use crate::links::codes::{Drawer, system_bytes};
use crate::reports::ReportService;
use crate::store::Store;
use crate::store::cache::Cache;
use crate::store::tallies::Dataset;
use crate::telemetry::{self, RedirectMetrics};
use crate::web::client::Clients;
use crate::web::redirect::Redirector;
use crate::web::server::{Bounds, serve};
use crate::web::surface::Surface;
use crate::web::{State, api, auth, ops, pages};
use coherence::{Coherence, Follower};
use health::{Health, Phase};
use lock::DataLock;

/// The journal's folder within the data folder.
pub const JOURNAL: &str = "journal";
/// Connections of the operations listener: probes and scrapers.
const OPS_CONNECTIONS: usize = 100;

/// A process that serves.
pub struct Running {
    /// Where readers, the API and the pages are served.
    pub public_addr: SocketAddr,
    /// Where operations are served.
    pub ops_addr: SocketAddr,
    /// The admin's key, if this was the first start. It exists nowhere else.
    pub first_key: Option<String>,
    health: Arc<Health>,
    clients: Arc<Clients>,
    limits: Arc<auth::Limits>,
    links: Arc<LinkService>,
    journal: Arc<Journal>,
    store: Store,
    stops: Stops,
    public: TaskTracker,
    others: TaskTracker,
    ended: mpsc::Receiver<&'static str>,
    _lock: DataLock,
}

/// One stop for each step of the stop order.
#[derive(Clone, Default)]
struct Stops {
    public: CancellationToken,
    applier: CancellationToken,
    others: CancellationToken,
}

/// Starts everything: the lock, the store, the journal, the listeners, the tasks.
///
/// # Errors
/// Says in plain words what is in the way; nothing is left running.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    let now = clock::now();
    telemetry::metrics();
    let dir = config.data.dir.clone();
    let lock = lock::lock(&dir, "serve")?;
    let public_listener = bind("server.listen", config.server.listen).await?;
    let ops_listener = bind("server.ops_listen", config.server.ops_listen).await?;
    let (public_addr, ops_addr) = (public_listener.local_addr()?, ops_listener.local_addr()?);
    let store = open_store(&config, now).await?;
    match run(config, store.clone(), now, (public_listener, public_addr), (ops_listener, ops_addr), lock)
        .await
    {
        Ok(running) => Ok(running),
        Err(error) => {
            store.close().await?;
            Err(error)
        }
    }
}

async fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} ({key})"))
}

/// Opens the store away from the runtime's threads: it may have to be recovered.
///
/// # Errors
/// The store's, in plain words.
pub async fn open_store(config: &Config, now: Timestamp) -> anyhow::Result<Store> {
    let (dir, settings, zone) =
        (config.data.dir.clone(), config.store.clone(), config.newsroom.timezone.clone());
    let opened = tokio::task::spawn_blocking(move || crate::store::open(&dir, &settings, now, &zone)).await?;
    opened.with_context(|| format!("the store in {} cannot be opened", config.data.dir.display()))
}

async fn run(
    config: Config,
    store: Store,
    now: Timestamp,
    (public_listener, public_addr): (TcpListener, SocketAddr),
    (ops_listener, ops_addr): (TcpListener, SocketAddr),
    lock: DataLock,
) -> anyhow::Result<Running> {
    let dataset = store.tallies.dataset().await?;
    let calendar = calendar(&config, &store, &dataset, now).await?;
    let public_url: Arc<str> = config.public_url(public_addr).into();
    let deadline = config.links.store_timeout.0;
    let accounts = Arc::new(AccountService::open(Arc::clone(&store.accounts)).await?);
    let first_key = first_key(&accounts, now).await?;

    let journal = Arc::new(open_journal(&config, &dataset, now).await?);
    let progress = Arc::new(Progress::default());
    let hits = Arc::new(Hits::new(
        Arc::clone(&journal),
        Arc::clone(&progress),
        config.journal.sync,
        config.hits.watch_for.0,
    ));
    let cache = Arc::new(Cache::new(
        Arc::clone(&store.links),
        dataset.lanes,
        config.links.cache_bytes.0,
        config.links.unknown_for.0,
        deadline,
    ));
    let links = Arc::new(LinkService::new(
        Arc::clone(&store.links),
        Arc::clone(&cache),
        own_rules(&config, &public_url)?,
        Drawer::new(&config.codes),
        deadline,
    ));
    let newsroom = &config.newsroom;
    let pages = Arc::new(pages::Pages::new(&newsroom.name, &newsroom.language, &newsroom.home, &public_url)?);
    let clients = Arc::new(Clients::new(&config.clients));
    let limits = Arc::new(auth::Limits::new(&config.server));
    let coherence = Arc::new(Coherence::new(now));
    let health = Arc::new(Health::new(
        Arc::clone(&hits),
        Arc::clone(&cache),
        Arc::clone(&clients),
        Arc::clone(&coherence),
        Arc::clone(&store.tallies),
    ));
    let state = State {
        links: Arc::clone(&links),
        accounts: Arc::clone(&accounts),
        reports: Arc::new(ReportService::new(
            Arc::clone(&store.links),
            Arc::clone(&store.tallies),
            calendar.clone(),
        )),
        tallies: Arc::clone(&store.tallies),
        hits: Arc::clone(&hits),
        pages: Arc::clone(&pages),
        clients: Arc::clone(&clients),
        limits: Arc::clone(&limits),
        public_url,
        home: newsroom.home.as_str().into(),
    };
    let redirector = Arc::new(Redirector {
        cache: Arc::clone(&cache),
        links: Arc::clone(&links),
        hits,
        pages,
        clients: Arc::clone(&clients),
        metrics: RedirectMetrics::new(),
        fallback_url: config.links.fallback_url.clone(),
    });

    let stops = Stops::default();
    let (public, others) = (TaskTracker::new(), TaskTracker::new());
    let (tell, ended) = mpsc::channel(8);
    let owned =
        |name: &'static str, task: &TaskTracker, work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
            let tell = tell.clone();
            task.spawn(async move {
                work.await;
                // The receiver outlives every task but at stop, when nobody asks any more.
                let _ = tell.try_send(name);
            });
        };
    let version = store.links.changes_since(0).await?.version;
    let follower = Follower {
        links: Arc::clone(&store.links),
        cache: Arc::clone(&cache),
        accounts,
        coherence,
        interval: config.links.poll_interval.0,
        deadline,
    };
    owned("the change feed", &others, Box::pin(follower.run(version, stops.others.clone())));
    owned("the metrics", &others, Box::pin(keep_metrics(stops.others.clone())));
    let applier = Applier::new(
        Arc::clone(&journal),
        Arc::clone(&store.tallies),
        Arc::clone(&store.links),
        cache,
        progress,
        config.hits.clone(),
        calendar,
    );
    owned("the applier", &others, Box::pin(on_own_thread(applier, stops.applier.clone())));

    let router = pages::routes(newsroom.security_contact.clone())
        .merge(api::routes(&state, config.server.request_timeout.0))
        .fallback(pages::nothing)
        .with_state(state);
    let surface = move |peer| Surface::new(Arc::clone(&redirector), router.clone(), peer);
    let bounds = Bounds {
        connections: config.server.max_connections,
        header_timeout: config.server.header_timeout.0,
        grace: config.server.grace.0,
    };
    owned("the listener", &public, Box::pin(serve(public_listener, surface, bounds, stops.public.clone())));
    let ops = ops::routes(ops::OpsState { health: Arc::clone(&health) });
    let ops_service = move |_| hyper_util::service::TowerToHyperService::new(ops.clone());
    let ops_bounds = Bounds { connections: OPS_CONNECTIONS, grace: Duration::from_secs(1), ..bounds };
    owned(
        "the operations listener",
        &others,
        Box::pin(serve(ops_listener, ops_service, ops_bounds, stops.others.clone())),
    );

    health.enter(Phase::Running);
    let _lock = lock;
    Ok(Running {
        public_addr,
        ops_addr,
        first_key,
        health,
        clients,
        limits,
        links,
        journal,
        store,
        stops,
        public,
        others,
        ended,
        _lock,
    })
}

impl Running {
    /// Waits until something ends that must not; gives its name.
    pub async fn failed(&mut self) -> &'static str {
        match self.ended.recv().await {
            Some(name) => name,
            None => std::future::pending().await,
        }
    }

    /// Takes lists and limits from a configuration that was read again; all else needs a restart.
    ///
    /// # Errors
    /// [`crate::config::Invalid`]; then nothing changed.
    pub fn reload(&self, config: &Config) -> anyhow::Result<()> {
        let own = self.links.rules().own.clone();
        let rules = crate::domain::target::Rules { own, ..config.target_rules()? };
        self.links.set_rules(rules);
        self.clients.set(&config.clients);
        self.limits.set(&config.server);
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
        self.stops.public.cancel();
        self.public.close();
        self.public.wait().await;

        let journal = Arc::clone(&self.journal);
        let synced = tokio::task::spawn_blocking(move || journal.sync_now()).await?;
        self.stops.applier.cancel();
        self.stops.others.cancel();
        self.others.close();
        self.others.wait().await;

        let journal = self.journal;
        let closed = tokio::task::spawn_blocking(move || journal.close(clock::now_ms())).await?;
        self.store.close().await?;
        synced.and(closed).context("the journal could not be synced")
    }
}

/// The admin that a first start makes: there is no key at all yet.
async fn first_key(accounts: &AccountService, now: Timestamp) -> anyhow::Result<Option<String>> {
    if !accounts.store().keys().await?.is_empty() {
        return Ok(None);
    }
    let (_, secret) = accounts.create_key("first admin", Role::Admin, None, "first start", now).await?;
    Ok(Some(secret))
}

/// The newsroom's calendar. A zone that was changed in the configuration holds from its next local midnight.
async fn calendar(
    config: &Config,
    store: &Store,
    dataset: &Dataset,
    now: Timestamp,
) -> anyhow::Result<Calendar> {
    let mut zones = dataset.zones.clone();
    let zone = &config.newsroom.timezone;
    if zones.last().is_none_or(|(_, last)| last != zone) {
        let from = Calendar::next_midnight(zone, now)?;
        store.tallies.add_zone(from, zone).await?;
        zones.retain(|(since, _)| *since < from);
        zones.push((from, zone.clone()));
        let from = Timestamp::from_second(from)?;
        tracing::warn!(zone, %from, "the time zone was changed; days and hours follow it from then on");
    }
    Ok(Calendar::new(&zones)?)
}

fn own_rules(config: &Config, public_url: &str) -> anyhow::Result<crate::domain::target::Rules> {
    let mut rules = config.target_rules()?;
    let url = url::Url::parse(public_url).context("server.public_url")?;
    rules.own = url.host_str().map(|host| (host.to_owned(), url.port_or_known_default()));
    Ok(rules)
}

async fn open_journal(config: &Config, dataset: &Dataset, now: Timestamp) -> anyhow::Result<Journal> {
    let mut stream = [0; 8];
    stream.copy_from_slice(&system_bytes(8));
    let owner =
        Owner { stream: StreamId(u64::from_le_bytes(stream)), dataset: dataset.id, lanes: dataset.lanes };
    let (folder, settings) = (config.data.dir.join(JOURNAL), config.journal.clone());
    let open = move || open_journal_in(&folder, &settings, owner, now);
    let journal = tokio::task::spawn_blocking(open).await??;
    for odd in journal.odd() {
        tracing::warn!(?odd, "a file in the journal's folder is not of this store and is left alone");
    }
    Ok(journal)
}

fn open_journal_in(
    folder: &Path,
    settings: &crate::hits::journal::Settings,
    owner: Owner,
    now: Timestamp,
) -> anyhow::Result<Journal> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(Journal::open(folder, settings, owner, now.as_millisecond())?)
}

/// Runs the applier on a thread of its own, with less priority: counting may wait, redirects may not.
async fn on_own_thread(applier: Applier, stop: CancellationToken) {
    let (done, ended) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name("applier".into()).spawn(move || {
        let _done = done;
        crate::hits::step_back();
        match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime.block_on(applier.run(stop)),
            Err(error) => tracing::error!(%error, "the applier's runtime could not be made"),
        }
    });
    if let Err(error) = thread {
        tracing::error!(%error, "the applier's thread could not be made");
        return;
    }
    // Dropped without a word when the thread ends, however it does.
    let _ = ended.await;
}

/// Histograms keep samples until someone folds them, read or not.
async fn keep_metrics(stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
        }
        if let Some(handle) = telemetry::metrics() {
            handle.run_upkeep();
        }
    }
}
