//! What the doctor says of servers at start.

use slugline::clock;
use slugline::store::redis::Settings;
use slugline::store::redis::conn::Conn;
use slugline::store::redis::doctor::{Finding, examine};

use super::servers::{Cluster, Standalone};

async fn found(settings: &Settings) -> Vec<Finding> {
    let conn = Conn::open(settings).await.unwrap();
    let findings = examine(&conn, clock::now()).await.unwrap();
    conn.close().await;
    findings
}

fn risks(findings: &[Finding]) -> Vec<&str> {
    findings.iter().filter(|f| f.risk).map(|f| f.text.as_str()).collect()
}

#[tokio::test]
async fn a_sound_server_has_no_risks() {
    let server = Standalone::start(&["appendonly yes", "appendfsync everysec"]).await;
    let findings = found(&server.settings()).await;
    assert_eq!(risks(&findings), [] as [&str; 0]);
    let notes: Vec<&str> = findings.iter().map(|f| f.text.as_str()).collect();
    assert!(notes.iter().any(|note| note.contains("no replica")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("appendfsync")), "{notes:?}");
    assert!(notes.iter().all(|note| note.contains(&server.address())), "{notes:?}");
    assert!(!notes.iter().any(|note| note.contains("clock")), "{notes:?}");
}

#[tokio::test]
async fn what_can_lose_links_is_a_risk() {
    let server = Standalone::start(&["maxmemory-policy allkeys-lru"]).await;
    let findings = found(&server.settings()).await;
    let said = risks(&findings).join("\n");
    assert!(said.contains("allkeys-lru") && said.contains("writes nothing to disk"), "{said}");
    server.ask(&["CONFIG", "SET", "save", "60 1"]).await;
    let findings = found(&server.settings()).await;
    assert!(risks(&findings).join("\n").contains("last snapshot"), "{findings:?}");
}

#[tokio::test]
async fn what_may_not_be_read_is_said() {
    let server = Standalone::start(&["user default on nopass ~* &* +@all -config"]).await;
    let findings = found(&server.settings()).await;
    assert!(findings.iter().any(|f| !f.risk && f.text.contains("cannot be read")), "{findings:?}");
}

#[tokio::test]
async fn every_master_of_a_cluster_is_looked_at() {
    let cluster = Cluster::start(&[]).await;
    cluster.nodes[2].ask(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"]).await;
    let findings = found(&cluster.settings()).await;
    let said = risks(&findings).join("\n");
    assert_eq!(said.matches("writes nothing to disk").count(), 3, "{said}");
    assert_eq!(said.matches("volatile-ttl").count(), 1, "{said}");
    assert!(said.contains(&cluster.nodes[2].address()), "{said}");
}
