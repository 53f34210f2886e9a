//! What a setting does, from the moment it was answered; and what it must be.

use super::{item, set};
use crate::articles::site::{Asked, Site, html};
use crate::harness::{TestApp, json};

#[tokio::test]
async fn a_setting_is_in_force_when_it_is_answered() {
    let app = TestApp::start().await;
    let items = app.all("/settings").await;
    let names: Vec<&str> = items.iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 12);
    assert!(
        names.is_sorted() && items.iter().all(|i| i["source"] == "default" && i["value"] == i["default"])
    );
    let untouched = item(&app, "links.denied_hosts").await;
    let expected = json!({ "name": "links.denied_hosts", "type": "list", "value": [], "default": [],
        "locked": false, "source": "default", "given_in": null, "problem": null, "updated_at": null,
        "updated_by": null, "version": 0 });
    assert_eq!(untouched, expected);

    let shown = set(&app, "links.denied_hosts", json!(["bad.example"])).await;
    assert_eq!(
        (&shown["value"], &shown["source"], &shown["version"]),
        (&json!(["bad.example"]), &json!("store"), &json!(1))
    );
    assert_eq!(shown["updated_by"], format!("key:{}", app.key_id()));
    assert_eq!(item(&app, "links.denied_hosts").await, shown);
    assert_eq!(app.get("/settings/links.denied_hosts").await.expect(200).json(), shown);
    let bad = json!({ "url": "https://www.bad.example/a" });
    app.post("/links", &bad).await.expect_problem(422, "denied_host", Some("url"));

    set(&app, "links.only_allowed_hosts", json!(true)).await;
    set(&app, "articles.allowed_hosts", json!(["news.example.com"])).await;
    let other = json!({ "url": "https://other.example/a" });
    app.post("/links", &other).await.expect_problem(403, "host_not_allowed", Some("url"));

    set(&app, "newsroom.name", json!("Die <Post>")).await;
    set(&app, "newsroom.language", json!("de-AT")).await;
    set(&app, "newsroom.home", json!("https://post.example/")).await;
    let page = app.http.get("/unknown").await.expect(404).text();
    assert!(
        page.contains("Die &") && page.contains("lang=\"de\"") && page.contains("https://post.example/"),
        "{page}"
    );
    assert_eq!(app.http.get("/").await.expect(302).location(), "https://post.example/");

    let code = app.shorten("https://news.example.com/a").await;
    app.change(&code, json!({ "disabled": true })).await.expect(200);
    app.follow(&code).await.expect(410);
    set(&app, "links.fallback_url", json!("https://post.example/gone")).await;
    assert_eq!(app.follow(&code).await.expect(302).location(), "https://post.example/gone");

    // Back to the defaults.
    for name in names {
        for _ in 0..2 {
            app.delete(&format!("/settings/{name}")).await.expect(204);
        }
    }
    let back = app.all("/settings").await;
    assert!(back.iter().all(|i| i["source"] == "default" && i["value"] == i["default"] && i["version"] == 0));
    app.follow(&code).await.expect(410);
    assert_eq!(app.http.get("/").await.expect(302).location(), "/-/");
    app.post("/links", &bad).await.expect(201);
    app.post("/links", &other).await.expect(201);
    assert!(!app.http.get("/unknown").await.expect(404).text().contains("Post"));
}

#[tokio::test]
async fn limits_change_and_others_do_not_begin_anew() {
    let app = TestApp::start().await;
    let create = async |n: u32| app.post("/links", &json!({ "url": format!("https://a.example/{n}") })).await;
    set(&app, "links.creations_per_minute", json!(2)).await;
    create(1).await.expect(201);
    create(2).await.expect(201);
    create(3).await.expect_problem(429, "rate_limited", None);
    // A setting of something else gives nobody another two.
    set(&app, "newsroom.name", json!("Post")).await;
    create(3).await.expect_problem(429, "rate_limited", None);
    set(&app, "links.creations_per_minute", json!(0)).await;
    create(3).await.expect(201);
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let app = TestApp::start().await;
    let before = app.all("/settings").await;
    for (name, value, code, field) in [
        ("articles.allowed_hosts", json!(["good.example", "no host"]), "invalid_value", "value"),
        ("articles.allowed_hosts", json!("good.example"), "wrong_type", "value"),
        ("articles.allowed_hosts", json!(["good.example", 7]), "wrong_type", "value[1]"),
        ("articles.sites", json!({ "": ["good.example"] }), "invalid_value", "value"),
        ("articles.sites", json!({ "daily": "good.example" }), "wrong_type", "value.daily"),
        ("clients.excluded_addresses", json!(["everyone"]), "invalid_value", "value[0]"),
        ("clients.excluded_agents", json!(["x".repeat(201)]), "invalid_value", "value"),
        ("links.creations_per_minute", json!(-1), "invalid_value", "value"),
        ("links.creations_per_minute", json!(1.5), "wrong_type", "value"),
        ("links.denied_hosts", json!(["https://bad.example/"]), "invalid_value", "value"),
        ("links.fallback_url", json!("ftp://a.example/"), "invalid_value", "value"),
        ("links.only_allowed_hosts", json!("yes"), "wrong_type", "value"),
        ("newsroom.home", json!("javascript:alert(1)"), "invalid_value", "value"),
        ("newsroom.language", json!("<b>"), "invalid_value", "value"),
        ("newsroom.name", json!("  "), "invalid_value", "value"),
        ("newsroom.name", json!(null), "wrong_type", "value"),
        ("newsroom.name", json!("x".repeat(33_000)), "out_of_range", "value"),
        ("newsroom.timezone", json!("Asia/Tokyo"), "unknown_field", "name"),
        ("server.public_url", json!("https://evil.example"), "unknown_field", "name"),
        ("store.redis.password", json!("x"), "unknown_field", "name"),
    ] {
        let answer = app.post("/settings", &json!({ "name": name, "value": value })).await;
        answer.expect_problem(422, code, Some(field));
        let answer = app.patch(&format!("/settings/{name}"), &json!({ "value": value, "version": 0 })).await;
        answer.expect_problem(422, code, Some(field));
        if code == "invalid_value" && field == "value" && name != "links.creations_per_minute" {
            assert!(answer.json()["detail"].as_str().unwrap().contains(name), "{}", answer.text());
        }
    }
    for (body, code, field) in [
        (json!({ "name": "newsroom.name" }), "missing", "value"),
        (json!({ "value": "x" }), "missing", "name"),
        (json!({ "name": "newsroom.name", "value": "x", "locked": false }), "unknown_field", "locked"),
        (json!({ "name": "newsroom.name", "value": "x", "version": "1" }), "wrong_type", "version"),
    ] {
        app.post("/settings", &body).await.expect_problem(422, code, Some(field));
    }
    let no_version = app.patch("/settings/newsroom.name", &json!({ "value": "x" })).await;
    no_version.expect_problem(422, "missing", Some("version"));
    for call in ["/settings/server.listen", "/settings/x"] {
        app.delete(call).await.expect_problem(422, "unknown_field", Some("name"));
        app.get(call).await.expect_problem(422, "unknown_field", Some("name"));
    }
    assert_eq!(app.all("/settings").await, before);
    let audit = app.all("/audit").await;
    assert!(!audit.iter().any(|line| line["action"].as_str().unwrap().starts_with("setting.")));
}

#[tokio::test]
async fn of_two_editors_one_is_told_that_it_is_late() {
    let app = TestApp::start().await;
    let change = async |value: &str, version: u64| {
        app.patch("/settings/newsroom.name", &json!({ "value": value, "version": version })).await
    };
    assert_eq!(change("Post", 0).await.expect(200).json()["version"], 1);
    let late = change("Kurier", 0).await;
    late.expect_problem(409, "stale", Some("version"));
    assert_eq!(late.json()["version"], 1);
    // Nothing changed: no new version.
    assert_eq!(change("Post", 1).await.expect(200).json()["version"], 1);
    assert_eq!(change("Kurier", 1).await.expect(200).json()["version"], 2);
    let body = json!({ "name": "newsroom.name", "value": "Bote", "version": 1 });
    app.post("/settings", &body).await.expect_problem(409, "stale", Some("version"));
    app.delete("/settings/newsroom.name").await.expect(204);
    change("Bote", 2).await.expect_problem(409, "stale", Some("version"));
    assert_eq!(change("Bote", 0).await.expect(200).json()["version"], 4);
    let lines: Vec<(String, String)> = app
        .all("/audit")
        .await
        .iter()
        .rev()
        .filter_map(|line| {
            let action = line["action"].as_str()?.strip_prefix("setting.")?;
            assert_eq!(
                (&line["object"], &line["by"]),
                (&json!("setting:newsroom.name"), &json!(format!("key:{}", app.key_id())))
            );
            Some((action.to_owned(), line["detail"].as_str()?.to_owned()))
        })
        .collect();
    let lines: Vec<(&str, &str)> =
        lines.iter().map(|(action, detail)| (action.as_str(), detail.as_str())).collect();
    let expected =
        [("created", r#""Post""#), ("changed", r#""Kurier""#), ("removed", ""), ("created", r#""Bote""#)];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn only_admins_see_and_change_settings() {
    let app = TestApp::start().await;
    for role in ["viewer", "creator", "editor"] {
        let other = app.as_role(role).await;
        other.get("/settings").await.expect_problem(403, "forbidden", None);
        other.get("/settings/newsroom.name").await.expect_problem(403, "forbidden", None);
        let body = json!({ "name": "newsroom.name", "value": "x" });
        other.post("/settings", &body).await.expect_problem(403, "forbidden", None);
        let body = json!({ "value": "x", "version": 0 });
        other.patch("/settings/newsroom.name", &body).await.expect_problem(403, "forbidden", None);
        other.delete("/settings/newsroom.name").await.expect_problem(403, "forbidden", None);
    }
    app.http.get("/api/v1/settings").await.expect_problem(401, "unauthenticated", None);
    assert_eq!(item(&app, "newsroom.name").await["version"], 0);
}

const STORY: &str = "/world/2026/the-river-rises-1";

fn story(asked: &Asked, stream: &mut std::net::TcpStream) -> std::io::Result<()> {
    let claim = format!("http://{}{STORY}", asked.host);
    html(stream, &format!("<link rel=canonical href='{claim}'><title>The river rises</title>"))
}

#[tokio::test]
async fn the_first_allowed_host_begins_the_reading_of_pages() {
    let site = Site::start(story);
    let host = format!("127.0.0.1:{}", site.port);
    let private = host.clone();
    let app = TestApp::start_with(|config| config.articles.fetch_private_hosts = vec![private]).await;
    let make = async |path: &str| {
        let answer = app.post("/links", &json!({ "url": site.url("127.0.0.1", path).as_str() })).await;
        (answer.status, answer.json())
    };
    let (status, apart) = make("/other/path-7").await;
    assert_eq!((status, &apart["title"]), (201, &json!(null)));
    assert_eq!(site.asked(), Vec::<String>::new(), "no host is allowed, no page is read");

    set(&app, "articles.allowed_hosts", json!([host])).await;
    let (status, link) = make("/world/2026/another-spelling-2?utm_source=x").await;
    assert_eq!((status, &link["article"]["title"]), (201, &json!("The river rises")));
    assert_eq!(link["article"]["url"], site.url("127.0.0.1", STORY).as_str());
    let (status, same) = make(STORY).await;
    assert_eq!((status, &same["code"]), (200, &link["code"]), "one story, one code");

    let asked = site.asked().len();
    app.delete("/settings/articles.allowed_hosts").await.expect(204);
    let (status, exact) = make("/world/2026/third-3?utm_source=x").await;
    assert_eq!(status, 201);
    assert!(exact["target"].as_str().unwrap().ends_with("?utm_source=x"), "kept as it was pasted");
    assert_eq!(site.asked().len(), asked, "no page is read any more");
}

#[tokio::test]
async fn a_site_makes_its_hosts_one() {
    let app = TestApp::start().await;
    set(&app, "articles.allowed_hosts", json!(["daily.example", "weekly.example"])).await;
    set(&app, "articles.sites", json!({ "house": ["daily.example", "weekly.example"] })).await;
    let body = |host: &str| json!({ "url": format!("https://{host}/a"), "cms_id": "4711" });
    let link = app.post("/links", &body("daily.example")).await.expect(201).json();
    assert_eq!(link["article"]["site"], "house");
    let same =
        app.post("/links", &json!({ "url": "https://www.daily.example/a/?utm_source=x" })).await.expect(200);
    assert_eq!(same.json()["code"], link["code"]);
}

#[tokio::test]
async fn a_repeated_post_is_done_once() {
    let app = TestApp::start().await;
    let send = async |body: &crate::harness::Value| {
        let call = app.call(http::Method::POST, "/settings").header("idempotency-key", "k1");
        call.json(body).send().await
    };
    let body = json!({ "name": "newsroom.name", "value": "Post" });
    let first = send(&body).await.expect(200);
    set(&app, "newsroom.name", json!("Kurier")).await;
    let again = send(&body).await.expect(200);
    assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", first.json()));
    assert_eq!(item(&app, "newsroom.name").await["value"], "Kurier");
    let other = json!({ "name": "newsroom.name", "value": "Bote" });
    send(&other).await.expect_problem(422, "key_reused", Some("Idempotency-Key"));
}
