//! What is bounded and what is estimated: values that no table knows, sections and authors, and sketches.

use std::collections::BTreeMap;

use super::applying::{audit_holds, batch, clicks, lane, lanes, link, row, total};
use super::{Random, Store};
use crate::domain::sketch::Sketch;
use crate::domain::tally::{
    BEYOND, Counts, DaySketch, Group, MAX_AUTHORS, MAX_SECTIONS, MAX_UNKNOWN, Row, Scope, ScopeKind, Series,
    SketchOf, is_unknown_value, unknown_value,
};
use crate::store::tallies::Applied;

const DAY: i64 = 20_000;

fn sketch(of: SketchOf, day: i64, readers: std::ops::Range<u64>) -> DaySketch {
    let mut sketch = Sketch::default();
    // Odd multiples of a random number are spread over all of a hash.
    readers.for_each(|n| sketch.add((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    DaySketch { of, day, sketch }
}

/// So many clicks on one day, and what of readers and shares is given.
fn day(day: i64, n: u64, sketches: Vec<DaySketch>) -> Group {
    let rows = vec![row(Series::Total, 0, clicks(n)), row(Series::Day, day, clicks(n))];
    Group { sketches, ..Group::of(link("aa"), rows) }
}

/// A batch's sketches are merged once, with its numbers; a day's estimate is its sketch's, the total the sum of days.
pub async fn sketches_are_merged(store: &Store) {
    let lane = lane(store, "aa").await;
    let readers = |on, from_to| sketch(SketchOf::Readers, on, from_to);
    let first = batch(7, lane, 0, 3, vec![day(DAY, 3, vec![readers(DAY, 0..3)])]);
    let second_day = vec![readers(DAY, 2..5), readers(DAY + 1, 0..2), sketch(SketchOf::Shares, DAY, 0..4)];
    let second = batch(7, lane, 3, 9, vec![day(DAY, 6, second_day)]);
    for batch in [&first, &first, &second, &first, &second] {
        store.tallies.apply(batch).await.unwrap();
    }
    let days = store.tallies.rows(&link("aa"), Series::Day, 0, 30_000).await.unwrap();
    let expected =
        [Counts { uniques: 5, unfurls: 4, ..clicks(9) }, Counts { uniques: 2, ..Counts::default() }];
    assert_eq!(days.iter().map(|r| r.counts).collect::<Vec<_>>(), expected);
    assert_eq!(total(store, "aa").await, Counts { uniques: 7, unfurls: 4, ..clicks(9) });
    let kept = store.tallies.sketches(&link("aa"), SketchOf::Readers, DAY, DAY + 1).await.unwrap();
    assert_eq!(kept, [(DAY, readers(DAY, 0..5).sketch)]);
    assert_eq!(store.tallies.sketches(&link("bb"), SketchOf::Readers, 0, 30_000).await.unwrap(), []);
    audit_holds(store).await;
}

/// Many readers in many batches: the estimate is that of all of them together.
pub async fn many_readers_are_estimated(store: &Store) {
    let lane = lane(store, "aa").await;
    for part in 0..10 {
        let readers = sketch(SketchOf::Readers, DAY, part * 400..(part + 1) * 800);
        let one = batch(7, lane, part, part + 1, vec![day(DAY, 1, vec![readers])]);
        store.tallies.apply(&one).await.unwrap();
    }
    let all = sketch(SketchOf::Readers, DAY, 0..8_000).sketch;
    assert_eq!(total(store, "aa").await, Counts { uniques: all.estimate(), ..clicks(10) });
    let kept = store.tallies.sketches(&link("aa"), SketchOf::Readers, 0, 30_000).await.unwrap();
    assert_eq!(kept, [(DAY, all)]);
}

/// Sketches go with time; what they said stays.
pub async fn sketches_go(store: &Store) {
    let lane = lane(store, "aa").await;
    let readers = |on| sketch(SketchOf::Readers, on, 0..3);
    let groups = vec![day(DAY, 3, vec![readers(DAY), readers(DAY + 1), sketch(SketchOf::Shares, DAY, 0..1)])];
    store.tallies.apply(&batch(7, lane, 0, 3, groups)).await.unwrap();
    let before = total(store, "aa").await;
    for _ in 0..2 {
        store.tallies.forget_sketches(DAY + 1).await.unwrap();
    }
    let kept = store.tallies.sketches(&link("aa"), SketchOf::Readers, 0, 30_000).await.unwrap();
    assert_eq!(kept.iter().map(|(day, _)| *day).collect::<Vec<_>>(), [DAY + 1]);
    assert_eq!(store.tallies.sketches(&link("aa"), SketchOf::Shares, 0, 30_000).await.unwrap(), []);
    assert_eq!(total(store, "aa").await, before);
    audit_holds(store).await;
}

/// Of values that no table knows those that come first have rows, however batches are cut; the others are one, and
/// those that tables know always have their own.
pub async fn unknown_values_are_bounded(store: &Store) {
    let lane = lane(store, "aa").await;
    let mut random = Random(11);
    let hits: Vec<String> = (0..1_500)
        .map(|n| match random.below(3) {
            0 => format!("Known {}", random.below(300)),
            _ => unknown_value(&format!("host{}.example", random.below(n / 4 + 1))),
        })
        .collect();
    let mut at = 0;
    while at < hits.len() {
        let end = hits.len().min(at + 1 + usize::try_from(random.below(400)).unwrap());
        let n = u64::try_from(end - at).unwrap();
        let mut rows = vec![row(Series::Total, 0, clicks(n)), row(Series::Day, DAY, clicks(n))];
        for value in &hits[at..end] {
            let same = |r: &&mut Row| r.series == Series::Source && r.value == *value;
            match rows.iter_mut().find(same) {
                Some(row) => row.counts += clicks(1),
                None => rows.push(Row { value: value.clone().into(), ..row(Series::Source, DAY, clicks(1)) }),
            }
        }
        let (from, to) = (u64::try_from(at).unwrap(), u64::try_from(end).unwrap());
        store.tallies.apply(&batch(7, lane, from, to, vec![Group::of(link("aa"), rows)])).await.unwrap();
        at = end;
    }
    let mut expected: BTreeMap<String, Counts> = BTreeMap::new();
    for value in &hits {
        let unknown = expected.keys().filter(|value| is_unknown_value(value)).count();
        let fits = !is_unknown_value(value) || unknown < MAX_UNKNOWN || expected.contains_key(value);
        *expected.entry(if fits { value.clone() } else { BEYOND.to_owned() }).or_default() += clicks(1);
    }
    assert!(expected.contains_key(BEYOND), "there are enough of them");
    let rows = store.tallies.rows(&link("aa"), Series::Source, 0, 30_000).await.unwrap();
    let found: BTreeMap<String, Counts> =
        rows.into_iter().map(|r| (r.value.into_owned(), r.counts)).collect();
    assert_eq!(found, expected);
    audit_holds(store).await;
}

/// One click of each of these readers.
fn read_by(kind: ScopeKind, name: &str, readers: std::ops::Range<u64>) -> Group {
    let n = clicks(readers.end - readers.start);
    let referrer = Row { value: unknown_value("a.example").into(), ..row(Series::Referrer, DAY, n) };
    let rows =
        vec![row(Series::Total, 0, n), row(Series::Hour, 3_600, n), row(Series::Day, DAY, n), referrer];
    let sketches = vec![sketch(SketchOf::Readers, DAY, readers)];
    Group { sketches, ..Group::of(Scope::from_parts(kind, name), rows) }
}

/// Adds a batch of the site lane that has these groups and as many hits as they have; again, it changes nothing.
async fn add_to_site(store: &Store, at: &mut u64, mut groups: Vec<Group>) {
    let total = |group: &Group| group.rows[0].counts.clicks;
    let to = *at + groups.iter().map(total).sum::<u64>();
    groups.push(Group::of(Scope::Site, vec![row(Series::Total, 0, clicks(to - *at))]));
    let batch = batch(7, lanes(store).await, *at, to, groups);
    assert_eq!(store.tallies.apply(&batch).await.unwrap(), Applied::Done);
    assert_eq!(store.tallies.apply(&batch).await.unwrap(), Applied::At(to));
    *at = to;
}

async fn names_are_bounded(store: &Store, kind: ScopeKind, most: usize) {
    let scope = |name: &str| Scope::from_parts(kind, name);
    let mut at = 0;
    let names: Vec<String> = (0..most - 2).map(|n| format!("n{n:05}")).collect();
    for some in names.chunks(4_000) {
        let one = |name: &String| Group::of(scope(name), vec![row(Series::Total, 0, clicks(1))]);
        add_to_site(store, &mut at, some.iter().map(one).collect()).await;
    }
    // What is read back takes a place, once.
    for _ in 0..2 {
        store
            .tallies
            .import(vec![read_by(kind, "read back", 0..1), read_by(kind, "n00001", 0..1)])
            .await
            .unwrap();
    }
    // There is room for one.
    let batch = [("n00000", 0..2), ("zz", 0..3), ("aa", 0..1), ("mm", 2..4)];
    let batch = batch.map(|(name, readers)| read_by(kind, name, readers));
    add_to_site(store, &mut at, batch.to_vec()).await;
    let batch = [("new", 3..6), (BEYOND, 0..1), ("aa", 1..3)];
    add_to_site(store, &mut at, batch.map(|(name, readers)| read_by(kind, name, readers)).to_vec()).await;

    let other = Counts { uniques: 6, ..clicks(9) };
    let asked = ["n00000", "aa", "read back", "mm", "zz", "new", BEYOND].map(scope);
    let readers = |n| Counts { uniques: n, ..clicks(n) };
    let none = Counts::default();
    let expected = [Counts { uniques: 2, ..clicks(3) }, readers(3), clicks(1), none, none, none, other];
    assert_eq!(store.tallies.totals(&asked).await.unwrap(), expected);
    let rows = async |series| store.tallies.rows(&scope(BEYOND), series, 0, 30_000).await.unwrap();
    assert_eq!(rows(Series::Hour).await, [row(Series::Hour, 3_600, clicks(9))]);
    assert_eq!(rows(Series::Day).await, [row(Series::Day, DAY, other)]);
    let referrers = rows(Series::Referrer).await;
    assert_eq!(
        referrers.iter().map(|r| (&*r.value, r.counts)).collect::<Vec<_>>(),
        [("~a.example", clicks(9))]
    );
    let kept = store.tallies.sketches(&scope(BEYOND), SketchOf::Readers, 0, 30_000).await.unwrap();
    assert_eq!(kept, [(DAY, sketch(SketchOf::Readers, DAY, 0..6).sketch)]);
    // Other kinds have their own room.
    let channel = |name: &str| read_by(ScopeKind::Channel, name, 0..1);
    add_to_site(store, &mut at, vec![channel("zz")]).await;
    assert_eq!(store.tallies.totals(&[Scope::Channel("zz".into())]).await.unwrap(), [readers(1)]);
    audit_holds(store).await;
}

/// So many sections have numbers of their own, those that come first; the others' are one's.
pub async fn sections_are_bounded(store: &Store) {
    names_are_bounded(store, ScopeKind::Section, MAX_SECTIONS).await;
}

/// Authors likewise.
pub async fn authors_are_bounded(store: &Store) {
    names_are_bounded(store, ScopeKind::Author, MAX_AUTHORS).await;
}
