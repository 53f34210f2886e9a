//! Receivers that fail, hang or have gone; and this process dying in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use slugline::units::Span;

use super::receiver::{Receiver, Reply, deliveries, hook, sending_to, settled, start, text};
use crate::harness::{Program, TestApp, eventually, json};

#[tokio::test]
async fn a_message_that_is_not_taken_is_tried_again() {
    let count = AtomicUsize::new(0);
    let receiver = Receiver::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Status(500),
        1 => Reply::With(302, "Location: /elsewhere".into()),
        _ => Reply::Status(200),
    });
    let app = start(&receiver).await;
    let made = hook(&app, &receiver.url("/in"), &["link.created"]).await;
    app.shorten("https://news.example.com/a").await;
    let all = settled(&app, &made, 1, "delivered").await;
    assert_eq!((&all[0]["attempts"], &all[0]["last_status"]), (&json!(3), &json!(200)));
    assert_eq!((&all[0]["next_at"], &all[0]["error"]), (&json!(null), &json!(null)));
    let got = receiver.got();
    assert_eq!(got.len(), 3);
    assert!(got.iter().all(|message| message.path == "/in"), "redirects are not followed");
    assert!(got.iter().all(|message| message.id() == got[0].id() && message.body == got[0].body));
    let is = app.get(&format!("/webhooks/{}", text(&made, "id"))).await.expect(200).json();
    assert_eq!(is["failing_since"], json!(null));
}

#[tokio::test]
async fn what_was_given_up_is_sent_again_by_hand() {
    let good = Arc::new(AtomicBool::new(false));
    let is_good = Arc::clone(&good);
    let receiver =
        Receiver::start(move |_| Reply::Status(if is_good.load(Ordering::SeqCst) { 200 } else { 503 }));
    let app = start(&receiver).await;
    let made = hook(&app, &receiver.url("/in"), &["link.created"]).await;
    let code = app.shorten("https://news.example.com/a").await;
    let all = settled(&app, &made, 1, "failed").await;
    assert_eq!(
        (&all[0]["attempts"], &all[0]["last_status"], &all[0]["code"]),
        (&json!(4), &json!(503), &json!(code))
    );
    assert!(text(&all[0], "error").contains("503"));
    let id = text(&made, "id");
    let is = app.get(&format!("/webhooks/{id}")).await.expect(200).json();
    assert!(is["failing_since"].is_string() && is["disabled_at"].is_null(), "{is}");
    good.store(true, Ordering::SeqCst);
    let retry = format!("/webhooks/{id}/deliveries/{}/retry", text(&all[0], "id"));
    let again = app.post(&retry, &json!({})).await.expect(202).json();
    assert_eq!(again["status"], "waiting");
    let all = settled(&app, &made, 1, "delivered").await;
    assert_eq!(all[0]["attempts"], 5);
    let unknown = app.post(&format!("/webhooks/{id}/deliveries/nothing/retry"), &json!({})).await;
    unknown.expect_problem(404, "not_found", None);
}

#[tokio::test]
async fn who_has_gone_is_told_nothing_any_more() {
    let receiver = Receiver::start(|message| Reply::Status(if message.path == "/gone" { 410 } else { 200 }));
    let app = start(&receiver).await;
    let gone = hook(&app, &receiver.url("/gone"), &["link.created"]).await;
    let here = hook(&app, &receiver.url("/here"), &["link.created"]).await;
    app.shorten("https://news.example.com/a").await;
    let path = format!("/webhooks/{}", text(&gone, "id"));
    let is = eventually("it is disabled", async || {
        let is = app.get(&path).await.expect(200).json();
        is["disabled_at"].is_string().then_some(is)
    })
    .await;
    assert!(text(&is, "disabled_why").contains("410"));
    app.shorten("https://news.example.com/b").await;
    settled(&app, &here, 2, "delivered").await;
    assert_eq!(settled(&app, &gone, 1, "failed").await.len(), 1);
    let audit = app.get("/audit").await.expect(200).json();
    let line = audit["items"].as_array().unwrap().iter().find(|line| line["action"] == "webhook.disabled");
    assert_eq!(line.unwrap()["object"], format!("webhook:{}", text(&gone, "id")));
    app.post(&format!("{path}/test"), &json!({})).await.expect_problem(409, "conflict", Some("id"));
    // It goes on when an admin says so.
    let change = json!({ "version": is["version"], "disabled": false, "url": receiver.url("/here") });
    let on = app.patch(&path, &change).await.expect(200).json();
    assert_eq!((&on["disabled_at"], &on["failing_since"]), (&json!(null), &json!(null)));
    app.post(&format!("{path}/test"), &json!({})).await.expect(202);
    eventually("the test arrives", async || {
        receiver.at("/here").iter().any(|message| message.event() == "test").then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_fails_for_too_long_is_told_nothing_any_more() {
    let receiver = Receiver::start(|_| Reply::Status(500));
    let app = TestApp::start_with(|config| {
        sending_to(&[&receiver])(config);
        config.webhooks.retry_after = vec![Span(Duration::from_millis(50)); 20];
        config.webhooks.disable_after = Span(Duration::from_millis(400));
    })
    .await;
    let made = hook(&app, &receiver.url("/in"), &["link.created"]).await;
    app.shorten("https://news.example.com/a").await;
    let path = format!("/webhooks/{}", text(&made, "id"));
    let why = eventually("it is disabled", async || {
        let is = app.get(&path).await.expect(200).json();
        is["disabled_why"].as_str().map(str::to_owned)
    })
    .await;
    assert!(why.contains("it has taken nothing since"), "{why}");
    // What waits, waits.
    assert_eq!(deliveries(&app, &made).await[0]["status"], "waiting");
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_nobody() {
    let receiver = Receiver::start(|message| match message.path.as_str() {
        "/hangs" => Reply::Hang,
        _ => Reply::Status(200),
    });
    let app = TestApp::start_with(|config| {
        sending_to(&[&receiver])(config);
        config.webhooks.deadline = Span(Duration::from_secs(30));
    })
    .await;
    let hangs = hook(&app, &receiver.url("/hangs"), &["link.created"]).await;
    let good = hook(&app, &receiver.url("/good"), &["link.created"]).await;
    app.shorten("https://news.example.com/first").await;
    receiver.wait("/hangs", 1).await;
    let began = Instant::now();
    for n in 0..20 {
        app.shorten(&format!("https://news.example.com/{n}")).await;
    }
    settled(&app, &good, 21, "delivered").await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    let all = deliveries(&app, &hangs).await;
    assert!(all.len() == 21 && all.iter().all(|one| one["status"] == "waiting"), "{all:?}");
    assert_eq!(receiver.at("/hangs").len(), 1, "one at a time");
}

#[tokio::test]
async fn what_was_on_its_way_survives_a_kill() {
    let open = Arc::new(AtomicBool::new(false));
    let opens = Arc::clone(&open);
    let receiver =
        Receiver::start(move |_| Reply::Status(if opens.load(Ordering::SeqCst) { 200 } else { 500 }));
    let hosts = format!("articles.fetch_private_hosts={}", receiver.host());
    let mut program =
        Program::start_with(&[&hosts, "webhooks.retry_after=100ms,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s"]).await;
    let made = hook(&program, &receiver.url("/in"), &["link.created"]).await;
    let codes = [
        program.shorten("https://news.example.com/a").await,
        program.shorten("https://news.example.com/b").await,
    ];
    program.signal(rustix::process::Signal::KILL);
    program.ended();
    open.store(true, Ordering::SeqCst);
    program.restart().await;
    settled(&program, &made, 2, "delivered").await;
    let got = receiver.at("/in");
    for code in codes {
        assert!(got.iter().any(|message| message.code() == code), "{code}");
    }
    assert!(got.iter().all(|message| message.is_signed_with(text(&made, "secret"))));
    assert!(!program.stderr().join("\n").contains("whsec_"));
}
