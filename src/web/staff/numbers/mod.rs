//! The numbers of a scope, as a link's and a story's page and the reports show them: tiles, the chart, panels.
//!
//! Guarantees that a chart has its table beside it, that every number says what it is, that what is not over yet is
//! compared with as much of the time before, and that rows lead to the numbers of what they name.

mod chart;
mod panels;
mod tiles;

use askama::Template;
use jiff::Timestamp;

pub(super) use self::chart::{Chart, Column, of_series};
use self::panels::{CLICKS, Panel, panel};
pub(super) use self::panels::{OTHERS, leads};
pub(super) use self::tiles::{Tile, against};
use super::format::{Times, number};
use super::question::{When, question};
use crate::domain::report::{Compare, Range, ReportScope};
use crate::reports::Summary;
use crate::web::State;
use crate::web::error::Result;

/// What numbers are of.
pub(super) struct Subject<'a> {
    pub(super) scope: ReportScope,
    pub(super) range: Range,
    pub(super) compare: Option<Compare>,
    /// How its page was asked for that.
    pub(super) when: &'a When,
    /// What happened meanwhile.
    pub(super) marks: Vec<(Timestamp, String)>,
    /// Whoever looks may go on from here.
    pub(super) linked: bool,
}

impl Subject<'_> {
    /// The range to compare with.
    pub(super) fn before(&self, state: &State) -> Option<Range> {
        Some(self.range.before(self.compare?, state.reports.calendar()))
    }

    /// Lists are by whole days: which these are, in words, where the range is not of such.
    pub(super) fn whole_days(&self, state: &State, times: &Times) -> Option<String> {
        let days = self.range.to_days(state.reports.calendar());
        let at = |second: i64| Timestamp::from_second(second).map(|at| times.long(at)).unwrap_or_default();
        (days != self.range).then(|| format!("{} to {}", at(days.from), at(days.to)))
    }

    /// What has gone by of the range in whole hours, and as much of the time before.
    fn over(&self, state: &State, now: Timestamp) -> Option<(Range, Range)> {
        let before = self.before(state)?;
        let hour = now.as_second().div_euclid(3_600) * 3_600;
        if self.range.to <= hour {
            return Some((self.range, before));
        }
        let over = Range { to: hour, ..self.range };
        (over.from < over.to).then(|| (over, Range { to: before.from + (over.to - over.from), ..before }))
    }
}

/// All of it.
#[derive(Template)]
#[template(path = "staff/templates/numbers.html")]
pub(super) struct Numbers {
    tiles: Vec<Tile>,
    chart: Chart,
    panels: Vec<Panel>,
    /// Which days panels are of, where that is not what was asked for.
    days: Option<String>,
    waiting: u64,
    /// Nobody and nothing came.
    nothing: bool,
    /// What is shown before the chart of clicks: the usual story.
    story: Option<Chart>,
    /// The same as a report, and as a file.
    elsewhere: Option<(String, String)>,
}

impl Numbers {
    /// The numbers of a subject.
    pub(super) async fn new(state: &State, subject: &Subject<'_>, times: &Times) -> Result<Numbers> {
        let asked = question(state, subject.scope.clone(), subject.range, times.now);
        let summary = state.reports.summary(&asked).await?;
        let (chart, peak) = chart::clicks(state, subject, &summary, times).await?;
        let mut panels = vec![];
        for list in CLICKS.into_iter().chain(OTHERS) {
            panels.push(panel(state, subject, list, times).await?);
        }
        panels.retain(|panel| !panel.rows.is_empty());
        Ok(Numbers {
            tiles: tiles::tiles(state, subject, &summary, peak, times).await?,
            chart,
            panels,
            days: subject.whole_days(state, times),
            nothing: summary.counts.hits() == 0,
            waiting: state.hits.standing(times.now).waiting,
            story: None,
            elsewhere: panels::elsewhere(state, subject),
        })
    }

    /// True if nothing was counted.
    pub(super) fn is_nothing(&self) -> bool {
        self.nothing
    }

    /// The same with how a story does beside the usual one: what it says first, then its curve.
    pub(super) fn with_story(mut self, tiles: Vec<Tile>, curve: Option<Chart>) -> Numbers {
        self.tiles.splice(1..1, tiles);
        self.story = curve;
        self
    }

    fn waiting(&self) -> String {
        match self.waiting {
            1 => "1 hit".into(),
            hits => format!("{} hits", number(hits)),
        }
    }
}

/// What clicks have become since the time before, for both of which the same has gone by.
async fn gone_by(state: &State, subject: &Subject<'_>, now: Timestamp) -> Result<Option<(Summary, Summary)>> {
    let Some((over, before)) = subject.over(state, now) else { return Ok(None) };
    let now_there = state.reports.summary(&question(state, subject.scope.clone(), over, now)).await?;
    let then = state.reports.summary(&question(state, subject.scope.clone(), before, now)).await?;
    Ok(Some((now_there, then)))
}
