//! The life of a story on several nodes and over a bad line: all see it, it is done once, nothing is left half done.

use slugline::domain::article::{Article, ArticleId};
use slugline::domain::link::Found;
use slugline::store::conformance::life::{article_changed, article_edit};
use slugline::store::conformance::{at, choose, created, existing, find, url};
use slugline::store::links::{ArticleClaim, ArticleEdit, ArticleEdited, ArticleKey, ExportItem, NewLink};
use slugline::store::{Error, Store};
use tokio::task::JoinSet;

use super::claim;
use super::line::Two;
use crate::harness::wait::eventually;
use crate::redis::house::{House, LANES, houses, own_settings};
use crate::redis::proxy::Fault;

async fn leads_to(store: &Store, path: &str) -> Option<ArticleId> {
    store.links.article(ArticleKey::Url(url(path))).await.unwrap().map(|article| article.id.clone())
}

/// A link that follows its story, which has an alias.
async fn followed(store: &Store) -> (Found, Article) {
    let spelt = ArticleClaim { aliases: vec![url("a-amp")], ..claim(1, "a", None) };
    let found = created(store, NewLink { article: Some(spelt), ..choose(1, "a", "vote") }).await;
    let article = found.article.as_deref().cloned().unwrap();
    (found, article)
}

/// Everything that a node's mirror has of links.
async fn exported(store: &Store) -> Vec<String> {
    let (mut lines, mut after) = (vec![], None);
    loop {
        let page = store.links.export(after).await.unwrap();
        lines.extend(page.items.iter().map(|item: &ExportItem| format!("{item:?}")));
        after = page.after;
        if after.is_none() {
            lines.sort();
            return lines;
        }
    }
}

/// A move is in every node's feed, and what they read then is the new address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_is_seen_by_all_nodes() {
    let settings = own_settings().await;
    let mut houses = vec![];
    for _ in 0..3 {
        houses.push(House::open(&settings, LANES).await);
    }
    let (first, story) = followed(&houses[0].store).await;
    for house in &houses {
        exported(&house.store).await;
    }
    let mut before = vec![];
    for house in &houses {
        before.push(house.store.links.changes_since(0).await.unwrap().version);
    }
    article_changed(&houses[1].store, article_edit(&story, |story| story.url = url("moved"))).await;
    for (house, before) in houses.iter().zip(before) {
        let links = &house.store.links;
        eventually("a node hears of the move", async || {
            let keys = links.changes_since(before).await.unwrap().keys?;
            keys.iter().any(|key| key == "vote").then_some(())
        })
        .await;
        let found = find(&house.store, "vote").await;
        assert_eq!((found.link.target.as_deref(), found.link.version), (Some(url("moved").as_str()), 1));
        for path in ["a", "a-amp", "moved"] {
            assert_eq!(leads_to(&house.store, path).await, first.link.article);
        }
        let lines = house.store.links.article_history(&story.id, None, 9).await.unwrap();
        assert_eq!(lines.len(), 1);
    }
    // Nor is an address lost to one that reads all of it only now.
    let late = exported(&House::open(&settings, LANES).await.store).await;
    assert_eq!(late.iter().filter(|line| line.starts_with("Alias")).count(), 3, "{late:#?}");
    assert_eq!(exported(&houses[0].store).await, late);
}

/// Of many edits of one version one is made, whichever node makes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_one_of_many_edits_wins() {
    let houses = houses(3).await;
    let (_, story) = followed(&houses[0].store).await;
    let mut editing = JoinSet::new();
    for n in 0..30_u64 {
        let links = houses[usize::try_from(n % 3).unwrap()].store.links.clone();
        let change =
            ArticleEdit { tag: 100 + n, ..article_edit(&story, |story| story.url = url(&format!("m{n}"))) };
        editing.spawn(async move { links.edit_article(change).await.unwrap() });
    }
    let all = editing.join_all().await;
    let made: Vec<_> = all.iter().filter(|edited| matches!(edited, ArticleEdited::Changed(_))).collect();
    let stale = all.iter().filter(|edited| matches!(edited, ArticleEdited::Stale(_))).count();
    assert_eq!((made.len(), stale), (1, 29), "{all:?}");
    let ArticleEdited::Changed(won) = made[0] else { unreachable!() };
    let found = find(&houses[2].store, "vote").await;
    assert_eq!(found.article.as_ref(), Some(won));
    assert_eq!(leads_to(&houses[2].store, "a").await, found.link.article);
}

/// What was redacted stays so on a node that was there, and on one that comes later: nobody takes it for lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redaction_is_final_on_all_nodes() {
    let settings = own_settings().await;
    let (one, two) = (House::open(&settings, LANES).await, House::open(&settings, LANES).await);
    let (_, story) = followed(&one.store).await;
    exported(&two.store).await;
    let left = two.store.links.redact(&story.id, "user:maria", at(9)).await.unwrap().unwrap();
    assert!(left.is_redacted());
    let three = House::open(&settings, LANES).await;
    let there = exported(&three.store).await;
    assert!(!there.iter().any(|line| line.contains("news.example.com/")), "{there:#?}");
    for house in [&one, &two] {
        assert_eq!(exported(&house.store).await, there);
    }
    // The addresses are another's from now on, for everybody.
    let anew = ArticleClaim { aliases: vec![url("a-amp")], ..claim(2, "a", None) };
    let found = created(&one.store, NewLink { article: Some(anew), ..choose(2, "a", "anew") }).await;
    let there = exported(&House::open(&settings, LANES).await.store).await;
    for house in [&one, &two, &three] {
        assert_eq!(leads_to(&house.store, "a").await, found.link.article);
        assert_eq!(leads_to(&house.store, "a-amp").await, found.link.article);
        assert_eq!(exported(&house.store).await, there);
    }
}

/// A move over a bad line is made once: replies get lost, commits come late, and whoever asks again is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_whose_reply_is_lost_is_changed() {
    for fault in [Fault::DropReply, Fault::Hold] {
        for nth in 0.. {
            let mut two = Two::open().await;
            let (_, story) = followed(&two.far.store).await;
            let change = article_edit(&story, |story| story.url = url("moved"));
            two.strike(fault, nth, 1);
            let moved = article_changed(&two.far.store, change.clone()).await;
            assert_eq!(moved.version, 2);
            let struck = two.proxy.struck();
            two.proxy.deliver().await;
            is_moved(&two.near.store, &moved).await;
            assert_eq!(article_changed(&two.near.store, change).await, moved);
            if struck == 0 {
                assert!(nth > 2, "a move has more than two commits");
                break;
            }
        }
    }
}

/// A node that dies half way leaves what the same edit completes, and nothing that is in the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_was_cut_short_is_gone_on_with() {
    for nth in 0.. {
        let mut two = Two::open().await;
        let (first, story) = followed(&two.near.store).await;
        let change = article_edit(&story, |story| story.url = url("moved"));
        two.strike(Fault::Hold, nth, u64::MAX);
        let died = two.far.store.links.edit_article(change.clone()).await;
        if two.proxy.struck() == 0 {
            break;
        }
        assert!(matches!(died, Err(Error::Unavailable(_))), "{nth}: {died:?}");
        assert_eq!(find(&two.near.store, "vote").await, first, "{nth}: nothing is half moved");
        let moved = article_changed(&two.near.store, change).await;
        two.proxy.deliver().await;
        is_moved(&two.near.store, &moved).await;
    }
}

async fn is_moved(store: &Store, story: &Article) {
    for path in ["a", "a-amp", "moved"] {
        assert_eq!(leads_to(store, path).await.as_ref(), Some(&story.id), "{path}");
    }
    let found = find(store, "vote").await;
    assert_eq!(
        (found.article.as_deref(), found.link.target.as_deref()),
        (Some(story), Some(story.url.as_str()))
    );
    let mut again = choose(9, "moved", "vote");
    again.article = Some(claim(9, "moved", None));
    assert_eq!(existing(store, again).await.link, found.link);
}
