//! Codes that do not lead on: unknown, not yet, not any more.

use std::collections::BTreeMap;

use crate::harness::{Answer, TestApp, json};

const STORY: &str = "https://news.example.com/story";

#[track_caller]
fn is_kept_nowhere(answer: &Answer) {
    assert!(answer.header("cache-control").contains("no-store"), "{:?}", answer.headers);
    assert!(answer.header("x-robots-tag").contains("noindex"), "{:?}", answer.headers);
}

/// One link of each closed kind, by its status.
async fn closed(app: &TestApp) {
    let later = "2090-01-01T00:00:00Z";
    for body in [
        json!({ "url": "https://news.example.com/1", "code": "scheduled", "not_before": later }),
        json!({ "code": "reserved", "reserve": true }),
        json!({ "url": "https://news.example.com/2", "code": "disabled" }),
        json!({ "url": "https://news.example.com/3", "code": "expired", "expires_at": "2020-01-01T00:00:00Z" }),
        json!({ "url": "https://news.example.com/4", "code": "retired" }),
    ] {
        app.create(body).await;
    }
    app.change("disabled", json!({ "disabled": true, "message": "Back <b>soon</b>" })).await.expect(200);
    app.change("expired", json!({ "message": "It was for May" })).await.expect(200);
    app.change("retired", json!({ "message": "Gone for good" })).await.expect(200);
    app.delete("/links/retired").await.expect(204);
    for status in ["scheduled", "reserved", "disabled", "expired", "retired"] {
        assert_eq!(app.link(status).await["status"], status);
    }
}

#[tokio::test]
async fn nothing_but_its_text_tells_a_code_that_is_not_open_from_an_unknown_one() {
    let app = TestApp::start().await;
    closed(&app).await;
    let facts = |answer: &Answer| -> BTreeMap<String, String> {
        let told = answer.headers.iter().map(|(name, value)| (name.to_string(), format!("{value:?}")));
        told.filter(|(name, _)| name != "date" && name != "content-length").collect()
    };
    let unknown = app.follow("unknown").await.expect(404);
    is_kept_nowhere(&unknown);
    for code in ["scheduled", "reserved", "scheduled+", "reserved+", "scheduled.q", "unknown+"] {
        let answer = app.follow(code).await.expect(404);
        assert_eq!(facts(&answer), facts(&unknown), "{code}");
        assert!(!answer.text().contains("news.example.com"), "{code}: {}", answer.text());
    }
    assert_eq!(app.follow("scheduled").await.body, app.follow("reserved").await.body);
}

#[tokio::test]
async fn closed_links_say_why() {
    let app = TestApp::start().await;
    closed(&app).await;
    let table = [("disabled", "soon"), ("expired", "It was for May"), ("retired", "Gone for good")];
    for (code, message) in table {
        let answer = app.follow(code).await.expect(410);
        is_kept_nowhere(&answer);
        assert!(answer.text().contains(message), "{code}: {}", answer.text());
        assert!(!answer.text().contains("<b>soon"), "messages are escaped: {}", answer.text());
        assert!(!answer.text().contains("https://news.example.com/"), "{code} does not lead on");
    }
}

#[tokio::test]
async fn closed_links_may_lead_elsewhere() {
    let app =
        TestApp::start_with(|c| c.links.fallback_url = "https://news.example.com/fallback".into()).await;
    closed(&app).await;
    app.change("expired", json!({ "expired_url": "https://news.example.com/own" })).await.expect(200);
    let table = [
        ("expired", "https://news.example.com/own"),
        ("disabled", "https://news.example.com/fallback"),
        ("retired", "https://news.example.com/fallback"),
    ];
    for (code, to) in table {
        let answer = app.follow(code).await.expect(302);
        assert_eq!(answer.location(), to, "{code}");
        is_kept_nowhere(&answer);
    }
    for code in ["unknown", "scheduled", "reserved"] {
        is_kept_nowhere(&app.follow(code).await.expect(404));
    }
}

#[tokio::test]
async fn missed_visits_are_counted_by_reason_and_in_no_total() {
    let app = TestApp::start().await;
    closed(&app).await;
    let visits =
        [("scheduled", 1), ("reserved", 2), ("disabled", 4), ("expired", 5), ("retired", 6), ("unknown", 7)];
    for (code, times) in visits {
        for _ in 0..times {
            app.follow(code).await;
        }
    }
    app.settle().await;
    let all = app.report("summary").await;
    assert_eq!(
        all["missed"],
        json!({ "not_open": 3, "disabled": 4, "expired": 5, "withdrawn": 0, "retired": 6 })
    );
    assert_eq!((&all["clicks"], &all["previews"], &all["bots"]), (&json!(0), &json!(0), &json!(0)));
    let one = app.report("summary?scope=link:expired").await;
    assert_eq!(
        one["missed"],
        json!({ "not_open": 0, "disabled": 0, "expired": 5, "withdrawn": 0, "retired": 0 })
    );
    assert_eq!(app.totals("expired").await, (0, 0, 0));
}

#[tokio::test]
async fn pages_speak_the_newsrooms_language_and_escape_its_name() {
    let app = TestApp::start_with(|c| {
        c.newsroom.language = "de-AT".into();
        c.newsroom.name = "<i>Die Post</i>".into();
        c.newsroom.home = "https://post.example/".into();
    })
    .await;
    app.create(json!({ "url": STORY, "code": "kx7" })).await;
    for code in ["unknown", "kx7+"] {
        let text = app.follow(code).await.text();
        assert!(text.contains("lang=\"de\"") && text.contains("https://post.example/"), "{text}");
        assert!(text.contains("Die Post") && !text.contains("<i>Die Post"), "{text}");
    }
}
