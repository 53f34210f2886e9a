//! Bodies that are refused.

use http::Method;

use crate::harness::{TestApp, Value, json};

const STORY: &str = "https://news.example.com/a";

#[tokio::test]
async fn what_is_not_json() {
    let app = TestApp::start().await;
    for body in
        ["", "{", "nonsense", "{\"url\": }", "{\"url\": \"a\"} {}", "\u{feff}{}", "{\"url\": \"\u{1}\"}"]
    {
        for path in ["/links", "/links/batch", "/keys", "/users"] {
            let answer = app.call(Method::POST, path).text("application/json", body).send().await;
            answer.expect_problem(400, "bad_json", None);
        }
    }
    let bytes = [b"{\"url\": \"\xff\"}".as_slice(), b"\x00", b"\xff\xfe{\x00}\x00"];
    for body in bytes {
        let answer = app.call(Method::POST, "/links").text("application/json", body).send().await;
        answer.expect_problem(400, "bad_json", None);
    }
    let deep = "[".repeat(20_000);
    app.call(Method::POST, "/links")
        .text("application/json", deep)
        .send()
        .await
        .expect_problem(400, "bad_json", None);
}

#[tokio::test]
async fn what_is_not_sent_as_json() {
    let app = TestApp::start().await;
    let body = json!({ "url": STORY }).to_string();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "",
    ] {
        let answer = app.call(Method::POST, "/links").text(kind, body.clone()).send().await;
        answer.expect_problem(415, "unsupported_type", None);
    }
    app.call(Method::POST, "/links").send().await.expect_problem(415, "unsupported_type", None);
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        app.call(Method::POST, "/links").text(kind, body.clone()).send().await.json()["code"]
            .as_str()
            .unwrap();
    }
}

#[tokio::test]
async fn fields_of_a_new_link() {
    let app = TestApp::start().await;
    let with = |field: &str, value: Value| json!({ "url": STORY, field: value });
    let many: Vec<String> = (0..21).map(|i| format!("t{i}")).collect();
    let chars = |n: usize| json!("ä".repeat(n));
    let table = [
        (json!({}), "missing", Some("url")),
        (json!([]), "wrong_type", None),
        (json!("x"), "wrong_type", None),
        (json!({ "url": 5 }), "wrong_type", Some("url")),
        (json!({ "url": null }), "missing", Some("url")),
        (with("ulr", json!("x")), "unknown_field", Some("ulr")),
        (with("version", json!(1)), "unknown_field", Some("version")),
        (with("title", chars(301)), "out_of_range", Some("title")),
        (with("note", chars(2_001)), "out_of_range", Some("note")),
        (with("tags", json!(many)), "out_of_range", Some("tags")),
        (with("tags", json!([chars(51)])), "out_of_range", Some("tags")),
        (with("tags", json!("a")), "wrong_type", Some("tags")),
        (with("tags", json!([1])), "wrong_type", Some("tags[0]")),
        (with("title", json!("a\u{0}b")), "invalid_value", Some("title")),
        (with("title", json!("a\r\nSet-Cookie: x")), "invalid_value", Some("title")),
        (with("note", json!("a\u{1b}[2J")), "invalid_value", Some("note")),
        (with("channel", json!("a\nb")), "invalid_value", Some("channel")),
        (with("redirect_status", json!(303)), "invalid_value", Some("redirect_status")),
        (with("redirect_status", json!(200)), "invalid_value", Some("redirect_status")),
        (with("redirect_status", json!("302")), "wrong_type", Some("redirect_status")),
        (with("forward_query", json!("yes")), "wrong_type", Some("forward_query")),
        (with("not_before", json!("soon")), "invalid_value", Some("not_before")),
        (with("not_before", json!("2026-13-01T00:00:00Z")), "invalid_value", Some("not_before")),
        (with("expires_at", json!(5)), "wrong_type", Some("expires_at")),
        (with("expired_url", json!("javascript:1")), "invalid_url", Some("expired_url")),
        (with("article", json!({ "titel": "x" })), "unknown_field", Some("article.titel")),
        (with("article", json!({ "image": "data:x" })), "invalid_url", Some("article.image")),
        (with("channels", json!([])), "out_of_range", Some("channels")),
        (json!({ "url": STORY, "channel": "a", "channels": ["b"] }), "invalid_value", Some("channels")),
        (json!({ "url": STORY, "code": "x", "channels": ["a", "b"] }), "invalid_value", Some("code")),
    ];
    for (body, code, field) in table {
        let answer = app.post("/links", &body).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (422, Some(code)), "{body}");
        answer.expect_problem(422, code, field);
    }
    assert_eq!(app.all("/links").await.len(), 0);
}

#[tokio::test]
async fn limits_are_in_characters_and_exact() {
    let app = TestApp::start().await;
    let tags: Vec<String> = (0..20).map(|i| format!("{i:-<50}")).collect();
    let body = json!({ "url": STORY, "title": "ä".repeat(300), "note": "ä".repeat(2_000), "tags": tags });
    let link = app.create(body).await;
    assert_eq!(link["title"].as_str().unwrap().chars().count(), 300);
    assert_eq!(link["tags"].as_array().unwrap().len(), 20);
    let longest = |n: usize| format!("https://news.example.com/{}", "x".repeat(n - 25));
    let code = app.shorten(&longest(8_192)).await;
    assert_eq!(app.follow(&code).await.expect(302).location(), longest(8_192));
    app.post("/links", &json!({ "url": longest(8_193) })).await.expect_problem(
        422,
        "invalid_url",
        Some("url"),
    );
}

#[tokio::test]
async fn addresses_that_are_refused() {
    let app = TestApp::start_with(|c| c.links.denied_hosts = vec!["evil.example".into()]).await;
    let own = app.http.address();
    let kib9 = format!("https://news.example.com/{}", "x".repeat(9 * 1024));
    let escaped = format!("https://news.example.com/{}", "ä".repeat(2_000));
    let table = [
        ("javascript:alert(1)", "invalid_url"),
        ("JaVaScRiPt:alert(1)", "invalid_url"),
        ("java\tscript:alert(1)", "invalid_url"),
        (" javascript:alert(1)", "invalid_url"),
        ("data:text/html,x", "invalid_url"),
        ("vbscript:x", "invalid_url"),
        ("file:///etc/passwd", "invalid_url"),
        ("ftp://news.example.com/", "invalid_url"),
        ("//news.example.com/", "invalid_url"),
        ("/a", "invalid_url"),
        ("news.example.com", "invalid_url"),
        ("", "invalid_url"),
        ("http://", "invalid_url"),
        ("https://bank.example@evil.test/", "invalid_url"),
        ("https://user:secret@news.example.com/", "invalid_url"),
        ("https://news.example.com:99999/", "invalid_url"),
        ("https://[::1/", "invalid_url"),
        (&kib9, "invalid_url"),
        (&escaped, "invalid_url"),
        (&format!("http://{own}/abc"), "own_host"),
        (&format!("http://{own}"), "own_host"),
        ("https://evil.example/", "denied_host"),
        ("https://www.EVIL.example./x", "denied_host"),
    ];
    for (url, code) in table {
        app.post("/links", &json!({ "url": url })).await.expect_problem(422, code, Some("url"));
    }
    let code = app.shorten(STORY).await;
    for (url, reason) in [("javascript:1", "invalid_url"), (&format!("http://{own}/x"), "own_host")] {
        app.change(&code, json!({ "url": url })).await.expect_problem(422, reason, Some("url"));
    }
    assert_eq!(app.link(&code).await["target"], STORY);
}

#[tokio::test]
async fn our_own_host_is_that_of_the_public_url() {
    let app = TestApp::start_with(|c| c.server.public_url = "https://sl.example".into()).await;
    for url in ["https://sl.example/a", "https://SL.example:443/", "https://sl.example./a"] {
        app.post("/links", &json!({ "url": url })).await.expect_problem(422, "own_host", Some("url"));
    }
    // Another port or scheme's port is another service.
    app.create(json!({ "url": "https://sl.example:8443/a" })).await;
    app.create(json!({ "url": "https://www.sl.example/a" })).await;
}

#[tokio::test]
async fn only_allowed_hosts_if_the_operator_says_so() {
    let app = TestApp::start_with(|c| {
        c.articles.allowed_hosts = vec!["news.example.com".into(), "localhost:3000".into()];
        c.links.only_allowed_hosts = true;
    })
    .await;
    for url in ["https://other.example/", "https://sports.news.example.com/", "http://localhost:3001/"] {
        app.post("/links", &json!({ "url": url })).await.expect_problem(403, "host_not_allowed", Some("url"));
    }
    // Another spelling of a host is that host.
    let spelt = "https://www.news.example.com/b";
    for url in [STORY, spelt, "https://news.example.com:8443/a", "http://localhost:3000/a"] {
        app.create(json!({ "url": url })).await;
    }
}

#[tokio::test]
async fn line_breaks_cannot_reach_a_header() {
    let app = TestApp::start().await;
    let urls = [
        "https://news.example.com/a\r\nSet-Cookie: x=1",
        "https://news.example.com/a%0d%0aSet-Cookie:%20x=1",
        "https://news.example.com/a\u{2028}b\u{0}c",
        "https://news.example.com/\u{10ffff}?\u{85}",
    ];
    for url in urls {
        let made = app.post("/links", &json!({ "url": url })).await;
        if made.status == 422 {
            made.expect_problem(422, "invalid_url", Some("url"));
            continue;
        }
        let link = made.expect(201).json();
        let answer = app.follow(link["code"].as_str().unwrap()).await.expect(302);
        assert_eq!(answer.header("set-cookie"), "");
        assert!(answer.location().bytes().all(|b| b.is_ascii_graphic()), "{}", answer.location());
        assert_eq!(answer.location(), link["target"].as_str().unwrap());
    }
}
