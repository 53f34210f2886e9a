//! `kill -9` of the program under load, on each topology, sometimes again while it starts.

use slugline::hits::journal::sim::Chance;

use super::{Bench, runtime};
use crate::faults::load::{Load, Plan};
use crate::faults::{Seed, rounds};
use crate::redis::servers::{Cluster, Sentinels, Standalone};

fn survives_kills(what: &str, config: &str, chance: Chance) {
    let mut bench = Bench::begin(config, chance, &[]);
    for _ in 0..rounds(2, 100) {
        let plan = Plan { tell_at: 1 + bench.chance.below(3_000), leave: true, ..Plan::default() };
        let load = Load::begin(bench.node().public(), &bench.home.codes, &mut bench.chance, plan);
        load.told();
        bench.node.take().unwrap().kill();
        let done = load.end();
        if bench.chance.once_in(3) {
            // Killed before it can have recovered all of it.
            bench.home.spawn().kill();
        }
        bench.node = Some(bench.home.start());
        bench.compare(&done);
    }
    bench.end(what);
}

#[test]
fn kill_9_on_one_server() {
    let (seed, runtime) = (Seed::new(), runtime());
    let server = runtime.block_on(Standalone::start(&[]));
    survives_kills("kill -9, standalone", &server.config(), seed.chance(0));
}

#[test]
fn kill_9_on_sentinels() {
    let (seed, runtime) = (Seed::new(), runtime());
    let servers = runtime.block_on(Sentinels::start(&[]));
    survives_kills("kill -9, sentinel", &servers.config(), seed.chance(0));
}

#[test]
fn kill_9_on_a_cluster() {
    let (seed, runtime) = (Seed::new(), runtime());
    let servers = runtime.block_on(Cluster::start(&[]));
    survives_kills("kill -9, cluster", &servers.config(), seed.chance(0));
}
