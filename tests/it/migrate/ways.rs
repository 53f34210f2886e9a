//! Both ways, with everything in between: what was there is there, and goes on.

use serde_json::json;

use super::newsroom::{self, Answers};
use super::{migrate, runtime, verified};
use crate::faults::node::{Home, Node};
use crate::redis::servers::{Cluster, Standalone};

/// Moves a home, and checks that the other one says and answers the same. Gives it, served from.
fn moved(from: &Home, file: &str, answers: &Answers) -> (Home, Node) {
    let node = from.start();
    let said = newsroom::said(from, &node);
    node.stop();
    let lines = newsroom::exported(from);
    let mut to = from.onward(file);
    to.set(&newsroom::OPTIONS);
    let ended = migrate(from, &to);
    assert!(ended.code == 0 && ended.stdout.contains("migrated to"), "{ended:?}");
    newsroom::same(&lines, &newsroom::exported(&to));
    verified(&to);
    let node = to.start();
    let now = newsroom::said(&to, &node);
    for (path, said) in &said {
        assert_eq!(now.get(path), Some(said), "{path}");
    }
    assert_eq!(newsroom::follow(&to, &node), *answers);
    (to, node)
}

#[test]
fn from_files_to_redis_and_back() {
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    let (files, answers) = newsroom::begin("");
    let first = newsroom::exported(&files);
    let redis = files.onward(&server.config());
    migrate(&files, &redis).done();
    let back = redis.onward("[store]\nlanes = 3\n");
    migrate(&redis, &back).done();
    newsroom::same(&first, &newsroom::exported(&back));
    verified(&back);
    let node = back.start();
    assert_eq!(newsroom::follow(&back, &node), answers);
    node.stop();
    verified(&back);
}

#[test]
fn what_was_moved_is_worked_with() {
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    let (files, answers) = newsroom::begin("[store]\nlanes = 5\n");
    let (redis, node) = moved(&files, &server.config(), &answers);
    let change = |node: &Node, code: &str, version: u64| {
        let body = json!({ "version": version, "note": format!("changed at {version}"), "disabled": false });
        redis.api(node, "PATCH", &format!("/links/{code}"), &body);
    };
    change(&node, "closed", 2);
    change(&node, "tram", 1);
    redis.api(&node, "POST", "/links", &json!({ "url": "https://news.example.com/new", "code": "new" }));
    let asked =
        json!({ "url": "https://news.example.com/2026/tram", "channel": "print", "campaign": "vote" });
    let found = redis.api(&node, "POST", "/links", &asked);
    assert!(found["totals"]["clicks"].as_u64().unwrap() > 0, "the one that was there: {found}");
    newsroom::follow(&redis, &node);
    node.stop();
    let node = redis.start();
    let answers = newsroom::follow(&redis, &node);
    node.stop();
    let (files, node) = moved(&redis, "", &answers);
    node.stop();
    verified(&files);
}

#[test]
fn from_redis_to_a_cluster_and_into_files() {
    let runtime = runtime();
    let server = runtime.block_on(Standalone::start(&[]));
    let cluster = runtime.block_on(Cluster::start(&[]));
    let (redis, answers) = newsroom::begin(&server.config());
    let lanes = format!("{}\n", cluster.config().replace("[store]\n", "[store]\nlanes = 7\n"));
    let (clustered, node) = moved(&redis, &lanes, &answers);
    node.stop();
    let node = clustered.start();
    let answers = newsroom::follow(&clustered, &node);
    node.stop();
    let (files, node) = moved(&clustered, "", &answers);
    node.stop();
    verified(&files);
}
