//! Adding a batch, once.
//!
//! Guarantees that the numbers and the ordinal they stand for change in one atomic step or not at all, whoever else
//! writes and however often a call arrives. What a batch costs Redis is one read and one write for each field that
//! it touches, in few commands: the adding is done here.

use std::collections::BTreeMap;

use super::hashes::{Ask, Decision, Hashes, Put, Seen};
use super::keys::{Family, LaneKeys, bucket, field};
use super::pack::{self, Entry};
use super::streams;
use crate::domain::tally::{Batch, Counts, Group, Series};
use crate::priority::give_way;
use crate::store::tallies::Applied;
use crate::store::{Error, Result};

/// Adds a batch if its lane's ordinal is the batch's `from`.
pub(super) async fn apply(hashes: &Hashes, batch: &Batch) -> Result<Applied> {
    if batch.lane > hashes.site() {
        return Err(Error::Corrupt(format!("a batch's lane is {}", batch.lane)));
    }
    let keys = hashes.keys(batch.lane);
    let cells = Cells::of(&batch.groups);
    let [ordinal, began, finished] = streams::fields(batch.stream);
    let own = vec![ordinal.clone(), began.clone(), finished.clone(), b"lost".to_vec()];
    let ask = Ask { own, numbers: cells.asked(keys) };
    hashes
        .change(batch.lane, &ask, |seen| {
            let at = seen.number(0)?;
            if at != batch.from {
                return Ok(Decision::Leave(Applied::At(at)));
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
            cells.add_to(keys, seen, &mut put)?;
            Ok(Decision::Change(put, Applied::Done))
        })
        .await
}

/// The sum of two counts.
pub(super) fn sum(a: u64, b: u64) -> Result<u64> {
    a.checked_add(b).ok_or_else(|| Error::Corrupt("a number beyond what can be".into()))
}

/// A hash, a field of it, and its packed numbers.
pub(super) type Packed = ((Family, i64), Vec<u8>, Vec<u8>);

/// Numbers by where they are kept: hash by hash, field by field.
#[derive(Default)]
pub(super) struct Cells<'g>(BTreeMap<(Family, i64), BTreeMap<Vec<u8>, Vec<Entry<'g>>>>);

impl<'g> Cells<'g> {
    /// All rows of these groups. Each scope has a total, if only an empty one: by it a scope is known.
    pub(super) fn of(groups: &'g [Group]) -> Cells<'g> {
        let mut cells = Cells::default();
        for (round, group) in groups.iter().enumerate() {
            give_way(round);
            let field = field(&group.scope);
            cells.at((Family::Total, bucket(&field)), &field);
            for row in group.rows.iter().filter(|row| row.counts != Counts::default()) {
                let family = Family::of(row.series);
                let (period, place) = match row.series {
                    Series::Total => (bucket(&field), 0),
                    _ => family.place(row.bucket),
                };
                let entry = Entry { series: row.series, place, value: &row.value, counts: row.counts };
                cells.at((family, period), &field).push(entry);
            }
        }
        cells
    }

    fn at(&mut self, hash: (Family, i64), field: &[u8]) -> &mut Vec<Entry<'g>> {
        self.0.entry(hash).or_default().entry(field.to_vec()).or_default()
    }

    /// The fields, hash by hash.
    pub(super) fn asked(&self, keys: LaneKeys<'_>) -> Vec<(Vec<u8>, Vec<Vec<u8>>)> {
        let hash = |((family, period), fields): (&(Family, i64), &BTreeMap<Vec<u8>, _>)| {
            (keys.numbers(*family, *period), fields.keys().cloned().collect())
        };
        self.0.iter().map(hash).collect()
    }

    /// Puts what each field has, and these numbers added to it.
    pub(super) fn add_to(&self, keys: LaneKeys<'_>, seen: &Seen, put: &mut Put) -> Result<()> {
        let mut values = seen.numbers.iter();
        for ((family, period), fields) in &self.0 {
            let mut pairs = Vec::with_capacity(2 * fields.len());
            let mut known = false;
            for (round, (field, entries)) in fields.iter().enumerate() {
                give_way(round);
                let old = values.next().and_then(Option::as_deref);
                known |= old.is_some();
                pairs.extend([
                    field.clone(),
                    pack::add(*family, old.unwrap_or_default(), &mut entries.clone())?,
                ]);
            }
            put.set(keys.numbers(*family, *period), pairs);
            // A hash that has a field is in the set since its first one.
            if !known && *family != Family::Total {
                put.join(keys.periods(*family), vec![period.to_string().into_bytes()]);
            }
        }
        Ok(())
    }

    /// What a field shall have where it has nothing yet.
    pub(super) fn packed(&self, family: Family, period: i64, field: &[u8]) -> Result<Vec<u8>> {
        let entries = self.0.get(&(family, period)).and_then(|fields| fields.get(field));
        pack::add(family, &[], &mut entries.cloned().unwrap_or_default())
    }

    /// The same of all fields but totals, hash by hash.
    pub(super) fn dated(&self) -> Result<Vec<Packed>> {
        let dated = self.0.iter().filter(|((family, _), _)| *family != Family::Total);
        let fields = dated.flat_map(|(hash, fields)| fields.iter().map(move |field| (hash, field)));
        fields
            .map(|((family, period), (field, entries))| {
                Ok(((*family, *period), field.clone(), pack::add(*family, &[], &mut entries.clone())?))
            })
            .collect()
    }
}
