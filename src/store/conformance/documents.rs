//! Documents: what staff change while the service runs.

use serde_json::{Value, json};

use super::{Store, at};
use crate::store::documents::{Document, DocumentChange, DocumentChanged, DocumentKind, NAMES};

const HOSTS: &str = "articles.allowed_hosts";

/// A change of a setting, whatever was there.
#[must_use]
pub fn change(name: &str, value: Option<Value>, seconds: i64) -> DocumentChange {
    DocumentChange {
        kind: DocumentKind::Setting,
        name: name.into(),
        value,
        seen: None,
        by: "user:maria".into(),
        at: at(seconds),
    }
}

fn channel(name: &str, seconds: i64) -> DocumentChange {
    let value = Some(json!({ "utm_source": name }));
    DocumentChange { kind: DocumentKind::Channel, ..change(name, value, seconds) }
}

fn document(kind: DocumentKind, name: &str, value: Value, version: u64, seconds: i64) -> Document {
    let (name, updated_by) = (name.to_owned(), "user:maria".to_owned());
    Document { kind, name, value, version, updated_at: at(seconds), updated_by }
}

async fn changed(store: &Store, change: DocumentChange) -> DocumentChanged {
    store.documents.change_document(change).await.unwrap()
}

async fn all(store: &Store) -> Vec<Document> {
    store.documents.documents().await.unwrap()
}

/// By kind and name; one name may be of both kinds; any JSON comes back.
pub async fn documents_are_kept(store: &Store) {
    assert_eq!(all(store).await, []);
    let value = json!({ "é": [1, true, null, "\u{1F600}"], "a": { "b": 0.5 } });
    assert_eq!(changed(store, channel("x", 1)).await, DocumentChanged::Done(1));
    assert_eq!(changed(store, change("x", Some(value.clone()), 2)).await, DocumentChanged::Done(1));
    assert_eq!(changed(store, change("a", Some(json!(null)), 3)).await, DocumentChanged::Done(1));
    assert_eq!(changed(store, change("a", Some(json!("")), 4)).await, DocumentChanged::Done(2));
    let expected = [
        document(DocumentKind::Setting, "a", json!(""), 2, 4),
        document(DocumentKind::Setting, "x", value, 1, 2),
        document(DocumentKind::Channel, "x", json!({ "utm_source": "x" }), 1, 1),
    ];
    assert_eq!(all(store).await, expected);
    assert_eq!(store.documents.names(DocumentKind::Setting).await.unwrap(), 2);
}

/// Who has read another version is told the one there is; the same value again keeps the version.
pub async fn a_stale_change_changes_nothing(store: &Store) {
    let with = |value: &str, seen, seconds| DocumentChange {
        seen: Some(seen),
        ..change(HOSTS, Some(json!([value])), seconds)
    };
    assert_eq!(changed(store, with("a", 1, 1)).await, DocumentChanged::Stale(0));
    assert_eq!(changed(store, with("a", 0, 2)).await, DocumentChanged::Done(1));
    assert_eq!(changed(store, with("b", 0, 3)).await, DocumentChanged::Stale(1));
    assert_eq!(changed(store, with("a", 0, 4)).await, DocumentChanged::Stale(1));
    assert_eq!(changed(store, with("a", 1, 5)).await, DocumentChanged::Done(1));
    assert_eq!(all(store).await, [document(DocumentKind::Setting, HOSTS, json!(["a"]), 1, 2)]);
    assert_eq!(changed(store, with("b", 1, 6)).await, DocumentChanged::Done(2));
}

/// One that is gone is not there; the next of its name goes on from its version.
pub async fn removed_documents_keep_their_version(store: &Store) {
    let remove = |seen, seconds| DocumentChange { seen, ..change(HOSTS, None, seconds) };
    assert_eq!(changed(store, remove(None, 1)).await, DocumentChanged::Unknown);
    assert_eq!(changed(store, change(HOSTS, Some(json!(1)), 2)).await, DocumentChanged::Done(1));
    assert_eq!(changed(store, remove(Some(7), 3)).await, DocumentChanged::Stale(1));
    assert_eq!(changed(store, remove(Some(1), 4)).await, DocumentChanged::Done(2));
    assert_eq!(changed(store, remove(None, 5)).await, DocumentChanged::Done(2));
    assert_eq!(all(store).await, []);
    let again = DocumentChange { seen: Some(2), ..change(HOSTS, Some(json!(1)), 6) };
    assert_eq!(changed(store, again.clone()).await, DocumentChanged::Stale(0));
    assert_eq!(changed(store, DocumentChange { seen: Some(0), ..again }).await, DocumentChanged::Done(3));
    assert_eq!(all(store).await, [document(DocumentKind::Setting, HOSTS, json!(1), 3, 6)]);
}

/// A new name is refused when there are too many; the others can be changed.
pub async fn names_are_bounded(store: &Store) {
    let names: Vec<Document> =
        (0..NAMES).map(|n| document(DocumentKind::Channel, &format!("c{n:04}"), json!({}), 1, 0)).collect();
    store.documents.import_documents(names).await.unwrap();
    assert_eq!(changed(store, channel("new", 1)).await, DocumentChanged::Full);
    assert_eq!(changed(store, channel("c0007", 2)).await, DocumentChanged::Done(2));
    assert_eq!(changed(store, change("new", Some(json!(1)), 3)).await, DocumentChanged::Done(1));
    assert_eq!(all(store).await.len(), NAMES + 1);
}

/// Of many who have read the same version one wins, and the others are told.
pub async fn only_one_of_many_changes_wins(store: &Store) {
    let attempts = (0..8)
        .map(|n| changed(store, DocumentChange { seen: Some(0), ..change(HOSTS, Some(json!([n])), n) }));
    let outcomes = futures_util::future::join_all(attempts).await;
    let won = outcomes.iter().filter(|outcome| **outcome == DocumentChanged::Done(1)).count();
    let lost = outcomes.iter().filter(|outcome| **outcome == DocumentChanged::Stale(1)).count();
    assert_eq!((won, lost), (1, 7), "{outcomes:?}");
}

/// In the change feed and in the audit, once for each change that changed something.
pub async fn changes_of_documents_are_told(store: &Store) {
    let mut version = store.links.changes_since(0).await.unwrap().version;
    let mut told = async || {
        let changes = store.links.changes_since(version).await.unwrap();
        version = changes.version;
        changes.accounts && changes.keys == Some(vec![])
    };
    changed(store, change(HOSTS, Some(json!(["a"])), 1)).await;
    assert!(told().await, "a new document");
    changed(store, change(HOSTS, Some(json!(["a"])), 2)).await;
    changed(store, DocumentChange { seen: Some(9), ..change(HOSTS, Some(json!([])), 2) }).await;
    assert!(!told().await, "the same again, and a stale change");
    changed(store, change(HOSTS, Some(json!(["ü".repeat(300)])), 3)).await;
    assert!(told().await, "a change");
    changed(store, change(HOSTS, None, 4)).await;
    assert!(told().await, "a removal");
    changed(store, change(HOSTS, None, 5)).await;
    assert!(!told().await, "a removal of what is gone");
    changed(store, channel("x", 6)).await;
    assert!(told().await, "a channel");
    let lines = store.accounts.audited(None, 100).await.unwrap();
    let said: Vec<_> =
        lines.iter().rev().map(|l| (l.by.as_str(), l.action.as_str(), l.object.as_str())).collect();
    let hosts = "setting:articles.allowed_hosts";
    let by = "user:maria";
    let expected = [
        (by, "setting.created", hosts),
        (by, "setting.changed", hosts),
        (by, "setting.removed", hosts),
        (by, "channel.created", "channel:x"),
    ];
    assert_eq!(said, expected);
    assert_eq!(lines[3].detail, r#"["a"]"#);
    assert_eq!(lines[2].detail.chars().count(), 203, "long values are cut");
    assert_eq!(lines[1].detail, "");
}

/// With version, time and author; what is there, or was, is left as it is.
pub async fn documents_come_back_as_they_were(store: &Store) {
    changed(store, change("mine", Some(json!(1)), 1)).await;
    changed(store, change("gone", Some(json!(1)), 2)).await;
    changed(store, change("gone", None, 3)).await;
    let there = store.accounts.audited(None, 100).await.unwrap();
    let other = document(DocumentKind::Channel, "x", json!({ "utm_medium": "m" }), 41, 9);
    let mine = document(DocumentKind::Setting, "mine", json!(1), 1, 1);
    let items = vec![
        other.clone(),
        document(DocumentKind::Setting, "mine", json!(2), 8, 9),
        document(DocumentKind::Setting, "gone", json!(2), 8, 9),
    ];
    for _ in 0..2 {
        store.documents.import_documents(items.clone()).await.unwrap();
        assert_eq!(all(store).await, [mine.clone(), other.clone()]);
        assert_eq!(store.accounts.audited(None, 100).await.unwrap(), there);
    }
}
