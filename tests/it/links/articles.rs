//! Stories: what links are about, under each of their addresses.

use crate::harness::{TestApp, json};

async fn newsroom() -> TestApp {
    TestApp::start_with(|c| c.articles.allowed_hosts = vec!["news.example.com".into()]).await
}

#[tokio::test]
async fn a_story_is_found_by_its_address_its_cms_id_and_its_own_id() {
    let app = newsroom().await;
    let facts = json!({ "title": "The story", "section": "World", "authors": ["Ada", "Grace"],
        "published_at": "2026-11-01T08:00:00Z", "image": "https://news.example.com/i.jpg", "language": "en-GB" });
    let link = app
        .create(json!({ "url": "https://news.example.com/a?utm_source=x#top", "cms_id": "4711", "article": facts }))
        .await;
    let article = &link["article"];
    for (field, value) in facts.as_object().unwrap() {
        assert_eq!(&article[field], value, "{field}");
    }
    assert_eq!((&article["url"], &article["cms_id"]), (&json!("https://news.example.com/a"), &json!("4711")));
    assert_eq!(article["site"], "news.example.com");
    let id = article["id"].as_str().unwrap();
    let paths = [
        format!("/articles/{id}"),
        "/articles?cms_id=4711".to_owned(),
        "/articles?url=https%3A%2F%2Fnews.example.com%2Fa".to_owned(),
        "/articles?url=https%3A%2F%2FNEWS.example.com%2Fa%3Ffbclid%3D1".to_owned(),
    ];
    for path in paths {
        let found = app.get(&path).await.expect(200).json();
        assert_eq!(found["id"], id, "{path}");
        assert_eq!(found["links"][0]["code"], link["code"], "{path}");
    }
}

#[tokio::test]
async fn one_cms_id_is_one_story() {
    let app = newsroom().await;
    let first = app.create(json!({ "url": "https://news.example.com/a", "cms_id": "1" })).await;
    let second =
        app.post("/links", &json!({ "url": "https://news.example.com/b", "cms_id": "1" })).await.json();
    assert_eq!(second["article"]["id"], first["article"]["id"]);
    let by_url = app.get("/articles?url=https%3A%2F%2Fnews.example.com%2Fa").await.expect(200).json();
    assert_eq!(by_url["id"], first["article"]["id"]);
    let other = app.create(json!({ "url": "https://news.example.com/c", "cms_id": "2" })).await;
    assert_ne!(other["article"]["id"], first["article"]["id"]);
}

#[tokio::test]
async fn unknown_stories() {
    let app = newsroom().await;
    let unknown =
        ["/articles/anobody", "/articles?cms_id=none", "/articles?url=https%3A%2F%2Fnews.example.com%2Fnone"];
    for path in unknown {
        app.get(path).await.expect_problem(404, "unknown_article", None);
    }
    app.get("/articles").await.expect_problem(422, "missing", Some("url"));
    app.get("/articles?url=nonsense").await.expect_problem(422, "invalid_url", Some("url"));
}

#[tokio::test]
async fn what_becomes_of_an_address() {
    let app = newsroom().await;
    // (pasted, keep_params, target, dropped)
    let table = [
        (
            "https://News.Example.com:443/a?id=1&utm_source=x&fbclid=2#b",
            false,
            "https://news.example.com/a?id=1#b",
            "utm_source fbclid",
        ),
        ("https://news.example.com/b?utm_medium=x", false, "https://news.example.com/b", "utm_medium"),
        ("https://news.example.com/c?utm_medium=x", true, "https://news.example.com/c?utm_medium=x", ""),
        ("https://news.example.com/d?z=1&a=2&z=3", false, "https://news.example.com/d?z=1&a=2&z=3", ""),
        (
            "https://other.example/e?utm_medium=x&fbclid=1#f",
            false,
            "https://other.example/e?utm_medium=x&fbclid=1#f",
            "",
        ),
        ("https://bücher.example/ä", false, "https://xn--bcher-kva.example/%C3%A4", ""),
    ];
    for (pasted, keep, target, dropped) in table {
        let link = app.create(json!({ "url": pasted, "keep_params": keep })).await;
        assert_eq!(link["target"], target, "{pasted}");
        assert_eq!(link["dropped"], json!(dropped.split_whitespace().collect::<Vec<_>>()), "{pasted}");
        assert_eq!(app.follow(link["code"].as_str().unwrap()).await.expect(302).location(), target);
    }
    // Spellings of one story are one link.
    let spelt =
        app.post("/links", &json!({ "url": "https://news.example.com/b?utm_source=y&gclid=1" })).await;
    assert_eq!(spelt.expect(200).json()["dropped"], json!(["utm_source", "gclid"]));
}

#[tokio::test]
async fn section_and_authors_are_in_reports() {
    let app = newsroom().await;
    let facts = json!({ "section": "World", "authors": ["Ada", "Grace"] });
    let link = app.create(json!({ "url": "https://news.example.com/a", "article": facts })).await;
    let plain = app.shorten("https://news.example.com/b").await;
    app.follow_times(link["code"].as_str().unwrap(), 3).await;
    app.follow_times(&plain, 2).await;
    app.settle().await;
    for scope in ["section:World", "author:Ada", "author:Grace"] {
        assert_eq!(app.report(&format!("summary?scope={scope}")).await["clicks"], 3, "{scope}");
    }
    let top = app.report("top?by=section").await;
    assert_eq!((&top["rows"][0]["value"], &top["rows"][0]["clicks"]), (&json!("World"), &json!(3)));
    assert_eq!(top["other"]["clicks"], 2);
    let authors = app.report("top?by=author&scope=section:World").await;
    let rows = authors["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "a shared story counts for each: {authors}");
    assert!(rows.iter().all(|r| r["clicks"] == 3), "{authors}");
}
