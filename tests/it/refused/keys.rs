//! Who is nobody: missing and wrong keys, and too many of them.

use http::Method;

use crate::harness::{TestApp, json};

#[tokio::test]
async fn every_call_needs_a_key() {
    let app = TestApp::start_with(|c| c.server.failed_keys_per_minute = 100_000).await;
    let code = app.shorten("https://news.example.com/a").await;
    let document = app.http.get("/openapi.json").await.expect(200).json();
    let (mut calls, mut open) = (0, vec![]);
    for (path, methods) in document["paths"].as_object().unwrap() {
        let of_document = path;
        let path = path.replace("{code}", &code).replace("{id}", "x").replace("{name}", "x");
        for (method, described) in methods.as_object().unwrap() {
            // A call that is for everybody says so.
            if described["security"] == json!([{}]) {
                open.push(format!("{method} {of_document}"));
                continue;
            }
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            for key in [None, Some(""), Some("slk_"), Some("slk_a_b"), Some("nonsense")] {
                let call = app.http.call(method.clone(), &path).json(&json!({}));
                let answer = key.into_iter().fold(call, |call, key| call.key(key)).send().await;
                answer.expect_problem(401, "unauthenticated", None);
                assert!(answer.header("www-authenticate").starts_with("Bearer"), "{method} {path}");
                assert!(answer.header("cache-control").contains("no-store"));
            }
            calls += 1;
        }
    }
    assert_eq!(open, ["post /api/v1/sessions", "get /api/v1/short-url"]);
    assert!(calls >= 15, "the calls were found: {calls}");
}

#[tokio::test]
async fn a_key_that_is_nearly_right_is_wrong() {
    let app = TestApp::start().await;
    let key = app.key.clone();
    let (last, rest) = (&key[key.len() - 1..], &key[..key.len() - 1]);
    let other = if last == "0" { "1" } else { "0" };
    let wrong = [
        format!("{rest}{other}"),
        rest.to_owned(),
        format!("{key}0"),
        key.to_uppercase(),
        format!("slk_{}_", app.key_id()),
        format!("slk_{}_{}", "0".repeat(12), key.rsplit('_').next().unwrap()),
    ];
    for wrong in wrong {
        app.with_key(&wrong).get("/links").await.expect_problem(401, "unauthenticated", None);
    }
    let basic = app.http.call(Method::GET, "/api/v1/links").header("authorization", &format!("Basic {key}"));
    basic.send().await.expect_problem(401, "unauthenticated", None);
    let lower = app.http.call(Method::GET, "/api/v1/links").header("authorization", &format!("bearer {key}"));
    lower.send().await.expect(200);
    // A key in the address would be in every log on the way.
    app.http.get(&format!("/api/v1/links?key={key}")).await.expect_problem(401, "unauthenticated", None);
}

#[tokio::test]
async fn who_tries_too_many_keys_has_to_wait() {
    let app = TestApp::start_with(|c| c.server.failed_keys_per_minute = 5).await;
    let wrong = app.with_key("slk_a_b");
    for _ in 0..5 {
        wrong.get("/links").await.expect_problem(401, "unauthenticated", None);
    }
    let limited = wrong.get("/links").await;
    limited.expect_problem(429, "rate_limited", None);
    let wait: u64 = limited.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    app.get("/links").await.expect(200);
    // A header that anyone can send makes nobody else of them.
    let spoofed = wrong.call(Method::GET, "/links").header("x-forwarded-for", "203.0.113.7");
    spoofed.send().await.expect_problem(429, "rate_limited", None);
}

#[tokio::test]
async fn behind_a_trusted_proxy_clients_are_told_apart() {
    let app = TestApp::start_with(|c| {
        c.server.failed_keys_per_minute = 3;
        c.clients.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    })
    .await;
    let wrong = app.with_key("slk_a_b");
    let from = async |client: &str| {
        wrong.call(Method::GET, "/links").header("x-forwarded-for", client).send().await.status
    };
    for _ in 0..3 {
        assert_eq!(from("203.0.113.7").await, 401);
    }
    assert_eq!(from("203.0.113.7").await, 429);
    assert_eq!(from("203.0.113.8").await, 401, "someone else");
    assert_eq!(from("198.51.100.1, 203.0.113.7").await, 429, "the rightmost untrusted address counts");
    assert_eq!(from("203.0.113.7, 10.0.0.1").await, 429, "own proxies are stepped over");
    for _ in 0..3 {
        assert_eq!(from("2001:db8:0:1::1").await, 401);
    }
    assert_eq!(from("2001:db8:0:1::2").await, 429, "one subscriber has a /64");
    assert_eq!(from("2001:db8:0:2::1").await, 401);
}

#[tokio::test]
async fn a_key_may_have_a_limit_of_its_own() {
    let app = TestApp::start_with(|c| c.server.key_requests_per_minute = 20).await;
    let mut statuses = vec![];
    for _ in 0..4 {
        statuses.push(app.get("/links").await.status);
    }
    assert_eq!(statuses[..2], [200, 200], "a tenth of it at once");
    assert!(statuses.contains(&429), "{statuses:?}");
}
