//! The life of links and their stories over HTTP: led elsewhere, broken, redacted, reserved, not allowed.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::newsroom::Newsroom;
use super::site::{Asked, html, redirect, status};
use crate::harness::{TestApp, Value, eventually, json};

/// Every page of it is a story that names nobody.
fn any(_: &Asked, stream: &mut TcpStream) -> std::io::Result<()> {
    html(stream, "<title>A story</title>")
}

fn code(link: &Value) -> &str {
    link["code"].as_str().unwrap()
}

#[tokio::test]
async fn readers_are_led_to_what_was_pasted() {
    let room = Newsroom::start(any).await;
    let api = &room.app.api;
    let pasted = room.url("/world/2026/the-storm-1/?p=2&id=1");
    let first = api.create(json!({ "url": format!("{pasted}&fbclid=9&utm_medium=mail") })).await;
    assert_eq!((&first["target"], &first["dropped"]), (&json!(pasted), &json!(["fbclid", "utm_medium"])));
    // Another spelling is the same link; what a channel adds comes after the story's own.
    let other = room.url("/world/2026/the-storm-1?id=1&p=2");
    let again = api.post("/links", &json!({ "url": other })).await.expect(200).json();
    assert_eq!(again["code"], first["code"]);
    let shared = api.create(json!({ "url": other, "channel": "x" })).await;
    assert_eq!(shared["target"], json!(format!("{pasted}&utm_source=x")));
    let (by_hand, id) =
        (api.create(json!({ "url": other, "channel": "mail" })).await, &first["article"]["id"]);
    api.change(code(&by_hand), json!({ "url": "https://other.example/live" })).await.expect(200);
    // It moves, and all that follow it with it.
    let moved = room.url("/world/2026/the-great-storm-1/?z=1&p=2");
    room.change(id, json!({ "url": moved })).await;
    assert_eq!(api.follow(code(&first)).await.expect(302).location(), moved);
    assert_eq!(api.follow(code(&shared)).await.expect(302).location(), format!("{moved}&utm_source=x"));
    assert_eq!(api.follow(code(&by_hand)).await.expect(302).location(), "https://other.example/live");
    let old = api.post("/links", &json!({ "url": pasted })).await.expect(200).json();
    assert_eq!((&old["code"], &old["target"]), (&first["code"], &json!(moved)));
    // A link that is led elsewhere and back keeps its channel's mark.
    api.change(code(&shared), json!({ "url": room.url("/elsewhere/2026/a-map-9") })).await.expect(200);
    let elsewhere = room.url("/elsewhere/2026/a-map-9?utm_source=x");
    assert_eq!(api.follow(code(&shared)).await.location(), elsewhere);
    let back = api.change(code(&shared), json!({ "url": moved })).await.expect(200).json();
    assert_eq!(back["target"], json!(format!("{moved}&utm_source=x")));
    assert_eq!(api.lookup(&other).await["target"], json!(moved));
}

#[tokio::test]
async fn hits_are_apart_by_target() {
    let room = Newsroom::start(any).await;
    let api = &room.app.api;
    let link = room.make("/world/2026/the-storm-1").await;
    let (one, two) = (link["target"].as_str().unwrap(), "https://other.example/live");
    api.follow_times(code(&link), 3).await;
    let changed = api.change(code(&link), json!({ "url": two })).await.expect(200).json();
    api.follow_times(code(&link), 2).await;
    api.change(code(&link), json!({ "revert_to": changed["version"].as_u64().unwrap() - 1 }))
        .await
        .expect(200);
    api.follow_times(code(&link), 1).await;
    api.settle().await;
    let top = api.report(&format!("top?by=target&scope=link:{}", code(&link))).await;
    let rows: Vec<(&Value, &Value)> =
        top["rows"].as_array().unwrap().iter().map(|row| (&row["label"], &row["clicks"])).collect();
    let apart = [(one, 3), (two, 2), (one, 1)].map(|(target, clicks)| (json!(target), json!(clicks)));
    assert_eq!(rows, apart.iter().map(|(target, clicks)| (target, clicks)).collect::<Vec<_>>(), "{top}");
    assert_eq!(api.totals(code(&link)).await, (6, 0, 0));
}

#[tokio::test]
async fn a_reserved_code_gets_its_story_with_its_first_target() {
    let room = Newsroom::start(any).await;
    let api = &room.app.api;
    let reserved = api.create(json!({ "reserve": true, "code": "front-page", "channel": "x" })).await;
    assert_eq!((&reserved["status"], &reserved["article"]), (&json!("reserved"), &Value::Null));
    api.follow("front-page").await.expect(404);
    let url = room.url("/world/2026/the-storm-1");
    let filled = api.change("front-page", json!({ "url": url })).await.expect(200).json();
    assert_eq!(
        (&filled["status"], &filled["article"]["title"], &filled["target"]),
        (&json!("active"), &json!("A story"), &json!(format!("{url}?utm_source=x")))
    );
    // It is the story's link of that channel from now on, and moves with it.
    let found = api.post("/links", &json!({ "url": url, "channel": "x" })).await.expect(200).json();
    assert_eq!(found["code"], "front-page");
    let moved = room.url("/world/2026/the-great-storm-1");
    room.change(&filled["article"]["id"], json!({ "url": moved })).await;
    assert_eq!(api.follow("front-page").await.expect(302).location(), format!("{moved}?utm_source=x"));
}

#[tokio::test]
async fn a_page_is_read_when_its_link_opens() {
    let published = Arc::new(AtomicBool::new(false));
    let is = Arc::clone(&published);
    let room = Newsroom::start(move |asked, stream| match is.load(Ordering::SeqCst) {
        true => any(asked, stream),
        false => status(stream, 404),
    })
    .await;
    let opens = Timestamp::now() + SignedDuration::from_secs(2);
    let url = room.url("/world/2026/the-storm-1");
    let link = room.app.api.create(json!({ "url": url, "not_before": opens.to_string() })).await;
    assert_eq!(link["article"]["title"], Value::Null);
    published.store(true, Ordering::SeqCst);
    eventually("the page is read again", async || {
        Some(room.article(&link["article"]["id"]).await).filter(|article| article["title"] == "A story")
    })
    .await;
    assert_eq!(room.app.api.follow(code(&link)).await.expect(302).location(), url);
}

#[tokio::test]
async fn what_broke_is_told_and_what_is_mended_too() {
    let answer = Arc::new(AtomicU16::new(200));
    let now = Arc::clone(&answer);
    let room =
        Newsroom::start(move |asked, stream| match (now.load(Ordering::SeqCst), asked.path.as_str()) {
            (_, "/world/2026/the-new-storm-1") | (200, _) => any(asked, stream),
            (301, _) => redirect(stream, 301, &format!("http://{}/world/2026/the-new-storm-1", asked.host)),
            (302, _) => redirect(stream, 302, &format!("http://{}/", asked.host)),
            (other, _) => status(stream, other),
        })
        .await;
    let api = &room.app.api;
    let link = room.make("/world/2026/the-storm-1").await;
    let check = format!("/articles/{}/check", link["article"]["id"].as_str().unwrap());
    let checked = async |page: u16| {
        answer.store(page, Ordering::SeqCst);
        let article = api.post(&check, &json!({})).await.expect(200).json();
        assert_eq!(article["links"][0]["broken"], api.link(code(&link)).await["broken"]);
        article["links"][0]["broken"].clone()
    };
    let broken =
        async || api.get("/links?status=broken").await.expect(200).json()["items"].as_array().unwrap().len();
    assert_eq!((checked(200).await, broken().await), (Value::Null, 0));
    let gone = checked(410).await;
    assert_eq!((&gone["status"], &gone["proposal"], broken().await), (&json!(410), &Value::Null, 1));
    let since = gone["since"].clone();
    let missing = checked(404).await;
    assert_eq!((&missing["status"], &missing["since"]), (&json!(404), &since), "since the first time");
    let moved = checked(301).await;
    assert_eq!(moved["proposal"], json!(room.url("/world/2026/the-new-storm-1")));
    assert!(!checked(302).await.is_null(), "a page that leads home is gone");
    // A wall is no break.
    assert_eq!((checked(200).await, broken().await), (Value::Null, 0));
    assert_eq!(checked(403).await, Value::Null);
    // It still leads on, and its version is what its editors know.
    assert_eq!(api.link(code(&link)).await["version"], link["version"]);
    checked(404).await;
    api.change(code(&link), json!({ "url": room.url("/world/2026/the-new-storm-1") })).await.expect(200);
    assert_eq!((api.link(code(&link)).await["broken"].clone(), broken().await), (Value::Null, 0));
    api.as_role("viewer").await.post(&check, &json!({})).await.expect_problem(403, "forbidden", None);
}

#[tokio::test]
async fn nothing_of_a_redacted_story_can_be_read() {
    let room =
        Newsroom::start(|_, stream| html(stream, "<title>The Name</title><meta name=author content=Ann>"))
            .await;
    let api = &room.app.api;
    let link = room.make("/world/2026/the-name-1").await;
    let url = room.url("/world/2026/the-name-1");
    let own = json!({ "url": format!("{url}#part"), "title": "The Name again", "note": "The Name, private" });
    let second = api.create(own).await;
    api.change(code(&second), json!({ "message": "About The Name" })).await.expect(200);
    api.follow_times(code(&link), 3).await;
    api.settle().await;
    let id = link["article"]["id"].as_str().unwrap();
    let path = format!("/articles/{id}/redact");
    api.as_role("editor").await.post(&path, &json!({})).await.expect_problem(403, "forbidden", None);
    let redacted = api.post(&path, &json!({})).await.expect(200).json();
    assert_eq!((&redacted["title"], &redacted["authors"]), (&Value::Null, &json!(["Ann"])));
    api.post(&path, &json!({})).await.expect(200);
    let mut said = redacted.to_string();
    for code in [code(&link), code(&second)] {
        let shown = api.link(code).await;
        assert_eq!((&shown["status"], &shown["target"]), (&json!("disabled"), &Value::Null));
        said += &shown.to_string();
        said += &api.get(&format!("/links/{code}/history")).await.expect(200).text();
        let closed = api.follow(code).await.expect(410);
        said += &closed.text();
        said += &format!("{:?}", closed.headers);
        api.follow(&format!("{code}+")).await.expect(410);
    }
    said += &api.get(&format!("/articles/{id}/history")).await.expect(200).text();
    said += &api.get("/audit?limit=200").await.expect(200).text();
    said += &api.get("/links?limit=200").await.expect(200).text();
    said += &api.report("top?by=link").await.to_string();
    said += &api.report("top?by=article").await.to_string();
    assert!(!said.contains("The Name") && !said.contains("the-name"), "{said}");
    for q in ["The+Name", "the-name", "private"] {
        assert_eq!(api.get(&format!("/links?q={q}")).await.expect(200).json()["items"], json!([]), "{q}");
    }
    // Its numbers stay, and its codes are nobody else's.
    assert_eq!(api.totals(code(&link)).await, (3, 0, 0));
    assert_eq!(api.report("summary?scope=author:Ann").await["clicks"], 3);
    let taken = api.post("/links", &json!({ "url": "https://other.example/", "code": code(&link) })).await;
    taken.expect_problem(409, "code_taken", Some("code"));
    // The address is that of a new story.
    let anew = room.make("/world/2026/the-name-1").await;
    assert_ne!(anew["article"]["id"], link["article"]["id"]);
}

#[tokio::test]
async fn denied_hosts_are_denied_wherever_an_address_is_given() {
    let app = TestApp::start_with(|config| {
        config.links.denied_hosts = vec!["evil.example".into(), "bad.co.uk".into()];
    })
    .await;
    let good = app.create(json!({ "url": "https://news.example.com/a" })).await;
    let id = good["article"]["id"].as_str().unwrap();
    for denied in [
        "https://evil.example/a",
        "https://www.EVIL.example./b",
        "http://x.y.evil.example:81/",
        "https://a.bad.co.uk/",
    ] {
        let refused = |field| {
            move |answer: crate::harness::Answer| answer.expect_problem(422, "denied_host", Some(field))
        };
        refused("url")(app.post("/links", &json!({ "url": denied })).await);
        refused("expired_url")(
            app.post("/links", &json!({ "url": "https://news.example.com/b", "expired_url": denied })).await,
        );
        refused("url")(app.change(code(&good), json!({ "url": denied })).await);
        refused("url")(app.get(&format!("/lookup?url={denied}")).await);
        let withdrawn =
            json!({ "version": good["article"]["version"], "withdrawn": true, "replacement_url": denied });
        refused("replacement_url")(app.patch(&format!("/articles/{id}"), &withdrawn).await);
    }
    for other in ["https://co.uk/", "https://notevil.example/", "https://evil.example.com/"] {
        app.create(json!({ "url": other })).await;
    }
    assert_eq!(app.link(code(&good)).await["version"], good["version"], "nothing was changed");
}

#[tokio::test]
async fn only_allowed_hosts_may_be_all_that_is_linked_to() {
    let app = TestApp::start_with(|config| {
        config.articles.allowed_hosts = vec!["www.daily.example".into()];
        config.articles.fetch = false;
        config.links.only_allowed_hosts = true;
    })
    .await;
    for own in ["https://www.daily.example/a", "https://daily.example/b", "https://m.daily.example/c"] {
        app.create(json!({ "url": own })).await;
    }
    for other in
        ["https://other.example/", "https://www.daily.example.evil.example/", "https://shop.daily.example/"]
    {
        let answer = app.post("/links", &json!({ "url": other })).await;
        answer.expect_problem(403, "host_not_allowed", Some("url"));
    }
}

#[tokio::test]
async fn a_key_makes_so_many_links_a_minute_and_others_theirs() {
    let app = TestApp::start_with(|config| config.links.creations_per_minute = 3).await;
    let url = |n: u32| json!({ "url": format!("https://news.example.com/{n}") });
    let batch = json!({ "links": [url(1), url(2)] });
    app.post("/links/batch", &batch).await.expect(200);
    app.create(url(3)).await;
    let refused = app.post("/links", &url(4)).await;
    refused.expect_problem(429, "rate_limited", None);
    assert!((1..=60).contains(&refused.header("retry-after").parse::<u32>().unwrap()));
    assert_eq!(app.all("/links").await.len(), 3, "nothing was made");
    app.as_role("creator").await.create(url(4)).await;
    app.get("/links").await.expect(200);
}

#[tokio::test]
async fn a_link_has_what_its_channel_adds_now() {
    let room = Newsroom::start(any).await;
    let api = &room.app.api;
    api.post("/channels", &json!({ "name": "tele", "utm_source": "t" })).await.expect(201);
    let part = json!({ "url": room.url("/world/2026/the-storm-1#block-9"), "channel": "tele" });
    let link = api.create(part.clone()).await;
    assert!(link["target"].as_str().unwrap().ends_with("-1?utm_source=t#block-9"), "{link}");
    // Another template makes no other link.
    let channels = api.get("/channels").await.expect(200).json();
    let tele = channels["items"].as_array().unwrap().iter().find(|c| c["name"] == "tele").unwrap().clone();
    let change = json!({ "version": tele["version"], "utm_source": "telegram" });
    api.patch("/channels/tele", &change).await.expect(200);
    assert_eq!(api.post("/links", &part).await.expect(200).json()["code"], link["code"]);
    // Another channel does.
    let moved = api.change(code(&link), json!({ "channel": "x" })).await.expect(200).json();
    assert!(moved["target"].as_str().unwrap().ends_with("-1?utm_source=x#block-9"), "{moved}");
    let bare = api.change(code(&link), json!({ "channel": null })).await.expect(200).json();
    assert!(bare["target"].as_str().unwrap().ends_with("-1#block-9"), "{bare}");
}

#[tokio::test]
async fn what_cannot_be_asked_of_links_and_stories() {
    let room = Newsroom::start(any).await;
    let api = &room.app.api;
    let url = room.url("/world/2026/the-storm-1");
    let link = api.create(json!({ "url": url, "cms_id": "4711" })).await;
    let (id, version) = (link["article"]["id"].as_str().unwrap(), &link["article"]["version"]);
    api.change(code(&link), json!({ "url": null })).await.expect_problem(422, "invalid_value", Some("url"));
    let none = api.patch(&format!("/articles/{id}"), &json!({ "version": version, "url": null })).await;
    none.expect_problem(422, "invalid_value", Some("url"));
    // The story has a CMS id already: the other one is named, and leads nowhere.
    let other = api.post("/links", &json!({ "url": url, "cms_id": "0815" })).await.expect(200).json();
    assert_eq!((&other["ignored"], &other["article"]["cms_id"]), (&json!(["cms_id"]), &json!("4711")));
    api.get("/articles?cms_id=0815").await.expect_problem(404, "unknown_article", None);
    // A withdrawn story gets no link by a reserved code either.
    api.create(json!({ "reserve": true, "code": "front" })).await;
    room.change(&link["article"]["id"], json!({ "withdrawn": true })).await;
    api.change("front", json!({ "url": url })).await.expect_problem(409, "withdrawn", Some("url"));
}

#[tokio::test]
async fn several_calls_that_move_a_story_at_once_are_one_move() {
    let room = Newsroom::start(any).await;
    let api = &room.app.api;
    let link = api.create(json!({ "url": room.url("/world/2026/the-storm-1"), "cms_id": "4711" })).await;
    let moved = room.url("/world/2026/the-great-storm-1");
    let channels = ["x", "mail", "push", "print", "web"];
    let calls = channels.map(|channel| {
        let body = json!({ "url": moved, "cms_id": "4711", "channel": channel });
        async move { api.post("/links", &body).await.expect(201).json() }
    });
    for made in join_all(calls).await {
        assert_eq!(made["article"]["id"], link["article"]["id"]);
        assert!(made["target"].as_str().unwrap().starts_with(&moved), "{made}");
    }
    assert_eq!(api.follow(code(&link)).await.location(), moved);
    // What was before a move is put back as it was, and leads to where the story is now.
    let note = api.change(code(&link), json!({ "note": "n" })).await.expect(200).json();
    let before = note["version"].as_u64().unwrap() - 1;
    let back = api.change(code(&link), json!({ "revert_to": before })).await.expect(200).json();
    assert_eq!((&back["target"], &back["note"]), (&json!(moved), &Value::Null));
}
