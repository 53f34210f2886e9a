//! Several nodes on one Redis: each event is told once, and another node goes on when the one that tells has gone.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use slugline::config::Config;
use slugline::store::settings::Kind;

use super::receiver::{Message, Receiver, hook, sending_to, settled, text};
use crate::harness::{Program, TestApp, eventually, eventually_within};
use crate::redis::servers::Standalone;

fn over(server: &Standalone, receiver: &Receiver) -> impl FnOnce(&mut Config) + use<> {
    let (settings, sending) = (server.settings(), sending_to(&[receiver]));
    move |config| {
        sending(config);
        config.store.kind = Kind::Redis;
        config.store.lanes = 4;
        config.store.redis = settings;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_is_told_once_by_one_of_three() {
    let (server, receiver) = (Standalone::start(&[]).await, Receiver::good());
    let first = TestApp::start_with(over(&server, &receiver)).await;
    let second = TestApp::start_in(
        std::sync::Arc::new(tempfile::tempdir().unwrap()),
        Some(first.key.clone()),
        over(&server, &receiver),
    )
    .await;
    let third = TestApp::start_in(
        std::sync::Arc::new(tempfile::tempdir().unwrap()),
        Some(first.key.clone()),
        over(&server, &receiver),
    )
    .await;
    let made = hook(&second, &receiver.url("/in"), &["link.created"]).await;
    let path = format!("/webhooks/{}", text(&made, "id"));
    for app in [&first, &third] {
        eventually("all nodes know the webhook", async || (app.get(&path).await.status == 200).then_some(()))
            .await;
    }
    // What happens is told by a node as soon as the change feed has told it of the webhook.
    for (name, app) in [("first", &first), ("third", &third)] {
        let mut tries = 0;
        eventually("the node tells", async || {
            tries += 1;
            let code = app.shorten(&format!("https://news.example.com/{name}/try/{tries}")).await;
            let all = super::receiver::deliveries(&second, &made).await;
            all.iter().any(|one| one["code"] == code).then_some(())
        })
        .await;
    }
    let before = super::receiver::deliveries(&first, &made).await.len();
    let mut codes = BTreeSet::new();
    for n in 0..10 {
        for (name, app) in [("first", &first), ("second", &second), ("third", &third)] {
            codes.insert(app.shorten(&format!("https://news.example.com/{name}/{n}")).await);
        }
    }
    settled(&first, &made, before + 30, "delivered").await;
    let got = receiver.at("/in");
    let ids: BTreeSet<&str> = got.iter().map(Message::id).collect();
    assert_eq!(ids.len(), got.len(), "each once");
    let told: BTreeSet<String> = got.iter().map(Message::code).collect();
    assert!(codes.is_subset(&told));
    // Whoever it is that tells: when all but one have stopped, that one does.
    let (third, first) = (third.stop().await, first.stop().await);
    let code = second.shorten("https://news.example.com/afterwards").await;
    // Sooner than a lease that nobody gave back would have ended.
    eventually_within(Duration::from_secs(20), "the one that is left tells", async || {
        receiver.at("/in").iter().any(|message| message.code() == code).then_some(())
    })
    .await;
    drop((third, first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_goes_on_when_one_is_killed() {
    let (server, receiver) = (Standalone::start(&[]).await, Receiver::good());
    let hosts = format!("articles.fetch_private_hosts={}", receiver.host());
    let mut dies = Program::start_on(&server.config(), &[&hosts]).await;
    let made = hook(&dies, &receiver.url("/in"), &["link.created"]).await;
    dies.shorten("https://news.example.com/first").await;
    receiver.wait("/in", 1).await;
    let other = TestApp::start_in(
        std::sync::Arc::new(tempfile::tempdir().unwrap()),
        Some(dies.key.clone()),
        over(&server, &receiver),
    )
    .await;
    dies.signal(Signal::KILL);
    dies.ended();
    let code = other.shorten("https://news.example.com/second").await;
    let got = receiver.wait("/in", 2).await;
    assert!(got.iter().any(|message| message.code() == code));
    assert!(got.iter().all(|message| message.is_signed_with(text(&made, "secret"))));
}
