//! Numbers and times as pages write them. Pure.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

pub use crate::domain::numbers::{change, number};
use crate::domain::report::Unit;

/// A share in whole per cent; "<1 %" for what is there and less.
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    let percent = (u128::from(part) * 100 + u128::from(whole) / 2).checked_div(whole.into()).unwrap_or(0);
    if percent == 0 && part > 0 { "<1 %".into() } else { format!("{percent} %") }
}

/// Times in the newsroom's zone.
#[derive(Clone, Debug)]
pub struct Times {
    /// The zone.
    pub zone: TimeZone,
    /// Now.
    pub now: Timestamp,
}

impl Times {
    fn at(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }

    /// "14:10" of today, "21 Nov, 14:10" of this year, else with the year.
    #[must_use]
    pub fn short(&self, at: Timestamp) -> String {
        let (at, now) = (self.at(at), self.at(self.now));
        let form = if at.date() == now.date() {
            "%H:%M"
        } else if at.year() == now.year() {
            "%-d %b, %H:%M"
        } else {
            "%-d %b %Y, %H:%M"
        };
        at.strftime(form).to_string()
    }

    /// "22 Nov 2026, 14:10".
    #[must_use]
    pub fn long(&self, at: Timestamp) -> String {
        self.at(at).strftime("%-d %b %Y, %H:%M").to_string()
    }

    /// For `datetime-local` fields.
    #[must_use]
    pub fn field(&self, at: Option<Timestamp>) -> String {
        at.map(|at| self.at(at).strftime("%Y-%m-%dT%H:%M").to_string()).unwrap_or_default()
    }

    /// What a `datetime-local` field says; None for what is no time.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Timestamp> {
        let at: jiff::civil::DateTime = text.parse().ok()?;
        self.zone.to_ambiguous_zoned(at).compatible().ok().map(|zoned| zoned.timestamp())
    }

    /// "3 min ago", "2 h ago", then the time.
    #[must_use]
    pub fn ago(&self, at: Timestamp) -> String {
        let seconds = self.now.duration_since(at).as_secs();
        match seconds {
            ..60 => "just now".into(),
            60..3_600 => format!("{} min ago", seconds / 60),
            3_600..43_200 => format!("{} h ago", seconds / 3_600),
            _ => self.short(at),
        }
    }

    /// The hour of a bucket that begins then: "14:00", at midnight the day.
    #[must_use]
    pub fn hour(&self, start: i64) -> String {
        let Ok(at) = Timestamp::from_second(start) else { return String::new() };
        let at = self.at(at);
        let form = if at.hour() == 0 && at.minute() == 0 { "%-d %b" } else { "%H:%M" };
        at.strftime(form).to_string()
    }

    /// Whether a day begins then.
    #[must_use]
    pub fn is_midnight(&self, start: i64) -> bool {
        Timestamp::from_second(start).is_ok_and(|at| self.at(at).time() == jiff::civil::Time::midnight())
    }

    /// A bucket that begins then: as a chart writes it below its axis, or in full.
    #[must_use]
    pub fn bucket(&self, unit: Unit, start: i64, in_full: bool) -> String {
        let Ok(at) = Timestamp::from_second(start) else { return String::new() };
        let at = self.at(at);
        let this_year = at.year() == self.at(self.now).year();
        let form = match (unit, in_full) {
            (Unit::Minute | Unit::Hour, false) => return self.hour(start),
            (Unit::Month, _) => "%b %Y",
            (_, false) if !this_year => "%-d %b %Y",
            (_, false) => "%-d %b",
            (Unit::Minute | Unit::Hour, true) if this_year => "%-d %b %H:%M",
            (Unit::Minute | Unit::Hour, true) => "%-d %b %Y %H:%M",
            (_, true) if this_year => "%a %-d %b",
            (_, true) => "%a %-d %b %Y",
        };
        at.strftime(form).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (value, text) in [(0, "0"), (999, "999"), (1_204, "1,204"), (1_234_567, "1,234,567")] {
            assert_eq!(number(value), text);
        }
        let table =
            [((3, 0), "new"), ((0, 0), ""), ((310, 100), "3.1 ×"), ((112, 100), "+12 %"), ((5, 10), "−50 %")];
        for ((now, before), text) in table {
            assert_eq!(change(now, before).0, text);
        }
        assert_eq!([share(1, 3), share(1, 1_000), share(0, 0)], ["33 %", "<1 %", "0 %"]);
    }

    #[test]
    fn times() {
        let times = Times {
            zone: TimeZone::get("Europe/Vienna").unwrap(),
            now: "2026-11-22T14:00:00Z".parse().unwrap(),
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(times.short(at("2026-11-22T13:10:00Z")), "14:10");
        assert_eq!(times.short(at("2026-11-20T13:10:00Z")), "20 Nov, 14:10");
        assert_eq!(times.short(at("2025-11-20T13:10:00Z")), "20 Nov 2025, 14:10");
        assert_eq!(times.ago(at("2026-11-22T13:57:00Z")), "3 min ago");
        let field = times.field(Some(at("2026-11-22T13:10:00Z")));
        assert_eq!(
            (field.as_str(), times.read(&field)),
            ("2026-11-22T14:10", Some(at("2026-11-22T13:10:00Z")))
        );
        assert_eq!(times.read("tomorrow"), None);
        assert_eq!(times.hour(at("2026-11-22T23:00:00Z").as_second()), "23 Nov");
        let bucket = |unit, text: &str, in_full| times.bucket(unit, at(text).as_second(), in_full);
        assert_eq!(bucket(Unit::Hour, "2026-11-18T08:00:00Z", true), "18 Nov 09:00");
        assert_eq!(bucket(Unit::Hour, "2026-11-18T08:00:00Z", false), "09:00");
        assert_eq!(bucket(Unit::Day, "2026-11-17T23:00:00Z", true), "Wed 18 Nov");
        assert_eq!(bucket(Unit::Week, "2025-11-17T23:00:00Z", false), "18 Nov 2025");
        assert_eq!(bucket(Unit::Month, "2026-10-31T23:00:00Z", true), "Nov 2026");
    }
}
