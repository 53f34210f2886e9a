//! A visit's own query: dropped, or handed on.

use crate::harness::{TestApp, json};

#[tokio::test]
async fn the_query_is_handed_on_only_if_the_link_says_so() {
    let app = TestApp::start().await;
    let base = "https://news.example.com";
    // (target, asked with, leads to)
    let table = [
        ("/a", "x=1", "/a?x=1"),
        ("/b#part", "x=1", "/b?x=1#part"),
        ("/c?own=1#part", "x=1&y=2", "/c?own=1&x=1&y=2#part"),
        ("/d?x=own", "x=theirs", "/d?x=own"),
        ("/e?x=own", "x=theirs&y=2&x=again", "/e?x=own&y=2"),
        ("/f?x%20y=own", "x+y=theirs&z=1", "/f?x%20y=own&z=1"),
        ("/g", "", "/g"),
        ("/h", "a=%0d%0aSet-Cookie:%20x=1", "/h?a=%0d%0aSet-Cookie:%20x=1"),
        ("/i", "url=https://elsewhere.example/", "/i?url=https://elsewhere.example/"),
    ];
    for (target, query, leads_to) in table {
        let link = app.create(json!({ "url": format!("{base}{target}"), "forward_query": true })).await;
        let code = link["code"].as_str().unwrap();
        let answer = app.follow(&format!("{code}?{query}")).await.expect(302);
        assert_eq!(answer.location(), format!("{base}{leads_to}"), "{query}");
        assert_eq!(answer.header("set-cookie"), "");
        app.change(code, json!({ "forward_query": false })).await.expect(200);
        let answer = app.follow(&format!("{code}?{query}")).await.expect(302);
        assert_eq!(answer.location(), format!("{base}{target}"), "{query}");
    }
}
