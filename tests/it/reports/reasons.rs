//! Why was this not counted as a reader?

use http::Method;

use crate::harness::{CURL, TestApp, json};

#[tokio::test]
async fn every_hit_that_was_no_click_has_a_reason() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "aa" })).await;
    app.follow_times("aa", 4).await;
    let googlebot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    for agent in [CURL, CURL, CURL, googlebot, googlebot] {
        app.follow_with("aa", &[("user-agent", agent)]).await.expect(302);
    }
    app.http.call(Method::HEAD, "/aa").header("user-agent", CURL).send().await.expect(302);
    app.change("aa", json!({ "disabled": true })).await.expect(200);
    for _ in 0..6 {
        app.follow("aa").await.expect(410);
    }
    app.settle().await;
    let report = app.get("/links/AA/reasons").await.expect(200).json();
    assert_eq!(
        (&report["code"], &report["clicks"], &report["waiting"]),
        (&json!("aa"), &json!(4), &json!(0))
    );
    let rows = report["reasons"].as_array().unwrap();
    let of = |class: &str| -> u64 {
        rows.iter().filter(|row| row["class"] == class).map(|row| row["count"].as_u64().unwrap()).sum()
    };
    assert_eq!((of("preview"), of("bot"), of("missed")), (1, 5, 6), "{report}");
    let counts: Vec<u64> = rows.iter().map(|row| row["count"].as_u64().unwrap()).collect();
    assert!(counts.windows(2).all(|two| two[0] >= two[1]), "{report}");
    assert_eq!((&rows[0]["reason"], &rows[0]["name"]), (&json!("disabled"), &json!(null)));
    assert!(rows.iter().any(|row| row["name"] == "Googlebot" && row["count"] == 2), "{report}");
    for row in rows {
        assert!(row["explanation"].as_str().unwrap().ends_with('.'), "{row}");
    }
    let earlier = app.get("/links/aa/reasons?from=2020-01-01&to=2020-01-02").await.expect(200).json();
    assert_eq!((&earlier["clicks"], &earlier["reasons"]), (&json!(0), &json!([])));
    let csv = app.get("/links/aa/reasons.csv").await.expect(200);
    assert!(csv.header("content-type").starts_with("text/csv"));
    let text = csv.text();
    let lines: Vec<&str> = text.trim_end().split("\r\n").collect();
    assert_eq!((lines[0], lines.len()), ("\u{feff}class,reason,name,count,explanation", rows.len() + 1));
    assert!(lines[1].starts_with("missed,disabled,,6,"), "{text}");
}
