//! Signing in with a password, and out again; where one is signed in.

use super::browser::{Browser, PASSWORD, add_user, ask, cookie_of};
use crate::harness::{TestApp, json};

#[tokio::test]
async fn who_signed_in_may_what_their_role_may() {
    let app = TestApp::start().await;
    add_user(&app, "Maria", "creator").await;
    let answer = ask(&app.http, &json!({ "name": " mARIA ", "password": PASSWORD })).await.expect(201);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("slugline=") && cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    assert!(cookie.contains("; Path=/; Max-Age=2592000;"), "{cookie}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let session = answer.json();
    assert_eq!((&session["user"], &session["by"]), (&json!("Maria"), &json!("password")));
    assert!(!answer.text().contains(cookie_of(&answer).split_once('=').unwrap().1), "{}", answer.text());

    let maria = Browser { http: app.http.clone(), cookie: cookie_of(&answer) };
    let made = maria.post("/links", &json!({ "url": "https://news.example.com/a" })).await.expect(201).json();
    assert_eq!((&made["created_by"], &made["via"]), (&json!("user:Maria"), &json!("api")));
    maria.get("/keys").await.expect_problem(403, "forbidden", None);
    // What was made for her stays hers by whatever means she comes.
    let again = Browser::of(&app.http, "maria").await;
    let code = made["code"].as_str().unwrap();
    let change = json!({ "title": "T", "version": made["version"] });
    again.patch(&format!("/links/{code}"), &change).await.expect(200);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_have_one_answer() {
    let app = TestApp::start().await;
    add_user(&app, "Maria", "admin").await;
    app.post("/users", &json!({ "name": "nopass", "role": "admin" })).await.expect(201);
    add_user(&app, "gone", "admin").await;
    app.delete("/users/gone").await.expect(204);
    let mut texts = vec![];
    for (name, password) in [
        ("Maria", "wrong horse"),
        ("Maria", ""),
        ("nobody", PASSWORD),
        ("nopass", ""),
        ("nopass", "the password of nobody"),
        ("gone", PASSWORD),
    ] {
        let answer = ask(&app.http, &json!({ "name": name, "password": password })).await;
        answer.expect_problem(401, "unauthenticated", None);
        assert_eq!(answer.header("set-cookie"), "");
        texts.push(answer.text());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    let table = [
        (json!({}), "missing", "name"),
        (json!({ "name": "Maria" }), "missing", "password"),
        (json!({ "name": "Maria", "password": PASSWORD, "token": "x" }), "invalid_value", "token"),
        (json!({ "name": "Maria", "password": PASSWORD, "next": "/" }), "unknown_field", "next"),
    ];
    for (body, code, field) in table {
        ask(&app.http, &body).await.expect_problem(422, code, Some(field));
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_and_not_the_cookie_alone() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "viewer").await;
    let other = Browser::of(&app.http, "Maria").await;
    let stolen = maria.clone();
    stolen.get("/links").await.expect(200);
    let out = maria.delete("/sessions/current").await.expect(204);
    assert!(out.header("set-cookie").starts_with("slugline=; Path=/; Max-Age=0;"));
    stolen.is_out().await;
    other.get("/links").await.expect(200);
    // There is no session to end any more.
    maria.delete("/sessions/current").await.expect_problem(401, "unauthenticated", None);
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "editor").await;
    let phone = Browser::of(&app.http, "Maria").await;
    let anna = Browser::new(&app, "anna", "viewer").await;
    let listed = maria.get("/sessions").await.expect(200).json();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "one's own only: {listed}");
    assert_eq!(items.iter().filter(|s| s["current"] == true).count(), 1);
    let of_phone = items.iter().find(|s| s["current"] == false).unwrap();
    let id = of_phone["id"].as_str().unwrap();

    anna.get("/sessions?user=Maria").await.expect_problem(403, "forbidden", None);
    anna.get("/sessions?user=*").await.expect_problem(403, "forbidden", None);
    anna.delete(&format!("/sessions/{id}")).await.expect_problem(403, "forbidden", None);
    anna.delete("/sessions?user=maria").await.expect_problem(403, "forbidden", None);
    phone.get("/links").await.expect(200);

    for _ in 0..2 {
        maria.delete(&format!("/sessions/{id}")).await.expect(204);
        phone.is_out().await;
    }
    maria.delete("/sessions/nothing").await.expect_problem(404, "not_found", None);
    let count = async |path: &str| app.get(path).await.expect(200).json()["items"].as_array().unwrap().len();
    assert_eq!((count("/sessions").await, count("/sessions?user=*").await), (2, 2));
    assert_eq!(count("/sessions?user=mARIA").await, 1);
    app.delete("/sessions?user=maria").await.expect(204);
    maria.is_out().await;
    assert_eq!(count("/sessions").await, 1);
    anna.delete("/sessions").await.expect(204);
    anna.is_out().await;
}

#[tokio::test]
async fn who_came_and_went_is_in_the_audit() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "viewer").await;
    maria.delete("/sessions/current").await.expect(204);
    for name in ["Maria", "someone's secret, typed into the wrong field"] {
        ask(&app.http, &json!({ "name": name, "password": "wrong horse" })).await.expect(401);
    }
    let audit = app.get("/audit?limit=4").await.expect(200);
    assert!(!audit.text().contains("wrong field") && !audit.text().contains("horse"), "{}", audit.text());
    let lines: Vec<(String, String, String)> = audit.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            (text("by"), text("action"), text("object"))
        })
        .collect();
    let line = |by: &str, action: &str, object: &str| (by.to_owned(), action.to_owned(), object.to_owned());
    let expected = [
        line("nobody", "session.failed", "user"),
        line("nobody", "session.failed", "user:Maria"),
        line("user:Maria", "session.ended", "user:Maria"),
        line("user:Maria", "session.began", "user:Maria"),
    ];
    assert_eq!(lines, expected);
}
