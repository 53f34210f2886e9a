//! Parameters that are refused, and calls that are not there.

use http::Method;

use crate::harness::{TestApp, json};

/// (path, code, field)
type Refused<'a> = (&'a str, &'a str, &'a str);

async fn all_are_refused(table: &[Refused<'_>]) {
    let app = TestApp::start().await;
    for (path, code, field) in table {
        let answer = app.get(path).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (422, Some(*code)), "{path}");
        answer.expect_problem(422, code, Some(field));
    }
}

#[tokio::test]
async fn parameters() {
    all_are_refused(&[
        ("/links?limit=0", "out_of_range", "limit"),
        ("/links?limit=201", "out_of_range", "limit"),
        ("/links?limit=-1", "out_of_range", "limit"),
        ("/links?limit=99999999999999999999", "out_of_range", "limit"),
        ("/links?limit=many", "wrong_type", "limit"),
        ("/links?limit=1.5", "wrong_type", "limit"),
        ("/links?sort=hits", "invalid_value", "sort"),
        ("/links?status=open", "invalid_value", "status"),
        ("/links?via=pigeon", "invalid_value", "via"),
        ("/links?from=yesterday", "invalid_value", "from"),
        ("/links?from=2026-02-30", "invalid_value", "from"),
        ("/links?autor=Ada", "unknown_field", "autor"),
        ("/links?limit=1&limit=2", "invalid_value", "limit"),
        ("/audit?limit=0", "out_of_range", "limit"),
        ("/audit?who=me", "unknown_field", "who"),
    ])
    .await;
}

#[tokio::test]
async fn parameters_of_reports() {
    all_are_refused(&[
        ("/reports/summary?scope=nothing", "invalid_value", "scope"),
        ("/reports/summary?scope=link:", "invalid_value", "scope"),
        ("/reports/summary?scope=planet:Earth", "invalid_value", "scope"),
        ("/reports/summary?from=yesterday", "invalid_value", "from"),
        ("/reports/summary?to=2026-11-31", "invalid_value", "to"),
        ("/reports/summary?from=2026-11-02&to=2026-11-01", "out_of_range", "from"),
        ("/reports/summary?from=2026-11-02T00:00:00Z&to=2026-11-02T00:00:00Z", "out_of_range", "from"),
        ("/reports/summary?from=1900-01-01&to=2026-01-01", "out_of_range", "from"),
        ("/reports/summary?compare=mars", "invalid_value", "compare"),
        ("/reports/summary?unit=day", "unknown_field", "unit"),
        ("/reports/series?unit=second", "invalid_value", "unit"),
        ("/reports/series?unit=hour&from=2020-01-01&to=2026-01-01", "out_of_range", "unit"),
        ("/reports/series?unit=day&from=1990-01-01&to=2026-01-01", "out_of_range", "unit"),
        ("/reports/series?unit=minute&from=2020-01-01&to=2020-01-01", "out_of_range", "from"),
        ("/reports/series?unit=minute&scope=section:World", "out_of_range", "unit"),
        ("/reports/series?unit=minute&scope=channel:x", "out_of_range", "unit"),
        ("/reports/series?unit=minute&scope=tag:x", "out_of_range", "unit"),
        ("/reports/top", "missing", "by"),
        ("/reports/top?by=moon", "invalid_value", "by"),
        ("/reports/top?by=link&limit=0", "out_of_range", "limit"),
        ("/reports/top?by=link&limit=1001", "out_of_range", "limit"),
        ("/reports/top?by=link&class=people", "invalid_value", "class"),
        ("/reports/top?by=link&limit=1000000", "out_of_range", "limit"),
        ("/reports/top?by=link&bye=1", "unknown_field", "bye"),
        ("/reports/heat?scope=planet:Earth", "invalid_value", "scope"),
        ("/reports/heat?unit=day", "unknown_field", "unit"),
        ("/reports/heat?compare=year", "unknown_field", "compare"),
        ("/reports/heat?from=2026-11-02&to=2026-11-01", "out_of_range", "from"),
        ("/reports/heat?from=1826-11-02&to=2026-11-01", "out_of_range", "from"),
        ("/reports/orphans?limit=0", "out_of_range", "limit"),
        ("/reports/orphans?limit=1000000", "out_of_range", "limit"),
        ("/reports/orphans?limit=ten", "wrong_type", "limit"),
        ("/reports/orphans?scope=site", "unknown_field", "scope"),
        ("/reports/curve", "missing", "article"),
        ("/reports/curve?article=", "missing", "article"),
        ("/reports/curve?article=a1&scope=site", "unknown_field", "scope"),
        ("/reports/curve?article=a1&compare=year", "unknown_field", "compare"),
        ("/reports/summary?from=1826-11-02&to=2026-11-01", "out_of_range", "from"),
        ("/reports/summary?timezone=Mars/Olympus", "unknown_field", "timezone"),
    ])
    .await;
}

#[tokio::test]
async fn why_a_link_was_not_clicked() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "aa" })).await;
    let table = [
        ("from=2026-11-02&to=2026-11-01", "out_of_range", "from"),
        ("from=1826-11-02&to=2026-11-01", "out_of_range", "from"),
        ("from=yesterday", "invalid_value", "from"),
        ("limit=5", "unknown_field", "limit"),
    ];
    for (query, code, field) in table {
        app.get(&format!("/links/aa/reasons?{query}")).await.expect_problem(422, code, Some(field));
    }
}

#[tokio::test]
async fn what_is_not_there() {
    let app = TestApp::start().await;
    for path in [
        "/links/nowhere",
        "/links/nowhere/reasons",
        "/links/nowhere/reasons.csv",
        "/links/a%20b/reasons",
        "/reports/curve?article=anobody",
        "/reports/curve.csv?article=anobody",
        "/links/a%20b",
        "/links/%00",
        "/links/%ff",
        "/links/a/b",
        "/nothing",
        "",
        "/links/",
    ] {
        app.get(path).await.expect_problem(404, "not_found", None);
    }
    for scope in ["link:nowhere", "article:anobody"] {
        app.get(&format!("/reports/summary?scope={scope}")).await.expect_problem(404, "not_found", None);
    }
}

#[tokio::test]
async fn other_methods() {
    let app = TestApp::start().await;
    let table = [
        (Method::PUT, "/links", "GET POST"),
        (Method::DELETE, "/links", "GET POST"),
        (Method::GET, "/links/batch", "POST"),
        (Method::POST, "/links/nowhere", "GET PATCH DELETE"),
        (Method::POST, "/reports/summary", "GET"),
        (Method::PATCH, "/keys", "GET POST"),
    ];
    for (method, path, allowed) in table {
        let answer = app.call(method, path).json(&json!({})).send().await;
        answer.expect_problem(405, "method_not_allowed", None);
        for one in allowed.split(' ') {
            assert!(answer.header("allow").contains(one), "{path}: {}", answer.header("allow"));
        }
    }
}

#[tokio::test]
async fn every_error_has_a_page_that_explains_it() {
    let app = TestApp::start().await;
    let contract = "bad_json unauthenticated forbidden host_not_allowed not_found unknown_article \
        method_not_allowed code_taken stale conflict in_progress withdrawn too_large unsupported_type unknown_field \
        missing wrong_type invalid_value key_reused invalid_url own_host denied_host code_invalid code_reserved \
        out_of_range bad_cursor too_wide rate_limited store_unavailable";
    for code in contract.split_whitespace() {
        let page = app.http.get(&format!("/errors/{code}")).await.expect(200).text();
        assert!(page.starts_with(code), "{page}");
    }
    app.http.get("/errors/nonsense").await.expect_problem(404, "not_found", None);
}

#[tokio::test]
async fn nothing_of_the_inside_is_shown() {
    let app = TestApp::start().await;
    let answers = [
        app.get("/links/nowhere").await,
        app.post("/links", &json!({ "url": 5 })).await,
        app.call(Method::POST, "/links").text("application/json", "{").send().await,
        app.get("/links?q=%27%22%3B--&sort=%27").await,
        app.get("/links?cursor=%27").await,
    ];
    for answer in answers {
        let text = answer.text().to_lowercase();
        for inside in ["sqlite", "rusqlite", "serde", "panicked", ".rs", "select ", "src/"] {
            assert!(!text.contains(inside), "{text}");
        }
    }
}
