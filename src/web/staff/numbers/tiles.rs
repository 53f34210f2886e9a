//! Numbers with what they mean, and what became of them.

use jiff::Timestamp;

use super::{Subject, gone_by};
use crate::domain::report::{Compare, Range};
use crate::reports::Summary;
use crate::web::State;
use crate::web::error::Result;
use crate::web::staff::format::{Times, change, number};
use crate::web::staff::question::{in_words, question};

const HOUR: i64 = 3_600;

/// A number with what it means.
pub(in crate::web::staff) struct Tile {
    pub(in crate::web::staff) name: &'static str,
    pub(in crate::web::staff) value: String,
    /// What became of it, if there is anything to compare with, and whether that is more.
    pub(in crate::web::staff) change: Option<(String, bool)>,
    pub(in crate::web::staff) meaning: String,
    /// The one that matters now.
    pub(in crate::web::staff) now: bool,
}

impl Tile {
    /// A tile that is compared with nothing.
    pub(in crate::web::staff) fn new(name: &'static str, value: String, meaning: impl Into<String>) -> Tile {
        Tile { name, value, change: None, meaning: meaning.into(), now: false }
    }
}

/// What became of a number, in words: "+12 % against the same weekdays before"; "(new)" where there was none.
pub(in crate::web::staff) fn against(now: u64, before: u64, compare: Compare) -> Option<(String, bool)> {
    match (now, before) {
        (0, 0) => None,
        (_, 0) => Some(("(new)".into(), true)),
        _ if now == before => Some((format!("as many as {}", in_words(compare)), true)),
        _ => {
            let (text, up) = change(now, before);
            let link = if text.ends_with('×') { "" } else { "against " };
            Some((format!("{text} {link}{}", in_words(compare)), up))
        }
    }
}

/// The tiles of a subject; `peak` is the most of any hour, if hours are known.
pub(super) async fn tiles(
    state: &State,
    subject: &Subject<'_>,
    summary: &Summary,
    peak: Option<u64>,
    times: &Times,
) -> Result<Vec<Tile>> {
    let counts = &summary.counts;
    let (now, days) = (times.now.as_second(), summary.range.to_days(state.reports.calendar()));
    let whole = days == summary.range;
    let mut clicks = Tile::new("Clicks", number(counts.clicks), "people, counted once each");
    let of = of_days(summary.days, whole, days.from <= now && now < days.to);
    let mut readers = Tile::new("Unique readers (estimate)", number(counts.uniques), of);
    clicks.now = true;
    if let (Some(compare), Some((over, before))) =
        (subject.compare, gone_by(state, subject, times.now).await?)
    {
        clicks.change = against(over.counts.clicks, before.counts.clicks, compare)
            .map(|change| until(change, (over.range.to < subject.range.to).then_some(over.range.to), times));
        // Readers are told apart by whole days: of a part of one, or one that is not over, nothing fair can be said.
        if whole && subject.range.to <= now {
            readers.change = against(over.counts.uniques, before.counts.uniques, compare);
        }
    }
    let mut tiles = vec![clicks, readers];
    if subject.range.from <= now && now < subject.range.to {
        let hour = times.now.as_second().div_euclid(HOUR) * HOUR;
        let asked = question(state, subject.scope.clone(), Range { from: hour, to: hour + HOUR }, times.now);
        let clicks = state.reports.summary(&asked).await?.counts.clicks;
        tiles.push(Tile::new("Clicks this hour", number(clicks), of_peak(clicks, peak)));
    }
    let others = format!("{} · {}", number(counts.previews), number(counts.bots));
    tiles.push(Tile::new("Previews · bots", others, "not counted as clicks"));
    if counts.missed > 0 {
        tiles.push(Tile::new("Missed", number(counts.missed), closed(whole)));
    }
    Ok(tiles)
}

/// Of which days readers are: they are told apart day by day, also if hours are shown.
fn of_days(days: i64, whole: bool, running: bool) -> String {
    let of = match (days, whole) {
        (1, true) => return "of the day".to_owned(),
        (days, true) => return format!("each of {days} days anew"),
        (1, false) => "of the whole day".to_owned(),
        (days, false) => format!("of {days} whole days, each anew"),
    };
    if running { format!("{of}, so far") } else { of }
}

/// Visits that were turned away are kept by days.
fn closed(whole: bool) -> &'static str {
    if whole { "came while it was closed" } else { "came while it was closed, of whole days" }
}

/// A change that says up to when both have gone by, if that is not all of the number beside it.
fn until((words, up): (String, bool), until: Option<i64>, times: &Times) -> (String, bool) {
    let at = until.and_then(|until| Timestamp::from_second(until).ok());
    match at {
        Some(at) => (format!("{words}, up to {}", times.short(at)), up),
        None => (words, up),
    }
}

/// An hour beside the best one.
fn of_peak(clicks: u64, peak: Option<u64>) -> &'static str {
    match peak {
        Some(peak) if peak > 0 && clicks >= peak => "so far, its best hour",
        Some(peak) if peak > 3 && (peak * 2 / 5..=peak * 3 / 5).contains(&clicks) => {
            "so far, half of its peak"
        }
        _ => "so far",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_say_against_what() {
        let table = [
            ((112, 100), Some("+12 % against the same weekdays before")),
            ((50, 100), Some("−50 % against the same weekdays before")),
            ((310, 100), Some("3.1 × the same weekdays before")),
            ((7, 7), Some("as many as the same weekdays before")),
            ((7, 0), Some("(new)")),
            ((0, 0), None),
        ];
        for ((now, before), words) in table {
            let said = against(now, before, Compare::Weekday).map(|(words, _)| words);
            assert_eq!(said.as_deref(), words);
        }
    }

    #[test]
    fn what_is_compared_up_to_now_says_until_when() {
        let now = "2026-11-23T16:20:00Z".parse().unwrap();
        let times = Times { zone: jiff::tz::TimeZone::UTC, now };
        let change = || ("+15 % against the time before".to_owned(), true);
        let hour = now.as_second().div_euclid(HOUR) * HOUR;
        assert_eq!(until(change(), Some(hour), &times).0, "+15 % against the time before, up to 16:00");
        assert_eq!(until(change(), None, &times), change());
    }

    #[test]
    fn readers_are_of_days_also_where_hours_are_shown() {
        let table = [
            ((1, true, true), "of the day"),
            ((7, true, true), "each of 7 days anew"),
            ((1, false, true), "of the whole day, so far"),
            ((1, false, false), "of the whole day"),
            ((2, false, true), "of 2 whole days, each anew, so far"),
        ];
        for ((days, whole, running), words) in table {
            assert_eq!(of_days(days, whole, running), words);
        }
    }

    #[test]
    fn an_hour_is_said_beside_the_best_one_where_that_says_something() {
        let table = [((5, Some(10)), "so far, half of its peak"), ((10, Some(10)), "so far, its best hour")];
        for ((clicks, peak), words) in table {
            assert_eq!(of_peak(clicks, peak), words);
        }
        for (clicks, peak) in [(0, Some(0)), (1, Some(2)), (1, Some(10)), (9, Some(10)), (5, None)] {
            assert_eq!(of_peak(clicks, peak), "so far");
        }
    }
}
