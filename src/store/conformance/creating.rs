//! Get or create: codes, slots, retries.

use std::collections::HashSet;

use tokio::task::JoinSet;

use super::editing::{edit, retire};
use super::{Store, ask, at, blank, choose, claim, code, create, created, existing, find, url};
use crate::domain::link::{Link, Via};
use crate::store::links::{Creation, NewCode, NewLink};

/// All that a request says is kept, and read again as it was answered.
pub async fn makes_a_link_with_all_its_fields(store: &Store) {
    let link = Link {
        title: Some("A title".into()),
        channel: Some("x".into()),
        campaign: Some("election".into()),
        tags: vec!["one".into(), "two, three".into(), "\"four\"".into()],
        note: Some("for colleagues".into()),
        not_before: Some(at(10)),
        expires_at: Some(at(20)),
        expired_url: Some(url("later")),
        message: Some("gone".into()),
        redirect_status: 307,
        forward_query: true,
        disabled: true,
        created_by: "user:maria".into(),
        via: Via::Bookmarklet,
        ..blank(Some(url("a")), at(0))
    };
    let mut claim = claim("a");
    claim.cms_id = Some("4711".into());
    claim.facts.title = Some("A headline".into());
    claim.facts.section = Some("World".into());
    claim.facts.authors = vec!["Ann Author".into(), "Bob Writer".into()];
    claim.facts.published_at = Some(at(-60));
    claim.facts.image = Some(url("a.jpg"));
    claim.facts.language = Some("de-AT".into());
    let new = NewLink { article: Some(claim.clone()), link: link.clone(), ..ask(1, "a", &["kx7dw4m"]) };
    let found = created(store, new).await;
    let article = found.article.clone().unwrap();
    assert_eq!((article.cms_id.as_deref(), article.url.as_str()), (Some("4711"), claim.url.as_str()));
    assert_eq!((&article.facts, article.version, &article.id), (&claim.facts, 1, &claim.new_id));
    assert_eq!((article.site.as_str(), article.created_at), ("news.example.com", at(0)));
    let expected = Link { code: code("kx7dw4m"), article: Some(claim.new_id), follows_article: true, ..link };
    assert_eq!(*found.link, expected);
    assert_eq!(find(store, "kx7dw4m").await, found);
}

/// A code is looked up by its folded form only, and keeps its spelling.
pub async fn finds_by_folded_code(store: &Store) {
    created(store, choose(1, "a", "Vote-26")).await;
    assert_eq!(find(store, "vote-26").await.link.code.as_str(), "Vote-26");
    assert!(store.links.find("vote").await.unwrap().is_empty());
    assert!(store.links.find("").await.unwrap().is_empty());
}

/// Many at once: unknown ones are left out, and asking twice for one gives it once or twice, not never.
pub async fn finds_many(store: &Store) {
    for (tag, name) in (1..).zip(["aa", "bb", "Cc"]) {
        created(store, choose(tag, name, name)).await;
    }
    let keys: Vec<String> = ["cc", "nothing", "aa"].map(str::to_owned).to_vec();
    let found = store.links.find_many(&keys).await.unwrap();
    let codes: HashSet<_> = found.iter().map(|f| f.link.code.as_str()).collect();
    assert_eq!(codes, HashSet::from(["aa", "Cc"]));
    assert!(found.iter().all(|f| f.article.is_some()));
    assert!(store.links.find_many(&[]).await.unwrap().is_empty());
}

/// Asking again for the same gives the link that is there, and changes nothing of it.
pub async fn gives_the_one_that_is_there(store: &Store) {
    let first = created(store, ask(1, "a", &["first"])).await;
    let mut again = ask(2, "a", &["second"]);
    again.link.title = Some("another title".into());
    let found = existing(store, again).await;
    assert_eq!(found.link, first.link);
    assert!(store.links.find("second").await.unwrap().is_empty());
    // Also when none of the drawn codes is free: none is needed.
    assert_eq!(existing(store, ask(3, "a", &["first"])).await.link, first.link);
}

/// Channel, campaign and target each make another slot; "no channel" is not a channel of any name.
pub async fn every_part_of_a_slot_counts(store: &Store) {
    let text = |t: &str| Some(t.to_owned());
    let variants = [
        (None, None, None),
        (text("x"), None, None),
        (None, text("x"), None),
        (text("x"), text("x"), None),
        (None, None, text("https://elsewhere.example/")),
        (text("x"), None, text("https://elsewhere.example/")),
        (text("="), None, None),
    ];
    let new = |tag, (channel, campaign, target): &(Option<String>, Option<String>, Option<String>)| {
        let mut new = ask(tag, "a", &[&format!("code{tag}")]);
        new.link.channel.clone_from(channel);
        new.link.campaign.clone_from(campaign);
        if target.is_some() {
            new.link.target.clone_from(target);
        }
        new
    };
    let mut made = vec![];
    for (tag, variant) in (1..).zip(&variants) {
        let found = created(store, new(tag, variant)).await;
        assert_eq!(found.link.follows_article, variant.2.is_none());
        made.push(found.link);
    }
    for (tag, (variant, first)) in (101..).zip(variants.iter().zip(&made)) {
        assert_eq!(existing(store, new(tag, variant)).await.link, *first);
    }
    // Another story has its own slots.
    created(store, ask(200, "b", &["other"])).await;
}

/// A retry with the same tag is answered "created" with its own link, however its code was found.
pub async fn a_retry_is_told_what_was_made(store: &Store) {
    let drawn = created(store, ask(1, "a", &["drawn1", "drawn2"])).await;
    assert_eq!(created(store, ask(1, "a", &["drawn1", "drawn2"])).await, drawn);
    let chosen = created(store, choose(2, "a", "chosen")).await;
    assert_eq!(created(store, choose(2, "a", "chosen")).await, chosen);
    let forced = NewLink { force_new: true, ..ask(3, "a", &["drawn1", "forced", "more"]) };
    let made = created(store, forced.clone()).await;
    assert_ne!(made.link.code, drawn.link.code);
    assert_eq!(created(store, forced).await, made);
    assert_eq!(store.links.count().await.unwrap(), 3);
    // Also after the link was given to another target in between.
    let moved = edit(&drawn, |l| l.target = Some(url("elsewhere")));
    store.links.edit(moved, at(1)).await.unwrap();
    let again = created(store, ask(1, "a", &["drawn1", "drawn2"])).await;
    assert_eq!(again.link.code, drawn.link.code);
}

/// One of the drawn codes that is free, without regard to case; none if none is.
pub async fn draws_a_free_code(store: &Store) {
    created(store, choose(1, "a", "One")).await;
    created(store, choose(2, "a", "two")).await;
    let drawn = ask(3, "b", &["one", "TWO", "three", "four"]);
    let found = created(store, drawn.clone()).await;
    assert!(["three", "four"].contains(&found.link.code.as_str()), "{}", found.link.code);
    assert_eq!(created(store, drawn).await, found, "a retry draws the same");
    // As many as the store likes to choose from.
    let many: Vec<String> = (0..store.links.wanted_codes()).map(|n| format!("d{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let found = created(store, ask(6, "many", &many)).await;
    assert!(many.contains(&found.link.code.as_str()));
    assert!(matches!(create(store, ask(4, "c", &["one", "two", "ONE"])).await, Creation::NoneFree));
    assert!(matches!(create(store, ask(5, "c", &[])).await, Creation::NoneFree));
    assert_eq!(store.links.count().await.unwrap(), 4);
}

/// A chosen code: its article's is found again, another's is taken; the slot of the article does not matter.
pub async fn a_chosen_code_is_given_once(store: &Store) {
    let first = created(store, choose(1, "a", "vote")).await;
    assert_eq!(existing(store, choose(2, "a", "vote")).await.link, first.link);
    let Creation::Taken(taken) = create(store, choose(3, "b", "vote")).await else {
        panic!("given to two stories")
    };
    assert_eq!(taken, first);
    // The story has a link already, but not of that code.
    let second = created(store, choose(4, "a", "wahl")).await;
    assert_eq!(second.link.code.as_str(), "wahl");
    // The slot stays with the one that had it.
    assert_eq!(existing(store, ask(5, "a", &["drawn"])).await.link, first.link);
    assert!(store.links.article(crate::store::links::ArticleKey::Url(url("b"))).await.unwrap().is_none());
}

/// Two codes that differ only in case are one.
pub async fn codes_differ_by_more_than_case(store: &Store) {
    let first = created(store, choose(1, "a", "Vote")).await;
    assert_eq!(existing(store, choose(2, "a", "vOTE")).await.link, first.link);
    assert!(matches!(create(store, choose(3, "b", "vote")).await, Creation::Taken(_)));
}

/// `force_new` makes a link in any case; the slot stays with the one that has it, or is taken if it is free.
pub async fn force_new_makes_another(store: &Store) {
    let forced = |tag, name: &str| NewLink { force_new: true, ..ask(tag, "a", &[name]) };
    let first = created(store, forced(1, "first")).await;
    let second = created(store, forced(2, "second")).await;
    assert_ne!(first.link.code, second.link.code);
    assert_eq!(existing(store, ask(3, "a", &["third"])).await.link, first.link);
}

/// A reserved code has no story and no slot: each is its own.
pub async fn reserves_a_code(store: &Store) {
    let reserve =
        |tag, name: &str| NewLink { article: None, link: blank(None, at(0)), ..choose(tag, "", name) };
    let found = created(store, reserve(1, "later")).await;
    assert_eq!((&found.article, &found.link.article, found.link.follows_article), (&None, &None, false));
    created(store, reserve(2, "later2")).await;
    assert!(matches!(create(store, reserve(3, "later")).await, Creation::Taken(_)));
    assert_eq!(find(store, "later").await, found);
}

/// A retired link keeps its code for ever, also from its own story.
pub async fn retired_codes_are_never_given_again(store: &Store) {
    let first = created(store, choose(1, "a", "vote")).await;
    retire(store, &first).await;
    for path in ["a", "b"] {
        assert!(matches!(create(store, choose(2, path, "Vote")).await, Creation::Taken(_)), "{path}");
        let drawn = created(store, ask(3, path, &["vote", path])).await;
        assert_eq!(drawn.link.code.as_str(), path);
    }
    assert!(find(store, "vote").await.link.retired_at.is_some());
}

/// A slot whose link is retired, or leads elsewhere by hand, goes to the next who asks.
pub async fn dead_slots_are_replaced(store: &Store) {
    let first = created(store, ask(1, "a", &["first"])).await;
    retire(store, &first).await;
    let second = created(store, ask(2, "a", &["second"])).await;
    let elsewhere = edit(&second, |l| l.target = Some("https://elsewhere.example/".into()));
    store.links.edit(elsewhere, at(1)).await.unwrap();
    let third = created(store, ask(3, "a", &["third"])).await;
    // A disabled or expired one still has its slot.
    let closed = edit(&third, |l| {
        l.disabled = true;
        l.expires_at = Some(at(-1));
    });
    store.links.edit(closed, at(2)).await.unwrap();
    assert_eq!(existing(store, ask(4, "a", &["fourth"])).await.link.code, third.link.code);
}

/// One call, an outcome for each, in order; one that cannot be made hinders no other.
pub async fn a_batch_has_an_outcome_for_each(store: &Store) {
    created(store, choose(1, "taken", "taken")).await;
    let batch = vec![
        ask(2, "a", &["aa"]),
        choose(3, "b", "taken"),
        ask(4, "a", &["never"]),
        ask(5, "c", &["aa"]),
        ask(6, "c", &["cc"]),
    ];
    let made = store.links.create(batch, at(0)).await.unwrap();
    let [
        Creation::Created(a),
        Creation::Taken(_),
        Creation::Existing(a2),
        Creation::NoneFree,
        Creation::Created(c),
    ] = made.as_slice()
    else {
        panic!("{made:?}")
    };
    assert_eq!((a, c.link.code.as_str()), (a2, "cc"));
    assert!(store.links.create(vec![], at(0)).await.unwrap().is_empty());
}

/// However many ask for one slot at one time, one link is made and all are given it.
pub async fn one_slot_one_link_however_many_ask(store: &Store) {
    let mut asking = JoinSet::new();
    for tag in 1..=40 {
        let links = store.links.clone();
        let new = ask(tag, "a", &[&format!("code{tag}")]);
        asking.spawn(async move { links.create(vec![new], at(0)).await.unwrap().pop().unwrap() });
    }
    let (mut made, mut given) = (0, HashSet::new());
    while let Some(outcome) = asking.join_next().await {
        match outcome.unwrap() {
            Creation::Created(found) => {
                made += 1;
                given.insert(found.link.code.clone());
            }
            Creation::Existing(found) => {
                given.insert(found.link.code.clone());
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((made, given.len()), (1, 1));
    assert_eq!(store.links.count().await.unwrap(), 1);
    // And one code, one link: each of these stories wants it.
    let mut asking = JoinSet::new();
    for tag in 101..=120 {
        let links = store.links.clone();
        let mut new = choose(tag, &format!("story{tag}"), "vote");
        new.code = NewCode::Chosen(code(if tag % 2 == 0 { "vote" } else { "VOTE" }));
        asking.spawn(async move { links.create(vec![new], at(0)).await.unwrap().pop().unwrap() });
    }
    let mut made = 0;
    while let Some(outcome) = asking.join_next().await {
        made += i32::from(matches!(outcome.unwrap(), Creation::Created(_)));
    }
    assert_eq!(made, 1);
}

/// All links, retired ones too.
pub async fn counts_links(store: &Store) {
    assert_eq!(store.links.count().await.unwrap(), 0);
    let first = created(store, ask(1, "a", &["aa"])).await;
    created(store, ask(2, "b", &["bb"])).await;
    retire(store, &first).await;
    assert_eq!(store.links.count().await.unwrap(), 2);
}
