//! Webhooks, messages on their way to them, and leases.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Store, at};
use crate::clock;
use crate::secret::Secret;
use crate::store::webhooks::{
    Delivery, Disabled, Enqueued, Health, KEPT, KEPT_DAYS, Replaced, Settled, Stage, Tried, WAITING, Webhook,
};

/// A webhook made `seconds` after the begin.
#[must_use]
pub fn webhook(id: &str, seconds: i64) -> Webhook {
    Webhook {
        id: id.into(),
        name: format!("webhook {id}"),
        url: format!("https://hooks.example/{id}"),
        events: vec!["link.created".into(), "link.spike".into()],
        secret: Secret::new("whsec_c2VjcmV0"),
        created_at: at(seconds),
        created_by: "key:a".into(),
        disabled: None,
        version: 1,
    }
}

/// A delivery made, and due, `seconds` after the begin.
#[must_use]
pub fn delivery(webhook: &str, id: &str, seconds: i64) -> Delivery {
    Delivery {
        webhook: webhook.into(),
        id: id.into(),
        event: "link.created".into(),
        code: "aa".into(),
        body: format!("{{\"id\":\"{id}\"}}"),
        created_at: at(seconds),
        attempts: 0,
        stage: Stage::Waiting(at(seconds)),
        tried: Tried::default(),
    }
}

fn ended(before: &Delivery, stage: Stage) -> Delivery {
    let tried = Tried { at: Some(at(1)), status: Some(200), error: None, latency_ms: 7 };
    Delivery { attempts: before.attempts + 1, stage, tried, ..before.clone() }
}

async fn ids(store: &Store, webhook: &str, now: Timestamp) -> Vec<String> {
    let due = store.deliveries.due(&[webhook.to_owned()], now, 10).await.unwrap();
    due.into_iter().map(|delivery| delivery.id).collect()
}

/// All of them, oldest first; an id is given once; who did it is in the audit, the secret is not.
pub async fn webhooks_are_kept(store: &Store) {
    assert!(store.webhooks.all().await.unwrap().is_empty());
    assert!(store.webhooks.add(webhook("b", 5)).await.unwrap());
    assert!(store.webhooks.add(webhook("a", 1)).await.unwrap());
    assert!(!store.webhooks.add(Webhook { name: "another".into(), ..webhook("a", 2) }).await.unwrap());
    assert_eq!(store.webhooks.all().await.unwrap(), [webhook("a", 1), webhook("b", 5)]);
    let lines = store.accounts.audited(None, 9).await.unwrap();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line.action == "webhook.created" && line.by == "key:a"), "{lines:?}");
    assert!(!format!("{lines:?}").contains("c2VjcmV0"));
}

/// A change is made on the version that was read.
pub async fn webhooks_are_replaced_by_version(store: &Store) {
    store.webhooks.add(webhook("a", 0)).await.unwrap();
    let disabled = Some(Disabled { at: at(3), why: "it answered 410".into() });
    let second = Webhook { version: 2, disabled, events: vec!["link.broken".into()], ..webhook("a", 0) };
    let replace = async |webhook: Webhook| {
        store.webhooks.replace(webhook, "key:b", "webhook.disabled", at(3)).await.unwrap()
    };
    assert_eq!(replace(second.clone()).await, Replaced::Done);
    assert_eq!(
        replace(Webhook { name: "late".into(), ..second.clone() }).await,
        Replaced::Stale(Box::new(second.clone()))
    );
    assert_eq!(replace(Webhook { version: 2, ..webhook("zz", 0) }).await, Replaced::NotFound);
    assert_eq!(store.webhooks.all().await.unwrap(), [second]);
    let line = &store.accounts.audited(None, 1).await.unwrap()[0];
    let said = (line.by.as_str(), line.action.as_str(), line.object.as_str(), line.detail.as_str());
    assert_eq!(said, ("key:b", "webhook.disabled", "webhook:a", "it answered 410"));
}

/// With all that was on its way; what comes for it later is nobody's; its id is not given again by an import.
pub async fn a_removed_webhook_is_gone(store: &Store) {
    store.webhooks.add(webhook("a", 0)).await.unwrap();
    store.webhooks.add(webhook("b", 0)).await.unwrap();
    store.deliveries.enqueue(vec![delivery("a", "m1", 0), delivery("b", "m1", 0)]).await.unwrap();
    assert!(store.webhooks.remove("a", "key:b", at(1)).await.unwrap());
    assert!(!store.webhooks.remove("a", "key:b", at(1)).await.unwrap());
    assert_eq!(store.webhooks.all().await.unwrap(), [webhook("b", 0)]);
    assert!(ids(store, "a", at(9)).await.is_empty());
    assert!(store.deliveries.find("a", "m1").await.unwrap().is_none());
    assert!(store.deliveries.list("a", None, 9).await.unwrap().is_empty());
    assert_eq!(ids(store, "b", at(9)).await, ["m1"]);
    let line = &store.accounts.audited(None, 1).await.unwrap()[0];
    assert_eq!((line.action.as_str(), line.object.as_str()), ("webhook.deleted", "webhook:a"));
}

/// What an import brings is there once, and leaves what was there as it is.
pub async fn webhooks_come_back_as_they_were(store: &Store) {
    store.webhooks.add(webhook("a", 0)).await.unwrap();
    let disabled = Some(Disabled { at: at(1), why: "enough".into() });
    let other = Webhook { disabled, secret: Secret::default(), version: 7, ..webhook("b", 1) };
    let another = Webhook { name: "of elsewhere".into(), ..webhook("a", 0) };
    for _ in 0..2 {
        store.webhooks.import(vec![another.clone(), other.clone()]).await.unwrap();
        assert_eq!(store.webhooks.all().await.unwrap(), [webhook("a", 0), other.clone()]);
    }
    assert_eq!(store.accounts.audited(None, 9).await.unwrap().len(), 1);
}

/// A change is in the change feed, so that every node hears of it.
pub async fn webhooks_are_in_the_feed(store: &Store) {
    let version = async || store.links.changes_since(0).await.unwrap().version;
    let told = async |since: u64| store.links.changes_since(since).await.unwrap().accounts;
    let mut since = version().await;
    store.webhooks.add(webhook("a", 0)).await.unwrap();
    assert!(told(since).await);
    since = version().await;
    store.webhooks.replace(Webhook { version: 2, ..webhook("a", 0) }, "k", "x.y", at(0)).await.unwrap();
    assert!(told(since).await);
    since = version().await;
    store.webhooks.remove("a", "k", at(0)).await.unwrap();
    assert!(told(since).await);
}

/// Known by webhook and id: who adds it again, even otherwise, changes nothing.
pub async fn a_message_is_added_once(store: &Store) {
    store.webhooks.add(webhook("a", 0)).await.unwrap();
    store.webhooks.add(webhook("b", 0)).await.unwrap();
    let new = vec![delivery("a", "m1", 3), delivery("a", "m2", 1), delivery("b", "m1", 2)];
    let done = store.deliveries.enqueue(new).await.unwrap();
    assert_eq!(done, Enqueued { added: 3, refused: 0 });
    let other = Delivery { body: "other".into(), ..delivery("a", "m1", 0) };
    let done = store.deliveries.enqueue(vec![other, delivery("a", "m3", 9)]).await.unwrap();
    assert_eq!(done, Enqueued { added: 1, refused: 0 });
    assert_eq!(ids(store, "a", at(0)).await, [""; 0]);
    assert_eq!(ids(store, "a", at(3)).await, ["m2", "m1"], "those due first first");
    let both = ["a".to_owned(), "b".to_owned()];
    let due = store.deliveries.due(&both, at(3), 1).await.unwrap();
    assert_eq!(due, [delivery("a", "m2", 1), delivery("b", "m1", 2)], "so many of each");
    assert_eq!(store.deliveries.find("a", "m1").await.unwrap(), Some(delivery("a", "m1", 3)));
}

/// Only what was read is replaced; once more is once.
pub async fn a_delivery_is_settled_once(store: &Store) {
    store.webhooks.add(webhook("a", 0)).await.unwrap();
    let first = delivery("a", "m1", 0);
    store.deliveries.enqueue(vec![first.clone()]).await.unwrap();
    let again = ended(&first, Stage::Waiting(at(60)));
    let settle = async |before: &Delivery, after: &Delivery, health| {
        store.deliveries.settle(before, after.clone(), health, at(1)).await.unwrap()
    };
    let failing = Settled { done: true, failing_since: Some(at(1)) };
    assert_eq!(settle(&first, &again, Health::Failing(at(1))).await, failing);
    assert_eq!(ids(store, "a", at(59)).await, [""; 0]);
    assert_eq!(ids(store, "a", at(60)).await, ["m1"]);
    // Someone who read it before.
    let late = ended(&first, Stage::Delivered(at(2)));
    assert!(!settle(&first, &late, Health::Good).await.done);
    assert_eq!(store.deliveries.find("a", "m1").await.unwrap(), Some(again.clone()));
    // The first failure after the last good one counts.
    let third = ended(&again, Stage::Failed(at(61)));
    assert_eq!(settle(&again, &third, Health::Failing(at(61))).await, failing);
    assert_eq!(store.deliveries.failing_since("a").await.unwrap(), Some(at(1)));
    assert_eq!(ids(store, "a", at(1_000)).await, [""; 0]);
    // By hand.
    let by_hand = Delivery { stage: Stage::Waiting(at(70)), ..third.clone() };
    assert_eq!(settle(&third, &by_hand, Health::Unsaid).await, failing);
    let good = ended(&by_hand, Stage::Delivered(at(70)));
    assert_eq!(settle(&by_hand, &good, Health::Good).await, Settled { done: true, failing_since: None });
    assert_eq!(store.deliveries.list("a", None, 9).await.unwrap(), [good]);
    assert_eq!(store.deliveries.failing_since("a").await.unwrap(), None);
    assert_eq!(store.deliveries.failing_since("zz").await.unwrap(), None);
}

/// It has not been failing any more; the next failure is a first one.
pub async fn a_webhook_is_forgiven(store: &Store) {
    store.webhooks.add(webhook("a", 0)).await.unwrap();
    let mut is = delivery("a", "m1", 0);
    store.deliveries.enqueue(vec![is.clone()]).await.unwrap();
    for seconds in [1, 5] {
        let next = ended(&is, Stage::Waiting(at(seconds)));
        let health = Health::Failing(at(seconds));
        let settled = store.deliveries.settle(&is, next.clone(), health, at(1)).await.unwrap();
        assert_eq!(settled.failing_since, Some(at(seconds)));
        store.deliveries.forgive("a").await.unwrap();
        assert_eq!(store.deliveries.failing_since("a").await.unwrap(), None);
        is = next;
    }
}

/// Newest first, page by page, whatever has become of them.
pub async fn deliveries_are_paged(store: &Store) {
    store.webhooks.add(webhook("a", 0)).await.unwrap();
    let new = (0..25).map(|n| delivery("a", &format!("m{n:02}"), n / 2));
    store.deliveries.enqueue(new.collect()).await.unwrap();
    let (mut all, mut before): (Vec<String>, _) = (vec![], None);
    loop {
        let page = store.deliveries.list("a", before, 4).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some((last.created_at.as_millisecond(), last.id.clone()));
        all.extend(page.into_iter().map(|delivery| delivery.id));
    }
    let expected: Vec<String> = (0..25).rev().map(|n| format!("m{n:02}")).collect();
    assert_eq!(all, expected);
}

/// One more than may wait is refused; room comes with each that ends.
pub async fn waiting_ones_are_bounded(store: &Store) {
    store.webhooks.add(webhook("a", 0)).await.unwrap();
    let many: Vec<Delivery> = (0..WAITING + 5).map(|n| delivery("a", &format!("m{n}"), 0)).collect();
    let done = store.deliveries.enqueue(many).await.unwrap();
    assert_eq!(done, Enqueued { added: WAITING, refused: 5 });
    let one = delivery("a", "m7", 0);
    store.deliveries.settle(&one, ended(&one, Stage::Failed(at(1))), Health::Unsaid, at(1)).await.unwrap();
    let new = vec![delivery("a", "n1", 0), delivery("a", "n2", 0)];
    assert_eq!(store.deliveries.enqueue(new).await.unwrap(), Enqueued { added: 1, refused: 1 });
}

/// Ended ones go when they are too old, or too many; those that wait stay.
pub async fn ended_ones_go(store: &Store) {
    store.webhooks.add(webhook("a", 0)).await.unwrap();
    let old = at(0) - SignedDuration::from_hours(24 * KEPT_DAYS + 1);
    let many = (0..KEPT + 20).map(|n| delivery("a", &format!("m{n:05}"), 0));
    store
        .deliveries
        .enqueue(many.chain([delivery("a", "old", 0), delivery("a", "new", 0)]).collect())
        .await
        .unwrap();
    let end = async |id: &str, at_: Timestamp| {
        let before = store.deliveries.find("a", id).await.unwrap().unwrap();
        let after = ended(&before, Stage::Delivered(at_));
        assert!(store.deliveries.settle(&before, after, Health::Good, at(0)).await.unwrap().done);
    };
    end("old", old).await;
    assert!(store.deliveries.find("a", "old").await.unwrap().is_none());
    let all: Vec<usize> = (0..KEPT + 20).collect();
    for some in all.chunks(100) {
        let ends = some.iter().map(async |n| end(&format!("m{n:05}"), at(i64::try_from(*n).unwrap())).await);
        futures_util::future::join_all(ends).await;
    }
    assert!(store.deliveries.find("a", "m00019").await.unwrap().is_none());
    assert!(store.deliveries.find("a", "m00020").await.unwrap().is_some());
    assert_eq!(ids(store, "a", at(9_999)).await, ["new"]);
}

/// One at a time holds a lease; who holds it goes on; who gives it back lets the next one in at once.
pub async fn a_lease_is_held_by_one(store: &Store) {
    let minute = Duration::from_secs(60);
    let lease = async |name: &str, holder: &str| {
        store.leases.lease(name, holder, clock::now(), minute).await.unwrap()
    };
    assert!(lease("hooks", "n1").await);
    assert!(lease("hooks", "n1").await);
    assert!(!lease("hooks", "n2").await);
    assert!(lease("checks", "n2").await, "leases have nothing to do with each other");
    store.leases.release("hooks", "n2").await.unwrap();
    assert!(!lease("hooks", "n2").await, "it was not its to give back");
    store.leases.release("hooks", "n1").await.unwrap();
    assert!(lease("hooks", "n2").await);
}

/// A lease that nobody goes on with ends.
pub async fn a_lease_ends(store: &Store) {
    let lease = async |holder: &str, ms: u64| {
        store.leases.lease("hooks", holder, clock::now(), Duration::from_millis(ms)).await.unwrap()
    };
    assert!(lease("n1", 200).await);
    let began = std::time::Instant::now();
    while !lease("n2", 60_000).await {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not end");
        tokio::task::yield_now().await;
    }
    assert!(!lease("n1", 200).await);
}
