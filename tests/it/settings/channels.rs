//! Channels: what they add to new links, who may change them, and how many there are.

use crate::harness::{TestApp, Value, json};

fn with_a_configured_one(config: &mut slugline::config::Config) {
    config.articles.allowed_hosts = vec!["news.example.com".into()];
    config.articles.fetch = false;
    config.links.channels.insert("x".into(), [("utm_source".to_owned(), "x".to_owned())].into());
}

async fn target(app: &TestApp, path: &str, channel: &str) -> (Value, String) {
    let body = json!({ "url": format!("https://news.example.com/{path}"), "channel": channel });
    let link = app.post("/links", &body).await;
    assert!(matches!(link.status, 200 | 201), "{}", link.text());
    let link = link.json();
    let target = link["target"].as_str().unwrap().to_owned();
    (link["code"].clone(), target)
}

#[tokio::test]
async fn a_channel_is_for_links_that_are_made_from_then_on() {
    let app = TestApp::start_with(with_a_configured_one).await;
    let (_, plain) = target(&app, "a", "mail").await;
    assert_eq!(plain, "https://news.example.com/a", "a link may have a channel of which nothing is known");

    let body = json!({ "name": " mail ", "utm_source": "newsletter", "utm_medium": "e-mail & more" });
    let made = app.post("/channels", &body).await.expect(201).json();
    let expected = json!({ "name": "mail", "utm_source": "newsletter", "utm_medium": "e-mail & more",
        "locked": false, "source": "store", "given_in": null, "problem": null, "updated_at": made["updated_at"],
        "updated_by": format!("key:{}", app.key_id()), "version": 1 });
    assert_eq!(made, expected);
    assert_eq!(app.all("/channels").await[0], made);
    let (code, first) = target(&app, "b", "mail").await;
    assert_eq!(first, "https://news.example.com/b?utm_medium=e-mail+%26+more&utm_source=newsletter");

    let change = json!({ "version": 1, "utm_medium": null, "utm_campaign": "autumn" });
    let changed = app.patch("/channels/mail", &change).await.expect(200).json();
    assert_eq!((&changed["version"], &changed["utm_medium"]), (&json!(2), &Value::Null));
    assert_eq!((&changed["utm_source"], &changed["utm_campaign"]), (&json!("newsletter"), &json!("autumn")));
    let (_, second) = target(&app, "c", "mail").await;
    assert_eq!(second, "https://news.example.com/c?utm_campaign=autumn&utm_source=newsletter");
    assert_eq!(app.link(code.as_str().unwrap()).await["target"], first, "shared already");

    let late = app.patch("/channels/mail", &change).await;
    late.expect_problem(409, "stale", Some("version"));
    assert_eq!(late.json()["version"], 2);
    for _ in 0..2 {
        app.delete("/channels/mail").await.expect(204);
    }
    let (_, third) = target(&app, "d", "mail").await;
    assert_eq!(third, "https://news.example.com/d");
    app.patch("/channels/mail", &change).await.expect_problem(404, "not_found", None);
    assert_eq!(app.post("/channels", &body).await.expect(201).json()["version"], 4, "versions go on");
}

#[tokio::test]
async fn what_the_operator_gave_is_locked() {
    let app = TestApp::start_with(with_a_configured_one).await;
    let listed = app.all("/channels").await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0]["name"], &listed[0]["locked"], &listed[0]["version"]),
        (&json!("x"), &json!(true), &json!(0))
    );
    let body = json!({ "name": "x", "utm_source": "y" });
    app.post("/channels", &body).await.expect_problem(409, "conflict", Some("name"));
    let change = json!({ "version": 0, "utm_source": "y" });
    app.patch("/channels/x", &change).await.expect_problem(409, "conflict", Some("name"));
    app.delete("/channels/x").await.expect_problem(409, "conflict", Some("name"));
    assert_eq!(app.all("/channels").await, listed);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let app = TestApp::start().await;
    app.post("/channels", &json!({ "name": "a" })).await.expect(201);
    for (body, status, code, field) in [
        (json!({ "utm_source": "x" }), 422, "missing", "name"),
        (json!({ "name": "" }), 422, "missing", "name"),
        (json!({ "name": 5 }), 422, "wrong_type", "name"),
        (json!({ "name": "x".repeat(101) }), 422, "out_of_range", "name"),
        (json!({ "name": "a\u{7}b" }), 422, "invalid_value", "name"),
        (json!({ "name": "b", "source": "x" }), 422, "unknown_field", "source"),
        (json!({ "name": "b", "utm_": "x" }), 422, "unknown_field", "utm_"),
        (json!({ "name": "b", "utm_a&b": "x" }), 422, "unknown_field", "utm_a&b"),
        (json!({ "name": "b", "utm_source": 5 }), 422, "wrong_type", "utm_source"),
        (json!({ "name": "b", "utm_source": "a\nb" }), 422, "invalid_value", "utm_source"),
        (json!({ "name": "b", "utm_source": "x".repeat(201) }), 422, "out_of_range", "utm_source"),
        (json!({ "name": "a" }), 409, "conflict", "name"),
    ] {
        app.post("/channels", &body).await.expect_problem(status, code, Some(field));
    }
    let many: serde_json::Map<String, Value> =
        (0..11).map(|n| (format!("utm_{n}"), json!("x"))).chain([("name".into(), json!("b"))]).collect();
    app.post("/channels", &Value::Object(many)).await.expect_problem(422, "out_of_range", None);
    for (body, code, field) in [
        (json!({ "utm_source": "x" }), "missing", "version"),
        (json!({ "version": "1" }), "wrong_type", "version"),
        (json!({ "version": 1, "name": "c" }), "unknown_field", "name"),
    ] {
        app.patch("/channels/a", &body).await.expect_problem(422, code, Some(field));
    }
    app.patch("/channels/b", &json!({ "version": 1 })).await.expect_problem(404, "not_found", None);
    app.delete("/channels/b").await.expect_problem(404, "not_found", None);
    assert_eq!(app.all("/channels").await.len(), 1);
}

#[tokio::test]
async fn everybody_reads_them_and_admins_change_them() {
    let app = TestApp::start().await;
    app.post("/channels", &json!({ "name": "a", "utm_source": "a" })).await.expect(201);
    for role in ["viewer", "creator", "editor"] {
        let other = app.as_role(role).await;
        assert_eq!(other.all("/channels").await.len(), 1);
        other.post("/channels", &json!({ "name": "b" })).await.expect_problem(403, "forbidden", None);
        let change = json!({ "version": 1 });
        other.patch("/channels/a", &change).await.expect_problem(403, "forbidden", None);
        other.delete("/channels/a").await.expect_problem(403, "forbidden", None);
    }
    app.http.get("/api/v1/channels").await.expect_problem(401, "unauthenticated", None);
}

#[tokio::test]
async fn there_are_at_most_two_hundred_in_pages() {
    let app = TestApp::start().await;
    for n in 0..200 {
        app.post("/channels", &json!({ "name": format!("c{n:03}"), "utm_source": "c" })).await.expect(201);
    }
    app.post("/channels", &json!({ "name": "more" })).await.expect_problem(422, "out_of_range", Some("name"));
    let names: Vec<String> =
        app.all("/channels?limit=60").await.iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect();
    let expected: Vec<String> = (0..200).map(|n| format!("c{n:03}")).collect();
    assert_eq!(names, expected);
    app.get("/channels?cursor=x").await.expect_problem(422, "bad_cursor", Some("cursor"));
    app.get("/channels?limit=0").await.expect_problem(422, "out_of_range", Some("limit"));
    app.get("/channels?sort=name").await.expect_problem(422, "unknown_field", Some("sort"));
    app.delete("/channels/c007").await.expect(204);
    app.post("/channels", &json!({ "name": "more" })).await.expect(201);
}
