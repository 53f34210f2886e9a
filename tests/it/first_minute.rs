//! The first minute with Slugline: one link, a thousand readers, and each machine told apart from them.

use http::Method;

use crate::harness::{BROWSER, CURL, TestApp, json};

#[tokio::test]
async fn a_thousand_readers_are_a_thousand_clicks() {
    let app = TestApp::start().await;
    let made = app.post("/links", &json!({ "url": "https://news.example.com/a" })).await.expect(201).json();
    let code = made["code"].as_str().unwrap();
    assert_eq!(made["short_url"], format!("http://{}/{code}", app.http.address()));
    assert_eq!(made["status"], "active");

    app.follow_times(code, 1_000).await;

    assert_eq!(app.totals(code).await, (1_000, 0, 0));
    let summary = app.report(&format!("summary?scope=link:{code}")).await;
    assert_eq!(summary["clicks"], 1_000);
    let series = app.report(&format!("series?scope=link:{code}&unit=hour")).await;
    let buckets = series["buckets"].as_array().unwrap();
    assert_eq!(buckets.iter().map(|b| b["clicks"].as_u64().unwrap()).sum::<u64>(), 1_000);
    assert!(buckets.len() >= 7 * 24, "empty hours are there too: {}", buckets.len());
}

/// A method, headers, and what they add to (clicks, previews, bots).
type Sent<'a> = (Method, &'a [(&'a str, &'a str)], (u64, u64, u64));

#[tokio::test]
async fn machines_are_told_apart() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    let table: [Sent<'_>; 10] = [
        (Method::GET, &[("user-agent", BROWSER)], (1, 0, 0)),
        (Method::GET, &[("user-agent", CURL)], (0, 0, 1)),
        (Method::HEAD, &[("user-agent", BROWSER)], (0, 1, 0)),
        (Method::HEAD, &[("user-agent", CURL)], (0, 1, 0)),
        (Method::GET, &[("user-agent", BROWSER), ("sec-purpose", "prefetch;prerender")], (0, 1, 0)),
        (Method::GET, &[("user-agent", BROWSER), ("purpose", "prefetch")], (0, 1, 0)),
        (Method::GET, &[("user-agent", BROWSER), ("x-moz", "prefetch")], (0, 1, 0)),
        (Method::GET, &[("user-agent", "WhatsApp/2.25.1 A")], (0, 1, 0)),
        (Method::GET, &[("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)")], (0, 0, 1)),
        (Method::GET, &[], (0, 0, 1)),
    ];
    let mut expected = (0, 0, 0);
    for (method, headers, (clicks, previews, bots)) in table {
        let answer = app.http.call(method.clone(), &format!("/{code}")).headers(headers).send().await;
        assert_eq!((answer.status, answer.location()), (302, "https://news.example.com/a"), "{headers:?}");
        expected = (expected.0 + clicks, expected.1 + previews, expected.2 + bots);
        assert_eq!(app.totals(&code).await, expected, "{method} {headers:?}");
    }
}
