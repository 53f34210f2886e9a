//! Readers' pages: their language, their size, what they may load, whose they are.

use crate::harness::{Answer, BROWSER, TestApp, json};

const STORY: &str = "https://news.example.com/story";
/// Larger than any of these pages may be, in bytes.
const SMALL: usize = 5_000;

/// A link of each kind, each with its story in German, but for what is not open.
async fn newsroom() -> TestApp {
    let app = TestApp::start_with(|c| c.newsroom.color = "#0a5c8f".into()).await;
    for code in ["open", "closed", "past", "gone", "back"] {
        let article = json!({ "title": "Ein Titel", "language": "de-AT" });
        let url = format!("{STORY}/{code}");
        app.create(json!({ "url": url, "code": code, "article": article })).await;
    }
    let url = format!("{STORY}/later");
    let article = json!({ "title": "Ein Titel", "language": "de" });
    let not_before = "2090-01-01T00:00:00Z";
    app.create(json!({ "url": url, "code": "later", "article": article, "not_before": not_before })).await;
    app.change("closed", json!({ "disabled": true })).await.expect(200);
    app.change("past", json!({ "expires_at": "2020-01-01T00:00:00Z" })).await.expect(200);
    app.delete("/links/gone").await.expect(204);
    let story = app.link("back").await["article"].clone();
    let body = json!({ "withdrawn": true, "version": story["version"] });
    app.patch(&format!("/articles/{}", story["id"].as_str().unwrap()), &body).await.expect(200);
    app
}

async fn ask(app: &TestApp, code: &str, languages: &str) -> Answer {
    app.follow_with(code, &[("user-agent", BROWSER), ("accept-language", languages)]).await
}

#[tokio::test]
async fn each_page_is_in_the_articles_language_else_in_the_readers() {
    let app = newsroom().await;
    let table = [
        ("open+", 200, "de", "de", "Wohin dieser Link führt"),
        ("closed", 410, "de", "de", "abgeschaltet"),
        ("past", 410, "de", "de", "abgelaufen"),
        ("gone", 410, "de", "de", "nicht mehr in Gebrauch"),
        ("back", 410, "de", "de", "zurückgezogen"),
        // Nothing of its story tells it from a code that nobody has, its language neither.
        ("later", 404, "ar", "en", "Not open yet"),
        ("unknown", 404, "ar", "en", "does not exist"),
        ("later+", 404, "ar", "en", "Not open yet"),
    ];
    for (code, status, arabs, others, says) in table {
        let answer = ask(&app, code, "ar;q=0.9, en;q=0.5").await.expect(status);
        let (text, direction) = (answer.text(), if arabs == "ar" { "rtl" } else { "ltr" });
        assert!(text.contains(&format!("<html lang=\"{arabs}\" dir=\"{direction}\">")), "{code}: {text}");
        let answer = ask(&app, code, "fr").await.expect(status);
        let text = answer.text();
        assert!(text.contains(&format!("<html lang=\"{others}\"")) && text.contains(says), "{code}: {text}");
        assert!(text.len() < SMALL && !text.contains("<script"), "{code}: {}", text.len());
        assert!(text.contains("#0a5c8f"), "{code}: in the newsroom's colour: {text}");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{code}: {policy}");
        assert!(
            !text.contains("src=") && !text.contains("@import") && !text.contains("url("),
            "{code}: {text}"
        );
    }
}

#[tokio::test]
async fn operators_have_words_and_languages_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("words.toml");
    let built_in = include_str!("../../../config/lists/reader-strings.toml");
    let english = built_in.split("[de]").next().unwrap().split("[en]").nth(1).unwrap();
    let words =
        format!("[en]\nhome = \"Back to the Courier\"\n[cy]\n{}", english.replace("This link", "Y ddolen"));
    std::fs::write(&file, words).unwrap();
    let app = TestApp::start_with(|c| {
        c.newsroom.strings_file = file.to_str().unwrap().into();
        c.newsroom.home = "https://courier.example/".into();
    })
    .await;
    let text = ask(&app, "unknown", "en").await.text();
    assert!(text.contains("Back to the Courier") && text.contains("This link does not exist"), "{text}");
    let text = ask(&app, "unknown", "cy-GB, en;q=0.5").await.text();
    assert!(text.contains("lang=\"cy\"") && text.contains("Y ddolen does not exist"), "{text}");
}

#[tokio::test]
async fn a_preview_says_whose_address_it_is_and_counts_nothing() {
    let app = TestApp::start().await;
    let evil = "https://\u{430}\u{440}\u{440}\u{4cf}\u{435}.com/?a=<b>&c=\"d\"";
    app.create(json!({ "url": evil, "code": "evil", "title": "Is it \"<i>safe</i>\"?" })).await;
    let text = app.follow("evil+").await.expect(200).text();
    assert!(text.contains("https://<b>xn--80ak6aa92e.com</b>/?a=%3Cb%3E&#38;c=%22d%22"), "{text}");
    assert!(text.contains("Is it &#34;&#60;i&#62;safe&#60;/i&#62;&#34;?"), "{text}");
    assert_eq!(app.totals("evil").await, (0, 0, 0));
}
