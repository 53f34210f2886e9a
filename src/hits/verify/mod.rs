//! Do the numbers add up? For the operator, at any time, beside a running server.
//!
//! Three questions. For each lane: base + ordinals = tallies + lost. For each scope: hours = days = each
//! dimension = total, and the links together are the site. And a recount: what the journal still has, folded
//! anew, must be what the store has for the same hours. Guarantees that nothing is changed, that counting which
//! goes on meanwhile is no disagreement, and that what could not be compared is said: also hours that have gone.

mod recount;
mod sums;
#[cfg(test)]
pub(crate) mod tests;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::classify::Tables;
use super::journal;
use crate::domain::calendar::Calendar;
use crate::domain::tally::{Counts, Scope, Series};
use crate::store::tallies::{LaneAudit, StreamState};
use crate::store::{self, Store};
use recount::Recount;
use sums::{HoursKept, Together};

/// Disagreements that are listed; more are only counted.
pub const LISTED: usize = 100;

/// Told how many hits and scopes were looked at.
pub type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Sync);

/// Why it could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store's.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The journal's.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The store's time zones are none.
    #[error("{0}")]
    Zones(String),
}

/// Two numbers that should be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Whose: `lane 0`, `site`, `link:CODE` ...
    pub scope: String,
    /// Of what: `audit`, `hour`, `trigger` ...
    pub series: &'static str,
    /// In which bucket, if it is of one.
    pub bucket: Option<i64>,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The first [`LISTED`] disagreements.
    pub disagreements: Vec<Disagreement>,
    /// How many there are in all.
    pub disagreeing: u64,
    /// Lanes audited, the site lane included.
    pub lanes: u64,
    /// Scopes whose series were compared.
    pub scopes: u64,
    /// Rows of numbers in them.
    pub rows: u64,
    /// Hits and missed visits read from the journal again.
    pub recounted: u64,
    /// Hours of links compared with that.
    pub link_hours: u64,
    /// What could not be compared, and why.
    pub not_compared: Vec<String>,
}

impl Report {
    /// True if nothing disagrees.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.disagreeing == 0
    }

    fn disagree(
        &mut self,
        scope: &str,
        series: &'static str,
        bucket: Option<i64>,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) {
        self.disagreeing += 1;
        if self.disagreements.len() < LISTED {
            let (expected, found) = (expected.to_string(), found.to_string());
            self.disagreements.push(Disagreement { scope: scope.into(), series, bucket, expected, found });
        }
    }
}

/// Counts in words.
fn said(counts: &Counts) -> String {
    let Counts { clicks, previews, bots, missed, .. } = counts;
    format!("{clicks} clicks, {previews} previews, {bots} bots, {missed} missed")
}

/// What hits are recounted from.
pub struct Kept<'a> {
    /// The journal's folder.
    pub folder: &'a Path,
    /// What its hits are classified by: the tables they were counted with, or the recount says that classes differ.
    pub tables: Arc<Tables>,
}

/// Verifies a store, and recounts what is in the journal's folder if there is one.
///
/// # Errors
/// The store's or the disk's; a disagreement is none.
pub async fn verify(
    store: &Store,
    journal: Option<&Kept<'_>>,
    progress: Progress<'_>,
    now: Timestamp,
) -> Result<Report, Error> {
    // A running server lets old hours go once a day: what was read while they went does not fit together.
    let mut first = store.tallies.first_bucket(Series::Hour).await?;
    loop {
        let report = verify_once(store, journal, progress, now).await?;
        let after = store.tallies.first_bucket(Series::Hour).await?;
        if first.is_none() || after <= first {
            return Ok(report);
        }
        first = after;
    }
}

async fn verify_once(
    store: &Store,
    journal: Option<&Kept<'_>>,
    progress: Progress<'_>,
    now: Timestamp,
) -> Result<Report, Error> {
    let mut report = Report::default();
    let dataset = store.tallies.dataset().await?;
    let calendar = Calendar::new(&dataset.zones).map_err(|e| Error::Zones(e.to_string()))?;
    // Numbers only grow: what is read later has at least what these ordinals say, and at most what those say
    // that are read after it. So it need not stand still.
    let before = store.tallies.streams().await?;
    let audit = store.tallies.audit().await?;
    lanes(&audit, &mut report);

    let mut recount = match journal.filter(|kept| kept.folder.is_dir()) {
        Some(kept) => Recount::begin(kept, &dataset, &before, &audit, now, progress, &mut report)?,
        None => {
            report.not_compared.push("there is no journal here, so nothing was recounted".into());
            None
        }
    };
    let mut together = Together::default();
    let mut kept = HoursKept::default();
    let mut after = None;
    loop {
        let groups = store.tallies.export(after).await?;
        let Some(last) = groups.last() else { break };
        let (kind, name) = last.scope.parts();
        after = Some((kind, name.to_owned()));
        for group in &groups {
            report.scopes += 1;
            report.rows += u64::try_from(group.rows.len()).unwrap_or(0);
            if group.scope == Scope::Site {
                // The first of all.
                kept = HoursKept::of_site(group, &calendar, now);
                kept.tell(&mut report);
            }
            sums::within(group, kept, &mut report);
            together.add(group);
            if let Some(recount) = &mut recount {
                recount.found(group);
            }
        }
        progress(report.recounted + report.scopes, None);
    }
    let later = store.tallies.streams().await?;
    if let Some(recount) = recount {
        recount.compare(&before, &later, &mut report)?;
    }
    together.forget_hours(kept);
    site(store, &together, &before, &later, &mut report).await?;
    Ok(report)
}

/// Compares the site with all links together, as far as their numbers stood still between `before` and `later`.
async fn site(
    store: &Store,
    together: &Together,
    before: &[StreamState],
    later: &[StreamState],
    report: &mut Report,
) -> Result<(), Error> {
    // Sums read between two looks at the same ordinals belong to them.
    let audit = store.tallies.audit().await?;
    let stood_still = settled(later) && later == store.tallies.streams().await?;
    if stood_still {
        site_is_links(&audit, report);
    }
    if before != later || !stood_still {
        report.not_compared.push(
            "hits were being counted, so the site's series were not compared with those of all links".into(),
        );
    } else if audit.iter().any(|lane| lane.lost > 0) {
        report.not_compared.push(
            "hits were lost, perhaps others in the site lane than in the links' lanes, so the site's series were \
             not compared with those of all links"
                .into(),
        );
    } else {
        together.compare(report);
    }
    Ok(())
}

/// True if all that was counted in lanes was counted in the site lane too.
fn settled(streams: &[StreamState]) -> bool {
    streams.iter().all(|state| {
        state.ordinals.split_last().is_none_or(|(site, lanes)| lanes.iter().sum::<u64>() == *site)
    })
}

fn lanes(audit: &[LaneAudit], report: &mut Report) {
    for (lane, sums) in audit.iter().enumerate() {
        report.lanes += 1;
        if !sums.holds() {
            let name = if lane + 1 == audit.len() { "the site lane".into() } else { format!("lane {lane}") };
            let LaneAudit { base, ordinals, tallies, lost } = sums;
            report.disagree(
                &name,
                "audit",
                None,
                format!("{} (base {base} + ordinals {ordinals})", base + ordinals),
                format!("{} (tallies {tallies} + lost {lost})", tallies + lost),
            );
        }
    }
}

/// What is counted or lost in all lanes is so in the site lane.
fn site_is_links(audit: &[LaneAudit], report: &mut Report) {
    let Some((site, lanes)) = audit.split_last() else { return };
    let (tallies, lost) = lanes.iter().fold((0, 0), |(t, l), lane| (t + lane.tallies, l + lane.lost));
    if tallies + lost != site.tallies + site.lost {
        report.disagree(
            "site",
            Series::Total.as_str(),
            None,
            format!("{} (all links' {tallies} + lost {lost})", tallies + lost),
            format!("{} (its own {} + lost {})", site.tallies + site.lost, site.tallies, site.lost),
        );
    }
}
