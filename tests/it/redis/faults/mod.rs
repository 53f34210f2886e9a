//! The fault matrix of the Redis store: `A <= C <= A + U` for every link, and an audit that adds up, through faults
//! of the program, of the servers, and of what is between them.
//!
//! Each cycle injects a fault under load, heals it, and compares what clients know with what is counted. Rounds are
//! few unless `SLUGLINE_FAULTS=full`; `SLUGLINE_SEED` repeats a run. `tests/faults` sets both.
#![allow(clippy::print_stdout, reason = "seeds, and how much was tried, belong beside the results")]

mod absent;
mod copies;
mod failovers;
mod kills;
mod refusals;
mod replies;
mod restarts;

use std::time::Duration;

use slugline::hits::journal::sim::Chance;
use tokio::runtime::Runtime;

use crate::faults::books::{Books, settled};
use crate::faults::load::{Done, Load, Plan};
use crate::faults::node::{Home, Node};
use crate::harness::wait::eventually_blocking;

/// Links that are followed, the last of them closed.
const LINKS: usize = 8;
/// Longest wait for a redirect of a known link while its store is ill, on a machine that does more beside. One that
/// asked the store would wait for its timeout, twice as long.
const PROMISED: Duration = Duration::from_millis(500);

/// Between two requests of a reader: some thousands a second are enough, and any build counts them.
const PAUSE: Duration = Duration::from_millis(1);

/// A runtime for what a test does to servers; the load has threads of its own.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A program on servers, with what was counted before.
struct Bench {
    home: Home,
    node: Option<Node>,
    chance: Chance,
    before: Vec<u64>,
    answered: u64,
    unknown: u64,
    cycles: u64,
}

impl Bench {
    /// The program on the store that this configuration text names.
    fn begin(config: &str, chance: Chance, options: &[&str]) -> Bench {
        let options: Vec<&str> = options.iter().copied().chain(["store.lanes=8"]).collect();
        let (home, node) = Home::begin_with(tempfile::tempdir().unwrap(), config, LINKS, &options);
        Bench { home, node: Some(node), chance, before: vec![0; LINKS], answered: 0, unknown: 0, cycles: 0 }
    }

    fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    /// Readers that go on until they are stopped; returns when the first hundreds are answered.
    fn load(&mut self) -> Load {
        let plan = Plan { tell_at: 1 + self.chance.below(600), pause: PAUSE, ..Plan::default() };
        let load = Load::begin(self.node().public(), &self.home.codes, &mut self.chance, plan);
        load.told();
        load
    }

    /// One cycle: `fault` happens under load and is healed when it returns; then some more hits, then the books.
    fn cycle(&mut self, fault: impl FnOnce(&mut Bench, &Load)) -> Done {
        let load = self.load();
        fault(self, &load);
        more(&load, 200);
        let done = load.stop();
        assert_eq!(done.unknown(), 0, "no answer may be cut short: the program was not touched");
        self.compare(&done);
        done
    }

    /// Waits until everything is counted, and compares.
    fn compare(&mut self, done: &Done) -> Books {
        let books = settled(&self.home, self.node());
        books.check(&self.before, &done.known);
        assert_eq!(books.lost(), 0);
        self.before.clone_from(&books.counted);
        self.answered += done.answered();
        self.unknown += done.unknown();
        self.cycles += 1;
        books
    }

    /// Says how much was tried, and stops the program.
    fn end(mut self, what: &str) {
        self.node.take().unwrap().stop();
        let counted: u64 = self.before.iter().sum();
        println!(
            "{what}: {} cycles, {} answered, {counted} counted, {} unknown",
            self.cycles, self.answered, self.unknown
        );
    }
}

/// Waits for so many more answers.
fn more(load: &Load, answers: u64) {
    let so_far = load.answers();
    eventually_blocking("more answers", || (load.answers() >= so_far + answers).then_some(()));
}

/// Waits until a metric of the program has grown beyond this.
fn grown(node: &Node, name: &str, beyond: u64) -> u64 {
    eventually_blocking(&format!("{name} grows beyond {beyond}"), || {
        Some(node.metric(name)).filter(|now| *now > beyond)
    })
}

/// How many applies failed so far.
const FAILED: &str = "slugline_applies_total{outcome=\"failed\"}";
/// How many applies were done so far.
const APPLIED: &str = "slugline_applies_total{outcome=\"done\"}";
/// How often a lane was found to be behind what it had acknowledged.
const ROLLBACKS: &str = "slugline_store_rollbacks_total";
