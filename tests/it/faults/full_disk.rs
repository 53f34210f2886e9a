//! No room, on the disk or by `journal.max_bytes`: redirects go on, and what is lost is an exact number.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use slugline::hits::journal::sim::SimDisk;
use tempfile::TempDir;

use super::books::settled;
use super::load::{Load, Plan};
use super::node::{Home, UNCOUNTED};
use super::rig::Rig;
use super::{Seed, rounds};
use crate::harness::wait::eventually_blocking;

const LINKS: usize = 6;

#[tokio::test]
async fn a_simulated_disk_without_room_loses_an_exact_number() {
    let seed = Seed::new();
    for round in 0..rounds(10, 300) {
        let mut chance = seed.chance(round);
        let disk = SimDisk::new(chance.any());
        let lanes = if chance.once_in(2) { 1 } else { 4 };
        let mut rig = Rig::on(tempfile::tempdir().unwrap(), Arc::new(disk.clone()), lanes).await;
        for _ in 0..4 {
            disk.set_free_bytes(chance.below(60_000));
            rig.hits(&mut chance, 500);
            if chance.once_in(2) {
                rig.pass().await;
            }
            disk.set_free_bytes(u64::MAX);
            if chance.once_in(3) {
                disk.kill();
                rig.boot();
            }
            rig.hits(&mut chance, 50);
        }
        rig.settle().await;
        assert!(rig.refused > 0, "there was room");
        rig.check(&format!("round {round}")).await;
    }
}

/// A small file system in memory. None where it may not be mounted.
struct Mounted {
    at: PathBuf,
    _dir: TempDir,
}

impl Mounted {
    fn new(size: &str) -> Option<Mounted> {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("small");
        std::fs::create_dir(&at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&at);
        let mounted = mount.stdout(Stdio::null()).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Mounted { at, _dir: dir })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let ended = Command::new("umount").arg("--lazy").arg(&self.at).status();
        assert!(ended.is_ok_and(|s| s.success()) || std::thread::panicking(), "{:?} stays mounted", self.at);
    }
}

/// Takes all the room that is left.
fn fill(at: &Path) -> PathBuf {
    let path = at.join("filler");
    let mut filler = File::create(&path).unwrap();
    for piece in [1 << 16, 1 << 12, 1 << 8, 1] {
        while filler.write_all(&vec![1; piece]).is_ok() {}
    }
    path
}

fn without_room(io: &str) {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let Some(small) = Mounted::new("24m") else {
        println!("no file system may be mounted here; the simulated disk has to do");
        return;
    };
    let options = [&*format!("journal.io={io}"), "journal.retain_bytes=1MiB", "store.lanes=4"];
    let (home, node) = Home::begin_in(tempfile::tempdir_in(&small.at).unwrap(), LINKS, &options);
    let first = Load::run(node.public(), &home.codes, &mut chance, 1_000);
    settled(&home, &node);
    let filler = fill(&small.at);
    let load = Load::begin(node.public(), &home.codes, &mut chance, Plan::default());
    eventually_blocking("the journal has no room", || {
        node.reasons().contains(&"journal_no_room".to_owned()).then_some(())
    });
    // Redirects went on, and go on.
    let so_far = load.answers();
    eventually_blocking("a thousand more", || (load.answers() > so_far + 1_000).then_some(()));
    assert!(node.metric("slugline_journal_lost_total") > 0);
    std::fs::remove_file(filler).unwrap();
    eventually_blocking("there is room again", || {
        (!node.reasons().contains(&"journal_no_room".to_owned())).then_some(())
    });
    let done = load.stop();
    let lost = node.metric("slugline_journal_lost_total");
    let last = Load::run(node.public(), &home.codes, &mut chance, 500);
    let books = settled(&home, &node);
    println!("{io}: {} answered without room, {lost} lost, slowest {:?}", done.answered(), done.slowest);
    assert_eq!(done.unknown(), 0);
    assert_eq!(books.lost(), lost);
    assert_eq!(node.metric("slugline_journal_lost_total"), lost, "lost after there was room");
    let answered = first.answered() + done.answered() + last.answered();
    assert_eq!(books.counted.iter().sum::<u64>() + lost, answered);
    node.stop();
}

#[test]
fn a_disk_without_room_under_a_mapped_journal() {
    without_room("mmap");
}

#[test]
fn a_disk_without_room_under_a_written_journal() {
    without_room("write");
}

/// More hits than the journal may keep for a store that does not take them; then a kill.
fn at_its_limit(io: &str) {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let io = format!("journal.io={io}");
    let limit = [&*io, "journal.max_bytes=4MiB", "store.lanes=4"];
    let (mut home, node) = Home::begin(LINKS, &[&limit[..], &UNCOUNTED[..]].concat());
    let done = Load::run(node.public(), &home.codes, &mut chance, 15_000);
    let lost = node.metric("slugline_journal_lost_total");
    assert!(lost > 0, "there was room for all");
    assert!(node.reasons().contains(&"journal_no_room".to_owned()));
    node.kill();
    home.set(&limit);
    let node = home.start();
    let more = Load::run(node.public(), &home.codes, &mut chance, 1_000);
    let books = settled(&home, &node);
    println!("{io}: {lost} lost of {}", done.answered());
    assert_eq!(books.lost(), lost);
    assert_eq!(books.counted.iter().sum::<u64>() + lost, done.answered() + more.answered());
    assert_eq!(node.metric("slugline_journal_lost_total"), 0, "there is room again");
    assert!(!node.reasons().contains(&"journal_no_room".to_owned()));
}

#[test]
fn a_mapped_journal_at_its_limit() {
    at_its_limit("mmap");
}

#[test]
fn a_written_journal_at_its_limit() {
    at_its_limit("write");
}
