//! Random batches against a model that is too simple to be wrong: one map of numbers, one of ordinals.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::applying::{lane, lanes};
use super::moving::numbers;
use super::{Random, Store};
use crate::domain::lane::Lane;
use crate::domain::tally::{Batch, Counts, Group, Row, Scope, ScopeKind, Series, StreamId};
use crate::store::tallies::Applied;

type Key = (Scope, Series, i64, String);

#[derive(Default)]
struct Model {
    numbers: BTreeMap<Key, Counts>,
    ordinals: HashMap<(u64, Lane), u64>,
    lost: HashMap<Lane, u64>,
}

impl Model {
    fn apply(&mut self, batch: &Batch) -> Applied {
        let at = self.ordinals.entry((batch.stream.0, batch.lane)).or_default();
        if *at != batch.from {
            return Applied::At(*at);
        }
        *at = batch.to;
        *self.lost.entry(batch.lane).or_default() += batch.lost;
        for group in batch.groups.iter() {
            for row in &group.rows {
                let key = (group.scope.clone(), row.series, row.bucket, row.value.to_string());
                *self.numbers.entry(key).or_default() += row.counts;
            }
        }
        Applied::Done
    }

    fn total(&self, scope: &Scope) -> Counts {
        self.numbers.get(&(scope.clone(), Series::Total, 0, String::new())).copied().unwrap_or_default()
    }

    fn rows(&self, scope: &Scope, series: Series, from: i64, to: i64) -> Vec<Row> {
        let of = self.numbers.iter().filter(|((s, t, bucket, _), counts)| {
            s == scope && *t == series && (from..to).contains(bucket) && **counts != Counts::default()
        });
        of.map(|((_, _, bucket, value), counts)| Row {
            series,
            bucket: *bucket,
            value: Cow::Owned(value.clone()),
            counts: *counts,
        })
        .collect()
    }
}

fn random_counts(random: &mut Random) -> Counts {
    let mut counts = Counts::default();
    match random.below(4) {
        0 => counts.previews = random.below(3),
        1 => counts.bots = random.below(3),
        2 => counts.missed = random.below(3),
        _ => counts.clicks = random.below(5),
    }
    counts
}

/// One scope's hits, spread over each series so that hours = days = triggers = total.
fn random_group(random: &mut Random, scope: Scope) -> Group {
    let mut rows: Vec<Row> = vec![];
    let mut add = |series, bucket, value: &'static str, counts| {
        let there = rows.iter_mut().find(|r| (r.series, r.bucket, &*r.value) == (series, bucket, value));
        match there {
            Some(row) => row.counts += counts,
            None => rows.push(Row { series, bucket, value: Cow::Borrowed(value), counts }),
        }
    };
    for _ in 0..random.below(5) {
        let counts = random_counts(random);
        let day = i64::try_from(random.below(4)).unwrap() - 1;
        let trigger = *random.pick(&["direct", "qr", "button"]);
        add(Series::Total, 0, "", counts);
        add(Series::Hour, day * 86_400 + 3_600, "", counts);
        add(Series::Day, day, "", counts);
        add(Series::Trigger, day, trigger, counts);
    }
    Group::of(scope, rows)
}

async fn random_batch(store: &Store, random: &mut Random, model: &Model) -> Batch {
    let lanes = lanes(store).await;
    let stream = random.below(3) + 1;
    let link: Scope = Scope::Link((*random.pick(&["aa", "Bb", "cc", "dd", "ee"])).into());
    let (lane, groups) = if random.below(3) == 0 {
        let others = [Scope::Section("aa".into()), Scope::Author("aa".into()), Scope::Channel("x".into())];
        let other = random.pick(&others).clone();
        (lanes, vec![random_group(random, Scope::Site), random_group(random, other)])
    } else {
        (lane(store, link.parts().1).await, vec![random_group(random, link)])
    };
    let hits: u64 = groups[0].rows.iter().filter(|r| r.series == Series::Total).map(|r| r.counts.all()).sum();
    let lost = random.below(4) / 3;
    let at = model.ordinals.get(&(stream, lane)).copied().unwrap_or(0);
    // One in five comes at the wrong time: late again, or too early.
    let from = if random.below(5) == 0 { random.below(at + 3) } else { at };
    Batch {
        stream: StreamId(stream),
        stream_began_ms: 5,
        lane,
        from,
        to: from + hits + lost,
        lost,
        groups: groups.into(),
    }
}

async fn compare(store: &Store, model: &Model, random: &mut Random) {
    let scopes: Vec<Scope> = ["aa", "Bb", "cc", "dd", "ee"]
        .map(|c| Scope::Link(c.into()))
        .into_iter()
        .chain([
            Scope::Site,
            Scope::Section("aa".into()),
            Scope::Author("aa".into()),
            Scope::Channel("x".into()),
        ])
        .collect();
    let expected: Vec<Counts> = scopes.iter().map(|s| model.total(s)).collect();
    assert_eq!(store.tallies.totals(&scopes).await.unwrap(), expected);
    for scope in &scopes {
        for series in Series::ALL {
            let (from, to) =
                [(i64::MIN, i64::MAX), (-1, 2), (0, 90_000)][usize::try_from(random.below(3)).unwrap()];
            let rows = store.tallies.rows(scope, series, from, to).await.unwrap();
            assert_eq!(rows, model.rows(scope, series, from, to), "{scope:?} {series:?} {from} {to}");
        }
        let sum =
            |series| model.rows(scope, series, i64::MIN, i64::MAX).iter().map(|r| r.counts).sum::<Counts>();
        assert_eq!((sum(Series::Hour), sum(Series::Day)), (model.total(scope), model.total(scope)));
    }
    for kind in ScopeKind::ALL {
        let mut expected: BTreeMap<String, Counts> = BTreeMap::new();
        for scope in scopes.iter().filter(|s| s.parts().0 == kind) {
            let rows = model.rows(scope, Series::Day, 0, 2);
            if !rows.is_empty() {
                expected.insert(scope.parts().1.to_owned(), rows.iter().map(|r| r.counts).sum());
            }
        }
        let names: Vec<String> = expected.keys().cloned().chain(["unknown".into()]).collect();
        for only in [None, Some(names.as_slice())] {
            let found = store.tallies.by_scope(kind, 0, 2, only).await.unwrap();
            assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), expected, "{kind:?}");
        }
    }
    let lanes = lanes(store).await;
    for (lane, audit) in (0..=lanes).zip(store.tallies.audit().await.unwrap()) {
        let ordinals = model.ordinals.iter().filter(|((_, l), _)| *l == lane).map(|(_, n)| n).sum::<u64>();
        assert_eq!((audit.ordinals, audit.lost), (ordinals, model.lost.get(&lane).copied().unwrap_or(0)));
        assert!(audit.holds(), "lane {lane}: {audit:?}");
    }
}

/// Whatever is applied, in time or not: the numbers, sums and ordinals are those of the model.
pub async fn numbers_are_those_of_a_naive_model(store: &Store) {
    let (mut random, mut model) = (Random(3), Model::default());
    for step in 1..=400u32 {
        let batch = random_batch(store, &mut random, &model).await;
        let expected = model.apply(&batch);
        assert_eq!(store.tallies.apply(&batch).await.unwrap(), expected, "step {step}: {batch:?}");
        if step < 20 || step.is_multiple_of(40) {
            compare(store, &model, &mut random).await;
        }
    }
}

/// An export's pages are all scopes, each once and whole; read back into the same store they change nothing.
pub async fn pages_of_an_export_join(store: &Store) {
    let mut random = Random(4);
    let groups: Vec<Group> = (0..2_500)
        .map(|n| random_group(&mut random, Scope::Link(format!("c{n}").into())))
        .filter(|group| group.rows.iter().any(|row| row.counts != Counts::default()))
        .collect();
    store.tallies.import(groups.clone()).await.unwrap();
    let normal = |groups: Vec<Group>| {
        let mut numbers: Vec<_> = groups
            .into_iter()
            .flat_map(|g| g.rows.into_iter().map(move |r| (g.scope.clone(), r)))
            .filter(|(_, r)| r.counts != Counts::default())
            .map(|(scope, r)| {
                (scope, r.series, r.bucket, r.value.to_string(), r.counts.clicks, r.counts.all())
            })
            .collect();
        numbers.sort();
        numbers
    };
    let exported = numbers(store).await;
    assert_eq!(exported.len(), groups.len());
    assert_eq!(normal(exported.clone()), normal(groups));
    store.tallies.import(exported.clone()).await.unwrap();
    assert_eq!(numbers(store).await, exported);
}
