//! Every call of the applier to its store fails once, before or after it is done.

use super::rig::Rig;
use super::tap::Fault;
use super::{Seed, rounds};

/// One life of a node with these faults; gives how many happened.
async fn run(rig: &mut Rig, seed: &Seed, part: u64, faults: &[(u64, Fault)]) -> u64 {
    let what = format!("faults {faults:?}");
    let mut chance = seed.chance(part);
    rig.new_journal();
    rig.tap.fail(faults);
    rig.hits(&mut chance, 110);
    rig.pass().await;
    // What the first boot left is counted by the second one, and its stream is finished.
    rig.boot();
    rig.hits(&mut chance, 90);
    rig.settle().await;
    let failed = rig.tap.failed();
    rig.tap.fail(&[]);
    rig.check(&what).await;
    assert_eq!(rig.journal().finished().len(), 1, "{what}: the first boot's stream is not finished");
    // Nothing is left to be done.
    rig.fresh_applier();
    rig.settle().await;
    rig.check(&what).await;
    failed
}

async fn every_call(lanes: u16) {
    let seed = Seed::new();
    let mut rig = Rig::new(lanes).await;
    for fault in [Fault::Request, Fault::Reply] {
        let mut calls = 0;
        while run(&mut rig, &seed, 0, &[(calls + 1, fault)]).await > 0 {
            calls += 1;
        }
        println!("{lanes} lanes: each of {calls} calls failed once, by a lost {fault:?}");
        assert!(calls > 20, "{calls}");
    }
}

#[tokio::test]
async fn any_call_may_fail_with_one_lane() {
    every_call(1).await;
}

#[tokio::test]
async fn any_call_may_fail_with_four_lanes() {
    every_call(4).await;
}

#[tokio::test]
async fn several_calls_may_fail() {
    let seed = Seed::new();
    let mut rig = Rig::new(4).await;
    for round in 0..rounds(20, 400) {
        let mut chance = seed.chance(round);
        let faults: Vec<_> = (0..2 + chance.below(12))
            .map(|_| (1 + chance.below(90), if chance.once_in(2) { Fault::Request } else { Fault::Reply }))
            .collect();
        run(&mut rig, &seed, round, &faults).await;
    }
}
