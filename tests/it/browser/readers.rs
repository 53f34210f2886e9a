//! Readers' pages in a browser: by link and keyboard, without scripts, in light and dark, on a phone.

use super::page::{Key, Setting, browse};
use crate::harness::{TestApp, json};

#[tokio::test]
async fn a_preview_leads_on_without_scripts() {
    let app = TestApp::start().await;
    let base = format!("http://{}", app.http.address());
    let target = format!("{base}/robots.txt");
    // Own hosts are no targets; a name for the same machine is another host.
    let target = target.replace("127.0.0.1", "localhost");
    app.create(json!({ "url": target, "code": "open" })).await;
    browse(Setting { without_scripts: true, ..Setting::default() }, async |page| {
        page.go(&format!("{base}/open+")).await;
        assert_eq!(page.text("h1").await, "Where this link leads");
        assert_eq!(page.text(".address b").await, "localhost");
        page.press(Key::Tab).await;
        page.press(Key::Enter).await;
        assert_eq!(page.at("the target", |url| url.path() == "/robots.txt").await.as_str(), target);
    })
    .await;
}

#[tokio::test]
async fn pages_fit_a_phone_in_every_language() {
    let app =
        TestApp::start_with(|c| c.newsroom.name = "The Extraordinarily Long-Named Courier".into()).await;
    let base = format!("http://{}", app.http.address());
    let url = format!("https://news.example.com/{}", "a-very-long-path-".repeat(30));
    app.create(json!({ "url": url, "code": "open", "title": "A".repeat(200) })).await;
    for language in ["en", "de", "ar"] {
        let setting =
            Setting { language: Some(language), width: Some(360), dark: true, ..Setting::default() };
        browse(setting, async |page| {
            let metrics = json!({ "width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": false });
            page.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
            for path in ["open+", "unknown"] {
                page.go(&format!("{base}/{path}")).await;
                let facts = "const root = document.documentElement, body = getComputedStyle(document.body); \
                             return [root.lang, root.scrollWidth <= innerWidth, body.direction, body.backgroundColor]";
                let facts = page.run(facts, vec![]).await;
                let direction = if language == "ar" { "rtl" } else { "ltr" };
                assert_eq!(facts, json!([language, true, direction, "rgb(21, 23, 26)"]), "{path}");
            }
            // That a page is not there is told on the console too.
            page.errors().await;
        })
        .await;
    }
}
