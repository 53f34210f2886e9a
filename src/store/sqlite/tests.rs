//! What is SQLite's own: one commit for many, two processes, files that must be refused.

use super::*;
use crate::store::settings;
use crate::units::Size;

pub(super) fn settings(lanes: u16) -> Settings {
    Settings { kind: settings::Kind::Sqlite, lanes, readers: 2, page_cache: Size(2 << 20) }
}

pub(super) fn now() -> Timestamp {
    "2026-11-22T17:00:00Z".parse().unwrap()
}

pub(super) fn open_in(dir: &Path, lanes: u16) -> Opened {
    open(dir, &settings(lanes), now(), "Europe/Vienna").unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn opens_closes_and_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = open_in(dir.path(), 0);
    let dataset = block_on(first.store.tallies.dataset()).unwrap();
    assert_eq!((dataset.lanes, dataset.zones), (1, vec![(0, "Europe/Vienna".to_owned())]));
    block_on(first.store.close()).unwrap();
    block_on(first.store.close()).unwrap();
    assert!(matches!(block_on(first.store.links.find("a")), Err(Error::Unavailable(_))));
    assert!(matches!(block_on(first.store.links.create(vec![], now())), Err(Error::Unavailable(_))));
    for file in ["links.db-wal", "tallies.db-wal"] {
        assert!(!dir.path().join(file).exists(), "{file}");
    }
    // Lanes and zone of a store are those it was made with.
    let again = open(dir.path(), &settings(4), now(), "Asia/Tokyo").unwrap();
    assert_eq!(block_on(again.store.tallies.dataset()).unwrap().id, dataset.id);
    assert_eq!(block_on(again.store.tallies.dataset()).unwrap().lanes, 1);
}

async fn one_lane() -> (Store, tempfile::TempDir) {
    made(1)
}

async fn four_lanes() -> (Store, tempfile::TempDir) {
    made(4)
}

fn made(lanes: u16) -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (open_in(dir.path(), lanes).store, dir)
}

mod conformance_with_1_lane {
    use super::one_lane;
    crate::store_conformance!(one_lane);
}

mod conformance_with_4_lanes {
    use super::four_lanes;
    crate::store_conformance!(four_lanes);
}
