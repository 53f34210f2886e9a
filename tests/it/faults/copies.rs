//! Data folders that are copied, put back, cloned: whole, or only a part of them.

use slugline::hits::journal::sim::Chance;

use super::Seed;
use super::books::settled;
use super::load::Load;
use super::node::{Home, Node, UNCOUNTED};

const LINKS: usize = 6;

/// A home and what should be counted in it.
struct Counted {
    home: Home,
    expected: Vec<u64>,
}

impl Counted {
    /// So many hits on the running program.
    fn hits(&mut self, node: &Node, chance: &mut Chance, n: u64) {
        let done = Load::run(node.public(), &self.home.codes, chance, n);
        for (expected, known) in self.expected.iter_mut().zip(done.known) {
            *expected += known.answered;
        }
    }

    /// Fails unless just that is counted, without a loss.
    fn check(&self, node: &Node, what: &str) {
        let books = settled(&self.home, node);
        assert_eq!(books.counted, self.expected, "{what}");
        assert_eq!(books.lost(), 0, "{what}");
    }
}

fn begin(options: &[&str]) -> (Counted, Node) {
    let options: Vec<&str> = ["store.lanes=4"].into_iter().chain(options.iter().copied()).collect();
    let (home, node) = Home::begin(LINKS, &options);
    (Counted { home, expected: vec![0; LINKS] }, node)
}

#[test]
fn the_whole_folder_is_put_back() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let (mut counted, node) = begin(&[]);
    counted.hits(&node, &mut chance, 1_500);
    node.stop();
    let (copy, then) = (counted.home.copied(), counted.expected.clone());
    let node = counted.home.start();
    counted.hits(&node, &mut chance, 1_000);
    counted.check(&node, "before");
    node.stop();

    counted.home.restore(&copy);
    counted.expected = then;
    let node = counted.home.start();
    counted.check(&node, "put back");
    counted.hits(&node, &mut chance, 500);
    counted.check(&node, "and gone on");
}

#[test]
fn the_whole_folder_is_put_back_with_hits_that_were_not_counted() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let (mut counted, node) = begin(&UNCOUNTED);
    counted.hits(&node, &mut chance, 1_500);
    node.kill();
    let (copy, then) = (counted.home.copied(), counted.expected.clone());
    counted.home.set(&[]);
    let node = counted.home.start();
    counted.hits(&node, &mut chance, 300);
    counted.check(&node, "before");
    node.kill();

    counted.home.restore(&copy);
    counted.expected = then;
    let node = counted.home.start();
    counted.check(&node, "put back");
}

#[test]
fn an_older_tallies_db_is_counted_up_again() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let (mut counted, node) = begin(&[]);
    // Before the first hit, in the middle, and at the end.
    let mut node = {
        node.stop();
        counted.home.start()
    };
    let mut copies = vec![];
    for _ in 0..3 {
        node.stop();
        copies.push(counted.home.copied());
        node = counted.home.start();
        counted.hits(&node, &mut chance, 1_200);
    }
    counted.check(&node, "before");
    for (n, copy) in copies.iter().enumerate().rev() {
        // The newest ends without a word, so that its last hits are only in the journal.
        counted.hits(&node, &mut chance, 400);
        if n == 2 {
            node.kill()
        } else {
            node.stop()
        }
        counted.home.restore_tallies(copy);
        node = counted.home.start();
        counted.check(&node, &format!("tallies.db of copy {n}"));
    }
    counted.hits(&node, &mut chance, 300);
    counted.check(&node, "and gone on");
}

#[test]
fn an_older_journal_is_not_counted_again() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let (mut counted, node) = begin(&[]);
    counted.hits(&node, &mut chance, 1_500);
    node.kill();
    let copy = counted.home.copied();
    let node = counted.home.start();
    counted.hits(&node, &mut chance, 1_000);
    counted.check(&node, "before");
    node.stop();

    counted.home.restore_journal(&copy);
    let node = counted.home.start();
    counted.check(&node, "with an older journal");
    counted.hits(&node, &mut chance, 500);
    counted.check(&node, "and gone on");
    node.stop();
    // And with none at all.
    std::fs::remove_dir_all(counted.home.journal()).unwrap();
    let node = counted.home.start();
    counted.hits(&node, &mut chance, 200);
    counted.check(&node, "without a journal");
}

#[test]
fn a_clone_counts_its_own_hits_and_no_other() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let (mut counted, node) = begin(&UNCOUNTED);
    counted.hits(&node, &mut chance, 2_000);
    node.kill();
    counted.home.set(&[]);
    let mut clone = Counted { home: counted.home.copied(), expected: counted.expected.clone() };
    let common = counted.expected.clone();
    let (node, other) = (counted.home.start(), clone.home.start());
    counted.hits(&node, &mut chance, 700);
    clone.hits(&other, &mut chance, 900);
    counted.check(&node, "the first");
    clone.check(&other, "the clone");
    // The clone's journal is brought home: what both had is known there, its own hits are not.
    other.stop();
    node.stop();
    for segment in clone.home.segments() {
        let to = counted.home.journal().join(segment.file_name().unwrap());
        if !to.exists() {
            std::fs::copy(segment, to).unwrap();
        }
    }
    for (all, (own, common)) in counted.expected.iter_mut().zip(clone.expected.iter().zip(&common)) {
        *all += own - common;
    }
    let node = counted.home.start();
    counted.check(&node, "with the clone's journal");
    let other = clone.home.start();
    clone.check(&other, "the clone, later");
}
