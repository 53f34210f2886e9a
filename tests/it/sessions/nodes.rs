//! Two nodes on one Redis: who is in at one is in at the other, and who is out at one is out at both.

use std::time::{Duration, Instant};

use slugline::config::Config;
use slugline::store::settings::Kind;

use super::browser::{Browser, ask};
use crate::harness::{TestApp, eventually_within, json};
use crate::redis::servers::Standalone;

/// Promised for every node.
const PROMISED: Duration = Duration::from_millis(1_500);

fn over(server: &Standalone) -> impl FnOnce(&mut Config) + use<> {
    let settings = server.settings();
    move |config| {
        config.store.kind = Kind::Redis;
        config.store.lanes = 4;
        config.store.redis = settings;
    }
}

/// Fails the test unless it is out at a node by then.
async fn out_by(until: Instant, browser: &Browser) {
    let left = until.saturating_duration_since(Instant::now());
    eventually_within(left, "it is out", async || (browser.get("/links").await.status == 401).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_at_one_is_out_at_the_other() {
    let server = Standalone::start(&[]).await;
    let first = TestApp::start_with(over(&server)).await;
    let dir = tempfile::tempdir().unwrap().into();
    let second = TestApp::start_in(dir, Some(first.key.clone()), over(&server)).await;
    let maria = Browser::new(&first, "Maria", "editor").await;
    let there = |browser: &Browser| Browser { http: second.http.clone(), cookie: browser.cookie.clone() };
    let in_there = async |browser: &Browser| {
        let what = "the other node knows the user";
        let browser = there(browser);
        eventually_within(PROMISED, what, async || (browser.get("/links").await.status == 200).then_some(()))
            .await;
        browser
    };

    // Signed out here.
    let maria_there = in_there(&maria).await;
    maria.delete("/sessions/current").await.expect(204);
    out_by(Instant::now() + PROMISED, &maria_there).await;

    // Disabled there.
    let maria = Browser::of(&first.http, "Maria").await;
    let maria_there = in_there(&maria).await;
    second.delete("/users/maria").await.expect(204);
    let until = Instant::now() + PROMISED;
    out_by(until, &maria_there).await;
    out_by(until, &maria).await;

    // A link that was made here is used there, once.
    let link = first.post("/users/admin/sign-in-link", &json!({})).await.expect(201).json();
    let token = json!({ "token": link["url"].as_str().unwrap().split_once("token=").unwrap().1 });
    ask(&second.http, &token).await.expect(201);
    ask(&first.http, &token).await.expect_problem(401, "unauthenticated", None);
}
