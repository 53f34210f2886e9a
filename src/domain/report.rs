//! What a report can be asked for: scopes, ranges, units. Pure arithmetic on the newsroom's calendar.
//!
//! Guarantees that a range is rounded outward to what the numbers are kept by, is within the limits, and that
//! buckets, empty ones included, cover it without gaps.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::article::ArticleId;
use super::calendar::{Calendar, Day, Hour, date_of, day_of};
use super::code::Code;
use super::error::{Reason, Refusal};

/// Most buckets of a series.
pub const MAX_BUCKETS: usize = 10_000;
/// Longest range, in days (100 years).
const MAX_DAYS: i32 = 36_525;
/// How far minutes go back, in seconds.
pub const MINUTES_BACK: i64 = 48 * 3600;
/// Hours of so many past days are always there, however short they are kept.
pub const HOURS_BACK: Day = 39;

/// The first day of which all hours are there, if those of earlier days have gone: then the site has days before its
/// first hour.
#[must_use]
pub fn hours_from(
    first_hour: Option<Hour>,
    first_day: Option<i64>,
    calendar: &Calendar,
    now: Timestamp,
) -> Option<Day> {
    let always = calendar.day(now) - HOURS_BACK;
    let first_day = first_day?;
    let Some(hour) = first_hour else { return (first_day < i64::from(always)).then_some(always) };
    let day = calendar.place(hour.saturating_mul(1_000)).day;
    if i64::from(day) <= first_day {
        return None;
    }
    let whole = calendar.start_of(day) == hour;
    Some(always.min(if whole { day } else { day + 1 }))
}

/// Whose numbers a report shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReportScope {
    /// All.
    Site,
    /// One link.
    Link(Code),
    /// The links of one article.
    Article(ArticleId),
    /// A section.
    Section(String),
    /// An author.
    Author(String),
    /// A channel.
    Channel(String),
    /// The links of a campaign.
    Campaign(String),
    /// The links with a tag.
    Tag(String),
    /// The links that someone made.
    Creator(String),
}

impl ReportScope {
    /// Reads `site`, `link:CODE`, `article:ID`, `section:NAME` and so on.
    ///
    /// # Errors
    /// `invalid_value` on `scope`.
    pub fn parse(text: &str) -> Result<ReportScope, Refusal> {
        let wrong = |detail: &'static str| Refusal::field(Reason::InvalidValue, "scope", detail);
        if text == "site" {
            return Ok(ReportScope::Site);
        }
        let (kind, name) = text.split_once(':').ok_or_else(|| {
            wrong("a scope is site, link:CODE, article:ID, section:, author:, channel:, campaign:, tag: or creator:NAME")
        })?;
        if name.is_empty() {
            return Err(wrong("a scope needs a name after the colon"));
        }
        let name = name.to_owned();
        Ok(match kind {
            "link" => ReportScope::Link(Code::parse(&name).map_err(|_| wrong("that is no code"))?),
            "article" => ReportScope::Article(ArticleId(name.into())),
            "section" => ReportScope::Section(name),
            "author" => ReportScope::Author(name),
            "channel" => ReportScope::Channel(name),
            "campaign" => ReportScope::Campaign(name),
            "tag" => ReportScope::Tag(name),
            "creator" => ReportScope::Creator(name),
            _ => return Err(wrong("unknown kind of scope")),
        })
    }
}

impl std::fmt::Display for ReportScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReportScope::Site => f.write_str("site"),
            ReportScope::Link(code) => write!(f, "link:{code}"),
            ReportScope::Article(id) => write!(f, "article:{}", id.0),
            ReportScope::Section(name) => write!(f, "section:{name}"),
            ReportScope::Author(name) => write!(f, "author:{name}"),
            ReportScope::Channel(name) => write!(f, "channel:{name}"),
            ReportScope::Campaign(name) => write!(f, "campaign:{name}"),
            ReportScope::Tag(name) => write!(f, "tag:{name}"),
            ReportScope::Creator(name) => write!(f, "creator:{name}"),
        }
    }
}

/// A bucket's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// 60 seconds.
    Minute,
    /// From a full hour of the newsroom to the next.
    Hour,
    /// The newsroom's day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

impl Unit {
    /// Reads the word.
    ///
    /// # Errors
    /// `invalid_value` on `unit`.
    pub fn parse(text: &str) -> Result<Unit, Refusal> {
        match text {
            "minute" => Ok(Unit::Minute),
            "hour" => Ok(Unit::Hour),
            "day" => Ok(Unit::Day),
            "week" => Ok(Unit::Week),
            "month" => Ok(Unit::Month),
            _ => Err(Refusal::field(Reason::InvalidValue, "unit", "minute, hour, day, week or month")),
        }
    }

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::Minute => "minute",
            Unit::Hour => "hour",
            Unit::Day => "day",
            Unit::Week => "week",
            Unit::Month => "month",
        }
    }
}

/// From when (inclusive) until when (exclusive), in UTC seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Inclusive.
    pub from: i64,
    /// Exclusive.
    pub to: i64,
}

impl Range {
    /// Reads `from` and `to`: each RFC 3339, or a date (midnight in the newsroom's zone; a date in `to` includes
    /// that day). Missing ones give the last 7 days, today included.
    ///
    /// # Errors
    /// `invalid_value` for what is no time, `out_of_range` for a range that is reversed, empty or too long.
    pub fn parse(
        from: Option<&str>,
        to: Option<&str>,
        calendar: &Calendar,
        now: Timestamp,
    ) -> Result<Range, Refusal> {
        let today = calendar.day(now);
        let to = match to {
            Some(text) => read(text, "to", calendar, 1)?,
            None => calendar.start_of(today + 1),
        };
        let from = match from {
            Some(text) => read(text, "from", calendar, 0)?,
            None => calendar.start_of(calendar.place((to - 1) * 1000).day - 6),
        };
        if from >= to {
            return Err(Refusal::field(Reason::OutOfRange, "from", "the range ends before it begins"));
        }
        if (to - from) / 86_400 > i64::from(MAX_DAYS) {
            return Err(Refusal::field(Reason::OutOfRange, "from", "a range is at most 100 years long"));
        }
        Ok(Range { from, to })
    }

    /// The days that this touches: first, and the one after the last.
    #[must_use]
    pub fn days(&self, calendar: &Calendar) -> (Day, Day) {
        (calendar.place(self.from * 1000).day, calendar.place((self.to - 1) * 1000).day + 1)
    }

    /// Rounded outward to whole days.
    #[must_use]
    pub fn to_days(&self, calendar: &Calendar) -> Range {
        let (first, end) = self.days(calendar);
        Range { from: calendar.start_of(first), to: calendar.start_of(end) }
    }

    /// Rounded outward to whole hours of the newsroom.
    #[must_use]
    pub fn to_hours(&self, calendar: &Calendar) -> Range {
        let from = calendar.place(self.from * 1000).hour;
        let last = calendar.place((self.to - 1) * 1000).hour;
        Range { from, to: next_hour(calendar, last) }
    }

    /// Rounded outward to whole minutes.
    #[must_use]
    pub fn to_minutes(&self) -> Range {
        Range { from: self.from - self.from.rem_euclid(60), to: self.to + (-self.to).rem_euclid(60) }
    }

    /// The range of the same length before this one, by days if both ends are midnights.
    #[must_use]
    pub fn before(&self, by: Compare, calendar: &Calendar) -> Range {
        let (first, end) = self.days(calendar);
        let whole_days = calendar.start_of(first) == self.from && calendar.start_of(end) == self.to;
        let length = end - first;
        let back_days = match by {
            Compare::Previous if !whole_days => {
                return Range { from: self.from - (self.to - self.from), to: self.from };
            }
            Compare::Previous => length,
            Compare::Weekday => (length + 6) / 7 * 7,
            Compare::Year => 364,
        };
        if whole_days {
            Range { from: calendar.start_of(first - back_days), to: calendar.start_of(end - back_days) }
        } else {
            let back = i64::from(back_days) * 86_400;
            Range { from: self.from - back, to: self.to - back }
        }
    }
}

/// What a report is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    /// The same length just before.
    Previous,
    /// The same weekdays just before.
    Weekday,
    /// The same weekdays a year (52 weeks) before.
    Year,
}

impl Compare {
    /// Reads the word.
    ///
    /// # Errors
    /// `invalid_value` on `compare`.
    pub fn parse(text: &str) -> Result<Compare, Refusal> {
        match text {
            "previous" => Ok(Compare::Previous),
            "weekday" => Ok(Compare::Weekday),
            "year" => Ok(Compare::Year),
            _ => Err(Refusal::field(Reason::InvalidValue, "compare", "previous, weekday or year")),
        }
    }
}

fn read(text: &str, field: &'static str, calendar: &Calendar, days_after: i32) -> Result<i64, Refusal> {
    if let Ok(date) = text.parse::<Date>()
        && text.len() == 10
    {
        return Ok(calendar.start_of(day_of(date).saturating_add(days_after)));
    }
    match text.parse::<Timestamp>() {
        // A time within a second still lies in that second: round outward.
        Ok(at) if days_after > 0 && at.subsec_nanosecond() > 0 => Ok(at.as_second() + 1),
        Ok(at) => Ok(at.as_second()),
        Err(_) => {
            let detail = format!("\"{}\" is neither a date nor an RFC 3339 time", crop(text));
            Err(Refusal::field(Reason::InvalidValue, field, detail))
        }
    }
}

fn crop(text: &str) -> String {
    text.chars().take(40).collect()
}

fn next_hour(calendar: &Calendar, hour: i64) -> i64 {
    // Zones move by halves and quarters of an hour now and then, so the next hour may come sooner than in 3600 s.
    (1..=8).map(|q| hour + q * 900).find(|at| calendar.place(at * 1000).hour > hour).unwrap_or(hour + 3600)
}

/// The starts of the buckets that cover a range, ascending, and the range they cover, rounded outward.
///
/// # Errors
/// `out_of_range` for more than [`MAX_BUCKETS`].
pub fn buckets(range: Range, unit: Unit, calendar: &Calendar) -> Result<(Vec<i64>, Range), Refusal> {
    let range = match unit {
        Unit::Minute => range.to_minutes(),
        Unit::Hour => range.to_hours(calendar),
        _ => range.to_days(calendar),
    };
    let mut starts = vec![];
    let mut at = match unit {
        Unit::Minute | Unit::Hour => range.from,
        _ => calendar.start_of(first_day(unit, calendar.place(range.from * 1000).day)),
    };
    let from = at;
    while at < range.to {
        if starts.len() >= MAX_BUCKETS {
            let detail = format!("that would be more than {MAX_BUCKETS} buckets");
            return Err(Refusal::field(Reason::OutOfRange, "unit", detail));
        }
        starts.push(at);
        at = match unit {
            Unit::Minute => at + 60,
            Unit::Hour => next_hour(calendar, at),
            _ => calendar.start_of(next_day(unit, calendar.place(at * 1000).day)),
        };
    }
    Ok((starts, Range { from, to: at }))
}

/// The first day of the bucket that a day is in.
#[must_use]
pub fn first_day(unit: Unit, day: Day) -> Day {
    match unit {
        Unit::Week => day - i32::from(date_of(day).weekday().to_monday_zero_offset()),
        Unit::Month => day_of(date_of(day).first_of_month()),
        Unit::Minute | Unit::Hour | Unit::Day => day,
    }
}

fn next_day(unit: Unit, day: Day) -> Day {
    match unit {
        Unit::Week => first_day(unit, day) + 7,
        Unit::Month => day_of(date_of(day).first_of_month().saturating_add(1.month())),
        Unit::Minute | Unit::Hour | Unit::Day => day + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vienna() -> Calendar {
        Calendar::new(&[(0, "Europe/Vienna".into())]).unwrap()
    }

    fn ts(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn ranges() {
        let now = "2026-11-22T17:00:00Z".parse().unwrap();
        let parse = |from, to| Range::parse(from, to, &vienna(), now);
        let week = parse(None, None).unwrap();
        assert_eq!(week, Range { from: ts("2026-11-15T23:00:00Z"), to: ts("2026-11-22T23:00:00Z") });
        let day = parse(Some("2026-11-22"), Some("2026-11-22")).unwrap();
        assert_eq!(day, Range { from: ts("2026-11-21T23:00:00Z"), to: ts("2026-11-22T23:00:00Z") });
        let times = parse(Some("2026-11-22T10:00:00Z"), Some("2026-11-22T12:00:00+01:00")).unwrap();
        assert_eq!(times.to - times.from, 3600);
        for (from, to) in
            [("2026-11-23", "2026-11-22"), ("1900-01-01", "2026-01-01"), ("yesterday", "2026-01-01")]
        {
            assert!(parse(Some(from), Some(to)).is_err(), "{from} {to}");
        }
        assert_eq!(day.before(Compare::Previous, &vienna()).to, day.from);
        let weekday = day.before(Compare::Weekday, &vienna());
        assert_eq!(weekday.from, ts("2026-11-14T23:00:00Z"));
    }

    #[test]
    fn buckets_over_a_change_of_clocks() {
        let range = Range { from: ts("2026-10-24T22:00:00Z"), to: ts("2026-10-25T23:00:00Z") };
        assert_eq!(buckets(range, Unit::Hour, &vienna()).unwrap().0.len(), 25);
        assert_eq!(buckets(range, Unit::Day, &vienna()).unwrap().0.len(), 1);
        let (weeks, covered) = buckets(range, Unit::Week, &vienna()).unwrap();
        assert_eq!((weeks.len(), covered.from), (1, ts("2026-10-18T22:00:00Z")));
        let (months, covered) = buckets(range, Unit::Month, &vienna()).unwrap();
        assert_eq!((months.len(), covered.to), (1, ts("2026-10-31T23:00:00Z")));
        let long = Range { from: 0, to: 36_525 * 86_400 };
        assert_eq!(buckets(long, Unit::Hour, &vienna()).unwrap_err().reason, Reason::OutOfRange);
        assert!(buckets(long, Unit::Month, &vienna()).is_ok());
    }

    #[test]
    fn hours_that_have_gone() {
        let now = "2026-11-22T17:00:00Z".parse().unwrap();
        let day = |text: &str| day_of(text.parse().unwrap());
        let from = |hour: Option<&str>, first: &str| {
            hours_from(hour.map(ts), Some(day(first).into()), &vienna(), now)
                .map(|day| date_of(day).to_string())
        };
        assert_eq!(from(Some("2026-03-01T12:00:00Z"), "2026-03-01"), None, "none has gone");
        assert_eq!(from(Some("2026-02-28T23:00:00Z"), "2026-02-01").as_deref(), Some("2026-03-01"));
        assert_eq!(from(Some("2026-03-01T12:00:00Z"), "2026-02-01").as_deref(), Some("2026-03-02"));
        // What is never let go must be there.
        assert_eq!(from(Some("2026-11-20T12:00:00Z"), "2026-02-01").as_deref(), Some("2026-10-14"));
        assert_eq!(from(None, "2024-02-01").as_deref(), Some("2026-10-14"));
        assert_eq!(from(None, "2026-11-01"), None);
        assert_eq!(hours_from(None, None, &vienna(), now), None);
    }

    #[test]
    fn scopes() {
        for text in
            ["site", "link:kx7", "article:a1", "section:World: East", "campaign:c", "tag:x", "creator:key:a"]
        {
            assert_eq!(ReportScope::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "links", "link:", "link:a b", "planet:x"] {
            assert!(ReportScope::parse(text).is_err(), "{text}");
        }
    }
}
