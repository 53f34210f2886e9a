//! Nodes stay one service where servers change places: with Sentinels, in a cluster, through failovers that lose
//! writes.

use std::time::Duration;

use slugline::clock;
use slugline::store::conformance::editing::{changed, edit};
use slugline::store::conformance::{ask, created, find};
use slugline::store::redis::Settings;

use super::coherent::many;
use super::nodes::{Following, Node};
use super::process::Process;
use super::servers::{Cluster, Sentinels};
use crate::harness::{eventually, eventually_within};

/// What a change may take on a machine that runs seven servers beside this.
const SEEN: Duration = Duration::from_millis(1_500);

async fn pair(settings: &Settings) -> (Node, Node) {
    (Node::start(settings.clone(), 8).await, Node::start(settings.clone(), 8).await)
}

/// Changes of each node are seen by the other.
async fn are_one(one: &Node, two: &Node, tag: u64) {
    for (n, (writer, reader)) in (0..).zip([(one, two), (two, one)]) {
        let code = format!("one{tag}x{n}");
        let made = async || {
            let made = writer.links.create(vec![ask(tag + n, &code, &[&code])], clock::now()).await;
            made.ok()
        };
        eventually("links are made", made).await;
        let found = find(writer, &code).await;
        changed(writer, edit(&found, |l| l.note = Some("seen".into()))).await;
        let seen = async || (reader.note(&code).await? == "seen").then_some(());
        eventually_within(SEEN, "the other sees it", seen).await;
    }
}

/// Waits until everybody has the same, and a node that knows nothing yet reads it from the store.
async fn agree(settings: &Settings, nodes: [&Node; 2], expected: &[String]) {
    let new = Node::start(settings.clone(), 8).await;
    eventually("all agree", async || {
        let (all, others) = (nodes[0].listed().await, nodes[1].listed().await);
        let same = all == others && all == new.listed().await;
        (same && expected.iter().all(|code| all.contains_key(code))).then_some(())
    })
    .await;
    for code in expected {
        assert_eq!(find(&new, code).await, find(nodes[0], code).await);
    }
    assert_eq!(new.audit("link.lost").await, [""; 0]);
    new.stop().await;
}

/// Lets a replica hear nothing of its master for a while: what is written meanwhile is lost if it takes over.
async fn deafen(replica: &Process, deaf: bool) {
    // A replica that signs in wrongly is not let in.
    let user = if deaf { "nobody" } else { "" };
    replica.ask(&["CONFIG", "SET", "masteruser", user]).await;
    replica.ask(&["CONFIG", "SET", "masterauth", if deaf { "wrong" } else { "" }]).await;
    if deaf {
        replica.ask(&["CLIENT", "KILL", "TYPE", "master"]).await;
        eventually("the replica is cut off", async || {
            (replica.info("master_link_status").await == "down").then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_and_a_failover_that_loses_writes() {
    let servers = Sentinels::start(&[]).await;
    let settings = servers.settings();
    let (one, two) = pair(&settings).await;
    are_one(&one, &two, 1).await;
    let old = servers.master().await;
    let replicas: Vec<&Process> = (0..3).filter(|n| *n != old).map(|n| &servers.servers[n]).collect();
    for replica in &replicas {
        deafen(replica, true).await;
    }
    one.make(many(0, 20)).await;
    let found = find(&one, "one1x0").await;
    changed(&one, edit(&found, |l| l.note = Some("lost".into()))).await;
    let seen = async || (two.note("one1x0").await? == "lost" && two.listed().await.len() == 22).then_some(());
    eventually("both nodes have it", seen).await;
    servers.servers[old].kill();
    for replica in &replicas {
        deafen(replica, false).await;
    }
    let new = servers.replaced(old).await;
    assert_ne!(new, old);
    let expected: Vec<String> = (0..20).map(|n| format!("code{n}")).chain(["one1x0".to_owned()]).collect();
    agree(&settings, [&one, &two], &expected).await;
    assert_eq!(two.note("one1x0").await.as_deref(), Some("lost"), "it was put back");
    are_one(&one, &two, 50).await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_and_a_master_that_dies() {
    let cluster = Cluster::start(&[]).await;
    let settings = cluster.settings();
    let (one, two) = pair(&settings).await;
    let cached = Following::start(&two).await;
    are_one(&one, &two, 1).await;
    one.make(many(0, 30)).await;
    let found = created(&one, ask(99, "a", &["aa"])).await;
    assert!(cached.target("aa").await.is_some());
    eventually("both know all", async || (two.listed().await.len() == 33).then_some(())).await;
    cluster.nodes[0].kill();
    // Every known link is told, whichever master it lies on.
    for n in 0..30 {
        let known =
            tokio::time::timeout(Duration::from_millis(900), cached.target(&format!("code{n}"))).await;
        assert!(known.unwrap().is_some(), "{n}");
    }
    eventually("the replica has taken over", async || {
        let role = cluster.nodes[3].info("role").await;
        (role == "master").then_some(())
    })
    .await;
    are_one(&one, &two, 200).await;
    let moved = "https://news.example.com/moved".to_owned();
    changed(&one, edit(&found, |l| l.target = Some(moved.clone()))).await;
    let seen = async || (cached.target("aa").await? == moved).then_some(());
    eventually_within(SEEN, "the edit is seen", seen).await;
    let expected: Vec<String> = (0..30).map(|n| format!("code{n}")).collect();
    agree(&settings, [&one, &two], &expected).await;
    drop(cached);
    one.stop().await;
    two.stop().await;
}
