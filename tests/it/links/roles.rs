//! Who may do what: each role where it may, and where it may not.

use crate::harness::{Api, TestApp, Value, json};

const ROLES: [&str; 4] = ["viewer", "creator", "editor", "admin"];

/// A call, and the least role (as an index into `ROLES`) that may make it.
type Call<'a> = (&'a str, &'a str, Value, usize);

async fn status(api: &Api, (method, path, body, _): &Call<'_>) -> u16 {
    let answer = match *method {
        "GET" => api.get(path).await,
        "POST" => api.post(path, body).await,
        "PATCH" => api.patch(path, body).await,
        _ => api.delete(path).await,
    };
    if answer.status == 403 {
        answer.expect_problem(403, "forbidden", None);
    }
    answer.status
}

#[tokio::test]
async fn each_role_may_what_the_one_before_may_and_more() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "theirs" })).await;
    let one = json!({ "links": [{ "url": "https://news.example.com/b" }] });
    let calls: [Call<'_>; 17] = [
        ("GET", "/links", Value::Null, 0),
        ("GET", "/links/theirs", Value::Null, 0),
        ("GET", "/links/theirs/history", Value::Null, 0),
        ("GET", "/links/theirs/qr.svg", Value::Null, 0),
        ("GET", "/articles?url=https://news.example.com/a", Value::Null, 0),
        ("GET", "/reports/summary", Value::Null, 0),
        ("GET", "/reports/top?by=link", Value::Null, 0),
        ("POST", "/links", json!({ "url": "https://news.example.com/c" }), 1),
        ("POST", "/links/batch", one, 1),
        ("PATCH", "/links/theirs", json!({ "version": 1 }), 2),
        ("GET", "/keys", Value::Null, 3),
        ("POST", "/keys", json!({ "name": "k", "role": "viewer" }), 3),
        ("DELETE", "/keys/nobody", Value::Null, 3),
        ("GET", "/users", Value::Null, 3),
        ("POST", "/users", json!({ "name": "u", "role": "viewer" }), 3),
        ("DELETE", "/users/nobody", Value::Null, 3),
        ("GET", "/audit", Value::Null, 3),
    ];
    for (has, role) in ROLES.iter().enumerate() {
        let api = app.as_role(role).await;
        for call in &calls {
            let got = status(&api, call).await;
            let may = has >= call.3;
            assert_eq!(got != 403, may, "{role}: {} {}: {got}", call.0, call.1);
            assert!(got < 500 && got != 401, "{role}: {} {}: {got}", call.0, call.1);
        }
    }
}

#[tokio::test]
async fn a_creator_changes_and_retires_only_its_own() {
    let app = TestApp::start().await;
    let (one, two) = (app.as_role("creator").await, app.as_role("creator").await);
    let code = one.shorten("https://news.example.com/a").await;
    let path = format!("/links/{code}");
    two.patch(&path, &json!({ "version": 1, "title": "x" })).await.expect_problem(403, "forbidden", None);
    two.delete(&path).await.expect_problem(403, "forbidden", None);
    one.patch(&path, &json!({ "version": 1, "title": "x" })).await.expect(200);
    let editor = app.as_role("editor").await;
    editor.patch(&path, &json!({ "version": 2, "title": "y" })).await.expect(200);
    one.delete(&path).await.expect(204);
    // Someone else's link may be found again, not changed.
    let theirs = two.shorten("https://news.example.com/b").await;
    let found = one.post("/links", &json!({ "url": "https://news.example.com/b", "title": "mine" })).await;
    assert_eq!(found.expect(200).json()["code"], theirs);
    editor.delete(&format!("/links/{theirs}")).await.expect(204);
}

#[tokio::test]
async fn a_refused_change_changes_nothing() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    let viewer = app.as_role("viewer").await;
    viewer.patch(&format!("/links/{code}"), &json!({ "version": 1, "disabled": true })).await.expect(403);
    viewer.post("/links", &json!({ "url": "https://news.example.com/b" })).await.expect(403);
    viewer.delete(&format!("/links/{code}")).await.expect(403);
    assert_eq!(app.all("/links").await.len(), 1);
    assert_eq!(app.link(&code).await["version"], 1);
    app.follow(&code).await.expect(302);
}
