//! The desk, lists and keys as people use them: by keyboard, by mouse, and with keys switched off.

use super::page::{Key, Page, Setting, browse};
use super::staff::{base, count, made, sign_in};
use crate::harness::{TestApp, eventually, json};

async fn focused(page: &Page) -> String {
    let script = "return document.activeElement.textContent || document.activeElement.id";
    page.run(script, vec![]).await.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn from_paste_to_copied_in_two_strokes_and_undone() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "there", "channel": "x" })).await;
    browse(Setting::default(), async |page| {
        sign_in(page, &app, "Maria", "creator").await;
        page.run("window.same = true", vec![]).await;
        // Pasted on the page, not in the field.
        page.run("document.activeElement.blur()", vec![]).await;
        let paste = "const data = new DataTransfer(); data.setData('text', arguments[0]); \
                     document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }))";
        page.run(paste, vec![json!("https://news.example.com/a")]).await;
        assert!(page.text("#card").await.contains("/there"));
        page.press(Key::Enter).await;
        let code = made(page).await;
        let short = format!("{}/{code}", base(&app));
        eventually("it is copied", async || (page.clipboard().await == short).then_some(())).await;
        assert!(page.text("#said").await.starts_with("Copied"));
        assert_eq!(focused(page).await, "Copied");
        assert_eq!(page.run("return window.same", vec![]).await, json!(true), "without a new page");
        page.at("what was made is in the address", |url| url.query().is_some_and(|q| q.contains("made="))).await;
        page.click("form[action='/-/undo'] button").await;
        eventually("it is taken back", async || (app.link(&code).await["status"] == "retired").then_some(())).await;
        eventually("and said", async || page.text("#said").await.starts_with("Taken back").then_some(())).await;
        assert_eq!(app.link("there").await["status"], "active");
    })
    .await;
}

#[tokio::test]
async fn what_was_typed_stays_when_nothing_came_of_it() {
    let app = TestApp::start().await;
    browse(Setting::default(), async |page| {
        sign_in(page, &app, "Maria", "creator").await;
        // Copying the old way leaves the focus where it was.
        page.run("navigator.clipboard.writeText = () => Promise.reject()", vec![]).await;
        page.click("#urls").await;
        page.type_text("https://news.example.com/a").await;
        page.press(Key::Enter).await;
        made(page).await;
        eventually("the focus is on the button", async || {
            let script = "return document.activeElement.matches('[data-copy]')";
            (page.run(script, vec![]).await == json!(true)).then_some(())
        })
        .await;
        page.devtools("Network.clearBrowserCookies", json!({})).await;
        page.click("#urls").await;
        page.type_text("https://news.example.com/b").await;
        page.press(Key::Enter).await;
        eventually("it says so", async || page.text("#trouble").await.contains("signed out").then_some(()))
            .await;
        let script =
            "return [document.querySelector('#urls').value, document.querySelector('#trouble a').href]";
        let left = page.run(script, vec![]).await;
        assert_eq!(left[0], "https://news.example.com/b");
        assert!(left[1].as_str().unwrap().contains("next=%2F-%2Fnew%3Furl%3D"), "{left}");
    })
    .await;
}

#[tokio::test]
async fn a_code_says_while_it_is_typed_whether_it_is_free() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "night" })).await;
    browse(Setting::default(), async |page| {
        sign_in(page, &app, "Maria", "creator").await;
        page.click("#make summary").await;
        page.click("#code").await;
        page.type_text("night").await;
        let says = async |text: &str| {
            eventually("what it says", async || page.text("#code-says").await.contains(text).then_some(()))
                .await;
        };
        says("night is taken").await;
        page.type_text("s").await;
        says("nights is free").await;
    })
    .await;
}

#[tokio::test]
async fn lists_are_walked_and_ticked_by_keys_and_changed_at_once() {
    let app = TestApp::start().await;
    for n in 0..3 {
        app.create(json!({ "url": format!("https://news.example.com/{n}"), "code": format!("n{n}") })).await;
    }
    browse(Setting::default(), async |page| {
        sign_in(page, &app, "Maria", "editor").await;
        page.go(&format!("{}/-/links?sort=code", base(&app))).await;
        for key in ["j", "x", "j", "x", "c"] {
            page.type_text(key).await;
        }
        let short = format!("{}/n1", base(&app));
        eventually("the second is copied", async || (page.clipboard().await == short).then_some(())).await;
        assert_eq!(count(page, "[name=code]:checked").await, 2);
        page.click(".bulk summary").await;
        page.click("button[value=disable]").await;
        assert_eq!(page.text("h1").await, "2 of 2 links changed");
        assert_eq!(app.link("n0").await["status"], "disabled");
        page.click("tbody tr:first-child button").await;
        eventually("one is put back", async || (app.link("n0").await["status"] == "active").then_some(()))
            .await;
        assert_eq!(app.link("n1").await["status"], "disabled");
    })
    .await;
}

#[tokio::test]
async fn keys_are_told_and_can_be_switched_off() {
    let app = TestApp::start().await;
    browse(Setting::default(), async |page| {
        sign_in(page, &app, "Maria", "viewer").await;
        page.type_text("l").await;
        page.at("the list", |url| url.path() == "/-/links").await;
        page.type_text("?").await;
        page.find("dialog[open] kbd").await;
        page.click("dialog button").await;
        assert_eq!(count(page, "dialog[open]").await, 0);
        page.go(&format!("{}/-/keys", base(&app))).await;
        page.click("button[value=off]").await;
        page.find("button[value=on]").await;
        page.run("document.body.focus()", vec![]).await;
        page.type_text("l?").await;
        assert_eq!(count(page, "dialog").await, 0);
        page.at("still there", |url| url.path() == "/-/keys").await;
    })
    .await;
}
