//! Sections and authors: which are counted by their names, and the one scope of each kind for all others.
//!
//! Whoever writes stories makes these names up, so there is a bound: those that came first have numbers of their own, and
//! of those that are new in one batch the first by name. Pure, and the same for every store. Guarantees that a batch
//! adds the same however its groups are ordered, and that nothing of it is lost. Knows nothing of where numbers are kept.

use std::collections::{BTreeSet, HashMap};

use crate::domain::tally::{BEYOND, Group, MAX_AUTHORS, MAX_SECTIONS, Scope, ScopeKind, Series};
use crate::priority::give_way;
use crate::store::Result;

/// The kinds whose names are bounded.
const KINDS: [ScopeKind; 2] = [ScopeKind::Section, ScopeKind::Author];

/// Names of a kind that are counted apart, at most; None where nobody makes names up.
fn most(kind: ScopeKind) -> Option<usize> {
    match kind {
        ScopeKind::Section => Some(MAX_SECTIONS),
        ScopeKind::Author => Some(MAX_AUTHORS),
        ScopeKind::Site | ScopeKind::Link | ScopeKind::Channel => None,
    }
}

/// True for what takes one of its kind's places. The scope of all others takes none: there is always room for it.
pub(crate) fn takes_a_place(kind: ScopeKind, name: &str) -> bool {
    most(kind).is_some() && name != BEYOND
}

/// Those of these new scopes for which there is no room, where `taken` says how many places of a kind are.
pub(crate) fn beyond(
    new: &BTreeSet<Scope>,
    taken: impl Fn(ScopeKind) -> Result<u64>,
) -> Result<BTreeSet<Scope>> {
    let mut beyond = BTreeSet::new();
    for kind in KINDS {
        let mut of_kind = new.iter().filter(|scope| scope.parts().0 == kind).peekable();
        if of_kind.peek().is_some() {
            let taken = usize::try_from(taken(kind)?).unwrap_or(usize::MAX);
            let room = most(kind).unwrap_or(usize::MAX).saturating_sub(taken);
            beyond.extend(of_kind.skip(room).cloned());
        }
    }
    Ok(beyond)
}

/// A batch's groups, with those of some scopes gathered into one of each kind.
pub(crate) struct Gathered<'g> {
    apart: Vec<&'g Group>,
    others: Vec<Group>,
}

impl<'g> Gathered<'g> {
    /// Those of `beyond` together.
    pub(crate) fn new(groups: &'g [Group], beyond: &BTreeSet<Scope>) -> Gathered<'g> {
        if beyond.is_empty() {
            return Gathered { apart: groups.iter().collect(), others: vec![] };
        }
        let others: BTreeSet<Scope> = beyond.iter().map(|scope| other(scope.parts().0)).collect();
        let (mut together, apart): (Vec<&Group>, Vec<&Group>) =
            groups.iter().partition(|group| beyond.contains(&group.scope) || others.contains(&group.scope));
        together.sort_by(|a, b| a.scope.cmp(&b.scope));
        let of_kind = together.chunk_by(|a, b| a.scope.parts().0 == b.scope.parts().0);
        Gathered { apart, others: of_kind.filter_map(sum).collect() }
    }

    /// Each scope once.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.apart.iter().copied().chain(&self.others)
    }
}

fn other(kind: ScopeKind) -> Scope {
    Scope::from_parts(kind, BEYOND)
}

/// Groups of one kind as one.
fn sum(groups: &[&Group]) -> Option<Group> {
    let mut sum = Group::of(other(groups.first()?.scope.parts().0), vec![]);
    let mut places: HashMap<(Series, i64, &str), usize> = HashMap::new();
    for (round, group) in groups.iter().enumerate() {
        give_way(round);
        for row in &group.rows {
            let place = *places.entry((row.series, row.bucket, &row.value)).or_insert(sum.rows.len());
            match sum.rows.get_mut(place) {
                Some(there) => there.counts += row.counts,
                None => sum.rows.push(row.clone()),
            }
        }
        for more in &group.sketches {
            match sum.sketches.iter_mut().find(|there| (there.of, there.day) == (more.of, more.day)) {
                Some(there) => there.sketch.merge(&more.sketch),
                None => sum.sketches.push(more.clone()),
            }
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sketch::Sketch;
    use crate::domain::tally::{Counts, DaySketch, Row, SketchOf};

    fn group(scope: Scope, value: &'static str, n: u64) -> Group {
        let counts = Counts { clicks: n, ..Counts::default() };
        let rows = [(Series::Total, 0, ""), (Series::Day, 7, ""), (Series::Referrer, 7, value)];
        let row = |(series, bucket, value): (_, _, &'static str)| Row {
            series,
            bucket,
            value: value.into(),
            counts,
        };
        let mut sketch = Sketch::default();
        (0..n).for_each(|reader| sketch.add(reader << 40));
        let sketches = vec![DaySketch { of: SketchOf::Readers, day: 7, sketch }];
        Group { sketches, ..Group::of(scope, rows.map(row).to_vec()) }
    }

    #[test]
    fn the_first_by_name_have_room() {
        let section = |n: usize| Scope::Section(format!("s{n}").into());
        let author = |n: usize| Scope::Author(format!("a{n}").into());
        let new: BTreeSet<Scope> = (0..5).flat_map(|n| [section(n), author(n)]).collect();
        let taken = |kind| {
            Ok(match kind {
                ScopeKind::Section => 998,
                _ => 30_000,
            })
        };
        let expected: BTreeSet<Scope> = (2..5).map(section).chain((0..5).map(author)).collect();
        assert_eq!(beyond(&new, taken).unwrap(), expected);
        assert!(beyond(&new, |_| Ok(0)).unwrap().is_empty());
        assert!(takes_a_place(ScopeKind::Author, "Ann") && !takes_a_place(ScopeKind::Author, BEYOND));
        assert!(!takes_a_place(ScopeKind::Channel, "x"));
    }

    #[test]
    fn what_is_beyond_is_one_and_nothing_is_lost() {
        let named = |name: &str| Scope::Section(name.into());
        let mut groups = vec![
            group(Scope::Site, "a", 16),
            group(named("c"), "a", 8),
            group(named(BEYOND), "b", 4),
            group(named("b"), "b", 3),
            group(named("a"), "a", 1),
        ];
        let beyond = BTreeSet::from([named("c"), named("b")]);
        let mut other = group(named(BEYOND), "b", 15);
        other.sketches = group(named("c"), "a", 8).sketches;
        other.rows[2].counts.clicks = 7;
        other.rows.push(group(named("c"), "a", 8).rows[2].clone());
        for _ in 0..2 {
            let gathered = Gathered::new(&groups, &beyond);
            let all: Vec<&Group> = gathered.iter().collect();
            assert_eq!(all.len(), 3);
            assert_eq!(all[2], &other);
            assert!(all.contains(&&group(Scope::Site, "a", 16)) && all.contains(&&group(named("a"), "a", 1)));
            groups.reverse();
        }
        assert_eq!(Gathered::new(&groups, &BTreeSet::new()).iter().count(), 5);
    }
}
