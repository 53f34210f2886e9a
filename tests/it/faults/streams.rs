//! Streams of earlier boots: tombstones, what a rollback beyond the journal takes, what is too old; and clocks that
//! jump.

use slugline::clock;
use slugline::domain::calendar::Calendar;
use slugline::domain::tally::{Scope, Series, StreamId};
use slugline::hits::journal::Journal;
use slugline::hits::journal::settings::Io;

use super::node::{Home, UNCOUNTED};
use super::rig::{self, Rig};
use super::tap::Fault;
use super::{Seed, books, rounds};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Takes the segments of a stream away.
fn forget_segments(rig: &Rig, stream: StreamId) {
    let mut gone = 0;
    for file in std::fs::read_dir(rig.folder().join("journal")).unwrap().map(Result::unwrap) {
        if file.file_name().to_string_lossy().starts_with(&stream.to_string()) {
            std::fs::remove_file(file.path()).unwrap();
            gone += 1;
        }
    }
    assert!(gone > 0, "{stream} had no segments");
}

#[tokio::test]
async fn what_went_back_beyond_the_journal_is_lost_by_its_number() {
    let seed = Seed::new();
    for round in 0..rounds(6, 100) {
        let mut chance = seed.chance(round);
        let mut rig = Rig::new(if round % 2 == 0 { 1 } else { 4 }).await;
        let stream = rig.stream();
        rig.hits(&mut chance, 100);
        // Sometimes nothing of it is counted yet, sometimes a part.
        for _ in 0..chance.below(3) {
            rig.pass().await;
        }
        let snapshot = rig.snapshot(0);
        let kept = rig.books().await.counted;
        rig.hits(&mut chance, 60);
        let first = rig.accepted.clone();
        rig.boot();
        rig.hits(&mut chance, 50);
        rig.settle().await;
        rig.check("before").await;
        assert_eq!(rig.journal().finished().len(), 1);

        rig.restore(&snapshot).await;
        (rig.applier, rig.journal) = (None, None);
        forget_segments(&rig, stream);
        rig.boot();
        rig.settle().await;
        let gone: Vec<u64> = first.iter().zip(&kept).map(|(had, kept)| had - kept).collect();
        let left: Vec<u64> = rig.accepted.iter().zip(&gone).map(|(all, gone)| all - gone).collect();
        (rig.accepted, rig.refused) = (left, gone.iter().sum());
        rig.check("after").await;
        // It is lost once.
        rig.boot();
        rig.hits(&mut chance, 10);
        rig.settle().await;
        rig.check("later").await;
    }
}

#[tokio::test]
async fn what_went_back_within_the_journal_is_counted_again() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let mut rig = Rig::new(4).await;
    let snapshot = rig.snapshot(0);
    for _ in 0..3 {
        rig.hits(&mut chance, 90);
        rig.settle().await;
        rig.boot();
    }
    rig.settle().await;
    assert_eq!(rig.journal().finished().len(), 3);
    rig.restore(&snapshot).await;
    // The applier is as it was: it finds out when it looks again.
    rig.settle().await;
    rig.check("counted again").await;
}

#[tokio::test]
async fn an_unknown_stream_from_long_ago_is_held() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let mut rig = Rig::new(1).await;
    rig.boot_at(clock::now_ms() - 30 * DAY_MS);
    let old = rig.stream();
    rig.hits(&mut chance, 70);
    let expected = vec![0; rig.codes.len()];
    let held = std::mem::replace(&mut rig.accepted, expected);
    assert_eq!(held.iter().sum::<u64>(), 70);
    rig.boot();
    rig.hits(&mut chance, 30);
    rig.settle().await;
    rig.check("held").await;
    let known = rig.tap.inner().streams().await.unwrap();
    assert!(known.iter().all(|s| s.stream != old), "{known:?}");
    // It stays in the journal for the operator's word.
    let info = rig.journal().streams().into_iter().find(|s| s.stream == old).unwrap();
    assert_eq!(info.ends, [70, 70]);
    assert!(rig.journal().finished().iter().all(|f| f.stream != old));
}

#[tokio::test]
async fn a_known_stream_from_long_ago_goes_on() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let mut rig = Rig::new(4).await;
    rig.boot_at(clock::now_ms() - 30 * DAY_MS);
    rig.hits(&mut chance, 30);
    rig.settle().await;
    rig.hits(&mut chance, 30);
    rig.boot();
    rig.settle().await;
    rig.check("known").await;
}

#[test]
fn the_program_reports_a_stream_that_is_held() {
    let seed = Seed::new();
    let (home, node) = Home::begin(2, &[]);
    node.stop();
    let mut rig_settings = rig::settings();
    rig_settings.io = Io::Write;
    let dataset = books::beside(&home, async |store| store.tallies.dataset().await.unwrap());
    let owner =
        slugline::hits::journal::Owner { stream: StreamId(7), dataset: dataset.id, lanes: dataset.lanes };
    let long_ago = clock::now_ms() - 30 * DAY_MS;
    let journal = Journal::open(&home.journal(), &rig_settings, owner, long_ago).unwrap();
    let mut chance = seed.chance(0);
    for _ in 0..20 {
        journal.append(&rig::some_hit(&mut chance, &home.codes[0], dataset.lanes, long_ago));
    }
    drop(journal);
    let node = home.start();
    let books = books::settled(&home, &node);
    assert_eq!(books.counted, [0, 0]);
    assert!(node.log().contains("begun over 29 days ago"), "{}", node.log());
    assert_eq!(node.metric("slugline_journal_waiting"), 0);
    assert_eq!(node.reasons(), ["journal_stream_held"]);
}

#[tokio::test]
async fn a_clock_that_jumps_changes_no_total() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let mut rig = Rig::new(4).await;
    let now_ms = clock::now_ms();
    let jumps = [0, -HOUR_MS, -2 * HOUR_MS, HOUR_MS, -30 * DAY_MS, 0, 1, -1, -HOUR_MS];
    let calendar = Calendar::new(&[(0, "UTC".to_owned())]).unwrap();
    let mut hours = std::collections::BTreeMap::<i64, u64>::new();
    let mut missed = 0;
    for (n, jump) in (0..).zip(jumps) {
        if n == 4 {
            rig.boot_at(now_ms - 5 * HOUR_MS);
        }
        for _ in 0..50 {
            let at_ms = now_ms + jump;
            match rig.hit_at(&mut chance, at_ms) {
                true => *hours.entry(calendar.place(at_ms).hour).or_default() += 1,
                false => missed += 1,
            }
        }
        rig.pass().await;
    }
    rig.settle().await;
    let books = rig.check("jumped").await;
    assert_eq!(books.site.missed, missed);
    let rows = rig.tap.inner().rows(&Scope::Site, Series::Hour, i64::MIN, i64::MAX).await.unwrap();
    let counted: Vec<_> = rows.iter().map(|r| (r.bucket, r.counts.hits())).collect();
    assert_eq!(counted, hours.into_iter().collect::<Vec<_>>(), "hours as recorded");
}

#[tokio::test]
async fn a_clock_that_was_a_month_ahead_counts_nothing_twice() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let mut rig = Rig::new(4).await;
    rig.hits(&mut chance, 300);
    rig.settle().await;
    rig.boot();
    rig.hits(&mut chance, 200);
    rig.settle().await;
    rig.check("before").await;
    // Tombstones and what the node remembers go, as if they were old.
    rig.applier.as_mut().unwrap().tidy(clock::now_ms() + 31 * DAY_MS).await.unwrap();
    assert!(rig.journal().finished().is_empty());
    rig.settle().await;
    rig.check("ahead").await;
    rig.boot();
    rig.hits(&mut chance, 100);
    rig.settle().await;
    rig.check("the clock is right again").await;
}

#[test]
fn hits_of_an_earlier_boot_are_counted_after_a_kill_before_any_apply() {
    let seed = Seed::new();
    let (mut home, node) = Home::begin(5, &UNCOUNTED);
    let done = super::load::Load::run(node.public(), &home.codes, &mut seed.chance(0), 3_000);
    assert!(node.metric("slugline_journal_waiting") >= 3_000 - 5, "they were counted already");
    node.kill();
    home.set(&[]);
    let node = home.start();
    books::settled(&home, &node).check(&[0; 5], &done.known);
}

#[tokio::test]
async fn hits_of_an_earlier_boot_wait_before_the_first_look() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let mut rig = Rig::new(4).await;
    rig.hits(&mut chance, 50);
    rig.boot();
    let waiting = |rig: &Rig| rig.front().standing(clock::now()).waiting;
    assert_eq!(waiting(&rig), 50, "at once");
    // Also while the store cannot be asked.
    let away: Vec<_> = (1..50).map(|call| (call, Fault::Request)).collect();
    rig.tap.fail(&away);
    assert!(!rig.pass().await);
    assert_eq!(waiting(&rig), 50, "while the store is away");
    rig.tap.fail(&[]);
    rig.settle().await;
    assert_eq!(waiting(&rig), 0);
}
