//! A scope's series against each other, and the site's against those of all links.
//!
//! Pure. Knows what [`Series`] promises and nothing of where numbers come from.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Report, said};
use crate::domain::calendar::{Calendar, date_of};
use crate::domain::report::hours_from;
use crate::domain::tally::{BEYOND, Counts, Group, Row, Scope, ScopeKind, Series, is_unknown_value};

/// A scope's name in reports.
fn name(scope: &Scope) -> String {
    match scope.parts() {
        (ScopeKind::Site, _) => "site".into(),
        (kind, name) => format!("{}:{name}", kind.as_str()),
    }
}

/// Of which days hours are kept: of all of them, or from one on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HoursKept {
    /// The day, and the second in which it begins.
    from: Option<(i64, i64)>,
}

impl HoursKept {
    /// What the site has of hours is what all scopes have.
    pub(super) fn of_site(site: &Group, calendar: &Calendar, now: Timestamp) -> HoursKept {
        let first =
            |series: Series| site.rows.iter().filter(|row| row.series == series).map(|row| row.bucket).min();
        let from = hours_from(first(Series::Hour), first(Series::Day), calendar, now);
        HoursKept { from: from.map(|day| (i64::from(day), calendar.start_of(day))) }
    }

    pub(super) fn tell(self, report: &mut Report) {
        if let Some((day, _)) = self.from {
            let date = i32::try_from(day).map(date_of).map(|date| date.to_string()).unwrap_or_default();
            report
                .not_compared
                .push(format!("hours are kept since {date}; those of earlier days were not compared"));
        }
    }

    /// What the hours that are kept must sum up to, and what they do.
    fn compare(self, group: &Group) -> Option<(Counts, Counts)> {
        let (day, second) = self.from?;
        let sum = |series: Series, from: i64| -> Counts {
            let rows = group.rows.iter().filter(|row| row.series == series && row.bucket >= from);
            rows.map(|row| row.counts).sum()
        };
        Some((sum(Series::Day, day).exact(), sum(Series::Hour, second).exact()))
    }
}

/// Compares each series of a scope with its total, and each dimension's days with the days.
pub(super) fn within(group: &Group, kept: HoursKept, report: &mut Report) {
    let scope = name(&group.scope);
    let sum = |series: Series| -> Counts {
        group.rows.iter().filter(|row| row.series == series).map(|row| row.counts).sum()
    };
    let total = sum(Series::Total);
    let estimates = |counts: Counts| format!("{} uniques, {} unfurls", counts.uniques, counts.unfurls);
    if estimates(sum(Series::Day)) != estimates(total) {
        report.disagree(&scope, "day", None, estimates(total), estimates(sum(Series::Day)));
    }
    for series in Series::ALL {
        let Some(expected) = series.share(&total) else { continue };
        let kept = kept.compare(group).filter(|_| series == Series::Hour);
        let (expected, found) = kept.unwrap_or_else(|| (expected, sum(series).exact()));
        if series.is_of_links_only() && !matches!(group.scope, Scope::Link(_)) {
            if found != Counts::default() {
                report.disagree(&scope, series.as_str(), None, "nothing", said(&found));
            }
        } else if found != expected {
            report.disagree(&scope, series.as_str(), None, said(&expected), said(&found));
        }
    }
    let days = by_bucket(group, Series::Day);
    for series in Series::ALL.into_iter().filter(|series| series.is_dimension()) {
        if series.is_of_links_only() && !matches!(group.scope, Scope::Link(_)) {
            continue;
        }
        let found = by_bucket(group, series);
        let buckets: std::collections::BTreeSet<i64> = days.keys().chain(found.keys()).copied().collect();
        for bucket in buckets {
            let of = |map: &BTreeMap<i64, Counts>| map.get(&bucket).copied().unwrap_or_default();
            let (expected, found) = (series.share(&of(&days)).unwrap_or_default(), of(&found));
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

/// True for what the site has just as its links have it, all together: not what only links have, nor what each scope has
/// room for on its own.
fn is_shared(row: &Row) -> bool {
    let bounded = is_unknown_value(&row.value) || row.value == BEYOND;
    let kept = row.series != Series::Minute && !row.series.is_of_links_only() && !bounded;
    kept && row.counts.exact() != Counts::default()
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
        for row in group.rows.iter().filter(|row| is_shared(row)) {
            let key = (row.series, row.bucket, row.value.to_string());
            *sums.entry(key).or_default() += row.counts.exact();
        }
    }

    /// Hours of which not all are there are not compared.
    pub(super) fn forget_hours(&mut self, kept: HoursKept) {
        let Some((_, second)) = kept.from else { return };
        for numbers in [&mut self.site, &mut self.links] {
            numbers.retain(|(series, bucket, _), _| *series != Series::Hour || *bucket >= second);
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
