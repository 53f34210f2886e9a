//! Nodes of one store: several in this process, each with a data folder of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use slugline::accounts::AccountService;
use slugline::app::coherence::{Coherence, Follower};
use slugline::articles::fetch::System;
use slugline::clock;
use slugline::config::Config;
use slugline::store::cache::{Cache, Cached};
use slugline::store::links::{Creation, LinkFilter, LinkOrder, LinkPage, NewLink};
use slugline::store::redis::Settings as RedisSettings;
use slugline::store::settings::{Kind, Settings};
use slugline::store::{self, Links, Store};
use slugline::units::Size;
use slugline::webhooks::{Needs, WebhookService};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::process::Process;
use crate::harness::eventually;

/// A node's store, and its data folder.
pub struct Node {
    pub store: Store,
    pub dir: Arc<TempDir>,
}

impl std::ops::Deref for Node {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

/// A store of so many lanes in Redis.
pub fn settings(redis: RedisSettings, lanes: u16) -> Settings {
    Settings { kind: Kind::Redis, lanes, readers: 2, page_cache: Size(2 << 20), redis }
}

impl Node {
    /// A new node, which has followed the store to its end.
    pub async fn start(redis: RedisSettings, lanes: u16) -> Node {
        Node::start_in(Arc::new(tempfile::tempdir().unwrap()), redis, lanes).await
    }

    /// A node in a folder that may have been used before.
    pub async fn start_in(dir: Arc<TempDir>, redis: RedisSettings, lanes: u16) -> Node {
        let node = Node::open_in(dir, redis, lanes).await.unwrap();
        node.complete().await;
        node
    }

    /// The same, as soon as it is open.
    pub async fn open_in(dir: Arc<TempDir>, redis: RedisSettings, lanes: u16) -> store::Result<Node> {
        let settings = settings(redis, lanes);
        let store = store::open(dir.path(), &settings, clock::now(), "Europe/Vienna").await?;
        Ok(Node { store, dir })
    }

    /// Waits until its mirror has everything.
    pub async fn complete(&self) {
        eventually("the mirror is complete", async || self.backend.troubles().is_empty().then_some(())).await;
    }

    /// Ends it and gives its folder.
    pub async fn stop(self) -> Arc<TempDir> {
        self.store.close().await.unwrap();
        self.dir
    }

    /// Titles and notes of all links in the mirror, by code.
    pub async fn listed(&self) -> HashMap<String, Option<String>> {
        let (mut all, mut after) = (HashMap::new(), None);
        loop {
            let filter = LinkFilter::default();
            let page = LinkPage { filter, order: LinkOrder::Code, descending: false, after, limit: 1_000 };
            let found = self.links.list(page, clock::now()).await.unwrap();
            let Some(last) = found.last() else { return all };
            after = Some((LinkOrder::Code.key_of(last), last.link.code.to_string()));
            all.extend(found.iter().map(|f| (f.link.code.to_string(), f.link.note.clone())));
        }
    }

    /// The note of a link in the mirror.
    pub async fn note(&self, code: &str) -> Option<String> {
        self.listed().await.get(code).cloned().flatten()
    }

    /// Makes links; all must be new.
    pub async fn make(&self, new: Vec<NewLink>) {
        for made in self.links.create(new, clock::now()).await.unwrap() {
            assert!(matches!(made, Creation::Created(_)), "{made:?}");
        }
    }

    /// Objects of the audit's lines of this action.
    pub async fn audit(&self, action: &str) -> Vec<String> {
        let lines = self.accounts.audited(None, 1_000).await.unwrap();
        lines.into_iter().filter(|line| line.action == action).map(|line| line.object).collect()
    }
}

/// A cache that follows a node's changes, as the running service does it.
pub struct Following {
    pub cache: Arc<Cache>,
    coherence: Arc<Coherence>,
    pub accounts: Arc<AccountService>,
    stop: CancellationToken,
}

impl Following {
    pub async fn start(node: &Node) -> Following {
        Following::start_over(node, node.links.clone()).await
    }

    /// The same with these links in place of the node's own.
    pub async fn start_over(node: &Node, links: Arc<dyn Links>) -> Following {
        let lanes = node.tallies.dataset().await.unwrap().lanes;
        let deadline = Duration::from_secs(5);
        let cache = Cache::new(links.clone(), lanes, 8 << 20, Duration::from_secs(2), deadline);
        let (cache, coherence) = (Arc::new(cache), Arc::new(Coherence::new(clock::now())));
        let accounts = Arc::new(slugline::accounts::of_store(node).await.unwrap());
        let follower = Follower {
            links,
            cache: cache.clone(),
            accounts: accounts.clone(),
            settings: None,
            webhooks: Arc::new(webhooks(node).await),
            near: None,
            coherence: coherence.clone(),
            interval: Duration::from_millis(500),
            deadline,
        };
        let version = node.links.changes_since(0).await.unwrap().version;
        let stop = CancellationToken::new();
        drop(std::thread::spawn({
            // A runtime of its own, so that a busy test does not hold it up.
            let stop = stop.clone();
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(follower.run(version, stop));
            }
        }));
        Following { cache, coherence, accounts, stop }
    }

    /// Where a code leads, as a redirect would find it; None for an unknown one.
    pub async fn target(&self, code: &str) -> Option<String> {
        let routes = match self.cache.get(code) {
            Cached::Known(routes) => Some(routes),
            Cached::Unknown => None,
            Cached::Miss => self.cache.load(code).await.unwrap(),
        }?;
        routes.pick(code, false).map(|route| route.target().to_owned())
    }

    /// The same, of what is in memory.
    pub fn cached(&self, code: &str) -> Option<String> {
        let Cached::Known(routes) = self.cache.get(code) else { return None };
        routes.pick(code, false).map(|route| route.target().to_owned())
    }

    /// For how many seconds a change may not have been seen.
    pub fn staleness(&self) -> f64 {
        self.coherence.staleness(clock::now())
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A node's webhooks, as the running service has them.
async fn webhooks(node: &Node) -> WebhookService {
    let config = Config::defaults().unwrap();
    let (resolver, deadline) = (Arc::new(System::new()), Duration::from_secs(5));
    let poster = config.articles.poster("https://sl.example", resolver, deadline).unwrap();
    let needs = Needs {
        webhooks: node.webhooks.clone(),
        deliveries: node.deliveries.clone(),
        accounts: node.accounts.clone(),
        poster: Arc::new(poster),
        settings: config.webhooks,
        public_url: "https://sl.example".into(),
        deadline,
    };
    WebhookService::open(needs).await.unwrap()
}

/// How often each command was called.
pub async fn calls(server: &Process) -> HashMap<String, u64> {
    let stats = server.say(&["INFO", "commandstats"]).await;
    let read = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split_once(',')?.0.parse().ok()?))
    };
    stats.lines().filter_map(read).collect()
}
