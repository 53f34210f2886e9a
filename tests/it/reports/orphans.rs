//! Codes that nobody has and that were asked for.

use http::Method;
use jiff::Timestamp;

use crate::harness::{BROWSER, TestApp, json};

#[tokio::test]
async fn what_nobody_has_is_counted() {
    let app = TestApp::start().await;
    let none = app.report("orphans").await;
    assert_eq!((&none["rows"], &none["other"], &none["from"]), (&json!([]), &json!(0), &json!(null)));
    let known = app.shorten("https://news.example.com/a").await;
    app.follow_times(&known, 3).await;
    let before = Timestamp::now();
    for (code, times) in [("lost-one", 3), ("Mistyped", 2), ("mistyped.", 2), ("rare.q", 1)] {
        for _ in 0..times {
            app.follow(code).await.expect(404);
        }
    }
    app.http.call(Method::HEAD, "/rare").header("user-agent", BROWSER).send().await.expect(404);
    // To be shown where a code leads is no visit; the rest can be no code.
    for path in ["rare+", "a%20b", "wp-login.php", "%3Cscript%3E", &"x".repeat(65)] {
        app.follow(path).await.expect(404);
    }
    let report = app.report("orphans").await;
    let rows: Vec<_> =
        report["rows"].as_array().unwrap().iter().map(|row| (&row["code"], &row["count"])).collect();
    let expected = [("mistyped", 4), ("lost-one", 3), ("rare", 2)].map(|(c, n)| (json!(c), json!(n)));
    assert_eq!(rows, expected.each_ref().map(|(c, n)| (c, n)), "{report}");
    assert_eq!(report["other"], 0);
    let last: Timestamp = report["rows"][0]["last"].as_str().unwrap().parse().unwrap();
    assert!(last >= before - jiff::SignedDuration::from_secs(1), "{report}");
    let first = app.report("orphans?limit=1").await;
    assert_eq!((first["rows"].as_array().unwrap().len(), &first["other"]), (1, &json!(5)));
    let csv = app.get("/reports/orphans.csv?limit=1").await.expect(200).text();
    let lines: Vec<&str> = csv.trim_end().split("\r\n").collect();
    assert!(lines[1].starts_with("mistyped,4,"), "{csv}");
    assert_eq!((lines.len(), lines[2]), (3, "(other),5,"));
}
