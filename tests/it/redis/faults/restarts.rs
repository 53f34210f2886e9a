//! The server is killed, loses what it had acknowledged, is put back from a copy, or stands still.

use std::path::PathBuf;
use std::time::Duration;

use super::{APPLIED, Bench, FAILED, PROMISED, ROLLBACKS, grown, more, runtime};
use crate::faults::{Seed, rounds};
use crate::harness::eventually;
use crate::redis::process::Process;
use crate::redis::servers::Standalone;

const EVERYSEC: &[&str] = &["appendonly yes", "appendfsync everysec"];
const ALWAYS: &[&str] = &["appendonly yes", "appendfsync always"];

/// Waits until the append-only file was written anew since the server started: a node asks for that.
async fn renewed(server: &Process) {
    eventually("the append-only file is written anew", async || {
        let idle = server.info("aof_rewrite_in_progress").await == "0"
            && server.info("aof_rewrite_scheduled").await == "0";
        (idle && server.info("aof_rewrites").await != "0").then_some(())
    })
    .await;
}

/// The part of the append-only file that is being written.
fn last_part(server: &Process) -> PathBuf {
    let parts = std::fs::read_dir(server.folder().join("appendonlydir")).unwrap().map(|f| f.unwrap().path());
    let mut parts: Vec<PathBuf> = parts.filter(|p| p.to_string_lossy().ends_with(".incr.aof")).collect();
    parts.sort();
    parts.pop().unwrap()
}

/// Cycles in which `damage` is done to the killed server's files before it starts again.
fn restarts(what: &str, lines: &[&str], part: u64, few: u64, damage: impl Fn(&mut Bench, &Process)) {
    let (seed, runtime) = (Seed::new(), runtime());
    let server = runtime.block_on(Standalone::start(lines));
    let mut bench = Bench::begin(&server.config(), seed.chance(part), &[]);
    // What must be there however little of the file is left.
    runtime.block_on(server.ask(&["SAVE"]));
    let appends = lines.contains(&"appendonly yes");
    if appends {
        runtime.block_on(async {
            renewed(&server).await;
            server.ask(&["BGREWRITEAOF"]).await;
            renewed(&server).await;
        });
    }
    for _ in 0..rounds(few, 25) {
        bench.cycle(|bench, load| {
            grown(bench.node(), APPLIED, bench.node().metric(APPLIED));
            if appends {
                runtime.block_on(renewed(&server));
            }
            server.kill();
            more(load, 50);
            damage(bench, &server);
            runtime.block_on(server.restart());
        });
    }
    bench.end(what);
}

#[test]
fn a_server_that_syncs_each_second_is_killed() {
    restarts("AOF everysec", EVERYSEC, 1, 2, |_, _| {});
}

#[test]
fn a_server_that_always_syncs_is_killed() {
    restarts("AOF always", ALWAYS, 2, 2, |_, _| {});
}

#[test]
fn a_server_with_snapshots_only_is_killed() {
    restarts("RDB only", &[], 3, 2, |_, _| {});
}

#[test]
fn the_end_of_the_append_only_file_is_gone() {
    restarts("AOF cut", EVERYSEC, 4, 2, |bench, server| {
        let file = last_part(server);
        let length = std::fs::metadata(&file).unwrap().len();
        let cut = bench.chance.below(length + 1);
        std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(cut).unwrap();
    });
}

#[test]
fn the_server_is_put_back_from_a_copy() {
    let (seed, runtime) = (Seed::new(), runtime());
    let server = runtime.block_on(Standalone::start(&[]));
    let mut bench = Bench::begin(&server.config(), seed.chance(5), &[]);
    for _ in 0..rounds(2, 10) {
        let rollbacks = bench.node().metric(ROLLBACKS);
        runtime.block_on(server.ask(&["SAVE"]));
        bench.cycle(|bench, load| {
            for _ in 0..3 {
                grown(bench.node(), APPLIED, bench.node().metric(APPLIED));
                more(load, 100);
            }
            server.kill();
            // The snapshot of the beginning is all it has.
            runtime.block_on(server.restart());
        });
        assert!(bench.node().metric(ROLLBACKS) > rollbacks, "the rollback is reported");
    }
    bench.end("put back from a copy");
}

#[test]
fn the_server_stands_still() {
    let (seed, runtime) = (Seed::new(), runtime());
    let server = runtime.block_on(Standalone::start(&[]));
    // Few links stay in the cache, so that some redirects would ask the server.
    let mut bench = Bench::begin(&server.config(), seed.chance(6), &[]);
    for _ in 0..rounds(2, 25) {
        let longest = rounds(3_000, 30_000);
        let still = Duration::from_millis(100 + bench.chance.below(longest));
        let done = bench.cycle(|_, load| {
            server.freeze();
            let began = std::time::Instant::now();
            while began.elapsed() < still {
                more(load, 1);
            }
            server.thaw();
        });
        assert!(done.slowest < PROMISED, "a redirect took {:?} while the server stood still", done.slowest);
    }
    bench.end("frozen");
}

#[test]
fn the_server_is_cut_off() {
    let (seed, runtime) = (Seed::new(), runtime());
    let server = runtime.block_on(Standalone::start(&[]));
    let proxy = crate::redis::proxy::Proxy::start(&server.address());
    let mut bench = Bench::begin(&server.config_at(&proxy.address()), seed.chance(7), &[]);
    for round in 0..rounds(3, 25) {
        let failed = bench.node().metric(FAILED);
        let done = bench.cycle(|bench, load| match round % 3 {
            0 => {
                proxy.cut();
                more(load, 100);
                proxy.cut();
            }
            1 => {
                proxy.away(true);
                grown(bench.node(), FAILED, failed);
                more(load, 100);
                proxy.away(false);
            }
            _ => {
                proxy.stall(true);
                grown(bench.node(), FAILED, failed);
                proxy.stall(false);
            }
        });
        assert!(done.slowest < PROMISED, "a redirect took {:?}", done.slowest);
    }
    bench.end("cut off");
}
