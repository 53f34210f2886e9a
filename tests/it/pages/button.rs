//! The button's file and the manifest, as any page and cache gets them.

use http::Method;

use crate::harness::TestApp;

#[tokio::test]
async fn the_buttons_file_may_be_used_and_kept_by_anybody() {
    let app = TestApp::start().await;
    let answer = app.http.get("/widget.js").await.expect(200);
    let kinds = [
        ("content-type", "text/javascript; charset=utf-8"),
        ("cache-control", "public, max-age=3600"),
        ("access-control-allow-origin", "*"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("x-content-type-options", "nosniff"),
    ];
    for (name, value) in kinds {
        assert_eq!(answer.header(name), value);
    }
    assert!(answer.headers.get("set-cookie").is_none());
    assert!(answer.body.len() <= 4_096, "{}", answer.body.len());
    let tag = answer.header("etag").to_owned();
    let ask = |tags: &str| app.http.call(Method::GET, "/widget.js").header("if-none-match", tags).send();
    for same in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let again = ask(&same).await.expect(304);
        assert!(again.body.is_empty() && again.header("etag") == tag, "{same}");
    }
    ask("\"other\"").await.expect(200);
    app.http.call(Method::POST, "/widget.js").send().await.expect(405);
}

#[tokio::test]
async fn a_phone_may_share_addresses_with_it() {
    let app = TestApp::start_with(|c| c.newsroom.name = "The \"Courier\"".into()).await;
    let answer = app.http.get("/-/manifest.webmanifest").await.expect(200);
    assert_eq!(answer.header("content-type"), "application/manifest+json");
    let manifest = answer.json();
    assert_eq!(manifest["name"], "The \"Courier\": Slugline");
    assert_eq!(manifest["share_target"]["action"], "/-/new");
    assert_eq!(manifest["share_target"]["params"]["url"], "url");
    // Within the address: whoever reads it asks for nothing more.
    assert!(manifest["icons"][0]["src"].as_str().unwrap().starts_with("data:image/svg+xml,"));
}
