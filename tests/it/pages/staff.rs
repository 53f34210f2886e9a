//! Staff's pages over HTTP: what they refuse, what they never show, and that they work by forms alone.

use super::forms::{form, get, post};
use crate::harness::{Answer, BROWSER, TestApp, Value, eventually, json};
use crate::sessions::browser::Browser;

const PAGES: [&str; 25] = [
    "/-/",
    "/-/links",
    "/-/links/marked",
    "/-/live",
    "/-/reports",
    "/-/reports?tab=link",
    "/-/reports?tab=source",
    "/-/reports?tab=times",
    "/-/reports?tab=broken",
    "/-/reports?tab=orphans",
    "/-/reports?tab=source&value=%3Cscript%3E",
    "/-/me",
    "/-/keys",
    "/-/settings",
    "/-/settings/transfer",
    "/-/settings/keys",
    "/-/settings/users",
    "/-/settings/hosts",
    "/-/settings/newsroom",
    "/-/settings/channels",
    "/-/settings/webhooks",
    "/-/settings/sharing",
    "/-/settings/integrations",
    "/-/settings/privacy",
    "/-/settings/audit",
];

const TITLE: &str = "<script>alert('title')</script>";
const NOTE: &str = "\"><img src=x onerror=alert(1)>";

/// What a page shows in the element with this id, which has nothing in it but text.
fn shown(answer: &Answer, id: &str) -> String {
    let text = answer.text();
    let after = text.split_once(&format!("id=\"{id}\">")).unwrap_or_else(|| panic!("no {id}: {text}")).1;
    after.split_once('<').unwrap().0.replace("&#38;", "&").replace("&amp;", "&")
}

fn path_of(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

async fn marked(app: &TestApp) -> Value {
    let link = json!({ "url": "https://news.example.com/a", "code": "marked", "title": TITLE, "note": NOTE });
    let link = app.create(link).await;
    let headers =
        [("user-agent", BROWSER), ("referer", "https://evil.example/<script>alert('referrer')</script>")];
    app.follow_with("marked", &headers).await.expect(302);
    app.follow_with("marked", &[("user-agent", "<script>alert('agent')</script>")]).await.expect(302);
    app.settle().await;
    link
}

#[tokio::test]
async fn what_others_wrote_is_text_on_every_page() {
    let app = TestApp::start().await;
    marked(&app).await;
    let admin = Browser::new(&app, "Maria<b>", "admin").await;
    for path in PAGES {
        let text = get(&admin, path).await.expect(200).text();
        for markup in ["<script>", "<img src=x", "onerror=alert(1)>\"", "Maria<b>"] {
            assert!(!text.contains(markup), "{path}: {markup}");
        }
    }
    let text = get(&admin, "/-/links/marked").await.text();
    assert!(text.contains("&#60;script&#62;alert"), "{text}");
    assert!(get(&admin, "/-/reports?tab=link").await.text().contains("&#60;script&#62;alert"));
}

#[tokio::test]
async fn pages_are_framed_by_nobody_run_nothing_inline_and_are_small() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "marked" })).await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    for path in PAGES.into_iter().chain(["/-/login", "/-/nothing-of-ours", "/-/settings/system"]) {
        let answer = get(&admin, path).await;
        if path == "/-/nothing-of-ours" || path == "/-/login" {
            assert_ne!(answer.status, 200, "{path}");
            continue;
        }
        let (policy, text) = (answer.header("content-security-policy").to_owned(), answer.text());
        for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        for inline in [" style=\"", " onclick=", "<style", "<script>", "src=\"http", "src=\"//"] {
            assert!(!text.contains(inline) || path == "/-/settings/integrations", "{path}: {inline}");
        }
        let mut weight = text.len();
        for (before, after) in [("rel=\"stylesheet\" href=\"", "\""), ("<script src=\"", "\"")] {
            let asset = text.split_once(before).unwrap().1.split_once(after).unwrap().0;
            weight += get(&admin, asset).await.expect(200).body.len();
        }
        assert!(weight <= 60 * 1024, "{path}: {weight}");
    }
}

#[tokio::test]
async fn other_sites_change_nothing() {
    let app = TestApp::start().await;
    let link = marked(&app).await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    let table: [(&str, &[(&str, &str)]); 14] = [
        ("/-/", &[("urls", "https://news.example.com/b")]),
        ("/-/links", &[("do", "disable"), ("code", "marked")]),
        ("/-/me/keys", &[("keys", "off")]),
        ("/-/settings/transfer", &[("do", "import"), ("text", "url\nhttps://news.example.com/c\n")]),
        ("/-/undo", &[("code", "marked")]),
        ("/-/links/marked", &[("version", "1"), ("note", "x")]),
        ("/-/links/marked/retire", &[("code", "marked")]),
        ("/-/share", &[("view", "/-/reports"), ("name", "x")]),
        ("/-/settings/keys", &[("do", "make"), ("name", "x"), ("role", "admin")]),
        ("/-/settings/users", &[("do", "add"), ("name", "x"), ("role", "admin")]),
        (
            "/-/settings/newsroom",
            &[("do", "set"), ("form", "newsroom.name"), ("value", "x"), ("version", "0")],
        ),
        ("/-/me/password", &[("password", "another one"), ("again", "another one")]),
        ("/-/me/sessions", &[("id", "")]),
        ("/-/logout", &[]),
    ];
    for (path, pairs) in table {
        for site in ["cross-site", "same-site", "none"] {
            let answer = form(&admin, path, pairs).header("sec-fetch-site", site).send().await;
            assert_eq!(answer.status, 403, "{path} from {site}: {}", answer.text());
        }
        let answer = form(&admin, path, pairs).header("origin", "https://evil.example").send().await;
        assert_eq!(answer.status, 403, "{path}");
        assert_eq!(form(&admin, path, pairs).send().await.status, 403, "{path}: from nowhere");
    }
    assert_eq!(app.link("marked").await["version"], link["version"]);
    assert_eq!(app.all("/links").await.len(), 1);
    assert_eq!(app.all("/keys").await.len(), 1);
    assert_eq!(app.all("/shares").await, Vec::<Value>::new());
    get(&admin, "/-/").await.expect(200);
}

#[tokio::test]
async fn a_viewer_sees_and_changes_nothing() {
    let app = TestApp::start().await;
    let link = marked(&app).await;
    let viewer = Browser::new(&app, "Vera", "viewer").await;
    let table: [(&str, &[(&str, &str)]); 8] = [
        ("/-/", &[("urls", "https://news.example.com/b")]),
        ("/-/links/marked", &[("version", "1"), ("note", "x")]),
        ("/-/links/marked/retire", &[("code", "marked")]),
        ("/-/share", &[("view", "/-/reports"), ("name", "x")]),
        ("/-/settings/sharing", &[("do", "screen"), ("name", "wall")]),
        ("/-/settings/keys", &[("do", "make"), ("name", "x"), ("role", "admin")]),
        ("/-/settings/users", &[("do", "role"), ("name", "Vera"), ("role", "admin")]),
        ("/-/settings/channels", &[("do", "add"), ("name", "x"), ("parameters", "")]),
    ];
    for (path, pairs) in table {
        let answer = post(&viewer, path, pairs).await;
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
    }
    for tab in ["keys", "users", "hosts", "newsroom", "channels", "webhooks", "audit", "system"] {
        let answer = get(&viewer, &format!("/-/settings/{tab}")).await;
        assert_eq!(answer.status, 403, "{tab}");
        assert!(answer.text().contains("This is not yours to do"), "{tab}");
    }
    for path in ["/-/settings", "/-/settings/sharing", "/-/settings/integrations", "/-/settings/privacy"] {
        let text = get(&viewer, path).await.expect(200).text();
        assert!(!text.contains("/-/settings/keys"), "{path}");
    }
    assert_eq!(app.link("marked").await["version"], link["version"]);
    assert_eq!((app.all("/links").await.len(), app.all("/keys").await.len()), (1, 1));
    assert_eq!(app.all("/screens").await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_is_confidential_is_on_no_page_of_others() {
    let app = TestApp::start().await;
    let (maria, vera) =
        (Browser::new(&app, "Maria", "creator").await, Browser::new(&app, "Vera", "editor").await);
    let secret = json!({ "url": "https://news.example.com/hidden-scoop", "code": "later", "title": "Hidden scoop",
        "confidential": true, "not_before": "2099-01-01T00:00:00Z" });
    maria.post("/links", &secret).await.expect(201);
    assert!(get(&maria, "/-/links/later").await.text().contains("Hidden scoop"));
    app.follow("later").await.expect(404);
    app.settle().await;
    let views = ["/-/links/later", "/-/reports?tab=link", "/-/reports?tab=article"];
    for path in views.into_iter().chain(["/-/", "/-/links", "/-/links?q=scoop", "/-/live"]) {
        let text = get(&vera, path).await.expect(200).text();
        // What was searched for is shown again.
        let text = ["value=\"scoop\"", "search: scoop", "q=scoop"]
            .iter()
            .fold(text.to_lowercase(), |text, asked| text.replace(asked, ""));
        assert!(!text.contains("scoop"), "{path}");
    }
    // Not even its maker's share shows it.
    assert_eq!(post(&maria, "/-/share", &[("view", views[0]), ("name", "s")]).await.status, 409);
    for view in &views[1..] {
        let made = post(&maria, "/-/share", &[("view", view), ("name", "s")]).await.expect(201);
        let text = app.http.get(&path_of(&shown(&made, "shared"))).await.expect(200).text();
        assert!(!text.to_lowercase().contains("scoop"), "{view}");
    }
    let screen = post(&maria, "/-/settings/sharing", &[("do", "screen"), ("name", "wall")]).await.expect(201);
    let text = app.http.get(&path_of(&shown(&screen, "secret"))).await.expect(200).text();
    assert!(!text.to_lowercase().contains("scoop"), "{text}");
}

#[tokio::test]
async fn a_share_is_of_one_view_until_it_is_revoked() {
    let app = TestApp::start().await;
    marked(&app).await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let view = "/-/links/marked?period=30d";
    let made = post(&maria, "/-/share", &[("view", view), ("name", "For the council")]).await.expect(201);
    let shared = path_of(&shown(&made, "shared"));
    let text = app.http.get(&shared).await.expect(200).text();
    for gone in ["class=\"rail\"", "<form", "Put this back", "onerror", "made by", "/-/links/marked/retire"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    let token = shared.split_once("share=").unwrap().1.to_owned();
    let by_token = app.http.get(&format!("/-/shared?token={token}")).await.expect(303);
    assert_eq!(by_token.location(), shared);
    let elsewhere = [
        format!("/-/links/marked?period=90d&share={token}"),
        format!("/-/links/marked?share={token}"),
        format!("/-/reports?share={token}"),
        format!("/-/live?token={token}"),
        "/-/shared?token=x".to_owned(),
        "/-/reports?share=".to_owned(),
    ];
    for path in elsewhere {
        let answer = app.http.get(&path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    for path in ["/-/", "/-/links", "/-/settings", "/-/me"] {
        let answer = app.http.get(&format!("{path}?share={token}")).await;
        assert_eq!(answer.status, 303, "{path}");
    }
    app.http.get(&format!("/api/v1/links/marked?share={token}")).await.expect(401);
    assert_eq!(post(&maria, "/-/share", &[("view", "/-/settings"), ("name", "s")]).await.status, 422);

    let listed = maria.get("/shares").await.json();
    let id = listed["items"][0]["id"].as_str().unwrap();
    post(&maria, "/-/settings/sharing", &[("do", "end_share"), ("id", id)]).await.expect(303);
    app.http.get(&shared).await.expect(404);
}

#[tokio::test]
async fn keys_and_users_are_made_and_ended_by_forms() {
    let app = TestApp::start().await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    let keys = "/-/settings/keys";
    let wrong =
        post(&admin, keys, &[("form", "new"), ("do", "make"), ("name", ""), ("role", "editor")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("aria-describedby=\"new-name-wrong\""), "{}", wrong.text());
    let made =
        post(&admin, keys, &[("form", "new"), ("do", "make"), ("name", "cms"), ("role", "editor")]).await;
    let key = shown(&made.expect(201), "secret");
    app.with_key(&key).get("/links").await.expect(200);
    assert!(!get(&admin, keys).await.text().contains(&key));
    let id = app.with_key(&key).key_id().to_owned();
    post(&admin, keys, &[("do", "revoke"), ("id", &id)]).await.expect(303);
    app.with_key(&key).get("/links").await.expect(401);

    let users = "/-/settings/users";
    let made =
        post(&admin, users, &[("form", "new"), ("do", "add"), ("name", "Ana"), ("role", "creator")]).await;
    let link = path_of(&shown(&made.expect(201), "secret"));
    assert!(app.http.get(&link).await.expect(200).text().contains("<strong>Ana</strong>"));
    post(&admin, users, &[("do", "role"), ("name", "Ana"), ("role", "editor")]).await.expect(303);
    post(&admin, users, &[("do", "disable"), ("name", "Ana")]).await.expect(303);
    app.http.get(&link).await.expect(401);
    assert_eq!(post(&admin, users, &[("do", "disable"), ("name", "MARIA")]).await.status, 409);
    let audit = get(&admin, "/-/settings/audit").await.text();
    assert!(audit.contains("key.") && audit.contains("Maria"), "{audit}");
}

#[tokio::test]
async fn settings_are_changed_by_forms_and_say_what_is_wrong() {
    let app = TestApp::start_with(|c| {
        c.newsroom.color = "#0a5c8f".into();
        c.explicit.note("newsroom.color", slugline::config::Layer::File, "/etc/slugline.toml");
    })
    .await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    let set = |name: &'static str, value: &'static str| {
        let (tab, admin) = (if name.starts_with("newsroom") { "newsroom" } else { "hosts" }, admin.clone());
        async move {
            let pairs = [("form", name), ("do", "set"), ("value", value), ("version", "0")];
            post(&admin, &format!("/-/settings/{tab}"), &pairs).await
        }
    };
    set("newsroom.name", "Die Post").await.expect(303);
    set("articles.allowed_hosts", "www.daily.example\nm.daily.example").await.expect(303);
    let settings = app.get("/settings/articles.allowed_hosts").await.json();
    assert_eq!(settings["value"], json!(["www.daily.example", "m.daily.example"]));
    assert!(get(&admin, "/-/settings/newsroom").await.text().contains("file: /etc/slugline.toml"));
    assert_eq!(set("newsroom.color", "#000000").await.status, 409);
    let wrong = set("newsroom.home", "not an address").await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.text().contains("value=\"not an address\"") && wrong.text().contains("newsroom.home-wrong")
    );

    let channels = "/-/settings/channels";
    let new =
        [("form", "new"), ("do", "add"), ("name", "x"), ("parameters", "utm_source=x\nutm_medium=social")];
    post(&admin, channels, &new).await.expect(303);
    let change = [("do", "change"), ("name", "x"), ("version", "1"), ("parameters", "utm_source=tweet")];
    post(&admin, channels, &change).await.expect(303);
    let channel = app.all("/channels").await.remove(0);
    let text = channel.to_string();
    assert!(text.contains("tweet") && !text.contains("utm_medium"), "{text}");
    post(&admin, channels, &[("do", "remove"), ("name", "x")]).await.expect(303);
    assert_eq!(post(&admin, channels, &[("do", "dance")]).await.status, 422);

    eventually("it is ready", async || {
        get(&admin, "/-/settings/system").await.text().contains(">ready<").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_password_is_set_after_a_sign_in_link_and_ends_other_sessions() {
    let app = TestApp::start().await;
    let link = path_of(app.link.as_deref().unwrap());
    let token = link.split_once("token=").unwrap().1;
    let nobody = Browser { http: app.http.clone(), cookie: String::new() };
    let came = post(&nobody, "/-/link", &[("token", token)]).await.expect(303);
    assert_eq!(came.location(), "/-/me?new=1");
    let admin = Browser { cookie: crate::sessions::browser::cookie_of(&came), ..nobody };
    assert!(!get(&admin, "/-/me?new=1").await.text().contains("name=\"current\""));
    let pairs = |again: &'static str| [("password", "correct horse"), ("again", again)];
    let wrong = post(&admin, "/-/me/password", &pairs("correct house")).await;
    assert!(wrong.status == 422 && wrong.text().contains("not the same"), "{}", wrong.text());
    let set = post(&admin, "/-/me/password", &pairs("correct horse")).await.expect(303);
    let now = Browser { cookie: crate::sessions::browser::cookie_of(&set), ..admin.clone() };
    assert_eq!(get(&admin, "/-/me").await.status, 303, "the session before has ended");
    assert!(get(&now, "/-/me").await.text().contains("name=\"current\""));
    let wrong = post(
        &now,
        "/-/me/password",
        &[("current", "x"), ("password", "another one"), ("again", "another one")],
    )
    .await;
    assert!(wrong.status == 422 && wrong.text().contains("not your password"), "{}", wrong.text());

    let other = Browser::of(&app.http, "admin").await;
    get(&other, "/-/me").await.expect(200);
    post(&now, "/-/me/sessions", &[("id", "")]).await.expect(303);
    eventually("the other session has ended", async || {
        (get(&other, "/-/me").await.status == 303).then_some(())
    })
    .await;
    get(&now, "/-/me").await.expect(200);
}
