//! The digest that webhooks get.

use super::{count, yesterday};
use crate::harness::{TestApp, eventually, json};
use crate::webhooks::receiver::{Receiver, hook, sending_to, text};

#[tokio::test]
async fn a_webhook_that_asks_for_it_gets_the_digest_once() {
    let receiver = Receiver::good();
    let app = TestApp::start_with(|config| {
        sending_to(&[&receiver])(config);
        config.digest.hour = i8::try_from(super::this_hour()).unwrap();
    })
    .await;
    app.create(json!({ "url": "https://news.example.com/tram", "code": "tram",
        "article": { "title": "<@channel> tram", "section": "City" } }))
        .await;
    count(&app.config, yesterday(), &[("tram", "City", 1_200)], "X").await;
    let without = hook(&app, &receiver.url("/links"), &[]).await;
    assert!(!without["events"].as_array().unwrap().contains(&json!("digest")), "{without}");
    let made = hook(&app, &receiver.url("/digest"), &["digest"]).await;
    let got = receiver.wait("/digest", 1).await;
    let body = got[0].json();
    assert!(got[0].event() == "digest" && got[0].is_signed_with(text(&made, "secret")), "{body}");
    assert_eq!(body["data"]["clicks"], json!({ "now": 1_200, "before": 0 }), "{body}");
    assert_eq!(body["data"]["stories"][0]["name"], "<@channel> tram");
    let sentence = body["text"].as_str().unwrap();
    assert!(sentence.contains("1,200 clicks") && !sentence.contains("<@"), "{sentence}");
    // Another start does not tell it again.
    let (dir, key) = app.stop().await;
    let again = TestApp::start_in(dir, Some(key), |config| {
        sending_to(&[&receiver])(config);
        config.digest.hour = i8::try_from(super::this_hour()).unwrap();
    })
    .await;
    again.post(&format!("/webhooks/{}/test", text(&made, "id")), &json!({})).await;
    eventually("the test came", async || {
        receiver.at("/digest").iter().any(|message| message.event() == "test").then_some(())
    })
    .await;
    assert_eq!(receiver.at("/digest").iter().filter(|message| message.event() == "digest").count(), 1);
    assert!(receiver.at("/links").is_empty());
}
