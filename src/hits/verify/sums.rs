//! A scope's series against each other, and the site's against those of all links.
//!
//! Pure. Knows what [`Series`] promises and nothing of where numbers come from.

use std::collections::BTreeMap;

use super::{Report, said};
use crate::domain::tally::{Counts, Group, Scope, ScopeKind, Series};

/// A scope's name in reports.
fn name(scope: &Scope) -> String {
    match scope.parts() {
        (ScopeKind::Site, _) => "site".into(),
        (kind, name) => format!("{}:{name}", kind.as_str()),
    }
}

/// What of a total a series has; None for one that has less than all of its time.
fn share(series: Series, total: &Counts) -> Option<Counts> {
    let none = Counts::default();
    match series {
        Series::Total => Some(*total),
        Series::Minute => None,
        Series::Hour | Series::Day | Series::Trigger | Series::Target => Some(Counts { missed: 0, ..*total }),
        Series::Missed => Some(Counts { missed: total.missed, ..none }),
        Series::Bot => Some(Counts { bots: total.bots, ..none }),
        Series::Preview => Some(Counts { previews: total.previews, ..none }),
    }
}

/// Compares each series of a scope with its total, and each dimension's days with the days.
pub(super) fn within(group: &Group, report: &mut Report) {
    let scope = name(&group.scope);
    let sum = |series: Series| -> Counts {
        group.rows.iter().filter(|row| row.series == series).map(|row| row.counts).sum()
    };
    let total = sum(Series::Total);
    for series in Series::ALL {
        let Some(expected) = share(series, &total) else { continue };
        let found = sum(series);
        if series == Series::Target && !matches!(group.scope, Scope::Link(_)) {
            // Targets are numbered within a link.
            if found != Counts::default() {
                report.disagree(&scope, series.as_str(), None, "nothing", said(&found));
            }
        } else if found != expected {
            report.disagree(&scope, series.as_str(), None, said(&expected), said(&found));
        }
    }
    let days = by_bucket(group, Series::Day);
    for series in [Series::Trigger, Series::Target, Series::Bot, Series::Preview] {
        if series == Series::Target && !matches!(group.scope, Scope::Link(_)) {
            continue;
        }
        let found = by_bucket(group, series);
        let buckets: std::collections::BTreeSet<i64> = days.keys().chain(found.keys()).copied().collect();
        for bucket in buckets {
            let of = |map: &BTreeMap<i64, Counts>| map.get(&bucket).copied().unwrap_or_default();
            let (expected, found) = (share(series, &of(&days)).unwrap_or_default(), of(&found));
            if expected != found {
                report.disagree(&scope, series.as_str(), Some(bucket), said(&expected), said(&found));
            }
        }
    }
}

fn by_bucket(group: &Group, series: Series) -> BTreeMap<i64, Counts> {
    let mut sums: BTreeMap<i64, Counts> = BTreeMap::new();
    for row in group.rows.iter().filter(|row| row.series == series) {
        *sums.entry(row.bucket).or_default() += row.counts;
    }
    sums
}

type Numbers = BTreeMap<(Series, i64, String), Counts>;

/// The site's numbers, and the sums of all links'.
#[derive(Default)]
pub(super) struct Together {
    site: Numbers,
    links: Numbers,
}

impl Together {
    pub(super) fn add(&mut self, group: &Group) {
        let sums = match group.scope {
            Scope::Site => &mut self.site,
            Scope::Link(_) => &mut self.links,
            _ => return,
        };
        for row in &group.rows {
            if !matches!(row.series, Series::Minute | Series::Target) && row.counts != Counts::default() {
                let key = (row.series, row.bucket, row.value.to_string());
                *sums.entry(key).or_default() += row.counts;
            }
        }
    }

    /// Each number of the site is the sum of the links'. Only for numbers that stood still.
    pub(super) fn compare(&self, report: &mut Report) {
        let keys: std::collections::BTreeSet<_> = self.site.keys().chain(self.links.keys()).collect();
        for key in keys {
            let of = |numbers: &Numbers| numbers.get(key).copied().unwrap_or_default();
            let (expected, found) = (of(&self.links), of(&self.site));
            if expected != found {
                let (series, bucket, value) = key;
                let value = if value.is_empty() { String::new() } else { format!(" ({value})") };
                let found = format!("{}{value}", said(&found));
                report.disagree("site", series.as_str(), Some(*bucket), said(&expected), found);
            }
        }
    }
}
