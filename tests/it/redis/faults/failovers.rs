//! Masters that go: Sentinel's failover with replicas that lag, both sides of a cut, a cluster's failover, slots on
//! the move.

use std::collections::BTreeSet;

use super::{APPLIED, Bench, grown, more, runtime};
use crate::faults::{Seed, rounds};
use crate::redis::servers::{Cluster, Sentinels};

#[test]
fn a_sentinel_failover_loses_what_replicas_did_not_have() {
    let (seed, runtime) = (Seed::new(), runtime());
    let servers = runtime.block_on(Sentinels::start(&[]));
    let mut bench = Bench::begin(&servers.config(), seed.chance(0), &[]);
    for _ in 0..rounds(2, 20) {
        let old = runtime.block_on(servers.master());
        bench.cycle(|bench, load| {
            // Replicas stand still, so that what the master acknowledges now is lost with it.
            let replicas: Vec<usize> = (0..3).filter(|n| *n != old).collect();
            replicas.iter().for_each(|n| servers.servers[*n].freeze());
            grown(bench.node(), APPLIED, bench.node().metric(APPLIED) + 2);
            more(load, 100);
            servers.servers[old].kill();
            replicas.iter().for_each(|n| servers.servers[*n].thaw());
            runtime.block_on(servers.replaced(old));
            more(load, 100);
            runtime.block_on(async {
                servers.servers[old].restart().await;
                servers.settled().await;
            });
        });
    }
    bench.end("sentinel failover");
}

#[test]
fn a_master_that_stood_still_is_replaced() {
    let (seed, runtime) = (Seed::new(), runtime());
    let servers = runtime.block_on(Sentinels::start(&[]));
    let mut bench = Bench::begin(&servers.config(), seed.chance(1), &[]);
    for _ in 0..rounds(1, 5) {
        let old = runtime.block_on(servers.master());
        bench.cycle(|_, load| {
            servers.servers[old].freeze();
            runtime.block_on(servers.replaced(old));
            more(load, 100);
            // It wakes up and thinks it is the master still, for a moment.
            servers.servers[old].thaw();
            more(load, 100);
            runtime.block_on(servers.settled());
        });
    }
    bench.end("an old master comes back");
}

#[test]
fn a_clusters_master_is_killed() {
    let (seed, runtime) = (Seed::new(), runtime());
    let servers = runtime.block_on(Cluster::start(&[]));
    let mut bench = Bench::begin(&servers.config(), seed.chance(2), &[]);
    for round in 0..rounds(2, 20) {
        bench.cycle(|bench, load| {
            let slot = u16::try_from(bench.chance.below(16_384)).unwrap();
            let asked = usize::try_from(round % 6).unwrap();
            let master = crate::harness::wait::eventually_blocking("the slot is served", || {
                runtime.block_on(servers.owner(asked, slot))
            });
            grown(bench.node(), APPLIED, bench.node().metric(APPLIED));
            servers.nodes[master].kill();
            let other = (0..6).find(|n| *n != master).unwrap();
            crate::harness::wait::eventually_blocking("a replica is the master", || {
                runtime.block_on(servers.owner(other, slot)).filter(|now| *now != master)
            });
            more(load, 100);
            runtime.block_on(async {
                servers.nodes[master].restart().await;
                servers.settled().await;
            });
        });
    }
    bench.end("cluster failover");
}

/// The slots that have keys.
async fn slots_in_use(servers: &Cluster) -> BTreeSet<u16> {
    let mut slots = BTreeSet::new();
    for node in &servers.nodes[..3] {
        let keys: Vec<String> = redis::from_redis_value(node.ask(&["KEYS", "*"]).await).unwrap();
        for key in keys {
            slots.insert(redis::from_redis_value(node.ask(&["CLUSTER", "KEYSLOT", &key]).await).unwrap());
        }
    }
    slots
}

#[test]
fn slots_move_under_load_both_ways() {
    let (seed, runtime) = (Seed::new(), runtime());
    let servers = runtime.block_on(Cluster::start(&[]));
    let mut bench = Bench::begin(&servers.config(), seed.chance(3), &[]);
    let slots = runtime.block_on(slots_in_use(&servers));
    for _ in 0..rounds(1, 5) {
        bench.cycle(|bench, load| {
            for slot in slots.iter().take(usize::try_from(rounds(4, 100)).unwrap()) {
                let from = runtime.block_on(servers.owner(0, *slot)).unwrap();
                let to = (from + 1) % 3;
                for (from, to) in [(from, to), (to, from)] {
                    runtime.block_on(async {
                        servers.begin_move(*slot, from, to).await;
                        servers.move_keys(*slot, from, to, 2).await;
                    });
                    // Half of it here, half of it there.
                    more(load, 20);
                    runtime.block_on(servers.end_move(*slot, from, to));
                    grown(bench.node(), APPLIED, bench.node().metric(APPLIED));
                }
            }
        });
    }
    bench.end("slots on the move");
}
