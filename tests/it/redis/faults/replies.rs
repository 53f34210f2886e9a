//! Replies that never came, and commands that come late: the traps in which others count twice.

use serde_json::json;

use super::{APPLIED, Bench, grown, more, runtime};
use crate::faults::{Seed, rounds};
use crate::redis::proxy::{Fault, Proxy};
use crate::redis::servers::Standalone;

/// True for a script that writes.
fn is_script(words: &[Vec<u8>]) -> bool {
    words.first().is_some_and(|w| w.eq_ignore_ascii_case(b"EVALSHA") || w.eq_ignore_ascii_case(b"EVAL"))
}

#[test]
fn replies_are_dropped_after_the_store_did_it() {
    let (seed, runtime) = (Seed::new(), runtime());
    let server = runtime.block_on(Standalone::start(&[]));
    let proxy = Proxy::start(&server.address());
    let mut bench = Bench::begin(&server.config_at(&proxy.address()), seed.chance(0), &[]);
    for _ in 0..rounds(2, 30) {
        bench.cycle(|bench, _| {
            for _ in 0..10 {
                let struck = proxy.struck();
                proxy.plan(Fault::DropReply, 1, is_script);
                // Something is written in any case: edits meet the fault, too.
                grown(bench.node(), APPLIED, bench.node().metric(APPLIED));
                crate::harness::wait::eventually_blocking("a reply is dropped", || {
                    (proxy.struck() > struck).then_some(())
                });
            }
        });
    }
    println!("{} replies were dropped", proxy.struck());
    bench.end("replies dropped");
}

#[test]
fn commands_are_delivered_after_their_retry() {
    let (seed, runtime) = (Seed::new(), runtime());
    let server = runtime.block_on(Standalone::start(&[]));
    let mut proxy = Proxy::start(&server.address());
    let mut bench = Bench::begin(&server.config_at(&proxy.address()), seed.chance(1), &[]);
    let mut late = 0;
    for _ in 0..rounds(2, 30) {
        let proxy = &mut proxy;
        bench.cycle(|bench, load| {
            for _ in 0..10 {
                proxy.plan(Fault::Hold, 1, is_script);
                // Its retry is done, and more after it.
                grown(bench.node(), APPLIED, bench.node().metric(APPLIED) + 1);
                more(load, 20);
                late += runtime.block_on(proxy.deliver());
            }
        });
    }
    assert!(late > 0, "no command was late");
    println!("{late} commands were late");
    bench.end("delivered late");
}

#[test]
fn an_edit_whose_reply_is_lost_is_no_conflict() {
    let (seed, runtime) = (Seed::new(), runtime());
    let server = runtime.block_on(Standalone::start(&[]));
    let mut proxy = Proxy::start(&server.address());
    let bench = Bench::begin(&server.config_at(&proxy.address()), seed.chance(2), &[]);
    let code = &bench.home.codes[0];
    let mut version =
        bench.home.api(bench.node(), "GET", &format!("/links/{code}"), &json!(null))["version"].clone();
    for n in 0..rounds(20, 300) {
        let fault = if n % 2 == 0 { Fault::DropReply } else { Fault::Hold };
        proxy.plan(fault, 1, is_script);
        // `api` fails on anything but a success.
        let change = json!({ "note": format!("note {n}"), "version": version });
        let link = bench.home.api(bench.node(), "PATCH", &format!("/links/{code}"), &change);
        assert_eq!(link["note"], format!("note {n}"));
        runtime.block_on(proxy.deliver());
        let read = bench.home.api(bench.node(), "GET", &format!("/links/{code}"), &json!(null));
        assert_eq!(
            (&read["note"], &read["version"]),
            (&link["note"], &link["version"]),
            "a late command undid it"
        );
        version = link["version"].clone();
        let made = json!({ "url": format!("https://news.example.com/new-{n}") });
        proxy.plan(fault, 1, is_script);
        let first = bench.home.api(bench.node(), "POST", "/links", &made);
        runtime.block_on(proxy.deliver());
        assert_eq!(bench.home.api(bench.node(), "POST", "/links", &made)["code"], first["code"]);
    }
    bench.end("edits and creations whose replies are lost");
}
