//! Whose numbers: each scope has exactly its own.

use crate::harness::{TestApp, json};

#[tokio::test]
async fn each_scope_has_exactly_its_own() {
    let app = TestApp::start().await;
    let editor = app.as_role("editor").await;
    let article = |section: &str, authors: &[&str]| json!({ "section": section, "authors": authors });
    let a = app
        .create(json!({ "url": "https://news.example.com/a", "code": "aa", "channel": "x", "tags": ["red"],
            "article": article("World & Co", &["Ada", "Grace"]) }))
        .await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "a2", "channel": "print", "tags": ["red", "blue"] }))
        .await;
    editor
        .create(json!({ "url": "https://news.example.com/b", "code": "bb", "channel": "x",
            "article": article("Sport", &["Grace"]) }))
        .await;
    editor.create(json!({ "url": "https://news.example.com/c", "code": "cc" })).await;
    for (code, times) in [("aa", 1), ("a2", 2), ("bb", 4), ("cc", 8)] {
        app.follow_times(code, times).await;
    }
    app.settle().await;
    let table = [
        ("site".to_owned(), 15),
        ("link:aa".to_owned(), 1),
        ("link:A2".to_owned(), 2),
        (format!("article:{}", a["article"]["id"].as_str().unwrap()), 3),
        ("section:World%20%26%20Co".to_owned(), 3),
        ("section:Sport".to_owned(), 4),
        ("section:None".to_owned(), 0),
        ("author:Ada".to_owned(), 3),
        ("author:Grace".to_owned(), 7),
        ("channel:x".to_owned(), 5),
        ("channel:print".to_owned(), 2),
        ("tag:red".to_owned(), 3),
        ("tag:blue".to_owned(), 2),
        ("tag:none".to_owned(), 0),
        (format!("creator:key:{}", app.key_id()), 3),
        (format!("creator:key:{}", editor.key_id()), 12),
    ];
    for (scope, clicks) in table {
        assert_eq!(app.report(&format!("summary?scope={scope}")).await["clicks"], clicks, "{scope}");
        let series = app.report(&format!("series?scope={scope}&unit=hour")).await;
        let sum: u64 =
            series["buckets"].as_array().unwrap().iter().map(|b| b["clicks"].as_u64().unwrap()).sum();
        assert_eq!(sum, clicks, "{scope}: hours");
        let top = app.report(&format!("top?by=trigger&scope={scope}")).await;
        let sum: u64 = top["rows"].as_array().unwrap().iter().map(|r| r["clicks"].as_u64().unwrap()).sum();
        assert_eq!(sum, clicks, "{scope}: triggers");
    }
}

#[tokio::test]
async fn minutes_are_kept_for_the_site_links_and_articles() {
    let app = TestApp::start().await;
    let link = app.create(json!({ "url": "https://news.example.com/a" })).await;
    let code = link["code"].as_str().unwrap();
    app.follow_times(code, 3).await;
    app.settle().await;
    let since = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(10);
    let article = link["article"]["id"].as_str().unwrap();
    for scope in ["site".to_owned(), format!("link:{code}"), format!("article:{article}")] {
        let report = app.report(&format!("series?unit=minute&scope={scope}&from={since}")).await;
        let sum: u64 =
            report["buckets"].as_array().unwrap().iter().map(|b| b["clicks"].as_u64().unwrap()).sum();
        assert_eq!(sum, 3, "{scope}");
    }
}

#[tokio::test]
async fn a_tag_of_too_many_links_is_too_wide() {
    let app = TestApp::start().await;
    for batch in 0..2 {
        let links: Vec<_> = (0..1_000)
            .map(|i| json!({ "url": format!("https://news.example.com/{batch}/{i}"), "tags": [format!("t{batch}"), "all"] }))
            .collect();
        app.post("/links/batch", &json!({ "links": links })).await.expect(200);
    }
    for call in ["summary?", "series?", "top?by=link&"] {
        assert_eq!(app.report(&format!("{call}scope=tag:t0")).await["scope"], "tag:t0");
        for scope in ["tag:all".to_owned(), format!("creator:key:{}", app.key_id())] {
            let answer = app.get(&format!("/reports/{call}scope={scope}")).await;
            answer.expect_problem(422, "too_wide", Some("scope"));
        }
    }
}
