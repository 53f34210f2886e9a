//! Hours and days of the newsroom.
//!
//! An hour begins at a full hour of the newsroom's zone and is kept as its start in UTC seconds; a day is its
//! hours and is kept as days since 1970-01-01. A new zone holds from its next local midnight, so a day may be
//! longer or shorter once, and no hit is ever in two.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::error::{Reason, Refusal};

/// An hour: its start in seconds since 1970, UTC.
pub type Hour = i64;
/// A day: days since 1970-01-01 of the newsroom's own calendar.
pub type Day = i32;

/// From when on which zone holds.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// (from, in seconds since 1970; zone), ascending; the first holds since ever.
    zones: Vec<(i64, TimeZone)>,
}

/// Which hour and day a time is in, and until when that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The minute's start, seconds.
    pub minute: i64,
    /// The hour.
    pub hour: Hour,
    /// The day.
    pub day: Day,
}

impl Calendar {
    /// From (since when in UTC seconds, IANA name) pairs, ascending. At least one.
    ///
    /// # Errors
    /// `invalid_value` for a name that is no zone, or an empty list.
    pub fn new(zones: &[(i64, String)]) -> Result<Calendar, Refusal> {
        let zones =
            zones.iter().map(|(from, name)| Ok((*from, zone(name)?))).collect::<Result<Vec<_>, Refusal>>()?;
        if zones.is_empty() {
            return Err(Refusal::new(Reason::InvalidValue, "a calendar needs a time zone"));
        }
        Ok(Calendar { zones })
    }

    fn zone_at(&self, second: i64) -> &TimeZone {
        let after = self.zones.partition_point(|(from, _)| *from <= second);
        &self.zones[after.saturating_sub(1)].1
    }

    /// The zone in force at `now`.
    #[must_use]
    pub fn zone_name(&self, now: Timestamp) -> String {
        self.zone_at(now.as_second()).iana_name().unwrap_or("UTC").to_owned()
    }

    /// Minute, hour and day of a time in milliseconds since 1970.
    #[must_use]
    pub fn place(&self, at_ms: i64) -> Place {
        let second = at_ms.div_euclid(1000);
        let at = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
        let local = self.zone_at(second).to_datetime(at);
        let into_hour = i64::from(local.minute()) * 60 + i64::from(local.second());
        Place {
            minute: second - i64::from(local.second()),
            hour: second - into_hour,
            day: day_of(local.date()),
        }
    }

    /// The day of a time.
    #[must_use]
    pub fn day(&self, at: Timestamp) -> Day {
        self.place(at.as_millisecond()).day
    }

    /// When a day begins, in UTC seconds. Before a switch of zones the old zone's midnight, after it the new's.
    #[must_use]
    pub fn start_of(&self, day: Day) -> i64 {
        // The earliest midnight of that date whose own second is in that date: zones overlap only at a switch.
        let date = date_of(day);
        let mut found = i64::MAX;
        for (i, (from, zone)) in self.zones.iter().enumerate() {
            let until = self.zones.get(i + 1).map_or(i64::MAX, |(f, _)| *f);
            let Ok(midnight) = date.to_zoned(zone.clone()) else { continue };
            let start = midnight.timestamp().as_second().max(if i == 0 { i64::MIN } else { *from });
            if start < until && self.place(start * 1000).day == day {
                found = found.min(start);
            }
        }
        if found < i64::MAX {
            return found;
        }
        // A date that a switch swallowed: it is empty and begins where the next one does.
        self.zones.iter().map(|(from, _)| *from).find(|from| self.place(*from * 1000).day > day).unwrap_or(0)
    }

    /// The weekday (Monday is 1) and the hour of the clock (0 to 23) in which an hour begins.
    #[must_use]
    pub fn hour_of_week(&self, hour: Hour) -> (i8, i8) {
        let at = Timestamp::from_second(hour).unwrap_or(Timestamp::MAX);
        let local = self.zone_at(hour).to_datetime(at);
        (local.weekday().to_monday_one_offset(), local.hour())
    }

    /// The date of a time in the newsroom's zone.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> Date {
        date_of(self.day(at))
    }

    /// The first full second of the next local midnight in `zone` after `now`.
    ///
    /// # Errors
    /// `invalid_value` for a name that is no zone.
    pub fn next_midnight(name: &str, now: Timestamp) -> Result<i64, Refusal> {
        let zone = zone(name)?;
        let tomorrow = zone.to_datetime(now).date().saturating_add(1.day());
        let at = tomorrow.to_zoned(zone).map_err(|e| Refusal::new(Reason::InvalidValue, e.to_string()))?;
        Ok(at.timestamp().as_second())
    }
}

/// Days since 1970-01-01 of a date.
#[must_use]
pub fn day_of(date: Date) -> Day {
    date.since(jiff::civil::date(1970, 1, 1)).map_or(0, |span| span.get_days())
}

/// The date of days since 1970-01-01.
#[must_use]
pub fn date_of(day: Day) -> Date {
    jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(day))
}

fn zone(name: &str) -> Result<TimeZone, Refusal> {
    TimeZone::get(name).map_err(|_| {
        Refusal::field(Reason::InvalidValue, "timezone", format!("\"{name}\" is not an IANA time zone"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ts(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn calendar(zones: &[(i64, &str)]) -> Calendar {
        Calendar::new(&zones.iter().map(|(f, n)| (*f, (*n).to_owned())).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn hours_and_days_of_a_half_hour_zone() {
        let c = calendar(&[(0, "Asia/Kolkata")]);
        let p = c.place(ts("2026-11-22T20:10:05.5Z").as_millisecond());
        assert_eq!(p.hour, ts("2026-11-22T19:30:00Z").as_second());
        assert_eq!(p.minute, ts("2026-11-22T20:10:00Z").as_second());
        assert_eq!(date_of(p.day).to_string(), "2026-11-23");
        assert_eq!(c.start_of(p.day), ts("2026-11-22T18:30:00Z").as_second());
    }

    #[test]
    fn a_day_of_25_hours() {
        let c = calendar(&[(0, "Europe/Vienna")]);
        let day = c.day(ts("2026-10-25T12:00:00Z"));
        assert_eq!(c.start_of(day + 1) - c.start_of(day), 25 * 3600);
        // The two 02:30 are two hours.
        let first = c.place(ts("2026-10-25T00:30:00Z").as_millisecond());
        let second = c.place(ts("2026-10-25T01:30:00Z").as_millisecond());
        assert_eq!(second.hour - first.hour, 3600);
        assert_eq!(first.day, second.day);
        assert_eq!(c.hour_of_week(first.hour), (7, 2));
        assert_eq!(c.hour_of_week(second.hour), (7, 2));
        assert_eq!(c.hour_of_week(ts("2026-10-25T23:00:00Z").as_second()), (1, 0));
    }

    #[test]
    fn a_new_zone_holds_from_its_midnight_and_days_only_go_on() {
        let now = ts("2026-11-22T17:00:00Z");
        for (old, new) in [("Europe/Vienna", "America/New_York"), ("America/New_York", "Asia/Tokyo")] {
            let switch = Calendar::next_midnight(new, now).unwrap();
            let c = calendar(&[(0, old), (switch, new)]);
            let mut last = c.place(now.as_millisecond()).day;
            for minutes in 0..(4 * 24 * 60) {
                let at = now.as_second() + minutes * 60;
                let day = c.place(at * 1000).day;
                assert!(day == last || day == last + 1 || day == last + 2, "{old} {new} {minutes}");
                if day != last {
                    assert_eq!(c.start_of(day), at - at.rem_euclid(60), "{old} {new} {minutes}");
                }
                last = day;
            }
        }
    }

    #[test]
    fn days_round_trip() {
        for day in [-1, 0, 1, 20_000, 40_000] {
            assert_eq!(day_of(date_of(day)), day);
        }
        assert!(Calendar::new(&[(0, "Mars/Olympus".into())]).is_err());
    }
}
