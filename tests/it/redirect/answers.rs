//! The redirect itself, its headers, its methods, and the small files beside it.

use http::Method;

use crate::harness::{BROWSER, TestApp, json};

#[tokio::test]
async fn each_status_with_its_headers() {
    let app = TestApp::start().await;
    let table = [
        (301, "private, max-age=3600"),
        (302, "private, no-store"),
        (307, "private, no-store"),
        (308, "private, max-age=3600"),
    ];
    for (status, cache) in table {
        let target = format!("https://news.example.com/{status}?a=%20b&c=%C3%A4#part-2");
        let link = app.create(json!({ "url": target, "redirect_status": status })).await;
        for method in [Method::GET, Method::HEAD] {
            let path = format!("/{}", link["code"].as_str().unwrap());
            let answer = app.http.call(method, &path).header("user-agent", BROWSER).send().await;
            assert_eq!(answer.status, status);
            assert_eq!((answer.location(), answer.header("cache-control")), (&*target, cache));
            for cookie in ["set-cookie", "etag", "x-powered-by"] {
                assert_eq!(answer.header(cookie), "", "{cookie}");
            }
        }
    }
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH, Method::TRACE] {
        for path in [format!("/{code}"), "/unknown".to_owned()] {
            let answer = app.http.call(method.clone(), &path).send().await.expect(405);
            let allow = answer.header("allow");
            assert!(allow.contains("GET") && allow.contains("HEAD"), "{method}: {allow}");
            assert_eq!(answer.location(), "");
        }
    }
    assert_eq!(app.totals(&code).await, (0, 0, 0), "none of it is a hit");
}

#[tokio::test]
async fn the_preview_page_shows_where_it_leads_and_counts_nothing() {
    let app = TestApp::start().await;
    let body = json!({ "url": "https://news.example.com/a?b=1&c=2", "title": "A <script>title</script>" });
    let link = app.create(body).await;
    let code = link["code"].as_str().unwrap();
    for path in [format!("{code}+"), format!("{code}.q+"), format!("{code}+/"), format!("{code}%2B")] {
        let page = app.follow(&path).await.expect(200);
        assert_eq!((page.location(), page.header("x-robots-tag")), ("", "noindex"), "{path}");
        assert!(page.header("cache-control").contains("no-store"));
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
        let text = page.text();
        assert!(
            text.contains("https://news.example.com/a?b=1&#38;c=2")
                || text.contains("https://news.example.com/a?b=1&amp;c=2"),
            "{text}"
        );
        assert!(!text.contains("<script"), "{text}");
    }
    app.settle().await;
    assert_eq!(app.totals(code).await, (0, 0, 0));
    let missed = app.report("summary").await["missed"].clone();
    assert!(missed.as_object().unwrap().values().all(|n| n == 0), "{missed}");
}

#[tokio::test]
async fn the_small_files() {
    let app = TestApp::start().await;
    let robots = app.http.get("/robots.txt").await.expect(200).text();
    assert!(robots.contains("Disallow: /-/\n") && robots.contains("Disallow: /api/\n"), "{robots}");
    assert!(!robots.contains("Disallow: /\n"), "robots may fetch codes: {robots}");
    assert!(app.http.get("/favicon.ico").await.expect(200).header("content-type").starts_with("image/"));
    assert_eq!(app.http.get("/").await.expect(302).location(), "/-/");
    assert_eq!(app.http.get("/-/").await.expect(303).location(), "/-/login");
    app.http.get("/.well-known/security.txt").await.expect(404);

    let app = TestApp::start_with(|c| {
        c.newsroom.home = "https://news.example.com/".into();
        c.newsroom.security_contact = "mailto:security@example.com".into();
    })
    .await;
    assert_eq!(app.http.get("/").await.expect(302).location(), "https://news.example.com/");
    let text = app.http.get("/.well-known/security.txt").await.expect(200).text();
    assert!(
        text.contains("Contact: mailto:security@example.com\n") && text.contains("\nExpires: "),
        "{text}"
    );
}

#[tokio::test]
async fn what_a_route_has_and_no_page_is_not_found() {
    let app = TestApp::start().await;
    for path in
        ["/-/nothing", "/api", "/api/v2/links", "/api/v1/nothing", "/.well-known/nothing", "/robots.txt/a"]
    {
        let answer = app.http.get(path).await.expect(404);
        assert_eq!(answer.location(), "", "{path}");
    }
}
