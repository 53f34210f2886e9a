//! Import of numbers.
//!
//! Guarantees that what is read back is set and never added, and that the audit of a lane that held before an
//! import holds after it: what the numbers rise by is what base rises by, in the same step. An import that is cut
//! short leaves scopes half set; done again, it sets them whole.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::{self, Cells};
use super::hashes::{Ask, Decision, Hashes, Put, Seen};
use super::keys::{self, Family, LaneKeys, TAKEN, bucket, field};
use super::{pack, read};
use crate::domain::lane::Lane;
use crate::domain::tally::{Group, Scope, ScopeKind, Series};
use crate::store::{Error, Result, named};

/// Scopes set in one go.
const SCOPES: usize = 200;
/// Fields written in one step.
const FIELDS: usize = 5_000;

/// Sets the numbers of these scopes: all that a scope had before is gone.
pub(super) async fn import(hashes: &Hashes, groups: Vec<Group>) -> Result<()> {
    // The last word counts.
    let mut last: BTreeMap<(Lane, Scope), Group> = BTreeMap::new();
    for group in groups {
        last.insert((keys::lane(&group.scope, &hashes.lanes), group.scope.clone()), group);
    }
    let mut by_lane: BTreeMap<Lane, Vec<Group>> = BTreeMap::new();
    for ((lane, _), group) in last {
        by_lane.entry(lane).or_default().push(group);
    }
    for (lane, groups) in by_lane {
        for some in groups.chunks(SCOPES) {
            let setting = Setting::new(hashes, lane, some)?;
            setting.clear().await?;
            setting.dated().await?;
            setting.totals().await?;
        }
    }
    Ok(())
}

/// True for the scopes whose sum is in their lane's audit.
fn is_audited(kind: ScopeKind) -> bool {
    matches!(kind, ScopeKind::Link | ScopeKind::Site)
}

/// Some scopes of one lane whose numbers are set.
struct Setting<'a> {
    hashes: &'a Hashes,
    lane: Lane,
    keys: LaneKeys<'a>,
    cells: Cells<'a>,
    /// Field and packed total of each scope, and how many hits that is for the audit.
    totals: Vec<(Vec<u8>, Vec<u8>, u64)>,
    /// Base, how many places are taken, and what each scope's total is now.
    ask: Ask,
}

impl<'a> Setting<'a> {
    fn new(hashes: &'a Hashes, lane: Lane, groups: &'a [Group]) -> Result<Setting<'a>> {
        let keys = hashes.keys(lane);
        let cells = Cells::of(groups);
        let (mut totals, mut numbers) = (vec![], vec![]);
        for group in groups {
            let field = field(&group.scope);
            let packed = cells.packed(Family::Total, bucket(&field), &field)?;
            let hits = if is_audited(group.scope.parts().0) {
                pack::sum(Family::Total, &packed, Series::Total)?.all()
            } else {
                0
            };
            numbers.push((keys.numbers(Family::Total, bucket(&field)), vec![field.clone()]));
            totals.push((field, packed, hits));
        }
        let base = std::iter::once(b"base".to_vec());
        let ask = Ask { own: base.chain(TAKEN.map(|(_, field)| field.to_vec())).collect(), numbers };
        Ok(Setting { hashes, lane, keys, cells, totals, ask })
    }

    /// What base will be.
    fn base(&self, seen: &Seen) -> Result<u64> {
        let mut base = i128::from(seen.number(0)?);
        for ((field, _, hits), before) in self.totals.iter().zip(&seen.numbers) {
            base += i128::from(*hits);
            if is_audited(keys::scope(field)?.0) {
                let before = before.as_deref().unwrap_or_default();
                base -= i128::from(pack::sum(Family::Total, before, Series::Total)?.all());
            }
        }
        u64::try_from(base).map_err(|_| raised(self.lane))
    }

    /// Takes away all that these scopes have by day, hour and minute. From then on each is known by its total.
    async fn clear(&self) -> Result<()> {
        let mut periods = vec![];
        for family in Family::DATED {
            let of = read::periods(self.hashes, &[self.lane], family, i64::MIN, i64::MAX).await?;
            periods.extend(of.into_iter().flatten().map(|period| (family, period)));
        }
        self.hashes
            .change(self.lane, &self.ask, |seen| {
                self.base(seen)?;
                let mut put = Put::default();
                let (mut known, mut new) = (vec![], BTreeSet::new());
                for ((field, ..), before) in self.totals.iter().zip(&seen.numbers) {
                    match before {
                        Some(_) => known.push(field.clone()),
                        None => {
                            put.set(self.total_key(field), vec![field.clone(), vec![]]);
                            let (kind, name) = keys::scope(field)?;
                            if named::takes_a_place(kind, name) {
                                new.insert(Scope::from_parts(kind, name));
                            }
                        }
                    }
                }
                apply::take_places(&new, seen, 1, &mut put)?;
                for (family, period) in &periods {
                    put.unset(self.keys.numbers(*family, *period), known.clone());
                }
                Ok(Decision::Change(put, ()))
            })
            .await
    }

    fn total_key(&self, field: &[u8]) -> Vec<u8> {
        self.keys.numbers(Family::Total, bucket(field))
    }

    /// Sets what they shall have by day, hour and minute.
    async fn dated(&self) -> Result<()> {
        let cells = self.cells.dated()?;
        for some in cells.chunks(FIELDS) {
            let write = |_: &Seen| {
                let mut put = Put::default();
                for of_hash in some.chunk_by(|a, b| a.0 == b.0) {
                    let Some(((family, period), ..)) = of_hash.first() else { continue };
                    let pairs = of_hash.iter().flat_map(|(_, field, packed)| [field.clone(), packed.clone()]);
                    put.set(self.keys.numbers(*family, *period), pairs.collect());
                    put.join(self.keys.periods(*family), vec![period.to_string().into_bytes()]);
                }
                Ok(Decision::Change(put, ()))
            };
            self.hashes.change(self.lane, &Ask::default(), write).await?;
        }
        Ok(())
    }

    /// Sets their totals, and base with them.
    async fn totals(&self) -> Result<()> {
        self.hashes
            .change(self.lane, &self.ask, |seen| {
                let mut put = Put::default();
                put.own(b"base", self.base(seen)?);
                for (field, packed, _) in &self.totals {
                    put.set(self.total_key(field), vec![field.clone(), packed.clone()]);
                }
                Ok(Decision::Change(put, ()))
            })
            .await
    }
}

/// Sets what was lost in a lane; base rises with it, so that the audit holds on.
pub(super) async fn import_lost(hashes: &Hashes, lane: Lane, lost: u64) -> Result<()> {
    let ask = Ask { own: vec![b"base".to_vec(), b"lost".to_vec()], numbers: vec![] };
    hashes
        .change(lane, &ask, |seen| {
            let base = apply::sum(seen.number(0)?, lost)?.checked_sub(seen.number(1)?);
            let mut put = Put::default();
            put.own(b"base", base.ok_or_else(|| raised(lane))?);
            put.own(b"lost", lost);
            Ok(Decision::Change(put, ()))
        })
        .await
}

fn raised(lane: Lane) -> Error {
    let what = "an import into numbers that are still being counted: it would take from them, lane";
    Error::Corrupt(format!("{what} {lane}"))
}
