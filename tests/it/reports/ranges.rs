//! From when to when: the newsroom's days, rounded outward, compared with the ones before.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::harness::{TestApp, Value, json};

async fn in_zone(zone: &str) -> TestApp {
    let zone = zone.to_owned();
    TestApp::start_with(|c| c.newsroom.timezone = zone).await
}

fn starts(report: &Value) -> Vec<&str> {
    report["buckets"].as_array().unwrap().iter().map(|b| b["start"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn days_begin_at_midnight_of_the_newsroom() {
    let app = in_zone("Europe/Vienna").await;
    let report = app.report("series?unit=day&from=2026-03-28&to=2026-03-30").await;
    assert_eq!(starts(&report), ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]);
    assert_eq!(
        (&report["from"], &report["to"]),
        (&json!("2026-03-27T23:00:00Z"), &json!("2026-03-30T22:00:00Z"))
    );
    // The day on which the clock goes forward has 23 hours, the one on which it goes back has 25.
    for (day, hours) in [("2026-03-29", 23), ("2026-10-25", 25), ("2026-03-30", 24)] {
        let report = app.report(&format!("series?unit=hour&from={day}&to={day}")).await;
        assert_eq!(starts(&report).len(), hours, "{day}");
    }
}

#[tokio::test]
async fn hours_begin_at_full_hours_of_the_newsroom() {
    let app = in_zone("Asia/Kolkata").await;
    let report = app.report("series?unit=hour&from=2026-11-01&to=2026-11-01").await;
    assert_eq!((starts(&report)[0], starts(&report).len()), ("2026-10-31T18:30:00Z", 24));
}

#[tokio::test]
async fn weeks_begin_on_monday_and_months_on_the_first() {
    let app = in_zone("Europe/Vienna").await;
    let weeks = app.report("series?unit=week&from=2026-11-04&to=2026-11-10").await;
    assert_eq!(starts(&weeks), ["2026-11-01T23:00:00Z", "2026-11-08T23:00:00Z"]);
    assert_eq!(weeks["to"], "2026-11-15T23:00:00Z");
    let months = app.report("series?unit=month&from=2026-01-31&to=2026-03-01").await;
    assert_eq!(starts(&months), ["2025-12-31T23:00:00Z", "2026-01-31T23:00:00Z", "2026-02-28T23:00:00Z"]);
}

#[tokio::test]
async fn a_range_is_rounded_outward() {
    let app = in_zone("Europe/Vienna").await;
    let range = "from=2026-11-04T10:20:30Z&to=2026-11-04T11:00:01Z";
    let table = [
        ("summary?", "2026-11-04T10:00:00Z", "2026-11-04T12:00:00Z"),
        ("series?unit=minute&", "", ""),
        ("series?unit=hour&", "2026-11-04T10:00:00Z", "2026-11-04T12:00:00Z"),
        ("series?unit=day&", "2026-11-03T23:00:00Z", "2026-11-04T23:00:00Z"),
        ("top?by=link&", "2026-11-03T23:00:00Z", "2026-11-04T23:00:00Z"),
    ];
    for (call, from, to) in table.into_iter().filter(|(_, from, _)| !from.is_empty()) {
        let report = app.report(&format!("{call}{range}")).await;
        assert_eq!((&report["from"], &report["to"]), (&json!(from), &json!(to)), "{call}");
    }
    let now = Timestamp::now();
    let recent = format!("from={}", now - jiff::SignedDuration::from_secs(90));
    let report = app.report(&format!("series?unit=minute&{recent}")).await;
    assert!(report["from"].as_str().unwrap().ends_with(":00Z"), "{}", report["from"]);
    let from: Timestamp = report["from"].as_str().unwrap().parse().unwrap();
    assert!(from <= now - jiff::SignedDuration::from_secs(90));
}

#[tokio::test]
async fn without_a_range_it_is_the_last_seven_days() {
    let app = in_zone("Europe/Vienna").await;
    let today = || Timestamp::now().to_zoned(TimeZone::get("Europe/Vienna").unwrap()).date();
    let before = today();
    let report = app.report("series").await;
    let zoned = |field: &str| -> Zoned {
        let at: Timestamp = report[field].as_str().unwrap().parse().unwrap();
        at.to_zoned(TimeZone::get("Europe/Vienna").unwrap())
    };
    assert_eq!(starts(&report).len(), 7);
    let last = zoned("to").date().yesterday().unwrap();
    assert!((before..=today()).contains(&last), "today is in it: {last}");
}

#[tokio::test]
async fn todays_hits_are_in_the_newsrooms_today() {
    let app = in_zone("Pacific/Kiritimati").await;
    let zone = TimeZone::get("Pacific/Kiritimati").unwrap();
    let today = || Timestamp::now().to_zoned(zone.clone()).date();
    let code = app.shorten("https://news.example.com/a").await;
    let first = today();
    app.follow_times(&code, 7).await;
    let last = today();
    app.settle().await;
    for call in ["summary?", "summary?scope=site&"] {
        assert_eq!(app.report(&format!("{call}from={first}&to={last}")).await["clicks"], 7, "{call}");
    }
    let yesterday = first.yesterday().unwrap();
    assert_eq!(app.report(&format!("summary?from={yesterday}&to={yesterday}")).await["clicks"], 0);
    let days = app.report(&format!("series?unit=day&from={yesterday}&to={last}")).await;
    assert_eq!(days["buckets"][0]["clicks"], 0);
}

#[tokio::test]
async fn comparisons() {
    let app = in_zone("Europe/Vienna").await;
    let table = [
        ("previous", "2026-11-01T23:00:00Z", "2026-11-04T23:00:00Z"),
        ("weekday", "2026-10-28T23:00:00Z", "2026-10-31T23:00:00Z"),
        ("year", "2025-11-05T23:00:00Z", "2025-11-08T23:00:00Z"),
    ];
    // Thursday to Saturday.
    let range = "from=2026-11-05&to=2026-11-07";
    for (compare, from, to) in table {
        let report = app.report(&format!("summary?compare={compare}&{range}")).await;
        let previous = &report["previous"];
        assert_eq!((&previous["from"], &previous["to"]), (&json!(from), &json!(to)), "{compare}");
        assert_eq!(
            (&previous["clicks"], &previous["missed"]["expired"]),
            (&json!(0), &json!(0)),
            "{compare}"
        );
        let series = app.report(&format!("series?unit=day&compare={compare}&{range}")).await;
        let buckets = series["buckets"].as_array().unwrap();
        assert_eq!((buckets.len(), &buckets[0]["previous"]["start"]), (3, &json!(from)), "{compare}");
    }
    let code = app.shorten("https://news.example.com/a").await;
    app.follow_times(&code, 2).await;
    app.settle().await;
    let top = app.report("top?by=link&compare=previous").await;
    assert_eq!(top["rows"][0]["previous"], json!({ "clicks": 0, "previews": 0, "bots": 0 }));
}
