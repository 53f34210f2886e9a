//! The change feed: how nodes learn of each other's writes.

use super::accounts::{key, user};
use super::editing::{changed, edit};
use super::{Store, ask, at, choose, create, created};
use crate::store::links::Creation;

/// Each write raises the version and names the folded code; what changed nothing is not in it.
pub async fn tells_every_change(store: &Store) {
    let begin = store.links.changes_since(0).await.unwrap().version;
    let first = created(store, choose(1, "a", "Vote")).await;
    let one = store.links.changes_since(begin).await.unwrap();
    assert_eq!((one.keys.as_deref(), one.accounts), (Some(&["vote".to_owned()][..]), false));
    assert!(one.version > begin);
    changed(store, edit(&first, |l| l.note = Some("n".into()))).await;
    created(store, ask(2, "b", &["bb"])).await;
    let all = store.links.changes_since(begin).await.unwrap();
    let mut keys = all.keys.unwrap();
    keys.sort();
    keys.dedup();
    assert_eq!(keys, ["bb", "vote"]);
    let since_one = store.links.changes_since(one.version).await.unwrap();
    assert_eq!(since_one.version, all.version);
    // Found, taken, stale: nothing happened.
    assert!(matches!(create(store, choose(3, "b", "vote")).await, Creation::Taken(_)));
    create(store, ask(4, "b", &["cc"])).await;
    let mut stale = edit(&first, |l| l.note = Some("stale".into()));
    stale.tag = 5;
    store.links.edit(stale, at(0)).await.unwrap();
    let nothing = store.links.changes_since(all.version).await.unwrap();
    assert_eq!((nothing.version, nothing.keys, nothing.accounts), (all.version, Some(vec![]), false));
}

/// 0 asks only for the version now, which is never 0 itself.
pub async fn zero_asks_for_the_version(store: &Store) {
    let before = store.links.changes_since(0).await.unwrap();
    assert!(before.version > 0, "a node that begins at 0 would never learn of the first change");
    assert_eq!((before.keys, before.accounts), (Some(vec![]), false));
    created(store, ask(1, "a", &["aa"])).await;
    let after = store.links.changes_since(0).await.unwrap();
    assert_eq!((after.version > before.version, after.keys), (true, Some(vec![])));
}

/// Too far back, or from a future that is no more: everything may have changed.
pub async fn a_feed_that_forgot_says_so(store: &Store) {
    let begin = store.links.changes_since(0).await.unwrap().version;
    for round in 0..10u64 {
        let batch = (0..500).map(|n| {
            let name = format!("c{}", round * 500 + n);
            ask(round * 500 + n + 1, &name, &[&name])
        });
        store.links.create(batch.collect(), at(0)).await.unwrap();
    }
    let now = store.links.changes_since(begin).await.unwrap();
    assert_eq!((now.keys, now.accounts), (None, true));
    let recent = store.links.changes_since(now.version - 100).await.unwrap();
    assert!(recent.keys.unwrap().contains(&"c4999".to_owned()));
    let future = store.links.changes_since(now.version + 1_000).await.unwrap();
    assert_eq!((future.version, future.keys), (now.version, None));
}

/// A changed key or user is told as soon as a link.
pub async fn accounts_are_in_the_feed(store: &Store) {
    let mut version = store.links.changes_since(0).await.unwrap().version;
    let mut told = async || {
        let changes = store.links.changes_since(version).await.unwrap();
        version = changes.version;
        changes.accounts && changes.keys == Some(vec![])
    };
    store.accounts.add_key(key("k1", 0)).await.unwrap();
    assert!(told().await, "a new key");
    store.accounts.add_key(key("k1", 0)).await.unwrap();
    assert!(!told().await, "a key that is there");
    store.accounts.revoke_key("k1", "cli", at(1)).await.unwrap();
    assert!(told().await, "a revoked key");
    store.accounts.revoke_key("k1", "cli", at(2)).await.unwrap();
    assert!(!told().await, "a key that was revoked before");
    store.accounts.add_user(user("Maria", 0)).await.unwrap();
    assert!(told().await, "a new user");
    store.accounts.set_user(user("Maria", 0), "cli", "user.changed", at(3)).await.unwrap();
    assert!(told().await, "a changed user");
    store.accounts.begin("key:a", "i", [0; 32], at(0)).await.unwrap();
    store.accounts.audit(vec![]).await.unwrap();
    assert!(!told().await, "neither");
}
