//! What is appended comes back: clean, rotated, recycled, read while it is written.

use proptest::prelude::*;

use super::*;

fn run(seed: u64, lanes: u16, hits: u64) {
    let mut chance = Chance::new(seed);
    let disk = SimDisk::new(seed);
    let journal = open(&disk, &settings(8192), 1, lanes);
    let mut model = Model::default();
    let zeros = vec![0; usize::from(lanes) + 1];
    let mut at = zeros.clone();
    let mut live = journal.read(StreamId(1), &zeros).unwrap();
    let what = format!("seed {seed}");
    for i in 0..hits {
        let now_ms = 100_000 + i64::try_from(i).unwrap() * 97;
        model.append(&journal, Made::by(&mut chance, lanes, now_ms));
        if chance.once_in(5) {
            journal.prepare_now().unwrap();
        }
        if chance.once_in(10) {
            let given = drain(&mut live, &mut at, &model, &what);
            assert_eq!(given.gone, 0, "{what}");
            assert_eq!(at[usize::from(lanes)], i + 1, "{what}: all that was appended is read at once");
        }
    }
    assert_eq!(read_all_of(&journal, 1, &model, lanes, &what).hits, hits);
    // From any place, and from a place that differs from lane to lane.
    let mut done = journal.ordinals();
    for ordinal in &mut done {
        *ordinal = chance.below(*ordinal + 1);
    }
    let mut reader = journal.read(StreamId(1), &done).unwrap();
    assert_eq!(drain(&mut reader, &mut done, &model, &what).ends, journal.ordinals(), "{what}");
    drop((reader, live));
    // The same after a kill, and after a clean end.
    if seed.is_multiple_of(2) {
        journal.close(i64::try_from(hits).unwrap() * 100 + 200_000).unwrap();
    }
    let ends = journal.ordinals();
    drop(journal);
    disk.kill();
    let next = open(&disk, &settings(8192), 2, lanes);
    let given = read_all_of(&next, 1, &model, lanes, &what);
    assert_eq!((given.hits, given.gone, &given.ends), (hits, 0, &ends), "{what}");
    let info = next.streams().into_iter().find(|s| s.stream == StreamId(1)).unwrap();
    assert_eq!((info.ends, info.current, info.began_ms), (ends, false, 100_000), "{what}");
    assert_eq!(next.take_damage(), [], "{what}");
    assert_eq!(next.odd(), [], "{what}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn everything_comes_back(seed: u64, one: bool, hits in 0u64..400) {
        run(seed, if one { 1 } else { 64 }, hits);
    }
}

#[test]
fn recycled_files_show_nothing_old() {
    let disk = SimDisk::new(1);
    let mut models = Models::new();
    let mut chance = Chance::new(1);
    for stream in 1..=12 {
        let journal = open(&disk, &settings(8192), stream, 3);
        let before = models.iter().next_back().map(|(s, m): (&u64, &Model)| (*s, m.clone()));
        if let Some((earlier, model)) = before {
            let given = read_all_of(&journal, earlier, &model, 3, "before it goes");
            assert_eq!((given.hits, given.gone), (model.hits.len() as u64, 0));
        }
        // All that is not ours to append to goes, and comes back as spares.
        journal.release(&|s| (s.0 != stream).then(|| vec![u64::MAX; 4]), i64::MAX).unwrap();
        assert_eq!(journal.streams().len(), 1);
        let mut model = Model::default();
        for i in 0..chance.below(150) {
            model.append(&journal, Made::by(&mut chance, 3, 1000 + i64::try_from(i).unwrap()));
            journal.prepare_now().unwrap();
        }
        let given = read_all_of(&journal, stream, &model, 3, "live");
        assert_eq!((given.hits, given.gone), (model.hits.len() as u64, 0));
        assert_eq!(journal.take_damage(), []);
        models.insert(stream, model);
        drop(journal);
        disk.kill();
    }
}

#[test]
fn real_files_do_the_same() {
    for io in [settings::Io::Mmap, settings::Io::Write] {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { io, ..settings(64 << 10) };
        let mut chance = Chance::new(7);
        let mut model = Model::default();
        let journal = Journal::open(folder.path(), &settings, owner(1, 64), 100_000).unwrap();
        for i in 0..20_000 {
            model.append(&journal, Made::by(&mut chance, 64, i));
        }
        let given = read_all_of(&journal, 1, &model, 64, "real");
        assert_eq!((given.hits, given.gone), (20_000, 0));
        assert!(journal.running());
        journal.close(0).unwrap();
        drop(journal);
        let journal = Journal::open(folder.path(), &settings, owner(2, 64), 200_000).unwrap();
        let given = read_all_of(&journal, 1, &model, 64, "real");
        assert_eq!((given.hits, given.gone), (20_000, 0));
        journal.release(&|_| Some(vec![u64::MAX; 65]), i64::MAX).unwrap();
        assert_eq!(journal.streams().len(), 1);
    }
}
