//! Redis as newsrooms run it, on this machine: one server; a master with replicas and Sentinels; a cluster.
//!
//! Each waits until it is ready, says how Slugline is configured for it, and ends with the test.

use std::time::Duration;

use slugline::config::Config;
use slugline::store::redis::Settings;

use super::process::{Process, free_port};
use crate::harness::eventually;

/// What every server of a test is configured with: what we recommend, but without a disk unless a test wants it,
/// and without the waits that are good for networks.
const LINES: &[&str] = &[
    "save \"\"",
    "appendonly no",
    "hash-max-listpack-value 1024",
    "maxmemory-policy noeviction",
    "enable-debug-command yes",
    "repl-diskless-sync-delay 0",
    "repl-ping-replica-period 1",
];
/// What Sentinels call the master.
pub const MASTER: &str = "news";
/// Slots of a cluster.
const SLOTS: u16 = 16_384;

fn lines(more: Vec<String>) -> Vec<String> {
    LINES.iter().map(|line| (*line).to_owned()).chain(more).collect()
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// How much later than its timeout a call may end on a machine that does more beside; too little to wait twice.
pub const SLACK: Duration = Duration::from_millis(750);

/// A whole configuration text as the settings of the Redis store.
pub fn settings(text: &str) -> Settings {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("slugline.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(Some(&file), std::iter::empty(), &[]).unwrap().store.redis
}

fn config(mode: &str, servers: &[Process]) -> String {
    let urls: Vec<String> = servers.iter().map(|s| format!("\"redis://{}\"", s.address())).collect();
    let urls = urls.join(", ");
    format!("[store]\nkind = \"redis\"\n[store.redis]\nmode = \"{mode}\"\nurls = [{urls}]\n")
}

/// Starts servers beside each other.
async fn start_all(n: usize, lines: impl Fn() -> Vec<String>, more: &[&str]) -> Vec<Process> {
    futures_util::future::join_all((0..n).map(|_| Process::start(&lines, more))).await
}

/// One server.
pub struct Standalone {
    process: Process,
}

impl std::ops::Deref for Standalone {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl std::ops::DerefMut for Standalone {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

impl Standalone {
    /// Starts one with further lines of redis.conf, like `appendonly yes`.
    pub async fn start(more: &[&str]) -> Standalone {
        Standalone::start_with(|| owned(more)).await
    }

    /// The same with lines that are asked again for each try to start: a port among them may have been taken.
    pub async fn start_with(more: impl Fn() -> Vec<String>) -> Standalone {
        Standalone { process: Process::start(|| lines(more()), &[]).await }
    }

    /// What Slugline is configured with, as text of its configuration file.
    pub fn config(&self) -> String {
        self.config_at(&self.address())
    }

    /// The same for a server that is reached at another address (`host:port`).
    pub fn config_at(&self, address: &str) -> String {
        format!("[store]\nkind = \"redis\"\n[store.redis]\nurls = [\"redis://{address}\"]\n")
    }

    /// The same as settings.
    pub fn settings(&self) -> Settings {
        settings(&self.config())
    }

    /// Settings for another address.
    pub fn settings_at(&self, address: &str) -> Settings {
        settings(&self.config_at(address))
    }
}

/// A master, two replicas, and three Sentinels that watch them.
pub struct Sentinels {
    /// The servers; the first begins as master.
    pub servers: Vec<Process>,
    /// The Sentinels.
    pub sentinels: Vec<Process>,
}

impl Sentinels {
    /// Starts them, with further lines for the servers.
    pub async fn start(more: &[&str]) -> Sentinels {
        let servers = start_all(3, || lines(owned(more)), &[]).await;
        let port = servers[0].port().to_string();
        for replica in &servers[1..] {
            replica.ask(&["REPLICAOF", "127.0.0.1", &port]).await;
        }
        let watching = || {
            vec![
                format!("sentinel monitor {MASTER} 127.0.0.1 {port} 2"),
                format!("sentinel down-after-milliseconds {MASTER} 1000"),
                // Not shorter: on a busy machine a failover that takes longer would be followed by another.
                format!("sentinel failover-timeout {MASTER} 5000"),
                format!("sentinel parallel-syncs {MASTER} 2"),
            ]
        };
        let sentinels = start_all(3, watching, &["--sentinel"]).await;
        let all = Sentinels { servers, sentinels };
        all.settled().await;
        all
    }

    /// Waits until every Sentinel sees the same master with two replicas that follow it.
    pub async fn settled(&self) {
        eventually("the Sentinels agree and the replicas follow", async || {
            let master = self.said_master(0).await?;
            for n in 0..self.sentinels.len() {
                let seen = self.sentinels[n].try_ask(&["SENTINEL", "MASTER", MASTER]).await.ok()?;
                let seen: std::collections::BTreeMap<String, String> = redis::from_redis_value(seen).ok()?;
                let agrees = self.said_master(n).await? == master
                    && seen.get("flags")? == "master"
                    && seen.get("num-slaves")? == "2"
                    && seen.get("num-other-sentinels")? == "2";
                if !agrees {
                    return None;
                }
            }
            (self.servers[master].info("connected_slaves").await == "2").then_some(())
        })
        .await;
    }

    /// Which server a Sentinel says is the master.
    async fn said_master(&self, sentinel: usize) -> Option<usize> {
        let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER];
        let (_, port): (String, u16) =
            redis::from_redis_value(self.sentinels[sentinel].try_ask(&ask).await.ok()?).ok()?;
        self.servers.iter().position(|server| server.port() == port)
    }

    /// Which server is the master, as far as all Sentinels know.
    pub async fn master(&self) -> usize {
        eventually("the Sentinels agree", async || {
            let first = self.said_master(0).await?;
            let same = self.said_master(1).await? == first && self.said_master(2).await? == first;
            same.then_some(first)
        })
        .await
    }

    /// Waits until another server than this one is the master and says so itself; gives which.
    pub async fn replaced(&self, old: usize) -> usize {
        eventually("another server is the master", async || {
            let new = self.said_master(0).await?;
            let role = self.servers[new].try_ask(&["ROLE"]).await.ok()?;
            let is_master = format!("{role:?}").contains("master");
            (new != old && is_master).then_some(new)
        })
        .await
    }

    /// What Slugline is configured with, as text of its configuration file.
    pub fn config(&self) -> String {
        format!("{}sentinel_master = \"{MASTER}\"\n", config("sentinel", &self.sentinels))
    }

    /// The same as settings.
    pub fn settings(&self) -> Settings {
        settings(&self.config())
    }
}

/// Three masters that share the slots evenly, and a replica of each.
pub struct Cluster {
    /// The first three begin as masters, the n-th of the others as the replica of the n-th.
    pub nodes: Vec<Process>,
}

impl Cluster {
    /// Starts it, with further lines for the nodes.
    pub async fn start(more: &[&str]) -> Cluster {
        Cluster::start_with(|| owned(more)).await
    }

    /// The same with lines that are asked for each node.
    pub async fn start_with(more: impl Fn() -> Vec<String>) -> Cluster {
        let node_lines = || {
            let mut all = lines(more());
            all.extend(
                [
                    "cluster-enabled yes",
                    "cluster-node-timeout 1500",
                    "cluster-require-full-coverage no",
                    "cluster-allow-replica-migration no",
                    "cluster-replica-validity-factor 0",
                ]
                .map(str::to_owned),
            );
            all.push(format!("cluster-port {}", free_port()));
            all
        };
        let cluster = Cluster { nodes: start_all(6, node_lines, &[]).await };
        cluster.join().await;
        cluster.settled().await;
        cluster
    }

    async fn join(&self) {
        let (masters, replicas) = self.nodes.split_at(3);
        for (n, master) in (0u16..).zip(masters) {
            let (from, to) = (n * (SLOTS / 3 + 1), ((n + 1) * (SLOTS / 3 + 1)).min(SLOTS) - 1);
            master.ask(&["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()]).await;
            master.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]).await;
        }
        for node in &self.nodes[1..] {
            let (port, bus) = (node.port().to_string(), node.setting("cluster-port").await);
            self.nodes[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await;
        }
        eventually("all nodes know each other", async || {
            for node in &self.nodes {
                let known = node.say(&["CLUSTER", "NODES"]).await;
                let well = known.lines().filter(|l| !l.contains("handshake") && l.contains(" connected"));
                if well.count() < self.nodes.len() {
                    return None;
                }
            }
            Some(())
        })
        .await;
        for (master, replica) in masters.iter().zip(replicas) {
            replica.ask(&["CLUSTER", "REPLICATE", &master.say(&["CLUSTER", "MYID"]).await]).await;
        }
    }

    /// Waits until every node sees all slots served, and every replica follows its master.
    pub async fn settled(&self) {
        eventually("the cluster is well", async || {
            let (mut masters, mut following) = (0, 0);
            for node in &self.nodes {
                let state = redis::from_redis_value(node.try_ask(&["CLUSTER", "INFO"]).await.ok()?);
                let state: String = state.ok()?;
                if !state.contains("cluster_state:ok") || !state.contains("cluster_slots_ok:16384") {
                    return None;
                }
                let info = redis::from_redis_value(node.try_ask(&["INFO", "replication"]).await.ok()?);
                let info: String = info.ok()?;
                masters += usize::from(info.contains("role:master"));
                following += usize::from(info.contains("master_link_status:up"));
            }
            (masters == 3 && following == 3).then_some(())
        })
        .await;
    }

    /// Which node serves a slot, as node `asked` knows it.
    pub async fn owner(&self, asked: usize, slot: u16) -> Option<usize> {
        type Served = (u16, u16, (String, u16));
        let slots = self.nodes[asked].try_ask(&["CLUSTER", "SLOTS"]).await.ok()?;
        let redis::Value::Array(slots) = slots else { return None };
        slots.into_iter().find_map(|served| {
            let redis::Value::Array(mut parts) = served else { return None };
            parts.truncate(3);
            if let Some(redis::Value::Array(node)) = parts.get_mut(2) {
                node.truncate(2);
            }
            let (from, to, (_, port)): Served = redis::from_redis_value(redis::Value::Array(parts)).ok()?;
            (from..=to).contains(&slot).then_some(())?;
            self.nodes.iter().position(|node| node.port() == port)
        })
    }

    /// Begins to move a slot: keys that are made from now on are made at the new owner.
    pub async fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let (from_id, to_id) = (self.id(from).await, self.id(to).await);
        let slot = slot.to_string();
        self.nodes[to].ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]).await;
        self.nodes[from].ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]).await;
    }

    /// Moves at most `count` keys of a slot; gives how many.
    pub async fn move_keys(&self, slot: u16, from: usize, to: usize, count: usize) -> usize {
        let ask = ["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), &count.to_string()];
        let keys: Vec<String> = redis::from_redis_value(self.nodes[from].ask(&ask).await).unwrap();
        let port = self.nodes[to].port().to_string();
        for key in &keys {
            self.nodes[from].ask(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]).await;
        }
        keys.len()
    }

    /// Ends the move of a slot: all keys that are left, then the ownership.
    pub async fn end_move(&self, slot: u16, from: usize, to: usize) {
        while self.move_keys(slot, from, to, 100).await > 0 {}
        let (slot, to_id) = (slot.to_string(), self.id(to).await);
        for node in [to, from] {
            self.nodes[node].ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]).await;
        }
    }

    async fn id(&self, node: usize) -> String {
        self.nodes[node].say(&["CLUSTER", "MYID"]).await
    }

    /// What Slugline is configured with, as text of its configuration file.
    pub fn config(&self) -> String {
        config("cluster", &self.nodes)
    }

    /// The same as settings.
    pub fn settings(&self) -> Settings {
        settings(&self.config())
    }
}
