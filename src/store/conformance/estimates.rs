//! What is bounded and what is estimated: values that no table knows, and sketches.

use std::collections::BTreeMap;

use super::applying::{audit_holds, batch, clicks, lane, link, row, total};
use super::{Random, Store};
use crate::domain::sketch::Sketch;
use crate::domain::tally::{
    BEYOND, Counts, DaySketch, Group, MAX_UNKNOWN, Row, Series, SketchOf, is_unknown_value, unknown_value,
};

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
