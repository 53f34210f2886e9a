//! What staff do with their pages: by mouse, by keyboard alone, and without scripts.

use super::page::{Key, Page, Setting, browse};
use crate::harness::{TestApp, eventually, json};
use crate::sessions::browser::{PASSWORD, add_user};

pub(super) fn base(app: &TestApp) -> String {
    format!("http://{}", app.http.address())
}

/// Puts text into a field as if it was pasted there.
pub(super) async fn fill(page: &Page, css: &str, text: &str) {
    let script = "const at = document.querySelector(arguments[0]); at.value = arguments[1]; \
                  at.dispatchEvent(new Event('input', { bubbles: true }))";
    page.find(css).await;
    page.run(script, vec![json!(css), json!(text)]).await;
}

pub(super) async fn count(page: &Page, css: &str) -> u64 {
    page.run("return document.querySelectorAll(arguments[0]).length", vec![json!(css)])
        .await
        .as_u64()
        .unwrap()
}

/// Adds a user and signs them in by name and password.
pub(super) async fn sign_in(page: &Page, app: &TestApp, name: &str, role: &str) {
    add_user(app, name, role).await;
    page.go(&format!("{}/-/", base(app))).await;
    page.at("the way in", |url| url.path() == "/-/login").await;
    page.click("#user").await;
    page.type_text(name).await;
    page.press(Key::Tab).await;
    page.type_text(PASSWORD).await;
    page.press(Key::Enter).await;
    page.at("the desk", |url| url.path() == "/-/").await;
}

/// The code that was made last.
pub(super) async fn made(page: &Page) -> String {
    page.text(".made .url").await.rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_sign_in_link_leads_to_a_password_and_to_the_desk() {
    let app = TestApp::start().await;
    browse(Setting::default(), async |page| {
        page.go(app.link.as_deref().unwrap()).await;
        page.click("main button.first").await;
        page.at("the password", |url| url.path() == "/-/me").await;
        fill(page, "#password", PASSWORD).await;
        fill(page, "#again", PASSWORD).await;
        page.click("form[action='/-/me/password'] button").await;
        assert!(page.text(".note").await.starts_with("Your password is set"));
        page.go(&format!("{}/-/", base(&app))).await;
        assert_eq!(page.text(".rail .me a").await, "admin");
    })
    .await;
}

#[tokio::test]
async fn from_paste_to_the_wall() {
    let app = TestApp::start().await;
    browse(Setting::default(), async |page| {
        sign_in(page, &app, "Maria", "creator").await;
        // Two keys: Enter makes it, Enter copies it.
        page.type_text("https://news.example.com/a?utm_source=x").await;
        page.find("#card .code").await;
        page.press(Key::Enter).await;
        let code = made(page).await;
        page.press(Key::Enter).await;
        let short = format!("{}/{code}", base(&app));
        eventually("it is copied", async || (page.clipboard().await == short).then_some(())).await;
        assert!(page.text("#said").await.starts_with("Copied"));

        page.go(&format!("{}/-/live", base(&app))).await;
        page.run("window.same = true", vec![]).await;
        eventually("it is live", async || {
            let heard = "return document.querySelector('#top').dataset.shown !== undefined";
            page.run(heard, vec![]).await.as_bool().unwrap().then_some(())
        })
        .await;
        assert_eq!(page.text("#minute").await, "0");
        app.follow_times(&code, 3).await;
        eventually("the wall shows the clicks", async || {
            (page.text("#minute").await == "3" && page.text("#today").await == "3").then_some(())
        })
        .await;
        eventually("and the link", async || {
            (page
                .run("return document.querySelector('#top').textContent", vec![])
                .await
                .to_string()
                .contains(&code))
            .then_some(())
        })
        .await;
        assert_eq!(page.run("return window.same", vec![]).await, json!(true), "without a reload");
        let other = app.shorten("https://news.example.com/b").await;
        eventually("a new link is told", async || {
            page.text("#events").await.contains("New link: https://news.example.com/b").then_some(())
        })
        .await;
        assert_ne!(other, code);
    })
    .await;
}

#[tokio::test]
async fn a_screen_shows_the_wall_to_nobody_in_particular() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    let token = app.post("/screens", &json!({ "name": "wall" })).await.expect(201).json();
    let token = token["token"].as_str().unwrap();
    browse(Setting::default(), async |page| {
        page.go(&format!("{}/-/live?token={token}&theme=dark&rows=1", base(&app))).await;
        assert_eq!(count(page, ".rail").await, 0);
        let background = "return getComputedStyle(document.body).backgroundColor";
        assert_eq!(page.run(background, vec![]).await, "rgb(21, 23, 26)");
        app.follow_times(&code, 2).await;
        eventually("the clicks", async || (page.text("#today").await == "2").then_some(())).await;
        assert_eq!(count(page, "main a").await, 0);
    })
    .await;
}

#[tokio::test]
async fn channels_and_several_lines() {
    let app = TestApp::start_with(|c| {
        for name in ["newsletter", "x"] {
            let adds = [("utm_source".to_owned(), name.to_owned())].into();
            c.links.channels.insert(name.into(), adds);
        }
    })
    .await;
    browse(Setting::default(), async |page| {
        sign_in(page, &app, "Maria", "creator").await;
        fill(page, "#urls", "https://news.example.com/a").await;
        page.click("fieldset label:nth-of-type(1)").await;
        page.click("fieldset label:nth-of-type(2)").await;
        page.click("#make button.first").await;
        page.find(".made .tag").await;
        assert_eq!(count(page, ".made .url").await, 2);
        let all = app.all("/links").await;
        let mut channels: Vec<&str> = all.iter().map(|link| link["channel"].as_str().unwrap()).collect();
        channels.sort_unstable();
        assert_eq!(channels, ["newsletter", "x"]);
        // What this made can be taken back, and nothing else.
        page.click("form[action='/-/undo'] button").await;
        eventually("both are retired", async || {
            let all = app.all("/links").await;
            all.iter().all(|link| link["status"] == "retired").then_some(())
        })
        .await;

        page.go(&format!("{}/-/", base(&app))).await;
        fill(page, "#urls", "https://news.example.com/1\nno address\nhttps://news.example.com/2").await;
        page.click("#make button.first").await;
        page.find("#lines").await;
        assert_eq!((count(page, "#lines tbody tr").await, count(page, "#lines .wrong").await), (3, 1));
        page.click("[data-copy-table=text]").await;
        assert_eq!(page.text("#said").await, "Copied 2 links");
        let copied = page.clipboard().await;
        assert_eq!(copied.matches(&base(&app)).count(), 2, "{copied}");
    })
    .await;
}

#[tokio::test]
async fn a_link_is_led_elsewhere_and_back() {
    let app = TestApp::start().await;
    browse(Setting::default(), async |page| {
        sign_in(page, &app, "Maria", "editor").await;
        app.create(json!({ "url": "https://news.example.com/a", "code": "moving" })).await;
        page.go(&format!("{}/-/links/moving", base(&app))).await;
        page.click("section[aria-label='This link'] summary").await;
        fill(page, "#url", "https://news.example.com/b").await;
        page.click("section[aria-label='This link'] details button.first").await;
        eventually("it leads to b", async || (app.link("moving").await["version"] == 2).then_some(())).await;
        assert_eq!(app.follow("moving").await.location(), "https://news.example.com/b");
        page.click("button[name=revert_to]").await;
        eventually("it leads to a again", async || (app.link("moving").await["version"] == 3).then_some(()))
            .await;
        assert_eq!(app.follow("moving").await.location(), "https://news.example.com/a");
    })
    .await;
}

#[tokio::test]
async fn links_are_filtered_and_paged() {
    let app = TestApp::start().await;
    for n in 0..60 {
        app.create(json!({ "url": format!("https://news.example.com/{n}"), "code": format!("tram-{n}") }))
            .await;
    }
    app.create(json!({ "url": "https://news.example.com/other", "code": "else" })).await;
    browse(Setting::default(), async |page| {
        sign_in(page, &app, "Maria", "viewer").await;
        page.go(&format!("{}/-/links", base(&app))).await;
        page.click("#q").await;
        page.type_text("tram-").await;
        page.press(Key::Enter).await;
        page.at("the search is in the address", |url| {
            url.query().is_some_and(|query| query.contains("q=tram-"))
        })
        .await;
        assert_eq!(count(page, "tbody tr").await, 50);
        page.click("a[rel=next]").await;
        page.at("the next page", |url| url.query().is_some_and(|query| query.contains("key="))).await;
        assert_eq!(count(page, "tbody tr").await, 10);
    })
    .await;
}

#[tokio::test]
async fn a_report_is_shared_and_seen_signed_out() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "tram", "title": "Tram line approved" }))
        .await;
    app.follow_times("tram", 2).await;
    app.settle().await;
    let mut shared = String::new();
    browse(Setting::default(), async |page| {
        sign_in(page, &app, "Maria", "creator").await;
        page.go(&format!("{}/-/reports?tab=link&period=7d", base(&app))).await;
        assert_eq!(page.text("tbody th").await, "Tram line approved");
        page.click("form[action='/-/share'] button").await;
        shared = page.text("#shared").await;
    })
    .await;
    browse(Setting::default(), async |page| {
        page.go(&shared).await;
        assert_eq!(
            (page.text("tbody th").await.as_str(), page.text("tbody .num").await.as_str()),
            ("Tram line approved", "2")
        );
        assert_eq!(count(page, ".rail, main a, main form").await, 0);
        page.go(&format!("{}/-/links", base(&app))).await;
        page.at("the way in", |url| url.path() == "/-/login").await;
        let id = app.all("/shares").await[0]["id"].as_str().unwrap().to_owned();
        app.delete(&format!("/shares/{id}")).await.expect(204);
        page.go(&shared).await;
        assert_eq!(page.text("h1").await, "There is nothing here");
        // That it is not there is told on the console too.
        page.errors().await;
    })
    .await;
}

#[tokio::test]
async fn a_key_is_made_shown_once_and_used() {
    let app = TestApp::start().await;
    browse(Setting::default(), async |page| {
        sign_in(page, &app, "Maria", "admin").await;
        page.go(&format!("{}/-/settings/keys", base(&app))).await;
        page.click("#new-name").await;
        page.type_text("cms").await;
        page.click("button[value=make]").await;
        let key = page.text("#secret").await;
        let link = app.with_key(&key).post("/links", &json!({ "url": "https://news.example.com/a" })).await;
        assert_eq!(link.expect(201).json()["created_by"], format!("key:{}", app.with_key(&key).key_id()));
        page.click("[data-copy]").await;
        assert_eq!(page.text("#said").await, format!("Copied {key}"));
        page.go(&format!("{}/-/settings/keys", base(&app))).await;
        assert!(!page.text("body").await.contains(&key));
    })
    .await;
}

#[tokio::test]
async fn without_scripts_a_link_is_made_by_the_keyboard() {
    let app = TestApp::start().await;
    browse(Setting { without_scripts: true, ..Setting::default() }, async |page| {
        sign_in(page, &app, "Maria", "creator").await;
        page.click("#urls").await;
        page.type_text("https://news.example.com/a").await;
        // Past what can be folded out.
        page.press(Key::Tab).await;
        page.press(Key::Tab).await;
        page.press(Key::Enter).await;
        let code = made(page).await;
        assert_eq!(app.link(&code).await["created_by"], "user:Maria");
        assert_eq!(
            count(page, ".made [data-copy]:not([hidden])").await,
            0,
            "what needs a script is not there"
        );
        app.follow_times(&code, 1).await;
        app.settle().await;
        page.go(&format!("{}/-/live", base(&app))).await;
        assert_eq!(page.text("#today").await, "1");
        assert_eq!(count(page, "noscript meta[http-equiv=refresh]").await, 1);
    })
    .await;
}
