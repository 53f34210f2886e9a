//! Each event is told, signed, once; what is confidential is not told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::receiver::{Message, Receiver, Reply, hook, sending_to, settled, start, text};
use crate::harness::{TestApp, eventually, json};

fn of<'a>(got: &'a [Message], event: &str) -> Vec<&'a Message> {
    got.iter().filter(|message| message.event() == event).collect()
}

#[tokio::test]
async fn each_event_arrives_once_with_its_signature() {
    let receiver = Receiver::good();
    let app = start(&receiver).await;
    let made = hook(&app, &receiver.url("/in"), &[]).await;
    let (secret, by) = (text(&made, "secret"), format!("key:{}", app.key_id()));
    let link =
        app.create(json!({ "url": "https://news.example.com/a", "title": "A story", "channel": "x" })).await;
    let code = text(&link, "code");
    app.change(code, json!({ "note": "n" })).await.expect(200);
    // What changes nothing is not told, nor what was there already.
    app.change(code, json!({ "note": "n" })).await.expect(200);
    app.post("/links", &json!({ "url": "https://news.example.com/a", "channel": "x" })).await.expect(200);
    app.change(code, json!({ "disabled": true })).await.expect(200);
    app.delete(&format!("/links/{code}")).await.expect(204);
    let got = receiver.wait("/in", 4).await;
    settled(&app, &made, 4, "delivered").await;
    assert_eq!(receiver.at("/in").len(), 4, "each once");
    assert!(got.iter().all(|message| message.is_signed_with(secret)));
    let other = "whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=";
    assert!(!got[0].is_signed_with(other));
    for message in &got {
        assert_eq!(
            (message.headers["content-type"].as_str(), message.code().as_str()),
            ("application/json", code)
        );
        assert!(message.headers["user-agent"].starts_with("Slugline/"), "{:?}", message.headers);
        let body = message.json();
        assert!(body["text"].as_str().unwrap().contains(text(&link, "short_url")), "{body}");
        assert!(body["timestamp"].is_string());
        assert_eq!(body["data"]["by"], by);
    }
    let created = of(&got, "link.created")[0].json();
    for field in ["code", "short_url", "target", "title", "channel", "status", "created_by", "via", "version"]
    {
        assert_eq!(created["data"]["link"][field], link[field], "{field}");
    }
    let changed: Vec<_> =
        of(&got, "link.changed").iter().map(|message| message.json()["data"].clone()).collect();
    assert_eq!(changed.len(), 3);
    assert!(changed.iter().any(|data| data["changes"]["note"] == json!({ "from": null, "to": "n" })));
    assert!(changed.iter().any(|data| data["link"]["status"] == "disabled"));
    assert!(changed.iter().any(|data| data["action"] == "retired" && data["link"]["status"] == "retired"));
}

#[tokio::test]
async fn who_wants_one_event_gets_no_other() {
    let receiver = Receiver::good();
    let app = start(&receiver).await;
    let created = hook(&app, &receiver.url("/created"), &["link.created"]).await;
    let changed = hook(&app, &receiver.url("/changed"), &["link.changed", "link.broken"]).await;
    let links: Vec<_> = (0..300).map(|n| json!({ "url": format!("https://news.example.com/{n}") })).collect();
    let batch = app.post("/links/batch", &json!({ "links": links })).await.expect(200).json();
    let code = text(&batch["results"][7]["link"], "code").to_owned();
    app.change(&code, json!({ "title": "T" })).await.expect(200);
    let got = receiver.wait("/created", 300).await;
    let codes: BTreeSet<String> = got.iter().map(Message::code).collect();
    assert_eq!(codes.len(), 300, "a batch is told link by link");
    settled(&app, &created, 300, "delivered").await;
    let all = settled(&app, &changed, 1, "delivered").await;
    assert_eq!((&all[0]["event"], &all[0]["code"]), (&json!("link.changed"), &json!(code)));
    assert_eq!((receiver.at("/created").len(), receiver.at("/changed").len()), (300, 1));
}

#[tokio::test]
async fn a_request_that_is_repeated_is_told_once() {
    let receiver = Receiver::good();
    let app = start(&receiver).await;
    let made = hook(&app, &receiver.url("/in"), &["link.created"]).await;
    let body = json!({ "url": "https://news.example.com/once", "force_new": true });
    for _ in 0..3 {
        app.call(http::Method::POST, "/links")
            .header("idempotency-key", "k")
            .json(&body)
            .send()
            .await
            .expect(201);
    }
    app.shorten("https://news.example.com/last").await;
    settled(&app, &made, 2, "delivered").await;
    assert_eq!(receiver.at("/in").len(), 2);
}

#[tokio::test]
async fn what_is_confidential_is_not_told_before_it_opens() {
    let receiver = Receiver::good();
    let app = start(&receiver).await;
    let made = hook(&app, &receiver.url("/in"), &[]).await;
    let body = json!({ "url": "https://news.example.com/the-secret-deal", "title": "The secret deal",
        "note": "secret till noon", "not_before": "2090-01-01T00:00:00Z", "confidential": true,
        "article": { "title": "Secret headline" } });
    let link = app.create(body).await;
    let code = text(&link, "code");
    app.change(code, json!({ "title": "A more secret deal", "tags": ["deal"] })).await.expect(200);
    let got = receiver.wait("/in", 2).await;
    for message in &got {
        let body = String::from_utf8(message.body.clone()).unwrap();
        assert!(!body.to_lowercase().contains("secret"), "{body}");
        assert!(body.contains(code) && body.contains("scheduled"), "{body}");
    }
    // Nor do the lists of deliveries tell it.
    let all = settled(&app, &made, 2, "delivered").await;
    assert!(!format!("{all:?}").to_lowercase().contains("secret deal"));
    // Once it is open it is told like any other.
    app.change(code, json!({ "not_before": null })).await.expect(200);
    let got = receiver.wait("/in", 3).await;
    assert!(got[2].json()["text"].as_str().unwrap().contains("A more secret deal"));
}

#[tokio::test]
async fn a_message_that_waits_is_told_as_it_may_be_told_then() {
    let open = Arc::new(AtomicBool::new(false));
    let opens = Arc::clone(&open);
    let receiver =
        Receiver::start(move |_| Reply::Status(if opens.load(Ordering::SeqCst) { 200 } else { 500 }));
    let app = TestApp::start_with(|config| {
        sending_to(&[&receiver])(config);
        config.webhooks.retry_after = vec![slugline::units::Span(std::time::Duration::from_millis(200)); 20];
    })
    .await;
    let made = hook(&app, &receiver.url("/in"), &["link.created"]).await;
    let url = "https://news.example.com/libel";
    let link = app.create(json!({ "url": url, "article": { "title": "A libel" } })).await;
    let first = receiver.wait("/in", 1).await;
    assert!(String::from_utf8_lossy(&first[0].body).contains("libel"));
    let id = text(&link["article"], "id");
    app.post(&format!("/articles/{id}/redact"), &json!({})).await.expect(200);
    let before = receiver.at("/in").len();
    open.store(true, Ordering::SeqCst);
    let all = settled(&app, &made, 1, "delivered").await;
    // One that was taken, and is sent once more, tells no more either.
    let again = format!("/webhooks/{}/deliveries/{}/retry", text(&made, "id"), text(&all[0], "id"));
    let taken = receiver.at("/in").len();
    app.post(&again, &json!({})).await.expect(202);
    eventually("it is sent once more", async || (receiver.at("/in").len() > taken).then_some(())).await;
    for message in receiver.at("/in")[before..].iter().rev().take(2) {
        let body = String::from_utf8_lossy(&message.body).into_owned();
        assert!(!body.contains("libel") && body.contains(text(&link, "code")), "{body}");
        assert!(message.is_signed_with(text(&made, "secret")));
    }
}

#[tokio::test]
async fn a_broken_target_is_told_and_that_it_is_mended() {
    let there = Arc::new(AtomicBool::new(false));
    let page = Arc::clone(&there);
    let receiver = Receiver::start(move |message| match message.method.as_str() {
        "POST" => Reply::Status(200),
        _ if page.load(Ordering::SeqCst) => Reply::With(200, "Content-Type: text/html".into()),
        _ => Reply::Status(404),
    });
    let app = TestApp::start_with(|config| {
        sending_to(&[&receiver])(config);
        config.articles.allowed_hosts = vec![receiver.host()];
    })
    .await;
    let made = hook(&app, &receiver.url("/in"), &["link.broken", "link.mended"]).await;
    let link = app.create(json!({ "url": receiver.url("/2026/a-story-that-went-1") })).await;
    let check = format!("/articles/{}/check", text(&link["article"], "id"));
    for _ in 0..2 {
        app.post(&check, &json!({})).await.expect(200);
    }
    let got = receiver.wait("/in", 1).await;
    let data = got[0].json()["data"].clone();
    assert_eq!((got[0].event().as_str(), &data["broken"]["status"]), ("link.broken", &json!(404)));
    assert!(got[0].json()["text"].as_str().unwrap().contains("404"));
    there.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        app.post(&check, &json!({})).await.expect(200);
    }
    let got = receiver.wait("/in", 2).await;
    assert_eq!(got[1].event(), "link.mended");
    settled(&app, &made, 2, "delivered").await;
    assert_eq!(receiver.at("/in").len(), 2, "once each, however often it is looked at");
}

#[tokio::test]
async fn a_spike_is_told() {
    let receiver = Receiver::good();
    let app = start(&receiver).await;
    let made = hook(&app, &receiver.url("/in"), &["link.spike"]).await;
    let code = app.shorten("https://news.example.com/everybody-wants-this").await;
    let quiet = app.shorten("https://news.example.com/nobody").await;
    app.follow_times(&code, 60).await;
    app.follow_times(&quiet, 5).await;
    app.settle().await;
    let got = receiver.wait("/in", 1).await;
    assert_eq!((got[0].event(), got[0].code()), ("link.spike".to_owned(), code.clone()));
    assert!(got[0].json()["data"]["clicks"].as_u64().unwrap() >= 50);
    eventually("it is settled", async || {
        let all = super::receiver::deliveries(&app, &made).await;
        all.iter().all(|one| one["status"] == "delivered").then_some(())
    })
    .await;
    assert!(receiver.at("/in").iter().all(|message| message.code() == code));
}
