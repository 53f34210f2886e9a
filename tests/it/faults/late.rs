//! Batches that come late, or twice, and stores that go back: in any order, each hit is counted once.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use slugline::domain::tally::{Batch, Group};
use slugline::hits::journal::sim::Chance;
use slugline::store::Tallies;
use slugline::store::tallies::Applied;

use super::rig::Rig;
use super::tap::Fault;
use super::{Seed, rounds};

/// All numbers there are.
async fn numbers(tallies: &dyn Tallies) -> Vec<Group> {
    let (mut all, mut after) = (vec![], None);
    loop {
        let page = tallies.export(after).await.unwrap();
        let Some(last) = page.last() else { return all };
        let (kind, name) = last.scope.parts();
        after = Some((kind, name.to_owned()));
        all.extend(page);
    }
}

/// Applies every batch again, in random order; nothing may change.
async fn all_again(rig: &Rig, chance: &mut Chance, what: &str) {
    let tallies = rig.tap.inner();
    let (before, streams) = (numbers(tallies.as_ref()).await, tallies.streams().await.unwrap());
    let mut batches = rig.tap.batches();
    while !batches.is_empty() {
        let next = usize::try_from(chance.below(batches.len() as u64)).unwrap();
        let batch = batches.swap_remove(next);
        let applied = tallies.apply(&batch).await.unwrap();
        let at = |at| at >= batch.to;
        assert!(matches!(applied, Applied::At(a) if at(a)), "{what}: {applied:?} {batch:?}");
    }
    assert_eq!(numbers(tallies.as_ref()).await, before, "{what}");
    assert_eq!(tallies.streams().await.unwrap(), streams, "{what}");
}

#[tokio::test]
async fn late_duplicates_change_nothing() {
    let seed = Seed::new();
    for round in 0..rounds(6, 100) {
        let mut chance = seed.chance(round);
        let mut rig = Rig::new(if round % 2 == 0 { 1 } else { 4 }).await;
        for _ in 0..3 {
            rig.hits(&mut chance, 130);
            rig.settle().await;
            rig.boot();
        }
        rig.settle().await;
        rig.check("settled").await;
        all_again(&rig, &mut chance, &format!("round {round}")).await;
        rig.check("all came again").await;
    }
}

#[tokio::test]
async fn batches_are_cut_to_what_the_store_takes() {
    let (seed, began_ms) = (Seed::new(), slugline::clock::now_ms() - 3_600_000);
    for round in 0..rounds(6, 60) {
        let (mut chance, what) = (seed.chance(round), format!("round {round}"));
        // Two copies of the same hits: one is counted at once, the other in small pieces.
        let (mut whole, mut cut) = (Rig::new(4).await, Rig::new(4).await);
        let most = 8 + usize::try_from(chance.below(40)).unwrap();
        (whole.batch_hits, cut.batch_hits) = (1_000, 1_000);
        cut.tap.take_rows(most);
        for rig in [&mut whole, &mut cut] {
            rig.fresh_applier();
            let mut chance = seed.chance(round + 1_000);
            for n in 0..300 {
                rig.hit_at(&mut chance, began_ms + n * 7_000);
            }
            rig.settle().await;
            rig.check(&what).await;
        }
        let rows = |batch: &Batch| batch.groups.iter().map(|group| group.rows.len()).sum::<usize>();
        let batches = cut.tap.batches();
        assert!(batches.len() > 2 * whole.tap.batches().len(), "{what}: {} batches", batches.len());
        let large = batches.iter().find(|batch| rows(batch) > most && batch.to > batch.from + 1);
        assert!(large.is_none(), "{what}: more than {most} rows: {large:?}");
        let (whole, cut) = (whole.tap.inner(), cut.tap.inner());
        assert_eq!(numbers(cut.as_ref()).await, numbers(whole.as_ref()).await, "{what}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Hits(u64),
    Pass,
    Settle,
    Boot,
    FreshApplier,
    Snapshot,
    Restore(prop::sample::Index),
    Late(prop::sample::Index),
    Fail(u64, bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => (1u64..80).prop_map(Step::Hits),
        6 => Just(Step::Pass),
        2 => Just(Step::Settle),
        2 => Just(Step::Boot),
        1 => Just(Step::FreshApplier),
        2 => Just(Step::Snapshot),
        2 => index().prop_map(Step::Restore),
        4 => index().prop_map(Step::Late),
        3 => (1u64..9, any::<bool>()).prop_map(|(at, reply)| Step::Fail(at, reply)),
    ]
}

async fn play(lanes: u16, seed: u64, steps: &[Step]) {
    let mut chance = Chance::new(seed);
    let mut rig = Rig::new(lanes).await;
    let mut snapshots = vec![rig.snapshot(0)];
    for step in steps {
        match step {
            Step::Hits(n) => rig.hits(&mut chance, *n),
            Step::Pass => drop(rig.pass().await),
            Step::Settle => rig.settle().await,
            Step::Boot => rig.boot(),
            Step::FreshApplier => rig.fresh_applier(),
            Step::Snapshot => snapshots.push(rig.snapshot(snapshots.len())),
            Step::Restore(which) => rig.restore(&snapshots[which.index(snapshots.len())]).await,
            Step::Late(which) => {
                let batches = rig.tap.batches();
                if !batches.is_empty() {
                    // Changes something only if the store went back to just before it.
                    rig.tap.inner().apply(&batches[which.index(batches.len())]).await.unwrap();
                }
            }
            Step::Fail(at, reply) => {
                rig.tap.fail(&[(*at, if *reply { Fault::Reply } else { Fault::Request })]);
            }
        }
        // At no moment do the sums disagree.
        rig.books().await;
    }
    rig.settle().await;
    rig.check("at the end").await;
    all_again(&rig, &mut chance, "at the end").await;
}

#[test]
fn any_order_of_applies_duplicates_and_rollbacks() {
    let seed = Seed::new();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.0.to_le_bytes());
    let cases = u32::try_from(rounds(24, 1_000)).unwrap();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let lives = (prop_oneof![Just(1u16), Just(4)], any::<u64>(), prop::collection::vec(any_step(), 1..40));
    let outcome = runner.run(&lives, |(lanes, seed, steps)| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(lanes, seed, &steps));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
