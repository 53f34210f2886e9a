//! Full disks, failing syncs, limits, waiting for a sync, finished streams.

use super::*;

fn hit(i: u64) -> Made {
    Made::by(&mut Chance::new(i), 3, 1_000_000 + i64::try_from(i).unwrap())
}

fn append(journal: &Journal, model: &mut Model, n: u64) {
    for _ in 0..n {
        let i = model.hits.len() as u64;
        model.append(journal, hit(i));
    }
}

#[test]
fn a_full_disk_loses_exactly_what_it_says_and_goes_on() {
    for killed in [false, true] {
        let disk = SimDisk::new(1);
        let journal = open(&disk, &settings(8192), 1, 3);
        let mut model = Model::default();
        let mut at = vec![0; 4];
        let mut live = journal.read(StreamId(1), &at).unwrap();
        for round in 0..3 {
            disk.set_free_bytes(0);
            let before = model.hits.len();
            append(&journal, &mut model, 200);
            let lost = model.lost();
            assert!(lost > 100 * (round + 1));
            let now = &model.hits[before..];
            let since_ms = now.iter().find(|(_, r)| r.lost).unwrap().0.at_ms;
            let lost_now = now.iter().filter(|(_, r)| r.lost).count() as u64;
            assert_eq!(journal.alarms(), [Alarm::NoRoom { since_ms, lost: lost_now }]);
            // Told to a reader at once, not only when there is room again.
            drain(&mut live, &mut at, &model, "full");
            assert_eq!(at, journal.ordinals());
            if killed && round == 2 {
                break;
            }
            assert!(!journal.prepare_now().unwrap_or(false));
            disk.set_free_bytes(8192);
            assert!(journal.prepare_now().unwrap());
            append(&journal, &mut model, 1);
            assert_eq!(model.lost(), lost, "there is room again");
            assert_eq!(journal.alarms(), []);
        }
        let numbers = journal.numbers();
        assert_eq!((numbers.lost, numbers.appended), (model.lost(), model.hits.len() as u64 - model.lost()));
        drop(live);
        drop(journal);
        disk.kill();
        disk.set_free_bytes(1 << 20);
        let journal = open(&disk, &settings(8192), 2, 3);
        let given = read_all_of(&journal, 1, &model, 3, "after");
        assert_eq!((given.gone, given.hits + given.gone), (model.lost(), model.hits.len() as u64));
        assert_eq!(journal.take_damage(), [], "no room is no damage");
    }
}

#[test]
fn a_disk_that_refuses_records_loses_what_it_says() {
    let disk = SimDisk::new(1);
    let journal = open(&disk, &settings(8192), 1, 3);
    let mut model = Model::default();
    append(&journal, &mut model, 5);
    disk.fail_stores(50);
    append(&journal, &mut model, 5);
    disk.fail_stores(0);
    append(&journal, &mut model, 5);
    assert!(model.lost() > 0);
    journal.prepare_now().unwrap();
    append(&journal, &mut model, 5);
    assert!(!model.hits.last().unwrap().1.lost);
    let given = read_all_of(&journal, 1, &model, 3, "refused");
    assert_eq!((given.gone, given.hits + given.gone), (model.lost(), 20));
}

#[test]
fn hits_that_are_not_counted_are_kept_up_to_max_bytes() {
    let disk = SimDisk::new(1);
    let settings = Settings { max_bytes: Size(4 * 8192), ..settings(8192) };
    let journal = open(&disk, &settings, 1, 3);
    let mut model = Model::default();
    for _ in 0..500 {
        append(&journal, &mut model, 1);
        journal.prepare_now().unwrap();
    }
    assert!(model.lost() > 100);
    assert_eq!(journal.numbers().unapplied_bytes, 4 * 8192);
    let lost = model.lost();
    journal.applied(StreamId(1), &journal.ordinals());
    journal.prepare_now().unwrap();
    append(&journal, &mut model, 20);
    assert_eq!(model.lost(), lost);
    assert_eq!(journal.numbers().unapplied_bytes, 8192);
    let given = read_all_of(&journal, 1, &model, 3, "max_bytes");
    assert_eq!(given.gone, lost);
}

#[test]
fn a_failed_sync_is_told_until_the_store_has_the_hits() {
    let disk = SimDisk::new(1);
    let journal = open(&disk, &settings(1 << 16), 1, 3);
    let mut model = Model::default();
    append(&journal, &mut model, 7);
    journal.sync_now().unwrap();
    assert_eq!(journal.numbers().unsynced, 0);
    append(&journal, &mut model, 3);
    assert_eq!(journal.numbers().unsynced, 3);
    disk.fail_syncs(2);
    assert!(journal.sync_now().is_err());
    append(&journal, &mut model, 2);
    assert!(journal.sync_now().is_err());
    assert!(matches!(&journal.alarms()[..], [Alarm::SyncFailing { uncovered: 5, .. }]));
    append(&journal, &mut model, 4);
    assert_eq!(model.lost(), 0, "a failed sync stops nothing");
    journal.sync_now().unwrap();
    assert!(matches!(&journal.alarms()[..], [Alarm::SyncFailing { uncovered: 5, .. }]));
    assert_eq!(journal.numbers().unsynced, 5);
    journal.applied(StreamId(1), &journal.ordinals());
    assert_eq!(journal.alarms(), []);
    assert_eq!(journal.streams()[0].bytes, 2 << 16, "it turned to a new segment");
    let syncs = journal.numbers().syncs;
    assert_eq!(syncs.count, 2);
    journal.sync_now().unwrap();
    assert_eq!(journal.numbers().syncs.count, 2, "nothing to do");
}

#[tokio::test]
async fn always_waits_for_a_sync_that_covers_the_hit() {
    let disk = SimDisk::new(1);
    let settings = Settings { sync: settings::Sync::Always, ..settings(1 << 16) };
    let journal = Journal::open_on(Arc::new(disk.clone()), &settings, owner(1, 3), 0).unwrap();
    let before = disk.syncs();
    for i in 0..20 {
        let receipt = journal.append(&hit(i).new_hit());
        assert!(journal.synced(receipt).await);
        assert_eq!(journal.numbers().unsynced, 0);
    }
    assert!(disk.syncs() >= before + 20);
    disk.fail_syncs(1);
    let receipt = journal.append(&hit(20).new_hit());
    assert!(!journal.synced(receipt).await, "not covered, and said so");
    let receipt = journal.append(&hit(21).new_hit());
    assert!(journal.synced(receipt).await);
    assert!(!journal.synced(Receipt { lost: true, ..receipt }).await);
    journal.close(5).unwrap();
    assert!(!journal.running());
    let late = journal.append(&hit(22).new_hit());
    assert!(!journal.synced(late).await, "closed");
    drop(journal);
    disk.power_cut(3);
    let journal = open(&disk, &settings, 2, 3);
    assert!((1..=20).all(|o| found(&journal, 1, &[]).contains(&o)));
}

#[tokio::test]
async fn without_syncs_nobody_waits() {
    let disk = SimDisk::new(1);
    let settings = Settings { sync: settings::Sync::Never, ..settings(1 << 16) };
    let journal = Journal::open_on(Arc::new(disk.clone()), &settings, owner(1, 3), 0).unwrap();
    let receipt = journal.append(&hit(0).new_hit());
    assert!(!journal.synced(receipt).await);
    assert!(journal.running());
}

#[test]
fn finished_streams_are_remembered_atomically() {
    let disk = SimDisk::new(1);
    let stream = |n: u64, finished_ms| FinishedStream {
        stream: StreamId(n),
        dataset: owner(1, 3).dataset,
        began_ms: 1,
        ordinals: vec![n, 2, u64::MAX],
        finished_ms,
    };
    let journal = open(&disk, &settings(8192), 1, 3);
    for n in 10..14 {
        journal.remember_finished(stream(n, i64::try_from(n).unwrap())).unwrap();
    }
    journal.remember_finished(stream(11, 99)).unwrap();
    assert_eq!(journal.forget_finished(13).unwrap(), 2);
    let expected = vec![stream(13, 13), stream(11, 99)];
    assert_eq!(journal.finished(), expected);
    disk.set_free_bytes(0);
    assert!(journal.remember_finished(stream(14, 1)).is_err());
    assert_eq!(journal.finished(), expected, "not on the disk, not remembered");
    drop(journal);
    disk.power_cut(1);
    disk.set_free_bytes(1 << 20);
    let journal = open(&disk, &settings(8192), 2, 3);
    assert_eq!(journal.finished(), expected);
    assert!(Journal::open_still(Arc::new(disk.clone()), &settings(8192), owner(13, 3), 0).is_err());
    drop(journal);
    let other = Owner { dataset: DatasetId(0xd), ..owner(20, 3) };
    let journal = Journal::open_still(Arc::new(disk.clone()), &settings(8192), other, 0).unwrap();
    assert_eq!(journal.finished(), [], "another dataset's are nothing to it");
    let theirs = FinishedStream { dataset: other.dataset, ..stream(15, 20) };
    journal.remember_finished(theirs.clone()).unwrap();
    assert_eq!(journal.finished(), [theirs]);
    drop(journal);
    let journal = open(&disk, &settings(8192), 4, 3);
    assert_eq!(journal.finished(), expected, "and they keep what is theirs");
    drop(journal);
    disk.place("streams.json", b"{\"streams\":[{\"str");
    let journal = open(&disk, &settings(8192), 3, 3);
    assert_eq!(journal.finished(), []);
    // Beside the other dataset's segment.
    assert!(journal.odd().contains(&Odd::NotASegment { file: "streams.json.unreadable".into() }));
}

#[test]
fn a_hit_of_a_lane_that_cannot_be_is_counted_all_the_same() {
    let disk = SimDisk::new(1);
    let journal = open(&disk, &settings(8192), 1, 3);
    let made = Made { lane: 77, ..hit(1) };
    let receipt = journal.append(&made.new_hit());
    assert_eq!((receipt.lane_ordinal, receipt.site_ordinal), (1, 1));
    assert_eq!(journal.ordinals(), [0, 0, 1, 1]);
    assert_eq!(found(&journal, 1, &[]), [1]);
}

#[test]
fn many_threads_append_and_one_reads() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), &settings(1 << 18), owner(1, 3), 0).unwrap();
    let (threads, each) = (4u64, 5000u64);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for i in 0..each {
                    journal.append(&hit(i).new_hit());
                }
            });
        }
        let mut reader = journal.read(StreamId(1), &[]).unwrap();
        let mut at = [0u64; 4];
        while at[3] < threads * each {
            match reader.next() {
                Some(Entry::Hit(hit)) => {
                    assert_eq!(hit.site_ordinal, at[3] + 1);
                    assert_eq!(hit.lane_ordinal, at[usize::from(hit.lane)] + 1);
                    at[3] += 1;
                    at[usize::from(hit.lane)] += 1;
                }
                Some(Entry::Gap(gap)) => panic!("{gap:?}"),
                None => std::thread::yield_now(),
            }
        }
    });
    assert_eq!(journal.take_damage(), []);
    journal.close(0).unwrap();
}
