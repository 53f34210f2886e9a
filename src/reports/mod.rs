//! Floor 2: numbers as reports.
//!
//! Guarantees that a report's cost depends on its length and the number of links in it, never on how many hits
//! there were, and that rows + other = total. Reads the store and the journal's depth; HTTP is unknown here.

mod at_hand;
mod countries;
mod curve;
mod days;
mod heat;
mod hours;
mod reasons;
mod recent;
#[cfg(test)]
mod tests;
mod top;
mod values;

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::task::TaskTracker;

pub use curve::{Basis, Curve, CurveRow, Usual};
pub use days::Worth;
pub use heat::{Heat, HeatRow};
pub use reasons::{ReasonRow, Reasons, explanation};
pub use top::{By, Order, Top, TopRow};

use self::recent::Recent;
use crate::domain::article::{Article, ArticleId};
use crate::domain::calendar::{Calendar, date_of};
use crate::domain::error::{Reason, Refusal};
use crate::domain::hit::MissedReason;
use crate::domain::link::Found;
use crate::domain::report::{MINUTES_BACK, Range, ReportScope, Unit, buckets, first_day};
use crate::domain::tally::{Counts, Row, Scope, Series};
use crate::store::links::{ArticleKey, LinkFilter, LinkOrder, LinkPage};
use crate::store::{self, Links, Tallies};

/// Most links that a campaign's, tag's or creator's report sums over.
pub const MAX_SUMMED: usize = 1_000;

/// Why a report failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's to mend.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Ours.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The usual result of a report.
pub type Result<T> = std::result::Result<T, Error>;

/// What is asked: whose numbers, from when to when.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whose.
    pub scope: ReportScope,
    /// When.
    pub range: Range,
    /// Now.
    pub now: Timestamp,
    /// Until when all hits are counted that are going to be.
    pub as_of: Timestamp,
}

/// `GET /reports/summary`.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What the numbers really cover.
    pub range: Range,
    /// Hits by class; `missed` is all missed visits; readers and shares are of all days that the range touches.
    pub counts: Counts,
    /// Of how many days the readers are: the sum of each day's.
    pub days: i64,
    /// What the number of readers is worth.
    pub worth: Worth,
    /// Missed visits by reason.
    pub missed: [(MissedReason, u64); 5],
}

/// One bucket of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// When it begins, in UTC seconds.
    pub start: i64,
    /// How many.
    pub counts: Counts,
}

/// `GET /reports/series`.
#[derive(Clone, Debug)]
pub struct SeriesReport {
    /// What the numbers really cover.
    pub range: Range,
    /// The buckets' length.
    pub unit: Unit,
    /// All of them, empty ones too, ascending.
    pub buckets: Vec<Bucket>,
}

/// Reports over an open store.
pub struct ReportService {
    links: Arc<dyn Links>,
    tallies: Arc<dyn Tallies>,
    calendar: Calendar,
    tops: Recent<top::Asked, Arc<Top>>,
    /// Lists that are summed anew while an older one is shown.
    renewals: TaskTracker,
}

impl ReportService {
    /// Reports in the newsroom's calendar.
    pub fn new(links: Arc<dyn Links>, tallies: Arc<dyn Tallies>, calendar: Calendar) -> ReportService {
        ReportService { links, tallies, calendar, tops: Recent::default(), renewals: TaskTracker::new() }
    }

    /// The newsroom's calendar.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Hits by class and missed visits by reason, by whole days if the range is of whole days or longer ago than hours are
    /// kept, else by hours.
    ///
    /// # Errors
    /// `not_found` for a scope that is not there, `too_wide`.
    pub async fn summary(&self, question: &Question) -> Result<Summary> {
        let scopes = self.scopes(&question.scope).await?;
        let (range, by_hours) = self.covered(question).await?;
        let (first, end) = range.days(&self.calendar);
        let (from, to) = (i64::from(first), i64::from(end));
        let days = self.days_of_readers(&scopes, from, to).await?;
        let worth = self.worth(&scopes, &days, from, to).await?;
        let of_days: Counts = days.values().copied().sum();
        let mut hits = of_days;
        if by_hours {
            hits = Counts::default();
            self.each_row(&scopes, Series::Hour, (range.from, range.to), |row| hits += row.counts).await?;
        }
        // Missed visits are kept by day only.
        let rows = self.rows(&scopes, Series::Missed, from, to).await?;
        let missed = MissedReason::ALL.map(|reason| {
            let of_reason = rows.iter().filter(|r| r.value == reason.as_str());
            (reason, of_reason.map(|r| r.counts.missed).sum())
        });
        let all = missed.iter().map(|(_, n)| n).sum();
        let counts = Counts { missed: all, uniques: of_days.uniques, unfurls: of_days.unfurls, ..hits };
        Ok(Summary { range, counts, days: to - from, worth, missed })
    }

    /// What a summary of a range covers, and if hours are needed for it: they have the same sums as days, and days are
    /// fewer. Where hours have gone it is whole days.
    async fn covered(&self, question: &Question) -> Result<(Range, bool)> {
        let days = question.range.to_days(&self.calendar);
        let hours = question.range.to_hours(&self.calendar);
        let by_hours = days != hours && self.hours_gone(hours, question.now).await?.is_none();
        Ok(if by_hours { (hours, true) } else { (days, false) })
    }

    /// Hits by class in buckets.
    ///
    /// # Errors
    /// `out_of_range` for minutes that are not kept or too many buckets; those of [`ReportService::summary`].
    pub async fn series(&self, question: &Question, unit: Unit) -> Result<SeriesReport> {
        if unit == Unit::Minute {
            self.check_minutes(question)?;
        }
        let (starts, range) = buckets(question.range, unit, &self.calendar)?;
        if unit == Unit::Hour
            && let Some(kept) = self.hours_gone(range, question.now).await?
        {
            let detail = format!("hours are kept since {}; days for ever", date_of(kept));
            return Err(Refusal::field(Reason::OutOfRange, "from", detail).into());
        }
        let scopes = self.scopes(&question.scope).await?;
        let series = match unit {
            Unit::Minute => Series::Minute,
            Unit::Hour => Series::Hour,
            Unit::Day | Unit::Week | Unit::Month => Series::Day,
        };
        let (from, to) = self.keys(series, range);
        let mut filled: Vec<Bucket> =
            starts.iter().map(|start| Bucket { start: *start, counts: Counts::default() }).collect();
        let mut add = |start: i64, counts: Counts| {
            if let Ok(i) = starts.binary_search(&start) {
                filled[i].counts += counts;
            }
        };
        if series == Series::Day {
            let days = match unit {
                Unit::Day => self.days_of_readers(&scopes, from, to).await?,
                _ => self.days(&scopes, from, to).await?,
            };
            for (day, counts) in days {
                let day = i32::try_from(day).unwrap_or(i32::MAX);
                add(self.calendar.start_of(first_day(unit, day)), counts);
            }
        } else {
            self.each_row(&scopes, series, (from, to), |row| add(row.bucket, row.counts)).await?;
        }
        Ok(SeriesReport { range, unit, buckets: filled })
    }

    fn check_minutes(&self, question: &Question) -> std::result::Result<(), Refusal> {
        if !matches!(question.scope, ReportScope::Site | ReportScope::Link(_) | ReportScope::Article(_)) {
            let detail = "minutes are kept for the site, links and articles";
            return Err(Refusal::field(Reason::OutOfRange, "unit", detail));
        }
        if question.range.from < question.now.as_second() - MINUTES_BACK - 60 {
            return Err(Refusal::field(Reason::OutOfRange, "from", "minutes are kept for 48 hours"));
        }
        Ok(())
    }

    /// A range as bucket keys of a series.
    fn keys(&self, series: Series, range: Range) -> (i64, i64) {
        match series {
            Series::Minute | Series::Hour => (range.from, range.to),
            _ => {
                let (first, end) = range.days(&self.calendar);
                (first.into(), end.into())
            }
        }
    }

    async fn rows(&self, scopes: &[Scope], series: Series, from: i64, to: i64) -> store::Result<Vec<Row>> {
        let mut rows = vec![];
        self.each_row(scopes, series, (from, to), |row| rows.push(row)).await?;
        Ok(rows)
    }

    /// One scope's rows at a time: those of many links are never in memory together.
    async fn each_row(
        &self,
        scopes: &[Scope],
        series: Series,
        (from, to): (i64, i64),
        mut take: impl FnMut(Row) + Send,
    ) -> store::Result<()> {
        for scope in scopes {
            self.tallies.rows(scope, series, from, to).await?.into_iter().for_each(&mut take);
        }
        Ok(())
    }

    async fn article(&self, id: &ArticleId) -> Result<Arc<Article>> {
        let none = || Refusal::new(Reason::NotFound, "there is no article with this id");
        Ok(self.links.article(ArticleKey::Id(id.clone())).await?.ok_or_else(none)?)
    }

    /// The kept scopes whose sum is the asked one.
    async fn scopes(&self, scope: &ReportScope) -> Result<Vec<Scope>> {
        Ok(match scope {
            ReportScope::Site => vec![Scope::Site],
            ReportScope::Section(name) => vec![Scope::Section(name.as_str().into())],
            ReportScope::Author(name) => vec![Scope::Author(name.as_str().into())],
            ReportScope::Channel(name) => vec![Scope::Channel(name.as_str().into())],
            ReportScope::Link(_)
            | ReportScope::Article(_)
            | ReportScope::Campaign(_)
            | ReportScope::Tag(_)
            | ReportScope::Creator(_) => {
                let links = self.links_of(scope).await?;
                links.iter().map(|f| Scope::Link(f.link.code.as_str().into())).collect()
            }
        })
    }

    /// The links of a scope that is made of links; all of a section's, author's or channel's.
    async fn links_of(&self, scope: &ReportScope) -> Result<Vec<Found>> {
        let filter = match scope {
            ReportScope::Link(code) => {
                let found = self.links.find(&code.key()).await?;
                let one = found.iter().find(|f| f.link.code == *code).or(found.first()).cloned();
                return Ok(vec![one.ok_or_else(no_such_link)?]);
            }
            ReportScope::Article(id) => {
                self.article(id).await?;
                LinkFilter { article: Some(id.clone()), ..LinkFilter::default() }
            }
            ReportScope::Section(name) => LinkFilter { section: Some(name.clone()), ..LinkFilter::default() },
            ReportScope::Author(name) => LinkFilter { author: Some(name.clone()), ..LinkFilter::default() },
            ReportScope::Channel(name) => LinkFilter { channel: Some(name.clone()), ..LinkFilter::default() },
            ReportScope::Campaign(name) => {
                LinkFilter { campaign: Some(name.clone()), ..LinkFilter::default() }
            }
            ReportScope::Tag(name) => LinkFilter { tag: Some(name.clone()), ..LinkFilter::default() },
            ReportScope::Creator(name) => {
                LinkFilter { created_by: Some(name.clone()), ..LinkFilter::default() }
            }
            ReportScope::Site => LinkFilter::default(),
        };
        let bounded =
            matches!(scope, ReportScope::Campaign(_) | ReportScope::Tag(_) | ReportScope::Creator(_));
        let mut links: Vec<Found> = vec![];
        let mut after = None;
        loop {
            let page = LinkPage {
                filter: filter.clone(),
                order: LinkOrder::Code,
                descending: false,
                after,
                limit: MAX_SUMMED,
            };
            let found = self.links.list(page, Timestamp::UNIX_EPOCH).await?;
            let full = found.len() == MAX_SUMMED;
            links.extend(found);
            if bounded && links.len() > MAX_SUMMED {
                let detail =
                    format!("a report over a campaign, tag or creator sums over at most {MAX_SUMMED} links");
                return Err(Refusal::field(Reason::TooWide, "scope", detail).into());
            }
            if !full {
                return Ok(links);
            }
            after = links.last().map(|f| (LinkOrder::Code.key_of(f), f.link.code.to_string()));
        }
    }
}

fn no_such_link() -> Refusal {
    Refusal::new(Reason::NotFound, "there is no link with this code")
}
