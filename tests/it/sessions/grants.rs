//! Screens and shared views: what lets somebody look who is not signed in.

use http::Method;

use super::browser::Browser;
use crate::harness::{TestApp, Value, json};

async fn made(by: &Browser, path: &str, body: Value) -> (String, String) {
    let made = by.post(path, &body).await.expect(201).json();
    (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_screen_sees_the_live_board_and_nothing_else() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let (id, token) = made(&maria, "/screens", json!({ "name": "wall" })).await;
    let live = format!("/api/v1/live?token={token}");
    let mut events = app.http.call(Method::GET, &live).events().await;
    assert_eq!(events.next().await.unwrap().name, "snapshot");
    events.find("tick", |_| true).await;

    app.http.get(&format!("/api/v1/links?token={token}")).await.expect_problem(401, "unauthenticated", None);
    let (_, share) = made(&maria, "/shares", json!({ "name": "s", "view": "/-/reports" })).await;
    for wrong in [share.as_str(), "x", &"A".repeat(43)] {
        let answer = app.http.get(&format!("/api/v1/live?token={wrong}")).await;
        answer.expect_problem(401, "unauthenticated", None);
    }

    // It ends while somebody looks.
    maria.delete(&format!("/screens/{id}")).await.expect(204);
    while events.next().await.is_some() {}
    app.http.get(&live).await.expect_problem(401, "unauthenticated", None);
}

#[tokio::test]
async fn a_session_sees_the_live_board_until_it_ends() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "viewer").await;
    let mut events = maria.call(Method::GET, "/live").events().await;
    assert_eq!(events.next().await.unwrap().name, "snapshot");
    maria.delete("/sessions/current").await.expect(204);
    while events.next().await.is_some() {}
    app.http.get("/api/v1/live").await.expect_problem(401, "unauthenticated", None);
}

#[tokio::test]
async fn they_are_listed_without_secrets_and_revoked_by_their_makers() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let anna = Browser::new(&app, "anna", "editor").await;
    let view = "/-/reports?from=2026-11-01&scope=section:World%20News";
    for (path, body) in
        [("/screens", json!({ "name": "wall" })), ("/shares", json!({ "name": "s", "view": view }))]
    {
        let (id, token) = made(&maria, path, body).await;
        let listed = maria.get(path).await.expect(200);
        assert!(!listed.text().contains(&token), "{}", listed.text());
        let item = listed.json()["items"][0].clone();
        assert_eq!((&item["id"], &item["created_by"]), (&json!(id), &json!("user:Maria")));
        assert_eq!(item["view"], if path == "/shares" { json!(view) } else { Value::Null });
        assert_eq!(anna.get(path).await.expect(200).json()["items"], json!([]), "others' are not seen");
        anna.delete(&format!("{path}/{id}")).await.expect_problem(403, "forbidden", None);
        assert_eq!(app.get(path).await.expect(200).json()["items"].as_array().unwrap().len(), 1);
        for _ in 0..2 {
            app.delete(&format!("{path}/{id}")).await.expect(204);
        }
        assert_eq!(maria.get(path).await.expect(200).json()["items"], json!([]));
        maria.delete(&format!("{path}/x")).await.expect_problem(404, "not_found", None);
    }
    let table = [
        ("/screens", json!({}), "missing", "name"),
        ("/screens", json!({ "name": "" }), "missing", "name"),
        ("/screens", json!({ "name": "a", "view": "/-/" }), "unknown_field", "view"),
        ("/shares", json!({ "name": "a" }), "missing", "view"),
        ("/shares", json!({ "name": "a", "view": "https://evil.example/-/" }), "invalid_value", "view"),
        ("/shares", json!({ "name": "a", "view": "/api/v1/links" }), "invalid_value", "view"),
        ("/shares", json!({ "name": "a", "view": "/-/../api/v1/links" }), "invalid_value", "view"),
        ("/shares", json!({ "name": "a", "view": "/-/a\r\nb" }), "invalid_value", "view"),
    ];
    for (path, body, code, field) in table {
        maria.post(path, &body).await.expect_problem(422, code, Some(field));
    }
}

#[tokio::test]
async fn only_what_a_stranger_would_see_is_shared() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/tram", "code": "tram" })).await;
    app.create(json!({ "url": "https://news.example.com/scoop", "code": "later", "confidential": true,
        "not_before": "2099-01-01T00:00:00Z" }))
        .await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let share = async |view: &str| maria.post("/shares", &json!({ "name": "s", "view": view })).await;
    let table = [
        ("/-/links/nobody", 404, "not_found"),
        ("/-/articles/nobody", 404, "unknown_article"),
        ("/-/reports?scope=link:nobody", 404, "not_found"),
        ("/-/links/later", 409, "conflict"),
        ("/-/links/tram?period=nonsense", 422, "invalid_value"),
        ("/-/reports?tab=nonsense", 422, "invalid_value"),
        ("/-/live", 422, "invalid_value"),
        ("/-/settings/users", 422, "invalid_value"),
    ];
    for (view, status, code) in table {
        share(view).await.expect_problem(status, code, Some("view"));
    }
    let (viewer, to) = (Browser::new(&app, "Vera", "viewer").await, "/-/links/nobody");
    let refused = viewer.post("/shares", &json!({ "name": "s", "view": to })).await;
    refused.expect_problem(403, "forbidden", None);
    assert_eq!(app.all("/shares").await, Vec::<Value>::new());
    share("/-/links/tram?period=7d").await.expect(201);
}

#[tokio::test]
async fn a_secret_is_not_given_twice() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let call =
        || maria.call(Method::POST, "/screens").header("idempotency-key", "k").json(&json!({ "name": "w" }));
    let (first, again) = (call().send().await.expect(201), call().send().await.expect(201));
    assert!(first.json()["token"].is_string() && again.json()["token"].is_null(), "{}", again.text());
    assert_eq!(first.json()["id"], again.json()["id"]);
}
