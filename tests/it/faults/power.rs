//! Power cuts: the journal loses what was not synced, the store may keep what the journal lost, or go back itself.
//!
//! Nothing is counted twice, and what a sync has covered is counted.

use std::sync::Arc;

use slugline::hits::journal::sim::{Chance, SimDisk};

use super::rig::Rig;
use super::{Seed, rounds};

/// Appends, syncs and counts for a while; gives what a sync has covered by link.
async fn live(rig: &mut Rig, chance: &mut Chance) -> Vec<u64> {
    let mut synced = rig.accepted.clone();
    for _ in 0..5 + chance.below(25) {
        match chance.below(6) {
            0..3 => {
                let n = chance.below(30);
                rig.hits(chance, n);
            }
            3 => {
                rig.journal().sync_now().unwrap();
                synced.clone_from(&rig.accepted);
            }
            4 => drop(rig.journal().prepare_now()),
            _ => drop(rig.pass().await),
        }
    }
    synced
}

async fn node(seed: u64) {
    let mut chance = Chance::new(seed);
    let disk = SimDisk::new(chance.any());
    let lanes = if chance.once_in(2) { 1 } else { 4 };
    let mut rig = Rig::on(tempfile::tempdir().unwrap(), Arc::new(disk.clone()), lanes).await;
    rig.still = true;
    rig.boot();
    for cut in 0..4 {
        let snapshot = rig.snapshot(cut);
        let synced = live(&mut rig, &mut chance).await;
        let counted = rig.books().await;
        (rig.applier, rig.journal) = (None, None);
        disk.power_cut(chance.any());
        // Commits of numbers do not wait for the disk, so the store may go back as well.
        let back = chance.once_in(2);
        if back {
            rig.restore(&snapshot).await;
        }
        rig.boot();
        let n = chance.below(40);
        let before = rig.accepted.clone();
        rig.hits(&mut chance, n);
        rig.settle().await;

        let what = format!("lanes {lanes} cut {cut} back {back}");
        let books = rig.books().await;
        for (link, now) in books.counted.iter().enumerate() {
            let new = rig.accepted[link] - before[link];
            let sure = if back { synced[link] } else { synced[link].max(counted.counted[link]) };
            assert!(*now >= sure + new, "{what} link {link}: {now} of {sure} + {new}");
            assert!(*now <= rig.accepted[link], "{what} link {link}: {now} of {}", rig.accepted[link]);
        }
        assert_eq!(books.site.all(), books.counted.iter().sum::<u64>(), "{what}");
        // What the cut took is gone for good.
        rig.accepted = books.counted;
    }
}

#[tokio::test]
async fn power_cuts_take_what_was_not_synced_and_nothing_is_counted_twice() {
    let seed = Seed::new();
    for round in 0..rounds(25, 1_000) {
        node(seed.chance(round).any()).await;
    }
}
