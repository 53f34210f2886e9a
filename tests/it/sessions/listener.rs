//! A listener of its own for staff.

use http::Method;

use super::browser::{Browser, PASSWORD, add_user, ask};
use crate::harness::{TestApp, json};

#[tokio::test]
async fn staff_are_elsewhere() {
    let app =
        TestApp::start_with(|config| config.server.staff_listen = Some("127.0.0.1:0".parse().unwrap())).await;
    let staff = app.staff.clone().unwrap();
    let link = app.link.clone().unwrap();
    assert!(link.starts_with(&format!("http://{}/-/login?token=", staff.address())), "{link}");
    add_user(&app, "Maria", "creator").await;
    let maria = Browser::of(&staff, "Maria").await;
    let made = maria.post("/links", &json!({ "url": "https://news.example.com/a" })).await.expect(201).json();
    let code = made["code"].as_str().unwrap();
    assert_eq!(
        made["short_url"],
        format!("http://{}/{code}", app.http.address()),
        "readers' address is as it was"
    );
    staff.get("/-/login").await.expect(200);

    // In public there are no pages of staff, no sessions, and no word of where they are.
    app.http.get("/-/").await.expect(404);
    app.http.get("/-/login").await.expect(404);
    app.http.get("/").await.expect(404);
    ask(&app.http, &json!({ "name": "Maria", "password": PASSWORD })).await.expect_problem(
        404,
        "not_found",
        None,
    );
    let public = Browser { http: app.http.clone(), cookie: maria.cookie.clone() };
    public.is_out().await;
    public.delete("/sessions/current").await.expect_problem(401, "unauthenticated", None);
    maria.get("/links").await.expect(200);
    app.get("/links").await.expect(200);

    // And where staff are, nothing is a code.
    staff.get(&format!("/{code}")).await.expect(404);
    app.http.get(&format!("/{code}")).await.expect(302);
    let by_key = staff.call(Method::GET, "/api/v1/links").key(&app.key);
    by_key.send().await.expect(200);
}
