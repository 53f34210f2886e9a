//! `/live`: what happens now, for those who watch.

use http::Method;
use serde_json::json;

use crate::harness::TestApp;

#[tokio::test]
async fn what_happens_is_told() {
    let app = TestApp::start().await;
    let link = app.create(json!({"url": "https://news.example/a", "title": "A story"})).await;
    let code = link["code"].as_str().unwrap().to_owned();
    let mut events = app.call(Method::GET, "/live").events().await;
    let snapshot = events.next().await.unwrap();
    assert_eq!((snapshot.name.as_str(), snapshot.retry.as_str()), ("snapshot", "2000"));
    assert_eq!(snapshot.json()["minutes"].as_array().unwrap().len(), 60);
    assert_eq!(snapshot.json()["today"]["clicks"], 0);
    let first = events.find("tick", |_| true).await;
    app.follow_times(&code, 3).await;
    let mut clicks = 0;
    while clicks < 3 {
        clicks += events.find("tick", |_| true).await.json()["clicks"].as_u64().unwrap();
    }
    assert_eq!(clicks, 3);
    let tick = events.find("tick", |tick| tick["top"][0]["clicks"] == 3).await;
    assert_eq!(tick.json()["top"][0]["title"], "A story");
    assert!(tick.id.parse::<u64>().unwrap() > first.id.parse().unwrap());
    app.create(json!({"url": "https://news.example/b"})).await;
    let change = events.find("change", |change| change["kind"] == "created").await;
    assert_eq!(change.json()["value"], "https://news.example/b");
}

#[tokio::test]
async fn who_was_cut_off_is_told_what_was_missed() {
    let app = TestApp::start().await;
    let mut stays = app.call(Method::GET, "/live").events().await;
    let last = stays.find("tick", |_| true).await.id;
    app.create(json!({"url": "https://news.example/a"})).await;
    stays.find("change", |_| true).await;
    let mut back = app.call(Method::GET, "/live").header("last-event-id", &last).events().await;
    assert_eq!(back.next().await.unwrap().name, "snapshot");
    assert_eq!(back.next().await.unwrap().name, "change");
    let mut anew = app.call(Method::GET, "/live").events().await;
    assert_eq!(anew.next().await.unwrap().name, "snapshot");
    assert_eq!(anew.next().await.unwrap().name, "tick");
}

#[tokio::test]
async fn a_stop_says_bye() {
    let app = TestApp::start().await;
    let mut events = app.call(Method::GET, "/live").events().await;
    events.find("tick", |_| true).await;
    let watching = async {
        events.find("bye", |_| true).await;
        assert!(events.next().await.is_none());
    };
    let _ = tokio::join!(app.stop(), watching);
}

#[tokio::test]
async fn only_who_may_watch_watches() {
    let app = TestApp::start().await;
    app.http.get("/api/v1/live").await.expect_problem(401, "unauthenticated", None);
    let viewer = app.as_role("viewer").await;
    let mut events = viewer.call(Method::GET, "/live").events().await;
    events.find("tick", |_| true).await;
    app.delete(&format!("/keys/{}", viewer.key_id())).await.expect(204);
    while events.next().await.is_some() {}
}
