//! Streams: what is known of them, how they end.

use super::applying::{audit_holds, batch, clicked, lane, lanes, link};
use super::{Store, at};
use crate::domain::tally::{Scope, StreamId};
use crate::store::tallies::{Applied, StreamState};

/// Applies hits `from + 1 ..= to` of link "aa" and of the site.
async fn count(store: &Store, stream: u64, from: u64, to: u64) {
    let site = lanes(store).await;
    let n = to - from;
    for (lane, scope) in [(lane(store, "aa").await, link("aa")), (site, Scope::Site)] {
        let applied =
            store.tallies.apply(&batch(stream, lane, from, to, vec![clicked(scope, n)])).await.unwrap();
        assert_eq!(applied, Applied::Done);
    }
}

async fn state(store: &Store, stream: u64) -> StreamState {
    store.tallies.stream(StreamId(stream)).await.expect("stream")
}

/// Zeros, one for each lane and the site lane, and no trace in the list.
pub async fn unknown_ones_are_zero(store: &Store) {
    let unknown = state(store, 9).await;
    assert_eq!(unknown.ordinals, vec![0; usize::from(lanes(store).await) + 1]);
    assert_eq!((unknown.stream, unknown.finished_at), (StreamId(9), None));
    assert!(store.tallies.streams().await.unwrap().is_empty());
    assert_eq!(store.tallies.durable_stream(StreamId(9)).await.unwrap(), unknown);
}

/// What is durable is never ahead of what is there; with nobody else writing it is the same.
pub async fn durable_ones_are_the_same(store: &Store) {
    for round in 0..5 {
        count(store, 7, round * 2, round * 2 + 2).await;
        let there = state(store, 7).await;
        assert_eq!(store.tallies.durable_stream(StreamId(7)).await.unwrap(), there);
        assert_eq!(state(store, 7).await, there);
    }
}

/// Only if its ordinals are exactly these; finishing again changes nothing.
pub async fn finishes_only_what_is_known(store: &Store) {
    count(store, 7, 0, 3).await;
    let known = state(store, 7).await.ordinals;
    let mut wrong = known.clone();
    wrong[0] += 1;
    assert!(!store.tallies.finish(StreamId(7), &wrong, at(0)).await.unwrap());
    assert!(!store.tallies.finish(StreamId(7), &[], at(0)).await.unwrap());
    assert_eq!(state(store, 7).await.finished_at, None);
    assert!(store.tallies.finish(StreamId(7), &known, at(1)).await.unwrap());
    assert_eq!(state(store, 7).await.finished_at, Some(at(1)));
    assert!(store.tallies.finish(StreamId(7), &known, at(9)).await.unwrap());
    assert_eq!(state(store, 7).await.finished_at, Some(at(1)));
    assert_eq!(store.tallies.streams().await.unwrap(), [state(store, 7).await]);
    audit_holds(store).await;
}

/// A tombstone that is old enough goes; the audit holds because base has its ordinals.
pub async fn tombstones_go_into_base(store: &Store) {
    for (stream, hits, finished) in [(1, 2, Some(10)), (2, 3, Some(20)), (3, 4, None), (4, 5, Some(5))] {
        count(store, stream, 0, hits).await;
        if let Some(seconds) = finished {
            let ordinals = state(store, stream).await.ordinals;
            assert!(store.tallies.finish(StreamId(stream), &ordinals, at(seconds)).await.unwrap());
        }
    }
    assert_eq!(store.tallies.forget_finished(at(20)).await.unwrap(), 2);
    assert_eq!(store.tallies.forget_finished(at(20)).await.unwrap(), 0);
    let mut left: Vec<_> = store.tallies.streams().await.unwrap().iter().map(|s| s.stream.0).collect();
    left.sort_unstable();
    assert_eq!(left, [2, 3]);
    audit_holds(store).await;
    let site = *store.tallies.audit().await.unwrap().last().unwrap();
    assert_eq!((site.base, site.ordinals, site.tallies), (7, 7, 14));
    assert!(state(store, 1).await.ordinals.iter().all(|n| *n == 0));
}

/// A copy of a journal that was applied and finished adds nothing.
pub async fn a_tombstone_keeps_its_ordinals(store: &Store) {
    count(store, 7, 0, 3).await;
    let ordinals = state(store, 7).await.ordinals;
    store.tallies.finish(StreamId(7), &ordinals, at(1)).await.unwrap();
    let again = batch(7, lane(store, "aa").await, 0, 3, vec![clicked(link("aa"), 3)]);
    assert_eq!(store.tallies.apply(&again).await.unwrap(), Applied::At(3));
    assert_eq!(state(store, 7).await.finished_at, Some(at(1)));
}
