//! What others wrote, other sites, other roles, who has gone: on every route that there is, harmless or refused.

use http::Method;
use scraper::Html;

use super::forms::{form, get, post};
use super::routes::{addresses, pages, routes, tabs};
use crate::harness::{BROWSER, TestApp, Value, eventually, json};
use crate::sessions::browser::{Browser, add_user};
use crate::webhooks::receiver::{Receiver, Reply, deliveries, hook, sending_to, text};

const EVIL: &str = "\"'><x-evil onclick=alert(1)></title><img src=//evil.example/x onerror=alert(1)>";
/// What anybody may do by a link from a mail alone, also a program that reads mail.
const FROM_ANYWHERE: [&str; 1] = ["/-/digest/end"];

/// A link whose every text is somebody's attempt, followed by readers whose every text is; and its story's id.
async fn attempts(app: &TestApp) -> (Value, String) {
    let link = app
        .create(json!({ "url": "https://news.example.com/a", "code": "marked", "title": EVIL, "note": EVIL,
            "channel": "x", "campaign": "<x-evil onclick=x>", "tags": ["<x-evil>"],
            "article": { "title": EVIL, "section": EVIL, "authors": [EVIL] } }))
        .await;
    let source = "marked?utm_source=%3Cx-evil%3E&utm_medium=%3Cx-evil%3E";
    for (code, agent) in
        [("marked", BROWSER), (source, BROWSER), ("marked", EVIL), ("nothing%3Cx-evil%3E", BROWSER)]
    {
        app.follow_with(code, &[("user-agent", agent), ("referer", "https://evil.example/<x-evil>")]).await;
    }
    app.settle().await;
    let story = link["article"]["id"].as_str().unwrap().to_owned();
    (link, story)
}

#[track_caller]
fn is_harmless(path: &str, text: &str) {
    let page = Html::parse_document(text);
    for element in page.tree.values().filter_map(scraper::Node::as_element) {
        let (name, mut attributes) = (element.name(), element.attrs());
        assert!(!["x-evil", "iframe", "object", "embed", "style"].contains(&name), "{path}: {name}");
        assert!(attributes.all(|(its, _)| !its.starts_with("on") && its != "style"), "{path}: {element:?}");
        let leads = ["href", "src", "action", "formaction"].into_iter().filter_map(|its| element.attr(its));
        for to in leads {
            let scheme = to.split([':', '/', '?', '#']).next().unwrap_or_default().to_lowercase();
            let ours = to.starts_with("javascript:void window.open(\"http://127.0.0.1:");
            let elsewhere =
                to.starts_with("//") || (scheme.starts_with("http") && to.contains("evil.example"));
            let icon = name == "link" && to.starts_with("data:image/svg+xml,");
            let runs = (scheme == "data" && !icon) || (scheme == "javascript" && !ours);
            assert!(!elsewhere && !runs, "{path}: {to}");
        }
    }
}

#[tokio::test]
async fn what_others_wrote_is_text_on_every_page() {
    let answers = |_: &crate::webhooks::receiver::Message| Reply::With(500, format!("X-Why: {EVIL}"));
    let receiver = Receiver::start(answers);
    let app = TestApp::start_with(sending_to(&[&receiver])).await;
    let admin = Browser::new(&app, "Maria<x-evil>\"'>", "admin").await;
    let made = app
        .post("/webhooks", &json!({ "url": receiver.url("/%3Cx-evil%3E?'><x-evil>"), "name": EVIL }))
        .await
        .expect(201)
        .json();
    let (_, story) = attempts(&app).await;
    app.post("/keys", &json!({ "name": EVIL, "role": "viewer" })).await.expect(201);
    app.post("/channels", &json!({ "name": "<x-evil>", "utm_source": "x" })).await;
    admin.post("/screens", &json!({ "name": EVIL })).await.expect(201);
    admin
        .post("/shares", &json!({ "name": EVIL, "view": "/-/reports?scope=section:%22%3E%3Cx-evil%3E" }))
        .await
        .expect(201);
    app.post(&format!("/webhooks/{}/test", text(&made, "id")), &json!({})).await;
    eventually("the receiver has refused it", async || {
        let all = deliveries(&app, &made).await;
        all.iter().any(|one| one["attempts"].as_u64() > Some(0)).then_some(())
    })
    .await;
    let mut all = pages("marked", &story);
    let evil: String = url::form_urlencoded::byte_serialize(EVIL.as_bytes()).collect();
    all.extend([
        format!("/-/settings/webhooks?of={}", text(&made, "id")),
        format!("/-/links?q={evil}&section={evil}&sort={evil}&cursor={evil}"),
        format!("/-/reports?scope=section:{evil}"),
        format!("/-/reports?scope={evil}&tab={evil}&period={evil}&from={evil}"),
        format!("/-/new?url={evil}"),
        format!("/-/?url={evil}&title={evil}&made={evil}"),
        format!("/-/live?rows={evil}&theme={evil}&section={evil}"),
        format!("/-/login?next={evil}"),
        format!("/-/settings/{evil}"),
        format!("/-/links/{evil}"),
        format!("/-/articles/{evil}"),
        format!("/-/shared?token={evil}"),
        format!("/-/digest/end?token={evil}"),
        format!("/-/card?url={evil}"),
    ]);
    for path in &all {
        let answer = get(&admin, path).await;
        assert!(answer.status < 500, "{path}: {}", answer.status);
        // What is no page is not taken for one.
        if answer.header("content-type").starts_with("text/html") {
            is_harmless(path, &answer.text());
        } else if !answer.body.is_empty() {
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        }
    }
    let sent = [("urls", EVIL), ("code", EVIL), ("note", EVIL), ("campaign", EVIL)];
    is_harmless("the desk", &post(&admin, "/-/", &sent).await.text());
    let login = post(&admin, "/-/login", &[("user", EVIL), ("password", "x"), ("next", EVIL)]).await;
    is_harmless("sign in", &login.text());
    for (tab, _) in tabs() {
        let sent = [("form", EVIL), ("do", EVIL), ("name", EVIL), ("value", EVIL), ("email", EVIL)];
        let path = format!("/-/settings/{tab}");
        is_harmless(&path, &post(&admin, &path, &sent).await.text());
    }
}

#[tokio::test]
async fn cells_of_csv_are_no_formulas() {
    let app = TestApp::start().await;
    for (n, begin) in ["=", "+", "-", "@", "\t=", "\r="].into_iter().enumerate() {
        let text = format!("{begin}cmd|'/c calc'!A0");
        let article = json!({ "title": text, "section": text.trim(), "authors": [text.trim()] });
        let code = format!("csv{n}");
        app.create(json!({ "url": format!("https://news.example.com/{n}"), "code": code, "title": text,
            "campaign": text.trim(), "article": article }))
            .await;
        app.follow_times(&code, 1).await;
    }
    app.settle().await;
    for by in ["link", "article", "section", "author", "campaign"] {
        let answer = app.get(&format!("/reports/top.csv?by={by}&limit=100")).await.expect(200);
        let text = answer.text();
        let mut reader =
            csv::ReaderBuilder::new().from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert!(records.iter().any(|record| record.iter().any(|cell| cell.contains("calc"))), "{by}: {text}");
        for cell in records.iter().flat_map(csv::StringRecord::iter) {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{by}: {cell}");
        }
    }
}

#[tokio::test]
async fn other_sites_change_nothing_on_any_route() {
    let app = TestApp::start().await;
    let (_, story) = attempts(&app).await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    for route in routes().iter().filter(|route| route.post && !FROM_ANYWHERE.contains(&route.path.as_str())) {
        for path in addresses(&route.path, "marked", &story) {
            for site in ["cross-site", "same-site", "none", ""] {
                let answer = form(&admin, &path, &[]).header("sec-fetch-site", site).send().await;
                assert_eq!(answer.status, 403, "{path} from {site}: {}", answer.text());
            }
            for origin in ["https://evil.example", "null"] {
                let answer = form(&admin, &path, &[]).header("origin", origin).send().await;
                assert_eq!(answer.status, 403, "{path} from {origin}");
            }
            assert_eq!(form(&admin, &path, &[]).send().await.status, 403, "{path} from nowhere");
            // Nor by what a form cannot be; who signs out sends nothing that could be wrong.
            if path == "/-/logout" {
                continue;
            }
            let json = admin.http.call(Method::POST, &path).header("cookie", &admin.cookie);
            let json = json.header("sec-fetch-site", "same-origin").json(&json!({})).send().await;
            assert!((400..500).contains(&json.status), "{path}: {}", json.status);
        }
    }
}

#[tokio::test]
async fn no_page_can_be_framed_or_runs_anything_of_others() {
    let app = TestApp::start().await;
    let (_, story) = attempts(&app).await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    let mut all = pages("marked", &story);
    all.extend(
        ["/-/links/none", "/-/settings/none", "/-/digest/end?token=x", "/-/shared?token=x"]
            .map(str::to_owned),
    );
    for path in all {
        let answer = get(&admin, &path).await;
        if !answer.header("content-type").starts_with("text/html") {
            continue;
        }
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"),
            "{path}: {policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
}

/// All that may be changed, as it is.
async fn everything(app: &TestApp) -> Vec<Value> {
    let mut all = vec![];
    for list in ["/links", "/keys", "/users", "/channels", "/webhooks", "/shares", "/screens"] {
        all.extend(app.all(list).await);
    }
    all.push(app.get("/settings").await.expect(200).json());
    all
}

#[tokio::test]
async fn who_may_not_changes_nothing_on_any_route() {
    let app = TestApp::start().await;
    let (link, story) = attempts(&app).await;
    let version = link["version"].to_string();
    let all: Vec<Browser> = {
        let mut all = vec![];
        for (name, role) in [("Vera", "viewer"), ("Carl", "creator"), ("Edda", "editor")] {
            all.push(Browser::new(&app, name, role).await);
        }
        all
    };
    let before = everything(&app).await;
    let (viewer, creator) = (&all[0], &all[1]);
    for who in &all {
        for (tab, admins) in tabs().into_iter().filter(|(_, admins)| *admins) {
            let path = format!("/-/settings/{tab}");
            assert!(admins && get(who, &path).await.status == 403, "{path}");
            for what in ["make", "add", "set", "on", "off", "remove", "end", "disable"] {
                let sent =
                    [("do", what), ("form", "new"), ("name", "Vera"), ("role", "admin"), ("user", "Vera")];
                assert_eq!(post(who, &path, &sent).await.status, 403, "{path}: {what}");
            }
        }
    }
    let own = ["/-/me", "/-/log", "/-/link", "/-/digest", "/-/settings"];
    let is_own = |path: &str| {
        path != "/-/links/{code}"
            && own
                .iter()
                .any(|own| path == *own || path.starts_with(&format!("{own}/")) || path.starts_with("/-/log"))
    };
    for route in routes().iter().filter(|route| route.post && !is_own(&route.path)) {
        for path in addresses(&route.path, "marked", &story) {
            let forms: [&[(&str, &str)]; 4] = [
                &[("version", &version), ("note", "changed"), ("title", "changed")],
                &[("code", "marked"), ("codes", "marked"), ("do", "disable"), ("version", &version)],
                &[("urls", "https://news.example.com/b"), ("code", "marked")],
                &[("view", "/-/reports"), ("name", "x")],
            ];
            for sent in forms {
                let answer = post(viewer, &path, sent).await;
                assert!(answer.status < 500, "{path}: {}", answer.status);
                if path.starts_with("/-/links/") || path.starts_with("/-/articles/") {
                    let answer = post(creator, &path, sent).await;
                    assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
                }
            }
        }
    }
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn a_session_ends_with_its_user_on_every_page() {
    let app = TestApp::start().await;
    let (_, story) = attempts(&app).await;
    let maria = Browser::new(&app, "Maria", "admin").await;
    get(&maria, "/-/").await.expect(200);
    app.patch("/users/Maria", &json!({ "disabled": true })).await.expect(200);
    eventually("she is out", async || (get(&maria, "/-/").await.status == 303).then_some(())).await;
    for path in pages("marked", &story) {
        let answer = get(&maria, &path).await;
        assert!(
            answer.status == 303 && answer.location().starts_with("/-/login"),
            "{path}: {}",
            answer.status
        );
    }
    let before = everything(&app).await;
    for route in routes().iter().filter(|route| route.post && !FROM_ANYWHERE.contains(&route.path.as_str())) {
        for path in addresses(&route.path, "marked", &story) {
            let answer = post(&maria, &path, &[("do", "make"), ("name", "x"), ("role", "admin")]).await;
            let out = answer.status == 303 && answer.location().starts_with("/-/login");
            assert!(out || (400..500).contains(&answer.status), "{path}: {}", answer.status);
        }
    }
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn what_is_confidential_is_nowhere_for_any_role_but_its_maker_and_admins() {
    let receiver = Receiver::good();
    let app = TestApp::start_with(sending_to(&[&receiver])).await;
    hook(&app, &receiver.url("/in"), &[]).await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let secret = json!({ "url": "https://news.example.com/palace-papers", "code": "later", "title": "Palace papers",
        "note": "palace", "confidential": true, "not_before": "2099-01-01T00:00:00Z",
        "article": { "title": "Palace papers", "section": "Palace" } });
    let made = maria.post("/links", &secret).await.expect(201).json();
    let story = made["article"]["id"].as_str().unwrap();
    for _ in 0..3 {
        app.follow("later").await.expect(404);
    }
    app.follow("later+").await.expect(404);
    app.settle().await;
    assert!(get(&maria, "/-/links/later").await.text().contains("Palace papers"));
    let tells = |text: &str| text.to_lowercase().contains("palace");
    for (name, role) in [("Vera", "viewer"), ("Carl", "creator"), ("Edda", "editor")] {
        add_user(&app, name, role).await;
        let who = Browser::of(&app.http, name).await;
        for path in pages("later", story) {
            let answer = get(&who, &path).await;
            assert!(answer.status < 500 && !tells(&answer.text()), "{role} at {path}");
        }
        let lists = [
            "/links",
            "/links/later",
            "/links/later/history",
            "/reports/top?by=article",
            "/reports/top?by=link",
            "/reports/top?by=section",
            "/links?q=papers",
            "/reports/orphans",
        ];
        let story = format!("/articles/{story}");
        for path in lists.into_iter().chain([story.as_str()]) {
            let answer = who.get(path).await;
            assert!(!tells(&answer.text()), "{role} at {path}: {}", answer.text());
        }
    }
    let told = receiver.wait("/in", 1).await;
    assert!(told.iter().all(|message| !tells(&String::from_utf8_lossy(&message.body))));
}
