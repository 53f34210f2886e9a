//! The store is away: known links redirect, their hits wait, and are counted when it is back.

use std::time::Duration;

use rusqlite::Connection;

use super::Seed;
use super::books::settled;
use super::load::{Load, Plan};
use super::node::Home;
use crate::harness::wait::eventually_blocking;

const LINKS: usize = 6;
/// No answer may take longer while the store is away; a machine that is busy may take its time.
const SLOW: Duration = Duration::from_secs(2);

/// Holds both files so that nobody else can write.
struct Held(Vec<Connection>);

impl Held {
    fn new(home: &Home) -> Held {
        let files = ["tallies.db", "links.db"].map(|name| {
            let file = Connection::open(home.data().join(name)).unwrap();
            file.busy_timeout(Duration::from_secs(20)).unwrap();
            file.execute_batch("BEGIN EXCLUSIVE").unwrap();
            file
        });
        Held(files.into())
    }

    fn release(self) {
        for file in self.0 {
            file.execute_batch("ROLLBACK").unwrap();
        }
    }
}

#[test]
fn hits_wait_for_a_store_that_is_away() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let (home, node) = Home::begin(LINKS, &["store.lanes=4"]);
    let first = Load::run(node.public(), &home.codes, &mut chance, 500);
    let before = settled(&home, &node);
    let held = Held::new(&home);
    let load = Load::begin(node.public(), &home.codes, &mut chance, Plan::default());
    eventually_blocking("applies fail", || {
        (node.metric("slugline_applies_total{outcome=\"failed\"}") > 0).then_some(())
    });
    assert!(node.metric("slugline_journal_waiting") > 0);
    let so_far = load.answers();
    eventually_blocking("a hundred more", || (load.answers() > so_far + 100).then_some(()));
    held.release();
    let done = load.stop();
    assert_eq!(done.unknown(), 0);
    assert!(done.slowest < SLOW, "a redirect waited for {:?}", done.slowest);
    let books = settled(&home, &node);
    books.check(&before.counted, &done.known);
    assert_eq!(books.lost(), 0);
    println!("{} + {} answered, slowest {:?}", first.answered(), done.answered(), done.slowest);
}

#[test]
fn a_kill_while_the_store_is_away_loses_nothing() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let (home, node) = Home::begin(LINKS, &["store.lanes=4"]);
    Load::run(node.public(), &home.codes, &mut chance, 100);
    let before = settled(&home, &node);
    let held = Held::new(&home);
    let plan = Plan { tell_at: 4_000, leave: true, ..Plan::default() };
    let load = Load::begin(node.public(), &home.codes, &mut chance, plan);
    load.told();
    node.kill();
    let done = load.end();
    held.release();
    let node = home.start();
    let books = settled(&home, &node);
    books.check(&before.counted, &done.known);
    assert_eq!(books.lost(), 0);
}
