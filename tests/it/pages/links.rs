//! The list of links, keys, the board, and what is taken along and brought in, over HTTP: by forms alone.

use http::Method;

use super::forms::{get, post};
use crate::harness::{TestApp, Value, json};
use crate::sessions::browser::Browser;

async fn newsroom(app: &TestApp) {
    let later = "2099-01-01T00:00:00Z";
    let links = [
        json!({ "url": "https://a.example/1", "code": "one", "tags": ["city"], "channel": "x", "campaign": "spring" }),
        json!({ "url": "https://a.example/2", "code": "two", "tags": ["city"], "title": "=SUM(1)" }),
        json!({ "url": "https://a.example/3", "code": "three", "not_before": later }),
        json!({ "reserve": true, "code": "four" }),
    ];
    for link in links {
        app.create(link).await;
    }
}

fn codes(text: &str) -> Vec<&str> {
    text.split("name=\"code\" value=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn links_are_found_by_every_filter_of_the_contract() {
    let app = TestApp::start().await;
    newsroom(&app).await;
    let maria = Browser::new(&app, "Maria", "admin").await;
    maria.post("/links", &json!({ "url": "https://a.example/5", "code": "five" })).await.expect(201);
    let table: [(&str, &[&str]); 14] = [
        ("sort=code", &["five", "four", "one", "three", "two"]),
        ("sort=-code", &["two", "three", "one", "four", "five"]),
        ("tag=city&sort=code", &["one", "two"]),
        ("channel=x", &["one"]),
        ("campaign=spring", &["one"]),
        ("status=scheduled", &["three"]),
        ("status=reserved", &["four"]),
        ("status=broken", &[]),
        ("created_by=Maria", &["five"]),
        ("via=api&sort=code", &["five", "four", "one", "three", "two"]),
        ("via=page", &[]),
        ("from=2068-01-01", &[]),
        ("to=2068-01-01&tag=city&sort=code", &["one", "two"]),
        ("q=a.example%2F2", &["two"]),
    ];
    for (query, found) in table {
        let text = get(&maria, &format!("/-/links?{query}")).await.expect(200).text();
        assert_eq!(codes(&text), found, "{query}");
        let csv = get(&maria, &format!("/-/links.csv?{query}")).await.expect(200).text();
        let rows: Vec<&str> = csv.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
        assert_eq!(rows, found, "{query}: {csv}");
    }
    let text = get(&maria, "/-/links?tag=city&channel=x").await.text();
    assert!(
        text.contains("href=\"/-/links?tag=city\"") && text.contains("href=\"/-/links?channel=x\""),
        "{text}"
    );
    let words = get(&maria, "/-/links").await.text();
    assert!(words.contains("Printed, still without target") && words.contains("Opens 1 Jan 2099"), "{words}");
    assert!(get(&maria, "/-/links?tag=none").await.text().contains("No link is like that."));
    let wrong = get(&maria, "/-/links?from=never").await.expect(422).text();
    assert!(wrong.contains("id=\"from-wrong\""), "{wrong}");
    let csv = get(&maria, "/-/links.csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.header("content-disposition").starts_with("attachment"));
    assert!(csv.text().contains(",'=SUM(1),"), "{}", csv.text());
}

#[tokio::test]
async fn a_long_list_is_saved_whole_and_without_what_is_secret() {
    let app = TestApp::start().await;
    let links: Vec<Value> = (0..1_000)
        .map(|n| json!({ "url": format!("https://a.example/{n}"), "code": format!("n{n}") }))
        .collect();
    app.post("/links/batch", &json!({ "links": links })).await.expect(200);
    let secret = json!({ "url": "https://a.example/scoop", "code": "later", "title": "Scoop",
        "confidential": true, "not_before": "2099-01-01T00:00:00Z" });
    app.create(secret).await;
    let vera = Browser::new(&app, "Vera", "viewer").await;
    let csv = get(&vera, "/-/links.csv?sort=code").await.expect(200).text();
    assert_eq!(csv.lines().count(), 1_002);
    assert!(csv.contains("later,") && !csv.to_lowercase().contains("scoop"));
    assert!(!get(&vera, "/-/links.csv?sort=title").await.expect(200).text().contains("later"));
}

#[tokio::test]
async fn many_links_are_changed_at_once_and_each_is_put_back_alone() {
    let app = TestApp::start().await;
    newsroom(&app).await;
    let ana = Browser::new(&app, "Ana", "editor").await;
    let path = "/-/links";
    let both = [("code", "one"), ("code", "two"), ("view", "tag=city")];
    let with = |pairs: &[(&'static str, &'static str)]| [&both[..], pairs].concat();
    let text = post(&ana, path, &with(&[("do", "tag"), ("tag", "tram, city")])).await.expect(200).text();
    assert!(text.contains("2 of 2 links changed") && text.contains("href=\"/-/links?tag=city\""), "{text}");
    assert_eq!(app.link("one").await["tags"], json!(["city", "tram"]));
    let text = post(&ana, path, &with(&[("do", "tag"), ("tag", "city")])).await.expect(200).text();
    assert!(text.contains("0 of 2 links changed") && text.contains("Was so already"), "{text}");
    post(&ana, path, &with(&[("do", "expire"), ("expires_at", "2098-01-01T00:00")])).await.expect(200);
    assert!(app.link("two").await["expires_at"].as_str().unwrap().starts_with("209"));
    let text = post(&ana, path, &with(&[("do", "disable")])).await.expect(200).text();
    assert_eq!(app.link("two").await["status"], "disabled");
    // The page has what puts one back.
    let version = app.link("two").await["version"].to_string();
    assert!(text.contains(&format!("name=\"version\" value=\"{version}\"")), "{text}");
    let before = (version.parse::<u64>().unwrap() - 1).to_string();
    post(&ana, "/-/links/two", &[("version", &version), ("revert_to", &before)]).await.expect(303);
    assert_eq!(
        (&app.link("two").await["status"], &app.link("one").await["status"]),
        (&json!("active"), &json!("disabled"))
    );
    post(&ana, path, &with(&[("do", "enable")])).await.expect(200);
    assert_eq!(app.link("one").await["status"], "active");

    let csv = post(&ana, path, &with(&[("do", "csv")])).await.expect(200);
    assert_eq!((csv.header("content-type"), csv.text().lines().count()), ("text/csv; charset=utf-8", 3));
    for wrong in [
        vec![("do", "disable")],
        with(&[("do", "tag"), ("tag", " ")]),
        with(&[("do", "expire"), ("expires_at", "x")]),
    ] {
        assert_eq!(post(&ana, path, &wrong).await.status, 422, "{wrong:?}");
    }
    // All or nothing: of a code that nobody has, nothing comes.
    for (action, code) in [("disable", "nobody"), ("csv", "x<y")] {
        let wrong = with(&[("code", code), ("do", action)]);
        let text = post(&ana, path, &wrong).await.expect(422).text();
        let says = format!("There is no link {}; nothing was changed.", code.replace('<', "&#60;"));
        assert!(text.contains(&says) && !text.contains("links changed"), "{text}");
    }
    for code in ["one", "two"] {
        assert_eq!(app.link(code).await["status"], "active", "{code}");
    }
    // Of others' links a creator changes none, and is told so of each.
    let carl = Browser::new(&app, "Carl", "creator").await;
    let text = post(&carl, path, &with(&[("do", "disable")])).await.expect(200).text();
    assert!(text.contains("0 of 2 links changed") && text.contains("colleague"), "{text}");
    let vera = Browser::new(&app, "Vera", "viewer").await;
    assert_eq!(post(&vera, path, &with(&[("do", "disable")])).await.status, 403);
    assert_eq!(app.link("one").await["status"], "active");
}

#[tokio::test]
async fn keys_are_told_and_switched_off() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "viewer").await;
    let text = get(&maria, "/-/keys").await.expect(200).text();
    assert!(text.contains("<kbd>?</kbd>") && text.contains("Switch them off"), "{text}");
    let answer = post(&maria, "/-/me/keys", &[("keys", "off")]).await.expect(303);
    assert!(answer.header("set-cookie").starts_with("slugline_keys=off; Path=/-/;"));
    let cookie = format!("{}; slugline_keys=off", maria.cookie);
    let text = maria.http.call(Method::GET, "/-/keys").header("cookie", &cookie).send().await.text();
    assert!(text.contains("Switch them on"), "{text}");
}

#[tokio::test]
async fn links_are_taken_along_and_brought_in() {
    let app = TestApp::start().await;
    newsroom(&app).await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    let export = get(&admin, "/-/settings/transfer/links.jsonl").await.expect(200).text();
    let kinds: Vec<String> = export
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((kinds[0].as_str(), kinds.last().unwrap().as_str()), ("slugline", "end"));
    assert_eq!(kinds.iter().filter(|kind| *kind == "link").count(), 4);
    assert!(!kinds.iter().any(|kind| ["user", "key"].contains(&kind.as_str())), "{kinds:?}");

    let other = TestApp::start().await;
    let there = Browser::new(&other, "Otto", "admin").await;
    let path = "/-/settings/transfer";
    let dry = post(&there, path, &[("do", "dry"), ("text", &export)]).await.expect(200).text();
    assert!(dry.contains("4 links would be made, 0 are there already"), "{dry}");
    assert_eq!(other.all("/links").await.len(), 0);
    let done = post(&there, path, &[("do", "import"), ("text", &export)]).await.expect(200).text();
    assert!(done.contains("4 links made, 0 there already"), "{done}");
    let one = other.link("one").await;
    assert_eq!(
        (&one["target"], &one["via"], &one["tags"]),
        (&json!("https://a.example/1"), &json!("import"), &json!(["city"]))
    );
    assert_eq!(other.link("four").await["status"], "reserved");
    let again = post(&there, path, &[("do", "import"), ("text", &export)]).await.text();
    assert!(again.contains("0 links made, 4 there already"), "{again}");
}

#[tokio::test]
async fn an_imported_address_leads_on_as_a_header_can_say_it() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://a.example/x", "code": "one" })).await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    let export = get(&admin, "/-/settings/transfer/links.jsonl").await.expect(200).text();
    let odd =
        export.replace("\"target\":\"https://a.example/x\"", "\"target\":\"https://a.example/straße 1\"");
    assert_ne!(odd, export);
    let other = TestApp::start().await;
    let there = Browser::new(&other, "Otto", "admin").await;
    let done =
        post(&there, "/-/settings/transfer", &[("do", "import"), ("text", &odd)]).await.expect(200).text();
    assert!(done.contains("1 link made, 0 there already"), "{done}");
    let answer = other.follow("one").await.expect(302);
    assert_eq!(answer.header("location"), "https://a.example/stra%C3%9Fe%201");
}

#[tokio::test]
async fn of_a_file_with_something_wrong_nothing_comes_in() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://a.example/old", "code": "taken" })).await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    let path = "/-/settings/transfer";
    let table = "url,code,title\nhttps://a.example/1,good,Good\nnonsense,,\nhttps://a.example/2,taken,\n\
                 https://a.example/3,GOOD,\n,x,\nhttps://a.example/4,api,\n";
    for action in ["dry", "import"] {
        let text = post(&admin, path, &[("do", action), ("text", table)]).await.expect(422).text();
        for line in [3, 4, 5, 6, 7] {
            assert!(text.contains(&format!("<li>Line {line}: ")), "{line}: {text}");
        }
        assert!(!text.contains("<li>Line 2: ") && text.contains("nonsense"), "{text}");
    }
    assert_eq!(app.all("/links").await.len(), 1);
    for nothing in ["", "just text", "{\"kind\": \"x\"}"] {
        assert_eq!(post(&admin, path, &[("do", "import"), ("text", nothing)]).await.status, 422, "{nothing}");
    }
    let good = "url,code,title\nhttps://a.example/1,good,Good\n";
    post(&admin, path, &[("do", "import"), ("text", good)]).await.expect(200);
    assert_eq!(app.link("good").await["title"], "Good");
    let editor = Browser::new(&app, "Eva", "editor").await;
    assert_eq!(post(&editor, path, &[("do", "import"), ("text", good)]).await.status, 403);
    assert_eq!(get(&editor, "/-/settings/transfer/links.jsonl").await.status, 403);
    let large = "x".repeat(17 << 20);
    assert_eq!(post(&admin, path, &[("do", "dry"), ("text", &large)]).await.status, 413);
}

#[tokio::test]
async fn the_board_ranks_what_a_screen_asks_for() {
    let app = TestApp::start().await;
    let article = |title: &str| json!({ "title": title, "section": "City", "authors": ["Ana", "Ben"] });
    app.create(json!({ "url": "https://a.example/1", "code": "one", "article": article("Tram line") })).await;
    app.create(json!({ "url": "https://a.example/1", "code": "one-x", "channel": "x" })).await;
    app.create(json!({ "url": "https://a.example/2", "code": "two", "article": article("Ring road") })).await;
    for (code, times) in [("one", 2), ("one-x", 2), ("two", 3)] {
        app.follow_times(code, times).await;
    }
    app.settle().await;
    let vera = Browser::new(&app, "Vera", "viewer").await;
    let keys = |text: &str| -> Vec<String> {
        let rows = text.split("data-key=\"").skip(1);
        rows.map(|rest| rest.split('"').next().unwrap().split(' ').next().unwrap().to_owned()).collect()
    };
    for (query, kinds) in [
        ("", vec!["story", "story"]),
        ("?group=link", vec!["link", "link", "link"]),
        ("?group=author", vec!["author", "author"]),
        ("?group=section", vec!["section"]),
        ("?rows=1", vec!["story"]),
    ] {
        let text = get(&vera, &format!("/-/live{query}")).await.expect(200).text();
        assert_eq!(keys(&text), kinds, "{query}");
        assert!(
            text.contains("role=\"log\"") && !text.contains("<ul id=\"events\" class=\"events\" role"),
            "{text}"
        );
    }
    let text = get(&vera, "/-/live").await.text();
    assert!(text.find("Tram line") < text.find("Ring road") && text.contains("2 links"), "{text}");
    assert!(text.contains("Ana, Ben"));
    assert!(!get(&vera, "/-/live?bylines=0").await.text().contains("Ana, Ben"));
}
