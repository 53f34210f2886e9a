//! How a story does since it was published, beside the usual story of its section.
//!
//! Guarantees that nothing is said of what is usual where too few stories say so, and that hours which are not over are
//! compared with nothing.

use super::charts::Line;
use super::format::{Times, number};
use super::numbers::{Chart, Column, Tile};
use crate::domain::article::ArticleId;
use crate::reports::{Basis, Curve, CurveRow, Usual};
use crate::web::State;
use crate::web::error::Result;

/// Fewer stories say nothing of what is usual.
const FEW: usize = 3;

/// What a story's curve says, and its picture.
pub(super) async fn story(
    state: &State,
    id: &ArticleId,
    times: &Times,
) -> Result<(Vec<Tile>, Option<Chart>)> {
    let curve = state.reports.curve(id, times.now).await?;
    Ok((tiles(&curve, times), chart(&curve, times)))
}

/// How many of the hours are over.
fn over(curve: &Curve, times: &Times) -> usize {
    let running = curve.range.to > times.now.as_second();
    if running { curve.rows.len().saturating_sub(1) } else { curve.rows.len() }
}

fn usual(row: &CurveRow) -> Option<Usual> {
    row.usual.filter(|_| row.stories >= FEW)
}

fn section(curve: &Curve) -> &str {
    curve.article.facts.section.as_deref().unwrap_or("its section")
}

/// A number beside a usual one: "3.1 x", "0.4 x"; None where nothing is usual.
fn times_of(now: u64, usual: u64) -> Option<String> {
    let tenths = now.checked_mul(10)?.checked_add(usual / 2)?.checked_div(usual)?;
    Some(if tenths >= 100 {
        format!("{} ×", number(tenths / 10))
    } else {
        format!("{}.{} ×", tenths / 10, tenths % 10)
    })
}

fn tiles(curve: &Curve, times: &Times) -> Vec<Tile> {
    let mut tiles = vec![];
    let row = over(curve, times).checked_sub(1).and_then(|last| curve.rows.get(last));
    if let Some((row, usual)) = row.and_then(|row| Some((row, usual(row)?)))
        && let Some(value) = times_of(row.clicks, usual.median)
    {
        let age = age(row.age);
        let meaning = format!("the usual story of {} after {age}: {}", section(curve), number(usual.median));
        tiles.push(Tile::new("So far", value, meaning));
    }
    if let Some(first) = curve.rows.first() {
        let what = match curve.basis {
            Basis::Published => "of the clock, when it was published",
            Basis::Created => "of the clock, when its first link was made",
        };
        let meaning = match usual(first) {
            Some(usual) => format!("{what}; usual is {}", number(usual.median)),
            None => what.to_owned(),
        };
        tiles.push(Tile::new("First hour", number(first.clicks), meaning));
    }
    tiles
}

/// An age in words.
fn age(hours: usize) -> String {
    match hours + 1 {
        1 => "1 hour".into(),
        hours if hours >= 48 && hours % 24 == 0 => format!("{} days", hours / 24),
        hours => format!("{hours} hours"),
    }
}

/// The same, short.
fn short(hours: usize) -> String {
    match hours + 1 {
        hours if hours >= 24 && hours % 24 == 0 => format!("{} d", hours / 24),
        hours => format!("{hours} h"),
    }
}

/// The picture, if there is anything to compare with.
fn chart(curve: &Curve, times: &Times) -> Option<Chart> {
    let usuals: Vec<Usual> = curve.rows.iter().map_while(usual).collect();
    if usuals.is_empty() {
        return None;
    }
    let clicks: Vec<u64> = curve.rows.iter().map(|row| row.clicks).collect();
    let median: Vec<u64> = usuals.iter().map(|usual| usual.median).collect();
    let band: Vec<(u64, u64)> = usuals.iter().map(|usual| (usual.q1, usual.q3)).collect();
    let words: Vec<String> = curve.rows.iter().map(|row| short(row.age)).collect();
    let usual_name = format!("the usual story of {}", section(curve));
    let description = format!(
        "{} after {}; {usual_name} had {}. The table below has every number.",
        number(clicks.last().copied().unwrap_or(0)),
        age(curve.rows.len() - 1),
        number(median.last().copied().unwrap_or(0)),
    );
    let name = match curve.basis {
        Basis::Published => "All clicks since it was published",
        Basis::Created => "All clicks since its first link was made",
    };
    let running = over(curve, times) < curve.rows.len();
    let line = Line {
        now: &clicks,
        running,
        then: &median,
        then_name: &usual_name,
        band: &band,
        words: &words,
        label: name,
        description: &description,
        ..Line::default()
    };
    let column = |name: &str, said| Column { name: name.to_owned(), said };
    let rows = curve.rows.iter().map(|row| {
        let usual = usual(row);
        let median = usual.map(|usual| number(usual.median)).unwrap_or_default();
        let half = usual.map(|usual| format!("{} to {}", number(usual.q1), number(usual.q3)));
        (format!("After {}", age(row.age)), vec![number(row.clicks), median, half.unwrap_or_default()])
    });
    Some(Chart {
        svg: line.svg(),
        name: name.to_owned(),
        legend: vec![
            ("line", "this story".into()),
            ("then", usual_name.clone()),
            ("band", "between these lies half of its stories of the last 30 days".into()),
        ],
        marks: vec![],
        unit: "Age",
        columns: vec![column("Clicks", "clicks"), column("Usual", "usually"), column("Half have", "")],
        rows: rows.collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::domain::article::Article;
    use crate::domain::report::Range;

    fn curve(clicks: &[u64], median: u64, stories: usize) -> (Curve, Times) {
        let began = Timestamp::from_second(3_600_000).unwrap();
        let mut article =
            Article::new(ArticleId("a1".into()), "https://a.example/".into(), "a.example".into(), began);
        article.facts.section = Some("World".into());
        let usual = Some(Usual { median, q1: median / 2, q3: median * 2 });
        let rows = clicks.iter().enumerate().map(|(age, n)| CurveRow { age, clicks: *n, usual, stories });
        let end = 3_600_000 + i64::try_from(clicks.len()).unwrap() * 3_600;
        let range = Range { from: 3_600_000, to: end };
        let now = Timestamp::from_second(end - 60).unwrap();
        let rows = rows.collect();
        let curve = Curve { article: Arc::new(article), began, basis: Basis::Published, range, rows };
        (curve, Times { zone: TimeZone::UTC, now })
    }

    #[test]
    fn a_story_beside_the_usual_one() {
        let (curve, times) = curve(&[10, 310, 500], 100, 12);
        let tiles = tiles(&curve, &times);
        assert_eq!((tiles[0].value.as_str(), tiles[1].value.as_str()), ("3.1 ×", "10"));
        assert_eq!(tiles[0].meaning, "the usual story of World after 2 hours: 100");
        assert!(tiles[1].meaning.ends_with("usual is 100"));
        let chart = chart(&curve, &times).unwrap();
        assert_eq!(
            chart.rows[1],
            ("After 2 hours".into(), vec!["310".into(), "100".into(), "50 to 200".into()])
        );
        assert!(chart.svg.contains("class=\"band\"") && chart.svg.contains("the usual story of World"));
    }

    #[test]
    fn few_stories_say_nothing_of_what_is_usual() {
        let (curve, times) = curve(&[10, 20], 5, FEW - 1);
        assert!(chart(&curve, &times).is_none());
        let tiles = tiles(&curve, &times);
        assert_eq!((tiles.len(), tiles[0].name), (1, "First hour"));
        assert!(!tiles[0].meaning.contains("usual"));
    }

    #[test]
    fn nothing_is_a_multiple_of_nothing() {
        assert_eq!([times_of(5, 0), times_of(0, 0)], [None, None]);
        let said =
            [(4, 10), (96, 100), (310, 100), (12_345, 1)].map(|(now, usual)| times_of(now, usual).unwrap());
        assert_eq!(said, ["0.4 ×", "1.0 ×", "3.1 ×", "12,345 ×"]);
    }
}
