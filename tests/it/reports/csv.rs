//! Reports for spreadsheets.

use http::Method;

use crate::harness::{Answer, TestApp, json};

/// The lines of a CSV answer, after checking what is the same for all.
#[track_caller]
fn lines(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("content-type").starts_with("text/csv"), "{}", answer.header("content-type"));
    assert!(answer.body.starts_with(b"\xef\xbb\xbf"), "a BOM, or a spreadsheet takes it for something else");
    let text = String::from_utf8(answer.body[3..].to_vec()).unwrap();
    assert!(text.ends_with("\r\n") && text.matches('\n').count() == text.matches("\r\n").count(), "{text:?}");
    text.trim_end().split("\r\n").map(str::to_owned).collect()
}

#[tokio::test]
async fn by_path_or_by_accept() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    app.follow_times(&code, 2).await;
    app.settle().await;
    let table = [
        ("summary", "?", "scope,from,to,clicks,previews,bots,uniques,unique_basis", 1),
        ("series", "?unit=day", "start,clicks,previews,bots,uniques", 7),
        ("series", "?unit=week&from=2026-11-02&to=2026-11-08", "start,clicks,previews,bots", 1),
        ("heat", "?", "weekday,hour,clicks,previews,bots", 168),
        ("orphans", "?", "code,count,last", 1),
        ("top", "?by=link", "value,label,clicks,previews,bots", 2),
    ];
    for (report, query, header, rows) in table {
        let by_path = app.get(&format!("/reports/{report}.csv{query}")).await;
        let by_accept =
            app.call(Method::GET, &format!("/reports/{report}{query}")).header("accept", "text/csv");
        let by_accept = by_accept.send().await;
        let got = lines(&by_path);
        assert_eq!(got, lines(&by_accept), "{report}");
        // Further numbers may come behind these.
        assert!(got[0].starts_with(header), "{report}: {}", got[0]);
        assert_eq!(got.len(), rows + 1, "{report}: {got:?}");
        assert!(by_accept.header("vary").to_lowercase().contains("accept"), "{report}");
    }
    let json = app.call(Method::GET, "/reports/summary").header("accept", "application/json").send().await;
    assert_eq!(json.json()["clicks"], 2);
}

#[tokio::test]
async fn what_a_spreadsheet_would_take_for_a_formula_is_harmless() {
    let app = TestApp::start().await;
    let channels = ["=1+1", "+1", "-1", "@x", "a,b", "say \"hi\"", "plain", "ü=1"];
    for (i, channel) in channels.iter().enumerate() {
        let link = app.create(json!({ "url": "https://news.example.com/a", "channel": channel })).await;
        app.follow_times(link["code"].as_str().unwrap(), 10 - i).await;
    }
    app.settle().await;
    let got = lines(&app.get("/reports/top.csv?by=channel").await);
    let expected = [
        "'=1+1,'=1+1,10",
        "'+1,'+1,9",
        "'-1,'-1,8",
        "'@x,'@x,7",
        "\"a,b\",\"a,b\",6",
        "\"say \"\"hi\"\"\",\"say \"\"hi\"\"\",5",
        "plain,plain,4",
        "ü=1,ü=1,3",
        "(other),(other),0",
    ];
    for (line, expected) in got[1..].iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    assert_eq!(got.len(), expected.len() + 1);
}

#[tokio::test]
async fn top_ends_with_all_others() {
    let app = TestApp::start().await;
    for (code, times) in [("aa", 5), ("bb", 2), ("cc", 1)] {
        app.create(json!({ "url": format!("https://news.example.com/{code}"), "code": code })).await;
        app.follow_times(code, times).await;
    }
    app.settle().await;
    let got = lines(&app.get("/reports/top.csv?by=link&limit=1").await);
    assert_eq!(got[1..], ["aa,https://news.example.com/aa,5,0,0", "(other),(other),3,0,0"]);
}

#[tokio::test]
async fn refusals_stay_what_they_are() {
    let app = TestApp::start().await;
    app.get("/reports/top.csv").await.expect_problem(422, "missing", Some("by"));
    app.with_key("slk_a_b").get("/reports/top.csv?by=link").await.expect_problem(
        401,
        "unauthenticated",
        None,
    );
}
