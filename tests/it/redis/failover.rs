//! Servers that change places: a Sentinel's failover, a cluster's, slots that move.

use std::time::{Duration, Instant};

use slugline::store::redis::conn::{Conn, read};
use slugline::store::redis::tags::slot_of_key;

use super::conn::{add, get, set};
use super::servers::{Cluster, SLACK, Sentinels};
use crate::harness::wait::LONG;
use crate::harness::{eventually, eventually_within};

/// A key in each third of the slots, so that each master of a cluster has one.
fn keys(cluster: &Cluster) -> Vec<String> {
    let part = |key: &str| usize::from(slot_of_key(key.as_bytes()) / 5462);
    let third = |n| (0..).map(|i| format!("key{i}")).find(|key| part(key) == n).unwrap();
    assert_eq!(cluster.nodes.len(), 6);
    (0..3).map(third).collect()
}

#[tokio::test]
async fn a_failover_is_followed() {
    let servers = Sentinels::start(&[]).await;
    let conn = Conn::open(&servers.settings()).await.unwrap();
    conn.ask(set("a", "1")).await.unwrap();
    let mut messages = conn.subscribe("news").await.unwrap();
    assert_eq!(messages.recv().await.unwrap(), None);
    let old = servers.master().await;
    servers.servers[old].kill();
    let writes = eventually_within(LONG, "writes go on", async || conn.ask(set("a", "2")).await.ok());
    println!("writes went on {:?} after the master was killed", writes.await.1);
    let new = servers.replaced(old).await;
    assert_eq!(servers.servers[new].say(&["GET", "a"]).await, "2");
    eventually("messages go on", async || {
        servers.servers[new].ask(&["PUBLISH", "news", "one"]).await;
        messages.try_recv().ok().flatten()
    })
    .await;
    // The old master comes back, is made a replica, and nobody takes it for the master.
    servers.servers[old].restart().await;
    servers.settled().await;
    conn.ask(set("a", "3")).await.unwrap();
    assert_eq!(servers.servers[new].say(&["GET", "a"]).await, "3");
    conn.close().await;
}

#[tokio::test]
async fn a_master_that_freezes_is_left() {
    let servers = Sentinels::start(&[]).await;
    let conn = Conn::open(&servers.settings()).await.unwrap();
    conn.ask(set("a", "1")).await.unwrap();
    let old = servers.master().await;
    servers.servers[old].freeze();
    let limit = servers.settings().timeout.0 + SLACK;
    eventually("writes go on", async || {
        let began = Instant::now();
        let done = conn.ask(set("a", "2")).await;
        assert!(began.elapsed() < limit, "a call took {:?}", began.elapsed());
        done.ok()
    })
    .await;
    let new = servers.replaced(old).await;
    servers.servers[old].thaw();
    servers.settled().await;
    conn.ask(set("a", "3")).await.unwrap();
    assert_eq!(servers.servers[new].say(&["GET", "a"]).await, "3");
    conn.close().await;
}

#[tokio::test]
async fn a_planned_failover_loses_no_call_for_long() {
    let servers = Sentinels::start(&[]).await;
    let conn = Conn::open(&servers.settings()).await.unwrap();
    let old = servers.master().await;
    servers.sentinels[0].ask(&["SENTINEL", "FAILOVER", super::servers::MASTER]).await;
    let new = servers.replaced(old).await;
    eventually("writes go to the new master", async || {
        conn.ask(set("a", "1")).await.ok()?;
        (servers.servers[new].say(&["EXISTS", "a"]).await == "1").then_some(())
    })
    .await;
    conn.close().await;
}

#[tokio::test]
async fn a_cluster_is_asked_run_and_heard() {
    let cluster = Cluster::start(&[]).await;
    let conn = Conn::open(&cluster.settings()).await.unwrap();
    let keys = keys(&cluster);
    for (n, key) in (1..).zip(&keys) {
        conn.ask(set(key, &n.to_string())).await.unwrap();
        assert_eq!(add(&conn, key, 10).await.unwrap(), n + 10);
    }
    let many = keys.iter().cycle().take(1_200).map(|key| get(key)).collect();
    let answers = conn.ask_all(many).await.unwrap().into_iter().map(|a| read::<u64>(a).unwrap());
    assert!(answers.eq((1..=3).cycle().take(1_200).map(|n| n + 10)));
    let mut messages = conn.subscribe("news").await.unwrap();
    assert_eq!(messages.recv().await.unwrap(), None);
    for node in &cluster.nodes {
        node.ask(&["PUBLISH", "news", "one"]).await;
        assert_eq!(messages.recv().await.unwrap().as_deref(), Some(&b"one"[..]), "every node hears all");
    }
    conn.close().await;
}

#[tokio::test]
async fn slots_that_move_are_followed() {
    let cluster = Cluster::start(&[]).await;
    let conn = Conn::open(&cluster.settings()).await.unwrap();
    let keys = ["{moves}:a".to_owned(), "{moves}:b".to_owned()];
    let slot = slot_of_key(keys[0].as_bytes());
    let from = cluster.owner(0, slot).await.unwrap();
    let to = (from + 1) % 3;
    for key in &keys {
        conn.ask(set(key, "1")).await.unwrap();
    }
    for (from, to) in [(from, to), (to, from)] {
        cluster.begin_move(slot, from, to).await;
        assert_eq!(add(&conn, &keys[0], 1).await.unwrap() % 2, 0);
        assert_eq!(cluster.move_keys(slot, from, to, 1).await, 1, "one key is there, one still here");
        for key in &keys {
            conn.ask(get(key)).await.unwrap();
        }
        cluster.end_move(slot, from, to).await;
        assert_eq!(add(&conn, &keys[0], 1).await.unwrap() % 2, 1);
    }
    conn.close().await;
}

#[tokio::test]
async fn a_master_of_a_cluster_is_replaced() {
    let cluster = Cluster::start(&[]).await;
    let conn = Conn::open(&cluster.settings()).await.unwrap();
    let keys = keys(&cluster);
    for key in &keys {
        conn.ask(set(key, "1")).await.unwrap();
    }
    eventually("the replicas have it", async || {
        (cluster.nodes[4].say(&["DBSIZE"]).await == "1").then_some(())
    })
    .await;
    cluster.nodes[1].kill();
    let writes = eventually_within(LONG, "writes go on", async || conn.ask(set(&keys[1], "2")).await.ok());
    println!("writes went on {:?} after a master of the cluster was killed", writes.await.1);
    for key in [&keys[0], &keys[2]] {
        conn.ask(get(key)).await.unwrap();
    }
    cluster.nodes[1].restart().await;
    cluster.settled().await;
    assert_eq!(read::<u64>(conn.ask(get(&keys[1])).await.unwrap()).unwrap(), 2);
    conn.close().await;
}

#[tokio::test]
async fn a_frozen_part_holds_up_only_itself() {
    let cluster = Cluster::start(&["cluster-replica-no-failover yes"]).await;
    let conn = Conn::open(&cluster.settings()).await.unwrap();
    let keys = keys(&cluster);
    for key in &keys {
        conn.ask(set(key, "1")).await.unwrap();
    }
    cluster.nodes[0].freeze();
    let limit = cluster.settings().timeout.0 + SLACK;
    eventually("the frozen part is known to be away", async || {
        let began = Instant::now();
        assert!(conn.ask(get(&keys[0])).await.is_err());
        assert!(began.elapsed() < limit, "a call took {:?}", began.elapsed());
        (began.elapsed() < Duration::from_millis(20)).then_some(())
    })
    .await;
    eventually("the others answer", async || {
        conn.ask(get(&keys[1])).await.ok()?;
        conn.ask(get(&keys[2])).await.ok()
    })
    .await;
    cluster.nodes[0].thaw();
    eventually("it answers again", async || conn.ask(get(&keys[0])).await.ok()).await;
    conn.close().await;
}

#[tokio::test]
async fn a_whole_cluster_that_was_away_is_found_again() {
    let cluster = Cluster::start(&["appendonly yes"]).await;
    let conn = Conn::open(&cluster.settings()).await.unwrap();
    let keys = keys(&cluster);
    conn.ask(set(&keys[0], "1")).await.unwrap();
    cluster.nodes.iter().for_each(super::process::Process::kill);
    assert!(conn.ask(get(&keys[0])).await.is_err());
    futures_util::future::join_all(cluster.nodes.iter().map(super::process::Process::restart)).await;
    cluster.settled().await;
    for key in &keys {
        eventually("all of it answers", async || conn.ask(get(key)).await.ok()).await;
    }
    conn.close().await;
}
