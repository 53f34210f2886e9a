//! A node without its store: it starts, redirects, lists and searches; what it cannot know it says; hits wait.

use std::path::Path;

use slugline::config::Config;
use slugline::store::settings::Kind;

use super::servers::Standalone;
use crate::harness::{TestApp, eventually, json};

/// A configuration over this server.
pub fn over(server: &Standalone) -> impl FnOnce(&mut Config) + use<> {
    let settings = server.settings();
    move |config| {
        config.store.kind = Kind::Redis;
        config.store.lanes = 4;
        config.store.redis = settings;
    }
}

/// Codes of the reasons that a node is not well for.
async fn reasons(app: &TestApp) -> Vec<String> {
    let ready = app.ops.get("/readyz").await.expect(200).json();
    let reasons = ready["reasons"].as_array().unwrap();
    reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
}

/// Lets the mirror say that it has not read all codes yet.
fn forget_complete(data: &Path) {
    let conn = rusqlite::Connection::open(data.join("mirror.db")).unwrap();
    let lanes = conn.execute("UPDATE lanes SET complete = 0 WHERE lane < 4", []).unwrap();
    assert_eq!(lanes, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_the_store_serves_from_the_mirror() {
    let server = Standalone::start(&[]).await;
    let app = TestApp::start_with(over(&server)).await;
    let code = app.shorten("https://news.example.com/storm").await;
    app.create(json!({ "url": "https://news.example.com/vote", "code": "Vote", "title": "The vote" })).await;
    app.follow_times(&code, 3).await;
    assert_eq!(app.totals(&code).await, (3, 0, 0));
    server.say(&["SAVE"]).await;
    let (dir, key) = app.stop().await;
    server.kill();

    let app = TestApp::start_in(dir, Some(key), over(&server)).await;
    assert_eq!(app.follow(&code).await.location(), "https://news.example.com/storm");
    app.follow_times("vote", 4).await;
    app.follow("unknown").await.expect(404);
    let list = app.get("/links?sort=code").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert_eq!(list["items"][0]["totals"], json!(null), "they cannot be known now");
    let found = app.get("/links?q=the+vote").await.expect(200).json();
    assert_eq!(found["items"][0]["code"], "Vote");
    assert_eq!(app.link("Vote").await["title"], "The vote");
    let history = app.get("/links/Vote/history").await.expect(200).json();
    assert_eq!(history["items"][0]["action"], "created");
    let refused = app.post("/links", &json!({ "url": "https://news.example.com/new" })).await;
    refused.expect_problem(503, "store_unavailable", None);
    assert_ne!(refused.header("retry-after"), "");
    app.get("/reports/summary").await.expect_problem(503, "store_unavailable", None);
    eventually("it says that the store is away", async || {
        reasons(&app).await.contains(&"store_unavailable".to_owned()).then_some(())
    })
    .await;

    server.restart().await;
    eventually("all is well again", async || reasons(&app).await.is_empty().then_some(())).await;
    eventually("the store answers", async || (app.get("/reports/summary").await.status == 200).then_some(()))
        .await;
    assert_eq!(app.totals("Vote").await, (4, 0, 0));
    assert_eq!(app.totals(&code).await, (4, 0, 0));
    app.shorten("https://news.example.com/new").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_incomplete_mirror_cannot_know_is_not_told_to_be_unknown() {
    let server = Standalone::start(&[]).await;
    let app = TestApp::start_with(over(&server)).await;
    let code = app.shorten("https://news.example.com/storm").await;
    server.say(&["SAVE"]).await;
    let (dir, key) = app.stop().await;
    server.kill();
    forget_complete(&dir.path().join("data"));
    let app = TestApp::start_in(dir, Some(key), over(&server)).await;
    app.follow(&code).await.expect(302);
    let answer = app.follow("unknown").await.expect(503);
    assert_ne!(answer.header("retry-after"), "");
    assert!(reasons(&app).await.contains(&"mirror_incomplete".to_owned()));
    server.restart().await;
    eventually("the mirror is complete", async || reasons(&app).await.is_empty().then_some(())).await;
    eventually("unknown codes are known to be", async || {
        (app.follow("unknown").await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_goes_and_comes_keeps_known_links() {
    let server = Standalone::start(&[]).await;
    let app = TestApp::start_with(over(&server)).await;
    let codes =
        [app.shorten("https://news.example.com/a").await, app.shorten("https://news.example.com/b").await];
    app.follow_times(&codes[0], 1).await;
    server.say(&["SAVE"]).await;
    server.kill();
    for _ in 0..3 {
        // One is cached, the other comes from the mirror.
        app.follow_times(&codes[0], 1).await;
        app.follow_times(&codes[1], 1).await;
    }
    server.restart().await;
    eventually("the store answers", async || (app.get("/reports/summary").await.status == 200).then_some(()))
        .await;
    assert_eq!(app.totals(&codes[0]).await, (4, 0, 0));
    assert_eq!(app.totals(&codes[1]).await, (3, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_are_one_service() {
    let server = Standalone::start(&[]).await;
    let first = TestApp::start_with(over(&server)).await;
    let dir = || std::sync::Arc::new(tempfile::tempdir().unwrap());
    let second = TestApp::start_in(dir(), Some(first.key.clone()), over(&server)).await;
    let third = TestApp::start_in(dir(), Some(first.key.clone()), over(&server)).await;
    let code = first.shorten("https://news.example.com/storm").await;
    for app in [&first, &second, &third] {
        app.follow_times(&code, 2).await;
    }
    let eventual = async |app: &TestApp| app.totals(&code).await == (6, 0, 0);
    eventually("all hits are counted", async || eventual(&second).await.then_some(())).await;
    third.change(&code, json!({ "url": "https://news.example.com/moved" })).await.expect(200);
    for app in [&first, &second, &third] {
        let moved = "https://news.example.com/moved";
        eventually("it leads on", async || (app.follow(&code).await.location() == moved).then_some(())).await;
    }
    let desk = first.as_role("creator").await;
    let there = async || (second.with_key(&desk.key).get("/links").await.status == 200).then_some(());
    eventually("the other server knows the key", there).await;
    first.delete(&format!("/keys/{}", desk.key_id())).await.expect(204);
    let refused = async || (second.with_key(&desk.key).get("/links").await.status == 401).then_some(());
    eventually("the other server refuses it", refused).await;
}
