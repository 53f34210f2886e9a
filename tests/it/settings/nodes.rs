//! Three nodes on one Redis: what is changed at one holds at all of them within 1.5 seconds.

use std::time::Duration;

use slugline::config::Config;
use slugline::store::settings::Kind;

use super::{item, reasons, set};
use crate::articles::site::{Asked, Site, html};
use crate::harness::wait::eventually_within;
use crate::harness::{TestApp, eventually, json};
use crate::redis::servers::Standalone;

/// Promised for every node.
const PROMISED: Duration = Duration::from_millis(1_500);

fn over(server: &Standalone, private: Option<String>) -> impl FnOnce(&mut Config) + use<> {
    let settings = server.settings();
    move |config| {
        config.store.kind = Kind::Redis;
        config.store.lanes = 4;
        config.store.redis = settings;
        config.articles.fetch_private_hosts = private.into_iter().collect();
    }
}

async fn three(server: &Standalone, private: Option<String>) -> Vec<TestApp> {
    let mut nodes = vec![TestApp::start_with(over(server, private.clone())).await];
    for _ in 0..2 {
        let (dir, key) = (tempfile::tempdir().unwrap().into(), nodes[0].key.clone());
        nodes.push(TestApp::start_in(dir, Some(key), over(server, private.clone())).await);
    }
    nodes
}

/// Asks all nodes until each says yes, within what is promised.
async fn everywhere(what: &str, nodes: &[TestApp], holds: impl AsyncFn(&TestApp) -> bool) {
    let until = std::time::Instant::now() + PROMISED;
    for node in nodes {
        let left = until.saturating_duration_since(std::time::Instant::now());
        eventually_within(left, what, async || holds(node).await.then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_at_one_node_holds_at_all() {
    let server = Standalone::start(&[]).await;
    let nodes = three(&server, None).await;
    let denied = async |node: &TestApp| {
        let looked = node.get("/lookup?url=https%3A%2F%2Fbad.example%2Fa").await;
        looked.status == 422 && looked.problem().1 == "denied_host"
    };
    set(&nodes[0], "links.denied_hosts", json!(["bad.example"])).await;
    everywhere("the host is denied", &nodes, denied).await;
    nodes[2].delete("/settings/links.denied_hosts").await.expect(204);
    everywhere("it is not any more", &nodes, async |node| !denied(node).await).await;

    set(&nodes[1], "newsroom.name", json!("Die Post")).await;
    everywhere("readers' pages have the name", &nodes, async |node| {
        node.http.get("/unknown").await.text().contains("Die Post")
    })
    .await;

    set(&nodes[0], "articles.allowed_hosts", json!(["news.example.com"])).await;
    nodes[1].post("/channels", &json!({ "name": "x", "utm_source": "x" })).await.expect(201);
    everywhere("the channel is known", &nodes, async |node| node.all("/channels").await.len() == 1).await;
    for (n, node) in nodes.iter().enumerate() {
        let body = json!({ "url": format!("https://news.example.com/{n}"), "channel": "x" });
        let link = node.post("/links", &body).await.expect(201).json();
        assert_eq!(link["target"], format!("https://news.example.com/{n}?utm_source=x"));
    }
    // Of many who change it at once one wins at each version.
    let attempts = nodes.iter().map(|node| async move {
        let body = json!({ "value": format!("Node {}", node.http.address().port()), "version": 1 });
        node.patch("/settings/newsroom.name", &body).await.status
    });
    let mut statuses = futures_util::future::join_all(attempts).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409]);
}

fn story(asked: &Asked, stream: &mut std::net::TcpStream) -> std::io::Result<()> {
    let claim = format!("http://{}/world/2026/the-river-rises-1", asked.host);
    html(stream, &format!("<link rel=canonical href='{claim}'><title>The river rises</title>"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_allowed_host_begins_the_reading_at_all_nodes() {
    let site = Site::start(story);
    let host = format!("127.0.0.1:{}", site.port);
    let server = Standalone::start(&[]).await;
    let nodes = three(&server, Some(host.clone())).await;
    set(&nodes[0], "articles.allowed_hosts", json!([host])).await;
    everywhere("the host is allowed", &nodes, async |node| {
        item(node, "articles.allowed_hosts").await["value"] != json!([])
    })
    .await;
    let mut codes = vec![];
    for (n, node) in nodes.iter().enumerate() {
        let url = site.url("127.0.0.1", &format!("/world/2026/spelling-{n}"));
        let answer = node.post("/links", &json!({ "url": url.as_str() })).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
        codes.push(answer.json()["code"].clone());
    }
    assert!(codes.iter().all(|code| *code == codes[0]), "one story: {codes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_there_without_the_store() {
    let server = Standalone::start(&[]).await;
    let app = TestApp::start_with(over(&server, None)).await;
    set(&app, "newsroom.name", json!("Die Post")).await;
    server.say(&["SAVE"]).await;
    let (dir, key) = app.stop().await;
    server.kill();
    let app = TestApp::start_in(dir, Some(key), over(&server, None)).await;
    assert!(app.http.get("/unknown").await.text().contains("Die Post"));
    assert_eq!(item(&app, "newsroom.name").await["version"], 1);
    let refused = app.post("/settings", &json!({ "name": "newsroom.name", "value": "x" })).await;
    refused.expect_problem(503, "store_unavailable", None);
    eventually("it says that the store is away", async || {
        reasons(&app.ops).await.contains(&"store_unavailable".to_owned()).then_some(())
    })
    .await;
}
