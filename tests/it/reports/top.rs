//! Top lists: rows + other = total, whatever they are by.

use crate::harness::{CURL, TestApp, Value, json};

/// Twelve links with 1 to 12 clicks, of three channels, two campaigns and two hosts; each has one bot.
async fn twelve(app: &TestApp) -> u64 {
    for i in 1..=12 {
        let host = if i % 2 == 0 { "news.example.com" } else { "blog.example.com" };
        let code = format!("l{i:02}");
        let channel = ["x", "print", "app"][i % 3];
        app.create(
            json!({ "url": format!("https://{host}/{i}"), "code": code, "title": format!("Story {i}"),
            "channel": channel, "campaign": (i < 5).then_some("spring") }),
        )
        .await;
        app.follow_times(&code, i).await;
        app.follow_with(&code, &[("user-agent", CURL)]).await.expect(302);
    }
    app.settle().await;
    78
}

fn rows(report: &Value) -> Vec<(&str, u64)> {
    let rows = report["rows"].as_array().unwrap();
    rows.iter().map(|r| (r["value"].as_str().unwrap(), r["clicks"].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn rows_and_other_are_the_total() {
    let app = TestApp::start().await;
    let clicks = twelve(&app).await;
    let bys = [
        "link", "article", "section", "author", "channel", "campaign", "creator", "host", "trigger", "bot",
        "preview",
    ];
    for by in bys {
        for limit in [1, 2, 1_000] {
            let report = app.report(&format!("top?by={by}&limit={limit}")).await;
            let sum = |class: &str| {
                let rows: u64 =
                    report["rows"].as_array().unwrap().iter().map(|r| r[class].as_u64().unwrap()).sum();
                rows + report["other"][class].as_u64().unwrap()
            };
            assert_eq!((sum("clicks"), sum("bots"), sum("previews")), (clicks, 12, 0), "{by} {limit}");
            assert!(report["rows"].as_array().unwrap().len() <= limit);
        }
    }
}

#[tokio::test]
async fn what_the_rows_are() {
    let app = TestApp::start().await;
    twelve(&app).await;
    let links = app.report("top?by=link").await;
    assert_eq!(rows(&links).len(), 10, "the default");
    assert_eq!(rows(&links)[..3], [("l12", 12), ("l11", 11), ("l10", 10)]);
    assert_eq!(links["rows"][0]["label"], "Story 12");
    assert_eq!(links["other"], json!({ "clicks": 3, "previews": 0, "bots": 2 }));
    assert_eq!(rows(&app.report("top?by=channel").await), [("x", 30), ("app", 26), ("print", 22)]);
    assert_eq!(rows(&app.report("top?by=host").await), [("news.example.com", 42), ("blog.example.com", 36)]);
    assert_eq!(rows(&app.report("top?by=campaign").await), [("spring", 10)]);
    assert_eq!(rows(&app.report("top?by=creator").await), [(&*format!("key:{}", app.key_id()), 78)]);
    assert_eq!(rows(&app.report("top?by=bot").await), [("library", 0)]);
    assert_eq!(rows(&app.report("top?by=link&scope=channel:print&limit=2").await), [("l10", 10), ("l07", 7)]);
}

#[tokio::test]
async fn the_class_orders() {
    let app = TestApp::start().await;
    for (code, clicks, bots) in [("aa", 5, 0), ("bb", 3, 4), ("cc", 1, 5)] {
        app.create(json!({ "url": format!("https://news.example.com/{code}"), "code": code })).await;
        app.follow_times(code, clicks).await;
        for _ in 0..bots {
            app.follow_with(code, &[("user-agent", CURL)]).await;
        }
    }
    app.settle().await;
    for (class, order) in [("click", "aa bb cc"), ("bot", "cc bb aa"), ("all", "bb cc aa")] {
        let report = app.report(&format!("top?by=link&class={class}")).await;
        let got: Vec<&str> = rows(&report).iter().map(|(value, _)| *value).collect();
        assert_eq!(got.join(" "), order, "{class}");
    }
}

#[tokio::test]
async fn hits_go_to_the_target_they_were_sent_to() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/one").await;
    app.follow_times(&code, 2).await;
    app.change(&code, json!({ "note": "no other target" })).await.expect(200);
    app.follow_times(&code, 1).await;
    app.change(&code, json!({ "url": "https://news.example.com/two" })).await.expect(200);
    app.follow_times(&code, 4).await;
    app.settle().await;
    let report = app.report(&format!("top?by=target&scope=link:{code}")).await;
    let labels: Vec<(&Value, &Value)> =
        report["rows"].as_array().unwrap().iter().map(|r| (&r["label"], &r["clicks"])).collect();
    let (one, two) = (json!("https://news.example.com/one"), json!("https://news.example.com/two"));
    assert_eq!(labels, [(&two, &json!(4)), (&one, &json!(3))]);
}

#[tokio::test]
async fn previews_and_bots_have_names() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    for (agent, times) in [("WhatsApp/2.25.1 A", 3), ("Slackbot-LinkExpanding 1.0", 2), ("Googlebot/2.1", 1)]
    {
        for _ in 0..times {
            app.follow_with(&code, &[("user-agent", agent)]).await.expect(302);
        }
    }
    app.settle().await;
    let previews = app.report("top?by=preview&class=preview").await;
    assert_eq!(
        (&previews["rows"][0]["value"], &previews["rows"][0]["previews"]),
        (&json!("WhatsApp"), &json!(3))
    );
    assert_eq!(
        (&previews["rows"][1]["value"], &previews["rows"][1]["previews"]),
        (&json!("Slack"), &json!(2))
    );
    let bots = app.report(&format!("top?by=bot&class=bot&scope=link:{code}")).await;
    assert_eq!((&bots["rows"][0]["value"], &bots["rows"][0]["bots"]), (&json!("search"), &json!(1)));
}
