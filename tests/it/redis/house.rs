//! Stores over a real Redis, as many as a test wants over one dataset.
//!
//! All tests share one server; each has a prefix of its own, and so a dataset, lanes and a channel of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use slugline::config::Config;
use slugline::domain::tally::DatasetId;
use slugline::store::conformance::at;
use slugline::store::mirror::Mirror;
use slugline::store::redis::Settings;
use slugline::store::redis::accounts::RedisAccounts;
use slugline::store::redis::conn::Conn;
use slugline::store::redis::dataset;
use slugline::store::redis::day_keys::RedisDayKeys;
use slugline::store::redis::documents::RedisDocuments;
use slugline::store::redis::feed::Feed;
use slugline::store::redis::lanes::Lanes;
use slugline::store::redis::leases::RedisLeases;
use slugline::store::redis::links::RedisLinks;
use slugline::store::redis::records::Records;
use slugline::store::redis::tokens::RedisTokens;
use slugline::store::redis::webhooks::{RedisDeliveries, RedisWebhooks};
use slugline::store::tallies::Dataset;
use slugline::store::{Backend, Error, Store, sqlite};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::servers::Standalone;
use crate::harness::wait::{LONG, eventually};

/// The server that all tests share which do nothing to it.
pub async fn shared() -> &'static Standalone {
    static SHARED: OnceCell<Standalone> = OnceCell::const_new();
    SHARED.get_or_init(|| Standalone::start(&[])).await
}

/// A prefix that no other test has.
pub fn own_prefix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("t{}:", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// An open store with what is under it.
pub struct House {
    /// The store.
    pub store: Store,
    /// The dataset's lanes.
    pub lanes: Lanes,
    _dir: TempDir,
}

/// Lanes of most houses: a new node reads all of each.
pub const LANES: u16 = 16;

struct Joined {
    conn: Conn,
    feed: Arc<Feed>,
    mirror: Arc<dyn Mirror>,
    files: Store,
}

#[async_trait]
impl Backend for Joined {
    async fn close(&self) -> slugline::store::Result<()> {
        self.feed.close().await;
        self.conn.close().await;
        self.mirror.close().await?;
        self.files.close().await
    }

    async fn snapshot(&self, _to: &std::path::Path) -> slugline::store::Result<Vec<String>> {
        Ok(vec![])
    }
}

impl House {
    /// Opens the dataset that these settings lead to, or makes it with so many lanes.
    pub async fn open(settings: &Settings, lanes: u16) -> House {
        let dir = tempfile::tempdir().unwrap();
        let conn = Conn::open(settings).await.unwrap();
        let mut id = [0; 16];
        getrandom::fill(&mut id).unwrap();
        let id = DatasetId(u128::from_le_bytes(id));
        let new = Dataset { id, lanes, zones: vec![(0, "Europe/Vienna".to_owned())], created_at: at(0) };
        // A server may be late where many are started at once.
        let (lanes, dataset) = eventually("the dataset is opened", async || {
            match dataset::open(&conn, &settings.prefix, new.clone(), None).await {
                Err(Error::Unavailable(_)) => None,
                opened => Some(opened.unwrap()),
            }
        })
        .await;
        let mut store_settings = Config::defaults().unwrap().store;
        store_settings.readers = 2;
        store_settings.page_cache = slugline::units::Size(2 << 20);
        let mirror = sqlite::mirror::open(dir.path(), &store_settings).unwrap();
        mirror.set_dataset(dataset).await.unwrap();
        let feed = Feed::start(conn.clone(), lanes.clone(), Arc::clone(&mirror), None).await.unwrap();
        let feed = Arc::new(feed);
        for lane in lanes.all() {
            assert!(feed.in_step(lane, LONG).await, "lane {lane} is followed");
        }
        let records = Records::new(conn.clone(), lanes.clone(), Arc::<Feed>::clone(&feed));
        let files = sqlite::open(dir.path(), &store_settings, at(0), "Europe/Vienna").unwrap().store;
        let store = Store {
            links: Arc::new(RedisLinks::new(records.clone(), Arc::clone(&feed), Arc::clone(&mirror))),
            documents: Arc::new(RedisDocuments::new(records.clone(), Arc::clone(&mirror))),
            accounts: Arc::new(RedisAccounts::new(records.clone(), Arc::clone(&mirror))),
            webhooks: Arc::new(RedisWebhooks::new(records.clone(), Arc::clone(&mirror))),
            tokens: Arc::new(RedisTokens::new(records.clone())),
            deliveries: Arc::new(RedisDeliveries::new(records)),
            leases: Arc::new(RedisLeases::new(conn.clone(), lanes.clone())),
            day_keys: Arc::new(RedisDayKeys::new(conn.clone(), lanes.clone())),
            tallies: Arc::clone(&files.tallies),
            backend: Arc::new(Joined { conn, feed, mirror, files }),
        };
        House { store, lanes, _dir: dir }
    }
}

/// Settings of a dataset of its own on the shared server.
pub async fn own_settings() -> Settings {
    let mut settings = shared().await.settings();
    settings.prefix = own_prefix();
    settings
}

/// As many stores over one new dataset.
pub async fn houses(n: usize) -> Vec<House> {
    let settings = own_settings().await;
    let mut houses = vec![];
    for _ in 0..n {
        houses.push(House::open(&settings, LANES).await);
    }
    houses
}
