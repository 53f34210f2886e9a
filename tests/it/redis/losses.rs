//! What a store loses, its nodes put back, or show: a rollback to an older copy, a flush.

use std::sync::Arc;

use slugline::clock;
use slugline::domain::access::Role;
use slugline::store::conformance::documents::change;
use slugline::store::conformance::editing::{changed, edit};
use slugline::store::conformance::{ask, at, claim, created, find, url};
use slugline::store::links::{ArticleClaim, ArticleKey, Edit, NewLink};
use slugline::store::{Error, Result};

use super::coherent::many;
use super::nodes::{Following, Node};
use super::servers::Standalone;
use crate::harness::eventually;

/// Kills the server and starts it again with what it had at its last `SAVE`.
async fn roll_back(server: &Standalone) {
    server.kill();
    server.restart().await;
}

/// An edit that another of the same version is not taken for.
fn tagged(tag: u64, edit: Edit) -> Edit {
    Edit { tag, ..edit }
}

/// Waits until a node that knows nothing yet has read the same from the store.
async fn read_by_a_new_node(server: &Standalone, node: &Node) -> Node {
    let new = Node::start(server.settings(), 4).await;
    let expected = node.listed().await;
    eventually("a new node sees the same", async || (new.listed().await == expected).then_some(())).await;
    new
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_is_put_back_by_the_nodes_that_have_it() {
    let server = Standalone::start(&[]).await;
    let (one, two) = (Node::start(server.settings(), 4).await, Node::start(server.settings(), 4).await);
    one.make(many(0, 30)).await;
    let service = Following::start(&one).await;
    let (key, _) = service.accounts.create_key("desk", Role::Admin, None, "cli", clock::now()).await.unwrap();
    for (name, value) in [("kept", "a"), ("changed", "a"), ("removed", "a")] {
        one.documents.change_document(change(name, Some(value.into()), 1)).await.unwrap();
    }
    server.say(&["SAVE"]).await;

    // All of this the store will lose.
    for (name, value) in [("changed", Some("b".into())), ("removed", None), ("new", Some("a".into()))] {
        one.documents.change_document(change(name, value, 2)).await.unwrap();
    }
    one.make(many(30, 30)).await;
    for n in [3, 4, 33] {
        let found = find(&one, &format!("code{n}")).await;
        let found = changed(&one, edit(&found, |l| l.note = Some("first".into()))).await;
        changed(&one, edit(&found, |l| l.note = Some("second".into()))).await;
    }
    let mut facts = ask(900, "story-5", &["unused"]);
    facts.article.as_mut().unwrap().facts.title = Some("Storm".into());
    one.links.create(vec![facts], clock::now()).await.unwrap();
    service.accounts.revoke_key(&key.id, "cli", clock::now()).await.unwrap();
    let expected = one.listed().await;
    eventually("both have it", async || (two.listed().await == expected).then_some(())).await;

    roll_back(&server).await;
    let new = read_by_a_new_node(&server, &one).await;
    assert_eq!(new.listed().await, expected);
    for n in [3, 33, 40] {
        let code = format!("code{n}");
        assert_eq!(find(&new, &code).await, find(&one, &code).await);
        let code = slugline::store::conformance::code(&code);
        let history = async |node: &Node| node.links.history(&code, None, 9).await.unwrap();
        assert_eq!(history(&new).await, history(&one).await);
    }
    let story = ArticleKey::Url("https://news.example.com/story-5".into());
    let story = new.links.article(story).await.unwrap().unwrap();
    assert_eq!(story.facts.title.as_deref(), Some("Storm"));
    let documents = new.documents.documents().await.unwrap();
    assert_eq!(documents, one.documents.documents().await.unwrap());
    let documents: Vec<_> = documents.iter().map(|d| (d.name.as_str(), d.version)).collect();
    assert_eq!(documents, [("changed", 2), ("kept", 1), ("new", 1)], "what was removed stays so");
    let keys = new.accounts.keys().await.unwrap();
    assert!(keys.iter().any(|k| k.id == key.id && k.revoked_at.is_some()), "it stays revoked");
    for node in [&one, &two, &new] {
        assert_eq!(node.audit("link.lost").await, [""; 0]);
    }
    // The code is still given to nobody else.
    let again = created(&new, ask(901, "another", &["code40", "code99"])).await;
    assert_eq!(again.link.code.as_str(), "code99");
    drop(service);
    for node in [one, two, new] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_put_back_is_shown() {
    let server = Standalone::start(&[]).await;
    let one = Node::start(server.settings(), 4).await;
    let first = created(&one, ask(1, "a", &["aa"])).await;
    created(&one, ask(2, "b", &["bb"])).await;
    server.say(&["SAVE"]).await;
    let mine = changed(&one, tagged(71, edit(&first, |l| l.note = Some("one".into())))).await;
    changed(&one, tagged(72, edit(&mine, |l| l.note = Some("one more".into())))).await;
    created(&one, ask(3, "c", &["cc"])).await;
    created(&one, ask(4, "d", &["dd"])).await;
    let dir = one.stop().await;

    // Another node goes on with the older copy before the first is there again.
    roll_back(&server).await;
    let other = Node::start(server.settings(), 4).await;
    let theirs = changed(&other, tagged(81, edit(&first, |l| l.note = Some("other".into())))).await;
    let code = created(&other, ask(5, "elsewhere", &["cc"])).await;
    let one = Node::start_in(dir, server.settings(), 4).await;
    let expected = ["link:aa", "link:cc"].map(str::to_owned);
    for node in [&one, &other] {
        eventually("what was lost is told", async || {
            let mut lost = node.audit("link.lost").await;
            lost.sort();
            (lost == expected).then_some(())
        })
        .await;
        assert_eq!(node.note("aa").await.as_deref(), Some("other"));
        assert_eq!(find(node, "aa").await, theirs);
        assert_eq!(find(node, "cc").await, code);
        let aa = slugline::store::conformance::code("aa");
        let history = node.links.history(&aa, None, 9).await.unwrap();
        assert_eq!(history.iter().map(|entry| entry.version).collect::<Vec<_>>(), [2, 1]);
    }
    eventually("what nobody touched is put back", async || {
        other.listed().await.contains_key("dd").then_some(())
    })
    .await;
    assert_eq!(find(&other, "dd").await, find(&one, "dd").await);
    let lines = one.accounts.audited(None, 100).await.unwrap();
    let lost = lines.iter().find(|line| line.object == "link:aa" && line.action == "link.lost").unwrap();
    assert_eq!(lost.by, "user:maria");
    assert!(lost.detail.contains("version 3"), "{}", lost.detail);
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flushed_store_is_fenced() {
    let server = Standalone::start(&[]).await;
    let node = Node::start(server.settings(), 4).await;
    node.make(many(0, 50)).await;
    let service = Following::start(&node).await;
    let (_, secret) =
        service.accounts.create_key("desk", Role::Admin, None, "cli", clock::now()).await.unwrap();
    server.say(&["SAVE"]).await;
    server.ask(&["FLUSHALL"]).await;
    // From the first moment on: nothing is told to be unknown, and nothing is written.
    for n in 0..50 {
        assert!(service.target(&format!("code{n}")).await.is_some(), "{n}");
    }
    let create = async |tag| node.links.create(vec![ask(tag, "new", &["new"])], clock::now()).await;
    let refused = create(100).await;
    assert!(matches!(refused, Err(Error::Fenced(_))), "{refused:?}");
    let fenced = async |node: &Node| {
        let troubles = node.backend.troubles();
        troubles.iter().any(|t| t.code == "store_fenced" && !t.blind).then_some(())
    };
    eventually("it is fenced", async || fenced(&node).await).await;
    assert_eq!(node.listed().await.len(), 50);
    assert!(service.accounts.holder(&secret, clock::now()).is_some(), "keys are those of the mirror");
    drop(service);
    // A start does not make a new store in place of the one that was flushed.
    let dir = node.stop().await;
    let node = Node::open_in(Arc::clone(&dir), server.settings(), 4).await.unwrap();
    eventually("it is fenced after a start", async || fenced(&node).await).await;
    assert_eq!(find(&node, "code7").await.link.code.as_str(), "code7");
    assert_eq!(server.say(&["DBSIZE"]).await, "0");
    let refused: Result<()> =
        node.links.create(vec![ask(101, "new", &["new"])], clock::now()).await.map(drop);
    assert!(matches!(refused, Err(Error::Fenced(_))), "{refused:?}");

    server.kill();
    server.restart().await;
    eventually("it is the right store again", async || node.backend.troubles().is_empty().then_some(()))
        .await;
    created(&node, ask(102, "new", &["new"])).await;
    assert_eq!(node.listed().await.len(), 51);
    node.stop().await;
}

/// What was redacted while a node was away is gone; the node, which has all of it, does not take it for lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_redacted_is_not_put_back() {
    let server = Standalone::start(&[]).await;
    let one = Node::start(server.settings(), 4).await;
    let spelt = ArticleClaim { cms_id: Some("4711".into()), aliases: vec![url("a-amp")], ..claim("a") };
    let first = created(&one, NewLink { article: Some(spelt), ..ask(1, "a", &["aa"]) }).await;
    let story = first.article.unwrap();
    let other = Node::start(server.settings(), 4).await;
    let dir = one.stop().await;
    other.complete().await;
    other.links.redact(&story.id, "user:maria", at(9)).await.unwrap().unwrap();
    // The changes are forgotten, so that all records must be compared.
    let forget = "for _, key in ipairs(redis.call('KEYS', '*:c')) do redis.call('DEL', key) end return 1";
    server.say(&["EVAL", forget, "0"]).await;
    let one = Node::start_in(dir, server.settings(), 4).await;
    one.complete().await;
    for node in [&one, &other] {
        eventually("a node has heard of it", async || {
            let said = format!("{:?}", node.links.export(None).await.unwrap().items);
            (said.contains("redacted:") && !said.contains("news.example.com/")).then_some(())
        })
        .await;
        for key in
            [ArticleKey::Url(url("a")), ArticleKey::Url(url("a-amp")), ArticleKey::CmsId("4711".into())]
        {
            assert_eq!(node.links.article(key.clone()).await.unwrap(), None, "{key:?}");
        }
        assert!(find(node, "aa").await.link.is_redacted());
        assert_eq!(node.audit("link.lost").await, [""; 0]);
    }
    for node in [one, other] {
        node.stop().await;
    }
}
