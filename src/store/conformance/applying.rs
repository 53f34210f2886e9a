//! Applying batches: once, whole, and what can be read of it.

use std::borrow::Cow;

use tokio::task::JoinSet;

use super::Store;
use crate::domain::code::fold;
use crate::domain::lane::{Lane, lane_of};
use crate::domain::tally::{Batch, Counts, Group, Row, Scope, ScopeKind, Series, StreamId};
use crate::store::tallies::Applied;

/// Clicks alone.
#[must_use]
pub fn clicks(n: u64) -> Counts {
    Counts { clicks: n, ..Counts::default() }
}

/// A row without a value.
#[must_use]
pub fn row(series: Series, bucket: i64, counts: Counts) -> Row {
    Row { series, bucket, value: Cow::Borrowed(""), counts }
}

/// A link's scope.
#[must_use]
pub fn link(code: &str) -> Scope {
    Scope::Link(code.into())
}

/// How many lanes the store has.
pub async fn lanes(store: &Store) -> Lane {
    store.tallies.dataset().await.expect("dataset").lanes
}

/// The lane of a link's numbers.
pub async fn lane(store: &Store, code: &str) -> Lane {
    lane_of(&fold(code), lanes(store).await)
}

/// A scope that was clicked `n` times on day 20,000.
#[must_use]
pub fn clicked(scope: Scope, n: u64) -> Group {
    let rows = vec![
        row(Series::Total, 0, clicks(n)),
        row(Series::Hour, 3_600, clicks(n)),
        row(Series::Day, 20_000, clicks(n)),
    ];
    Group::of(scope, rows)
}

/// A batch of stream `stream`.
#[must_use]
pub fn batch(stream: u64, lane: Lane, from: u64, to: u64, groups: Vec<Group>) -> Batch {
    Batch { stream: StreamId(stream), stream_began_ms: 1_000, lane, from, to, lost: 0, groups: groups.into() }
}

/// A link's sum.
pub async fn total(store: &Store, code: &str) -> Counts {
    store.tallies.totals(&[link(code)]).await.expect("totals")[0]
}

/// Each lane's audit holds.
pub async fn audit_holds(store: &Store) {
    for (lane, audit) in store.tallies.audit().await.expect("audit").iter().enumerate() {
        assert!(audit.holds(), "lane {lane}: {audit:?}");
    }
}

/// A batch is added once; again, it is told where the ordinal is.
pub async fn adds_once(store: &Store) {
    let lane = lane(store, "aa").await;
    let first = batch(7, lane, 0, 3, vec![clicked(link("aa"), 3)]);
    assert_eq!(store.tallies.apply(&first).await.unwrap(), Applied::Done);
    assert_eq!(store.tallies.apply(&first).await.unwrap(), Applied::At(3));
    let second = batch(7, lane, 3, 5, vec![clicked(link("aa"), 2)]);
    assert_eq!(store.tallies.apply(&second).await.unwrap(), Applied::Done);
    assert_eq!(store.tallies.apply(&first).await.unwrap(), Applied::At(5));
    assert_eq!(total(store, "aa").await, clicks(5));
    let days = store.tallies.rows(&link("aa"), Series::Day, 0, 30_000).await.unwrap();
    assert_eq!(days, [row(Series::Day, 20_000, clicks(5))]);
    audit_holds(store).await;
}

/// Too early, too late, or of a stream that is not known: nothing changes, neither numbers nor ordinals.
pub async fn a_wrong_from_changes_nothing(store: &Store) {
    let lane = lane(store, "aa").await;
    let wrong = |from, stream| {
        batch(stream, lane, from, from + 1, vec![clicked(link("aa"), 1), clicked(link("new"), 1)])
    };
    assert_eq!(store.tallies.apply(&wrong(5, 7)).await.unwrap(), Applied::At(0));
    assert!(store.tallies.streams().await.unwrap().is_empty());
    store.tallies.apply(&batch(7, lane, 0, 3, vec![clicked(link("aa"), 3)])).await.unwrap();
    for from in [0, 2, 4, u64::MAX - 1] {
        let mut wrong = wrong(from, 7);
        wrong.lost = 1;
        assert_eq!(store.tallies.apply(&wrong).await.unwrap(), Applied::At(3), "{from}");
    }
    assert_eq!(total(store, "aa").await, clicks(3));
    assert_eq!(total(store, "new").await, Counts::default());
    assert_eq!(store.tallies.lost().await.unwrap().iter().sum::<u64>(), 0);
    assert_eq!(store.tallies.stream(StreamId(7)).await.unwrap().ordinals[usize::from(lane)], 3);
}

/// Ordinals whose hits are gone are stepped over and counted as lost.
pub async fn a_gap_adds_to_lost(store: &Store) {
    let lane = lane(store, "aa").await;
    let mut gap = batch(7, lane, 0, 10, vec![clicked(link("aa"), 4)]);
    gap.lost = 6;
    assert_eq!(store.tallies.apply(&gap).await.unwrap(), Applied::Done);
    assert_eq!(store.tallies.apply(&gap).await.unwrap(), Applied::At(10));
    let lost = store.tallies.lost().await.unwrap();
    assert_eq!(lost.len(), usize::from(lanes(store).await) + 1);
    assert_eq!((lost[usize::from(lane)], lost.iter().sum::<u64>()), (6, 6));
    let audit = store.tallies.audit().await.unwrap()[usize::from(lane)];
    assert_eq!((audit.base, audit.ordinals, audit.tallies, audit.lost), (0, 10, 4, 6));
}

/// Each stream has its own ordinals; their numbers add up.
pub async fn streams_do_not_mix(store: &Store) {
    let lane = lane(store, "aa").await;
    for (stream, from, to) in [(1, 0, 2), (2, 0, 3), (1, 2, 4), (u64::MAX, 0, 1), (2, 3, 4)] {
        let applied =
            store.tallies.apply(&batch(stream, lane, from, to, vec![clicked(link("aa"), to - from)])).await;
        assert_eq!(applied.unwrap(), Applied::Done, "{stream} {from}");
    }
    assert_eq!(total(store, "aa").await, clicks(9));
    let mut states = store.tallies.streams().await.unwrap();
    states.sort_by_key(|s| s.stream);
    let ordinals: Vec<_> = states.iter().map(|s| (s.stream.0, s.ordinals[usize::from(lane)])).collect();
    assert_eq!(ordinals, [(1, 4), (2, 4), (u64::MAX, 1)]);
    assert!(states.iter().all(|s| s.began_ms == 1_000 && s.finished_at.is_none()));
    audit_holds(store).await;
}

/// Link lanes and the site lane count apart, each with its own ordinal.
pub async fn lanes_do_not_mix(store: &Store) {
    let lanes = lanes(store).await;
    for (n, code) in (1..).zip(["aa", "bb", "cc", "dd", "ee"]) {
        let lane = lane(store, code).await;
        let at = store.tallies.stream(StreamId(7)).await.unwrap().ordinals[usize::from(lane)];
        let groups = vec![clicked(link(code), n)];
        assert_eq!(store.tallies.apply(&batch(7, lane, at, at + n, groups)).await.unwrap(), Applied::Done);
    }
    // The site lane also carries what is in no audit: a hit has a section, perhaps two authors.
    let site = vec![
        clicked(Scope::Site, 15),
        clicked(Scope::Section("World".into()), 15),
        clicked(Scope::Author("Ann".into()), 15),
        clicked(Scope::Author("Bob".into()), 15),
        clicked(Scope::Channel("x".into()), 3),
    ];
    assert_eq!(store.tallies.apply(&batch(7, lanes, 0, 15, site)).await.unwrap(), Applied::Done);
    audit_holds(store).await;
    let audits = store.tallies.audit().await.unwrap();
    assert_eq!(audits.len(), usize::from(lanes) + 1);
    assert_eq!(audits[usize::from(lanes)].tallies, 15);
    assert_eq!(audits[..usize::from(lanes)].iter().map(|a| a.tallies).sum::<u64>(), 15);
    let totals = store.tallies.totals(&[Scope::Site, Scope::Channel("x".into())]).await.unwrap();
    assert_eq!(totals, [clicks(15), clicks(3)]);
}

/// All hits of a batch may be gone.
pub async fn a_batch_of_nothing_moves_the_ordinal(store: &Store) {
    let mut empty = batch(7, 0, 0, 9, vec![]);
    empty.lost = 9;
    assert_eq!(store.tallies.apply(&empty).await.unwrap(), Applied::Done);
    assert_eq!(store.tallies.stream(StreamId(7)).await.unwrap().ordinals[0], 9);
    audit_holds(store).await;
}

/// Two copies of one journal that both apply it count each hit once.
pub async fn many_appliers_count_once(store: &Store) {
    let lane = lane(store, "aa").await;
    let mut applying = JoinSet::new();
    for _ in 0..4 {
        let tallies = store.tallies.clone();
        applying.spawn(async move {
            let mut at = 0;
            while at < 60 {
                let next = batch(7, lane, at, at + 3, vec![clicked(link("aa"), 3)]);
                at = match tallies.apply(&next).await.unwrap() {
                    Applied::Done => at + 3,
                    Applied::At(there) => there,
                };
            }
        });
    }
    applying.join_all().await;
    assert_eq!(total(store, "aa").await, clicks(60));
    audit_holds(store).await;
}

/// As many rows as the store takes at once, of links that share none of them; all are there, once.
pub async fn the_largest_batch_is_added(store: &Store) {
    let (lanes, lane) = (lanes(store).await, lane(store, "aa").await);
    let each = clicked(link("aa"), 1).rows.len();
    let codes = (0..).map(|n| format!("n{n}")).filter(|code| lane_of(code, lanes) == lane);
    let scopes: Vec<Scope> =
        codes.take(store.tallies.max_rows().min(LARGE) / each).map(|c| link(&c)).collect();
    let groups = scopes.iter().map(|scope| clicked(scope.clone(), 1)).collect();
    let batch = batch(7, lane, 0, u64::try_from(scopes.len()).unwrap(), groups);
    assert_eq!(store.tallies.apply(&batch).await.unwrap(), Applied::Done);
    assert_eq!(store.tallies.apply(&batch).await.unwrap(), Applied::At(batch.to));
    assert!(store.tallies.totals(&scopes).await.unwrap().iter().all(|counts| *counts == clicks(1)));
    let days = store.tallies.by_scope(ScopeKind::Link, 20_000, 20_001, None).await.unwrap();
    assert!(days.len() == scopes.len() && days.iter().all(|(_, counts)| *counts == clicks(1)));
    audit_holds(store).await;
}

/// Rows that are enough for a store without a bound of its own.
const LARGE: usize = 20_000;

/// `from <= bucket < to`, in order of bucket and value, also before 1970; other series and scopes are not in it.
pub async fn rows_are_bounded_by_bucket(store: &Store) {
    let lane = lane(store, "aa").await;
    let valued = |bucket, value: &'static str| Row {
        series: Series::Trigger,
        bucket,
        value: Cow::Borrowed(value),
        counts: clicks(1),
    };
    let rows = vec![
        row(Series::Total, 0, clicks(5)),
        valued(11, "qr"),
        valued(-1, "qr"),
        valued(10, "qr"),
        valued(10, "direct"),
        valued(12, "qr"),
        row(Series::Day, 10, clicks(5)),
    ];
    store.tallies.apply(&batch(7, lane, 0, 5, vec![Group::of(link("aa"), rows)])).await.unwrap();
    let other = self::lane(store, "aab").await;
    store.tallies.apply(&batch(8, other, 0, 1, vec![clicked(link("aab"), 1)])).await.unwrap();
    let rows = |from, to| store.tallies.rows(&SCOPE_AA, Series::Trigger, from, to);
    assert_eq!(rows(10, 12).await.unwrap(), [valued(10, "direct"), valued(10, "qr"), valued(11, "qr")]);
    assert_eq!(rows(i64::MIN, i64::MAX).await.unwrap().len(), 5);
    assert_eq!(rows(-1, 0).await.unwrap(), [valued(-1, "qr")]);
    assert!(rows(12, 12).await.unwrap().is_empty());
    let totals = store.tallies.rows(&link("aa"), Series::Total, 0, 1).await.unwrap();
    assert_eq!(totals, [row(Series::Total, 0, clicks(5))]);
    assert!(store.tallies.rows(&link("AA"), Series::Day, 0, 100).await.unwrap().is_empty());
}

static SCOPE_AA: std::sync::LazyLock<Scope> = std::sync::LazyLock::new(|| link("aa"));

/// Minutes before a time go; sums and all else stay.
pub async fn minutes_go(store: &Store) {
    let lane = lane(store, "aa").await;
    let rows = vec![
        row(Series::Total, 0, clicks(3)),
        row(Series::Minute, 60, clicks(1)),
        row(Series::Minute, 120, clicks(2)),
        row(Series::Hour, 0, clicks(3)),
    ];
    store.tallies.apply(&batch(7, lane, 0, 3, vec![Group::of(link("aa"), rows)])).await.unwrap();
    store.tallies.forget_minutes(120).await.unwrap();
    let minutes = store.tallies.rows(&link("aa"), Series::Minute, 0, 1_000).await.unwrap();
    assert_eq!(minutes, [row(Series::Minute, 120, clicks(2))]);
    assert_eq!(store.tallies.rows(&link("aa"), Series::Hour, 0, 1).await.unwrap().len(), 1);
    assert_eq!(total(store, "aa").await, clicks(3));
    audit_holds(store).await;
}

/// Hours of past days go, in all lanes; days, sums and the hours from then on stay.
pub async fn hours_go(store: &Store) {
    const DAY: i64 = 86_400;
    let rows = |from_hour: i64| {
        let mut rows = vec![row(Series::Total, 0, clicks(4))];
        for day in 0..4 {
            rows.push(row(Series::Hour, day * DAY + from_hour, clicks(1)));
            rows.push(row(Series::Day, day, clicks(1)));
        }
        rows
    };
    let scopes = [link("aa"), link("bb")];
    for (stream, scope) in (7..).zip(&scopes) {
        let lane = lane(store, scope.parts().1).await;
        let group = Group::of(scope.clone(), rows(7_200));
        store.tallies.apply(&batch(stream, lane, 0, 4, vec![group])).await.unwrap();
    }
    assert_eq!(store.tallies.first_bucket(Series::Hour).await.unwrap(), None);
    // A section that began before the site did says nothing of the site.
    let section = Group::of(Scope::Section("aa".into()), vec![row(Series::Hour, -DAY, clicks(1))]);
    let site = vec![section, Group::of(Scope::Site, rows(3_600))];
    store.tallies.apply(&batch(7, lanes(store).await, 0, 4, site)).await.unwrap();
    assert_eq!(store.tallies.first_bucket(Series::Hour).await.unwrap(), Some(3_600));
    store.tallies.forget_hours(0).await.unwrap();
    assert_eq!(store.tallies.first_bucket(Series::Hour).await.unwrap(), Some(3_600));
    for before in [2 * DAY, DAY] {
        store.tallies.forget_hours(before).await.unwrap();
        for (scope, hour) in scopes.iter().map(|scope| (scope, 7_200)).chain([(&Scope::Site, 3_600)]) {
            let hours = store.tallies.rows(scope, Series::Hour, i64::MIN, i64::MAX).await.unwrap();
            let kept: Vec<i64> = hours.iter().map(|row| row.bucket).collect();
            assert_eq!(kept, [2 * DAY + hour, 3 * DAY + hour], "{scope:?}");
            assert_eq!(store.tallies.rows(scope, Series::Day, 0, 9).await.unwrap().len(), 4, "{scope:?}");
            assert_eq!(store.tallies.totals(std::slice::from_ref(scope)).await.unwrap(), [clicks(4)]);
        }
    }
    assert_eq!(store.tallies.first_bucket(Series::Hour).await.unwrap(), Some(2 * DAY + 3_600));
    assert_eq!(store.tallies.first_bucket(Series::Day).await.unwrap(), Some(0));
    audit_holds(store).await;
}

/// Days of one kind, in a range, of all or of some.
pub async fn sums_by_scope(store: &Store) {
    let days = |scope: Scope, days: &[(i64, u64)]| {
        Group::of(scope, days.iter().map(|(day, n)| row(Series::Day, *day, clicks(*n))).collect())
    };
    let links = [
        days(link("aa"), &[(1, 1), (2, 10), (3, 100)]),
        days(link("bb"), &[(2, 5)]),
        days(link("cc"), &[(9, 5)]),
    ];
    for (stream, group) in (7..).zip(links) {
        let lane = lane(store, group.scope.parts().1).await;
        store.tallies.apply(&batch(stream, lane, 0, 1, vec![group])).await.unwrap();
    }
    let others = vec![
        days(Scope::Section("aa".into()), &[(2, 7)]),
        days(Scope::Author("aa".into()), &[(2, 8)]),
        days(Scope::Site, &[(2, 9)]),
    ];
    store.tallies.apply(&batch(7, lanes(store).await, 0, 1, others)).await.unwrap();
    let sums = async |kind, from, to, only: Option<&[String]>| {
        let mut sums = store.tallies.by_scope(kind, from, to, only).await.unwrap();
        sums.sort_by(|a, b| a.0.cmp(&b.0));
        sums.into_iter().map(|(name, counts)| (name, counts.clicks)).collect::<Vec<_>>()
    };
    let named = |name: &str, n: u64| (name.to_owned(), n);
    assert_eq!(sums(ScopeKind::Link, 1, 3, None).await, [named("aa", 11), named("bb", 5)]);
    assert_eq!(sums(ScopeKind::Section, i64::MIN, i64::MAX, None).await, [named("aa", 7)]);
    assert_eq!(sums(ScopeKind::Author, 2, 3, None).await, [named("aa", 8)]);
    assert_eq!(sums(ScopeKind::Site, 0, 9, None).await, [named("", 9)]);
    assert!(sums(ScopeKind::Channel, 0, 9, None).await.is_empty());
    assert!(sums(ScopeKind::Link, 3, 3, None).await.is_empty());
    let only = ["bb".to_owned(), "zz".to_owned(), "cc".to_owned()];
    assert_eq!(sums(ScopeKind::Link, 1, 4, Some(&only)).await, [named("bb", 5)]);
    assert!(sums(ScopeKind::Link, 1, 4, Some(&[])).await.is_empty());
}

/// Sums in the order of the question; zeros for what is not known; each class for itself.
pub async fn totals_in_order(store: &Store) {
    let lane = lane(store, "aa").await;
    let all = Counts { clicks: 1, previews: 2, bots: 3, missed: 4, ..Counts::default() };
    let groups = vec![Group::of(link("aa"), vec![row(Series::Total, 0, all)])];
    store.tallies.apply(&batch(7, lane, 0, 10, groups)).await.unwrap();
    let asked = [link("zz"), link("aa"), Scope::Section("aa".into()), link("aa")];
    let none = Counts::default();
    assert_eq!(store.tallies.totals(&asked).await.unwrap(), [none, all, none, all]);
    assert!(store.tallies.totals(&[]).await.unwrap().is_empty());
    audit_holds(store).await;
}

/// Zones are added in order of time; the same moment again replaces its zone.
pub async fn zones_are_kept(store: &Store) {
    let before = store.tallies.dataset().await.unwrap();
    assert_eq!(before.zones.len(), 1);
    for (from, zone) in [(2_000, "Asia/Tokyo"), (1_000, "Asia/Kolkata"), (2_000, "Europe/Rome")] {
        store.tallies.add_zone(from, zone).await.unwrap();
    }
    let after = store.tallies.dataset().await.unwrap();
    let added = [(1_000, "Asia/Kolkata".to_owned()), (2_000, "Europe/Rome".to_owned())];
    assert_eq!((&after.zones[..1], &after.zones[1..]), (&before.zones[..], &added[..]));
    assert_eq!((after.id, after.lanes), (before.id, before.lanes));
}
