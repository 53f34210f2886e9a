//! What admins see and do: a secret once, versions, rights, errors that name the field.

use http::Method;

use super::receiver::{Receiver, hook, settled, start, text};
use crate::harness::{Value, json};

#[tokio::test]
async fn a_secret_is_shown_once() {
    let receiver = Receiver::good();
    let app = start(&receiver).await;
    let body = json!({ "url": receiver.url("/in"), "name": "chat" });
    let post = || app.call(Method::POST, "/webhooks").header("idempotency-key", "one").json(&body);
    let made = post().send().await.expect(201).json();
    let secret = text(&made, "secret").to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() == 6 + 44, "{secret}");
    assert_eq!(
        (&made["name"], &made["version"], &made["has_secret"]),
        (&json!("chat"), &json!(1), &json!(true))
    );
    let events = ["link.created", "link.changed", "link.broken", "link.mended", "link.spike"];
    assert_eq!(made["events"], json!(events));
    let again = post().send().await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json()["id"], made["id"]);
    let path = format!("/webhooks/{}", text(&made, "id"));
    let shown = [
        again.text(),
        app.get("/webhooks").await.expect(200).text(),
        app.get(&path).await.expect(200).text(),
        app.get("/audit").await.expect(200).text(),
        app.get(&format!("{path}/deliveries")).await.expect(200).text(),
    ];
    for text in shown {
        assert!(!text.contains(&secret) && !text.contains("whsec_"), "{text}");
    }
    // Another one: the first is good no more.
    let other = app.post(&format!("{path}/secret"), &json!({})).await.expect(200).json();
    assert_eq!(other["version"], 2);
    app.post(&format!("{path}/test"), &json!({})).await.expect(202);
    settled(&app, &made, 1, "delivered").await;
    let got = receiver.wait("/in", 1).await;
    assert!(got[0].is_signed_with(text(&other, "secret")) && !got[0].is_signed_with(&secret));
    let body = got[0].json();
    assert!(body["text"].as_str().unwrap().contains("chat") && body["type"] == "test", "{body}");
}

#[tokio::test]
async fn webhooks_are_changed_by_version_and_deleted() {
    let receiver = Receiver::good();
    let app = start(&receiver).await;
    let made = hook(&app, &receiver.url("/in"), &[]).await;
    let path = format!("/webhooks/{}", text(&made, "id"));
    let change = json!({ "version": 1, "events": ["link.spike", "link.created"], "name": null });
    let changed = app.patch(&path, &change).await.expect(200).json();
    assert_eq!(changed["events"], json!(["link.created", "link.spike"]));
    assert_eq!(
        (&changed["version"], &changed["name"], &changed["secret"]),
        (&json!(2), &json!(""), &Value::Null)
    );
    let stale = app.patch(&path, &json!({ "version": 1, "name": "late" })).await;
    stale.expect_problem(409, "stale", Some("version"));
    assert_eq!(stale.json()["version"], 2);
    let same = app.patch(&path, &json!({ "version": 2, "events": ["link.spike", "link.created"] })).await;
    assert_eq!(same.expect(200).json()["version"], 2, "no change keeps it");
    let off = app.patch(&path, &json!({ "version": 2, "disabled": true })).await.expect(200).json();
    assert!(off["disabled_at"].is_string() && text(&off, "disabled_why").contains(app.key_id()), "{off}");
    app.shorten("https://news.example.com/unheard").await;
    assert!(
        app.get(&format!("{path}/deliveries")).await.expect(200).json()["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    app.delete(&path).await.expect(204);
    for answer in
        [app.get(&path).await, app.delete(&path).await, app.get(&format!("{path}/deliveries")).await]
    {
        answer.expect_problem(404, "not_found", None);
    }
    let audit = app.get("/audit").await.expect(200).json();
    let did: Vec<&str> = audit["items"].as_array().unwrap().iter().map(|line| text(line, "action")).collect();
    for action in ["webhook.created", "webhook.changed", "webhook.disabled", "webhook.deleted"] {
        assert!(did.contains(&action), "{action}: {did:?}");
    }
}

#[tokio::test]
async fn lists_have_pages() {
    let receiver = Receiver::good();
    let app = start(&receiver).await;
    let mut made = vec![];
    for n in 0..5 {
        made.push(
            text(&hook(&app, &receiver.url(&format!("/{n}")), &["link.created"]).await, "id").to_owned(),
        );
    }
    let all = app.all("/webhooks?limit=2").await;
    let listed: Vec<&str> = all.iter().map(|one| text(one, "id")).collect();
    assert!(made.iter().all(|id| listed.contains(&id.as_str())) && listed.len() == 5, "{listed:?}");
    for n in 0..9 {
        app.shorten(&format!("https://news.example.com/{n}")).await;
    }
    let hooks = app.get(&format!("/webhooks/{}", made[0])).await.expect(200).json();
    let all = settled(&app, &hooks, 9, "delivered").await;
    let times: Vec<jiff::Timestamp> =
        all.iter().map(|one| text(one, "created_at").parse().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let page = app.get(&format!("/webhooks/{}/deliveries?limit=4", made[0])).await.expect(200).json();
    let cursor = text(&page, "next_cursor");
    let other = app.get(&format!("/webhooks/{}/deliveries?limit=4&cursor={cursor}", made[1])).await;
    other.expect_problem(422, "bad_cursor", Some("cursor"));
}

#[tokio::test]
async fn only_admins_and_only_what_can_be() {
    let receiver = Receiver::good();
    let app = start(&receiver).await;
    let made = hook(&app, &receiver.url("/in"), &[]).await;
    let path = format!("/webhooks/{}", text(&made, "id"));
    let editor = app.as_role("editor").await;
    let body = json!({ "url": receiver.url("/in") });
    let refused = [
        editor.get("/webhooks").await,
        editor.post("/webhooks", &body).await,
        editor.get(&path).await,
        editor.patch(&path, &json!({ "version": 1 })).await,
        editor.delete(&path).await,
        editor.get(&format!("{path}/deliveries")).await,
        editor.post(&format!("{path}/test"), &json!({})).await,
        editor.post(&format!("{path}/secret"), &json!({})).await,
        editor.post(&format!("{path}/deliveries/x/retry"), &json!({})).await,
    ];
    for answer in refused {
        answer.expect_problem(403, "forbidden", None);
    }
    let url = receiver.url("/in");
    let bad = [
        (json!({}), "missing", Some("url")),
        (json!({ "url": 7 }), "wrong_type", Some("url")),
        (json!({ "url": url, "secret": "mine" }), "unknown_field", Some("secret")),
        (json!({ "url": url, "events": [] }), "invalid_value", Some("events")),
        (json!({ "url": url, "events": ["link.exploded"] }), "invalid_value", Some("events")),
        (json!({ "url": url, "name": "n".repeat(101) }), "out_of_range", Some("name")),
        (json!({ "url": "not an address" }), "invalid_url", Some("url")),
        (json!({ "url": format!("http://{}/", app.http.address()) }), "own_host", Some("url")),
    ];
    for (body, code, field) in bad {
        app.post("/webhooks", &body).await.expect_problem(422, code, field);
    }
    app.patch(&path, &json!({ "name": "x" })).await.expect_problem(422, "missing", Some("version"));
    // There may be so many.
    for n in 1..50 {
        hook(&app, &receiver.url(&format!("/{n}")), &["link.spike"]).await;
    }
    app.post("/webhooks", &body).await.expect_problem(422, "out_of_range", None);
}
