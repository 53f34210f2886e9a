//! Asking for a digest, confirming it, ending it.

use http::Method;
use mail_parser::MessageParser;

use super::{is_due, this_hour};
use crate::harness::smtp::{Mood, Smtp};
use crate::harness::{TestApp, cli, eventually};
use crate::pages::forms::{form, get, path_of, post};
use crate::sessions::browser::{Browser, add_user};

const ME: &str = "/-/me/digest";

/// The address in a mail that begins so.
fn address(mail: &crate::harness::smtp::Mail, path: &str) -> String {
    let read = MessageParser::default().parse(&mail.data).unwrap();
    let text = read.body_text(0).unwrap().into_owned();
    let url = text.split_whitespace().find(|word| word.contains(path)).unwrap_or_else(|| panic!("{text}"));
    path_of(url)
}

fn wanted(email: &'static str) -> [(&'static str, &'static str); 4] {
    [("do", "save"), ("email", email), ("every", "weekly"), ("hour", "6")]
}

#[tokio::test]
async fn an_address_is_used_when_it_was_confirmed_from_there() {
    let smtp = Smtp::start(Mood::Good);
    let app = TestApp::start_with(|config| smtp.configure(config)).await;
    let ana = Browser::new(&app, "Ana<b>", "viewer").await;
    post(&ana, ME, &wanted("ana@post.example")).await.expect(303);
    let mails = smtp.wait(1).await;
    assert_eq!(mails[0].to, ["ana@post.example"]);
    assert!(get(&ana, "/-/me").await.text().contains("A link was sent to <strong>ana@post.example"));
    let link = address(&mails[0], "/-/digest/confirm");
    // Whoever looks, and however often, has confirmed nothing.
    for _ in 0..2 {
        let text = app.http.get(&link).await.expect(200).text();
        assert!(text.contains("ana@post.example") && !text.contains("Ana<b>"), "{text}");
    }
    assert!(!get(&ana, "/-/me").await.text().contains("It goes to"));
    let nobody = Browser { http: app.http.clone(), cookie: String::new() };
    let token = link.split_once("token=").unwrap().1.to_owned();
    let pairs = [("token", token.as_str())];
    let elsewhere = form(&nobody, "/-/digest/confirm", &pairs).header("sec-fetch-site", "cross-site");
    assert_eq!(elsewhere.send().await.status, 403);
    post(&nobody, "/-/digest/confirm", &pairs).await.expect(200);
    assert_eq!(post(&nobody, "/-/digest/confirm", &pairs).await.status, 404, "once");
    let text = get(&ana, "/-/me").await.text();
    assert!(text.contains("It goes to <strong>ana@post.example</strong>, Mondays, 06:00"), "{text}");
    assert!(!text.contains("A link was sent"));

    // Another rhythm needs no other word of theirs; another address does.
    let daily = [("do", "save"), ("email", "ana@post.example"), ("every", "daily"), ("hour", "17")];
    post(&ana, ME, &daily).await.expect(303);
    assert!(get(&ana, "/-/me").await.text().contains("daily, 17:00"));
    post(&ana, ME, &wanted("other@post.example")).await.expect(303);
    assert_eq!(smtp.wait(2).await[1].to, ["other@post.example"]);
    let text = get(&ana, "/-/me").await.text();
    assert!(text.contains("It goes to <strong>ana@post.example"), "{text}");
    // Ended, and with it what was not confirmed yet.
    post(&ana, ME, &[("do", "end")]).await.expect(303);
    let text = get(&ana, "/-/me").await.text();
    assert!(!text.contains("It goes to") && !text.contains("other@post.example"), "{text}");
    let audit = app.all("/audit").await.iter().map(ToString::to_string).collect::<String>();
    assert!(audit.contains("digest.created") && audit.contains("digest.removed"), "{audit}");
    assert!(!audit.contains("@post.example"), "the audit is kept for years: {audit}");
}

#[tokio::test]
async fn what_cannot_be_is_said_beside_the_field() {
    let smtp = Smtp::start(Mood::Good);
    let app = TestApp::start_with(|config| smtp.configure(config)).await;
    let ana = Browser::new(&app, "Ana", "viewer").await;
    for bad in
        ["", "ana", "a@b@c", "ana@post.example\r\nBcc: x@evil.example", "a b@post.example", "<a@b.example>"]
    {
        let answer =
            post(&ana, ME, &[("do", "save"), ("email", bad), ("every", "daily"), ("hour", "7")]).await;
        assert_eq!(answer.status, 422, "{bad}");
        assert!(answer.text().contains("id=\"email-wrong\""), "{bad}");
    }
    for (every, hour) in [("hourly", "7"), ("daily", "24"), ("daily", "x"), ("daily", "-1")] {
        let pairs = [("do", "save"), ("email", "ana@post.example"), ("every", every), ("hour", hour)];
        assert_eq!(post(&ana, ME, &pairs).await.status, 422, "{every} {hour}");
    }
    // Nobody is flooded with what they did not ask for.
    for n in 0..5 {
        let email = format!("a{n}@post.example");
        let pairs = [("do", "save"), ("email", email.as_str()), ("every", "daily"), ("hour", "7")];
        post(&ana, ME, &pairs).await.expect(303);
    }
    assert_eq!(post(&ana, ME, &wanted("a5@post.example")).await.status, 429);
    assert_eq!(smtp.mails().len(), 5);
    smtp.set(Mood::Refuses(550));
    let maria = Browser::new(&app, "Maria", "viewer").await;
    let answer = post(&maria, ME, &wanted("m@post.example")).await;
    assert!(
        answer.status == 409 && answer.text().contains("refuses it (550): use another address"),
        "{}",
        answer.text()
    );
    assert!(!get(&maria, "/-/me").await.text().contains("A link was sent"));

    let without = TestApp::start().await;
    let vera = Browser::new(&without, "Vera", "viewer").await;
    assert!(get(&vera, "/-/me").await.text().contains("No mail is sent here"));
    assert_eq!(post(&vera, ME, &wanted("vera@post.example")).await.status, 409);
}

#[tokio::test]
async fn admins_see_who_gets_what_and_may_give_and_end_it() {
    let smtp = Smtp::start(Mood::Good);
    let app = TestApp::start_with(|config| smtp.configure(config)).await;
    let (admin, vera) =
        (Browser::new(&app, "Maria", "admin").await, Browser::new(&app, "Vera", "editor").await);
    let settings = "/-/settings/digests";
    let set = [
        ("form", "new"),
        ("do", "set"),
        ("user", "Vera"),
        ("email", "vera@post.example"),
        ("every", "daily"),
        ("hour", "7"),
    ];
    for refused in [get(&vera, settings).await, post(&vera, settings, &set).await] {
        assert_eq!(refused.status, 403);
    }
    post(&admin, settings, &set).await.expect(303);
    let text = get(&admin, settings).await.expect(200).text();
    assert!(text.contains("vera@post.example") && text.contains("daily, 07:00"), "{text}");
    assert!(get(&vera, "/-/me").await.text().contains("It goes to <strong>vera@post.example"));
    let mut wrong = set;
    wrong[3].1 = "nobody";
    assert!(post(&admin, settings, &wrong).await.text().contains("new-email-wrong"));
    wrong[2].1 = "Nobody";
    assert_eq!(post(&admin, settings, &wrong).await.status, 404);
    post(&admin, settings, &[("do", "end"), ("user", "Vera")]).await.expect(303);
    assert!(!get(&admin, settings).await.text().contains("vera@post.example"));
    assert!(smtp.mails().is_empty(), "nothing was due");
}

#[tokio::test]
async fn a_digest_is_ended_by_one_post_from_anywhere() {
    let smtp = Smtp::start(Mood::Good);
    let app = TestApp::start_with(|config| smtp.configure(config)).await;
    let ana = Browser::new(&app, "Ana", "viewer").await;
    is_due(&app.config, "Ana", "ana@post.example").await;
    let mails = smtp.wait(1).await;
    let link = address(&mails[0], "/-/digest/end");
    assert!(app.http.get(&link).await.expect(200).text().contains("No more digests?"));
    assert!(get(&ana, "/-/me").await.text().contains("It goes to"));
    for _ in 0..2 {
        let answer = app.http.call(Method::POST, &link).header("origin", "https://mail.example");
        let answer =
            answer.text("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click").send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert!(!get(&ana, "/-/me").await.text().contains("It goes to"));
    for wrong in ["", "x", &"A".repeat(43)] {
        let path = format!("/-/digest/end?token={wrong}");
        app.http.get(&path).await.expect(404);
        app.http.call(Method::POST, &path).send().await.expect(404);
    }
    // What ends one digest lets nobody in, and confirms nothing.
    let token = link.split_once("token=").unwrap().1;
    app.http.get(&format!("/-/digest/confirm?token={token}")).await.expect(404);
    app.http.get(&format!("/-/login?token={token}")).await.expect(401);
}

#[tokio::test]
async fn who_is_disabled_gets_nothing_any_more() {
    let smtp = Smtp::start(Mood::Good);
    let app = TestApp::start_with(|config| smtp.configure(config)).await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    for name in ["Ana", "Vera", "Zoe"] {
        add_user(&app, name, "viewer").await;
    }
    let set = |user: &'static str| {
        [
            ("form", "new"),
            ("do", "set"),
            ("user", user),
            ("email", "x@post.example"),
            ("every", "daily"),
            ("hour", "7"),
        ]
    };
    for user in ["Ana", "Vera"] {
        post(&admin, "/-/settings/digests", &set(user)).await.expect(303);
    }
    cli::on(app.data(), &["user", "disable", "ana"]).done();
    app.patch("/users/Vera", &crate::harness::json!({ "disabled": true })).await.expect(200);
    eventually("both are gone", async || {
        (!get(&admin, "/-/settings/digests").await.text().contains("x@post.example")).then_some(())
    })
    .await;
    assert_eq!(post(&admin, "/-/settings/digests", &set("Vera")).await.status, 409);
    // Back again, without what was there before; and whatever is kept of one who is disabled is not used.
    cli::on(app.data(), &["user", "enable", "Ana"]).done();
    is_due(&app.config, "Vera", "vera@post.example").await;
    is_due(&app.config, "Zoe", "zoe@post.example").await;
    let mails = smtp.wait(1).await;
    assert_eq!(
        mails.iter().map(|mail| &mail.to[0]).collect::<Vec<_>>(),
        ["zoe@post.example"],
        "{}",
        this_hour()
    );
    assert!(!get(&admin, "/-/settings/digests").await.text().contains("ana@"));
}
