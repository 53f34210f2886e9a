//! An edit is seen: at once where it was made, within 1.5 s everywhere else.

use std::time::Duration;

use slugline::clock;
use slugline::domain::access::Actor;
use slugline::links::LinkService;
use slugline::links::codes::Drawer;
use slugline::links::request::Change;
use slugline::store::cache::Cache;

use crate::harness::{TestApp, cli, eventually_within, json};

/// The promise.
const SEEN_WITHIN: Duration = Duration::from_millis(1_500);

#[tokio::test]
async fn an_edit_is_seen_at_once() {
    let app = TestApp::start().await;
    app.follow("kx7").await.expect(404);
    app.create(json!({ "url": "https://news.example.com/0", "code": "kx7" })).await;
    assert_eq!(
        app.follow("kx7").await.expect(302).location(),
        "https://news.example.com/0",
        "no longer unknown"
    );
    for i in 1..50 {
        let url = format!("https://news.example.com/{i}");
        app.change("kx7", json!({ "url": url })).await.expect(200);
        assert_eq!(app.follow("kx7").await.expect(302).location(), url);
    }
    app.change("kx7", json!({ "disabled": true })).await.expect(200);
    app.follow("kx7").await.expect(410);
    app.change("kx7", json!({ "disabled": false, "redirect_status": 308 })).await.expect(200);
    app.follow("kx7").await.expect(308);
    app.delete("/links/kx7").await.expect(204);
    app.follow("kx7").await.expect(410);
}

#[tokio::test]
async fn an_edit_made_by_another_process_is_seen_in_time() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/0").await;
    app.follow(&code).await.expect(302);
    // Another process on the same folder, with its own store and cache.
    let config = &app.config;
    let store = slugline::app::open_store(config, clock::now()).await.unwrap();
    let cache = Cache::new(
        store.links.clone(),
        store.tallies.dataset().await.unwrap().lanes,
        1 << 20,
        Duration::ZERO,
        Duration::from_secs(5),
    );
    let rules = config.target_rules().unwrap();
    let drawer = Drawer::new(&config.codes);
    let other = LinkService::new(store.links.clone(), cache.into(), rules, drawer, Duration::from_secs(5));
    for version in 1..=5 {
        let url = format!("https://news.example.com/{version}");
        let change = Change { version: Some(version), url: Some(Some(url.clone())), ..Change::default() };
        other.change(&code, change, &Actor::cli(), clock::now()).await.unwrap();
        let what = "an edit made elsewhere is seen";
        eventually_within(SEEN_WITHIN, what, async || {
            (app.follow(&code).await.expect(302).location() == url).then_some(())
        })
        .await;
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn keys_made_and_ended_at_the_command_line_are_seen_in_time() {
    let app = TestApp::start().await;
    let key = cli::on(app.data(), &["key", "create", "beside", "--role", "editor"]).done();
    let beside = app.with_key(key.trim());
    eventually_within(SEEN_WITHIN, "the new key works", async || {
        (beside.get("/links").await.status == 200).then_some(())
    })
    .await;
    assert!(cli::on(app.data(), &["key", "list"]).done().contains(beside.key_id()));
    cli::on(app.data(), &["key", "revoke", beside.key_id()]).done();
    eventually_within(SEEN_WITHIN, "the key has ended", async || {
        (beside.get("/links").await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn users_changed_at_the_command_line_are_seen() {
    let app = TestApp::start().await;
    cli::on(app.data(), &["user", "add", "ada", "--role", "editor"]).done();
    let data = format!("data.dir={}", app.data().display());
    let passwd = ["user", "passwd", "ada", "--set", &data];
    cli::run_with(passwd, &[], "correct horse\n").done();
    let ada = || async { app.get("/users").await.expect(200).json()["items"][1].clone() };
    assert_eq!((&ada().await["name"], &ada().await["has_password"]), (&json!("ada"), &json!(true)));
    assert_eq!(cli::run_with(passwd, &[], "short\n").code, 1);
    cli::on(app.data(), &["user", "disable", "ada"]).done();
    assert!(ada().await["disabled_at"].is_string());
    assert!(cli::on(app.data(), &["user", "list"]).done().contains("disabled"));
}
