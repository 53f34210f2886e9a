//! Links that sign in once.

use super::browser::{Browser, PASSWORD, ask, cookie_of};
use crate::harness::{Answer, Program, TestApp, json};

/// The secret in a sign-in link.
fn token(url: &str) -> &str {
    url.split_once("/-/login?token=").unwrap_or_else(|| panic!("{url}")).1
}

async fn use_link(app: &TestApp, token: &str) -> Answer {
    ask(&app.http, &json!({ "token": token })).await
}

#[tokio::test]
async fn the_first_start_makes_an_admin_with_a_link() {
    let app = TestApp::start().await;
    let link = app.link.clone().unwrap();
    assert!(link.starts_with(&format!("http://{}/-/login?token=", app.http.address())), "{link}");
    let began = use_link(&app, token(&link)).await.expect(201);
    assert_eq!((&began.json()["user"], &began.json()["by"]), (&json!("admin"), &json!("link")));
    let admin = Browser { http: app.http.clone(), cookie: cookie_of(&began) };
    admin.get("/users").await.expect(200);
    // Without a password one is set without the one before; then it is theirs, and all sessions but a new one end.
    let set = admin.patch("/users/admin", &json!({ "password": PASSWORD })).await.expect(200);
    assert_eq!(set.json()["has_password"], true);
    admin.is_out().await;
    let goes_on = Browser { http: app.http.clone(), cookie: cookie_of(&set) };
    goes_on.get("/users").await.expect(200);
    Browser::of(&app.http, "admin").await.get("/keys").await.expect(200);

    let (dir, key) = app.stop().await;
    let again = TestApp::start_in(dir, Some(key), |_| {}).await;
    assert_eq!(again.link, None, "it was no first start");
    goes_on_at(&again, &goes_on).await;
}

async fn goes_on_at(app: &TestApp, browser: &Browser) {
    let browser = Browser { http: app.http.clone(), cookie: browser.cookie.clone() };
    browser.get("/users").await.expect(200);
}

#[tokio::test]
async fn a_link_signs_in_once() {
    let app = TestApp::start().await;
    app.post("/users", &json!({ "name": "Maria", "role": "editor" })).await.expect(201);
    let made = app.post("/users/maria/sign-in-link", &json!({})).await.expect(201).json();
    let token = token(made["url"].as_str().unwrap()).to_owned();
    let both = tokio::join!(use_link(&app, &token), use_link(&app, &token));
    let mut statuses = [both.0.status, both.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401]);
    use_link(&app, &token).await.expect_problem(401, "unauthenticated", None);
    for wrong in ["", "x", &"A".repeat(43), &format!("{token}A")] {
        use_link(&app, wrong).await.expect_problem(401, "unauthenticated", None);
    }
}

#[tokio::test]
async fn a_link_ends_with_its_user_and_with_a_password() {
    let app = TestApp::start().await;
    let mut links = vec![];
    for name in ["anna", "otto"] {
        app.post("/users", &json!({ "name": name, "role": "editor" })).await.expect(201);
        let made = app.post(&format!("/users/{name}/sign-in-link"), &json!({})).await.expect(201).json();
        links.push(token(made["url"].as_str().unwrap()).to_owned());
    }
    app.delete("/users/anna").await.expect(204);
    app.patch("/users/anna", &json!({ "disabled": false })).await.expect(200);
    use_link(&app, &links[0]).await.expect_problem(401, "unauthenticated", None);

    let made = app.post("/users/otto/sign-in-link", &json!({})).await.expect(201).json();
    let began = use_link(&app, token(made["url"].as_str().unwrap())).await.expect(201);
    let otto = Browser { http: app.http.clone(), cookie: cookie_of(&began) };
    otto.patch("/users/otto", &json!({ "password": PASSWORD })).await.expect(200);
    use_link(&app, &links[1]).await.expect_problem(401, "unauthenticated", None);
    app.delete("/users/otto").await.expect(204);
    app.post("/users/otto/sign-in-link", &json!({})).await.expect_problem(409, "conflict", Some("name"));
    app.post("/users/nobody/sign-in-link", &json!({})).await.expect_problem(404, "not_found", None);
}

#[tokio::test]
async fn the_command_line_makes_links_beside_a_server() {
    let server = Program::start().await;
    let stdout = server.stdout();
    assert!(
        stdout.len() == 2 && stdout[0].contains("slk_") && stdout[1].contains("/-/login?token="),
        "{stdout:?}"
    );
    let data = server.data();
    let added = crate::harness::cli::on(&data, &["user", "add", "Maria", "--role", "creator"]).done();
    let link = crate::harness::cli::on(&data, &["user", "link", "maria"]).done();
    for text in [added.as_str(), link.as_str()] {
        let token = token(text.trim()).to_owned();
        crate::harness::eventually("the server knows the user", async || {
            let users = server.get("/users").await.expect(200).text();
            users.contains("Maria").then_some(())
        })
        .await;
        let began = ask(&server.http, &json!({ "token": token })).await.expect(201);
        assert_eq!(began.json()["user"], "Maria");
    }
}
