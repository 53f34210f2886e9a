//! The store is away when the program starts, stays away long, or is emptied by mistake.

use serde_json::Value;

use super::{Bench, FAILED, PROMISED, grown, more, runtime};
use crate::faults::books::settled;
use crate::faults::load::{Load, Plan};
use crate::faults::wire;
use crate::faults::{Seed, rounds};
use crate::harness::wait::eventually_blocking;
use crate::redis::servers::Standalone;

#[test]
fn known_links_redirect_when_the_store_is_away_at_start() {
    let (seed, runtime) = (Seed::new(), runtime());
    let server = runtime.block_on(Standalone::start(&[]));
    let mut bench = Bench::begin(&server.config(), seed.chance(0), &[]);
    for _ in 0..rounds(2, 10) {
        runtime.block_on(server.ask(&["SAVE"]));
        bench.node.take().unwrap().stop();
        server.kill();
        bench.node = Some(bench.home.start());
        let plan = Plan { quota: 500, ..Plan::default() };
        let load = Load::begin(bench.node().public(), &bench.home.codes, &mut bench.chance, plan);
        let done = load.end();
        assert_eq!((done.answered(), done.unknown()), (500, 0));
        eventually_blocking("it says that the store is away", || {
            bench.node().reasons().contains(&"store_unavailable".to_owned()).then_some(())
        });
        // Lists are answered from the mirror.
        let links = bench.home.api(bench.node(), "GET", "/links?limit=200", &Value::Null);
        assert_eq!(links["items"].as_array().unwrap().len(), bench.home.codes.len() + 1);
        runtime.block_on(server.restart());
        bench.compare(&done);
    }
    bench.end("absent at start");
}

#[test]
fn hits_wait_while_the_store_is_away() {
    let (seed, runtime) = (Seed::new(), runtime());
    let server = runtime.block_on(Standalone::start(&["appendonly yes", "appendfsync always"]));
    let mut bench = Bench::begin(&server.config(), seed.chance(1), &[]);
    let long = std::time::Duration::from_secs(rounds(5, 600));
    let done = bench.cycle(|bench, load| {
        let failed = bench.node().metric(FAILED);
        server.kill();
        grown(bench.node(), FAILED, failed);
        let began = std::time::Instant::now();
        while began.elapsed() < long {
            more(load, 1);
        }
        runtime.block_on(server.restart());
    });
    assert!(done.slowest < PROMISED, "a redirect took {:?}", done.slowest);
    bench.end("away");
}

#[test]
fn an_emptied_store_is_fenced_and_built_again() {
    let (seed, runtime) = (Seed::new(), runtime());
    for round in 0..rounds(1, 5) {
        let server = runtime.block_on(Standalone::start(&[]));
        let mut bench = Bench::begin(&server.config(), seed.chance(2 + round), &[]);
        let first = Load::run(bench.node().public(), &bench.home.codes, &mut bench.chance, 300);
        bench.compare(&first);
        runtime.block_on(server.ask(&["FLUSHALL"]));
        eventually_blocking("it is fenced", || {
            bench.node().reasons().contains(&"store_fenced".to_owned()).then_some(())
        });
        // Redirects go on; nothing is written into the empty store.
        let second = Load::run(bench.node().public(), &bench.home.codes, &mut bench.chance, 300);
        let keys = runtime.block_on(server.ask(&["DBSIZE"]));
        assert_eq!(keys, redis::Value::Int(0), "a fenced store is not written to");
        let body = r#"{"url":"https://news.example.com/while-fenced"}"#;
        let refused =
            wire::ask(bench.node().public(), "POST", "/api/v1/links", bench.home.key(), body).unwrap();
        assert_eq!(refused.status, 503);
        bench.node.take().unwrap().stop();
        bench.home.command(&["store", "rebuild", "--yes"]).done();
        bench.node = Some(bench.home.start());
        let books = settled(&bench.home, bench.node());
        // The journal has all hits since the beginning: both runs are counted, once.
        for (link, known) in first.known.iter().zip(&second.known).enumerate() {
            assert_eq!(books.counted[link], known.0.answered + known.1.answered, "link {link}");
        }
        for code in &bench.home.codes {
            bench.home.api(bench.node(), "GET", &format!("/links/{code}"), &Value::Null);
        }
        bench.before.clone_from(&books.counted);
        bench.end("FLUSHALL");
    }
}
