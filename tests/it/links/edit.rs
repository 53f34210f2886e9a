//! Changing and retiring links.

use crate::harness::{TestApp, Value, json};

const STORY: &str = "https://news.example.com/story";

#[tokio::test]
async fn each_change_adds_one_and_no_change_keeps_the_version() {
    let app = TestApp::start().await;
    let code = app.shorten(STORY).await;
    let path = format!("/links/{code}");
    let one =
        app.patch(&path, &json!({ "version": 1, "title": "One", "note": "n" })).await.expect(200).json();
    assert_eq!((&one["version"], &one["title"], &one["note"]), (&json!(2), &json!("One"), &json!("n")));
    let same = app.patch(&path, &json!({ "version": 2, "title": " One " })).await.expect(200).json();
    assert_eq!(same["version"], 2);
    let nothing = app.patch(&path, &json!({ "version": 2 })).await.expect(200).json();
    assert_eq!((&nothing["version"], &nothing["updated_at"]), (&json!(2), &one["updated_at"]));
    let cleared = app.patch(&path, &json!({ "version": 2, "title": null, "note": null })).await.expect(200);
    assert_eq!((&cleared.json()["title"], &cleared.json()["version"]), (&Value::Null, &json!(3)));
}

#[tokio::test]
async fn an_edit_of_an_old_version_is_refused_and_told_the_new_one() {
    let app = TestApp::start().await;
    let code = app.shorten(STORY).await;
    let path = format!("/links/{code}");
    app.patch(&path, &json!({ "version": 1, "title": "mine" })).await.expect(200);
    for version in [1, 3, 99] {
        let answer = app.patch(&path, &json!({ "version": version, "title": "theirs" })).await;
        answer.expect_problem(409, "stale", Some("version"));
        assert_eq!(answer.json()["version"], 2);
    }
    assert_eq!(app.link(&code).await["title"], "mine");
    app.patch(&path, &json!({ "title": "blind" })).await.expect_problem(422, "missing", Some("version"));
}

#[tokio::test]
async fn of_two_edits_at_the_same_time_one_wins_and_the_other_is_told() {
    let app = TestApp::start().await;
    let code = app.shorten(STORY).await;
    let path = format!("/links/{code}");
    for version in 1..=20 {
        let (a, b) = (
            json!({ "version": version, "title": format!("a{version}") }),
            json!({ "version": version, "title": format!("b{version}") }),
        );
        let (a, b) = tokio::join!(app.patch(&path, &a), app.patch(&path, &b));
        let (won, lost) = if a.status == 200 { (a, b) } else { (b, a) };
        won.clone().expect(200);
        lost.expect_problem(409, "stale", Some("version"));
        assert_eq!(app.link(&code).await["title"], won.json()["title"]);
    }
}

#[tokio::test]
async fn every_field_can_be_set_and_cleared() {
    let app = TestApp::start().await;
    let code = app.shorten(STORY).await;
    let fields = [
        ("title", json!("T"), Value::Null),
        ("note", json!("N"), Value::Null),
        ("tags", json!(["a", "b"]), json!([])),
        ("channel", json!("x"), Value::Null),
        ("campaign", json!("c"), Value::Null),
        ("not_before", json!("2020-01-01T00:00:00Z"), Value::Null),
        ("expires_at", json!("2090-01-01T00:00:00Z"), Value::Null),
        ("expired_url", json!("https://news.example.com/gone"), Value::Null),
        ("message", json!("Sorry"), Value::Null),
        ("redirect_status", json!(308), json!(302)),
        ("forward_query", json!(true), json!(false)),
    ];
    for (field, value, cleared) in fields {
        let set = app.change(&code, json!({ field: value })).await.expect(200).json();
        assert_eq!(set[field], value, "{field}");
        let unset = app.change(&code, json!({ field: null })).await.expect(200).json();
        assert_eq!(unset[field], cleared, "{field}");
    }
    assert_eq!(app.link(&code).await["version"], 23);
}

#[tokio::test]
async fn some_fields_cannot_be_changed() {
    let app = TestApp::start().await;
    let code = app.shorten(STORY).await;
    for field in ["code", "channels", "force_new", "cms_id", "article", "reserve", "created_by", "status"] {
        let answer = app.change(&code, json!({ field: "x" })).await;
        answer.expect_problem(422, "unknown_field", Some(field));
    }
    app.patch("/links/nowhere", &json!({ "version": 1 })).await.expect_problem(404, "not_found", None);
}

#[tokio::test]
async fn another_link_in_the_way_is_a_conflict() {
    let app = TestApp::start().await;
    let plain = app.shorten(STORY).await;
    let x = app.create(json!({ "url": STORY, "channel": "x" })).await;
    let x = x["code"].as_str().unwrap();
    let answer = app.change(x, json!({ "channel": null })).await;
    assert_eq!((answer.problem().0, answer.problem().1.as_str()), (409, "conflict"));
    assert_eq!(answer.json()["link"]["code"], plain);
    assert_eq!(app.link(x).await["version"], 1);
    // Its place is free once it is retired.
    app.delete(&format!("/links/{plain}")).await.expect(204);
    app.change(x, json!({ "channel": null })).await.expect(200);
}

#[tokio::test]
async fn an_edit_can_be_taken_back() {
    let app = TestApp::start().await;
    let made = app.create(json!({ "url": STORY, "title": "First", "tags": ["a"] })).await;
    let code = made["code"].as_str().unwrap();
    app.change(code, json!({ "title": "Second", "url": "https://news.example.com/new" })).await.expect(200);
    app.change(code, json!({ "tags": ["b"], "disabled": true })).await.expect(200);
    let first = app.change(code, json!({ "revert_to": 1 })).await.expect(200).json();
    assert_eq!(first["version"], 4);
    for field in ["title", "tags", "target", "status"] {
        assert_eq!(first[field], made[field], "{field}");
    }
    let second = app.change(code, json!({ "revert_to": 2 })).await.expect(200).json();
    assert_eq!((&second["title"], &second["status"]), (&json!("Second"), &json!("active")));
    assert_eq!(app.follow(code).await.expect(302).location(), "https://news.example.com/new");
    for version in [0, 99] {
        let answer = app.change(code, json!({ "revert_to": version })).await;
        answer.expect_problem(422, "invalid_value", Some("revert_to"));
    }
    let both = app.change(code, json!({ "revert_to": 1, "title": "T" })).await;
    both.expect_problem(422, "invalid_value", Some("revert_to"));
}

#[tokio::test]
async fn a_link_cannot_close_before_it_opens() {
    let app = TestApp::start().await;
    let times =
        json!({ "url": STORY, "not_before": "2027-01-02T00:00:00Z", "expires_at": "2027-01-01T00:00:00Z" });
    app.post("/links", &times).await.expect_problem(422, "invalid_value", Some("expires_at"));
    let code = app.create(json!({ "url": STORY, "not_before": "2027-01-02T00:00:00Z" })).await;
    let answer =
        app.change(code["code"].as_str().unwrap(), json!({ "expires_at": "2027-01-02T00:00:00Z" })).await;
    answer.expect_problem(422, "invalid_value", Some("expires_at"));
}

#[tokio::test]
async fn retiring_is_for_good_and_keeps_the_numbers() {
    let app = TestApp::start().await;
    let code = app.shorten(STORY).await;
    app.follow_times(&code, 3).await;
    for _ in 0..2 {
        let answer = app.delete(&format!("/links/{code}")).await.expect(204);
        assert!(answer.body.is_empty());
    }
    let link = app.link(&code).await;
    assert_eq!((&link["status"], &link["version"]), (&json!("retired"), &json!(2)));
    assert_eq!(app.totals(&code).await, (3, 0, 0));
    let answer = app.change(&code, json!({ "title": "back" })).await;
    assert_eq!((answer.problem().0, answer.problem().1.as_str()), (409, "conflict"));
    assert_eq!(answer.json()["link"]["code"], code);
    app.delete("/links/nowhere").await.expect_problem(404, "not_found", None);
}
