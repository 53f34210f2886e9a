//! Several nodes of one store see each other's changes: by push at once, by poll within 1.5 s when a push is lost,
//! and no old value stays.

use std::time::{Duration, Instant};

use slugline::clock;
use slugline::domain::access::Role;
use slugline::store::cache::Cached;
use slugline::store::conformance::editing::{changed, edit};
use slugline::store::conformance::{Random, ask, created, find};
use slugline::store::links::NewLink;

use super::late::Late;
use super::nodes::{Following, Node, calls};
use super::servers::Standalone;
use crate::faults::{Seed, rounds};
use crate::harness::{eventually, eventually_within};

/// How long a change may take to be seen when its push is lost.
const LOST: Duration = Duration::from_millis(1_500);
/// A machine that builds and tests beside this one takes its time.
const MOMENTS: Duration = Duration::from_millis(900);

/// Requests for `n` links, each to a story of its own.
pub fn many(from: u64, n: u64) -> Vec<NewLink> {
    let one = |tag: u64| ask(tag + 1, &format!("story-{tag}"), &[&format!("code{tag}")]);
    (from..from + n).map(one).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_pushed_to_all() {
    let server = Standalone::start(&[]).await;
    let nodes = [
        Node::start(server.settings(), 8).await,
        Node::start(server.settings(), 8).await,
        Node::start(server.settings(), 8).await,
    ];
    let mut took = vec![];
    for round in 0..20u64 {
        let writer = &nodes[usize::try_from(round % 3).unwrap()];
        let code = format!("code{round}");
        let found = created(writer, ask(round + 1, &format!("s{round}"), &[&code])).await;
        assert_eq!(find(writer, &code).await, found);
        assert!(writer.listed().await.contains_key(&code), "whoever made it lists it");
        let note = format!("note {round}");
        changed(writer, edit(&found, |l| l.note = Some(note.clone()))).await;
        let edited = Instant::now();
        for node in &nodes {
            let what = "an edit is pushed";
            eventually_within(MOMENTS, what, async || (node.note(&code).await? == note).then_some(())).await;
        }
        took.push(edited.elapsed());
    }
    took.sort();
    println!(
        "an edit was seen by all three nodes after {:?} (median), {:?} (slowest of 20)",
        took[10], took[19]
    );
    for node in nodes {
        assert_eq!(node.listed().await.len(), 20);
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_seen_when_its_push_is_lost() {
    let server = Standalone::start(&[]).await;
    // It may do everything but hear of changes.
    server.ask(&["ACL", "SETUSER", "deaf", "on", ">pw", "~*", "+@all", "resetchannels"]).await;
    let deaf = server.config().replace("urls", "username = \"deaf\"\npassword = \"pw\"\nurls");
    let editor = Node::start(server.settings(), 8).await;
    let (one, two) = (
        Node::start(super::servers::settings(&deaf), 8).await,
        Node::start(super::servers::settings(&deaf), 8).await,
    );
    let watched = [Following::start(&one).await, Following::start(&two).await];
    let mut found = created(&editor, ask(1, "a", &["aa"])).await;
    for cached in &watched {
        eventually("it is cached", async || cached.target("aa").await).await;
    }
    let mut slowest = Duration::ZERO;
    for round in 0..rounds(4, 100) {
        let target = format!("https://news.example.com/moved-{round}");
        found = changed(&editor, edit(&found, |l| l.target = Some(target.clone()))).await;
        let edited = Instant::now();
        for cached in &watched {
            let what = "an edit is seen without a push";
            let seen = async || (cached.target("aa").await? == target).then_some(());
            eventually_within(LOST, what, seen).await;
        }
        slowest = slowest.max(edited.elapsed());
    }
    println!("without pushes an edit was seen after {slowest:?} at most");
    drop(watched);
    for node in [editor, one, two] {
        node.stop().await;
    }
}

/// An edit races a fill: the old value is read, and comes when the cache is told to forget it. It does not stay; nor
/// does it that there was no such code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_races_a_fill_leaves_no_old_value() {
    let seed = Seed::new();
    let mut random = Random(seed.0);
    let server = Standalone::start(&[]).await;
    let (editor, node) = (Node::start(server.settings(), 4).await, Node::start(server.settings(), 4).await);
    let late = Late::new(node.links.clone());
    let cached = Following::start_over(&node, late.clone()).await;
    let mut found = created(&editor, ask(1, "a", &["aa"])).await;
    let all = rounds(300, 10_000);
    for round in 0..all {
        let target = format!("https://news.example.com/moved-{round}");
        let edit = edit(&found, |l| l.target = Some(target.clone()));
        cached.cache.clear();
        late.hold_next(random.below(6));
        let pause = random.below(20);
        let edited = async {
            for _ in 0..pause {
                tokio::task::yield_now().await;
            }
            changed(&editor, edit).await
        };
        // The reader of the fill may be told the old target; the next one may not, once the change was heard of.
        (found, _) = tokio::join!(edited, cached.target("aa"));
        eventually_within(LOST, "the new target is kept", async || {
            if let Cached::Miss = cached.cache.get("aa") {
                cached.target("aa").await;
            }
            (cached.cached("aa")? == target).then_some(())
        })
        .await;

        let (code, story) = (format!("new{round}"), format!("story-{round}"));
        late.hold_next(random.below(6));
        tokio::join!(created(&editor, ask(100 + round, &story, &[&code])), cached.target(&code));
        let known = async || cached.target(&code).await;
        eventually_within(LOST, "the new code is known", known).await;
    }
    println!("{} of {} fills met their change", late.met(), 2 * all);
    assert!(late.met() > all, "most fills raced");
    drop(cached);
    editor.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_is_refused_everywhere() {
    let server = Standalone::start(&[]).await;
    let nodes = [Node::start(server.settings(), 4).await, Node::start(server.settings(), 4).await];
    let services = [Following::start(&nodes[0]).await, Following::start(&nodes[1]).await];
    for round in 0..rounds(3, 20) {
        let service = &services[0].accounts;
        let (key, secret) = service.create_key("desk", Role::Admin, None, "cli", clock::now()).await.unwrap();
        let holds = |n: usize| services[n].accounts.holder(&secret, clock::now());
        eventually("the other node knows the key", async || holds(1)).await;
        service.revoke_key(&key.id, "cli", clock::now()).await.unwrap();
        assert_eq!(holds(0), None);
        let refused = async || holds(1).is_none().then_some(());
        let ((), took) = eventually_within(LOST, "the other node refuses the key", refused).await;
        println!("round {round}: a revoked key was refused by the other node after {took:?}");
    }
    drop(services);
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_for_long_catches_up() {
    let server = Standalone::start(&[]).await;
    let (busy, other) = (Node::start(server.settings(), 1).await, Node::start(server.settings(), 1).await);
    busy.make(many(0, 100)).await;
    eventually("the other has them", async || (other.listed().await.len() == 100).then_some(())).await;
    let dir = other.stop().await;
    for part in 0..10 {
        busy.make(many(100 + part * 500, 500)).await;
    }
    let again = Node::start_in(dir, server.settings(), 1).await;
    let expected = busy.listed().await;
    let same = async || (again.listed().await == expected).then_some(());
    eventually("all 5,100 are there", same).await;
    assert_eq!(again.audit("link.lost").await, [""; 0], "nothing was lost");
    // It goes on by pushes.
    let found = find(&busy, "code7").await;
    changed(&busy, edit(&found, |l| l.note = Some("late".into()))).await;
    let seen = async || (again.note("code7").await? == "late").then_some(());
    eventually_within(MOMENTS, "an edit is pushed", seen).await;
    again.stop().await;
    busy.stop().await;
}

/// Two processes in one data folder: the server, and a command beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_keep_one_mirror() {
    let server = Standalone::start(&[]).await;
    let one = Node::start(server.settings(), 4).await;
    let two = Node::start_in(one.dir.clone(), server.settings(), 4).await;
    let far = Node::start(server.settings(), 4).await;
    let cached = Following::start(&one).await;
    let mut found = created(&two, ask(1, "a", &["aa"])).await;
    assert_eq!(cached.target("aa").await, found.link.target);
    for round in 0..30u64 {
        let writer = [&one, &two, &far][usize::try_from(round % 3).unwrap()];
        writer.make(many(100 * round, 10)).await;
        let target = format!("https://news.example.com/moved-{round}");
        found = changed(writer, edit(&found, |l| l.target = Some(target.clone()))).await;
        let what = "the other process sees it";
        eventually_within(LOST, what, async || (cached.target("aa").await? == target).then_some(())).await;
    }
    let expected = far.listed().await;
    for node in [&one, &two] {
        eventually("both have all", async || (node.listed().await == expected).then_some(())).await;
        assert!(node.backend.troubles().is_empty());
    }
    drop(cached);
    for node in [one, two, far] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staleness_is_told() {
    let server = Standalone::start(&[]).await;
    let node = Node::start(server.settings(), 4).await;
    let cached = Following::start(&node).await;
    created(&node, ask(1, "a", &["aa"])).await;
    let fresh = async || (cached.staleness() < 1.5).then_some(());
    eventually("it is in step", fresh).await;
    server.freeze();
    eventually("it says that it is behind", async || (cached.staleness() > 2.5).then_some(())).await;
    let answer = tokio::time::timeout(MOMENTS, cached.target("aa")).await;
    assert!(answer.unwrap().is_some(), "a known link is told");
    server.thaw();
    eventually("it is in step again", fresh).await;
    drop(cached);
    node.stop().await;
}

/// An idle node asks each lane once a second, and for little else; a cached redirect asks for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_node_costs_little_and_a_cached_link_nothing() {
    let server = Standalone::start(&[]).await;
    let node = Node::start(server.settings(), 0).await;
    let found = created(&node, ask(1, "a", &["aa"])).await;
    let cached = Following::start(&node).await;
    assert_eq!(cached.target("aa").await, found.link.target);
    let total = |calls: &std::collections::HashMap<String, u64>| -> u64 {
        // What this test asks for itself, and what begins each of its connections.
        let own = ["info", "client|setinfo", "client|setname", "select", "hello"];
        calls.iter().filter(|(name, _)| !own.contains(&name.as_str())).map(|(_, n)| n).sum()
    };
    let polls = async || calls(&server).await.get("hmget").copied().unwrap_or(0);
    let (first, before, begin) = (polls().await, calls(&server).await, Instant::now());
    eventually("four polls of all lanes", async || {
        // As many as a busy minute has.
        for _ in 0..100 {
            assert_eq!(cached.target("aa").await, found.link.target);
        }
        (polls().await >= first + 4 * 66).then_some(())
    })
    .await;
    let (after, seconds) = (calls(&server).await, begin.elapsed().as_secs_f64());
    #[allow(clippy::cast_precision_loss, reason = "a small number")]
    let rate = (total(&after) - total(&before)) as f64 / seconds;
    println!("an idle node of 66 lanes sends {rate:.0} commands a second: {after:?}");
    assert!(rate <= 120.0, "{rate} commands a second");
    for reading in ["hget", "eval", "evalsha"] {
        assert_eq!(after.get(reading), before.get(reading), "{reading}");
    }
    drop(cached);
    node.stop().await;
}
