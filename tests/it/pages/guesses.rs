//! "Did you mean": chosen codes, open ones, one slip away.

use crate::harness::{TestApp, eventually, json};

const LATER: &str = "2090-01-01T00:00:00Z";

/// The codes that are named for one that nobody has.
async fn named(app: &TestApp, code: &str) -> Vec<String> {
    let text = app.follow(code).await.expect(404).text();
    let hrefs = text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let base = format!("http://{}/", app.http.address());
    hrefs.filter_map(|href| href.strip_prefix(&base)).map(str::to_owned).collect()
}

/// Waits until a code is named; which ones are then.
async fn until_named(app: &TestApp, asked: &str, code: &str) -> Vec<String> {
    eventually("a code is named", async || {
        Some(named(app, asked).await).filter(|codes| codes.iter().any(|one| one == code))
    })
    .await
}

#[tokio::test]
async fn a_reader_who_got_one_letter_wrong_is_helped() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/1", "code": "Election" })).await;
    assert_eq!(until_named(&app, "electoin", "Election").await, ["Election"]);
    // Again, and in the forms that lead to the same.
    for asked in ["electoin", "ELECTIN", "elections+", "electionn.q", "electiom)."] {
        assert_eq!(named(&app, asked).await, ["Election"], "{asked}");
    }
    for asked in ["elect", "unlike", "electionnnn"] {
        assert!(named(&app, asked).await.is_empty(), "{asked}");
    }
    // What is named is led to.
    app.follow("Election").await.expect(302);
}

#[tokio::test]
async fn only_open_codes_that_somebody_chose_are_named() {
    let app = TestApp::start().await;
    let url = |n: u32| format!("https://news.example.com/{n}");
    let drawn = app.shorten(&url(1)).await;
    app.create(json!({ "url": url(2), "code": "embargo-x", "not_before": LATER })).await;
    app.create(json!({ "url": url(3), "code": "secret-a", "not_before": LATER, "confidential": true })).await;
    app.create(json!({ "code": "reserved", "reserve": true })).await;
    app.create(json!({ "url": url(4), "code": "summit-a" })).await;
    app.create(json!({ "url": url(5), "code": "summit-b" })).await;
    assert_eq!(until_named(&app, "summit-c", "summit-b").await, ["summit-a", "summit-b"]);

    let wrong = format!("{}y", &drawn[..drawn.len() - 1]);
    for asked in [wrong.as_str(), "embargo-y", "secret-b", "reserve", "summit_aa"] {
        let answer = app.follow(asked).await.expect(404);
        assert_eq!(answer.body, app.follow("nothing-like-it").await.body, "{asked}");
    }
    // At once: it is asked itself before it is named.
    app.change("summit-a", json!({ "disabled": true })).await.expect(200);
    assert_eq!(named(&app, "summit-c").await, ["summit-b"]);
    app.change("summit-b", json!({ "not_before": LATER })).await.expect(200);
    assert!(named(&app, "summit-c").await.is_empty());
    app.change("summit-a", json!({ "disabled": false })).await.expect(200);
    assert_eq!(until_named(&app, "summit-c", "summit-a").await, ["summit-a"]);
    // What opens is named.
    app.change("embargo-x", json!({ "not_before": null })).await.expect(200);
    assert_eq!(until_named(&app, "embargo-y", "embargo-x").await, ["embargo-x"]);
}

#[tokio::test]
async fn they_are_known_again_after_a_start() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/1", "code": "election" })).await;
    let (dir, key) = app.stop().await;
    let app = TestApp::start_in(dir, Some(key), |_| {}).await;
    assert_eq!(until_named(&app, "electoin", "election").await, ["election"]);
    // A guess is no redirect: the slip is an orphan all the same.
    let orphans = eventually("the orphan is told", async || {
        let orphans = app.get("/reports/orphans").await.expect(200).json();
        orphans.to_string().contains("electoin").then_some(orphans)
    })
    .await;
    assert!(!orphans.to_string().contains("\"election\""), "{orphans}");
}
