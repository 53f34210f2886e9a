//! The numbers of two stores, scope by scope, and their books.
//!
//! Guarantees memory for a page of each, whatever order the rows of a scope come in.

use std::collections::{BTreeMap, VecDeque};

use super::compare::{Told, differ};
use crate::domain::tally::{Counts, Group, Row, Scope, ScopeKind, Series};
use crate::store::Store;
use crate::store::tallies::LaneAudit;
use crate::transfer::{Error, format};

/// Scopes between two words of progress.
const TELL_EVERY: u64 = 100;

/// Compares all numbers; gives of how many scopes.
pub(super) async fn compare(from: &Store, to: &Store, told: &mut Told<'_>) -> Result<u64, Error> {
    let (mut ours, mut theirs, mut scopes) = (Scopes::of(from), Scopes::of(to), 0_u64);
    loop {
        match (ours.next().await?, theirs.next().await?) {
            (None, None) => break,
            (Some(one), Some(two)) if one == two => scopes += 1,
            (one, two) => return Err(differ(difference(one, two))),
        }
        if scopes.is_multiple_of(TELL_EVERY) {
            told.more(TELL_EVERY);
        }
    }
    told.more(scopes % TELL_EVERY);
    books(&from.tallies.audit().await?, &to.tallies.audit().await?)?;
    Ok(scopes)
}

/// One store's scopes that have numbers, one after the other, with rows in order.
struct Scopes<'a> {
    store: &'a Store,
    page: VecDeque<Group>,
    after: Option<(ScopeKind, String)>,
    ended: bool,
}

impl<'a> Scopes<'a> {
    fn of(store: &'a Store) -> Scopes<'a> {
        Scopes { store, page: VecDeque::new(), after: None, ended: false }
    }

    async fn next(&mut self) -> Result<Option<Group>, Error> {
        loop {
            while let Some(mut group) = self.page.pop_front() {
                group.rows.retain(|row| row.counts != Counts::default());
                group.rows.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
                if !group.rows.is_empty() {
                    return Ok(Some(group));
                }
            }
            if self.ended {
                return Ok(None);
            }
            let page = self.store.tallies.export(self.after.take()).await?;
            let last = page.last().map(|group| group.scope.parts());
            self.after = last.map(|(kind, name)| (kind, name.to_owned()));
            self.ended = page.is_empty();
            self.page = page.into();
        }
    }
}

fn key(row: &Row) -> (Series, i64, &str) {
    (row.series, row.bucket, &row.value)
}

/// The first number that is another, in words.
fn difference(one: Option<Group>, two: Option<Group>) -> String {
    let only = |group: &Group, which| {
        format!("only the {which} has numbers of {}", format::scope_text(&group.scope))
    };
    match (one, two) {
        (Some(one), Some(two)) if one.scope == two.scope && one.rows == two.rows => {
            format!("sketches of {}", format::scope_text(&one.scope))
        }
        (Some(one), Some(two)) if one.scope == two.scope => rows(&one.scope, &one.rows, &two.rows),
        (Some(one), Some(two)) if one.scope < two.scope => only(&one, "source"),
        (Some(one), None) => only(&one, "source"),
        (_, Some(two)) => only(&two, "target"),
        (None, None) => "numbers".into(),
    }
}

fn rows(scope: &Scope, ours: &[Row], theirs: &[Row]) -> String {
    let mut all: BTreeMap<(Series, i64, &str), (Counts, Counts)> = BTreeMap::new();
    ours.iter().for_each(|row| all.entry(key(row)).or_default().0 = row.counts);
    theirs.iter().for_each(|row| all.entry(key(row)).or_default().1 = row.counts);
    let scope = format::scope_text(scope);
    match all.into_iter().find(|(_, (one, two))| one != two) {
        Some(((series, bucket, value), (one, two))) => {
            let value = if value.is_empty() { String::new() } else { format!(" {value}") };
            format!(
                "{} {bucket}{value} of {scope} is {one:?} in the source and {two:?} in the target",
                series.as_str()
            )
        }
        None => format!("rows of {scope} are there twice"),
    }
}

/// The lanes may be others; what all of them have together is the same, and the target's books balance.
fn books(from: &[LaneAudit], to: &[LaneAudit]) -> Result<(), Error> {
    if let Some((lane, sums)) = to.iter().enumerate().find(|(_, sums)| !sums.holds()) {
        return Err(differ(format!("the target's books do not balance in lane {lane}: {sums:?}")));
    }
    let sums = |audit: &[LaneAudit]| {
        let (site, lanes) = audit.split_last()?;
        let all = |one: fn(&LaneAudit) -> u64| lanes.iter().map(one).sum::<u64>();
        Some([all(|lane| lane.tallies), all(|lane| lane.lost), site.tallies, site.lost])
    };
    match (sums(from), sums(to)) {
        (one, two) if one == two => Ok(()),
        (one, two) => Err(differ(format!(
            "hits and lost of links and site are {one:?} in one and {two:?} in the other"
        ))),
    }
}
