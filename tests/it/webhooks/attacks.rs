//! Webhooks into networks where nobody has any business: refused where that can be seen, and when they are sent.

use super::receiver::{Receiver, Reply, deliveries, hook, sending_to, start, text};
use crate::harness::{Program, TestApp, eventually, json};

/// (address, the error's code)
const BAD: [(&str, &str); 24] = [
    ("http://127.0.0.1/hook", "denied_host"),
    ("http://127.1/hook", "denied_host"),
    ("http://0x7f000001/", "denied_host"),
    ("http://2130706433/", "denied_host"),
    ("http://0/", "denied_host"),
    ("http://10.0.0.8/", "denied_host"),
    ("http://172.16.0.1/", "denied_host"),
    ("http://192.168.1.1/", "denied_host"),
    ("http://169.254.169.254/latest/meta-data/", "denied_host"),
    ("http://100.64.0.1/", "denied_host"),
    ("http://224.0.0.1/", "denied_host"),
    ("http://[::1]/", "denied_host"),
    ("http://[::]/", "denied_host"),
    ("http://[::ffff:127.0.0.1]/", "denied_host"),
    ("http://[::ffff:a9fe:a9fe]/", "denied_host"),
    ("http://[64:ff9b::7f00:1]/", "denied_host"),
    ("http://[fe80::1]/", "denied_host"),
    ("http://[fd00::1]/", "denied_host"),
    ("http://localhost/", "denied_host"),
    ("https://hooks.example.com:8443/", "denied_host"),
    ("http://hooks.example.com:22/", "denied_host"),
    ("ftp://hooks.example.com/", "invalid_url"),
    ("file:///etc/passwd", "invalid_url"),
    ("https://user:pw@hooks.example.com/", "invalid_url"),
];

#[tokio::test]
async fn no_webhook_is_made_there() {
    let receiver = Receiver::good();
    let app = start(&receiver).await;
    let made = hook(&app, &receiver.url("/in"), &[]).await;
    let path = format!("/webhooks/{}", text(&made, "id"));
    for (url, code) in BAD {
        let refused = app.post("/webhooks", &json!({ "url": url })).await;
        refused.expect_problem(422, code, Some("url"));
        let detail = text(&refused.json(), "detail").to_owned();
        assert!(!detail.is_empty() && !detail.contains("Error"), "{url}: {detail}");
        app.patch(&path, &json!({ "version": 1, "url": url })).await.expect_problem(422, code, Some("url"));
    }
    // Another port of a host that is free on one port only.
    let other = app.post("/webhooks", &json!({ "url": "http://127.0.0.1:1/" })).await;
    other.expect_problem(422, "denied_host", Some("url"));
    assert_eq!(app.get("/webhooks").await.expect(200).json()["items"].as_array().unwrap().len(), 1);
    assert!(receiver.got().is_empty());
}

#[tokio::test]
async fn nothing_is_sent_there_though_a_webhook_is() {
    let receiver = Receiver::good();
    let free = format!("articles.fetch_private_hosts={}", receiver.host());
    let retry = "webhooks.retry_after=50ms";
    let mut program = Program::start_with(&[&free, retry]).await;
    let made = hook(&program, &receiver.url("/in/a-token"), &["link.created"]).await;
    program.terminate();
    // From now on that host is like any other.
    program.restart_with(&[retry]).await;
    program.shorten("https://news.example.com/a").await;
    let failed = eventually("it is given up", async || {
        let all = deliveries(&program, &made).await;
        all.first().filter(|one| one["status"] == "failed").cloned()
    })
    .await;
    assert!(text(&failed, "error").contains("only 80 and 443"), "{failed}");
    assert_eq!(failed["last_status"], json!(null));
    assert!(receiver.got().is_empty());
    let log = program.stderr().join("\n");
    assert!(log.contains("not sent") && log.contains("only 80 and 443"), "{log}");
    assert!(!log.contains("a-token"), "the address may be a secret of the receiver");
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let inner = Receiver::good();
    let to = inner.url("/inner");
    let receiver = Receiver::start(move |_| Reply::With(307, format!("Location: {to}")));
    let app = TestApp::start_with(sending_to(&[&receiver, &inner])).await;
    let made = hook(&app, &receiver.url("/in"), &["link.created"]).await;
    app.shorten("https://news.example.com/a").await;
    let failed = eventually("it is given up", async || {
        let all = deliveries(&app, &made).await;
        all.first().filter(|one| one["status"] == "failed").cloned()
    })
    .await;
    assert!(text(&failed, "error").contains("redirects are not followed"), "{failed}");
    assert!(inner.got().is_empty(), "not even where it would be allowed");
}
