//! Export of numbers: all scopes in order, page by page.
//!
//! Guarantees bounded memory but for the names of all scopes, which are kept while an export goes on: Redis keeps
//! none in order. Scopes that come after its first page are not in an export.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::hashes::Hashes;
use super::keys::{self, BUCKETS, Family, bucket, field};
use super::{apply, read};
use crate::domain::lane::Lane;
use crate::domain::tally::{DaySketch, Group, Scope, ScopeKind};
use crate::store::Result;
use crate::store::redis::conn;

/// Most scopes of one page.
const SCOPES: usize = 1_000;
/// A page has about so many (scope, period) to look at, whatever its scopes are.
const LOOKS: usize = 200_000;
/// Commands whose answers are in memory at once.
const ANSWERS: usize = 128;

type Name = (ScopeKind, Box<str>);

/// The names of all scopes, in order: taken at an export's first page, kept until its last.
#[derive(Default)]
pub(super) struct Names(Mutex<Option<Arc<Vec<Name>>>>);

impl Names {
    async fn get(&self, hashes: &Hashes, anew: bool) -> Result<Arc<Vec<Name>>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some(kept), false) = (kept, anew) {
            return Ok(kept);
        }
        let mut names: Vec<Name> = vec![];
        for lane in 0..=hashes.site() {
            let keys = hashes.keys(lane);
            let cmds = (0..i64::from(BUCKETS)).map(|bucket| {
                let mut cmd = redis::cmd("HKEYS");
                cmd.arg(keys.numbers(Family::Total, bucket));
                cmd
            });
            for answer in hashes.ask(&[lane], cmds.collect()).await? {
                for field in conn::read::<Vec<Vec<u8>>>(answer)? {
                    let (kind, name) = keys::scope(&field)?;
                    names.push((kind, name.into()));
                }
            }
        }
        names.sort_unstable();
        let names = Arc::new(names);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&names));
        Ok(names)
    }

    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The scopes after `after`, by kind and name, with all their rows.
pub(super) async fn export(
    hashes: &Hashes,
    names: &Names,
    after: Option<(ScopeKind, String)>,
) -> Result<Vec<Group>> {
    let all = names.get(hashes, after.is_none()).await?;
    let after = after.map(|(kind, name)| (kind, name.into_boxed_str()));
    let first = after.map_or(0, |after| all.partition_point(|name| *name <= after));
    let left = all.get(first..).unwrap_or_default();
    if left.is_empty() {
        names.forget();
        return Ok(vec![]);
    }
    Page::read(hashes, left).await
}

/// The scopes of one page, by lane.
struct Page<'a> {
    hashes: &'a Hashes,
    lane: Lane,
    /// Where in the page each field stands.
    fields: Vec<(usize, Vec<u8>)>,
}

impl Page<'_> {
    async fn read(hashes: &Hashes, left: &[Name]) -> Result<Vec<Group>> {
        let all: Vec<Lane> = (0..=hashes.site()).collect();
        let mut periods: BTreeMap<Family, Vec<Vec<i64>>> = BTreeMap::new();
        for family in Family::DATED {
            periods.insert(family, read::periods(hashes, &all, family, i64::MIN, i64::MAX).await?);
        }
        let most = |of: &Vec<Vec<i64>>| of.iter().map(Vec::len).max().unwrap_or(0);
        let each = periods.values().map(most).sum::<usize>().max(1);
        let size = (LOOKS / each).clamp(50, SCOPES).min(left.len());
        let mut groups: Vec<Group> = left[..size]
            .iter()
            .map(|(kind, name)| Group::of(Scope::from_parts(*kind, name), vec![]))
            .collect();
        let mut by_lane: BTreeMap<Lane, Vec<(usize, Vec<u8>)>> = BTreeMap::new();
        for (at, group) in groups.iter().enumerate() {
            by_lane
                .entry(keys::lane(&group.scope, &hashes.lanes))
                .or_default()
                .push((at, field(&group.scope)));
        }
        for (lane, fields) in by_lane {
            let page = Page { hashes, lane, fields };
            page.totals(&mut groups).await?;
            for (family, periods) in &periods {
                let periods = periods.get(usize::from(lane)).map_or(&[][..], Vec::as_slice);
                page.dated(*family, periods, &mut groups).await?;
            }
        }
        for group in &mut groups {
            group
                .rows
                .sort_unstable_by(|a, b| (a.series, a.bucket, &a.value).cmp(&(b.series, b.bucket, &b.value)));
            group.sketches.sort_unstable_by_key(|sketch| (sketch.day, sketch.of));
        }
        Ok(groups)
    }

    async fn totals(&self, groups: &mut [Group]) -> Result<()> {
        let keys = self.hashes.keys(self.lane);
        let cmds = self.fields.iter().map(|(_, field)| {
            let mut cmd = redis::cmd("HGET");
            cmd.arg(keys.numbers(Family::Total, bucket(field))).arg(field);
            cmd
        });
        let answers = self.hashes.ask(&[self.lane], cmds.collect()).await?;
        for ((at, _), answer) in self.fields.iter().zip(answers) {
            let packed = conn::read::<Option<Vec<u8>>>(answer)?.unwrap_or_default();
            read::rows_of(Family::Total, 0, &packed, |row| groups[*at].rows.push(row))?;
        }
        Ok(())
    }

    async fn dated(&self, family: Family, periods: &[i64], groups: &mut [Group]) -> Result<()> {
        let keys = self.hashes.keys(self.lane);
        let gone = match family {
            Family::Minute => read::minutes_from(self.hashes, self.lane).await?,
            _ => i64::MIN,
        };
        let fields: Vec<&Vec<u8>> = self.fields.iter().map(|(_, field)| field).collect();
        for some in periods.chunks(ANSWERS) {
            let cmds = some.iter().map(|period| {
                let mut cmd = redis::cmd("HMGET");
                cmd.arg(keys.numbers(family, *period)).arg(&fields);
                cmd
            });
            for (period, answer) in some.iter().zip(self.hashes.ask(&[self.lane], cmds.collect()).await?) {
                for ((at, _), packed) in self.fields.iter().zip(conn::read::<Vec<Option<Vec<u8>>>>(answer)?) {
                    if let (Some(of), Some(bytes)) = (family.sketch_of(), &packed) {
                        let sketch = apply::sketch(bytes)?;
                        groups[*at].sketches.push(DaySketch { of, day: *period, sketch });
                        continue;
                    }
                    read::rows_of(family, *period, packed.as_deref().unwrap_or_default(), |row| {
                        if family != Family::Minute || row.bucket >= gone {
                            groups[*at].rows.push(row);
                        }
                    })?;
                }
            }
        }
        Ok(())
    }
}
