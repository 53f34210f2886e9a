//! What admins change of users, and users of themselves.

use super::browser::{Browser, PASSWORD, add_user, ask, cookie_of};
use crate::harness::{TestApp, json};

#[tokio::test]
async fn a_disabled_user_is_out_and_stays_out() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "admin").await;
    let made = maria.post("/keys", &json!({ "name": "k", "role": "admin" })).await.expect(201).json();
    let key = app.with_key(made["key"].as_str().unwrap());
    key.get("/links").await.expect(200);
    let screen = maria.post("/screens", &json!({ "name": "wall" })).await.expect(201).json();

    app.patch("/users/maria", &json!({ "disabled": true })).await.expect(200);
    maria.is_out().await;
    key.get("/links").await.expect_problem(401, "unauthenticated", None);
    let live = format!("/api/v1/live?token={}", screen["token"].as_str().unwrap());
    app.http.get(&live).await.expect_problem(401, "unauthenticated", None);
    ask(&app.http, &json!({ "name": "Maria", "password": PASSWORD })).await.expect(401);

    // Back again, without what was there before.
    let back = app.patch("/users/Maria", &json!({ "disabled": false, "role": "viewer" })).await.expect(200);
    assert_eq!((&back.json()["disabled_at"], &back.json()["role"]), (&json!(null), &json!("viewer")));
    maria.is_out().await;
    key.get("/links").await.expect_problem(401, "unauthenticated", None);
    app.http.get(&live).await.expect_problem(401, "unauthenticated", None);
    let again = Browser::of(&app.http, "Maria").await;
    again.get("/users").await.expect_problem(403, "forbidden", None);
}

#[tokio::test]
async fn a_role_holds_from_the_next_request_on() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "viewer").await;
    maria.get("/users").await.expect_problem(403, "forbidden", None);
    maria.patch("/users/Maria", &json!({ "role": "admin" })).await.expect_problem(403, "forbidden", None);
    app.patch("/users/Maria", &json!({ "role": "admin" })).await.expect(200);
    maria.get("/users").await.expect(200);
    app.patch("/users/Maria", &json!({ "role": "king" })).await.expect_problem(
        422,
        "invalid_value",
        Some("role"),
    );
    app.patch("/users/nobody", &json!({ "role": "admin" })).await.expect_problem(404, "not_found", None);
}

#[tokio::test]
async fn one_sets_ones_own_password() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let phone = Browser::of(&app.http, "Maria").await;
    add_user(&app, "anna", "admin").await;
    let anna = Browser::of(&app.http, "anna").await;
    let new = "a better horse";
    let cannot = [
        (&anna, json!({ "password": new, "current": PASSWORD }), 403, "forbidden", "password"),
        (&maria, json!({ "password": new }), 422, "invalid_value", "current"),
        (&maria, json!({ "password": new, "current": "wrong horse" }), 422, "invalid_value", "current"),
        (&maria, json!({ "password": "short", "current": PASSWORD }), 422, "invalid_value", "password"),
        (&maria, json!({ "password": new, "role": "admin" }), 422, "invalid_value", "password"),
    ];
    for (who, body, status, code, field) in cannot {
        who.patch("/users/Maria", &body).await.expect_problem(status, code, Some(field));
    }
    let by_key = json!({ "password": new, "current": PASSWORD });
    app.patch("/users/Maria", &by_key).await.expect_problem(403, "forbidden", Some("password"));
    phone.get("/links").await.expect(200);

    let set = maria.patch("/users/maria", &by_key).await.expect(200);
    let goes_on = Browser { http: app.http.clone(), cookie: cookie_of(&set) };
    goes_on.get("/links").await.expect(200);
    phone.is_out().await;
    maria.is_out().await;
    ask(&app.http, &json!({ "name": "Maria", "password": PASSWORD })).await.expect(401);
    ask(&app.http, &json!({ "name": "Maria", "password": new })).await.expect(201);
}
