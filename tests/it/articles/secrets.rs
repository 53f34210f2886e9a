//! What is embargoed and confidential, asked for in every way that might tell it.

use http::Method;
use jiff::{SignedDuration, Timestamp};

use slugline::secret::Secret;

use super::newsroom::{Newsroom, allow};
use super::site::{Site, html, status};
use crate::harness::{Api, TestApp, Value, eventually, json};

const SECRET: [&str; 4] = ["Palace", "palace", "Leaks", "Spy"];

fn tells(text: &str) -> bool {
    SECRET.iter().any(|word| text.contains(word))
}

/// A newsroom with one story under embargo, whose link is confidential.
async fn newsroom() -> (Newsroom, Api, Value) {
    let page = "<title>The Palace Leaks</title><meta property='article:section' content='Spy desk'>\
                <meta name=author content='Spy'>";
    let room = Newsroom::start(move |_, stream| html(stream, page)).await;
    let maker = room.app.api.as_role("editor").await;
    let opens = Timestamp::now() + SignedDuration::from_hours(1);
    let url = room.url("/world/2026/the-palace-1");
    let body = json!({ "url": url, "confidential": true, "not_before": opens.to_string(), "code": "embargo",
        "title": "Palace, own title", "note": "Leaks note" });
    let link = maker.create(body).await;
    (room, maker, link)
}

#[tokio::test]
async fn readers_and_crawlers_learn_nothing() {
    let (room, _, link) = newsroom().await;
    let api = &room.app.api;
    api.create(json!({ "url": room.url("/world/2026/open-2"), "code": "embargos" })).await;
    let text = async |path: &str| {
        let answer = room.app.http.get(path).await;
        format!("{:?} {}", answer.headers, answer.text())
    };
    for path in
        ["/embargo", "/embargo+", "/embargo.q", "/EMBARGO.Q", "/embarg", "/embargoo", "/robots.txt", "/"]
    {
        assert!(!tells(&text(path).await), "{path}");
    }
    let url = room.url("/world/2026/the-palace-1");
    let button = room.app.http.get(&format!("/api/v1/short-url?url={url}")).await;
    button.expect_problem(404, "unknown_article", None);
    assert!(!button.text().contains("embargo") && !format!("{:?}", button.headers).contains("embargo"));
    assert_eq!(api.link("embargo").await["version"], link["version"]);
}

#[tokio::test]
async fn the_button_opens_no_wall() {
    let path = "/world/2026/not-out-yet-1";
    let site = Site::start(move |asked, stream| {
        if asked.headers.get("x-pass").is_none_or(|pass| pass != "open") {
            return status(stream, 401);
        }
        html(
            stream,
            &format!("<link rel=canonical href='http://{}{path}'><title>Not out yet</title>", asked.host),
        )
    });
    let app = TestApp::start_with(|config| {
        allow(config, &site);
        let host = config.articles.allowed_hosts[0].clone();
        config.articles.secret_headers.insert(host, Secret::new("X-Pass: open"));
    })
    .await;
    let url = site.url("127.0.0.1", path);
    let button = app.http.get(&format!("/api/v1/short-url?url={url}")).await;
    button.expect_problem(404, "unknown_article", None);
    assert_eq!(app.api.get("/links").await.expect(200).json()["items"], json!([]));
    // An editor gets a link, with what only the newsroom can read.
    let link = app.api.create(json!({ "url": url.as_str() })).await;
    assert_eq!(link["article"]["title"], "Not out yet");
}

#[tokio::test]
async fn colleagues_learn_no_title_and_no_target() {
    let (room, maker, link) = newsroom().await;
    let api = &room.app.api;
    let id = link["article"]["id"].as_str().unwrap();
    let url = room.url("/world/2026/the-palace-1");
    let paths = [
        "/links/embargo".to_owned(),
        "/links/embargo/history".to_owned(),
        "/links".to_owned(),
        "/links?q=Palace".to_owned(),
        "/links?q=the-palace".to_owned(),
        "/links?q=Leaks".to_owned(),
        "/links?section=Spy+desk".to_owned(),
        "/links?author=Spy".to_owned(),
        "/links?sort=title".to_owned(),
        format!("/articles/{id}"),
        format!("/articles/{id}/history"),
        format!("/articles?url={url}"),
        "/reports/top?by=link".to_owned(),
        "/reports/top?by=article".to_owned(),
        "/reports/top?by=host".to_owned(),
        format!("/reports/curve?article={id}"),
    ];
    let (colleague, viewer) = (api.as_role("editor").await, api.as_role("viewer").await);
    for path in &paths {
        for other in [&colleague, &viewer] {
            let answer = other.get(path).await;
            assert!(!tells(&answer.text()), "{path}: {}", answer.text());
        }
    }
    for path in [
        "/links?q=Palace",
        "/links?q=Leaks",
        "/links?section=Spy+desk",
        "/links?author=Spy",
        "/links?sort=title",
    ] {
        for (who, seen) in [(&colleague, 0), (&viewer, 0), (&maker, 1), (api, 1)] {
            let items = who.get(path).await.expect(200).json()["items"].as_array().unwrap().len();
            assert_eq!(items, seen, "{path}");
        }
    }
    // Who knows the address learns no headline.
    let known = colleague.lookup(&url).await;
    assert_eq!(known["article"], Value::Null);
    assert!(!["Palace", "Leaks", "Spy"].iter().any(|word| known.to_string().contains(word)), "{known}");
    colleague.get(&format!("/articles/{id}")).await.expect_problem(404, "unknown_article", None);
    let patch = json!({ "version": 1, "title": "x" });
    colleague.patch(&format!("/articles/{id}"), &patch).await.expect_problem(404, "unknown_article", None);
    let asked = colleague.post("/links", &json!({ "url": url })).await.expect(200);
    assert!(!asked.text().contains("Palace") && asked.json()["status"] == "scheduled", "{}", asked.text());
    // Its maker and admins see all of it.
    for who in [&maker, api] {
        assert_eq!(who.get(&format!("/articles/{id}")).await.expect(200).json()["title"], "The Palace Leaks");
        assert!(who.lookup(&url).await.to_string().contains("Palace"));
    }
}

#[tokio::test]
async fn the_wall_screen_shows_a_code_until_it_opens() {
    let (room, maker, _) = newsroom().await;
    let mut events = room.app.api.call(Method::GET, "/live").events().await;
    events.find("snapshot", |_| true).await;
    let url = room.url("/world/2026/the-palace-2");
    let opens = Timestamp::now() + SignedDuration::from_hours(1);
    let body =
        json!({ "url": url, "confidential": true, "not_before": opens.to_string(), "title": "Palace 2" });
    let link = maker.create(body).await;
    let event = events.find("change", |change| change["code"] == link["code"]).await;
    assert!(!tells(&event.data.to_string()), "{:?}", event.data);
}

#[tokio::test]
async fn it_is_for_all_once_it_is_open() {
    let (room, maker, _) = newsroom().await;
    let colleague = room.app.api.as_role("editor").await;
    let now = Timestamp::now() + SignedDuration::from_millis(500);
    maker.change("embargo", json!({ "not_before": now.to_string() })).await.expect(200);
    eventually("it opens", async || (colleague.follow("embargo").await.status == 302).then_some(())).await;
    let items = colleague.get("/links?q=Palace").await.expect(200).json();
    assert_eq!(items["items"][0]["title"], "Palace, own title");
    assert!(colleague.get("/links?sort=title").await.expect(200).text().contains("Palace"));
}

#[tokio::test]
async fn nobody_but_its_maker_opens_it() {
    let (room, maker, link) = newsroom().await;
    let (colleague, admin) = (room.app.api.as_role("editor").await, &room.app.api);
    for fields in [json!({ "confidential": false }), json!({ "not_before": null }), json!({ "revert_to": 1 })]
    {
        let refused = colleague.change("embargo", fields).await;
        refused.expect_problem(403, "forbidden", None);
        assert!(!tells(&refused.text()));
    }
    // A second link would tell the headline and lead there at once.
    let url = room.url("/world/2026/the-palace-1");
    for body in [json!({ "url": url, "channel": "x" }), json!({ "url": url, "force_new": true })] {
        let refused = colleague.post("/links", &body).await;
        refused.expect_problem(409, "conflict", Some("url"));
        assert!(!tells(&refused.text()), "{}", refused.text());
    }
    // What stops a link, anybody may do.
    colleague.change("embargo", json!({ "disabled": true })).await.expect(200);
    maker.change("embargo", json!({ "disabled": false })).await.expect(200);
    maker
        .create(json!({ "url": url, "channel": "x", "not_before": link["not_before"], "confidential": true }))
        .await;
    admin.change("embargo", json!({ "confidential": false })).await.expect(200);
}

#[tokio::test]
async fn another_spelling_does_not_tell_where_it_lives() {
    let (room, maker, link) = newsroom().await;
    let id = &link["article"]["id"];
    let draft = room.url("/world/2026/the-palace-1");
    room.change(id, json!({ "url": room.url("/world/2026/the-spy-in-the-house-1") })).await;
    let colleague = room.app.api.as_role("editor").await;
    assert_eq!(colleague.lookup(&draft).await["target"], json!(draft));
    assert!(maker.lookup(&draft).await["target"].as_str().unwrap().ends_with("the-spy-in-the-house-1"));
}

#[tokio::test]
async fn a_button_opens_no_story_that_is_closed_on_any_channel() {
    let room = Newsroom::start(|asked, stream| {
        let own = format!("http://{}{}", asked.host, asked.path);
        html(stream, &format!("<link rel=canonical href='{own}'><title>The Palace</title>"))
    })
    .await;
    let api = &room.app.api;
    let opens = (Timestamp::now() + SignedDuration::from_hours(1)).to_string();
    let scheduled = json!({ "url": room.url("/world/2026/one-1"), "channel": "x", "not_before": opens });
    let withdrawn = api.create(scheduled).await;
    let other = api.create(json!({ "url": room.url("/world/2026/two-2"), "channel": "x" })).await;
    room.change(&other["article"]["id"], json!({ "withdrawn": true })).await;
    for path in ["/world/2026/one-1", "/world/2026/two-2"] {
        let answer = room.app.http.get(&format!("/api/v1/short-url?url={}", room.url(path))).await;
        answer.expect_problem(404, "unknown_article", None);
    }
    assert_eq!(api.all("/links").await.len(), 2, "{withdrawn}");
}
