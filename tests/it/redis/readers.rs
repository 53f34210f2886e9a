//! Nodes of one store know the same readers: the key of the day is shared.

use slugline::config::Config;
use slugline::store::settings::Kind;

use super::servers::Standalone;
use crate::harness::{TestApp, eventually, json};
use crate::readers::numbers;

fn over(server: &Standalone) -> impl FnOnce(&mut Config) + use<> {
    let settings = server.settings();
    move |config| {
        config.store.kind = Kind::Redis;
        config.store.lanes = 4;
        config.store.redis = settings;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_two_nodes_is_one() {
    let server = Standalone::start(&[]).await;
    let one = TestApp::start_with(over(&server)).await;
    let two =
        TestApp::start_in(tempfile::tempdir().unwrap().into(), Some(one.key.clone()), over(&server)).await;
    let code = one.shorten("https://news.example.com/a").await;
    for node in [&one, &two] {
        eventually("the node has the link", async || (node.follow(&code).await.status == 302).then_some(()))
            .await;
        node.settle().await;
    }
    let numbers = numbers(&one.config, &code).await;
    assert_eq!((numbers.total.clicks, numbers.total.uniques, numbers.own_key), (2, 1, 0));
    // They end by themselves, a day after their day, and are in no mirror.
    let keys: Vec<String> = redis::from_redis_value(server.ask(&["KEYS", "*:k:*"]).await).unwrap();
    assert_eq!(keys.len(), 2, "{keys:?}");
    let (now, day) = (slugline::clock::now_ms(), 86_400_000);
    let mut ends = vec![];
    for key in &keys {
        ends.push(redis::from_redis_value::<i64>(server.ask(&["PEXPIRETIME", key]).await).unwrap() - now);
        let key: Vec<u8> = redis::from_redis_value(server.ask(&["GET", key]).await).unwrap();
        assert_eq!(key.len(), 16);
        for file in std::fs::read_dir(one.data()).unwrap().map(Result::unwrap) {
            let bytes = std::fs::read(file.path()).unwrap_or_default();
            assert!(!bytes.windows(16).any(|part| part == key), "{}", file.path().display());
        }
    }
    ends.sort_unstable();
    assert!(ends[0] > day - 60_000 && ends[0] <= 2 * day, "{ends:?}");
    assert!(ends[1] > 2 * day - 60_000 && ends[1] <= 3 * day, "{ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_the_store_marks_its_readers() {
    let server = Standalone::start(&[]).await;
    let app = TestApp::start_with(over(&server)).await;
    let code = app.shorten("https://news.example.com/a").await;
    app.follow(&code).await.expect(302);
    app.settle().await;
    server.say(&["SAVE"]).await;
    let (dir, key) = app.stop().await;
    server.kill();
    let app = TestApp::start_in(dir, Some(key), over(&server)).await;
    app.follow(&code).await.expect(302);
    server.restart().await;
    crate::harness::eventually("the store answers", async || {
        (app.get("/reports/summary").await.status == 200).then_some(())
    })
    .await;
    app.settle().await;
    let numbers = numbers(&app.config, &code).await;
    assert_eq!((numbers.total.clicks, numbers.total.uniques, numbers.own_key), (2, 2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_was_chosen_at_one_node_is_what_a_reader_of_another_may_have_meant() {
    let server = Standalone::start(&[]).await;
    let one = TestApp::start_with(over(&server)).await;
    let two =
        TestApp::start_in(tempfile::tempdir().unwrap().into(), Some(one.key.clone()), over(&server)).await;
    one.create(json!({ "url": "https://news.example.com/a", "code": "election" })).await;
    let named =
        async |node: &TestApp| node.follow("electoin").await.expect(404).text().contains("/election\"");
    for node in [&one, &two] {
        eventually("the code is named", async || named(node).await.then_some(())).await;
    }
    two.change("election", json!({ "disabled": true })).await.expect(200);
    assert!(!named(&two).await, "at once where it was closed");
    eventually("it is named nowhere", async || (!named(&one).await).then_some(())).await;
}
