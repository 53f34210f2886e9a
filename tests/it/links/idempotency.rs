//! A POST that was sent twice is done once.

use http::Method;

use crate::harness::{Answer, Api, TestApp, Value, json};

async fn post(api: &Api, key: &str, path: &str, body: &Value) -> Answer {
    api.call(Method::POST, path).header("idempotency-key", key).json(body).send().await
}

fn replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == "true"
}

#[tokio::test]
async fn the_same_request_again_gets_the_first_answer() {
    let app = TestApp::start().await;
    let body = json!({ "url": "https://news.example.com/a", "force_new": true });
    let first = post(&app, "k1", "/links", &body).await.expect(201);
    assert!(!replayed(&first));
    for _ in 0..3 {
        let again = post(&app, "k1", "/links", &body).await.expect(201);
        assert!(replayed(&again));
        assert_eq!(again.json(), first.json());
        assert_eq!(again.header("content-type"), first.header("content-type"));
    }
    assert_eq!(app.all("/links").await.len(), 1);
    let other = post(&app, "k2", "/links", &body).await.expect(201);
    assert_ne!(other.json()["code"], first.json()["code"]);
}

#[tokio::test]
async fn what_was_redacted_since_is_not_told_again() {
    let app = TestApp::start().await;
    let libel = json!({ "url": "https://news.example.com/libel", "title": "A libel", "note": "libel",
        "article": { "title": "Libel", "section": "World" } });
    let other = json!({ "url": "https://news.example.com/b", "title": "The bridge" });
    let one = post(&app, "k1", "/links", &libel).await.expect(201).json();
    let batch = json!({ "links": [libel, other] });
    let first = post(&app, "k2", "/links/batch", &batch).await.expect(200);
    let id = one["article"]["id"].as_str().unwrap();
    assert!(first.text().contains("libel"));
    app.post(&format!("/articles/{id}/redact"), &json!({})).await.expect(200);
    let again = post(&app, "k1", "/links", &libel).await.expect(201);
    assert!(replayed(&again) && !again.text().to_lowercase().contains("libel"), "{}", again.text());
    assert_eq!((&again.json()["code"], &again.json()["target"]), (&one["code"], &Value::Null));
    let again = post(&app, "k2", "/links/batch", &batch).await.expect(200);
    assert!(replayed(&again) && !again.text().to_lowercase().contains("libel"), "{}", again.text());
    assert!(again.text().contains("The bridge"), "others are as they were");
}

#[tokio::test]
async fn another_body_or_call_is_refused() {
    let app = TestApp::start().await;
    let body = json!({ "url": "https://news.example.com/a" });
    post(&app, "k1", "/links", &body).await.expect(201);
    let other = json!({ "url": "https://news.example.com/b" });
    post(&app, "k1", "/links", &other).await.expect_problem(422, "key_reused", Some("Idempotency-Key"));
    let batch = json!({ "links": [body] });
    post(&app, "k1", "/links/batch", &batch).await.expect_problem(422, "key_reused", Some("Idempotency-Key"));
    // Someone else's key of the same name is another one.
    let editor = app.as_role("editor").await;
    assert!(!replayed(&post(&editor, "k1", "/links", &other).await.expect(201)));
}

#[tokio::test]
async fn a_refusal_is_an_answer_too() {
    let app = TestApp::start().await;
    let body = json!({ "url": "javascript:1" });
    let first = post(&app, "k1", "/links", &body).await;
    first.expect_problem(422, "invalid_url", Some("url"));
    let again = post(&app, "k1", "/links", &body).await;
    again.expect_problem(422, "invalid_url", Some("url"));
    assert!(replayed(&again) && !replayed(&first));
}

#[tokio::test]
async fn a_replay_has_no_secret() {
    let app = TestApp::start().await;
    let body = json!({ "name": "CMS", "role": "creator" });
    let first = post(&app, "k1", "/keys", &body).await.expect(201).json();
    let secret = first["key"].as_str().unwrap();
    app.with_key(secret).get("/links").await.expect(200);
    let again = post(&app, "k1", "/keys", &body).await.expect(201);
    assert!(replayed(&again));
    assert!(!again.text().contains(secret.rsplit('_').next().unwrap()), "{}", again.text());
    assert_eq!((&again.json()["id"], &again.json()["key"]), (&first["id"], &Value::Null));
    assert_eq!(app.get("/keys").await.json()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn two_at_the_same_time_are_done_once() {
    let app = TestApp::start().await;
    for round in 0..20 {
        let body = json!({ "url": "https://news.example.com/a", "force_new": true });
        let key = format!("k{round}");
        let (a, b) = tokio::join!(post(&app, &key, "/links", &body), post(&app, &key, "/links", &body));
        match (a.status, b.status) {
            (201, 201) => {
                assert_eq!(a.json()["code"], b.json()["code"]);
                assert!(replayed(&a) != replayed(&b));
            }
            (409, 201) => a.expect_problem(409, "in_progress", Some("Idempotency-Key")),
            (201, 409) => b.expect_problem(409, "in_progress", Some("Idempotency-Key")),
            other => panic!("{other:?}"),
        }
        assert_eq!(app.all("/links").await.len(), round + 1);
    }
}

#[tokio::test]
async fn answers_are_kept_over_a_restart() {
    let app = TestApp::start().await;
    let body = json!({ "url": "https://news.example.com/a", "force_new": true });
    let first = post(&app, "k1", "/links", &body).await.expect(201).json();
    let (dir, key) = app.stop().await;
    let app = TestApp::start_in(dir, Some(key), |_| {}).await;
    let again = post(&app, "k1", "/links", &body).await.expect(201);
    assert!(replayed(&again));
    assert_eq!(again.json()["code"], first["code"]);
}

#[tokio::test]
async fn what_cannot_be_a_key() {
    let app = TestApp::start().await;
    let body = json!({ "url": "https://news.example.com/a" });
    for key in ["", &"k".repeat(256)] {
        let answer = post(&app, key, "/links", &body).await;
        answer.expect_problem(422, "invalid_value", Some("Idempotency-Key"));
    }
    // Only a POST is made once; reading has no use for it.
    let get = app.call(Method::GET, "/links").header("idempotency-key", "k1").send().await.expect(200);
    assert!(!replayed(&get));
}
