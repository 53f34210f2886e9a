//! What others try with somebody's session, or without one.

use http::Method;

use super::browser::{Browser, PASSWORD, add_user, ask, cookie_of};
use crate::harness::{TestApp, json};

#[tokio::test]
async fn another_site_changes_nothing_in_ones_name() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "admin").await;
    let ours = format!("http://{}", app.http.address());
    let table: [(&[(&str, &str)], u16); 10] = [
        (&[], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site"), ("origin", &ours)], 403),
        (&[("sec-fetch-site", "none")], 403),
        (&[("origin", "https://evil.example")], 403),
        (&[("origin", "null")], 403),
        (&[("origin", "https://evil.example"), ("referer", &ours)], 403),
        (&[("origin", &ours)], 201),
        (&[("sec-fetch-site", "same-origin")], 201),
        (&[("sec-fetch-site", "same-origin"), ("origin", &ours)], 201),
    ];
    for (n, (headers, status)) in table.into_iter().enumerate() {
        let body = json!({ "name": format!("u{n}"), "role": "admin" });
        let answer = maria.bare(Method::POST, "/users").headers(headers).json(&body).send().await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
        if status == 403 {
            answer.expect_problem(403, "forbidden", None);
            for (method, path) in [(Method::PATCH, "/users/admin"), (Method::DELETE, "/users/admin")] {
                let call = maria.bare(method, path).headers(headers).json(&json!({ "role": "viewer" }));
                call.send().await.expect_problem(403, "forbidden", None);
            }
        }
    }
    // A form, which other sites can send without asking, is none of ours.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let call = maria.call(Method::POST, "/users").text(kind, r#"{"name": "x", "role": "admin"}"#);
        call.send().await.expect_problem(415, "unsupported_type", None);
    }
    // To read is no change; no other site sees the answer.
    let read =
        maria.bare(Method::GET, "/links").header("origin", "https://evil.example").send().await.expect(200);
    assert_eq!(read.header("access-control-allow-origin"), "");
    // A key is nobody's cookie: programs say nothing of where they come from.
    app.post("/users", &json!({ "name": "by key", "role": "viewer" })).await.expect(201);
}

#[tokio::test]
async fn nobody_is_signed_in_by_another_site() {
    let app = TestApp::start().await;
    add_user(&app, "mallory", "viewer").await;
    let body = json!({ "name": "mallory", "password": PASSWORD });
    for headers in [&[][..], &[("origin", "https://evil.example")], &[("sec-fetch-site", "cross-site")]] {
        let call = app.http.call(Method::POST, "/api/v1/sessions").headers(headers).json(&body);
        let answer = call.send().await;
        answer.expect_problem(403, "forbidden", None);
        assert_eq!(answer.header("set-cookie"), "");
    }
}

#[tokio::test]
async fn a_session_that_was_planted_is_not_gone_on_with() {
    let app = TestApp::start().await;
    let planted = Browser::new(&app, "mallory", "viewer").await;
    add_user(&app, "Maria", "admin").await;
    let body = json!({ "name": "Maria", "password": PASSWORD });
    for cookie in [planted.cookie.clone(), "slugline=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into()] {
        let before = Browser { http: app.http.clone(), cookie: cookie.clone() };
        let answer = before.call(Method::POST, "/sessions").json(&body).send().await.expect(201);
        assert_ne!(cookie_of(&answer), cookie);
        before.is_out().await;
        Browser { http: app.http.clone(), cookie: cookie_of(&answer) }.get("/users").await.expect(200);
    }
}

#[tokio::test]
async fn roles_hold_by_session_as_by_key() {
    let app = TestApp::start().await;
    let link = app.create(json!({ "url": "https://news.example.com/a" })).await;
    let path = format!("/links/{}", link["code"].as_str().unwrap());
    let change = json!({ "title": "T", "version": link["version"] });
    let (viewer, creator) =
        (Browser::new(&app, "viewer", "viewer").await, Browser::new(&app, "creator", "creator").await);
    viewer.post("/links", &json!({ "url": "https://a.example/" })).await.expect_problem(
        403,
        "forbidden",
        None,
    );
    viewer.post("/screens", &json!({ "name": "x" })).await.expect_problem(403, "forbidden", None);
    for who in [&viewer, &creator] {
        who.patch(&path, &change).await.expect_problem(403, "forbidden", None);
        who.delete(&path).await.expect_problem(403, "forbidden", None);
        for admins in ["/keys", "/users", "/audit", "/settings", "/webhooks"] {
            who.get(admins).await.expect_problem(403, "forbidden", None);
        }
        who.post("/users/admin/sign-in-link", &json!({})).await.expect_problem(403, "forbidden", None);
    }
    viewer.get(&path).await.expect(200);
}

#[tokio::test]
async fn a_thousand_attempts_are_refused() {
    let app = TestApp::start_with(|config| config.auth.attempts_per_address = 5_000).await;
    add_user(&app, "Maria", "admin").await;
    let (mut looked_at, mut refused) = (0, 0);
    for n in 0..1_000 {
        let answer = ask(&app.http, &json!({ "name": "Maria", "password": format!("guess {n}") })).await;
        match answer.status {
            401 => looked_at += 1,
            429 => {
                answer.expect_problem(429, "rate_limited", None);
                assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
                refused += 1;
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    // One more comes back in 90 seconds.
    assert!(looked_at <= 12 && looked_at + refused == 1_000, "{looked_at} looked at, {refused} refused");
    // The right one too: else it would be known by its answer.
    ask(&app.http, &json!({ "name": "Maria", "password": PASSWORD })).await.expect(429);
    // Others come in all the while, and Maria by a link.
    add_user(&app, "anna", "viewer").await;
    Browser::of(&app.http, "anna").await.get("/links").await.expect(200);
    let link = app.post("/users/Maria/sign-in-link", &json!({})).await.expect(201).json();
    let token = link["url"].as_str().unwrap().split_once("token=").unwrap().1.to_owned();
    ask(&app.http, &json!({ "token": token })).await.expect(201);
}

#[tokio::test]
async fn an_address_has_its_limit_whatever_the_names() {
    let app = TestApp::start_with(|config| config.auth.attempts_per_address = 5).await;
    add_user(&app, "Maria", "admin").await;
    for n in 0..5 {
        ask(&app.http, &json!({ "name": format!("n{n}"), "password": "x" })).await.expect(401);
    }
    ask(&app.http, &json!({ "name": "Maria", "password": PASSWORD })).await.expect_problem(
        429,
        "rate_limited",
        None,
    );
    ask(&app.http, &json!({ "token": "x" })).await.expect_problem(429, "rate_limited", None);
}

#[tokio::test]
async fn what_is_no_session_lets_nobody_in() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "admin").await;
    let screen = maria.post("/screens", &json!({ "name": "wall" })).await.expect(201).json();
    let share = maria.post("/shares", &json!({ "name": "s", "view": "/-/reports" })).await.expect(201).json();
    let link = maria.post("/users/Maria/sign-in-link", &json!({})).await.expect(201).json();
    let secret = maria.cookie.split_once('=').unwrap().1.to_owned();
    let listed = maria.get("/sessions").await.expect(200).json();
    let other_kinds = [
        screen["token"].as_str().unwrap().to_owned(),
        share["token"].as_str().unwrap().to_owned(),
        link["url"].as_str().unwrap().split_once("token=").unwrap().1.to_owned(),
        listed["items"][0]["id"].as_str().unwrap().to_owned(),
        String::new(),
        format!("{secret}="),
        secret.to_lowercase(),
    ];
    for token in other_kinds {
        let browser = Browser { http: app.http.clone(), cookie: format!("slugline={token}") };
        browser.is_out().await;
        app.with_key(&token).get("/links").await.expect_problem(401, "unauthenticated", None);
    }
    Browser { http: app.http.clone(), cookie: format!("slugline={}", app.key) }.is_out().await;
    // A session is no key, and by the encrypted name it is not believed where nothing is encrypted.
    app.with_key(&secret).get("/links").await.expect_problem(401, "unauthenticated", None);
    Browser { http: app.http.clone(), cookie: format!("__Host-slugline={secret}") }.is_out().await;
    // A key that is shown is what counts, whatever cookie comes with it.
    let both = maria.call(Method::GET, "/links").key("slk_a_b").send().await;
    both.expect_problem(401, "unauthenticated", None);
    maria.get("/links").await.expect(200);
}

#[tokio::test]
async fn where_it_is_encrypted_the_cookie_is_the_hosts_own() {
    let app = TestApp::start_with(|config| config.server.public_url = "https://sl.example".into()).await;
    add_user(&app, "Maria", "admin").await;
    let body = json!({ "name": "Maria", "password": PASSWORD });
    let call = app.http.call(Method::POST, "/api/v1/sessions").header("sec-fetch-site", "same-origin");
    let answer = call.json(&body).send().await.expect(201);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-slugline=") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(cookie.contains("; Path=/;") && !cookie.contains("Domain"), "{cookie}");
    let maria = Browser { http: app.http.clone(), cookie: cookie_of(&answer) };
    maria.get("/users").await.expect(200);
    let plain = maria.cookie.replace("__Host-", "");
    Browser { http: app.http.clone(), cookie: plain }.is_out().await;
}
