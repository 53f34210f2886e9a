//! Reading numbers: one scope's rows, the sums of many scopes over days, totals.
//!
//! Guarantees that a read costs what it shows (rows, or link-days), never what was counted, and that the store of
//! another dataset shows none. Each answer is of one moment field by field, not as a whole.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use redis::Cmd;

use super::hashes::{Hashes, number};
use super::keys::{self, Family, bucket, field};
use super::pack::{self, Entries};
use crate::domain::lane::Lane;
use crate::domain::tally::{Counts, Row, Scope, ScopeKind, Series};
use crate::store::redis::conn::read;
use crate::store::{Error, Result};

/// Most scopes of one `by_scope`.
const MAX_ONLY: usize = 10_000;
/// Fields of one command.
const FIELDS: usize = 1_000;
/// Commands whose answers are in memory at once.
const ANSWERS: usize = 256;
/// A range of so many periods is asked for one by one; for a longer one it is first asked which there are.
const FEW: i64 = 62;

/// The rows of a scope in a series, by bucket and value.
pub(super) async fn rows(
    hashes: &Hashes,
    scope: &Scope,
    series: Series,
    from: i64,
    to: i64,
) -> Result<Vec<Row>> {
    let family = Family::of(series);
    if family == Family::Total {
        let sum =
            if from <= 0 && 0 < to { totals(hashes, std::slice::from_ref(scope)).await?.pop() } else { None };
        return Ok(sum.and_then(total_row).into_iter().collect());
    }
    let lane = keys::lane(scope, &hashes.lanes);
    let periods = periods(hashes, &[lane], family, from, to).await?.pop().unwrap_or_default();
    let from = if family == Family::Minute { from.max(minutes_from(hashes, lane).await?) } else { from };
    let field = field(scope);
    let names = hashes.keys(lane);
    let mut rows: Vec<Row> = vec![];
    for some in periods.chunks(ANSWERS) {
        let cmds = some.iter().map(|period| hget(names.numbers(family, *period), &field));
        for (period, packed) in some.iter().zip(hashes.ask(&[lane], cmds.collect()).await?) {
            let packed = read::<Option<Vec<u8>>>(packed)?.unwrap_or_default();
            rows_of(family, *period, &packed, |row| {
                if row.series == series && (from..to).contains(&row.bucket) {
                    rows.push(row);
                }
            })?;
        }
    }
    Ok(rows)
}

/// The first bucket of a scope in a series.
pub(super) async fn first_bucket(hashes: &Hashes, scope: &Scope, series: Series) -> Result<Option<i64>> {
    let family = Family::of(series);
    let lane = keys::lane(scope, &hashes.lanes);
    for period in periods(hashes, &[lane], family, i64::MIN, i64::MAX).await?.pop().unwrap_or_default() {
        // A period may have numbers of other scopes only.
        let (begin, end) = (family.bucket(period, 0), family.bucket(period.saturating_add(1), 0));
        if let Some(first) = rows(hashes, scope, series, begin, end).await?.first() {
            return Ok(Some(first.bucket));
        }
    }
    Ok(None)
}

/// The rows of packed numbers, in order of series, bucket and value.
pub(super) fn rows_of(family: Family, period: i64, packed: &[u8], mut take: impl FnMut(Row)) -> Result<()> {
    for entry in Entries::new(family, packed) {
        let entry = entry?;
        let bucket = if family == Family::Total { 0 } else { family.bucket(period, entry.place) };
        let value = Cow::Owned(entry.value.to_owned());
        take(Row { series: entry.series, bucket, value, counts: entry.counts });
    }
    Ok(())
}

/// The row of `Total`, unless it is nothing.
fn total_row(sum: Counts) -> Option<Row> {
    let row = Row { series: Series::Total, bucket: 0, value: Cow::Borrowed(""), counts: sum };
    (sum != Counts::default()).then_some(row)
}

pub(super) fn hget(key: Vec<u8>, field: &[u8]) -> Cmd {
    let mut cmd = redis::cmd("HGET");
    cmd.arg(key).arg(field);
    cmd
}

/// Minutes that begin before this have gone.
pub(super) async fn minutes_from(hashes: &Hashes, lane: Lane) -> Result<i64> {
    let cmd = hget(hashes.keys(lane).own(), super::minutes::GONE);
    let said = hashes.ask(&[lane], vec![cmd]).await?.pop();
    let said: Option<Vec<u8>> = said.map_or(Ok(None), read)?;
    said.as_deref().map_or(Ok(i64::MIN), |said| number(Some(said)))
}

/// The periods of a family with buckets `from <= bucket < to`, ascending, for each of these lanes.
pub(super) async fn periods(
    hashes: &Hashes,
    of: &[Lane],
    family: Family,
    from: i64,
    to: i64,
) -> Result<Vec<Vec<i64>>> {
    let Some((first, last)) = family.periods(from, to) else { return Ok(vec![vec![]; of.len()]) };
    if last.saturating_sub(first) < FEW {
        return Ok(vec![(first..=last).collect(); of.len()]);
    }
    let cmds = of.iter().map(|lane| {
        let mut members = redis::cmd("SMEMBERS");
        members.arg(hashes.keys(*lane).periods(family));
        members
    });
    let mut periods = vec![];
    for answer in hashes.ask(of, cmds.collect()).await? {
        let members: Vec<i64> = read(answer)?;
        let mut within: Vec<i64> = members.into_iter().filter(|p| (first..=last).contains(p)).collect();
        within.sort_unstable();
        periods.push(within);
    }
    Ok(periods)
}

/// The sums of the scopes of a kind over days.
pub(super) async fn by_scope(
    hashes: &Hashes,
    kind: ScopeKind,
    from: i64,
    to: i64,
    only: Option<&[String]>,
) -> Result<Vec<(String, Counts)>> {
    let mut sums = Sums { kind, sums: HashMap::default() };
    match only {
        None => {
            let of: Vec<Lane> = match kind {
                ScopeKind::Link => (0..hashes.site()).collect(),
                _ => vec![hashes.site()],
            };
            sums.all(hashes, &of, from, to).await?;
        }
        Some(only) if only.len() > MAX_ONLY => {
            return Err(Error::Corrupt(format!("{} scopes are asked for at once", only.len())));
        }
        Some(only) => {
            let mut fields: BTreeMap<Lane, Vec<Vec<u8>>> = BTreeMap::new();
            for name in only {
                let scope = Scope::from_parts(kind, name);
                fields.entry(keys::lane(&scope, &hashes.lanes)).or_default().push(field(&scope));
            }
            sums.only(hashes, fields, from, to).await?;
        }
    }
    Ok(sums.sums.into_iter().collect())
}

struct Sums {
    kind: ScopeKind,
    sums: HashMap<String, Counts, foldhash::fast::RandomState>,
}

impl Sums {
    fn add(&mut self, field: &[u8], packed: &[u8]) -> Result<()> {
        let mut sum = None;
        for entry in Entries::new(Family::Day, packed) {
            let entry = entry?;
            if entry.series != Series::Day {
                // Days come first.
                break;
            }
            *sum.get_or_insert_with(Counts::default) += entry.counts;
        }
        if let (Some(sum), (kind, name)) = (sum, keys::scope(field)?)
            && kind == self.kind
        {
            match self.sums.get_mut(name) {
                Some(there) => *there += sum,
                None => drop(self.sums.insert(name.to_owned(), sum)),
            }
        }
        Ok(())
    }

    /// All scopes of these lanes.
    async fn all(&mut self, hashes: &Hashes, of: &[Lane], from: i64, to: i64) -> Result<()> {
        let mut asked = vec![];
        for (lane, days) in of.iter().zip(periods(hashes, of, Family::Day, from, to).await?) {
            let names = hashes.keys(*lane);
            asked.extend(days.into_iter().map(|day| (*lane, names.numbers(Family::Day, day))));
        }
        for some in asked.chunks(ANSWERS) {
            let cmds = some.iter().map(|(_, key)| {
                let mut all = redis::cmd("HGETALL");
                all.arg(key);
                all
            });
            for answer in hashes.ask(&lanes_of(some), cmds.collect()).await? {
                for (field, packed) in read::<HashMap<Vec<u8>, Vec<u8>>>(answer)? {
                    self.add(&field, &packed)?;
                }
            }
        }
        Ok(())
    }

    /// These fields.
    async fn only(
        &mut self,
        hashes: &Hashes,
        mut fields: BTreeMap<Lane, Vec<Vec<u8>>>,
        from: i64,
        to: i64,
    ) -> Result<()> {
        let of: Vec<Lane> = fields.keys().copied().collect();
        let mut asked = vec![];
        let all_days = periods(hashes, &of, Family::Day, from, to).await?;
        for ((lane, fields), days) in fields.iter_mut().zip(&all_days) {
            fields.sort_unstable();
            fields.dedup();
            let names = hashes.keys(*lane);
            for day in days {
                let key = names.numbers(Family::Day, *day);
                asked.extend(fields.chunks(FIELDS).map(|some| (*lane, (key.clone(), some))));
            }
        }
        for some in asked.chunks(ANSWERS) {
            let cmds = some.iter().map(|(_, (key, fields))| {
                let mut cmd = redis::cmd("HMGET");
                cmd.arg(key).arg(*fields);
                cmd
            });
            let answers = hashes.ask(&lanes_of(some), cmds.collect()).await?;
            for ((_, (_, fields)), answer) in some.iter().zip(answers) {
                for (field, packed) in fields.iter().zip(read::<Vec<Option<Vec<u8>>>>(answer)?) {
                    self.add(field, packed.as_deref().unwrap_or_default())?;
                }
            }
        }
        Ok(())
    }
}

/// The sums of links over minutes.
pub(super) async fn links_by_minute(hashes: &Hashes, from: i64, to: i64) -> Result<Vec<(String, Counts)>> {
    let of: Vec<Lane> = (0..hashes.site()).collect();
    let mut asked = vec![];
    for (lane, hours) in of.iter().zip(periods(hashes, &of, Family::Minute, from, to).await?) {
        let names = hashes.keys(*lane);
        asked.extend(hours.into_iter().map(|hour| (*lane, (hour, names.numbers(Family::Minute, hour)))));
    }
    let mut sums: HashMap<String, Counts, foldhash::fast::RandomState> = HashMap::default();
    for some in asked.chunks(ANSWERS) {
        let cmds = some.iter().map(|(_, (_, key))| {
            let mut all = redis::cmd("HGETALL");
            all.arg(key);
            all
        });
        let answers = hashes.ask(&lanes_of(some), cmds.collect()).await?;
        for ((_, (hour, _)), answer) in some.iter().zip(answers) {
            for (field, packed) in read::<HashMap<Vec<u8>, Vec<u8>>>(answer)? {
                let mut sum = Counts::default();
                rows_of(Family::Minute, *hour, &packed, |row| {
                    if (from..to).contains(&row.bucket) {
                        sum += row.counts;
                    }
                })?;
                if sum != Counts::default() {
                    *sums.entry(keys::scope(&field)?.1.to_owned()).or_default() += sum;
                }
            }
        }
    }
    Ok(sums.into_iter().collect())
}

/// The lanes of what is asked, each once: what is asked stands lane by lane.
fn lanes_of<T>(asked: &[(Lane, T)]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = asked.iter().map(|(lane, _)| *lane).collect();
    lanes.dedup();
    lanes
}

/// The sum of each scope; zeros for unknown ones.
pub(super) async fn totals(hashes: &Hashes, scopes: &[Scope]) -> Result<Vec<Counts>> {
    let mut asked: Vec<(Lane, (Vec<u8>, usize))> = scopes
        .iter()
        .enumerate()
        .map(|(at, scope)| (keys::lane(scope, &hashes.lanes), (field(scope), at)))
        .collect();
    asked.sort_unstable();
    let mut totals = vec![Counts::default(); scopes.len()];
    for some in asked.chunks(ANSWERS) {
        let cmds = some
            .iter()
            .map(|(lane, (field, _))| hget(hashes.keys(*lane).numbers(Family::Total, bucket(field)), field));
        let answers = hashes.ask(&lanes_of(some), cmds.collect()).await?;
        for ((_, (_, at)), answer) in some.iter().zip(answers) {
            let packed = read::<Option<Vec<u8>>>(answer)?.unwrap_or_default();
            if let Some(total) = totals.get_mut(*at) {
                *total = pack::sum(Family::Total, &packed, Series::Total)?;
            }
        }
    }
    Ok(totals)
}
