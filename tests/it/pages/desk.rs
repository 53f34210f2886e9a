//! The desk over HTTP: by forms alone.

use super::forms::{get, post};
use crate::harness::{TestApp, json};
use crate::sessions::browser::Browser;

async fn own_hosts() -> TestApp {
    TestApp::start_with(|c| {
        c.articles.allowed_hosts = vec!["news.example.com".into()];
        c.articles.fetch = false;
    })
    .await
}

#[tokio::test]
async fn the_card_says_what_there_is_and_what_would_be_dropped() {
    let app = own_hosts().await;
    let link = json!({ "url": "https://news.example.com/tram", "code": "tram",
        "article": { "title": "Tram line approved", "section": "City", "authors": ["Ana Petrović"] } });
    app.create(link).await;
    app.follow_times("tram", 2).await;
    app.settle().await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let pasted = "https%3A%2F%2Fnews.example.com%2Famp%2Ftram%3Futm_source%3Dnl%26fbclid%3D1";
    for path in [format!("/-/card?url={pasted}"), format!("/-/new?url={pasted}")] {
        let text = get(&maria, &path).await.expect(200).text();
        for said in ["Tram line approved", "City · Ana Petrović", "/-/links/tram", "2 clicks since"] {
            assert!(text.contains(said), "{path}: {said}: {text}");
        }
        assert!(text.contains("AMP form and two tracking parameters dropped."), "{text}");
    }
    let wrong = get(&maria, "/-/card?url=http%3A%2F%2F").await.expect(200).text();
    assert!(wrong.contains("class=\"wrong\""), "{wrong}");
}

#[tokio::test]
async fn a_code_is_free_taken_or_none() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "Night", "title": "Election <night>" }))
        .await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let table = [
        ("day", "day is free."),
        ("NIGHT", "Night is taken: Election &#60;night&#62;"),
        ("api", "is a page of this service"),
        ("a%20b", "a code is 1 to 64"),
    ];
    for (code, said) in table {
        let text = get(&maria, &format!("/-/code?code={code}")).await.expect(200).text();
        assert!(text.contains(said), "{code}: {text}");
    }
    let secret = json!({ "url": "https://news.example.com/scoop", "code": "later", "title": "Scoop",
        "confidential": true, "not_before": "2099-01-01T00:00:00Z" });
    maria.post("/links", &secret).await.expect(201);
    let vera = Browser::new(&app, "Vera", "editor").await;
    let text = get(&vera, "/-/code?code=later").await.expect(200).text();
    assert!(text.contains("taken") && !text.contains("Scoop"), "{text}");
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_an_undo_takes_back_its_own() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://news.example.com/old", "code": "night" })).await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let url = ("urls", "https://news.example.com/a");
    let wrong = post(&maria, "/-/", &[url, ("code", "night")]).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text());
    let text = wrong.text();
    assert!(text.contains("id=\"code-says\" aria-live=\"polite\"><span class=\"wrong\">"), "{text}");
    let wrong = post(&maria, "/-/", &[url, ("not_before", "soon")]).await.expect(422).text();
    assert!(wrong.contains("aria-describedby=\"not_before-wrong\""), "{wrong}");

    let made = post(&maria, "/-/", &[url]).await.expect(303).location().to_owned();
    let code = made.split_once("new=").unwrap().1.to_owned();
    let again = post(&maria, "/-/", &[url]).await.expect(303).location().to_owned();
    assert!(!again.contains("new="), "{again}: it was there already");
    let text = get(&maria, &made).await.expect(200).text();
    for there in
        ["action=\"/-/undo\"", "qr.svg?size=1024", "qr.png?size=1024", "mailto:?", "https://wa.me/?text="]
    {
        assert!(text.contains(there), "{there}: {text}");
    }
    // Not what others made, nor what was there.
    let undone = post(&maria, "/-/undo", &[("code", &code), ("code", "night")]).await.expect(303);
    assert_eq!(undone.location(), format!("/-/?undone={code}&not=night"));
    let text = get(&maria, undone.location()).await.expect(200).text();
    assert!(
        text.contains("Taken back: the link is gone") && text.contains("night, because a colleague made it")
    );
    assert_eq!(app.link(&code).await["status"], "retired");
    assert_eq!(app.link("night").await["status"], "active");
}

#[tokio::test]
async fn a_thousand_lines_fit_and_what_is_too_much_is_refused() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let filler = "a".repeat(120);
    // Every second is none, so that no store has to keep a thousand links for this.
    let line = |n: usize| {
        if n.is_multiple_of(100) {
            format!("https://news.example.com/{n}/{filler}")
        } else {
            format!("none {n} {filler}")
        }
    };
    let lines: Vec<String> = (0..1_000).map(line).collect();
    let text = post(&maria, "/-/", &[("urls", &lines.join("\n"))]).await.expect(200).text();
    assert!(
        text.contains("10 links, and 990 lines that are none") && text.contains("990 lines are"),
        "{text}"
    );
    // What failed is still in the field, and what did not is not.
    let field = text.split_once("<textarea").unwrap().1.split_once("</textarea>").unwrap().0;
    assert_eq!((field.matches("none ").count(), field.contains("https://news")), (990, false));
    let many = format!("{}\nx", lines.join("\n"));
    assert_eq!(post(&maria, "/-/", &[("urls", &many)]).await.status, 422);
    let huge = "x".repeat(5 << 20);
    assert_eq!(post(&maria, "/-/", &[("urls", &huge)]).await.status, 413);
}

#[tokio::test]
async fn a_table_that_went_well_is_in_its_address() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let two = "https://news.example.com/1\nhttps://news.example.com/2";
    let made = post(&maria, "/-/", &[("urls", two)]).await.expect(303).location().to_owned();
    for _ in 0..2 {
        let text = get(&maria, &made).await.expect(200).text();
        assert!(
            text.contains("2 links") && text.contains("id=\"lines\"") && text.contains("/-/undo"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn who_is_signed_out_comes_back_to_what_was_pasted() {
    let app = TestApp::start().await;
    let mut maria = Browser::new(&app, "Maria", "creator").await;
    maria.cookie = "slugline=gone".into();
    let table = [
        (
            "https://a.example/x?y=1",
            "/-/login?next=/-/new%3Furl%3Dhttps%253A%252F%252Fa.example%252Fx%253Fy%253D1",
        ),
        ("https://a.example/1\nhttps://a.example/2", "/-/login"),
    ];
    for (urls, to) in table {
        assert_eq!(post(&maria, "/-/", &[("urls", urls)]).await.expect(303).location(), to);
    }
    // No more is read from who is nobody than from anybody.
    let large = "x".repeat(100_000);
    assert_eq!(post(&maria, "/-/", &[("urls", &large)]).await.expect(303).location(), "/-/login");
}

#[tokio::test]
async fn one_mistake_is_said_once_and_unfolds_only_its_own_field() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let table = [
        ("hello", "one begins with https://"),
        ("http://user:pw@host/a", "user name or password"),
        ("http://x:99999/", "invalid port"),
    ];
    for (urls, said) in table {
        let text = post(&maria, "/-/", &[("urls", urls)]).await.expect(422).text();
        assert_eq!(
            (text.matches("role=\"alert\"").count(), text.contains(said)),
            (1, true),
            "{urls}: {text}"
        );
        assert!(text.contains("<details><summary>More"), "{text}");
        let query = url::form_urlencoded::byte_serialize(urls.as_bytes()).collect::<String>();
        let text = get(&maria, &format!("/-/new?url={query}")).await.expect(200).text();
        assert_eq!(
            (text.matches("role=\"alert\"").count(), text.contains(said)),
            (1, true),
            "{urls}: {text}"
        );
    }
    let past = [("urls", "https://a.example/1"), ("expires_at", "2020-01-01T00:00")];
    let text = post(&maria, "/-/", &past).await.expect(422).text();
    assert!(text.contains("expires_at-wrong") && text.contains("<details open><summary>More"), "{text}");
    assert!(app.all("/links").await.is_empty());
}

#[tokio::test]
async fn an_undo_tells_the_truth() {
    let app = TestApp::start().await;
    app.create(json!({ "url": "https://a.example/theirs", "code": "theirs" })).await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    for code in ["kept", "mine"] {
        let pairs = [("urls", format!("https://a.example/{code}")), ("code", code.to_owned())];
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        post(&maria, "/-/", &pairs).await.expect(303);
    }
    post(&maria, "/-/links/kept", &[("version", "1"), ("note", "used")]).await.expect(303);
    // Of a colleague's and of one that was changed nothing is offered.
    for (code, offered) in [("theirs", false), ("kept", false), ("mine", true)] {
        let text = get(&maria, &format!("/-/?made={code}&new={code}")).await.expect(200).text();
        assert_eq!(text.contains("/-/undo"), offered, "{code}");
    }
    let codes = ["mine", "kept", "theirs", "nowhere"].map(|code| ("code", code));
    let undone = post(&maria, "/-/undo", &codes).await.expect(303).location().to_owned();
    let text = get(&maria, &undone).await.expect(200).text();
    for said in [
        "the link is gone",
        "kept, because it was changed",
        "theirs, because a coll",
        "nowhere, because there is no",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_eq!(
        (app.link("mine").await["status"].clone(), app.link("kept").await["status"].clone()),
        (json!("retired"), json!("active"))
    );
    // An address claims nothing.
    for claim in ["5", "kept", "theirs,kept"] {
        assert!(!get(&maria, &format!("/-/?undone={claim}")).await.text().contains("Taken back"), "{claim}");
    }
}

#[tokio::test]
async fn a_code_is_reserved_and_all_that_a_link_can_have_is_said() {
    let app = TestApp::start().await;
    let maria = Browser::new(&app, "Maria", "creator").await;
    let reserved = [("code", "poster"), ("reserve", "on"), ("link_title", "Festival"), ("note", "printed")];
    let made = post(&maria, "/-/", &reserved).await.expect(303).location().to_owned();
    assert!(made.contains("made=poster"), "{made}");
    let link = app.link("poster").await;
    assert_eq!((&link["status"], &link["title"]), (&json!("reserved"), &json!("Festival")));
    let url = ("urls", "https://a.example/1");
    assert_eq!(post(&maria, "/-/", &[url, ("reserve", "on")]).await.status, 422);
    let all = [
        url,
        ("code", "all"),
        ("expires_at", "2098-01-01T00:00"),
        ("expired_url", "https://a.example/over"),
        ("redirect_status", "307"),
    ];
    post(&maria, "/-/", &all).await.expect(303);
    let link = app.link("all").await;
    assert_eq!(
        (&link["expired_url"], &link["redirect_status"]),
        (&json!("https://a.example/over"), &json!(307))
    );
    let text = post(&maria, "/-/", &[url, ("expired_url", "nowhere")]).await.expect(422).text();
    assert!(text.contains("expired_url-wrong"), "{text}");
    let again = post(&maria, "/-/", &[url, ("force_new", "on")]).await.expect(303).location().to_owned();
    assert!(again.contains("new="), "{again}");
}
