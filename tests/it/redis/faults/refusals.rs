//! A server that refuses to write: out of memory, read-only, its disk failing. Refused whole, and counted after.

use super::{APPLIED, Bench, FAILED, grown, more, runtime};
use crate::faults::{Seed, rounds};
use crate::harness::eventually;
use crate::redis::process::Process;
use crate::redis::servers::Standalone;

/// Cycles in which the server refuses writes between these two pairs of commands.
fn refuses(what: &str, part: u64, begin: &[&[&str]], end: &[&[&str]]) {
    let (seed, runtime) = (Seed::new(), runtime());
    let server = runtime.block_on(Standalone::start(&[]));
    let mut bench = Bench::begin(&server.config(), seed.chance(part), &[]);
    for _ in 0..rounds(2, 20) {
        let (failed, applied) = (bench.node().metric(FAILED), bench.node().metric(APPLIED));
        bench.cycle(|bench, load| {
            grown(bench.node(), APPLIED, applied);
            for command in begin {
                // Some of them, such as BGSAVE into nowhere, are there to fail.
                let _ = runtime.block_on(server.try_ask(command));
            }
            grown(bench.node(), FAILED, failed);
            more(load, 50);
            for command in end {
                runtime.block_on(server.ask(command));
            }
        });
    }
    bench.end(what);
}

#[test]
fn out_of_memory() {
    refuses(
        "out of memory",
        0,
        &[&["CONFIG", "SET", "maxmemory", "1"]],
        &[&["CONFIG", "SET", "maxmemory", "0"]],
    );
}

#[test]
fn read_only() {
    // A replica of nobody takes no writes and keeps what it has.
    let begin: &[&[&str]] = &[&["REPLICAOF", "127.0.0.1", "1"]];
    refuses("read-only", 1, begin, &[&["REPLICAOF", "NO", "ONE"]]);
}

#[test]
fn replicas_missing() {
    let begin: &[&[&str]] = &[&["CONFIG", "SET", "min-replicas-to-write", "1"]];
    refuses("replicas missing", 2, begin, &[&["CONFIG", "SET", "min-replicas-to-write", "0"]]);
}

/// Waits until a snapshot could be written again.
async fn saved(server: &Process) {
    eventually("a snapshot is written", async || {
        // One may be under way.
        let _ = server.try_ask(&["BGSAVE"]).await;
        (server.info("rdb_last_bgsave_status").await == "ok").then_some(())
    })
    .await;
}

#[test]
fn the_servers_disk_fails() {
    let (seed, runtime) = (Seed::new(), runtime());
    // A snapshot after every second with a change, into a folder that goes away.
    let server = runtime.block_on(Standalone::start(&["save 1 1"]));
    let mut bench = Bench::begin(&server.config(), seed.chance(3), &[]);
    for _ in 0..rounds(2, 20) {
        let failed = bench.node().metric(FAILED);
        bench.cycle(|bench, load| {
            // A folder in the file's place: writing the snapshot fails, whoever tries.
            let file = server.folder().join("dump.rdb");
            let _ = std::fs::remove_file(&file);
            std::fs::create_dir_all(file.join("in-the-way")).unwrap();
            grown(bench.node(), FAILED, failed);
            more(load, 50);
            std::fs::remove_dir_all(&file).unwrap();
            runtime.block_on(saved(&server));
        });
    }
    bench.end("disk errors");
}
