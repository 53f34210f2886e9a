//! Codes: chosen, drawn, reserved, never given away.

use std::collections::HashSet;

use slugline::domain::code::{Code, RESERVED};

use crate::harness::{TestApp, json};

const STORY: &str = "https://news.example.com/story";

#[tokio::test]
async fn drawn_codes_are_short_speakable_and_different() {
    let app = TestApp::start().await;
    let links: Vec<_> = (0..200).map(|i| json!({ "url": format!("https://news.example.com/{i}") })).collect();
    let answer = app.post("/links/batch", &json!({ "links": links })).await.expect(200).json();
    let results = answer["results"].as_array().unwrap();
    let codes: HashSet<&str> = results.iter().map(|r| r["link"]["code"].as_str().unwrap()).collect();
    assert_eq!(codes.len(), 200);
    for code in codes {
        assert_eq!(code.len(), 7, "{code}");
        assert!(code.chars().all(|c| "bcdfghjkmnpqrstvwxz23456789".contains(c)), "{code}");
    }
}

#[tokio::test]
async fn a_chosen_code_is_given_once() {
    let app = TestApp::start().await;
    let body = json!({ "url": STORY, "code": "Night-Desk" });
    assert_eq!(app.create(body.clone()).await["code"], "Night-Desk");
    let again = app.post("/links", &body).await.expect(200).json();
    assert_eq!(again["code"], "Night-Desk");
    for code in ["Night-Desk", "night-desk", "NIGHT-DESK"] {
        let other = json!({ "url": "https://news.example.com/other", "code": code });
        let answer = app.post("/links", &other).await;
        answer.expect_problem(409, "code_taken", Some("code"));
        let link = &answer.json()["link"];
        assert_eq!((&link["code"], &link["target"]), (&json!("Night-Desk"), &json!(STORY)));
        assert_eq!(link["short_url"], format!("http://{}/Night-Desk", app.http.address()));
    }
}

#[tokio::test]
async fn a_second_code_for_the_same_story_is_another_link() {
    let app = TestApp::start().await;
    let drawn = app.shorten(STORY).await;
    let chosen = app.create(json!({ "url": STORY, "code": "story" })).await;
    assert_eq!(chosen["code"], "story");
    assert_eq!(chosen["article"]["id"], app.link(&drawn).await["article"]["id"]);
    let found = app.post("/links", &json!({ "url": STORY })).await.expect(200).json();
    assert_eq!(found["code"], drawn, "the first keeps its place");
}

#[tokio::test]
async fn a_retired_code_is_never_given_again() {
    let app = TestApp::start().await;
    app.create(json!({ "url": STORY, "code": "once" })).await;
    app.delete("/links/once").await.expect(204);
    for (url, code) in [(STORY, "once"), ("https://news.example.com/other", "once"), (STORY, "ONCE")] {
        app.post("/links", &json!({ "url": url, "code": code })).await.expect_problem(
            409,
            "code_taken",
            Some("code"),
        );
        let reserving = json!({ "reserve": true, "code": code });
        app.post("/links", &reserving).await.expect_problem(409, "code_taken", Some("code"));
    }
    app.follow("once").await.expect(410);
}

#[tokio::test]
async fn what_cannot_be_a_code() {
    let app = TestApp::start().await;
    let long = "a".repeat(65);
    for code in ["", " ", "a b", "a.q", "a+", "ä", "a/b", "a%20", "../etc", "a\u{0}b", &long] {
        let answer = app.post("/links", &json!({ "url": STORY, "code": code })).await;
        answer.expect_problem(422, "code_invalid", Some("code"));
    }
    let longest = "a".repeat(64);
    app.create(json!({ "url": STORY, "code": longest })).await;
    assert_eq!(app.follow(&longest).await.expect(302).location(), STORY);
}

/// First segments of everything that contract 3 routes, and of every route in the sources.
fn first_segments() -> HashSet<String> {
    let contract = [
        "/-/",
        "/-/links/{code}",
        "/api/v1/links",
        "/openapi.json",
        "/widget.js",
        "/robots.txt",
        "/favicon.ico",
        "/.well-known/security.txt",
    ];
    let mut paths: Vec<String> = contract.map(str::to_owned).to_vec();
    let document: crate::harness::Value =
        serde_json::from_str(&slugline::web::api::document().unwrap()).unwrap();
    paths.extend(document["paths"].as_object().unwrap().keys().cloned());
    let web = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let pages = std::fs::read_dir(web.join("pages")).unwrap().map(|entry| entry.unwrap().path());
    for file in pages.filter(|path| path.extension().is_some_and(|e| e == "rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        let routes = text.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
        paths.extend(routes.map(str::to_owned));
    }
    assert!(paths.len() > 20, "the routes were found: {paths:?}");
    paths.iter().filter_map(|p| p.split('/').nth(1)).filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

#[tokio::test]
async fn no_code_can_shadow_a_route() {
    let app = TestApp::start().await;
    let routes = first_segments();
    for segment in &routes {
        assert!(RESERVED.contains(&segment.as_str()), "{segment} has a route and is not reserved");
    }
    for segment in RESERVED.iter().copied().chain(routes.iter().map(String::as_str)) {
        for code in [segment.to_owned(), segment.to_ascii_uppercase()] {
            let expected = if Code::parse(&code).is_ok() { "code_reserved" } else { "code_invalid" };
            for body in [json!({ "url": STORY, "code": code }), json!({ "reserve": true, "code": code })] {
                app.post("/links", &body).await.expect_problem(422, expected, Some("code"));
            }
        }
    }
}

#[tokio::test]
async fn no_route_shadows_a_code() {
    let app = TestApp::start().await;
    let close = [
        "apis",
        "a",
        "api-",
        "api_v1",
        "errors1",
        "--",
        "-a",
        "_",
        "openapi",
        "openapi-json",
        "widget",
        "robots",
        "favicon",
        "well-known",
        "healthz",
        "readyz",
        "metrics",
        "login",
        "links",
        "settings",
        "q",
        "0",
    ];
    for code in close {
        let url = format!("https://news.example.com/{code}");
        app.create(json!({ "url": url, "code": code })).await;
        for path in [code.to_owned(), format!("{code}/"), format!("{code}.q")] {
            assert_eq!(app.follow(&path).await.expect(302).location(), url, "{path}");
        }
    }
}
