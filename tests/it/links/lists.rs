//! Lists: filters, orders, pages that are complete and never overlap.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::harness::{TestApp, Value, json};

fn codes(items: &[Value]) -> Vec<String> {
    items.iter().map(|l| l["code"].as_str().unwrap().to_owned()).collect()
}

/// Five links that differ in everything a list can be filtered by.
async fn five(app: &TestApp) {
    let news = |path: &str| format!("https://news.example.com/{path}");
    let article =
        |section: &str, authors: &[&str]| json!({ "section": section, "authors": authors, "title": "Story" });
    for body in [
        json!({ "url": news("a"), "code": "aa", "channel": "x", "campaign": "spring", "tags": ["red", "blue"],
            "article": article("World", &["Ada", "Grace"]) }),
        json!({ "url": news("b"), "code": "bb", "channel": "print", "tags": ["red"], "note": "ask 100%_sure Grete",
            "article": article("World", &["Grace"]) }),
        json!({ "url": news("c"), "code": "cc", "channel": "x", "title": "Zürich votes", "article": article("Sport", &[]) }),
        json!({ "url": news("d"), "code": "dd", "not_before": "2090-01-01T00:00:00Z" }),
        json!({ "reserve": true, "code": "ee" }),
    ] {
        app.create(body).await;
    }
    app.change("bb", json!({ "disabled": true })).await.expect(200);
    app.change("cc", json!({ "expires_at": "2020-01-01T00:00:00Z" })).await.expect(200);
}

#[tokio::test]
async fn filters() {
    let app = TestApp::start().await;
    five(&app).await;
    let creator = format!("created_by=key:{}", app.key_id());
    let table: &[(&str, &[&str])] = &[
        ("", &["aa", "bb", "cc", "dd", "ee"]),
        ("section=World", &["aa", "bb"]),
        ("section=world", &[]),
        ("author=Grace", &["aa", "bb"]),
        ("author=Ada", &["aa"]),
        ("channel=x", &["aa", "cc"]),
        ("campaign=spring", &["aa"]),
        ("tag=red", &["aa", "bb"]),
        ("tag=blue&channel=x", &["aa"]),
        ("tag=blue&channel=print", &[]),
        (&creator, &["aa", "bb", "cc", "dd", "ee"]),
        ("created_by=key:nobody", &[]),
        ("via=api", &["aa", "bb", "cc", "dd", "ee"]),
        ("via=import", &[]),
        ("status=active", &["aa"]),
        ("status=disabled", &["bb"]),
        ("status=expired", &["cc"]),
        ("status=scheduled", &["dd"]),
        ("status=reserved", &["ee"]),
        ("status=retired", &[]),
        ("q=z%C3%BCrich", &["cc"]),
        ("q=GRETE", &["bb"]),
        ("q=100%25_sure", &["bb"]),
        ("q=0%25sure", &[]),
        ("q=a%25a", &[]),
        ("q=example.com/d", &["dd"]),
        ("q=EE", &["ee"]),
        ("from=2020-01-01", &["aa", "bb", "cc", "dd", "ee"]),
        ("to=2020-01-01", &[]),
        ("from=2020-01-01T00:00:00Z&to=2090-01-01", &["aa", "bb", "cc", "dd", "ee"]),
    ];
    for (filter, expected) in table {
        let found = app.all(&format!("/links?sort=code&{filter}")).await;
        assert_eq!(codes(&found), *expected, "{filter}");
    }
    app.delete("/links/dd").await.expect(204);
    assert_eq!(codes(&app.all("/links?status=retired").await), ["dd"]);
    assert_eq!(codes(&app.all("/links?status=scheduled").await), Vec::<String>::new());
}

#[tokio::test]
async fn every_order_is_complete_page_by_page() {
    let app = TestApp::start().await;
    let titles = ["b", "a", "", "c", "b", "Ä", "a"];
    let links: Vec<Value> = (0..60)
        .map(|i| json!({ "url": format!("https://news.example.com/{i}"), "title": titles[i % titles.len()] }))
        .collect();
    let made = app.post("/links/batch", &json!({ "links": links })).await.expect(200).json();
    for i in [3, 50, 20] {
        let code = made["results"][i]["link"]["code"].as_str().unwrap();
        app.change(code, json!({ "note": "touched" })).await.expect(200);
    }
    for (sort, field) in
        [("created", "created_at"), ("updated", "updated_at"), ("code", "code"), ("title", "title")]
    {
        let ascending = app.all(&format!("/links?sort={sort}&limit=7")).await;
        let descending = app.all(&format!("/links?sort=-{sort}&limit=200")).await;
        assert_eq!(ascending.len(), 60, "{sort}");
        assert_eq!(codes(&ascending).iter().collect::<HashSet<_>>().len(), 60, "{sort}: each once");
        let backwards: Vec<String> = codes(&descending).into_iter().rev().collect();
        assert_eq!(codes(&ascending), backwards, "{sort}");
        let keys = ascending.iter().map(|l| l[field].as_str().unwrap_or_default());
        match field {
            // Without a title of its own a link is sorted by its article's, if that has one; see below.
            "title" => {}
            "code" => assert!(keys.is_sorted(), "{sort}"),
            _ => assert!(keys.map(|k| k.parse::<Timestamp>().unwrap()).is_sorted(), "{sort}"),
        }
    }
    let latest = app.get("/links?sort=-updated&limit=3").await.expect(200).json();
    assert!(latest["items"].as_array().unwrap().iter().all(|l| l["note"] == "touched"));
    assert_eq!(codes(&app.all("/links").await), codes(&app.all("/links?sort=-created").await), "the default");
}

#[tokio::test]
async fn titles_are_in_order() {
    let app = TestApp::start().await;
    for (i, title) in ["m", "b", "z", "a"].iter().enumerate() {
        app.create(json!({ "url": format!("https://news.example.com/{i}"), "title": title })).await;
    }
    let by_title = app.all("/links?sort=title&limit=1").await;
    let titles: Vec<&str> = by_title.iter().map(|l| l["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["a", "b", "m", "z"]);
}

#[tokio::test]
async fn links_made_meanwhile_disturb_no_page() {
    let app = TestApp::start().await;
    for i in 0..20 {
        app.shorten(&format!("https://news.example.com/{i}")).await;
    }
    let before: HashSet<String> = codes(&app.all("/links").await).into_iter().collect();
    let (mut seen, mut path) = (vec![], "/links?limit=5".to_owned());
    loop {
        let page = app.get(&path).await.expect(200).json();
        seen.extend(codes(page["items"].as_array().unwrap()));
        app.shorten(&format!("https://news.example.com/later/{}", seen.len())).await;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/links?limit=5&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 20);
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), before);
}

#[tokio::test]
async fn a_cursor_is_bound_to_its_list() {
    let app = TestApp::start().await;
    for i in 0..3 {
        app.create(json!({ "url": format!("https://news.example.com/{i}"), "channel": "x" })).await;
    }
    let page = app.get("/links?limit=1&channel=x").await.expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    app.get(&format!("/links?limit=2&channel=x&cursor={cursor}")).await.expect(200);
    let cut = &cursor[..cursor.len() - 2];
    let table = [
        format!("/links?cursor={cursor}"),
        format!("/links?channel=y&cursor={cursor}"),
        format!("/links?channel=x&sort=code&cursor={cursor}"),
        format!("/links?channel=x&cursor={cut}"),
        "/links?channel=x&cursor=AAAA".to_owned(),
        "/links?channel=x&cursor=%00".to_owned(),
        format!("/audit?cursor={cursor}"),
    ];
    for path in table {
        app.get(&path).await.expect_problem(422, "bad_cursor", Some("cursor"));
    }
}
