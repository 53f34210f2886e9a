//! Pages of numbers: what they compare with, where rows lead, what staff note, what is lost, and CSV.

use jiff::{SignedDuration, Timestamp};

use super::forms::{get, post};
use crate::harness::{BROWSER, TestApp, Value, eventually, json};
use crate::sessions::browser::Browser;

/// The addresses of all links of a page.
fn hrefs(text: &str) -> Vec<String> {
    let links = text.split("href=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    links.map(|(href, _)| href.replace("&#38;", "&").replace("&amp;", "&")).collect()
}

async fn story(app: &TestApp) -> Value {
    let published = (Timestamp::now() - SignedDuration::from_hours(3)).to_string();
    let link = json!({ "url": "https://news.example.com/a", "code": "tram", "channel": "x", "campaign": "spring",
        "article": { "title": "Tram line approved", "section": "World", "authors": ["Ana"],
            "published_at": published } });
    let link = app.create(link).await;
    let headers = [("user-agent", BROWSER), ("referer", "https://www.google.com/")];
    for _ in 0..3 {
        app.follow_with("tram", &headers).await.expect(302);
    }
    app.settle().await;
    link
}

#[tokio::test]
async fn numbers_are_compared_as_the_address_says() {
    let app = TestApp::start().await;
    let link = story(&app).await;
    let ana = Browser::new(&app, "Ana", "viewer").await;
    let article = format!("/-/articles/{}", link["article"]["id"].as_str().unwrap());
    for page in ["/-/links/tram", "/-/reports", &article] {
        let text = get(&ana, &format!("{page}?period=7d")).await.expect(200).text();
        assert!(text.contains("</svg>the same weekdays before</span>"), "{page}: {text}");
        assert!(text.contains(">The same weekdays before</th>") && text.contains(", so far</th>"), "{page}");
        let year = get(&ana, &format!("{page}?period=7d&compare=year")).await.expect(200).text();
        assert!(year.contains("</svg>the same weekdays a year before</span>"), "{page}");
        let alone = get(&ana, &format!("{page}?period=7d&compare=none")).await.expect(200).text();
        assert!(!alone.contains("class=\"then\""), "{page}");
        assert_eq!(get(&ana, &format!("{page}?period=7d&compare=x")).await.status, 422, "{page}");
        for (href, shown) in
            [("compare=previous", true), ("period=30d", true), ("period=7d&compare=none", true)]
        {
            assert_eq!(hrefs(&text).iter().any(|its| its.contains(href)), shown, "{page}: {href}");
        }
        assert!(text.contains("data-key=\"7\"") && text.contains("rel=\"prev\""), "{page}");
        assert!(!text.contains("rel=\"next\""), "{page}: nothing is after now");
    }
    let text = get(&ana, &article).await.expect(200).text();
    assert!(!text.contains("Compare with"), "before it began there is nothing");
    assert!(text.contains(">First hour<") && text.contains("published"), "{text}");
    let past = get(&ana, "/-/reports?from=2026-01-05&to=2026-01-11").await.expect(200).text();
    assert!(hrefs(&past).iter().any(|its| its.contains("from=2026-01-12&to=2026-01-18")), "{past}");
    assert!(hrefs(&past).iter().any(|its| its.contains("from=2025-12-29&to=2026-01-04")), "{past}");
    assert!(!past.contains("Clicks this hour"), "{past}");
}

#[tokio::test]
async fn rows_lead_to_pages_that_are_there() {
    let app = TestApp::start().await;
    let link = story(&app).await;
    let ana = Browser::new(&app, "Ana", "viewer").await;
    let article = format!("/-/articles/{}", link["article"]["id"].as_str().unwrap());
    let mut all: Vec<String> = vec![];
    for tab in
        ["overview", "article", "link", "section", "author", "channel", "campaign", "creator", "source"]
    {
        all.extend(hrefs(&get(&ana, &format!("/-/reports?tab={tab}")).await.expect(200).text()));
    }
    all.extend(hrefs(&get(&ana, "/-/links/tram").await.text()));
    all.extend(hrefs(&get(&ana, &article).await.text()));
    all.retain(|href| href.starts_with("/-/reports") || href.starts_with("/-/links/") || *href == article);
    all.sort();
    all.dedup();
    for part in
        ["scope=section%3AWorld", "scope=author%3AAna", "scope=channel%3Ax", "scope=campaign%3Aspring"]
    {
        assert!(all.iter().any(|href| href.contains(part)), "{part}: {all:#?}");
    }
    let value = "/-/reports?tab=source&value=Google&scope=link%3Atram";
    assert!(all.iter().any(|href| href.starts_with(value)), "{all:#?}");
    for href in &all {
        let answer = get(&ana, href).await;
        assert_eq!(answer.status, 200, "{href}");
    }
    let text = get(&ana, "/-/reports?tab=source&value=Google&scope=campaign%3Aspring").await.text();
    assert!(text.contains("<strong>Google</strong>") && text.contains("<b>3</b>"), "{text}");
    assert!(text.contains("<h1>spring</h1>"), "{text}");
    let series = app.report("series?by=source&value=Google&scope=section:World").await;
    let clicks: u64 =
        series["buckets"].as_array().unwrap().iter().map(|b| b["clicks"].as_u64().unwrap()).sum();
    assert_eq!((clicks, &series["by"], &series["value"]), (3, &json!("source"), &json!("Google")));
    let top = app.report("top?by=source&scope=campaign:spring").await;
    assert_eq!(top["rows"][0]["clicks"], 3);
    for (query, status) in [
        ("series?by=source&value=Google&unit=hour", 422),
        ("series?by=link&value=tram", 422),
        ("series?by=source", 422),
        ("series?value=Google", 422),
        ("series?by=target&value=1", 422),
    ] {
        assert_eq!(app.get(&format!("/reports/{query}")).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn what_is_confidential_has_no_report() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let secret = json!({ "url": "https://news.example.com/hidden-scoop", "code": "later", "title": "Hidden scoop",
        "confidential": true, "not_before": "2099-01-01T00:00:00Z" });
    let made = maria.post("/links", &secret).await.expect(201).json();
    let vera = Browser::new(&app, "Vera", "editor").await;
    let article = made["article"]["id"].as_str().unwrap();
    for path in [
        "/-/reports?scope=link:later".to_owned(),
        format!("/-/reports?scope=article:{article}"),
        "/-/reports/csv?scope=link:later".to_owned(),
        format!("/-/articles/{article}"),
    ] {
        assert_eq!(get(&vera, &path).await.status, 404, "{path}");
        assert_eq!(get(&maria, &path).await.status, 200, "{path}");
    }
    assert_eq!(post(&vera, &format!("/-/articles/{article}/notes"), &[("text", "x")]).await.status, 404);
}

#[tokio::test]
async fn notes_stand_on_the_chart_and_are_text() {
    let app = TestApp::start().await;
    let link = story(&app).await;
    let id = link["article"]["id"].as_str().unwrap();
    let (page, notes) = (format!("/-/articles/{id}"), format!("/-/articles/{id}/notes"));
    let ana = Browser::new(&app, "Ana", "editor").await;
    let markup = "push \"<img src=x onerror=alert(1)>\"";
    post(&ana, &notes, &[("text", markup), ("at", "")]).await.expect(303);
    let back = post(&ana, &notes, &[("text", "on air"), ("back", "/-/links/tram")]).await.expect(303);
    assert_eq!(back.location(), "/-/links/tram");
    for path in [page.as_str(), "/-/links/tram"] {
        let text = get(&ana, path).await.expect(200).text();
        assert!(!text.contains("<img src=x") && text.contains("&#60;img src=x"), "{path}: {text}");
        assert!(text.contains("class=\"mark\"") && text.contains("on air"), "{path}");
    }
    let kept = app.get(&format!("/articles/{id}")).await.json();
    assert_eq!(kept["notes"].as_array().unwrap().len(), 2);
    assert_eq!(kept["notes"][0]["by"], "user:Ana");
    let history = app.get(&format!("/articles/{id}/history")).await.json();
    assert_eq!(history["items"][0]["changes"]["notes"]["from"], json!([]), "{history}");
    assert_eq!(history["items"][0]["changes"]["notes"]["to"][0]["text"], "on air", "only what is new");
    // Taken back by what they are.
    let first = &kept["notes"][0];
    let at = first["at"].as_str().unwrap().parse::<Timestamp>().unwrap().as_millisecond().to_string();
    let taken = [("do", "take_back"), ("at", at.as_str()), ("text", markup)];
    post(&ana, &notes, &taken).await.expect(303);
    let kept = app.get(&format!("/articles/{id}")).await.json();
    assert_eq!(kept["notes"].as_array().unwrap().len(), 1);

    let wrong = post(&ana, &notes, &[("text", &"x".repeat(201)), ("at", "2026-01-01T09:05")]).await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.text().contains("id=\"noted-wrong\"") && wrong.text().contains("value=\"2026-01-01T09:05\"")
    );
    assert_eq!(post(&ana, &notes, &[("text", "")]).await.status, 422);
    assert_eq!(post(&ana, &notes, &[("text", "x"), ("at", "soon")]).await.status, 422);
    let carl = Browser::new(&app, "Carl", "creator").await;
    assert_eq!(post(&carl, &notes, &[("text", "x")]).await.status, 403);
    assert!(!get(&carl, &page).await.text().contains("Note it"));
    // What is for colleagues is in no shared view.
    let shared = post(&ana, "/-/share", &[("view", &page), ("name", "s")]).await.expect(201).text();
    let token = shared.split_once("share=").unwrap().1.split(['<', '"', '&']).next().unwrap().to_owned();
    let shown = app.http.get(&format!("{page}?share={token}")).await.expect(200).text();
    assert!(!shown.contains("on air") && !shown.contains("<form"), "{shown}");
}

#[tokio::test]
async fn notes_are_bounded_and_versioned() {
    let app = TestApp::start().await;
    let link = story(&app).await;
    let path = format!("/articles/{}", link["article"]["id"].as_str().unwrap());
    let many: Vec<Value> = (0..50).map(|n| json!({ "text": format!("note {n}") })).collect();
    let put = |version: u64, notes: Vec<Value>| {
        let (app, path) = (&app, path.clone());
        async move { app.patch(&path, &json!({ "version": version, "notes": notes })).await }
    };
    let version = app.get(&path).await.json()["version"].as_u64().unwrap();
    let kept = put(version, many.clone()).await.expect(200).json();
    assert_eq!((kept["notes"].as_array().unwrap().len(), &kept["version"]), (50, &json!(version + 1)));
    assert_eq!(put(version, vec![]).await.status, 409, "on the version that was read");
    let more = [many, vec![json!({ "text": "one more" })]].concat();
    assert_eq!(put(version + 1, more).await.status, 422);
    for wrong in
        [json!({ "text": "" }), json!({ "text": "a\u{7}b" }), json!({}), json!({ "text": "a", "by": "x" })]
    {
        assert_eq!(put(version + 1, vec![wrong.clone()]).await.status, 422, "{wrong}");
    }
    let none = app.patch(&path, &json!({ "version": version + 1, "notes": null })).await.expect(200).json();
    assert_eq!(none["notes"], json!([]));
    // Of what is redacted nothing is left.
    put(version + 2, vec![json!({ "text": "hush" })]).await.expect(200);
    app.post(&format!("{path}/redact"), &json!({})).await.expect(200);
    for left in [app.get(&path).await.text(), app.get(&format!("{path}/history")).await.text()] {
        assert!(!left.contains("hush"), "{left}");
    }
}

#[tokio::test]
async fn an_unknown_code_is_made_to_lead_somewhere() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "election" })).await;
    for code in ["electoin", "electoin", "poster-7"] {
        app.follow(code).await.expect(404);
    }
    let (ana, vera) =
        (Browser::new(&app, "Ana", "creator").await, Browser::new(&app, "Vera", "viewer").await);
    let page = "/-/reports?tab=orphans";
    let text = eventually("the code that may have been meant", async || {
        let text = get(&ana, page).await.expect(200).text();
        text.contains("href=\"/-/links/election\"").then_some(text)
    })
    .await;
    assert!(
        text.contains("asked for 2 times") && text.contains("name=\"code\" value=\"poster-7\""),
        "{text}"
    );
    assert!(!get(&vera, page).await.expect(200).text().contains("<form class=\"row\" method=\"post\""));
    let adopt = "/-/reports/adopt";
    assert_eq!(post(&vera, adopt, &[("code", "poster-7"), ("url", "https://a.example/")]).await.status, 403);
    let wrong = post(&ana, adopt, &[("code", "poster-7"), ("url", "nonsense")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("aria-describedby=\"why-") && wrong.text().contains("value=\"nonsense\""));
    let made =
        post(&ana, adopt, &[("code", "poster-7"), ("url", "https://news.example.com/b")]).await.expect(303);
    assert_eq!(made.location(), "/-/links/poster-7");
    assert_eq!(app.follow("poster-7").await.expect(302).location(), "https://news.example.com/b");
    let text = get(&ana, page).await.text();
    assert!(!text.contains("value=\"poster-7\"") && text.contains("value=\"electoin\""), "{text}");
}

#[tokio::test]
async fn a_file_says_what_its_numbers_are_of() {
    let app = TestApp::start_with(|c| c.newsroom.timezone = "Europe/Vienna".into()).await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "tram", "title": "=cmd|' /C calc'!A0" }))
        .await;
    app.follow_times("tram", 2).await;
    app.settle().await;
    let ana = Browser::new(&app, "Ana", "viewer").await;
    let page = get(&ana, "/-/reports?tab=link&period=7d").await.expect(200).text();
    let href = hrefs(&page).into_iter().find(|href| href.starts_with("/-/reports/csv")).unwrap();
    let answer = get(&ana, &href).await.expect(200);
    assert!(answer.header("content-disposition").starts_with("attachment; filename=\"report-link-"));
    let text = answer.text();
    for line in [
        "\u{feff}report,Links\r\n",
        "\r\ntime zone,Europe/Vienna\r\n",
        "\r\nas of,2",
        "\r\nwaiting hits,0\r\n",
        "\r\ncompared with,the same weekdays before\r\n",
        "\r\nclicks,\"Hits of people",
        "\r\nvalue,label,clicks,previews,bots,clicks before,previews before,bots before\r\n",
        "\r\ntram,'=cmd|' /C calc'!A0,2,0,0,0,0,0\r\n",
        "\r\n(other),(other),0,0,0\r\n",
    ] {
        assert!(text.contains(line), "{line:?}: {text}");
    }
    for tab in ["overview", "times", "source", "source&value=x", "country"] {
        let text = get(&ana, &format!("/-/reports/csv?tab={tab}")).await.expect(200).text();
        assert!(text.contains("clicks,previews,bots"), "{tab}: {text}");
    }
    assert_eq!(get(&ana, "/-/reports/csv?tab=orphans").await.status, 422);
    assert_eq!(app.http.get("/-/reports/csv").await.status, 303, "for those who are signed in");
}

#[tokio::test]
async fn numbers_say_what_time_they_are_of() {
    let app = TestApp::start().await;
    story(&app).await;
    let ana = Browser::new(&app, "Ana", "viewer").await;
    let now = Timestamp::now().as_second();
    let at = |second: i64| Timestamp::from_second(second).unwrap().to_string();
    let hour = now.div_euclid(3_600) * 3_600;
    let of_an_hour = format!("/-/reports?from={}&to={}", at(hour), at(hour + 3_600));
    let text = get(&ana, &of_an_hour).await.expect(200).text();
    assert!(text.contains("of the whole day, so far"), "{text}");
    assert!(text.contains("These are kept by whole days"), "{text}");
    let list = get(&ana, &format!("{of_an_hour}&tab=source")).await.expect(200).text();
    assert!(list.contains("Lists are kept by whole days"), "{list}");
    let ahead = get(&ana, "/-/reports?from=2099-01-01&to=2099-01-05").await.expect(200).text();
    assert!(!ahead.contains("Clicks this hour") && !ahead.contains("so far"), "{ahead}");
    assert!(get(&ana, "/-/reports").await.text().contains("Clicks this hour"));
}

#[tokio::test]
async fn an_address_that_says_what_is_not_there_shows_no_numbers() {
    let app = TestApp::start().await;
    story(&app).await;
    let ana = Browser::new(&app, "Ana", "viewer").await;
    for (query, says) in [
        ("tab=zzz", "There is no list “zzz”."),
        ("period=zzz", "There is no period “zzz”."),
        ("compare=zzz", "Nothing can be compared with “zzz”."),
        ("scope=zzz", "There is no report of “zzz”."),
        ("from=2026-11-20&to=2026-11-01", "the range ends before it begins"),
        ("from=soon", "is neither a date"),
    ] {
        let text = get(&ana, &format!("/-/reports?{query}")).await.expect(422).text();
        assert!(text.contains(says), "{query}: {text}");
        assert!(!text.contains("class=\"tile"), "{query}");
        for stays in ["aria-label=\"Main\"", "aria-label=\"Period\"", "aria-label=\"Lists\""] {
            assert!(text.contains(stays), "{query}: {stays}");
        }
        assert_eq!(get(&ana, &format!("/-/reports/csv?{query}")).await.status, 422, "{query}");
    }
    let article = app.link("tram").await["article"]["id"].as_str().unwrap().to_owned();
    let eva = Browser::new(&app, "Eva", "editor").await;
    let pages = [("/-/links/tram".to_owned(), "Change it"), (format!("/-/articles/{article}"), "Move it")];
    for (page, stays) in pages {
        for (query, says) in [
            ("period=zzz", "There is no period “zzz”."),
            ("period=7d&compare=zzz", "Nothing can be compared with “zzz”."),
            ("from=soon", "is neither a date"),
        ] {
            let text = get(&eva, &format!("{page}?{query}")).await.expect(422).text();
            assert!(text.contains(says) && text.contains("aria-label=\"Period\""), "{page} {query}: {text}");
            assert!(
                !text.contains("class=\"tile") && !text.contains("action=\"/-/share\""),
                "{page} {query}"
            );
            assert!(text.contains(stays), "{page} {query}: all else is there");
            let ways = hrefs(&text);
            assert!(!ways.iter().any(|href| href.contains("zzz")), "{page} {query}: {ways:?}");
        }
    }
    let nobody = get(&ana, "/-/reports?scope=section:world").await.expect(200).text();
    assert!(nobody.contains("exactly as written"), "{nobody}");
    assert!(!get(&ana, "/-/reports?scope=section:World").await.text().contains("exactly as written"));
    for (query, field) in [("status=zzz", "status"), ("via=zzz", "via"), ("sort=zzz", "sort")] {
        let text = get(&ana, &format!("/-/links?{query}")).await.expect(422).text();
        assert!(text.contains(&format!("id=\"{field}-wrong\"")) && text.contains("zzz"), "{text}");
        assert!(!text.contains("/-/links/tram"), "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_or_is_nowhere_is_a_page_of_staff() {
    let app = TestApp::start().await;
    let ana = Browser::new(&app, "Ana", "admin").await;
    for (path, status) in [
        ("/-/settings/audit?before=abc", 400),
        ("/-/links/x?period=7d&period=24h", 400),
        ("/-/shared", 400),
        ("/-/links/%ff", 400),
        ("/-/nope", 404),
        ("/-/settings/nope/nope", 404),
        ("/-/links/nope", 404),
    ] {
        let answer = get(&ana, path).await;
        assert_eq!(answer.status, status, "{path}");
        let text = answer.text();
        assert!(text.contains("aria-label=\"Main\"") && text.contains("<h1>"), "{path}: {text}");
        assert!(!text.contains("deserialize"), "{path}: {text}");
    }
    for (path, page) in [
        ("/-/link", "/-/"),
        ("/-/share", "/-/"),
        ("/-/undo", "/-/"),
        ("/-/me/password", "/-/me"),
        ("/-/links/x/retire", "/-/links/x"),
        ("/-/articles/x/notes", "/-/articles/x"),
    ] {
        assert_eq!(get(&ana, path).await.expect(303).location(), page, "{path}");
    }
    // Who is not signed in learns nothing more than readers do.
    let stranger = app.http.get("/-/nope").await.expect(404).text();
    assert!(!stranger.contains("aria-label=\"Main\"") && !stranger.contains("To the desk"), "{stranger}");
    assert!(!app.http.get("/-/shared").await.expect(400).text().contains("aria-label=\"Main\""));
}
