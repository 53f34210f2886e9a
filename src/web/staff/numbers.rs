//! The numbers of a scope, as a link's and a story's page show them: tiles, the chart, panels.
//!
//! Guarantees that a chart has its table beside it, that every number says what it is, and that rows which name a scope
//! lead there.

use askama::Template;
use jiff::Timestamp;

use super::charts::{Line, Mark, behind};
use super::format::{Times, number, share};
use super::question::question;
use crate::domain::report::{Range, ReportScope, Unit};
use crate::reports::{By, Order, SeriesReport, Summary};
use crate::web::State;
use crate::web::error::Result;

/// Rows of a panel: so many that panels have one height.
const ROWS: usize = 8;
/// Most points of a chart.
const POINTS: i64 = 400;

/// A number with what it means.
pub(super) struct Tile {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) meaning: String,
    pub(super) now: bool,
}

/// A top list.
pub(super) struct Panel {
    pub(super) name: &'static str,
    pub(super) rows: Vec<PanelRow>,
}

/// A row of it.
pub(super) struct PanelRow {
    pub(super) bar: String,
    pub(super) label: String,
    pub(super) href: Option<String>,
    pub(super) value: String,
    pub(super) share: String,
}

/// All of it.
#[derive(Template)]
#[template(path = "staff/templates/numbers.html")]
pub(super) struct Numbers {
    tiles: Vec<Tile>,
    chart: String,
    unit: &'static str,
    rows: Vec<(String, String, String)>,
    panels: Vec<Panel>,
    waiting: u64,
}

/// What is shown of clicks.
const CLICKS: [(By, &str); 7] = [
    (By::Source, "Sources"),
    (By::Medium, "Ways they came"),
    (By::Country, "Countries"),
    (By::Device, "Devices"),
    (By::Browser, "Browsers"),
    (By::Os, "Systems"),
    (By::Trigger, "How the link was opened"),
];

impl Numbers {
    /// The numbers of a scope in a range; `marks` are what happened meanwhile.
    pub(super) async fn new(
        state: &State,
        scope: &ReportScope,
        range: Range,
        marks: &[(Timestamp, String)],
        times: &Times,
    ) -> Result<Numbers> {
        let asked = question(state, scope.clone(), range, times.now);
        let summary = state.reports.summary(&asked).await?;
        let unit = unit(range);
        let series = state.reports.series(&asked, unit).await?;
        let hour =
            state.reports.summary(&question(state, scope.clone(), last_hour(times.now), times.now)).await?;
        let mut panels = vec![];
        for (by, name) in CLICKS {
            panels.push(panel(state, scope, range, (by, Order::Click, name), times).await?);
        }
        panels.push(
            panel(state, scope, range, (By::Preview, Order::Preview, "Previews, by network"), times).await?,
        );
        panels.push(panel(state, scope, range, (By::Bot, Order::Bot, "Bots, by kind"), times).await?);
        panels.retain(|panel| !panel.rows.is_empty());
        let words: Vec<String> =
            series.buckets.iter().map(|bucket| word(unit, bucket.start, times)).collect();
        Ok(Numbers {
            tiles: tiles(&summary, hour.counts.clicks),
            chart: chart(&series, &words, marks, &summary),
            unit: if unit == Unit::Hour { "hour" } else { "day" },
            rows: table(&series, &words),
            panels,
            waiting: state.hits.standing(times.now).waiting,
        })
    }
}

impl Numbers {
    fn waiting(&self) -> String {
        number(self.waiting)
    }
}

/// Hours while there are not too many of them for a picture, else days.
fn unit(range: Range) -> Unit {
    if (range.to - range.from) / 3_600 <= POINTS { Unit::Hour } else { Unit::Day }
}

fn last_hour(now: Timestamp) -> Range {
    let to = (now.as_second().div_euclid(3_600) + 1) * 3_600;
    Range { from: to - 3_600, to }
}

fn word(unit: Unit, start: i64, times: &Times) -> String {
    if unit == Unit::Hour { times.hour(start) } else { times.day(start) }
}

fn tiles(summary: &Summary, this_hour: u64) -> Vec<Tile> {
    let counts = &summary.counts;
    let tile = |name, value, meaning: String, now| Tile { name, value, meaning, now };
    let days = if summary.days == 1 {
        "of the day".to_owned()
    } else {
        format!("each of {} days anew", summary.days)
    };
    let mut tiles = vec![
        tile("Clicks", number(counts.clicks), "people, counted once each".into(), true),
        tile("Unique readers (estimate)", number(counts.uniques), days, false),
        tile("Clicks this hour", number(this_hour), "so far".into(), false),
        tile(
            "Previews · bots",
            format!("{} · {}", number(counts.previews), number(counts.bots)),
            "not counted as clicks".into(),
            false,
        ),
    ];
    if counts.missed > 0 {
        tiles.push(tile("Missed", number(counts.missed), "came while it was closed".into(), false));
    }
    tiles
}

fn chart(
    series: &SeriesReport,
    words: &[String],
    marks: &[(Timestamp, String)],
    summary: &Summary,
) -> String {
    let now: Vec<u64> = series.buckets.iter().map(|bucket| bucket.counts.clicks).collect();
    let at = |when: &Timestamp| series.buckets.iter().rposition(|bucket| bucket.start <= when.as_second());
    let marks: Vec<Mark> =
        marks.iter().filter_map(|(when, text)| Some(Mark { at: at(when)?, text: text.clone() })).collect();
    let peak = now.iter().copied().max().unwrap_or(0);
    let label = format!(
        "Clicks over time: {} in all, at most {} at once",
        number(summary.counts.clicks),
        number(peak)
    );
    Line { now: &now, words, marks: &marks, label: &label, ..Line::default() }.svg()
}

/// The numbers of the chart that are not nothing.
fn table(series: &SeriesReport, words: &[String]) -> Vec<(String, String, String)> {
    let rows = series.buckets.iter().zip(words).filter(|(bucket, _)| bucket.counts.hits() > 0);
    rows.map(|(bucket, word)| {
        let counts = &bucket.counts;
        (word.clone(), number(counts.clicks), number(counts.previews + counts.bots))
    })
    .collect()
}

async fn panel(
    state: &State,
    scope: &ReportScope,
    range: Range,
    (by, order, name): (By, Order, &'static str),
    times: &Times,
) -> Result<Panel> {
    let asked = question(state, scope.clone(), range, times.now);
    let top = state.reports.top(&asked, by, order, ROWS).await?;
    let count = |counts: &crate::domain::tally::Counts| match order {
        Order::Preview => counts.previews,
        Order::Bot => counts.bots,
        _ => counts.clicks,
    };
    let (all, most) = (count(&top.total), top.rows.first().map_or(0, |row| count(&row.counts)));
    let rows = top.rows.iter().filter(|row| count(&row.counts) > 0).map(|row| PanelRow {
        bar: behind(count(&row.counts), most),
        label: row.label.clone(),
        href: None,
        value: number(count(&row.counts)),
        share: share(count(&row.counts), all),
    });
    Ok(Panel { name, rows: rows.collect() })
}
