//! What is left in the source's journal: counted first, or told.

use slugline::clock;
use slugline::domain::tally::StreamId;
use slugline::hits::journal::settings::Io;
use slugline::hits::journal::sim::Chance;
use slugline::hits::journal::{Journal, Owner};

use super::{migrate, newsroom, refused, runtime, verified};
use crate::faults::load::Load;
use crate::faults::node::{Home, UNCOUNTED};
use crate::faults::{books, rig};
use crate::redis::servers::Standalone;

const DAY_MS: i64 = 86_400_000;

/// Hits of a boot long ago that the store knows nothing of.
fn from_long_ago(home: &Home) -> StreamId {
    let mut settings = rig::settings();
    settings.io = Io::Write;
    let dataset = books::beside(home, async |store| store.tallies.dataset().await.unwrap());
    let owner = Owner { stream: StreamId(7), dataset: dataset.id, lanes: dataset.lanes };
    let long_ago = clock::now_ms() - 30 * DAY_MS;
    let journal = Journal::open(&home.journal(), &settings, owner, long_ago).unwrap();
    for _ in 0..20 {
        journal.append(&rig::some_hit(&mut Chance::new(3), &home.codes[0], dataset.lanes, long_ago));
    }
    StreamId(7)
}

#[test]
fn it_is_counted_first() {
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    for file in ["", &server.config()] {
        let options = [&newsroom::OPTIONS[..], &UNCOUNTED].concat();
        let (home, node) = Home::begin_with(tempfile::tempdir().unwrap(), file, 3, &options);
        let done = Load::run(node.public(), &home.codes, &mut Chance::new(9), 200);
        node.kill();
        let mut target = home.onward("");
        target.set(&newsroom::OPTIONS);
        migrate(&home, &target).done();
        verified(&target);
        let node = target.start();
        let books = books::settled(&target, &node);
        books.check(&[0; 3], &done.known);
        assert_eq!(books.lost(), 0);
        node.stop();
    }
}

#[test]
fn what_waits_for_the_operators_word_is_told() {
    let (home, node) = Home::begin_with(tempfile::tempdir().unwrap(), "", 2, &newsroom::OPTIONS);
    node.stop();
    let stream = from_long_ago(&home);
    let target = home.onward("");
    refused(&migrate(&home, &target), "20 hits in ");
    assert!(!target.data().join("migrate.json").exists());
    for segment in home.segments() {
        if segment.file_name().unwrap().to_string_lossy().starts_with(&stream.to_string()) {
            std::fs::rename(&segment, home.data().join(segment.file_name().unwrap())).unwrap();
        }
    }
    migrate(&home, &target).done();
    verified(&target);
}
