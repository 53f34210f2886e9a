//! The operations listener.

use http::Method;

use crate::harness::{BROWSER, CURL, TestApp, json};

#[tokio::test]
async fn alive_and_ready() {
    let app = TestApp::start().await;
    app.ops.get("/healthz").await.expect(200);
    let ready = app.ops.get("/readyz").await.expect(200).json();
    assert_eq!(ready, json!({ "status": "ready", "reasons": [] }));
    for path in ["/", "/api/v1/links", "/-/", "/unknown"] {
        app.ops.get(path).await.expect(404);
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        app.http.get(path).await.expect(404);
        app.ops.call(Method::POST, path).send().await.expect(405);
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_trusted_is_told() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    let before = jiff::Timestamp::now();
    app.follow_with(&code, &[("user-agent", BROWSER), ("x-forwarded-for", "203.0.113.7")]).await.expect(302);
    let ready = app.ops.get("/readyz").await.expect(200).json();
    assert_eq!(ready["status"], "degraded", "it redirects: 200");
    let reason = &ready["reasons"][0];
    assert_eq!(reason["code"], "untrusted_forwarded_header");
    assert!(reason["detail"].as_str().unwrap().contains("clients.trusted_proxies"), "{reason}");
    let since: jiff::Timestamp = reason["since"].as_str().unwrap().parse().unwrap();
    assert!(since.as_millisecond() >= before.as_millisecond(), "{reason}");
    assert!(!ready.to_string().contains("203.0.113"), "no address is told: {ready}");
}

#[tokio::test]
async fn a_trusted_proxy_is_not() {
    let app = TestApp::start_with(|c| c.clients.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let code = app.shorten("https://news.example.com/a").await;
    app.follow_with(&code, &[("user-agent", BROWSER), ("x-forwarded-for", "203.0.113.7")]).await.expect(302);
    assert_eq!(app.ops.get("/readyz").await.expect(200).json()["status"], "ready");
}

/// The names that `telemetry.rs` declares.
fn names() -> Vec<String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/telemetry.rs");
    let text = std::fs::read_to_string(source).unwrap();
    let names: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with("pub const ") && line.contains(": &str = \"slugline_"))
        .map(|line| line.split('"').nth(1).unwrap().to_owned())
        .collect();
    assert!(names.len() >= 15, "the names were found: {names:?}");
    names
}

#[tokio::test]
async fn every_metric_is_there_and_explained() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    app.follow_times(&code, 2).await;
    app.follow_with(&code, &[("user-agent", CURL)]).await.expect(302);
    app.settle().await;
    let text = app.ops.get("/metrics").await.expect(200).text();
    let missing: Vec<String> = names()
        .into_iter()
        .filter(|name| {
            let helped =
                text.contains(&format!("# HELP {name} ")) && text.contains(&format!("# TYPE {name} "));
            let valued = text.lines().any(|line| line.starts_with(name.as_str()));
            !(helped && valued)
        })
        .collect();
    assert!(missing.is_empty(), "not there, or without help: {missing:?}");
}

#[tokio::test]
async fn metrics_have_few_series_and_nobody_in_them() {
    let app = TestApp::start().await;
    let code = app
        .create(json!({ "url": "https://news.example.com/secret-path", "code": "MetricsSeeNoCode" }))
        .await;
    let code = code["code"].as_str().unwrap();
    app.follow_times(code, 2).await;
    for i in 0..50 {
        app.http.get(&format!("/api/v1/nothing/{i}")).await;
        app.http.get(&format!("/-/nothing-{i}")).await;
        app.http.get(&format!("/unknown-code-{i}")).await;
    }
    let text = app.ops.get("/metrics").await.expect(200).text();
    assert!(text.contains("slugline_requests_total{"), "{text}");
    for inside in
        ["MetricsSeeNoCode", "secret-path", "127.0.0.1", "unknown-code", "nothing", "slk_", app.key_id()]
    {
        assert!(!text.contains(inside), "{inside} is in a label");
    }
    assert!(text.lines().count() < 500, "few series: {}", text.lines().count());
}
