//! What a store in Redis is: made once, however many start; refused when a part of it is gone.

use jiff::Timestamp;
use slugline::domain::tally::DatasetId;
use slugline::store::conformance::at;
use slugline::store::redis::conn::Conn;
use slugline::store::redis::dataset;
use slugline::store::tallies::Dataset;
use slugline::store::{Error, Result};

use super::servers::Standalone;

fn new(id: u128) -> Dataset {
    Dataset { id: DatasetId(id), lanes: 5, zones: vec![(0, "Europe/Vienna".into())], created_at: made() }
}

fn made() -> Timestamp {
    at(0)
}

fn fenced<T>(opened: Result<T>) -> String {
    match opened {
        Err(Error::Fenced(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was taken"),
    }
}

#[tokio::test]
async fn starts_at_one_moment_make_one_dataset() {
    let server = Standalone::start(&[]).await;
    let conn = Conn::open(&server.settings()).await.unwrap();
    let opened = futures_util::future::join_all((1..=8).map(|id| dataset::open(&conn, "sl:", new(id), None)));
    let ids: Vec<DatasetId> = opened.await.into_iter().map(|opened| opened.unwrap().1.id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let (lanes, dataset) = dataset::open(&conn, "sl:", new(9), Some(ids[0])).await.unwrap();
    assert_eq!(dataset, Dataset { id: ids[0], ..new(0) });
    assert_eq!((lanes.count(), lanes.dataset()), (5, ids[0]));
    // Another prefix is another store.
    let (_, other) = dataset::open(&conn, "other:", new(10), None).await.unwrap();
    assert_eq!(other.id, DatasetId(10));
    conn.close().await;
}

#[tokio::test]
async fn zones_are_added() {
    let server = Standalone::start(&[]).await;
    let conn = Conn::open(&server.settings()).await.unwrap();
    let (lanes, _) = dataset::open(&conn, "sl:", new(1), None).await.unwrap();
    dataset::add_zone(&conn, &lanes, -7_200, "Asia/Tokyo").await.unwrap();
    dataset::add_zone(&conn, &lanes, 9_000, "UTC").await.unwrap();
    let zones = dataset::current(&conn, &lanes).await.unwrap().zones;
    let expected = [(-7_200, "Asia/Tokyo"), (0, "Europe/Vienna"), (9_000, "UTC")];
    assert_eq!(zones, expected.map(|(from, zone)| (from, zone.to_owned())));
    server.ask(&["FLUSHALL"]).await;
    fenced(dataset::add_zone(&conn, &lanes, 10_000, "UTC").await);
    fenced(dataset::current(&conn, &lanes).await);
    conn.close().await;
}

#[tokio::test]
async fn a_start_that_was_cut_short_is_gone_on_with() {
    let server = Standalone::start(&[]).await;
    let conn = Conn::open(&server.settings()).await.unwrap();
    let (lanes, _) = dataset::open(&conn, "sl:", new(1), None).await.unwrap();
    let meta = |lane| String::from_utf8(lanes.meta(lane)).unwrap();
    // As it is when the power goes after two lanes.
    server.ask(&["HDEL", &meta(lanes.root()), "ready"]).await;
    server.ask(&["DEL", &meta(3), &meta(4), &meta(lanes.site())]).await;
    let (_, dataset) = dataset::open(&conn, "sl:", new(2), None).await.unwrap();
    assert_eq!(dataset.id, DatasetId(1));
    dataset::check(&conn, &lanes).await.unwrap();
    conn.close().await;
}

#[tokio::test]
async fn what_is_not_the_known_store_is_fenced() {
    let server = Standalone::start(&[]).await;
    let conn = Conn::open(&server.settings()).await.unwrap();
    let open = async |known: Option<u128>| dataset::open(&conn, "sl:", new(2), known.map(DatasetId)).await;
    // Empty, but this node has worked with one.
    assert!(fenced(open(Some(1)).await).contains("empty"));
    let (lanes, _) = open(None).await.unwrap();
    // Another one.
    assert!(fenced(open(Some(1)).await).contains("another database"));
    // A lane is gone, then a lane is another's, then the root is.
    let meta = |lane| String::from_utf8(lanes.meta(lane)).unwrap();
    server.ask(&["DEL", &meta(2)]).await;
    assert!(fenced(open(None).await).contains("lane 2 is gone"));
    server.ask(&["HSET", &meta(2), "id", &DatasetId(7).to_string()]).await;
    assert!(fenced(dataset::check(&conn, &lanes).await).contains("lane 2 is of dataset"));
    server.ask(&["DEL", &meta(lanes.root())]).await;
    assert!(fenced(open(None).await).contains("flushed in part"));
    conn.close().await;
}
