//! Numbers in Redis: what every backend must do, and what only a server that fails and goes back can show.

mod faults;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use slugline::config::Config;
use slugline::store::conformance::at;
use slugline::store::redis::Settings;
use slugline::store::redis::conn::Conn;
use slugline::store::redis::dataset;
use slugline::store::redis::tallies::RedisTallies;
use slugline::store::tallies::Dataset;
use slugline::store::{Backend, Result, Store};

use super::servers::Standalone;

/// A store whose numbers are in Redis; links, which these tests do not look at, are in a folder.
struct Half {
    conn: Conn,
    links: Arc<dyn Backend>,
}

#[async_trait]
impl Backend for Half {
    async fn close(&self) -> Result<()> {
        self.conn.close().await;
        self.links.close().await
    }

    async fn snapshot(&self, to: &Path) -> Result<Vec<String>> {
        self.links.snapshot(to).await
    }
}

async fn store_with(settings: &Settings, folder: &Path, lanes: u16) -> Store {
    let links =
        slugline::store::open(folder, &Config::defaults().unwrap().store, at(0), "UTC").await.unwrap();
    let conn = Conn::open(settings).await.unwrap();
    let id = slugline::domain::tally::DatasetId(7);
    let new = Dataset { id, lanes, zones: vec![(0, "UTC".into())], created_at: at(0) };
    let (lanes, _) = dataset::open(&conn, "sl:", new, None).await.unwrap();
    let tallies = Arc::new(RedisTallies::new(conn.clone(), lanes));
    Store { tallies, backend: Arc::new(Half { conn, links: Arc::clone(&links.backend) }), ..links }
}

async fn few_lanes() -> (Store, (Standalone, tempfile::TempDir)) {
    made(3).await
}

async fn many_lanes() -> (Store, (Standalone, tempfile::TempDir)) {
    made(64).await
}

async fn made(lanes: u16) -> (Store, (Standalone, tempfile::TempDir)) {
    let (server, folder) = (Standalone::start(&[]).await, tempfile::tempdir().unwrap());
    (store_with(&server.settings(), folder.path(), lanes).await, (server, folder))
}

macro_rules! conformance {
    ($($name:ident: $make:ident;)*) => {
        $(mod $name {
            use super::$make;
            slugline::store_conformance! { @all $make;
                applying {
                    adds_once, a_wrong_from_changes_nothing, a_gap_adds_to_lost, streams_do_not_mix,
                    lanes_do_not_mix, a_batch_of_nothing_moves_the_ordinal, many_appliers_count_once,
                    the_largest_batch_is_added, rows_are_bounded_by_bucket, minutes_go, sums_by_scope,
                    totals_in_order, zones_are_kept,
                }
                streams {
                    unknown_ones_are_zero, durable_ones_are_the_same, finishes_only_what_is_known,
                    tombstones_go_into_base, a_tombstone_keeps_its_ordinals,
                }
                model {
                    numbers_are_those_of_a_naive_model, pages_of_an_export_join,
                }
                moving {
                    numbers_come_back_as_they_were, importing_sets_and_never_adds,
                }
            }
        })*
    };
}

conformance! {
    conformance_with_3_lanes: few_lanes;
    conformance_with_64_lanes: many_lanes;
}
