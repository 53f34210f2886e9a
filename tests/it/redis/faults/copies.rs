//! A node's data folder is put back from an old copy, or cloned: nothing is counted twice.

use super::{Bench, runtime};
use crate::faults::books::settled;
use crate::faults::load::Load;
use crate::faults::node::UNCOUNTED;
use crate::faults::{Seed, rounds};
use crate::redis::servers::Standalone;

#[test]
fn an_old_copy_of_the_data_folder() {
    let (seed, runtime) = (Seed::new(), runtime());
    let server = runtime.block_on(Standalone::start(&[]));
    let mut bench = Bench::begin(&server.config(), seed.chance(0), &[]);
    for _ in 0..rounds(2, 10) {
        // Uncounted hits are in the copy, and are counted before it comes back.
        bench.node.take().unwrap().stop();
        bench.home.set(&UNCOUNTED);
        let node = bench.home.start();
        let first = Load::run(node.public(), &bench.home.codes, &mut bench.chance, 300);
        node.kill();
        let copy = bench.home.copied();
        bench.home.set(&[]);
        bench.node = Some(bench.home.start());
        bench.compare(&first);
        let second = Load::run(bench.node().public(), &bench.home.codes, &mut bench.chance, 300);
        bench.compare(&second);
        bench.node.take().unwrap().kill();
        bench.home.restore(&copy);
        bench.node = Some(bench.home.start());
        let books = settled(&bench.home, bench.node());
        assert_eq!(books.counted, bench.before, "counted twice");
    }
    bench.end("an old copy");
}

#[test]
fn a_clone_of_the_data_folder() {
    let (seed, runtime) = (Seed::new(), runtime());
    let server = runtime.block_on(Standalone::start(&[]));
    let mut bench = Bench::begin(&server.config(), seed.chance(1), &[]);
    for _ in 0..rounds(2, 10) {
        bench.node.take().unwrap().stop();
        bench.home.set(&UNCOUNTED);
        let node = bench.home.start();
        let done = Load::run(node.public(), &bench.home.codes, &mut bench.chance, 300);
        node.kill();
        let mut twin = bench.home.copied();
        bench.home.set(&[]);
        twin.set(&[]);
        // Both count the same journal, at the same time.
        bench.node = Some(bench.home.spawn());
        let mut other = twin.spawn();
        bench.node.as_mut().unwrap().ready();
        other.ready();
        settled(&twin, &other);
        bench.compare(&done);
        other.stop();
    }
    bench.end("a clone");
}
