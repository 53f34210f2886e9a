//! Many at once, on several nodes.

use std::collections::BTreeSet;

use slugline::store::Store;
use slugline::store::conformance::{at, choose, created, url};
use slugline::store::links::{ArticleClaim, ArticleKey, Creation, LinkFilter, LinkOrder, LinkPage, NewLink};
use tokio::task::JoinSet;

use super::{claim, request, told};
use crate::redis::house::{House, houses};

const NODES: usize = 3;
const ASKING: u64 = 100;

/// Sends each request to the next node, all at once; gives all codes, and how many were made.
async fn at_once(houses: &[House], requests: Vec<NewLink>) -> (BTreeSet<String>, usize) {
    let mut asking = JoinSet::new();
    for (n, new) in requests.into_iter().enumerate() {
        let links = houses[n % houses.len()].store.links.clone();
        asking.spawn(async move { links.create(vec![new], at(0)).await.unwrap().pop().unwrap() });
    }
    let answers: Vec<(String, bool)> = asking.join_all().await.iter().map(told).collect();
    let made = answers.iter().filter(|(_, made)| *made).count();
    (answers.into_iter().map(|(code, _)| code).collect(), made)
}

fn own_target(mut new: NewLink, path: &str) -> NewLink {
    new.link.target = Some(url(path));
    new
}

async fn all_links(store: &Store) -> usize {
    let page = LinkPage {
        filter: LinkFilter::default(),
        order: LinkOrder::Code,
        descending: false,
        after: None,
        limit: 1_000,
    };
    store.links.list(page, at(0)).await.unwrap().len()
}

async fn one_story(houses: &[House], paths: &[&str]) {
    let mut ids = BTreeSet::new();
    for house in houses {
        for path in paths {
            let article = house.store.links.article(ArticleKey::Url(url(path))).await.unwrap();
            ids.insert(article.unwrap_or_else(|| panic!("{path} leads nowhere")).id.clone());
        }
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
}

/// Nothing is known of the story; all know its address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_story_by_its_address() {
    let houses = houses(NODES).await;
    let store = &houses[0].store;
    let requests = (1..=ASKING).map(|n| request(n, store, claim(n, "a", None))).collect();
    let (codes, made) = at_once(&houses, requests).await;
    assert_eq!((codes.len(), made), (1, 1), "{codes:?}");
    one_story(&houses, &["a"]).await;
}

/// All know its address, some its CMS id as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_story_by_address_and_cms_id() {
    for round in 0..5 {
        let houses = houses(NODES).await;
        let store = &houses[0].store;
        let cms_id = |n: u64| (n % 3 != round % 3).then_some("4711");
        let requests = (1..=ASKING).map(|n| request(n, store, claim(n, "a", cms_id(n)))).collect();
        let (codes, made) = at_once(&houses, requests).await;
        assert_eq!((codes.len(), made), (1, 1), "{codes:?}");
        one_story(&houses, &["a"]).await;
        assert!(store.links.article(ArticleKey::CmsId("4711".into())).await.unwrap().is_some());
    }
}

/// All know its CMS id; they come from three addresses, and all three lead to it afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_story_by_cms_id_from_many_addresses() {
    for _ in 0..5 {
        let houses = houses(NODES).await;
        let store = &houses[0].store;
        let path = |n: u64| ["a", "b", "c"][usize::try_from(n % 3).unwrap()];
        // One target for all: whose address the story gets is open, and its own address is a slot of its own.
        let ask = |n| own_target(request(n, store, claim(n, path(n), Some("4711"))), "elsewhere");
        let (codes, made) = at_once(&houses, (1..=ASKING).map(ask).collect()).await;
        assert_eq!((codes.len(), made), (1, 1), "{codes:?}");
        one_story(&houses, &["a", "b", "c"]).await;
    }
}

/// Each comes by a spelling of its own; all have read one page, or its twin, and know what it says of itself. Whoever
/// is first, all spellings are one story.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_story_by_many_spellings() {
    for round in 0..5 {
        let houses = houses(NODES).await;
        let store = &houses[0].store;
        let ask = |n: u64| {
            let spelling = format!("a-{}", n % 20);
            let claim = match (n + round) % 3 {
                0 => ArticleClaim { aliases: vec![url("a")], ..claim(n, &spelling, None) },
                1 => ArticleClaim { aliases: vec![url(&spelling)], ..claim(n, "a", None) },
                _ => ArticleClaim { aliases: vec![url(&spelling), url("a-amp")], ..claim(n, "a", None) },
            };
            own_target(request(n, store, claim), "elsewhere")
        };
        let (codes, made) = at_once(&houses, (1..=ASKING).map(ask).collect()).await;
        assert_eq!((codes.len(), made), (1, 1), "{codes:?}");
        let paths: Vec<String> = (0..20).map(|n| format!("a-{n}")).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).chain(["a", "a-amp"]).collect();
        one_story(&houses, &paths).await;
    }
}

/// The story is known by address, alias and CMS id, and has no link of this channel yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_story_by_all_its_names() {
    let houses = houses(NODES).await;
    let store = &houses[0].store;
    let mut known = choose(1_000, "a", "known");
    known.article = Some(claim(0, "a", Some("4711")));
    created(store, known).await;
    // The other spelling becomes an alias.
    let mut other = request(1_001, store, claim(1_001, "a-amp", Some("4711")));
    other.link.channel = Some("print".into());
    created(store, own_target(other, "a")).await;
    let names = [("a", None), ("a-amp", None), ("a-other", Some("4711")), ("a", Some("4711"))];
    let ask = |n: u64| {
        let (path, cms_id) = names[usize::try_from(n % 4).unwrap()];
        own_target(request(n, store, claim(n, path, cms_id)), "a")
    };
    let (codes, made) = at_once(&houses, (1..=ASKING).map(ask).collect()).await;
    assert_eq!((codes.len(), made), (1, 1), "{codes:?}");
    one_story(&houses, &["a", "a-amp", "a-other"]).await;
    assert_eq!(all_links(store).await, 3);
}

/// Codes that lie in any lane: the slot names the code before the link is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_story_whose_codes_lie_elsewhere() {
    for _ in 0..5 {
        let houses = houses(NODES).await;
        let store = &houses[0].store;
        let home = houses[0].lanes.of("a-story");
        let requests = (1..=ASKING).map(|n| {
            let mut claim = claim(n, "a", None);
            claim.new_id = slugline::domain::article::ArticleId("a-story".into());
            let mut new = request(n, store, claim);
            let slugline::store::links::NewCode::Drawn(codes) = &mut new.code else { unreachable!() };
            let elsewhere = codes.iter().filter(|code| houses[0].lanes.of(&code.key()) != home).take(2);
            *codes = elsewhere.collect();
            new
        });
        let (codes, made) = at_once(&houses, requests.collect()).await;
        assert_eq!((codes.len(), made), (1, 1), "{codes:?}");
    }
}

/// Different stories want one code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_chosen_code() {
    let houses = houses(NODES).await;
    let mut asking = JoinSet::new();
    for n in 1..=ASKING {
        let links = houses[usize::try_from(n).unwrap() % NODES].store.links.clone();
        let new = choose(n, &format!("story{n}"), if n % 2 == 0 { "vote" } else { "VOTE" });
        asking.spawn(async move { links.create(vec![new], at(0)).await.unwrap().pop().unwrap() });
    }
    let answers = asking.join_all().await;
    let made = answers.iter().filter(|answer| matches!(answer, Creation::Created(_))).count();
    let taken = answers.iter().filter(|answer| matches!(answer, Creation::Taken(_))).count();
    assert_eq!((made, made + taken), (1, answers.len()));
}

/// A thousand links in one call: each gets its own, and the next node knows them all at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_a_thousand() {
    let houses = houses(2).await;
    let (one, two) = (&houses[0].store, &houses[1].store);
    let batch: Vec<NewLink> =
        (1..=1_000).map(|n| request(n, one, claim(n, &format!("p{}", n % 900), None))).collect();
    let answers = one.links.create(batch.clone(), at(0)).await.unwrap();
    let made: Vec<bool> = answers.iter().map(|answer| told(answer).1).collect();
    assert_eq!(made.iter().filter(|made| **made).count(), 900);
    assert!(made[..900].iter().all(|made| *made), "the first of each story is made");
    assert_eq!(all_links(one).await, 900);
    // Again, elsewhere, with the same tags: the same answers.
    let again = two.links.create(batch, at(0)).await.unwrap();
    let told = |all: &[Creation]| all.iter().map(told).collect::<Vec<_>>();
    assert_eq!(told(&again), told(&answers));
}
