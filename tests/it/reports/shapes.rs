//! What each report looks like, and how fresh it says it is.

use http::Method;
use jiff::Timestamp;

use crate::harness::{CURL, TestApp, Value, json};

fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// One link with 5 clicks, 2 previews and 3 bots, all counted.
async fn counted(app: &TestApp) -> String {
    let code = app.create(json!({ "url": "https://news.example.com/a", "channel": "x" })).await;
    let code = code["code"].as_str().unwrap().to_owned();
    app.follow_times(&code, 5).await;
    for _ in 0..2 {
        app.http.call(Method::HEAD, &format!("/{code}")).send().await.expect(302);
    }
    for _ in 0..3 {
        app.follow_with(&code, &[("user-agent", CURL)]).await.expect(302);
    }
    app.settle().await;
    code
}

#[tokio::test]
async fn summary() {
    let app = TestApp::start().await;
    let code = counted(&app).await;
    for scope in ["site".to_owned(), format!("link:{code}")] {
        let report = app.report(&format!("summary?scope={scope}")).await;
        assert_eq!(report["scope"], scope);
        assert_eq!(
            (&report["clicks"], &report["previews"], &report["bots"]),
            (&json!(5), &json!(2), &json!(3))
        );
        assert_eq!(names(&report["missed"]), ["disabled", "expired", "not_open", "retired", "withdrawn"]);
        assert_eq!(report["waiting"], 0);
        for time in ["from", "to", "as_of"] {
            report[time].as_str().unwrap().parse::<Timestamp>().unwrap();
        }
    }
    assert_eq!(app.report("summary").await["scope"], "site", "the default");
}

#[tokio::test]
async fn what_is_not_derived_is_not_shown_as_zero() {
    let app = TestApp::start().await;
    let code = counted(&app).await;
    // A zero would be a number, and a wrong one: five people came.
    let summary = app.report("summary").await;
    let covered = summary["unique_coverage"].as_f64().unwrap() > 0.0;
    assert_eq!(summary["uniques"].as_u64().unwrap() > 0, covered, "{summary}");
    assert_eq!(app.link(&code).await["totals"]["uniques"], summary["uniques"]);
    for by in ["source", "medium", "referrer", "country", "device", "os", "browser"] {
        let answer = app.get(&format!("/reports/top?by={by}")).await;
        if answer.status != 200 {
            answer.expect_problem(422, "invalid_value", Some("by"));
            continue;
        }
        let report = answer.json();
        let rows: u64 =
            report["rows"].as_array().unwrap().iter().map(|r| r["clicks"].as_u64().unwrap()).sum();
        assert_eq!(rows + report["other"]["clicks"].as_u64().unwrap(), 5, "{report}");
    }
}

#[tokio::test]
async fn series() {
    let app = TestApp::start().await;
    let code = counted(&app).await;
    for unit in ["minute", "hour", "day", "week", "month"] {
        let range = if unit == "minute" { "&from=2000-01-01T00:00:00Z".to_owned() } else { String::new() };
        let range = range.replace(
            "2000-01-01T00:00:00Z",
            &(Timestamp::now() - jiff::SignedDuration::from_hours(2)).to_string(),
        );
        let report = app.report(&format!("series?scope=link:{code}&unit={unit}{range}")).await;
        assert_eq!((&report["unit"], &report["waiting"]), (&json!(unit), &json!(0)));
        let buckets = report["buckets"].as_array().unwrap();
        let sum = |class: &str| buckets.iter().map(|b| b[class].as_u64().unwrap()).sum::<u64>();
        assert_eq!((sum("clicks"), sum("previews"), sum("bots")), (5, 2, 3), "{unit}");
        let starts: Vec<Timestamp> =
            buckets.iter().map(|b| b["start"].as_str().unwrap().parse().unwrap()).collect();
        assert!(starts.windows(2).all(|w| w[0] < w[1]), "{unit}: {starts:?}");
        assert_eq!(report["from"].as_str().unwrap().parse::<Timestamp>().unwrap(), starts[0], "{unit}");
        let to: Timestamp = report["to"].as_str().unwrap().parse().unwrap();
        assert!(to > *starts.last().unwrap(), "{unit}");
    }
    assert_eq!(app.report("series").await["unit"], "day", "the default");
}

#[tokio::test]
async fn top() {
    let app = TestApp::start().await;
    let code = counted(&app).await;
    let report = app.report("top?by=link").await;
    assert_eq!(report["by"], "link");
    let expected = json!([{ "value": code, "label": "https://news.example.com/a", "clicks": 5, "previews": 2, "bots": 3 }]);
    assert_eq!(report["rows"], expected);
    assert_eq!(report["other"], json!({ "clicks": 0, "previews": 0, "bots": 0 }));
}

#[tokio::test]
async fn the_same_numbers_are_the_same_answer() {
    let app = TestApp::start().await;
    let code = counted(&app).await;
    let paths = [
        "/reports/summary",
        "/reports/series",
        "/reports/top?by=link",
        "/reports/heat",
        "/reports/orphans",
        &format!("/links/{code}/reasons"),
        &format!("/links/{code}/reasons.csv"),
        "/reports/summary.csv",
        "/reports/series.csv",
        "/reports/top.csv?by=link",
        "/reports/heat.csv",
    ];
    for path in paths {
        let first = app.get(path).await.expect(200);
        let tag = first.header("etag").to_owned();
        assert!(tag.ends_with('"') && tag.len() > 4, "{path}: {tag}");
        let same = app.call(Method::GET, path).header("if-none-match", &tag).send().await.expect(304);
        assert_eq!((same.header("etag"), same.body.len()), (&*tag, 0), "{path}");
        let listed = format!("\"other\", {tag}");
        app.call(Method::GET, path).header("if-none-match", &listed).send().await.expect(304);
        app.call(Method::GET, path).header("if-none-match", "\"other\"").send().await.expect(200);
    }
    let tag = app.get(paths[0]).await.header("etag").to_owned();
    app.follow(&code).await.expect(302);
    app.settle().await;
    let changed = app.call(Method::GET, paths[0]).header("if-none-match", &tag).send().await.expect(200);
    assert_eq!(changed.json()["clicks"], 6);
}

#[tokio::test]
async fn hits_that_wait_are_told() {
    let slow = std::time::Duration::from_secs(5);
    let app = TestApp::start_with(|c| {
        c.hits.apply_interval = slugline::units::Span(slow);
        c.hits.watch_for = slugline::units::Span(std::time::Duration::ZERO);
    })
    .await;
    let code = app.shorten("https://news.example.com/a").await;
    app.follow_times(&code, 10).await;
    let report = app.report("summary").await;
    let waiting = report["waiting"].as_u64().unwrap();
    assert_eq!(waiting + report["clicks"].as_u64().unwrap(), 10, "every hit is counted or waits: {report}");
}

#[tokio::test]
async fn as_of_is_never_before_the_server_began() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    let (mut dir, mut key) = app.stop().await;
    for start in 0..20 {
        let before = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap();
        let app = TestApp::start_in(dir, Some(key), |_| {}).await;
        for _ in 0..3 {
            app.follow(&code).await.expect(302);
            let report = app.report("summary").await;
            let as_of: Timestamp = report["as_of"].as_str().unwrap().parse().unwrap();
            assert!(as_of >= before, "start {start}, as of {as_of}: {report}");
            let ready = app.ops.get("/readyz").await.expect(200).json();
            assert_eq!(ready["status"], "ready", "{ready}");
        }
        (dir, key) = app.stop().await;
    }
}
