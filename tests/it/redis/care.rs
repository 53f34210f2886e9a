//! `slugline store status`, `adopt`, `rebuild`: what the operator's word does, on the real program.

use serde_json::Value;
use slugline::hits::journal::sim::Chance;

use super::servers::Standalone;
use crate::faults::load::Load;
use crate::faults::node::Home;
use crate::harness::cli::Ended;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn refused(ended: &Ended, why: &str) {
    assert!(ended.code == 1 && ended.stderr.contains(why), "{why}: {ended:?}");
}

/// Follows links; then the program stops, with everything counted.
fn follow_and_stop(home: &Home, node: crate::faults::node::Node) -> u64 {
    let done = Load::run(node.public(), &home.codes, &mut Chance::new(7), 300);
    node.stop();
    done.answered()
}

fn counted(home: &Home) -> u64 {
    let status = home.command(&["store", "status"]);
    assert!(status.code == 0 && status.stdout.contains("balance"), "{status:?}");
    let line = status.stdout.lines().find_map(|line| line.strip_prefix("counted")).unwrap().trim();
    line.split(' ').next().unwrap().parse().unwrap()
}

fn verified(home: &Home) {
    let verified = home.command(&["verify"]);
    assert!(verified.code == 0 && verified.stdout.contains("everything adds up"), "{verified:?}");
}

#[test]
fn an_emptied_store_is_made_anew() {
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    let (home, node) = Home::begin_with(tempfile::tempdir().unwrap(), &server.config(), 4, &[]);
    let answered = follow_and_stop(&home, node);
    assert_eq!(counted(&home), answered);
    refused(&home.command(&["store", "rebuild", "--yes"]), "nothing is gone");
    refused(&home.command(&["store", "adopt", "--yes"]), "nothing to adopt");
    runtime.block_on(server.ask(&["FLUSHALL"]));
    let status = home.command(&["store", "status"]);
    refused(&status, "has lost what it is");
    assert!(status.stdout.contains("not ready") && status.stdout.contains("RISK"), "{status:?}");
    refused(&home.command(&["store", "adopt", "--yes"]), "no store to adopt");
    refused(&home.command(&["store", "rebuild"]), "--yes");
    home.command(&["store", "rebuild", "--yes"]).done();
    assert_eq!(counted(&home), answered);
    verified(&home);
    let node = home.start();
    for code in &home.codes {
        home.api(&node, "GET", &format!("/links/{code}"), &Value::Null);
    }
    let more = follow_and_stop(&home, node);
    assert_eq!(counted(&home), answered + more);
    verified(&home);
}

#[test]
fn a_lane_that_is_gone_is_made_anew() {
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    let (home, node) = Home::begin_with(tempfile::tempdir().unwrap(), &server.config(), 4, &[]);
    let answered = follow_and_stop(&home, node);
    // As if one master of a cluster had come back empty: all keys of some lanes are gone.
    let mut keys: Vec<String> =
        redis::from_redis_value(runtime.block_on(server.ask(&["KEYS", "sl:{*}:m"]))).unwrap();
    keys.sort();
    // The root lane says what the store is; that it is gone is another case.
    keys.retain(|key| runtime.block_on(server.ask(&["HEXISTS", key, "ready"])) == redis::Value::Int(0));
    let tags: Vec<String> = keys.iter().step_by(3).map(|key| key.trim_end_matches(":m").to_owned()).collect();
    for tag in &tags {
        let pattern = format!("{}*", tag.replace('{', "\\{"));
        let gone: Vec<String> =
            redis::from_redis_value(runtime.block_on(server.ask(&["KEYS", &pattern]))).unwrap();
        for key in gone {
            runtime.block_on(server.ask(&["DEL", &key]));
        }
    }
    refused(&home.command(&["store", "status"]), "gone");
    home.command(&["store", "rebuild", "--yes"]).done();
    assert_eq!(counted(&home), answered);
    verified(&home);
    let node = home.start();
    for code in &home.codes {
        home.api(&node, "GET", &format!("/links/{code}"), &Value::Null);
    }
    node.stop();
}

#[test]
fn another_store_is_adopted() {
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    let (home, node) = Home::begin_with(tempfile::tempdir().unwrap(), &server.config(), 2, &[]);
    follow_and_stop(&home, node);
    runtime.block_on(server.ask(&["FLUSHALL"]));
    let (other, node) = Home::begin_with(tempfile::tempdir().unwrap(), &server.config(), 3, &[]);
    let answered = follow_and_stop(&other, node);
    refused(&home.command(&["store", "status"]), "and the store is dataset");
    refused(&home.command(&["store", "rebuild", "--yes"]), "is there, and this node's is");
    home.command(&["store", "adopt", "--yes"]).done();
    assert_eq!(counted(&home), answered);
    // Hits of the store before are not counted here, nor taken for lost.
    home.start().stop();
    assert_eq!(counted(&home), answered);
    verified(&other);
}

#[test]
fn the_embedded_store_counts_anew() {
    let (home, node) = Home::begin(3, &[]);
    let answered = follow_and_stop(&home, node);
    assert_eq!(counted(&home), answered);
    refused(&home.command(&["store", "rebuild", "--yes"]), "tallies.db is there");
    refused(&home.command(&["store", "adopt", "--yes"]), "nothing to adopt");
    std::fs::remove_file(home.data().join("tallies.db")).unwrap();
    refused(&home.command(&["store", "status"]), "tallies.db is missing");
    home.command(&["store", "rebuild", "--yes"]).done();
    assert_eq!(counted(&home), answered);
    verified(&home);
}
