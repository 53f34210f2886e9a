//! A link's and a story's page as forms: what is refused is shown again as it was typed, with the reason beside it; what
//! is done can be taken back; and what a share shows.

use super::forms::{get, path_of, post};
use crate::harness::{BROWSER, TestApp, Value, json};
use crate::sessions::browser::Browser;

const LINK: &str = "/-/links/tram";

async fn story(app: &TestApp) -> Value {
    let article = json!({ "title": "Tram line approved", "section": "City" });
    let link = json!({ "url": "https://news.example.com/tram", "code": "tram", "title": "Tram line approved",
        "tags": ["inner-circle"], "campaign": "spring", "article": article });
    app.create(link).await
}

/// The page of the link's story.
fn page_of(link: &Value) -> String {
    format!("/-/articles/{}", link["article"]["id"].as_str().unwrap())
}

/// The value that a hidden field or button of this name has.
fn value(text: &str, name: &str) -> String {
    let after =
        text.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name}: {text}")).1;
    after.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn what_was_typed_is_kept_and_errors_stand_beside_their_fields() {
    let app = TestApp::start().await;
    let link = story(&app).await;
    let ana = Browser::new(&app, "Ana", "editor").await;
    let version = link["version"].to_string();
    let typed = [("version", version.as_str()), ("note", "my long typed note")];
    let table = [
        ("url", "nonsense", 422),
        ("not_before", "soon", 422),
        ("expired_url", "nonsense", 422),
        ("redirect_status", "303", 422),
    ];
    for (name, said, status) in table {
        let answer = post(&ana, LINK, &[&typed[..], &[(name, said)]].concat()).await;
        let text = answer.text();
        assert_eq!(answer.status, status, "{name}: {text}");
        let marked = format!("aria-describedby=\"{name}-wrong\"");
        for there in [
            &marked,
            &format!("id=\"{name}-wrong\""),
            "value=\"my long typed note\"",
            "<details class=\"noprint\" id=\"change\" open>",
        ] {
            assert!(text.contains(there), "{name}: {there}: {text}");
        }
        assert!(name == "redirect_status" || text.contains(&format!("value=\"{said}\"")), "{name}");
    }
    let carl = Browser::new(&app, "Carl", "creator").await;
    assert_eq!(post(&carl, LINK, &typed).await.status, 403);
    assert_eq!(post(&carl, LINK, &[&typed[..], &[("not_before", "soon")]].concat()).await.status, 403);
    let retire = post(&ana, "/-/links/tram/retire", &[("code", "trem")]).await.expect(422).text();
    assert!(retire.contains("id=\"retire-wrong\""), "{retire}");
    assert_eq!(app.link("tram").await["version"], link["version"]);
}

#[tokio::test]
async fn two_who_change_a_link_see_what_each_other_did() {
    let app = TestApp::start().await;
    let version = story(&app).await["version"].to_string();
    let (ana, ben) = (Browser::new(&app, "Ana", "editor").await, Browser::new(&app, "Ben", "editor").await);
    let by_ana = [("version", version.as_str()), ("note", "Ana's note"), ("message", "Ana's message")];
    post(&ana, LINK, &by_ana).await.expect(303);
    // Ben's form has all fields as they were.
    let by_ben =
        [("version", version.as_str()), ("note", "Ben's note"), ("message", ""), ("campaign", "summer")];
    let text = post(&ben, LINK, &by_ben).await.expect(409).text();
    assert!(text.contains("Ana, note: nothing → Ana"), "{text}");
    assert!(text.contains("id=\"note-wrong\">Meanwhile it was changed to: Ana"), "{text}");
    assert!(text.contains("value=\"summer\"") && text.contains("value=\"Ben&#39;s note\""), "{text}");
    assert!(text.contains("value=\"Ana&#39;s message\""), "what Ben left alone is Ana's: {text}");
    let now = value(&text, "version");
    let again = [
        ("version", now.as_str()),
        ("note", "Ben's note"),
        ("message", "Ana's message"),
        ("campaign", "summer"),
    ];
    post(&ben, LINK, &again).await.expect(303);
    let link = app.link("tram").await;
    assert_eq!(
        [&link["note"], &link["message"], &link["campaign"]],
        ["Ben's note", "Ana's message", "summer"]
    );
}

#[tokio::test]
async fn all_of_a_link_can_be_changed_by_its_form() {
    let app = TestApp::start().await;
    let version = story(&app).await["version"].to_string();
    let ana = Browser::new(&app, "Ana", "editor").await;
    let form = [
        ("version", version.as_str()),
        ("expired_url", "https://news.example.com/after"),
        ("campaign", "summer"),
        ("confidential", "true"),
        ("redirect_status", "307"),
        ("disabled", "true"),
    ];
    post(&ana, LINK, &form).await.expect(303);
    let link = app.link("tram").await;
    assert_eq!(link["expired_url"], "https://news.example.com/after");
    assert_eq!([&link["campaign"], &link["redirect_status"]], [&json!("summer"), &json!(307)]);
    assert_eq!([&link["confidential"], &link["status"]], [&json!(true), &json!("disabled")]);
}

#[tokio::test]
async fn a_note_that_is_refused_stays_where_it_was_posted() {
    let app = TestApp::start().await;
    let page = page_of(&story(&app).await);
    let ana = Browser::new(&app, "Ana", "editor").await;
    let notes = format!("{page}/notes");
    for (back, heading) in [(LINK, "<h2>This link</h2>"), (page.as_str(), "<h2>Links of this story</h2>")] {
        let sent = [("text", "push"), ("at", "soon"), ("back", back)];
        let text = post(&ana, &notes, &sent).await.expect(422).text();
        assert!(text.contains(heading) && text.contains("id=\"noted-wrong\""), "{back}: {text}");
        assert!(text.contains("value=\"push\""), "{back}");
    }
}

#[tokio::test]
async fn a_story_is_withdrawn_moved_and_put_back_by_its_page() {
    let app = TestApp::start().await;
    let link = story(&app).await;
    let page = page_of(&link);
    let (ana, carl) =
        (Browser::new(&app, "Ana", "editor").await, Browser::new(&app, "Carl", "creator").await);
    let version = || async { value(&get(&ana, &page).await.expect(200).text(), "version") };
    let read =
        || async { app.get(&format!("/articles/{}", link["article"]["id"].as_str().unwrap())).await.json() };

    assert!(!get(&carl, &page).await.expect(200).text().contains("Withdraw this story"));
    let first = version().await;
    let withdraw = [("version", first.as_str()), ("do", "withdraw"), ("message", "It was not true.")];
    assert_eq!(post(&carl, &page, &withdraw).await.status, 403);
    post(&ana, &page, &withdraw).await.expect(303);
    assert_eq!(read().await["withdrawn"], true);
    let late = [("version", first.as_str()), ("do", "move"), ("url", "https://news.example.com/late")];
    let text = post(&ana, &page, &late).await.expect(409).text();
    assert!(
        text.contains("value=\"https://news.example.com/late\"") && text.contains("role=\"alert\""),
        "{text}"
    );

    let now = version().await;
    post(&ana, &page, &[("version", &now), ("do", "restore")]).await.expect(303);
    assert_eq!(read().await["withdrawn"], false);
    let now = version().await;
    let wrong = [("version", now.as_str()), ("do", "move"), ("url", "https://elsewhere.example/a")];
    let text = post(&ana, &page, &wrong).await.expect(422).text();
    assert!(text.contains("id=\"url-wrong\""), "{text}");
    post(&ana, &page, &[("version", &now), ("do", "move"), ("url", "https://news.example.com/tram-2")])
        .await
        .expect(303);
    assert_eq!(app.follow("tram").await.location(), "https://news.example.com/tram-2");

    // Its history says so, and the last of it can be undone.
    let text = get(&ana, &page).await.expect(200).text();
    assert!(text.contains("withdrawn: no → yes") && text.matches("name=\"undo\"").count() == 1, "{text}");
    let (now, undo) = (version().await, value(&text, "undo"));
    post(&ana, &page, &[("version", &now), ("undo", &undo)]).await.expect(303);
    assert_eq!(app.follow("tram").await.location(), "https://news.example.com/tram");
    let now = version().await;
    assert_eq!(post(&ana, &page, &[("version", &now), ("undo", &undo)]).await.status, 409);
}

#[tokio::test]
async fn the_hours_of_the_week_are_there_when_somebody_came() {
    let app = TestApp::start().await;
    let page = page_of(&story(&app).await);
    let ana = Browser::new(&app, "Ana", "editor").await;
    for path in [LINK, &page] {
        assert!(!get(&ana, path).await.expect(200).text().contains("class=\"heat\""), "{path}");
    }
    app.follow_with("tram", &[("user-agent", BROWSER)]).await.expect(302);
    app.settle().await;
    for path in [LINK, &page] {
        let text = get(&ana, path).await.expect(200).text();
        assert!(text.contains("class=\"heat\"") && text.contains("tab=times"), "{path}");
    }
}

#[tokio::test]
async fn a_share_is_of_what_strangers_may_see() {
    let app = TestApp::start().await;
    let page = page_of(&story(&app).await);
    let ana = Browser::new(&app, "Ana", "editor").await;
    let secret = json!({ "url": "https://news.example.com/scoop", "code": "later", "confidential": true,
        "not_before": "2099-01-01T00:00:00Z" });
    ana.post("/links", &secret).await.expect(201);
    let table = [
        ("/-/reports/csv", 422),
        ("/-/reportsx", 422),
        ("/-/links/", 404),
        ("/-/links/tram/retire", 422),
        ("/-/links/nope", 404),
        ("/-/links/tram?period=7d&share=x", 422),
        ("/-/links/tram?from=never", 422),
        ("/-/links/later", 409),
        ("/-/articles/nope", 404),
        ("/-/reports?scope=link:later", 404),
        ("/-/live", 422),
        ("https://evil.example/-/links/tram", 422),
        (LINK, 201),
        (&page, 201),
        ("/-/reports?tab=source&period=7d", 201),
    ];
    for (view, status) in table {
        let answer = post(&ana, "/-/share", &[("view", view), ("name", "s")]).await;
        assert_eq!(answer.status, status, "{view}: {}", answer.text());
        if status == 201 {
            let text = answer.text();
            let url =
                text.split_once("id=\"shared\">").unwrap().1.split_once('<').unwrap().0.replace("&#38;", "&");
            let shown = app.http.get(&path_of(&url)).await.expect(200).text();
            for internal in ["inner-circle", "spring", "Ana", "History", "qr.svg", "Withdraw"] {
                assert!(!shown.contains(internal), "{view}: {internal}: {shown}");
            }
        }
    }
}
