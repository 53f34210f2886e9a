//! Journals that are not right: another dataset's, and one with damage in the middle.

use std::path::{Path, PathBuf};

use slugline::hits::journal::sim::Chance;

use super::books::settled;
use super::load::Load;
use super::node::{Home, UNCOUNTED};
use super::{Seed, rounds};

const LINKS: usize = 6;

#[test]
fn segments_of_another_dataset_are_left_alone() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let (other, node) = Home::begin(LINKS, &UNCOUNTED);
    Load::run(node.public(), &other.codes, &mut chance, 1_000);
    node.kill();
    let (home, node) = Home::begin(LINKS, &[]);
    let done = Load::run(node.public(), &home.codes, &mut chance, 800);
    node.stop();
    let foreign = other.segments();
    assert!(!foreign.is_empty());
    let placed: Vec<PathBuf> = foreign.iter().map(|p| home.journal().join(p.file_name().unwrap())).collect();
    for (from, to) in foreign.iter().zip(&placed) {
        std::fs::copy(from, to).unwrap();
    }

    let node = home.start();
    assert!(node.reasons().contains(&"journal_odd_files".to_owned()), "{:?}", node.reasons());
    let more = Load::run(node.public(), &home.codes, &mut chance, 500);
    let books = settled(&home, &node);
    let expected: Vec<u64> =
        done.known.iter().zip(&more.known).map(|(a, b)| a.answered + b.answered).collect();
    assert_eq!(books.counted, expected);
    assert_eq!(books.lost(), 0);
    for (from, to) in foreign.iter().zip(&placed) {
        assert!(std::fs::read(from).unwrap() == std::fs::read(to).unwrap(), "{to:?} was changed");
    }
}

/// Where the records of a segment are, as far as that can be told from outside: not in its first and last quarter.
fn middle(path: &Path, chance: &mut Chance) -> u64 {
    let len = std::fs::metadata(path).unwrap().len();
    len / 4 + chance.below(len / 2)
}

fn noise(path: &Path, at: u64, n: u64, chance: &mut Chance) {
    let mut bytes = std::fs::read(path).unwrap();
    for byte in bytes.iter_mut().skip(usize::try_from(at).unwrap()).take(usize::try_from(n).unwrap()) {
        *byte ^= chance.any().to_le_bytes()[0];
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn damage_is_kept_aside_counted_as_lost_and_told() {
    let seed = Seed::new();
    for round in 0..rounds(3, 50) {
        let mut chance = seed.chance(round);
        let (mut home, node) = Home::begin(LINKS, &[&UNCOUNTED[..], &["store.lanes=4"]].concat());
        let done = Load::run(node.public(), &home.codes, &mut chance, 9_000);
        node.kill();
        // The first files are full; what is in the last one is not known from outside.
        let segments = home.segments();
        assert!(segments.len() > 3, "{segments:?}");
        let hurt = &segments[usize::try_from(chance.below(2)).unwrap()];
        // Surely some whole records; then single bytes, which may lie between two records.
        noise(hurt, middle(hurt, &mut chance), 3_000 + chance.below(50_000), &mut chance);
        for _ in 0..chance.below(4) {
            noise(hurt, middle(hurt, &mut chance), 1, &mut chance);
        }
        home.set(&[]);
        let node = home.start();
        let books = settled(&home, &node);
        let counted: u64 = books.counted.iter().sum();
        let lost = books.lost();
        println!("round {round}: {counted} counted, {lost} lost of {}", done.answered());
        assert!(lost > 0, "nothing was hit");
        assert_eq!(counted + lost, done.answered());
        for (known, counted) in done.known.iter().zip(&books.counted) {
            assert!(*counted <= known.answered, "{counted} of {known:?}");
        }
        let aside: Vec<_> = std::fs::read_dir(home.journal().join("corrupt")).unwrap().collect();
        let name = hurt.file_name().unwrap().to_string_lossy().into_owned();
        let kept = aside.iter().flatten().any(|f| f.file_name().to_string_lossy().starts_with(&name));
        assert!(kept, "{aside:?}");
        for kind in ["links", "site"] {
            assert_eq!(node.metric(&format!("slugline_hits_lost{{lanes=\"{kind}\"}}")), lost);
        }
        crate::harness::wait::eventually_blocking("the damage is told", || {
            let told = node.metric("slugline_journal_corrupt_total") > 0;
            (told && node.log().contains("a part of the journal is corrupt")).then_some(())
        });
    }
}

#[test]
fn a_segment_that_is_gone_is_lost_by_its_number() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let (mut home, node) = Home::begin(LINKS, &[&UNCOUNTED[..], &["store.lanes=4"]].concat());
    let done = Load::run(node.public(), &home.codes, &mut chance, 9_000);
    node.kill();
    let segments = home.segments();
    assert!(segments.len() > 3, "{segments:?}");
    std::fs::remove_file(&segments[usize::try_from(chance.below(2)).unwrap()]).unwrap();
    home.set(&[]);
    let node = home.start();
    let books = settled(&home, &node);
    assert!(books.lost() > 100, "{books:?}");
    assert_eq!(books.counted.iter().sum::<u64>() + books.lost(), done.answered());
}
