//! How a story does, and when readers come.

use jiff::{SignedDuration, Timestamp};

use crate::harness::{TestApp, json};

#[tokio::test]
async fn a_story_since_its_publication() {
    let app = TestApp::start().await;
    let ago = |minutes: i64| (Timestamp::now() - SignedDuration::from_mins(minutes)).to_string();
    let story = |path: &str, minutes: i64| {
        json!({ "url": format!("https://news.example.com/{path}"), "code": path,
            "article": { "section": "World", "published_at": ago(minutes) } })
    };
    let own = app.create(story("own", 150)).await;
    app.create(story("other", 400)).await;
    app.follow_times("own", 3).await;
    app.settle().await;
    let id = own["article"]["id"].as_str().unwrap();
    let curve = app.report(&format!("curve?article={id}")).await;
    assert_eq!(
        (&curve["article"], &curve["section"], &curve["basis"]),
        (&json!(id), &json!("World"), &json!("published"))
    );
    assert_eq!(curve["published_at"], own["article"]["published_at"]);
    let hours = curve["hours"].as_array().unwrap();
    assert!((3..=4).contains(&hours.len()), "{curve}");
    assert_eq!(
        hours[0],
        json!({ "age": 0, "clicks": 0, "median": 0, "q1": 0, "q3": 0, "stories": 1 }),
        "beside the other story"
    );
    assert_eq!(hours.last().unwrap()["clicks"], 3, "{curve}");
    let plain = app.create(json!({ "url": "https://news.example.com/plain", "code": "plain" })).await;
    let id = plain["article"]["id"].as_str().unwrap();
    let curve = app.report(&format!("curve?article={id}")).await;
    assert_eq!(
        (&curve["basis"], &curve["published_at"], &curve["section"]),
        (&json!("created"), &json!(null), &json!(null))
    );
    assert_eq!((&curve["hours"][0]["median"], &curve["hours"][0]["stories"]), (&json!(null), &json!(0)));
    let csv = app.get(&format!("/reports/curve.csv?article={id}")).await.expect(200).text();
    assert!(csv.contains("age,clicks,median,q1,q3,stories\r\n0,0,,,,0\r\n"), "{csv}");
}

#[tokio::test]
async fn when_readers_come() {
    let app = TestApp::start_with(|c| c.newsroom.timezone = "Asia/Kolkata".into()).await;
    let code = app.shorten("https://news.example.com/a").await;
    let zone = jiff::tz::TimeZone::get("Asia/Kolkata").unwrap();
    let place = || {
        let local = Timestamp::now().to_zoned(zone.clone());
        (i64::from(local.weekday().to_monday_one_offset()), i64::from(local.hour()))
    };
    let before = place();
    app.follow_times(&code, 4).await;
    let after = place();
    app.settle().await;
    for scope in ["site".to_owned(), format!("link:{code}")] {
        let heat = app.report(&format!("heat?scope={scope}")).await;
        let rows = heat["rows"].as_array().unwrap();
        assert_eq!((rows.len(), &heat["scope"], &heat["waiting"]), (168, &json!(scope), &json!(0)));
        let there = |row: &&serde_json::Value| {
            [before, after].contains(&(row["weekday"].as_i64().unwrap(), row["hour"].as_i64().unwrap()))
        };
        let clicks: u64 = rows.iter().filter(there).map(|row| row["clicks"].as_u64().unwrap()).sum();
        assert_eq!(clicks, 4, "{heat}");
        assert_eq!((&rows[0]["weekday"], &rows[167]["hour"]), (&json!(1), &json!(23)));
    }
}
