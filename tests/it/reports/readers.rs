//! How many readers: what the answer says of its own number.

use crate::harness::{TestApp, json};

#[tokio::test]
async fn the_number_of_readers_says_what_it_is_worth() {
    let app = TestApp::start().await;
    let link = app.create(json!({ "url": "https://news.example.com/a", "code": "aa" })).await;
    assert_eq!(link["totals"], json!({ "clicks": 0, "uniques": 0, "previews": 0, "bots": 0 }));
    let none = app.report("summary").await;
    assert_eq!((&none["uniques"], &none["unfurls"]), (&json!(0), &json!(0)));
    assert_eq!(none["unique_coverage"].as_f64(), Some(1.0), "without clicks nothing is missing: {none}");
    assert_eq!((&none["unique_too_high"], &none["unique_basis"]), (&json!(false), &json!("sum_of_days")));
    app.follow_times("aa", 5).await;
    app.settle().await;
    for scope in ["site", "link:aa"] {
        let summary = app.report(&format!("summary?scope={scope}&compare=previous")).await;
        let coverage = summary["unique_coverage"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&coverage), "{summary}");
        // One reader from one address with one browser, or one that could not be told from others.
        assert!(summary["uniques"].as_u64().unwrap() <= 1, "{summary}");
        for name in ["uniques", "unfurls", "unique_basis", "unique_coverage", "unique_too_high"] {
            assert!(summary["previous"].get(name).is_some(), "{name}: {summary}");
        }
        let series = app.report(&format!("series?scope={scope}&compare=previous")).await;
        let last = series["buckets"].as_array().unwrap().last().unwrap();
        assert_eq!(
            (&last["uniques"], &last["previous"]["uniques"]),
            (&summary["uniques"], &json!(0)),
            "{series}"
        );
    }
    let day = app.report("summary?from=2026-11-02&to=2026-11-02").await;
    assert_eq!(day["unique_basis"], "day");
    let part = app.report("summary?from=2026-11-02T10:00:00Z&to=2026-11-02T11:00:00Z").await;
    assert_eq!(part["unique_basis"], "day");
    for unit in ["hour", "week", "month"] {
        let series = app.report(&format!("series?unit={unit}")).await;
        assert!(series["buckets"][0].get("uniques").is_none(), "{unit}");
    }
}
