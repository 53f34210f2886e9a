//! Edits: versions, tags, slots, history.

use tokio::task::JoinSet;

use super::{Store, ask, at, choose, code, created, existing, find, url};
use crate::domain::link::{Found, HistoryEntry, Link};
use crate::store::links::{Edit, Edited, SlotWish};

/// The edit that `change` makes of a link; its tag follows from code and version.
#[must_use]
pub fn edit(found: &Found, change: impl FnOnce(&mut Link)) -> Edit {
    let old = found.link.as_ref();
    let mut link = old.clone();
    change(&mut link);
    // Who leads it elsewhere does not want it to follow.
    link.follows_article &= link.target == old.target || !old.follows_article;
    link.version += 1;
    link.updated_at = at(i64::try_from(link.version).expect("a version"));
    let moves = (&link.channel, &link.campaign, &link.target) != (&old.channel, &old.campaign, &old.target);
    let entry = HistoryEntry {
        version: link.version,
        at: link.updated_at,
        by: "user:maria".into(),
        action: "changed".into(),
        changes: serde_json::Map::from_iter([("note".to_owned(), serde_json::json!({"from": 1, "to": [2]}))]),
    };
    let slot = if moves { SlotWish::Claim } else { SlotWish::Keep };
    Edit { tag: 1_000_000 + link.version, link, entry, slot, article: None }
}

/// Makes an edit, which must succeed.
pub async fn changed(store: &Store, edit: Edit) -> Found {
    match store.links.edit(edit, at(0)).await.expect("edit") {
        Edited::Changed(found) => found,
        other => panic!("not changed: {other:?}"),
    }
}

/// Retires a link.
pub async fn retire(store: &Store, found: &Found) -> Found {
    let mut edit = edit(found, |link| link.retired_at = Some(at(5)));
    edit.entry.action = "retired".into();
    changed(store, edit).await
}

/// The whole record is replaced, but for its code and origin.
pub async fn replaces_the_record(store: &Store) {
    let first = created(store, ask(1, "a", &["aa"])).await;
    let change = edit(&first, |link| {
        link.title = Some("new".into());
        link.note = Some("a note".into());
        link.tags = vec!["t".into()];
        link.not_before = Some(at(1));
        link.expires_at = Some(at(9));
        link.expired_url = Some(url("b"));
        link.message = Some("m".into());
        link.redirect_status = 301;
        link.forward_query = true;
        link.confidential = true;
        link.disabled = true;
        link.target = Some(url("target"));
        link.target_version = 2;
        link.channel = Some("x".into());
        link.campaign = Some("c".into());
        link.follows_article = false;
    });
    let found = changed(store, change.clone()).await;
    assert_eq!(*found.link, change.link);
    assert_eq!(find(store, "aa").await, found);
    assert_eq!(found.article, first.article);
    // Back to its article's own address.
    let back = edit(&found, |link| {
        link.target = Some(url("a"));
        link.follows_article = true;
    });
    assert!(changed(store, back).await.link.follows_article);
}

/// An edit of any other version than the one that is there changes nothing and is told what is there.
pub async fn a_stale_edit_changes_nothing(store: &Store) {
    let first = created(store, ask(1, "a", &["aa"])).await;
    let second = changed(store, edit(&first, |l| l.title = Some("second".into()))).await;
    for version in [1, 2, 4, 100] {
        let mut stale = edit(&second, |l| l.title = Some("stale".into()));
        (stale.tag, stale.link.version) = (77, version);
        match store.links.edit(stale, at(0)).await.unwrap() {
            Edited::Stale(found) => assert_eq!(found, second),
            other => panic!("{version}: {other:?}"),
        }
    }
    assert_eq!(find(store, "aa").await, second);
    assert_eq!(store.links.history(&code("aa"), None, 10).await.unwrap().len(), 2);
}

/// The same edit again is success and is made once.
pub async fn a_retry_of_an_edit_is_changed(store: &Store) {
    let first = created(store, ask(1, "a", &["aa"])).await;
    let change = edit(&first, |l| l.title = Some("second".into()));
    let second = changed(store, change.clone()).await;
    assert_eq!(changed(store, change.clone()).await, second);
    let third = changed(store, edit(&second, |l| l.title = Some("third".into()))).await;
    // A late retry does not bring the older record back.
    assert_eq!(changed(store, change).await, third);
    assert_eq!(find(store, "aa").await, third);
}

/// A record keeps the tags of its last eight writes.
pub async fn the_last_eight_tags_are_remembered(store: &Store) {
    let mut found = created(store, ask(1, "a", &["aa"])).await;
    let mut edits = vec![];
    for n in 0..9 {
        let change = edit(&found, |l| l.note = Some(format!("{n}")));
        found = changed(store, change.clone()).await;
        edits.push(change);
    }
    let outcome = store.links.edit(edits[0].clone(), at(0)).await.unwrap();
    assert!(matches!(outcome, Edited::Stale(_)), "{outcome:?}");
    for change in &edits[1..] {
        assert_eq!(changed(store, change.clone()).await, found);
    }
}

/// There is nothing to change.
pub async fn an_unknown_link(store: &Store) {
    let found = created(store, ask(1, "a", &["aa"])).await;
    let mut change = edit(&found, |_| {});
    change.link.code = code("bb");
    assert!(matches!(store.links.edit(change, at(0)).await.unwrap(), Edited::NotFound));
}

/// A link that moves takes its new slot and leaves the old one.
pub async fn moves_to_a_free_slot(store: &Store) {
    let first = created(store, ask(1, "a", &["aa"])).await;
    let moved = changed(store, edit(&first, |l| l.channel = Some("x".into()))).await;
    let mut on_x = ask(2, "a", &["bb"]);
    on_x.link.channel = Some("x".into());
    assert_eq!(existing(store, on_x).await.link, moved.link);
    let second = created(store, ask(3, "a", &["cc"])).await;
    // What a retired link held is free as well.
    retire(store, &second).await;
    let back = changed(store, edit(&moved, |l| l.channel = None)).await;
    assert_eq!(existing(store, ask(4, "a", &["dd"])).await.link, back.link);
}

/// A slot that another link holds is refused, and nothing changes.
pub async fn a_held_slot_is_refused(store: &Store) {
    let first = created(store, ask(1, "a", &["aa"])).await;
    let mut on_x = ask(2, "a", &["bb"]);
    on_x.link.channel = Some("x".into());
    let second = created(store, on_x).await;
    let change = edit(&second, |l| l.channel = None);
    match store.links.edit(change.clone(), at(0)).await.unwrap() {
        Edited::SlotHeld(found) => assert_eq!(found, first),
        other => panic!("{other:?}"),
    }
    assert_eq!(find(store, "bb").await, second);
    // An edit that moves nothing is none of the slot's business, also of a link that holds none.
    let forced = created(store, choose(3, "a", "forced")).await;
    changed(store, edit(&forced, |l| l.note = Some("n".into()))).await;
    // Once the holder is gone, so is the conflict.
    retire(store, &first).await;
    changed(store, change).await;
}

/// Of many edits of one version one is made; the others are stale.
pub async fn only_one_of_many_edits_wins(store: &Store) {
    let first = created(store, ask(1, "a", &["aa"])).await;
    let mut editing = JoinSet::new();
    for n in 0..20 {
        let links = store.links.clone();
        let mut change = edit(&first, |l| l.note = Some(format!("{n}")));
        change.tag = 500 + n;
        editing.spawn(async move { links.edit(change, at(0)).await.unwrap() });
    }
    let (mut won, mut stale) = (0, 0);
    while let Some(outcome) = editing.join_next().await {
        match outcome.unwrap() {
            Edited::Changed(_) => won += 1,
            Edited::Stale(_) => stale += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((won, stale, find(store, "aa").await.link.version), (1, 19, 2));
}

/// Every change, newest first, from the first; paged by version.
pub async fn history_is_kept_and_paged(store: &Store) {
    let first = created(store, choose(1, "a", "Aa")).await;
    let second = edit(&first, |l| l.note = Some("2".into()));
    let found = changed(store, second.clone()).await;
    retire(store, &found).await;
    let of = code("Aa");
    let all = store.links.history(&of, None, 10).await.unwrap();
    assert_eq!(all.iter().map(|e| e.version).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(all.iter().map(|e| e.action.as_str()).collect::<Vec<_>>(), ["retired", "changed", "created"]);
    assert_eq!(all[1], second.entry);
    assert_eq!((all[2].by.as_str(), all[2].at), ("key:a", at(0)));
    // The first target is in it: hits are counted by the version that set their target.
    assert_eq!(all[2].changes["target"]["to"], url("a"));
    assert_eq!(store.links.history(&of, Some(3), 1).await.unwrap(), all[1..2]);
    assert!(store.links.history(&of, Some(1), 10).await.unwrap().is_empty());
    assert!(store.links.history(&code("zz"), None, 10).await.unwrap().is_empty());
}

/// At most 1,000 changes of a link are kept; the newest.
pub async fn history_is_bounded(store: &Store) {
    let mut found = created(store, ask(1, "a", &["aa"])).await;
    for n in 0..1_005 {
        found = changed(store, edit(&found, |l| l.note = Some(format!("{n}")))).await;
    }
    let all = store.links.history(&code("aa"), None, 2_000).await.unwrap();
    assert_eq!((all.len(), all[0].version), (1_000, 1_006));
}
