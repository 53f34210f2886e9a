//! Keys and users.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use crate::harness::{TestApp, Value, eventually, json};

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_revoked() {
    let app = TestApp::start().await;
    let made = app.post("/keys", &json!({ "name": "CMS", "role": "creator" })).await.expect(201).json();
    let secret = made["key"].as_str().unwrap();
    assert!(secret.starts_with("slk_"), "{secret}");
    let cms = app.with_key(secret);
    assert_eq!(cms.key_id(), made["id"]);
    let link = cms.create(json!({ "url": "https://news.example.com/a" })).await;
    assert_eq!(link["created_by"], format!("key:{}", cms.key_id()));

    let listed = app.get("/keys").await.expect(200);
    assert!(!listed.text().contains(secret.rsplit('_').next().unwrap()), "a list has no secret");
    let items = listed.json()["items"].as_array().unwrap().clone();
    let key = items.iter().find(|k| k["id"] == made["id"]).unwrap();
    assert_eq!((&key["name"], &key["role"], &key["key"]), (&json!("CMS"), &json!("creator"), &Value::Null));
    assert_eq!(key["created_by"], format!("key:{}", app.key_id()));

    for _ in 0..2 {
        app.delete(&format!("/keys/{}", cms.key_id())).await.expect(204);
        cms.get("/links").await.expect_problem(401, "unauthenticated", None);
    }
    let kept = app.link(link["code"].as_str().unwrap()).await;
    assert_eq!(kept["created_by"], link["created_by"], "what it made stays");
    app.delete("/keys/nobody").await.expect_problem(404, "not_found", None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_works_at_once_whoever_else_gets_one() {
    let app = Arc::new(TestApp::start().await);
    let mut makers = JoinSet::new();
    for _ in 0..8 {
        let app = Arc::clone(&app);
        makers.spawn(async move {
            for _ in 0..20 {
                let colleague = app.as_role("viewer").await;
                colleague.get("/links").await.expect(200);
                app.delete(&format!("/keys/{}", colleague.key_id())).await.expect(204);
            }
        });
    }
    makers.join_all().await;
}

#[tokio::test]
async fn a_key_ends_at_its_time() {
    let app = TestApp::start().await;
    let ends = Timestamp::now() + SignedDuration::from_millis(1_500);
    let body = json!({ "name": "short", "role": "viewer", "expires_at": ends.to_string() });
    let made = app.post("/keys", &body).await.expect(201).json();
    let short = app.with_key(made["key"].as_str().unwrap());
    eventually("the key has ended", async || {
        let asked = Timestamp::now();
        let answer = short.get("/links").await;
        if Timestamp::now() < ends {
            answer.clone().expect(200);
        }
        if asked >= ends {
            answer.expect_problem(401, "unauthenticated", None);
        }
        (answer.status == 401).then_some(())
    })
    .await;
    let past = json!({ "name": "k", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z" });
    app.post("/keys", &past).await.expect_problem(422, "invalid_value", Some("expires_at"));
}

#[tokio::test]
async fn users_are_added_and_disabled() {
    let app = TestApp::start().await;
    let body = json!({ "name": "Ada Byron", "role": "editor", "password": "correct horse" });
    let made = app.post("/users", &body).await.expect(201);
    assert!(!made.text().contains("correct horse") && !made.text().contains("argon2"), "{}", made.text());
    assert_eq!((&made.json()["role"], &made.json()["disabled_at"]), (&json!("editor"), &Value::Null));
    let again = json!({ "name": "ada byron", "role": "viewer" });
    app.post("/users", &again).await.expect_problem(409, "conflict", Some("name"));
    for _ in 0..2 {
        app.delete("/users/Ada%20Byron").await.expect(204);
    }
    let users = app.get("/users").await.expect(200).json();
    // The first start made one.
    assert_eq!((users["items"].as_array().unwrap().len(), &users["items"][0]["name"]), (2, &json!("admin")));
    assert!(users["items"][1]["disabled_at"].is_string(), "{users}");
    app.delete("/users/nobody").await.expect_problem(404, "not_found", None);
}

#[tokio::test]
async fn what_keys_and_users_cannot_be() {
    let app = TestApp::start().await;
    let long = "n".repeat(101);
    let table = [
        ("/keys", json!({ "role": "viewer" }), "missing", "name"),
        ("/keys", json!({ "name": "k" }), "missing", "role"),
        ("/keys", json!({ "name": " ", "role": "viewer" }), "missing", "name"),
        ("/keys", json!({ "name": long, "role": "viewer" }), "out_of_range", "name"),
        ("/keys", json!({ "name": "k", "role": "king" }), "invalid_value", "role"),
        ("/keys", json!({ "name": "k", "role": 1 }), "wrong_type", "role"),
        ("/keys", json!({ "name": "a\u{7}b", "role": "viewer" }), "invalid_value", "name"),
        (
            "/users",
            json!({ "name": "u", "role": "viewer", "password": "short" }),
            "invalid_value",
            "password",
        ),
        ("/users", json!({ "name": long, "role": "viewer" }), "out_of_range", "name"),
        ("/users", json!({ "name": "u", "role": "viewer", "email": "x" }), "unknown_field", "email"),
    ];
    for (path, body, code, field) in table {
        app.post(path, &body).await.expect_problem(422, code, Some(field));
    }
}
