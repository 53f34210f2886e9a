//! Damaged, cut, zeroed and alien files: what can be read is read, what is gone is counted, nothing is made up.

use proptest::prelude::*;

use super::*;

/// A stream of several segments, some of them recycled, ended by a kill or closed. Gives the bytes by file.
fn stream_on_disk(seed: u64, lanes: u16) -> (SimDisk, Model, Vec<(String, Vec<u8>)>) {
    let mut chance = Chance::new(seed);
    let disk = SimDisk::new(seed);
    let before = open(&disk, &settings(8192), 1, lanes);
    let mut old = Model::default();
    for i in 0..120 {
        old.append(&before, Made::by(&mut chance, lanes, i));
    }
    drop(before);
    disk.kill();
    let journal = open(&disk, &settings(8192), 2, lanes);
    journal.release(&|s| (s.0 == 1).then(|| vec![u64::MAX; 65]), i64::MAX).unwrap();
    let mut model = Model::default();
    for i in 0..50 + i64::try_from(chance.below(100)).unwrap() {
        model.append(&journal, Made::by(&mut chance, lanes, i * 97));
        journal.prepare_now().unwrap();
    }
    if seed.is_multiple_of(2) {
        journal.close(100_000).unwrap();
    }
    drop(journal);
    disk.kill();
    let names = disk.list(false).unwrap().into_iter().map(|f| f.name);
    let files = names.filter(|n| n.starts_with("0000000000000002-")).map(|n| {
        let bytes = disk.bytes_of(&n).unwrap();
        (n, bytes)
    });
    let files = files.collect();
    (disk, model, files)
}

#[derive(Clone, Debug)]
enum Hurt {
    Bit(usize),
    Sector(usize),
    Zeros(usize, usize),
    Noise(usize, usize),
    Cut(usize),
}

fn hurt(bytes: &mut Vec<u8>, hurt: &Hurt) {
    let len = bytes.len();
    let fill = |bytes: &mut Vec<u8>, from: usize, n: usize, noise: bool| {
        let mut chance = Chance::new(from as u64);
        for byte in bytes.iter_mut().skip(from % len).take(n) {
            *byte = if noise { chance.any().to_le_bytes()[0] } else { 0 };
        }
    };
    match *hurt {
        Hurt::Bit(at) => bytes[at / 8 % len] ^= 1 << (at % 8),
        Hurt::Sector(at) => fill(bytes, at % len / 512 * 512, 512, true),
        Hurt::Zeros(at, n) => fill(bytes, at, n, false),
        Hurt::Noise(at, n) => fill(bytes, at, n, true),
        Hurt::Cut(at) => bytes.truncate(at % len),
    }
}

fn any_hurt() -> impl Strategy<Value = Hurt> {
    let at = 0usize..65_536;
    prop_oneof![
        at.clone().prop_map(Hurt::Bit),
        at.clone().prop_map(Hurt::Sector),
        (at.clone(), 1usize..5000).prop_map(|(at, n)| Hurt::Zeros(at, n)),
        (at.clone(), 1usize..5000).prop_map(|(at, n)| Hurt::Noise(at, n)),
        at.prop_map(Hurt::Cut),
        Just(Hurt::Zeros(0, 4096)),
        Just(Hurt::Zeros(0, 8192)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_damage_is_a_gap_of_known_size(seed in 0u64..50, one: bool, which: prop::sample::Index, how in any_hurt()) {
        let lanes = if one { 1 } else { 64 };
        let (disk, model, files) = stream_on_disk(seed, lanes);
        let which = which.index(files.len());
        let (name, mut bytes) = files[which].clone();
        hurt(&mut bytes, &how);
        let changed = bytes != files[which].1;
        disk.place(&name, &bytes);
        let journal = open(&disk, &settings(8192), 3, lanes);
        let given = read_all_of(&journal, 2, &model, lanes, &format!("{how:?} of {name}"));
        let there = model.hits.len() as u64;
        // Behind the last one lies the next, made ready and not begun.
        let last = which + 2 >= files.len();
        // The end is known from later segments, or nearly so in the last one.
        prop_assert!(given.hits + given.gone <= there);
        prop_assert!(last || given.hits + given.gone == there, "{given:?} of {there}");
        // One file holds at most so many of these records; a flipped bit takes one at most.
        let most = if matches!(how, Hurt::Bit(_)) { 1 } else { 80 };
        prop_assert!(there - given.hits <= most, "{given:?} of {there}");
        if !changed {
            prop_assert_eq!(given.hits, there);
        }
        let told = journal.take_damage();
        if given.gone > 0 && !matches!(how, Hurt::Cut(_)) {
            prop_assert!(!told.is_empty(), "{given:?} and nothing told");
        }
        for damage in &told {
            prop_assert_eq!(&damage.file, &name);
            let kept = disk.bytes_of(&format!("corrupt/{name}"));
            prop_assert!(kept.is_some(), "not kept");
        }
        // Told once, and read the same again.
        prop_assert_eq!(read_all_of(&journal, 2, &model, lanes, "again"), given);
        prop_assert!(journal.take_damage().is_empty());
    }

    #[test]
    fn damage_in_what_is_being_written_is_a_gap_too(seed in 0u64..50, at in 4096usize..8192) {
        let disk = SimDisk::new(seed);
        let journal = open(&disk, &settings(8192), 1, 3);
        let mut chance = Chance::new(seed);
        let mut model = Model::default();
        for i in 0..60 {
            model.append(&journal, Made::by(&mut chance, 3, i));
        }
        // Under the journal's open file, as a disk does it.
        let name = "0000000000000001-0000000001.seg";
        let mut byte = [0];
        let at = at as u64;
        disk.open(name).unwrap().read_at(at, &mut byte).unwrap();
        disk.reopen(name).unwrap().out.write_at(at, &[!byte[0]]).unwrap();
        let given = read_all_of(&journal, 1, &model, 3, "live");
        prop_assert_eq!(given.hits + given.gone, 60);
        prop_assert!(given.gone <= 1);
    }
}

#[test]
fn damaged_files_are_kept_for_a_week_and_never_recycled() {
    let (disk, model, files) = stream_on_disk(4, 3);
    let (name, mut bytes) = files[1].clone();
    hurt(&mut bytes, &Hurt::Sector(5000));
    disk.place(&name, &bytes);
    let journal = open(&disk, &settings(8192), 3, 3);
    assert!(read_all_of(&journal, 2, &model, 3, "damaged").gone > 0);
    assert_eq!(journal.prune_corrupt(1000).unwrap(), 0);
    journal.release(&|s| (s.0 == 2).then(|| vec![u64::MAX; 4]), i64::MAX).unwrap();
    assert!(disk.bytes_of(&name).is_none());
    for i in 0..200 {
        journal.append(&Made::by(&mut Chance::new(i), 3, 0).new_hit());
        journal.prepare_now().unwrap();
    }
    let kept = format!("corrupt/{name}.1000");
    assert_eq!(disk.bytes_of(&kept), Some(bytes), "as it was found");
    assert_eq!(journal.prune_corrupt(1000 + KEEP_MS).unwrap(), 0);
    assert_eq!(journal.prune_corrupt(1001 + KEEP_MS).unwrap(), 1);
    assert!(disk.bytes_of(&kept).is_none());
}

#[test]
fn a_missing_file_is_a_gap() {
    let (disk, model, files) = stream_on_disk(4, 3);
    disk.remove(&files[1].0).unwrap();
    let journal = open(&disk, &settings(8192), 3, 3);
    let given = read_all_of(&journal, 2, &model, 3, "missing");
    assert_eq!(given.hits + given.gone, model.hits.len() as u64);
    assert!(given.gone > 0);
}

#[test]
fn what_is_not_ours_is_told_and_left_alone() {
    let disk = SimDisk::new(1);
    let other = Owner { stream: StreamId(8), dataset: DatasetId(99), lanes: 3 };
    let journal = Journal::open_still(Arc::new(disk.clone()), &settings(8192), other, 5).unwrap();
    journal.append(&Made::by(&mut Chance::new(1), 3, 0).new_hit());
    drop(journal);
    drop(open(&disk, &settings(8192), 9, 5));
    disk.kill();
    let foreign = "0000000000000008-0000000001.seg".to_owned();
    let lanes = "0000000000000009-0000000001.seg".to_owned();
    let copy = "0000000000000010-0000000001.seg".to_owned();
    let noise: Vec<u8> = (0..20_000u64).map(|i| Chance::new(i).any().to_le_bytes()[0]).collect();
    disk.place("0000000000000007-0000000001.seg", &noise);
    disk.place("notes.txt", b"hello");
    disk.place("spare-me.seg", &[]);
    // As if somebody had copied a segment of ours under another name.
    let ours = open(&disk, &settings(8192), 11, 3);
    ours.append(&Made::by(&mut Chance::new(1), 3, 0).new_hit());
    drop(ours);
    disk.kill();
    disk.place(&copy, &disk.bytes_of("000000000000000b-0000000001.seg").unwrap());
    let journal = open(&disk, &settings(8192), 12, 3);
    let mut odd = journal.odd().to_vec();
    odd.sort_by_key(|odd| format!("{odd:?}"));
    let expected = [
        Odd::Foreign { file: foreign.clone(), dataset: DatasetId(99) },
        Odd::Misnamed { file: copy.clone() },
        Odd::NotASegment { file: "notes.txt".into() },
        Odd::NotASegment { file: "spare-me.seg".into() },
        Odd::OtherLanes { file: lanes.clone(), lanes: 5 },
        Odd::Unreadable { file: "0000000000000007-0000000001.seg".into() },
    ];
    assert_eq!(odd, expected);
    journal.release(&|_| Some(vec![u64::MAX; 9]), i64::MAX).unwrap();
    for name in [&foreign, &lanes, &copy] {
        assert!(disk.bytes_of(name).is_some(), "{name}");
    }
    assert!(journal.read(StreamId(8), &[]).is_none());
    let info = journal.streams().into_iter().find(|s| s.stream == StreamId(8)).unwrap();
    assert_eq!((info.dataset, info.began_ms, info.bytes), (DatasetId(99), 5, 8192));
    // A stream's name is never used twice while it is here, whoever had it.
    for taken in [8, 12] {
        let again = Journal::open_still(Arc::new(disk.clone()), &settings(8192), owner(taken, 3), 0);
        assert!(matches!(again, Err(Error::Refused(_))), "{taken}");
    }
}
