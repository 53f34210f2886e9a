//! Pages of numbers: read by keys, and without scripts.

use super::page::{Key, Page, Setting, browse};
use crate::harness::{TestApp, eventually, json};
use crate::sessions::browser::{PASSWORD, add_user};

fn base(app: &TestApp) -> String {
    format!("http://{}", app.http.address())
}

async fn sign_in(page: &Page, app: &TestApp, role: &str) {
    add_user(app, "Maria", role).await;
    page.go(&format!("{}/-/", base(app))).await;
    page.at("the way in", |url| url.path() == "/-/login").await;
    page.click("#user").await;
    page.type_text("Maria").await;
    page.press(Key::Tab).await;
    page.type_text(PASSWORD).await;
    page.press(Key::Enter).await;
    page.at("the desk", |url| url.path() == "/-/").await;
}

/// Waits until the address of the page has this in its query.
async fn asks(page: &Page, what: &str) {
    page.at(what, |url| url.query().is_some_and(|query| query.contains(what))).await;
}

#[tokio::test]
async fn periods_and_charts_are_a_key_away() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "tram" })).await;
    app.follow_times("tram", 3).await;
    app.settle().await;
    browse(Setting::default(), async |page| {
        sign_in(page, &app, "viewer").await;
        page.go(&format!("{}/-/links/tram", base(&app))).await;
        page.find("[data-chart][tabindex='0']").await;
        page.type_text("7").await;
        asks(page, "period=7d").await;
        page.type_text("x").await;
        asks(page, "compare=previous").await;
        page.press(Key::Left).await;
        asks(page, "from=").await;
        page.press(Key::Right).await;
        page.type_text("1").await;
        asks(page, "period=24h").await;

        // A chart that has the focus is read by the same arrows, and is not left by them.
        page.find("[data-chart][tabindex='0']").await;
        page.run("document.querySelector('[data-chart]').focus()", vec![]).await;
        page.press(Key::End).await;
        let said = page.run("return document.querySelector('#told').textContent", vec![]).await;
        let said = said.as_str().unwrap().to_owned();
        assert!(said.ends_with(", so far: 3 clicks, 0 before"), "{said}");
        assert_eq!(page.text(".reading").await, said);
        page.press(Key::Left).await;
        let before = page.run("return document.querySelector('#told').textContent", vec![]).await;
        assert!(before.as_str().unwrap().ends_with(": 0 clicks, 0 before"), "{before}");
        page.press(Key::Home).await;
        let first = page.run("return document.querySelector('#told').textContent", vec![]).await;
        assert_ne!(first, before);
        assert!(page.url().await.query().unwrap().contains("period=24h"));
        let live = "return document.querySelector('#told').getAttribute('aria-live')";
        assert_eq!(page.run(live, vec![]).await, "polite");
    })
    .await;
}

#[tokio::test]
async fn a_note_is_made_and_taken_back_without_scripts() {
    let app = TestApp::start().await;
    let link = app.create(json!({ "url": "https://news.example.com/a", "code": "tram" })).await;
    let article = format!("/articles/{}", link["article"]["id"].as_str().unwrap());
    let notes = async || app.get(&article).await.json()["notes"].as_array().unwrap().len();
    browse(Setting { without_scripts: true, ..Setting::default() }, async |page| {
        sign_in(page, &app, "editor").await;
        page.go(&format!("{}/-/links/tram", base(&app))).await;
        page.click("#noted").await;
        page.type_text("push 09:05").await;
        page.press(Key::Enter).await;
        eventually("it is noted", async || (notes().await == 1).then_some(())).await;
        assert!(page.text(".marks").await.contains("push 09:05"));
        page.click("#notes button.plain").await;
        eventually("it is taken back", async || (notes().await == 0).then_some(())).await;
        page.at("the same page", |url| url.path() == "/-/links/tram").await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_code_and_a_report_with_comparison() {
    let app = TestApp::start().await;
    app.follow("poster").await.expect(404);
    browse(Setting::default(), async |page| {
        sign_in(page, &app, "creator").await;
        page.go(&format!("{}/-/reports?tab=orphans", base(&app))).await;
        page.click("details summary").await;
        page.click("form[action='/-/reports/adopt'] input[name=url]").await;
        page.type_text("https://news.example.com/p").await;
        page.press(Key::Enter).await;
        page.at("its link", |url| url.path() == "/-/links/poster").await;
        app.follow_times("poster", 2).await;
        app.settle().await;
        page.go(&format!("{}/-/reports?tab=link&compare=previous", base(&app))).await;
        assert_eq!(page.text("tbody td.up").await, "new");
    })
    .await;
}
