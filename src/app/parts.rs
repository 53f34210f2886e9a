//! What the process is made of, put together in the order in which one needs the other.
//!
//! Runs nothing: tasks are `tasks`' and their end is `mod`'s.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, RwLock};

use anyhow::Context;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::coherence::{Coherence, Follower};
use super::digests::Digests;
use super::effects::{self, Effects};
use super::health::Health;
use super::keys::{KeyKeeper, random_key};
use super::leases::Lease;
use super::sessions::Sweeping;
use super::stories::Stories;
use super::telling::Telling;
use crate::accounts::AccountService;
use crate::articles::fetch::System;
use crate::articles::{Reader, Reading};
use crate::config::Config;
use crate::digest::DigestService;
use crate::domain::access::Role;
use crate::domain::calendar::Calendar;
use crate::domain::tally::StreamId;
use crate::domain::target::Rules;
use crate::hits::applier::Applier;
use crate::hits::classify::Current;
use crate::hits::journal::{Journal, Owner};
use crate::hits::readers::Readers;
use crate::hits::readers::day_keys::Keyring;
use crate::hits::{Hits, Progress};
use crate::links::codes::{Drawer, system_bytes};
use crate::links::{Channels, LinkService, Near, Pages};
use crate::live::Live;
use crate::reports::ReportService;
use crate::sessions::SessionService;
use crate::settings::{self, SettingsService};
use crate::store::Store;
use crate::store::cache::Cache;
use crate::store::tallies::Dataset;
use crate::telemetry::RedirectMetrics;
use crate::web::client::Clients;
use crate::web::redirect::Redirector;
use crate::web::{State, auth, session};
use crate::webhooks::{Needs, WebhookService};

/// The journal's folder within the data folder.
pub const JOURNAL: &str = "journal";
/// What the user of a first start is called.
const FIRST_USER: &str = "admin";
/// Who makes what a first start makes.
const FIRST_START: &str = "first start";

/// The parts of a process.
pub(super) struct Parts {
    /// The first admin's key and sign-in link.
    pub(super) first: Option<(String, Option<String>)>,
    pub(super) health: Arc<Health>,
    pub(super) journal: Arc<Journal>,
    pub(super) state: State,
    pub(super) redirector: Arc<Redirector>,
    pub(super) day_keys: KeyKeeper,
    pub(super) keys_shared: bool,
    pub(super) applier: Applier,
    pub(super) follower: Follower,
    pub(super) stories: Stories,
    /// Delivers to webhooks.
    pub(super) telling: Telling,
    /// Lets go of tokens that have ended.
    pub(super) sweeping: Sweeping,
    /// Sends digests.
    pub(super) digests: Digests,
    /// The change feed's version when the caches were empty.
    pub(super) version: u64,
}

impl Parts {
    /// Puts everything together over an open store; `base` is what the operator gave.
    pub(super) async fn new(
        base: &Config,
        store: &Store,
        addresses: (SocketAddr, Option<SocketAddr>),
        now: Timestamp,
    ) -> anyhow::Result<Parts> {
        let (public_addr, _) = addresses;
        // First: what is changed after this is told by the feed.
        let version = store.links.changes_since(0).await?.version;
        let settings = Arc::new(SettingsService::open(Arc::clone(&store.documents), base.clone()).await?);
        let composed = settings.now();
        let config = &composed.config;
        let dataset = store.tallies.dataset().await?;
        let calendar = calendar(config, store, &dataset, now).await?;
        let accounts = Arc::new(crate::accounts::of_store(store).await?);
        let webhooks = Arc::new(webhooks(config, store, public_addr).await?);
        let journal = Arc::new(open_journal(config, &dataset, now).await?);
        let progress = Arc::new(Progress::new(now.as_millisecond()));
        let cache = Arc::new(cache(config, store, &dataset));
        let tables = Arc::new(Current::new(config.classifying()?.into()));
        let applier = applier(config, store, &journal, &cache, &progress, calendar.clone(), &tables);
        let (readers, day_keys, keys_shared) = readers(config, store, calendar.clone(), now).await?;
        let coherence = Arc::new(Coherence::new(now));
        let near = Arc::new(Near::new(Arc::clone(&store.links), &config.codes));
        let told = (&accounts, &settings, &webhooks);
        let follower = follower(config, store, (&cache, &near), told, &coherence);
        let hits = Hits::new(Arc::clone(&journal), progress, config.journal.sync, config.hits.watch_for.0);
        let (reader, late) = reader(config, public_addr)?;
        let told = (accounts, Arc::clone(&settings), hits, calendar, Arc::clone(&webhooks));
        let state =
            state(config, store, told, (&cache, &near, effects::reading(config, &reader)), addresses)?;
        let health = Arc::new(health(&state, &cache, coherence, store));
        let state = State { health: Some(Arc::clone(&health)), ..state };
        let redirector = Arc::new(redirector(config, &state, (cache, near), &readers, &tables));
        take_changes(&state, &redirector, &reader);
        let tallies = Arc::clone(&store.tallies);
        let lease = Lease::new(Arc::clone(&store.leases), "stories");
        let stories = Stories { links: Arc::clone(&state.links), tallies, reader, late, lease };
        let telling = telling(store, webhooks);
        // Last: a start that failed before must not have used up the only time the key is shown.
        let first = first_admin(&state, now).await?;
        let lease = Lease::new(Arc::clone(&store.leases), "tokens");
        let sweeping = Sweeping { sessions: Arc::clone(&state.sessions), lease };
        let lease = Lease::new(Arc::clone(&store.leases), "digests");
        let digests = Digests { service: Arc::clone(&state.digests), lease };
        Ok(Parts {
            first,
            health,
            journal,
            state,
            redirector,
            day_keys,
            keys_shared,
            applier,
            follower,
            stories,
            telling,
            sweeping,
            digests,
            version,
        })
    }
}

/// Counts what the journal has, and closes it. With `all`, also what waits for the operator's word.
pub(super) async fn settle(base: &Config, store: &Store, now: Timestamp, all: bool) -> anyhow::Result<()> {
    let config = &settings::effective(base, &*store.documents).await?;
    let dataset = store.tallies.dataset().await?;
    let journal = Arc::new(open_journal(config, &dataset, now).await?);
    let cache = Arc::new(cache(config, store, &dataset));
    let calendar = Calendar::new(&dataset.zones)?;
    let tables = Arc::new(Current::new(config.classifying()?.into()));
    let mut applier = applier(config, store, &journal, &cache, &Arc::default(), calendar, &tables);
    if all {
        applier.hold_nothing();
    }
    let settled = applier.settle().await;
    tokio::task::spawn_blocking(move || journal.close(now.as_millisecond())).await??;
    Ok(settled?)
}

fn applier(
    config: &Config,
    store: &Store,
    journal: &Arc<Journal>,
    cache: &Arc<Cache>,
    progress: &Arc<Progress>,
    calendar: Calendar,
    tables: &Arc<Current>,
) -> Applier {
    Applier::new(
        Arc::clone(journal),
        Arc::clone(&store.tallies),
        Arc::clone(&store.links),
        Arc::clone(cache),
        Arc::clone(progress),
        config.hits.clone(),
        calendar,
    )
    .by(Arc::clone(tables))
    .keeping(config.retention.clone())
    .with_audit(Arc::clone(&store.accounts))
}

/// What knows readers, with the keys of the day in it, and what keeps these.
async fn readers(
    config: &Config,
    store: &Store,
    calendar: Calendar,
    now: Timestamp,
) -> anyhow::Result<(Arc<Readers>, KeyKeeper, bool)> {
    let readers = Arc::new(Readers::new(config.lists()?, Keyring::new(random_key())));
    let keeper = KeyKeeper { store: Arc::clone(&store.day_keys), readers: Arc::clone(&readers), calendar };
    // Before the first hit: else its day would have two keys.
    let kept = keeper.keep(now).await;
    if let Err(error) = &kept {
        tracing::warn!(%error, "the keys of the day cannot be shared with the store");
    }
    Ok((readers, keeper, kept.is_ok()))
}

fn follower(
    config: &Config,
    store: &Store,
    (cache, near): (&Arc<Cache>, &Arc<Near>),
    (accounts, settings, webhooks): (&Arc<AccountService>, &Arc<SettingsService>, &Arc<WebhookService>),
    coherence: &Arc<Coherence>,
) -> Follower {
    Follower {
        links: Arc::clone(&store.links),
        cache: Arc::clone(cache),
        accounts: Arc::clone(accounts),
        settings: Some(Arc::clone(settings)),
        webhooks: Arc::clone(webhooks),
        near: Some(Arc::clone(near)),
        coherence: Arc::clone(coherence),
        interval: config.links.poll_interval.0,
        deadline: config.links.store_timeout.0,
    }
}

fn cache(config: &Config, store: &Store, dataset: &Dataset) -> Cache {
    let settings = &config.links;
    let (bytes, unknown_for) = (settings.cache_bytes.0, settings.unknown_for.0);
    Cache::new(Arc::clone(&store.links), dataset.lanes, bytes, unknown_for, settings.store_timeout.0)
}

/// What the handlers are told besides links: who calls, what is set, hits, days, and who is told what happens.
type Told = (Arc<AccountService>, Arc<SettingsService>, Hits, Calendar, Arc<WebhookService>);

fn state(
    config: &Config,
    store: &Store,
    (accounts, settings, hits, calendar, webhooks): Told,
    (cache, near, pages): (&Arc<Cache>, &Arc<Near>, Option<Pages>),
    (public_addr, staff_addr): (SocketAddr, Option<SocketAddr>),
) -> anyhow::Result<State> {
    let public_url: Arc<str> = config.public_url(public_addr).into();
    let sessions = SessionService::new(Arc::clone(&store.tokens), Arc::clone(&accounts), config.auth.clone());
    let links = LinkService::new(
        Arc::clone(&store.links),
        Arc::clone(cache),
        own_rules(config, &public_url)?,
        Drawer::new(&config.codes),
        config.links.store_timeout.0,
    );
    let channels = Channels::new(&config.links.channels).map_err(anyhow::Error::msg)?;
    let links = links.with_channels(channels).telling(Arc::<WebhookService>::clone(&webhooks));
    let links = match pages {
        Some(pages) => links.reading(pages),
        None => links,
    };
    let hits = Arc::new(hits);
    let (all_links, numbers) = (Arc::clone(&store.links), Arc::clone(&store.tallies));
    let live = Live::new(Arc::clone(&all_links), Arc::clone(&numbers), Arc::clone(&hits), calendar.clone());
    let reports = ReportService::new(all_links, numbers, calendar);
    let pages = effects::web_pages(config, &public_url)?;
    let (links, reports) = (Arc::new(links), Arc::new(reports));
    let staff_url: Arc<str> = config.staff_url(public_addr, staff_addr).into();
    let of_digests =
        (Arc::clone(&accounts), Arc::clone(&links), Arc::clone(&reports), Arc::clone(&staff_url));
    let digests = digests(config, store, of_digests, (&settings, &webhooks))?;
    Ok(State {
        links,
        accounts,
        reports,
        digests: Arc::new(digests),
        orphans: Arc::default(),
        near: Arc::clone(near),
        tallies: Arc::clone(&store.tallies),
        hits,
        live: Arc::new(live),
        closing: CancellationToken::new(),
        pages: Arc::new(pages),
        clients: Arc::new(Clients::new(&config.clients)),
        limits: Arc::new(auth::Limits::new(&config.server, config.links.creations_per_minute)),
        webhooks,
        sessions: Arc::new(sessions),
        staff_url,
        staff_here: staff_addr.is_none(),
        public_url,
        settings,
        health: None,
    })
}

/// Digests, with what they are made of.
fn digests(
    config: &Config,
    store: &Store,
    (accounts, links, reports, staff_url): (
        Arc<AccountService>,
        Arc<LinkService>,
        Arc<ReportService>,
        Arc<str>,
    ),
    (settings, webhooks): (&Arc<SettingsService>, &Arc<WebhookService>),
) -> anyhow::Result<DigestService> {
    let needs = crate::digest::Needs {
        documents: Arc::clone(&store.documents),
        tokens: Arc::clone(&store.tokens),
        accounts,
        reports,
        links,
        webhooks: Arc::clone(webhooks),
        settings: Arc::clone(settings),
        staff_url,
        mail: config.mail.clone(),
        digests: config.digest.clone(),
    };
    DigestService::new(needs).map_err(|(key, why)| anyhow::anyhow!("mail.{key}: {why}"))
}

/// What reads pages, and what it reads too late for a link. It is there also while none is to be read: staff may want it
/// later.
fn reader(
    config: &Config,
    public_addr: SocketAddr,
) -> anyhow::Result<(Reader, mpsc::Receiver<Arc<Reading>>)> {
    let settings = &config.articles;
    let wrong = |(key, why): (&str, String)| anyhow::anyhow!("articles.{key}: {why}");
    let fetcher =
        settings.fetcher(&config.public_url(public_addr), Arc::new(System::new())).map_err(wrong)?;
    let zone = jiff::tz::TimeZone::get(&config.newsroom.timezone)?;
    Ok(Reader::new(settings.canon().map_err(wrong)?, Arc::new(fetcher), zone))
}

/// From now on a changed configuration is put in force.
fn take_changes(state: &State, redirector: &Arc<Redirector>, reader: &Reader) {
    let effects = Effects {
        links: Arc::clone(&state.links),
        reader: reader.clone(),
        tables: Arc::clone(&redirector.tables),
        readers: Arc::clone(&redirector.readers),
        clients: Arc::clone(&state.clients),
        limits: Arc::clone(&state.limits),
        pages: Arc::clone(&state.pages),
        redirector: Arc::clone(redirector),
        public_url: Arc::clone(&state.public_url),
    };
    state.settings.on_change(Arc::new(move |config| effects.apply(config)));
}

/// What tells webhooks, in the background.
fn telling(store: &Store, service: Arc<WebhookService>) -> Telling {
    Telling {
        service,
        links: Arc::clone(&store.links),
        tallies: Arc::clone(&store.tallies),
        lease: Lease::new(Arc::clone(&store.leases), "webhooks"),
    }
}

/// Webhooks, with what sends to them.
async fn webhooks(config: &Config, store: &Store, public_addr: SocketAddr) -> anyhow::Result<WebhookService> {
    let public_url = config.public_url(public_addr);
    let wrong = |(key, why): (&str, String)| anyhow::anyhow!("articles.{key}: {why}");
    // A resolver of its own, with room for all: names that hang must not hold up messages to others.
    let (resolver, deadline) = (Arc::new(System::of(crate::webhooks::MOST)), config.webhooks.deadline.0);
    let poster = config.articles.poster(&public_url, resolver, deadline).map_err(wrong)?;
    let needs = Needs {
        webhooks: Arc::clone(&store.webhooks),
        deliveries: Arc::clone(&store.deliveries),
        accounts: Arc::clone(&store.accounts),
        poster: Arc::new(poster),
        settings: config.webhooks.clone(),
        public_url: public_url.into(),
        deadline: config.links.store_timeout.0,
    };
    Ok(WebhookService::open(needs).await?)
}

fn redirector(
    config: &Config,
    state: &State,
    (cache, near): (Arc<Cache>, Arc<Near>),
    readers: &Arc<Readers>,
    tables: &Arc<Current>,
) -> Redirector {
    Redirector {
        cache,
        near,
        links: Arc::clone(&state.links),
        hits: Arc::clone(&state.hits),
        pages: Arc::clone(&state.pages),
        clients: Arc::clone(&state.clients),
        readers: Arc::clone(readers),
        tables: Arc::clone(tables),
        orphans: Arc::clone(&state.orphans),
        metrics: RedirectMetrics::new(),
        fallback_url: RwLock::new(config.links.fallback_url.as_str().into()),
    }
}

fn health(state: &State, cache: &Arc<Cache>, coherence: Arc<Coherence>, store: &Store) -> Health {
    Health::new(
        Arc::clone(&state.hits),
        Arc::clone(cache),
        Arc::clone(&state.clients),
        coherence,
        (Arc::clone(&store.tallies), Arc::clone(&store.backend)),
        Arc::clone(&state.settings),
    )
}

/// The admin that a first start makes, when there is no key at all yet: a key and, if there is no user either, one with
/// a link to sign in.
async fn first_admin(state: &State, now: Timestamp) -> anyhow::Result<Option<(String, Option<String>)>> {
    let accounts = &state.accounts;
    if !accounts.store().keys().await?.is_empty() {
        return Ok(None);
    }
    let link = if accounts.store().users().await?.is_empty() {
        accounts.add_user(FIRST_USER, Role::Admin, None, FIRST_START, now).await?;
        let (secret, _) = state.sessions.sign_in_link(FIRST_USER, FIRST_START, now).await?;
        Some(session::link(&state.staff_url, &secret))
    } else {
        None
    };
    let (_, secret) = accounts.create_key("first admin", Role::Admin, None, FIRST_START, now).await?;
    Ok(Some((secret, link)))
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

/// The rules for targets, with our own host.
pub(super) fn own_rules(config: &Config, public_url: &str) -> anyhow::Result<Rules> {
    let url = url::Url::parse(public_url).context("server.public_url")?;
    let own = url.host_str().map(|host| (host.to_owned(), url.port_or_known_default()));
    Ok(Rules { own, ..config.target_rules()? })
}

async fn open_journal(config: &Config, dataset: &Dataset, now: Timestamp) -> anyhow::Result<Journal> {
    let mut stream = [0; 8];
    stream.copy_from_slice(&system_bytes(8));
    let stream = StreamId(u64::from_le_bytes(stream));
    let owner = Owner { stream, dataset: dataset.id, lanes: dataset.lanes };
    let (folder, settings) = (config.data.dir.join(JOURNAL), config.journal.clone());
    // Away from the runtime's threads: there may be much to recover.
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
