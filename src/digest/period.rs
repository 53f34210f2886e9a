//! When a digest is due, and of which days it is. Pure.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::domain::calendar::{Day, date_of, day_of};

/// How often somebody gets a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Every {
    /// Each day, of the day before.
    Daily,
    /// Each Monday, of the week before.
    Weekly,
}

impl Every {
    /// The word in forms and in what is kept.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Every::Daily => "daily",
            Every::Weekly => "weekly",
        }
    }

    /// The one of a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Every> {
        [Every::Daily, Every::Weekly].into_iter().find(|every| every.as_str() == name)
    }

    fn days(self) -> Day {
        match self {
            Every::Daily => 1,
            Every::Weekly => 7,
        }
    }
}

/// The days that a digest is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// How often there is one.
    pub every: Every,
    /// The first day.
    pub first: Day,
    /// The day after the last.
    pub end: Day,
    /// When it is to be sent.
    pub due: Timestamp,
}

impl Period {
    /// The last one that is due at `now`, if digests go out at this hour of the zone's clock.
    #[must_use]
    pub fn last(every: Every, hour: i8, zone: &TimeZone, now: Timestamp) -> Option<Period> {
        let today = zone.to_datetime(now).date();
        let back = match every {
            Every::Daily => 0,
            Every::Weekly => i64::from(today.weekday().to_monday_zero_offset()),
        };
        [back, back + i64::from(every.days())].into_iter().find_map(|back| {
            let date = today.checked_sub(back.days()).ok()?;
            // An hour that a change of clocks leaves out is the one after it.
            let due =
                zone.to_ambiguous_zoned(date.at(hour.clamp(0, 23), 0, 0, 0)).compatible().ok()?.timestamp();
            let end = day_of(date);
            (due <= now).then_some(Period { every, first: end - every.days(), end, due })
        })
    }

    /// What it is known by: the same on every node.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.every.as_str(), date_of(self.first))
    }

    /// "Sunday, 22 Nov" or "16 to 22 Nov".
    #[must_use]
    pub fn words(&self) -> String {
        let (first, last) = (date_of(self.first), date_of(self.end.saturating_sub(1)));
        match self.every {
            Every::Daily => first.strftime("%A, %-d %b").to_string(),
            Every::Weekly if first.month() == last.month() => {
                format!("{} to {}", first.day(), last.strftime("%-d %b"))
            }
            Every::Weekly => format!("{} to {}", first.strftime("%-d %b"), last.strftime("%-d %b")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(every: Every, hour: i8, now: &str) -> (String, String) {
        let zone = TimeZone::get("Europe/Vienna").unwrap();
        let period = Period::last(every, hour, &zone, now.parse().unwrap()).unwrap();
        (period.name(), period.due.to_string())
    }

    #[test]
    fn a_digest_is_of_the_days_before_its_hour() {
        let table = [
            (Every::Daily, 7, "2026-11-23T06:00:00Z", "daily:2026-11-22", "2026-11-23T06:00:00Z"),
            (Every::Daily, 7, "2026-11-23T05:59:59Z", "daily:2026-11-21", "2026-11-22T06:00:00Z"),
            (Every::Daily, 0, "2026-11-22T23:00:00Z", "daily:2026-11-22", "2026-11-22T23:00:00Z"),
            (Every::Weekly, 7, "2026-11-23T06:00:00Z", "weekly:2026-11-16", "2026-11-23T06:00:00Z"),
            (Every::Weekly, 7, "2026-11-23T05:00:00Z", "weekly:2026-11-09", "2026-11-16T06:00:00Z"),
            (Every::Weekly, 7, "2026-11-29T22:00:00Z", "weekly:2026-11-16", "2026-11-23T06:00:00Z"),
            // The hour that is not there, and the one that is there twice.
            (Every::Daily, 2, "2026-03-29T12:00:00Z", "daily:2026-03-28", "2026-03-29T01:00:00Z"),
            (Every::Daily, 2, "2026-10-25T12:00:00Z", "daily:2026-10-24", "2026-10-25T00:00:00Z"),
        ];
        for (every, hour, now, name, due) in table {
            assert_eq!(last(every, hour, now), (name.to_owned(), due.to_owned()), "{now}");
        }
    }

    #[test]
    fn periods_have_words() {
        let words =
            |every, now: &str| Period::last(every, 7, &TimeZone::UTC, now.parse().unwrap()).unwrap().words();
        assert_eq!(words(Every::Daily, "2026-11-23T07:00:00Z"), "Sunday, 22 Nov");
        assert_eq!(words(Every::Weekly, "2026-11-23T07:00:00Z"), "16 to 22 Nov");
        assert_eq!(words(Every::Weekly, "2026-12-07T07:00:00Z"), "30 Nov to 6 Dec");
    }
}
