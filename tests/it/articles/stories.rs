//! Stories over HTTP: one code for each, whatever address it comes by, and a life with it.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::newsroom::Newsroom;
use super::site::{Asked, hang, html, redirect, status};
use crate::harness::{Value, eventually, json};

const RIVER: &str = "/world/2026/the-river-rises-1";

/// Lets copies name what they are copies of.
static COPIES: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];

/// Lets the page come for which nobody waited to the end.
static OPEN: AtomicBool = AtomicBool::new(false);

fn answer(asked: &Asked, stream: &mut TcpStream) -> io::Result<()> {
    let own = |path: &str| format!("http://{}{path}", asked.host);
    let story = |stream: &mut TcpStream, path: &str, title: &str| {
        let claim = own(path);
        html(
            stream,
            &format!(
                "<link rel=canonical href='{claim}'><title>{title}</title><meta property='article:section' \
                 content='World'><meta name=author content='Ann Example'>"
            ),
        )
    };
    match asked.path.trim_end_matches('/').trim_end_matches("/amp") {
        RIVER => story(stream, RIVER, "The river rises"),
        "/world/2026/the-river-1" => redirect(stream, 301, &own(RIVER)),
        "/world/2026/the-bridge-2" => story(stream, "/world/2026/the-bridge-2", "The bridge holds"),
        "/world/2026/the-bridge-holds-2" => {
            story(stream, "/world/2026/the-bridge-holds-2", "The bridge holds")
        }
        // What says where it belongs only later.
        "/copies/2026/the-bridge-5" if COPIES[0].load(Ordering::SeqCst) => {
            story(stream, "/world/2026/the-bridge-2", "The bridge holds")
        }
        "/copies/2026/the-bridge-6" if COPIES[1].load(Ordering::SeqCst) => {
            story(stream, "/world/2026/the-bridge-2", "The bridge holds")
        }
        "/copies/2026/the-bridge-5" | "/copies/2026/the-bridge-6" => {
            html(stream, "<title>The bridge holds</title>")
        }
        "/world/2026/nameless-3" => html(stream, "<title>Nameless</title>"),
        "/late/2026/the-tide-turns-1" => {
            while !OPEN.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            story(stream, "/late/2026/the-tide-turns-1", "The tide turns")
        }
        "/hang/2026/slow-story-1" | "/hang/2026/slow-story-2" => hang(stream),
        _ => status(stream, 404),
    }
}

#[tokio::test]
async fn a_story_has_one_code_whatever_address_it_comes_by() {
    let room = Newsroom::start(answer).await;
    let first = room.make(RIVER).await;
    let article = &first["article"];
    assert_eq!((&article["title"], &article["section"]), (&json!("The river rises"), &json!("World")));
    assert_eq!(article["authors"], json!(["Ann Example"]));
    let spellings = [
        "/world/2026/the-river-rises-1/",
        "/world/2026/the-river-rises-1?utm_source=mail&fbclid=1",
        "/world/2026/the-river-rises-1/amp",
        "//world/2026/the-river-rises-1",
        "/world/2026/the-river-1",
    ];
    for spelling in spellings {
        let again =
            room.app.api.post("/links", &json!({ "url": room.url(spelling) })).await.expect(200).json();
        assert_eq!(again["code"], first["code"], "{spelling}");
    }
    let asked = room.site.asked().len();
    room.make("/world/2026/the-river-1").await;
    assert_eq!(room.site.asked().len(), asked, "a known spelling is answered without a look at its page");
    // What a target says besides is kept, and makes it another one.
    let block = room.make("/world/2026/the-river-rises-1#block-9").await;
    assert_ne!(block["code"], first["code"]);
    assert_eq!(block["article"]["id"], article["id"]);
    assert!(block["target"].as_str().unwrap().ends_with("-1#block-9"));
    let shared = room.app.api.create(json!({ "url": room.url(RIVER), "channel": "x" })).await;
    assert!(shared["target"].as_str().unwrap().ends_with("-1?utm_source=x"));
}

#[tokio::test]
async fn of_a_hanging_site_only_the_first_creation_waits() {
    let wait = Duration::from_secs(3);
    let room = Newsroom::start_with(answer, |config| config.articles.fetch_wait.0 = wait).await;
    room.make("/hang/2026/slow-story-1").await;
    let began = Instant::now();
    let more = (0..8).map(|_| room.make("/hang/2026/slow-story-2"));
    let codes = join_all(more).await;
    assert!(began.elapsed() < wait, "{:?}", began.elapsed());
    assert!(codes.iter().all(|link| link["code"] == codes[0]["code"]));
}

#[tokio::test]
async fn a_story_moves_and_takes_its_links_along() {
    let room = Newsroom::start(answer).await;
    let api = &room.app.api;
    let url = room.url("/world/2026/the-bridge-2");
    let link = api.create(json!({ "url": url, "cms_id": "4711" })).await;
    let code = link["code"].as_str().unwrap();
    let fixed = api.create(json!({ "url": format!("{url}#map"), "cms_id": "4711" })).await;
    // By its CMS id: a creator may not, an editor may.
    let moved = room.url("/world/2026/the-bridge-holds-2");
    let by_creator =
        api.as_role("creator").await.post("/links", &json!({ "url": moved, "cms_id": "4711" })).await;
    by_creator.expect_problem(409, "conflict", Some("url"));
    let again = api.post("/links", &json!({ "url": moved, "cms_id": "4711" })).await.expect(200).json();
    assert_eq!((&again["code"], &again["target"]), (&link["code"], &json!(moved)));
    assert_eq!(api.follow(code).await.location(), moved);
    assert_eq!(api.link(fixed["code"].as_str().unwrap()).await["target"], json!(format!("{url}#map")));
    // Its old address is one of its spellings for ever.
    assert_eq!(room.make("/world/2026/the-bridge-2").await["code"], link["code"]);
    // By hand, with its version.
    let id = link["article"]["id"].as_str().unwrap();
    let article = room.article(&link["article"]["id"]).await;
    let stale = api.patch(&format!("/articles/{id}"), &json!({ "version": 99, "url": url })).await;
    stale.expect_problem(409, "stale", Some("version"));
    let back = json!({ "version": article["version"], "url": url, "title": "Said by staff" });
    let back = api.patch(&format!("/articles/{id}"), &back).await.expect(200).json();
    assert_eq!(back["title"], "Said by staff");
    assert_eq!(api.follow(code).await.location(), url);
    let refreshed = api.post(&format!("/articles/{id}/refresh"), &json!({})).await.expect(200).json();
    assert_eq!((&refreshed["title"], &refreshed["section"]), (&json!("Said by staff"), &json!("World")));
    let history = api.get(&format!("/articles/{id}/history")).await.expect(200).json();
    assert!(history["items"].as_array().unwrap().iter().any(|entry| entry["action"] == "moved"), "{history}");
}

#[tokio::test]
async fn a_withdrawn_story_shows_a_notice_and_gets_no_new_link() {
    let room = Newsroom::start(answer).await;
    let api = &room.app.api;
    let link = room.make(RIVER).await;
    let (code, id) = (link["code"].as_str().unwrap(), link["article"]["id"].as_str().unwrap());
    let path = format!("/articles/{id}");
    let change = |article: &Value, fields: Value| {
        let mut body = fields;
        body["version"] = article["version"].clone();
        body
    };
    let body = change(
        &room.article(&link["article"]["id"]).await,
        json!({ "withdrawn": true, "message": "An error." }),
    );
    let article = api.patch(&path, &body).await.expect(200).json();
    assert_eq!(article["withdrawn"], true);
    assert_eq!(api.link(code).await["status"], "withdrawn");
    let shown = api.follow(code).await.expect(410);
    assert!(shown.text().contains("An error."), "{}", shown.text());
    let new = api.post("/links", &json!({ "url": room.url(RIVER), "channel": "mail" })).await;
    new.expect_problem(409, "withdrawn", Some("url"));
    let there = api.post("/links", &json!({ "url": room.url(RIVER) })).await.expect(200).json();
    assert_eq!(there["code"], link["code"]);
    let listed = api.get("/links?status=withdrawn").await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let body = change(&article, json!({ "replacement_url": "https://other.example/new" }));
    let article = api.patch(&path, &body).await.expect(200).json();
    assert_eq!(api.follow(code).await.expect(302).location(), "https://other.example/new");
    api.patch(&path, &change(&article, json!({ "withdrawn": false }))).await.expect(200);
    assert_eq!(api.follow(code).await.location(), room.url(RIVER));
}

#[tokio::test]
async fn two_articles_become_one_and_part_again() {
    let room = Newsroom::start(answer).await;
    let api = &room.app.api;
    let (old, young) = (room.make(RIVER).await, room.make("/world/2026/nameless-3").await);
    let id = |link: &Value| link["article"]["id"].as_str().unwrap().to_owned();
    api.as_role("creator")
        .await
        .post(&format!("/articles/{}/merge", id(&old)), &json!({ "other": id(&young) }))
        .await
        .expect(403);
    let merged = api.post(&format!("/articles/{}/merge", id(&young)), &json!({ "other": id(&old) })).await;
    let merged = merged.expect(200).json();
    assert_eq!(merged["id"], old["article"]["id"], "the older one stays");
    assert_eq!(merged["links"].as_array().unwrap().len(), 2, "both codes live");
    let young_code = young["code"].as_str().unwrap();
    assert_eq!(api.follow(young_code).await.status, 302);
    assert_eq!(room.make("/world/2026/nameless-3").await["article"]["id"], old["article"]["id"]);
    let split = api.post(&format!("/articles/{}/split", id(&old)), &json!({ "links": [young_code] })).await;
    let split = split.expect(200).json();
    assert_eq!(split["id"], young["article"]["id"], "undone");
    assert_eq!(api.link(young_code).await["article"]["id"], young["article"]["id"]);
    assert_eq!(room.make("/world/2026/nameless-3").await["article"]["id"], young["article"]["id"]);
}

#[tokio::test]
async fn each_link_goes_back_to_the_story_that_it_came_from_and_stays_there() {
    let room = Newsroom::start(answer).await;
    let api = &room.app.api;
    let mut made = vec![room.make("/world/2026/nameless-3").await];
    made.push(room.make("/world/2026/the-bridge-2").await);
    made.push(room.make("/copies/2026/the-bridge-6").await);
    let id = |link: &Value| link["article"]["id"].as_str().unwrap().to_owned();
    for young in &made[1..] {
        let merge = json!({ "other": id(young) });
        api.post(&format!("/articles/{}/merge", id(&made[0])), &merge).await.expect(200);
    }
    let codes: Vec<&Value> = made[1..].iter().map(|link| &link["code"]).collect();
    let split = format!("/articles/{}/split", id(&made[0]));
    // One of them has nowhere to go: nothing is changed.
    let all: Vec<&Value> = made.iter().map(|link| &link["code"]).collect();
    let refused = api.post(&split, &json!({ "links": all })).await;
    refused.expect_problem(422, "invalid_value", Some("links"));
    assert_eq!(room.article(&made[0]["article"]["id"]).await["links"].as_array().unwrap().len(), 3);
    api.post(&split, &json!({ "links": codes })).await.expect(200);
    for link in &made {
        assert_eq!(api.link(link["code"].as_str().unwrap()).await["article"]["id"], link["article"]["id"]);
    }
    // The copy's page says that it is the other story; staff have said that it is not.
    COPIES[1].store(true, Ordering::SeqCst);
    let refresh = format!("/articles/{}/refresh", id(&made[2]));
    assert_eq!(api.post(&refresh, &json!({})).await.expect(200).json()["id"], made[2]["article"]["id"]);
}

#[tokio::test]
async fn a_creator_has_a_page_read_again_and_moves_nothing() {
    let room = Newsroom::start(answer).await;
    let api = &room.app.api;
    let copy = room.make("/copies/2026/the-bridge-5").await;
    let id = copy["article"]["id"].as_str().unwrap();
    COPIES[0].store(true, Ordering::SeqCst);
    let refresh = format!("/articles/{id}/refresh");
    let read = api.as_role("creator").await.post(&refresh, &json!({})).await.expect(200).json();
    assert_eq!(read["url"], copy["article"]["url"]);
    let read = api.post(&refresh, &json!({})).await.expect(200).json();
    assert_ne!(read["url"], copy["article"]["url"]);
}

#[tokio::test]
async fn what_is_confidential_is_for_its_maker_and_admins_until_it_opens() {
    let room = Newsroom::start(answer).await;
    let api = &room.app.api;
    let (maker, other) = (api.as_role("editor").await, api.as_role("editor").await);
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3_600);
    let body = json!({ "url": room.url(RIVER), "confidential": true, "not_before": soon.to_string(), "title": "Secret" });
    let link = maker.create(body).await;
    let code = link["code"].as_str().unwrap();
    for (api, seen) in [(&maker, true), (&other, false), (api, true)] {
        let shown = api.link(code).await;
        assert_eq!((shown["target"].is_string(), shown["title"] == "Secret"), (seen, seen), "{shown}");
        assert_eq!(shown["article"].is_object(), seen);
        let history = api.get(&format!("/links/{code}/history")).await.expect(200);
        assert_eq!(history.text().contains("Secret"), seen);
    }
    for path in [format!("/{code}"), format!("/{code}+")] {
        let page = room.app.http.get(&path).await.expect(404);
        let (text, headers) = (page.text(), format!("{:?}", page.headers));
        assert!(!text.contains("river") && !text.contains("Secret") && !headers.contains("river"), "{text}");
    }
    let url = room.url(RIVER);
    let public = room.app.http.get(&format!("/api/v1/short-url?url={url}")).await;
    public.expect_problem(404, "unknown_article", None);
}

#[tokio::test]
async fn a_button_gets_the_short_url_of_an_article_that_names_itself() {
    let room = Newsroom::start(answer).await;
    let ask =
        async |path: &str| room.app.http.get(&format!("/api/v1/short-url?url={}", room.url(path))).await;
    let answer = ask(RIVER).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let code = answer.json()["code"].as_str().unwrap().to_owned();
    assert_eq!(room.app.api.link(&code).await["via"], "button");
    assert_eq!(room.make(RIVER).await["code"], json!(code));
    ask("/world/2026/nameless-3").await.expect_problem(404, "unknown_article", None);
    ask("/world/2026/nowhere-4").await.expect_problem(404, "unknown_article", None);
    let elsewhere = room.app.http.get("/api/v1/short-url?url=https://other.example/a").await;
    elsewhere.expect_problem(403, "host_not_allowed", Some("url"));
    let mut last = 200;
    for _ in 0..31 {
        last = ask(RIVER).await.status;
    }
    assert_eq!(last, 429, "30 a minute");
}

#[tokio::test]
async fn a_page_that_comes_late_is_kept() {
    let room = Newsroom::start(answer).await;
    let link = room.make("/late/2026/the-tide-turns-1").await;
    let id = link["article"]["id"].clone();
    assert_eq!(link["article"]["title"], Value::Null);
    OPEN.store(true, Ordering::SeqCst);
    eventually("the page to be kept", async || {
        Some(room.article(&id).await).filter(|article| article["title"] == "The tide turns")
    })
    .await;
    assert_eq!(room.make("/late/2026/the-tide-turns-1").await["code"], link["code"]);
}
