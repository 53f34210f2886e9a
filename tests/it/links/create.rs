//! Get or create: the same story, channel, campaign and target give the same link.

use crate::harness::{TestApp, Value, json};

const STORY: &str = "https://news.example.com/world/story";

fn code(link: &Value) -> &str {
    link["code"].as_str().unwrap_or_else(|| panic!("no code: {link}"))
}

#[tokio::test]
async fn a_new_link_has_every_field_of_the_contract() {
    let app = TestApp::start().await;
    let link = app
        .create(json!({
            "url": STORY, "channel": "newsletter", "campaign": "morning", "title": "  A title ",
            "tags": ["b", "a", "b", ""], "note": "for\nall", "redirect_status": 307, "forward_query": true,
            "expired_url": "https://news.example.com/gone",
            "not_before": "2020-01-01T00:00:00Z", "expires_at": "2090-01-01T00:00:00Z",
        }))
        .await;
    let expected = json!({
        "short_url": format!("http://{}/{}", app.http.address(), code(&link)),
        "target": STORY, "title": "A title", "channel": "newsletter", "campaign": "morning", "tags": ["a", "b"],
        "note": "for\nall", "status": "active", "broken": null, "not_before": "2020-01-01T00:00:00Z",
        "expires_at": "2090-01-01T00:00:00Z", "expired_url": "https://news.example.com/gone", "message": null,
        "redirect_status": 307, "forward_query": true, "confidential": false, "via": "api", "version": 1,
        "created_by": format!("key:{}", app.key_id()), "updated_at": link["created_at"], "ignored": [], "dropped": [],
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&link[field], value, "{field}");
    }
    let made: jiff::Timestamp = link["created_at"].as_str().unwrap().parse().unwrap();
    assert!(link["created_at"].as_str().unwrap().ends_with('Z'), "times are UTC: {made}");
    for (class, n) in link["totals"].as_object().unwrap() {
        assert_eq!(n, 0, "{class}");
    }
    // Reading it gives the same, without what came of the request.
    let mut read = link.clone();
    read.as_object_mut().unwrap().retain(|field, _| field != "ignored" && field != "dropped");
    assert_eq!(app.link(code(&link)).await, read);
}

#[tokio::test]
async fn the_same_again_is_the_same_link_and_nothing_of_it_changes() {
    let app = TestApp::start().await;
    let first = app.create(json!({ "url": STORY, "title": "First", "tags": ["a"] })).await;
    let again = json!({ "url": STORY, "title": "Second", "tags": ["b"], "note": "mine" });
    let found = app.post("/links", &again).await.expect(200).json();
    assert_eq!(code(&found), code(&first));
    assert_eq!(found["ignored"], json!(["title", "tags", "note"]));
    assert_eq!(
        (&found["title"], &found["tags"], &found["version"]),
        (&json!("First"), &json!(["a"]), &json!(1))
    );
    let bare = app.post("/links", &json!({ "url": STORY })).await.expect(200).json();
    assert_eq!((code(&bare), &bare["ignored"]), (code(&first), &json!([])));
}

#[tokio::test]
async fn channel_and_campaign_make_another_link() {
    let app = TestApp::start().await;
    let mut codes = std::collections::HashSet::new();
    for (channel, campaign) in [(None, None), (Some("x"), None), (None, Some("x")), (Some("x"), Some("x"))] {
        let body = json!({ "url": STORY, "channel": channel, "campaign": campaign });
        let made = app.create(body.clone()).await;
        assert!(codes.insert(code(&made).to_owned()), "{channel:?} {campaign:?} is a link of its own");
        let again = app.post("/links", &body).await.expect(200).json();
        assert_eq!(code(&again), code(&made));
    }
    let other = app.create(json!({ "url": "https://news.example.com/world/other" })).await;
    assert!(codes.insert(code(&other).to_owned()));
}

#[tokio::test]
async fn several_channels_at_once() {
    let app = TestApp::start().await;
    let x = app.create(json!({ "url": STORY, "channel": "x" })).await;
    let body = json!({ "url": STORY, "channels": ["x", "print", "print"], "title": "T" });
    let made = app.post("/links", &body).await.expect(201).json();
    let links = made["links"].as_array().unwrap();
    let channels: Vec<&Value> = links.iter().map(|l| &l["channel"]).collect();
    assert_eq!(channels, ["x", "print"]);
    assert_eq!((code(&links[0]), &links[0]["ignored"]), (code(&x), &json!(["title"])));
    let again = app.post("/links", &body).await.expect(200).json();
    assert_eq!(code(&again["links"][1]), code(&links[1]));
}

#[tokio::test]
async fn what_must_not_be_dropped_silently_conflicts() {
    let app = TestApp::start().await;
    let link = app.create(json!({ "url": STORY })).await;
    let table = [
        ("not_before", json!("2090-01-01T00:00:00Z")),
        ("expires_at", json!("2090-01-01T00:00:00Z")),
        ("expired_url", json!("https://news.example.com/gone")),
        ("redirect_status", json!(301)),
    ];
    for (field, value) in table {
        let answer = app.post("/links", &json!({ "url": STORY, field: value })).await;
        answer.expect_problem(409, "conflict", Some(field));
        assert_eq!(code(&answer.json()["link"]), code(&link));
    }
    // The same value is no conflict.
    app.post("/links", &json!({ "url": STORY, "redirect_status": 302 })).await.expect(200);
    assert_eq!(app.link(code(&link)).await["version"], 1);
}

#[tokio::test]
async fn closed_links_are_found_and_say_so() {
    let app = TestApp::start().await;
    let table = [
        ("disabled", json!({ "disabled": true })),
        ("expired", json!({ "expires_at": "2020-01-01T00:00:00Z" })),
        ("scheduled", json!({ "not_before": "2090-01-01T00:00:00Z" })),
    ];
    for (status, change) in table {
        let url = format!("https://news.example.com/{status}");
        let link = app.create(json!({ "url": url })).await;
        app.change(code(&link), change).await.expect(200);
        let found = app.post("/links", &json!({ "url": url })).await.expect(200).json();
        assert_eq!((code(&found), &found["status"]), (code(&link), &json!(status)));
    }
}

#[tokio::test]
async fn retired_and_retargeted_links_are_not_found() {
    let app = TestApp::start().await;
    let retired = app.create(json!({ "url": STORY })).await;
    app.delete(&format!("/links/{}", code(&retired))).await.expect(204);
    let second = app.create(json!({ "url": STORY })).await;
    assert_ne!(code(&second), code(&retired));
    app.change(code(&second), json!({ "url": "https://elsewhere.example/" })).await.expect(200);
    let third = app.create(json!({ "url": STORY })).await;
    assert_ne!(code(&third), code(&second));
    assert_eq!(app.link(code(&second)).await["target"], "https://elsewhere.example/");
}

#[tokio::test]
async fn force_new_always_makes_one() {
    let app = TestApp::start().await;
    let first = app.create(json!({ "url": STORY })).await;
    let second = app.create(json!({ "url": STORY, "force_new": true })).await;
    assert_ne!(code(&first), code(&second));
    let found = app.post("/links", &json!({ "url": STORY })).await.expect(200).json();
    assert_eq!(code(&found), code(&first), "the first keeps its place");
}

#[tokio::test]
async fn a_code_is_reserved_first_and_gets_its_target_later() {
    let app = TestApp::start().await;
    let link = app.create(json!({ "reserve": true, "code": "election" })).await;
    assert_eq!(
        (&link["status"], &link["target"], &link["article"]),
        (&json!("reserved"), &Value::Null, &Value::Null)
    );
    app.follow("election").await.expect(404);
    let changed = app.change("election", json!({ "url": STORY })).await.expect(200).json();
    assert_eq!((&changed["status"], &changed["target"]), (&json!("active"), &json!(STORY)));
    assert_eq!(changed["article"]["url"], STORY);
    assert_eq!(app.follow("election").await.expect(302).location(), STORY);
    app.post("/links", &json!({ "reserve": true, "url": STORY })).await.expect_problem(
        422,
        "invalid_value",
        Some("reserve"),
    );
}

#[tokio::test]
async fn two_at_the_same_time_get_the_same_link() {
    let app = TestApp::start().await;
    for round in 0..20 {
        let body = json!({ "url": format!("https://news.example.com/{round}") });
        let (a, b) = tokio::join!(app.post("/links", &body), app.post("/links", &body));
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 201]);
        assert_eq!(code(&a.json()), code(&b.json()));
    }
}
