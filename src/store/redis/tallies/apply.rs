//! Adding a batch, once.
//!
//! Guarantees that the numbers and the ordinal they stand for change in one atomic step or not at all, whoever else
//! writes and however often a call arrives, and that of sections and authors a bounded number has places. What a batch costs Redis is one read and one write for each field that
//! it touches, in few commands: the adding is done here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::hashes::{Ask, Decision, Hashes, Put, Seen};
use super::keys::{self, Family, LaneKeys, TAKEN, bucket, field};
use super::pack::{self, Entry};
use super::streams;
use crate::domain::sketch::Sketch;
use crate::domain::tally::{Batch, Counts, Group, Scope, ScopeKind, Series};
use crate::priority::give_way;
use crate::store::named::{self, Gathered};
use crate::store::tallies::Applied;
use crate::store::{Error, Result};

/// What came of a try.
enum Tried {
    /// It is over.
    Done(Applied),
    /// There is no room for these.
    Beyond(BTreeSet<Scope>),
}

/// Adds a batch if its lane's ordinal is the batch's `from`.
pub(super) async fn apply(hashes: &Hashes, batch: &Batch) -> Result<Applied> {
    if batch.lane > hashes.site() {
        return Err(Error::Corrupt(format!("a batch's lane is {}", batch.lane)));
    }
    let mut beyond = BTreeSet::new();
    loop {
        // Mostly there is room for all, so nothing is asked before.
        let gathered = Gathered::new(&batch.groups, &beyond);
        match try_to_apply(hashes, batch, &Cells::of(gathered.iter())).await? {
            Tried::Done(applied) => return Ok(applied),
            Tried::Beyond(more) => beyond.extend(more),
        }
    }
}

async fn try_to_apply(hashes: &Hashes, batch: &Batch, cells: &Cells<'_>) -> Result<Tried> {
    let keys = hashes.keys(batch.lane);
    let [ordinal, began, finished] = streams::fields(batch.stream);
    let mut own = vec![ordinal.clone(), began.clone(), finished.clone(), b"lost".to_vec()];
    let taken = own.len();
    own.extend(TAKEN.map(|(_, field)| field.to_vec()));
    let ask = Ask { own, numbers: cells.asked(keys) };
    hashes
        .change(batch.lane, &ask, |seen| {
            let at = seen.number(0)?;
            if at != batch.from {
                return Ok(Decision::Leave(Tried::Done(Applied::At(at))));
            }
            let new = cells.new_places(seen)?;
            let beyond = named::beyond(&new, |kind| places_taken(seen, taken, kind))?;
            if !beyond.is_empty() {
                return Ok(Decision::Leave(Tried::Beyond(beyond)));
            }
            let mut put = Put::at(&ordinal, at);
            put.own(&ordinal, batch.to);
            if seen.own[1].is_none() {
                put.own(&began, batch.stream_began_ms);
            }
            if batch.lost > 0 {
                put.own(b"lost", sum(seen.number(3)?, batch.lost)?);
            }
            if seen.own[2].is_some() {
                // A tombstone that goes on is none: its node has more to say.
                put.unset(keys.own(), vec![finished.clone()]);
            }
            take_places(&new, seen, taken, &mut put)?;
            cells.add_to(keys, seen, &mut put)?;
            Ok(Decision::Change(put, Tried::Done(Applied::Done)))
        })
        .await
}

/// How many scopes of a kind have a place; what was read of [`TAKEN`] begins at `first`.
fn places_taken(seen: &Seen, first: usize, kind: ScopeKind) -> Result<u64> {
    let place = TAKEN.iter().position(|(of, _)| *of == kind);
    place.map_or(Ok(0), |place| seen.number(first + place))
}

/// Counts the places that these scopes take.
pub(super) fn take_places(new: &BTreeSet<Scope>, seen: &Seen, first: usize, put: &mut Put) -> Result<()> {
    for (kind, field) in TAKEN {
        let more = new.iter().filter(|scope| scope.parts().0 == kind).count();
        if more > 0 {
            let more = u64::try_from(more).unwrap_or(u64::MAX);
            put.own(field, sum(places_taken(seen, first, kind)?, more)?);
        }
    }
    Ok(())
}

/// The sum of two counts.
pub(super) fn sum(a: u64, b: u64) -> Result<u64> {
    a.checked_add(b).ok_or_else(|| Error::Corrupt("a number beyond what can be".into()))
}

/// A hash: of which family, and of which period.
type Hash = (Family, i64);

/// A hash, a field of it, and its packed numbers.
pub(super) type Packed = (Hash, Vec<u8>, Vec<u8>);

/// What estimates rise by: by field, each with its day.
type Rises<'a> = HashMap<&'a Vec<u8>, Vec<(i64, Counts)>>;

/// What is added to one field.
#[derive(Clone, Default)]
struct Cell<'g> {
    entries: Vec<Entry<'g>>,
    sketch: Option<&'g Sketch>,
}

/// Numbers and sketches by where they are kept: hash by hash, field by field.
#[derive(Default)]
pub(super) struct Cells<'g>(BTreeMap<Hash, BTreeMap<Vec<u8>, Cell<'g>>>);

impl<'g> Cells<'g> {
    /// All of these groups. Each scope has a total, if only an empty one: by it a scope is known.
    pub(super) fn of(groups: impl IntoIterator<Item = &'g Group>) -> Cells<'g> {
        let mut cells = Cells::default();
        for (round, group) in groups.into_iter().enumerate() {
            give_way(round);
            let field = field(&group.scope);
            // Rows of one hash mostly follow each other, so the hashes of a scope are looked through first.
            let mut own: Vec<(Hash, Vec<Entry<'g>>)> = vec![((Family::Total, bucket(&field)), vec![])];
            for row in group.rows.iter().filter(|row| row.counts != Counts::default()) {
                let family = Family::of(row.series);
                let (period, place) = match row.series {
                    Series::Total => (bucket(&field), 0),
                    _ => family.place(row.bucket),
                };
                let entry = Entry { series: row.series, place, value: &row.value, counts: row.counts };
                match own.iter_mut().find(|(hash, _)| *hash == (family, period)) {
                    Some((_, entries)) => entries.push(entry),
                    None => own.push(((family, period), vec![entry])),
                }
            }
            for (hash, entries) in own {
                cells.at(hash, &field).entries.extend(entries);
            }
            for sketch in group.sketches.iter().filter(|sketch| !sketch.sketch.is_empty()) {
                // The day's row and the total say what it estimates.
                cells.at((Family::Day, sketch.day), &field);
                cells.at((Family::of_sketches(sketch.of), sketch.day), &field).sketch = Some(&sketch.sketch);
            }
        }
        cells
    }

    fn at(&mut self, hash: Hash, field: &[u8]) -> &mut Cell<'g> {
        self.0.entry(hash).or_default().entry(field.to_vec()).or_default()
    }

    /// The fields, hash by hash.
    pub(super) fn asked(&self, keys: LaneKeys<'_>) -> Vec<(Vec<u8>, Vec<Vec<u8>>)> {
        let hash = |((family, period), fields): (&Hash, &BTreeMap<Vec<u8>, _>)| {
            (keys.numbers(*family, *period), fields.keys().cloned().collect())
        };
        self.0.iter().map(hash).collect()
    }

    /// What each field has, in the order of [`Cells::asked`].
    fn each<'a>(
        &'a self,
        seen: &'a Seen,
    ) -> impl Iterator<Item = (&'a Hash, &'a Vec<u8>, &'a Cell<'g>, Option<&'a [u8]>)> {
        let cells =
            self.0.iter().flat_map(|(hash, fields)| fields.iter().map(move |(f, cell)| (hash, f, cell)));
        cells.zip(&seen.numbers).map(|((hash, field, cell), old)| (hash, field, cell, old.as_deref()))
    }

    /// The scopes without a total that take a place: they are new.
    fn new_places(&self, seen: &Seen) -> Result<BTreeSet<Scope>> {
        let mut new = BTreeSet::new();
        for ((family, _), field, _, old) in self.each(seen) {
            if *family == Family::Total && old.is_none() {
                let (kind, name) = keys::scope(field)?;
                if named::takes_a_place(kind, name) {
                    new.insert(Scope::from_parts(kind, name));
                }
            }
        }
        Ok(new)
    }

    /// Puts what each field has, and what this adds to it.
    pub(super) fn add_to(&self, keys: LaneKeys<'_>, seen: &Seen, put: &mut Put) -> Result<()> {
        let (merged, rises) = self.merged(seen)?;
        let mut merged = merged.into_iter();
        // Fields and their values, and whether one of them was there before.
        let mut hashes: BTreeMap<Hash, (Vec<Vec<u8>>, bool)> = BTreeMap::new();
        for (round, (hash, field, cell, old)) in self.each(seen).enumerate() {
            give_way(round);
            let (family, period) = *hash;
            let new = match cell.sketch {
                Some(_) => merged.next().unwrap_or_default(),
                None => {
                    let (mut more, old) = (cell.entries.clone(), old.unwrap_or_default());
                    if matches!(family, Family::Total | Family::Day) {
                        let rises = rises.get(field).into_iter().flatten();
                        let here = rises.filter(|(day, _)| family == Family::Total || *day == period);
                        let counts = here.map(|(_, counts)| *counts).sum();
                        more.push(Entry { series: family.series(), place: 0, value: "", counts });
                    }
                    pack::add_bounded(family, old, &mut more)?
                }
            };
            let (pairs, known) = hashes.entry(*hash).or_default();
            *known |= old.is_some();
            pairs.extend([field.clone(), new]);
        }
        for ((family, period), (pairs, known)) in hashes {
            put.set(keys.numbers(family, period), pairs);
            // A hash that has a field is in the set since its first one.
            if !known && family != Family::Total {
                put.join(keys.periods(family), vec![period.to_string().into_bytes()]);
            }
        }
        Ok(())
    }

    /// The sketches as they become, in order, and what their estimates rise by.
    fn merged<'a>(&'a self, seen: &'a Seen) -> Result<(Vec<Vec<u8>>, Rises<'a>)> {
        let (mut merged, mut rises) = (vec![], Rises::new());
        for ((family, day), field, cell, old) in self.each(seen) {
            let (Some(more), Some(of)) = (cell.sketch, family.sketch_of()) else { continue };
            let before = old.map_or(Ok(Sketch::default()), sketch)?;
            let mut after = before.clone();
            after.merge(more);
            let rise = of.counts(after.estimate().saturating_sub(before.estimate()));
            rises.entry(field).or_default().push((*day, rise));
            merged.push(after.to_bytes());
        }
        Ok((merged, rises))
    }

    /// What a field shall have where it has nothing yet.
    pub(super) fn packed(&self, family: Family, period: i64, field: &[u8]) -> Result<Vec<u8>> {
        let cell = self.0.get(&(family, period)).and_then(|fields| fields.get(field));
        new_field(family, cell.cloned().unwrap_or_default())
    }

    /// The same of all fields but totals, hash by hash.
    pub(super) fn dated(&self) -> Result<Vec<Packed>> {
        let dated = self.0.iter().filter(|((family, _), _)| *family != Family::Total);
        let fields = dated.flat_map(|(hash, fields)| fields.iter().map(move |field| (hash, field)));
        fields
            .map(|(hash, (field, cell))| Ok((*hash, field.clone(), new_field(hash.0, cell.clone())?)))
            .collect()
    }
}

fn new_field(family: Family, mut cell: Cell<'_>) -> Result<Vec<u8>> {
    match cell.sketch {
        Some(sketch) => Ok(sketch.to_bytes()),
        None => pack::add(family, &[], &mut cell.entries),
    }
}

/// Reads a kept sketch.
pub(super) fn sketch(bytes: &[u8]) -> Result<Sketch> {
    let wrong = || Error::Corrupt(format!("a sketch of {} bytes that cannot be read", bytes.len()));
    Sketch::from_bytes(bytes).ok_or_else(wrong)
}
