//! What the journal still has, counted again by link and hour.
//!
//! Guarantees that only hours are compared of which the journal has every hit, and that a hit which may or may
//! not be counted yet is allowed either way: an hour must have at least what the ordinals read before it say,
//! and at most what those say that are read after it. Changes nothing.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Error, Kept, Progress, Report, said};
use crate::domain::calendar::{Calendar, Hour};
use crate::domain::code::fold as fold_code;
use crate::domain::hit::{Class, Outcome};
use crate::domain::lane::lane_of;
use crate::domain::tally::{Counts, Group, Scope, Series};
use crate::hits::classify::Classifier;
use crate::hits::fold::Placer;
use crate::hits::journal::{Entry, StreamInfo, Survey};
use crate::store::tallies::{Dataset, LaneAudit, StreamState};

/// Most hours of links held at once, about 150 bytes each; with more there is no recount.
const MAX_CELLS: usize = 4_000_000;
/// Hits stand in the journal in the order of their ordinals, which is that of their times but for the moment
/// between the two.
const MARGIN_MS: i64 = 60_000;
/// Tombstones go after this long, and their ordinals into base.
const REMEMBERED_MS: i64 = 30 * 86_400_000;
/// Hits between two words of progress.
const TELL_EVERY: u64 = 100_000;

/// An hour of a link.
#[derive(Clone, Copy, Default)]
struct Cell {
    /// Hits that are counted.
    low: Counts,
    /// Those, and hits that may be.
    high: Counts,
    /// What the store has.
    found: Counts,
}

pub(super) struct Recount<'a> {
    folder: PathBuf,
    dataset: Dataset,
    placer: Placer,
    classifier: Classifier,
    progress: Progress<'a>,
    /// Hours that begin before this are not compared, in milliseconds since 1970.
    from_ms: i64,
    links: HashMap<Box<str>, Vec<(Hour, Cell)>, foldhash::fast::RandomState>,
    cells: usize,
    /// Hits that were counted and are not in the journal any more, by lane.
    gone: Vec<u64>,
    read: u64,
}

/// From when on the journal has every hit; None if from never.
fn covered(
    survey: &Survey,
    dataset: &Dataset,
    before: &[StreamState],
    audit: &[LaneAudit],
    now: Timestamp,
    report: &mut Report,
) -> Option<i64> {
    let kept = survey.streams();
    let counted = || before.iter().filter(|state| state.ordinals.iter().any(|n| *n > 0));
    let mut from_ms = i64::MIN;
    if audit.iter().any(|lane| lane.base > 0) {
        // Imported numbers are older than the dataset or, in one that was made before, than its first hit;
        // those of streams that are forgotten are older than a tombstone gets.
        let first = counted().map(|state| state.began_ms).min().unwrap_or(i64::MAX);
        let forgotten = now.as_millisecond() - REMEMBERED_MS;
        from_ms = dataset.created_at.as_millisecond().max(first).max(forgotten);
        if first == i64::MAX {
            report.not_compared.push("all numbers were imported, so nothing was recounted".into());
            return None;
        }
    }
    for state in counted() {
        let stream = state.stream;
        let since = match (kept.iter().find(|info| info.stream == stream), state.finished_at) {
            (Some(info), _) if info.first_retained.iter().all(|first| *first <= 1) => continue,
            (Some(info), finished) => first_hit(survey, info).or(finished.map(Timestamp::as_millisecond)),
            (None, finished) => finished.map(Timestamp::as_millisecond),
        };
        let Some(since) = since else {
            report.not_compared.push(format!(
                "stream {stream} is not in this journal and not finished (another node's, perhaps), so nothing \
                 was recounted"
            ));
            return None;
        };
        from_ms = from_ms.max(since.saturating_add(MARGIN_MS));
    }
    Some(from_ms)
}

/// When the first hit that is still there was made.
fn first_hit(survey: &Survey, info: &StreamInfo) -> Option<i64> {
    let mut reader = survey.read(info.stream, &before_first(info))?;
    while let Some(entry) = reader.next() {
        if let Entry::Hit(hit) = entry {
            return Some(hit.at_ms);
        }
    }
    None
}

/// The ordinals before the first that is still there.
fn before_first(info: &StreamInfo) -> Vec<u64> {
    info.first_retained.iter().map(|first| first.saturating_sub(1)).collect()
}

fn at(ordinals: &[u64], lane: u16) -> u64 {
    ordinals.get(usize::from(lane)).copied().unwrap_or(0)
}

impl<'a> Recount<'a> {
    /// Counts what the journal has of what the ordinals in `before` say is counted. None if that cannot be
    /// compared with anything.
    pub(super) fn begin(
        journal: &Kept<'_>,
        dataset: &Dataset,
        before: &[StreamState],
        audit: &[LaneAudit],
        now: Timestamp,
        progress: Progress<'a>,
        report: &mut Report,
    ) -> Result<Option<Recount<'a>>, Error> {
        let survey = Survey::open(journal.folder, dataset.id, dataset.lanes)?;
        let Some(from_ms) = covered(&survey, dataset, before, audit, now, report) else { return Ok(None) };
        let calendar = Calendar::new(&dataset.zones).map_err(|e| Error::Zones(e.to_string()))?;
        if from_ms > i64::MIN {
            let since = Timestamp::from_millisecond(from_ms).map_or_else(|_| "?".into(), |t| t.to_string());
            report.not_compared.push(format!(
                "the journal has every hit only since {since}; hours that began earlier were not recounted"
            ));
        }
        let mut recount = Recount {
            folder: journal.folder.to_path_buf(),
            dataset: dataset.clone(),
            placer: Placer::new(calendar),
            classifier: Classifier::new(Arc::clone(&journal.tables)),
            progress,
            from_ms,
            links: HashMap::default(),
            cells: 0,
            gone: vec![0; usize::from(dataset.lanes) + 1],
            read: 0,
        };
        for info in survey.streams() {
            if let Some(state) = before.iter().find(|state| state.stream == info.stream) {
                recount.fold(&survey, state, &before_first(&info), &state.ordinals);
            }
        }
        Ok(Some(recount))
    }

    /// Counts a stream's hits beyond `from`: those up to `sure` are counted, those up to the state's ordinals
    /// may be.
    fn fold(&mut self, survey: &Survey, state: &StreamState, from: &[u64], sure: &[u64]) {
        let Some(mut reader) = survey.read(state.stream, from) else { return };
        while let Some(entry) = reader.next() {
            match entry {
                Entry::Gap(gap) => {
                    let end = gap.to.min(at(&state.ordinals, gap.lane));
                    if let Some(gone) = self.gone.get_mut(usize::from(gap.lane)) {
                        *gone += end.saturating_sub(gap.from);
                    }
                }
                Entry::Hit(hit) => {
                    let (lane, ordinal) = (hit.lane, hit.lane_ordinal);
                    if ordinal <= at(from, lane) || ordinal > at(&state.ordinals, lane) {
                        continue;
                    }
                    self.read += 1;
                    if self.read.is_multiple_of(TELL_EVERY) {
                        (self.progress)(self.read, None);
                        self.classifier.settle();
                    }
                    let hour = self.placer.place(hit.at_ms).hour;
                    if !matches!(hit.outcome, Outcome::Followed { .. }) || hour * 1_000 < self.from_ms {
                        continue;
                    }
                    let one =
                        Counts::one(self.classifier.classify(&hit).map_or(Class::Missed, |seen| seen.class));
                    if let Some(cell) = self.cell(hit.code, hour) {
                        cell.high += one;
                        if ordinal <= at(sure, lane) {
                            cell.low += one;
                        }
                    }
                }
            }
        }
    }

    fn cell(&mut self, code: &str, hour: Hour) -> Option<&mut Cell> {
        if !self.links.contains_key(code) {
            self.links.insert(code.into(), vec![]);
        }
        let hours = self.links.get_mut(code)?;
        let place = match hours.iter().rposition(|(h, _)| *h == hour) {
            Some(place) => place,
            None if self.cells >= MAX_CELLS => {
                self.cells = usize::MAX;
                return None;
            }
            None => {
                self.cells += 1;
                hours.push((hour, Cell::default()));
                hours.len() - 1
            }
        };
        hours.get_mut(place).map(|(_, cell)| cell)
    }

    /// Notes what the store has.
    pub(super) fn found(&mut self, group: &Group) {
        let Scope::Link(code) = &group.scope else { return };
        for row in group.rows.iter().filter(|row| row.series == Series::Hour) {
            if row.bucket * 1_000 >= self.from_ms
                && let Some(cell) = self.cell(code, row.bucket)
            {
                cell.found += row.counts;
            }
        }
    }

    /// Counts what came between the ordinals in `before` and `later`, and compares.
    pub(super) fn compare(
        mut self,
        before: &[StreamState],
        later: &[StreamState],
        report: &mut Report,
    ) -> Result<(), Error> {
        if before != later {
            let survey = Survey::open(&self.folder, self.dataset.id, self.dataset.lanes)?;
            let kept = survey.streams();
            for state in later {
                let known = before.iter().find(|b| b.stream == state.stream);
                let info = kept.iter().find(|info| info.stream == state.stream);
                let from = match (known, info) {
                    (Some(known), _) => known.ordinals.clone(),
                    (None, Some(info)) => before_first(info),
                    (None, None) => vec![],
                };
                self.fold(&survey, state, &from, &[]);
            }
        }
        report.recounted += self.read;
        if self.cells > MAX_CELLS {
            report.not_compared.push(format!(
                "the journal has hits of more than {MAX_CELLS} hours of links, so nothing was recounted"
            ));
            return Ok(());
        }
        self.compare_cells(report);
        Ok(())
    }

    fn compare_cells(self, report: &mut Report) {
        let mut reclassed = 0_u64;
        let mut links: Vec<_> = self.links.into_iter().collect();
        links.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (code, hours) in links {
            let gone = at(&self.gone, lane_of(&fold_code(&code), self.dataset.lanes));
            for (hour, cell) in hours {
                report.link_hours += 1;
                let (low, high, found) = (cell.low.hits(), cell.high.hits() + gone, cell.found.hits());
                if found < low || found > high {
                    let span = if low == high { String::new() } else { format!(" to {high}") };
                    let expected = format!("{low}{span} hits by the journal");
                    let found = format!("{found} hits ({})", said(&cell.found));
                    report.disagree(
                        &format!("link:{code}"),
                        Series::Hour.as_str(),
                        Some(hour),
                        expected,
                        found,
                    );
                } else if low == high && cell.found != cell.low {
                    reclassed += 1;
                }
            }
        }
        let gone: u64 = self.gone.iter().take(usize::from(self.dataset.lanes)).sum();
        if gone > 0 {
            report.not_compared.push(format!(
                "{gone} counted hits are not in the journal any more; hours in their lanes may have that many more"
            ));
        }
        if reclassed > 0 {
            report.not_compared.push(format!(
                "{reclassed} hours of links have as many hits as the journal, but in other classes: they were \
                 classified by other lists than this program's"
            ));
        }
    }
}
