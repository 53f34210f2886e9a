//! A proxy in front that signs people in.

use http::Method;

use super::browser::{Browser, add_user};
use crate::harness::{TestApp, json};

async fn behind(ranges: &str) -> TestApp {
    let ranges = ranges.to_owned();
    let app = TestApp::start_with(move |config| {
        config.auth.trusted_header = "X-Forwarded-User".into();
        config.auth.trusted_ranges = vec![ranges.parse().unwrap()];
        // Who is a client's proxy is another question.
        config.clients.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    add_user(&app, "Märia", "editor").await;
    app
}

#[tokio::test]
async fn who_the_proxy_names_is_signed_in_with_our_role() {
    let app = behind("127.0.0.1/32").await;
    let named = |name: &str| app.http.call(Method::GET, "/api/v1/sessions").header("x-forwarded-user", name);
    named("mÄria").send().await.expect(200);
    let make = app.http.call(Method::POST, "/api/v1/links").header("x-forwarded-user", "märia");
    let body = json!({ "url": "https://news.example.com/a" });
    // What the proxy adds to every request is no page of ours.
    make.json(&body).send().await.expect_problem(403, "forbidden", None);
    let make = app.http.call(Method::POST, "/api/v1/links").header("x-forwarded-user", "märia");
    let made = make.header("sec-fetch-site", "same-origin").json(&body).send().await.expect(201).json();
    assert_eq!(made["created_by"], "user:Märia");
    let keys = app.http.call(Method::GET, "/api/v1/keys").header("x-forwarded-user", "märia");
    keys.send().await.expect_problem(403, "forbidden", None);

    // Nobody is made by a header, nor does the cookie stand in for one who is refused.
    add_user(&app, "anna", "admin").await;
    let anna = Browser::of(&app.http, "anna").await;
    for name in ["nobody", "", "märia, anna"] {
        named(name).send().await.expect_problem(401, "unauthenticated", None);
        let both = anna.call(Method::GET, "/links").header("x-forwarded-user", name);
        both.send().await.expect_problem(401, "unauthenticated", None);
    }
    let twice = named("märia").header("x-forwarded-user", "anna");
    twice.send().await.expect_problem(401, "unauthenticated", None);
    anna.get("/links").await.expect(200);
    app.delete("/users/m%C3%A4ria").await.expect(204);
    named("märia").send().await.expect_problem(401, "unauthenticated", None);
}

#[tokio::test]
async fn from_elsewhere_the_header_is_nothing() {
    let app = behind("192.0.2.0/24").await;
    for forged in [&[][..], &[("x-forwarded-for", "192.0.2.1")]] {
        let call = app.http.call(Method::GET, "/api/v1/links").header("x-forwarded-user", "märia");
        call.headers(forged).send().await.expect_problem(401, "unauthenticated", None);
    }
}
