//! The suite that every store passes, in each topology. One set of servers serves all cases; each case has a prefix
//! of its own, which is a store of its own, and a folder for its mirror.

use std::sync::atomic::{AtomicU64, Ordering};

use slugline::config::Config;
use slugline::store::conformance::at;
use slugline::store::redis::Settings;
use slugline::store::{Store, open};
use tempfile::TempDir;

/// A new, empty store on servers that are shared.
async fn new_on(servers: Settings) -> (Store, TempDir) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Config::defaults().unwrap().store;
    settings.kind = slugline::store::settings::Kind::Redis;
    // As many as a cluster needs to have some on each master.
    settings.lanes = 8;
    settings.redis = servers;
    settings.redis.prefix = format!("case{}:", NEXT.fetch_add(1, Ordering::Relaxed));
    let store = open(dir.path(), &settings, at(0), "Europe/Vienna").await.unwrap();
    // An export waits until the mirror is whole: filling it is no part of a case.
    assert!(store.links.export(None).await.unwrap().items.is_empty());
    (store, dir)
}

macro_rules! topology {
    ($name:ident, $servers:ident) => {
        mod $name {
            use slugline::store::Store;
            use tempfile::TempDir;
            use tokio::sync::OnceCell;

            use crate::redis::servers::$servers;

            static SERVERS: OnceCell<$servers> = OnceCell::const_new();

            async fn make() -> (Store, TempDir) {
                let servers = SERVERS.get_or_init(|| $servers::start(&[])).await;
                super::new_on(servers.settings()).await
            }

            slugline::store_conformance!(make);
        }
    };
}

topology!(standalone, Standalone);
topology!(sentinel, Sentinels);
topology!(cluster, Cluster);
