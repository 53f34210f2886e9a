//! Stories and embargoes over three nodes of one Redis.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::newsroom::allow;
use super::site::{Site, html};
use crate::harness::{TestApp, eventually, json};
use crate::redis::alone::over;
use crate::redis::servers::Standalone;

/// How late a link may open.
const OPENS_WITHIN: SignedDuration = SignedDuration::from_secs(1);

async fn three(server: &Standalone, site: &Site) -> [TestApp; 3] {
    let dir = || Arc::new(tempfile::tempdir().unwrap());
    let start = async |key: Option<String>| {
        let redis = over(server);
        TestApp::start_in(dir(), key, |config| {
            redis(config);
            allow(config, site);
        })
        .await
    };
    let first = start(None).await;
    let key = Some(first.key.clone());
    let (second, third) = tokio::join!(start(key.clone()), start(key));
    [first, second, third]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_ask_for_one_story_and_get_one_code() {
    let server = Standalone::start(&[]).await;
    let site = Site::start(|asked, stream| {
        let own = format!("http://{}/world/2026/the-river-1", asked.host);
        html(stream, &format!("<link rel=canonical href='{own}'><title>The river</title>"))
    });
    let apps = three(&server, &site).await;
    let spellings = [
        "/world/2026/the-river-1",
        "/world/2026/the-river-1/",
        "/world/2026/the-river-1/amp",
        "/world/2026/the-river-1?utm_source=a&fbclid=1",
        "/w/2026/the-river-rises-1",
    ];
    let asks = (0..100).map(|n| {
        let url = site.url("127.0.0.1", spellings[n % spellings.len()]);
        let app = &apps[n % apps.len()];
        async move { app.post("/links", &json!({ "url": url.as_str() })).await }
    });
    let answers = join_all(asks).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let found = answers.iter().filter(|answer| answer.status == 200).count();
    let codes: HashSet<String> = answers.iter().map(|answer| answer.json()["code"].to_string()).collect();
    assert_eq!((codes.len(), made, found), (1, 1, 99), "{codes:?}");
    // What one node learnt of it all know.
    let code = answers[0].json()["code"].as_str().unwrap().to_owned();
    for app in &apps {
        eventually("the headline is known", async || {
            (app.link(&code).await["article"]["title"] == "The river").then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embargo_opens_at_its_time_on_all_nodes() {
    let server = Standalone::start(&[]).await;
    let site = Site::start(|_, stream| html(stream, "<title>The river</title>"));
    let apps = three(&server, &site).await;
    let opens = Timestamp::now() + SignedDuration::from_secs(2);
    let opens = Timestamp::from_millisecond(opens.as_millisecond()).unwrap();
    let url = site.url("127.0.0.1", "/world/2026/the-river-1");
    apps[0].create(json!({ "url": url.as_str(), "code": "embargo", "not_before": opens.to_string() })).await;
    for app in &apps {
        // Known to be closed and kept so: whoever asks for the second time asks no store.
        eventually("it is known", async || {
            let page = app.follow("embargo").await;
            (app.link("embargo").await["status"] == "scheduled" && page.status == 404).then_some(())
        })
        .await;
        app.follow("embargo").await.expect(404);
    }
    let turns = apps.iter().map(async |app| {
        loop {
            let asked = Timestamp::now();
            let status = app.follow("embargo").await.status;
            assert!(status == 404 || Timestamp::now() >= opens, "{status} before its time");
            assert!(status == 302 || asked < opens + OPENS_WITHIN, "{status} after its time");
            if status == 302 {
                break Timestamp::now().duration_since(opens);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    println!("it was open after {:?}", join_all(turns).await);
}
