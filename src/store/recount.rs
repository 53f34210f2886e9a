//! The recount behind `slugline verify`: hours = days = each dimension = total, scope by scope.
//!
//! Works on any backend through its export, so it reads every row. Each page is of one moment, so it may run
//! while hits are being counted. [`super::Tallies::audit`] says whether the totals are those of the ordinals.

use super::{Result, Tallies};
use crate::domain::tally::{Counts, Group, Row, ScopeKind, Series};

/// Most contradictions that are written down; more are only counted.
pub const MAX_WORDS: usize = 100;

/// What a recount found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recount {
    /// Scopes looked at.
    pub scopes: u64,
    /// Sums that contradict their scope's total.
    pub wrong: u64,
    /// The first of them, in words.
    pub words: Vec<String>,
}

/// Adds up all numbers of a store and compares.
///
/// # Errors
/// Those of the store; a contradiction is no error.
pub async fn recount(tallies: &dyn Tallies) -> Result<Recount> {
    let mut recount = Recount::default();
    let mut after = None;
    loop {
        let groups = tallies.export(after).await?;
        let Some(last) = groups.last() else { return Ok(recount) };
        let (kind, name) = last.scope.parts();
        after = Some((kind, name.to_owned()));
        for group in &groups {
            recount.look_at(group);
        }
    }
}

impl Recount {
    fn look_at(&mut self, group: &Group) {
        self.scopes += 1;
        let of = |series| group.rows.iter().filter(move |row: &&Row| row.series == series);
        let sum = |series| of(series).map(|row| row.counts).sum::<Counts>();
        let total = sum(Series::Total);
        let only = |clicks, previews, bots, missed| Counts { clicks, previews, bots, missed };
        let hits = only(total.clicks, total.previews, total.bots, 0);
        let (kind, name) = group.scope.parts();
        let expected = [
            (Series::Hour, hits),
            (Series::Day, hits),
            (Series::Trigger, hits),
            (Series::Target, if kind == ScopeKind::Link { hits } else { Counts::default() }),
            (Series::Preview, only(0, total.previews, 0, 0)),
            (Series::Bot, only(0, 0, total.bots, 0)),
            (Series::Missed, only(0, 0, 0, total.missed)),
        ];
        for (series, expected) in expected {
            let found = sum(series);
            if found == expected {
                continue;
            }
            self.wrong += 1;
            if self.words.len() < MAX_WORDS {
                let (kind, series) = (kind.as_str(), series.as_str());
                self.words.push(format!("{kind} \"{name}\": {series} sums to {found:?}, not {expected:?}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::domain::tally::Scope;

    fn row(series: Series, counts: Counts) -> Row {
        Row { series, bucket: 0, value: Cow::Borrowed(""), counts }
    }

    #[test]
    fn tells_what_contradicts() {
        let all = Counts { clicks: 1, previews: 2, bots: 3, missed: 4 };
        let hits = Counts { missed: 0, ..all };
        let mut rows = vec![row(Series::Total, all)];
        rows.extend([Series::Hour, Series::Day, Series::Trigger, Series::Target].map(|s| row(s, hits)));
        rows.push(row(Series::Preview, Counts { previews: 2, ..Counts::default() }));
        rows.push(row(Series::Bot, Counts { bots: 3, ..Counts::default() }));
        rows.push(row(Series::Missed, Counts { missed: 4, ..Counts::default() }));
        let good = Group { scope: Scope::Link("a".into()), rows };
        let mut recount = Recount::default();
        recount.look_at(&good);
        assert_eq!(recount, Recount { scopes: 1, ..Recount::default() });
        for without in 1..good.rows.len() {
            let mut bad = good.clone();
            let series = bad.rows.remove(without).series.as_str();
            let mut recount = Recount::default();
            recount.look_at(&bad);
            assert_eq!(recount.wrong, 1);
            assert!(recount.words[0].starts_with(&format!("link \"a\": {series} sums to")), "{recount:?}");
        }
    }
}
