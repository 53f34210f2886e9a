//! Files that must be refused, and half-made stores that must not.

use super::*;
use crate::store::conformance::applying::{batch, clicked, link};

fn refused(dir: &Path) -> String {
    match open(dir, &settings(1), at(0), "UTC") {
        Err(Error::Refused(text)) => text,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("opened"),
    }
}

fn closed_store(dir: &Path) {
    let opened = open_in(dir, 1);
    block_on(async {
        created(&opened.store, ask(1, "a", &["aa"])).await;
        let applied = opened.store.tallies.apply(&batch(1, 0, 0, 1, vec![clicked(link("aa"), 1)])).await;
        applied.unwrap();
        opened.store.close().await.unwrap();
    });
}

#[test]
fn a_newer_schema_is_refused_and_untouched() {
    for (name, newest) in [("links.db", "up to 7"), ("tallies.db", "up to 2")] {
        let dir = tempfile::tempdir().unwrap();
        closed_store(dir.path());
        let file = Connection::open(dir.path().join(name)).unwrap();
        file.pragma_update(None, "user_version", 99).unwrap();
        drop(file);
        let before = std::fs::read(dir.path().join(name)).unwrap();
        let text = refused(dir.path());
        assert!(text.contains(name) && text.contains("99") && text.contains(newest), "{text}");
        assert_eq!(std::fs::read(dir.path().join(name)).unwrap(), before);
    }
}

#[test]
fn files_of_two_stores_are_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    closed_store(one.path());
    closed_store(two.path());
    std::fs::copy(one.path().join("tallies.db"), two.path().join("tallies.db")).unwrap();
    let text = refused(two.path());
    assert!(text.contains("files of two stores were mixed"), "{text}");
    // One of the two under the name of the other, or no file of ours at all.
    std::fs::copy(one.path().join("links.db"), two.path().join("tallies.db")).unwrap();
    assert!(refused(two.path()).contains("tallies.db is not the file"));
    std::fs::remove_file(two.path().join("tallies.db")).unwrap();
    let other = Connection::open(two.path().join("tallies.db")).unwrap();
    other.execute_batch("CREATE TABLE notes (text)").unwrap();
    assert!(refused(two.path()).contains("tallies.db is not the file"));
    std::fs::write(
        one.path().join("links.db"),
        "not a database, but long enough to look like one ".repeat(50),
    )
    .unwrap();
    assert!(matches!(open(one.path(), &settings(1), at(0), "UTC"), Err(Error::Corrupt(_))));
}

#[test]
fn half_a_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let (links, tallies) = (dir.path().join("links.db"), dir.path().join("tallies.db"));
    let kept = std::fs::read(&tallies).unwrap();
    std::fs::remove_file(&tallies).unwrap();
    let text = refused(dir.path());
    assert!(text.contains("tallies.db is missing") && text.contains("store rebuild"), "{text}");
    assert!(!tallies.exists(), "nothing was made");
    std::fs::write(&tallies, kept).unwrap();
    std::fs::remove_file(&links).unwrap();
    for _ in 0..2 {
        let text = refused(dir.path());
        assert!(text.contains("links.db is missing or empty"), "{text}");
    }
}

#[test]
fn a_first_start_that_was_cut_short_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    // Killed after the first of the two files was made ready.
    let tallies = TALLIES.open_writer(dir.path(), 0).unwrap();
    let dataset = Dataset { id: DatasetId(7), lanes: 1, zones: vec![(0, "UTC".into())], created_at: at(0) };
    super::super::tallies::found(&tallies, &dataset).unwrap();
    drop(tallies);
    let opened = open_in(dir.path(), 1);
    assert_eq!(block_on(opened.store.tallies.dataset()).unwrap(), dataset);
    // Killed after both were made, empty.
    let dir = tempfile::tempdir().unwrap();
    drop(TALLIES.open_writer(dir.path(), 0).unwrap());
    drop(LINKS.open_writer(dir.path(), 0).unwrap());
    open_in(dir.path(), 1);
}

#[test]
fn a_store_that_is_up_to_date_opens_beside_a_server_that_writes() {
    let dir = tempfile::tempdir().unwrap();
    closed_store(dir.path());
    let write = |name: &str| {
        let busy = Connection::open(dir.path().join(name)).unwrap();
        busy.execute_batch("BEGIN IMMEDIATE").unwrap();
        busy
    };
    let busy = ["links.db", "tallies.db"].map(write);
    // They go on until it is open, so whoever waited for them would fail.
    let opened = open_in(dir.path(), 1);
    assert_eq!(block_on(opened.store.links.find("aa")).unwrap().len(), 1);
    drop(busy);
    block_on(opened.store.close()).unwrap();
}

#[test]
fn many_starts_at_once_make_one_store() {
    let dir = tempfile::tempdir().unwrap();
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let path = dir.path().to_owned();
            std::thread::spawn(move || block_on(open_in(&path, 1).store.tallies.dataset()).unwrap().id)
        })
        .collect();
    let ids: std::collections::HashSet<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
    assert_eq!(ids.len(), 1);
}
