//! Links open and close at their time, by themselves.

use jiff::{SignedDuration, Timestamp};

use crate::harness::{TestApp, eventually, json};

/// Asks until `after` comes, and holds every answer that is surely from before or after `at` to its status.
async fn turns(app: &TestApp, code: &str, at: Timestamp, before: u16, after: u16) {
    eventually("the link's time has come", async || {
        let asked = Timestamp::now();
        let status = app.follow(code).await.status;
        if Timestamp::now() < at {
            assert_eq!(status, before, "{code} before its time");
        }
        if asked >= at {
            assert_eq!(status, after, "{code} after its time");
        }
        (status == after).then_some(())
    })
    .await;
}

fn soon() -> Timestamp {
    let at = Timestamp::now() + SignedDuration::from_millis(1_500);
    Timestamp::from_millisecond(at.as_millisecond()).unwrap()
}

#[tokio::test]
async fn a_link_opens_at_its_time() {
    let app = TestApp::start().await;
    let at = soon();
    app.create(
        json!({ "url": "https://news.example.com/a", "code": "embargo", "not_before": at.to_string() }),
    )
    .await;
    turns(&app, "embargo", at, 404, 302).await;
    assert_eq!(app.link("embargo").await["status"], "active");
}

#[tokio::test]
async fn a_link_closes_at_its_time() {
    let app = TestApp::start().await;
    let at = soon();
    app.create(json!({ "url": "https://news.example.com/a", "code": "ends", "expires_at": at.to_string() }))
        .await;
    turns(&app, "ends", at, 302, 410).await;
    assert_eq!(app.link("ends").await["status"], "expired");
}
