//! Times as pages write them.
//!
//! Guarantees that what cannot be read is no time rather than a wrong one. A time without a zone is in the zone that
//! the caller gives, the newsroom's.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::{Offset, TimeZone};

/// Longest text that is looked at, in bytes.
const MAX: usize = 80;
/// What is left of the ways to write a time, as [`plain`] leaves them.
const FORMATS: [&str; 21] = [
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y%m%dT%H%M%S",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%B %d %Y %I:%M %p",
    "%b %d %Y %I:%M %p",
    "%B %d %Y %H:%M",
    "%B %d %Y",
    "%b %d %Y %H:%M:%S",
    "%b %d %Y %H:%M",
    "%b %d %Y",
    "%d %B %Y %H:%M",
    "%d %b %Y %H:%M:%S",
    "%d %b %Y %H:%M",
    "%d %B %Y",
    "%d %b %Y",
    "%b %d %Y %H:%M:%S GMT%z",
    "%b %d %H:%M:%S %Y",
];
/// Days first or months first: read only where one of the two cannot be a month.
const NUMBERS: [[&str; 2]; 3] = [
    ["%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S"],
    ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"],
    ["%d/%m/%Y", "%m/%d/%Y"],
];
/// Names of zones that mean one thing: those of RFC 2822 (4.3), and others of which there is only one. Hours.
const ZONES: [(&str, &str); 22] = [
    ("EST", "-05"),
    ("EDT", "-04"),
    ("CST", "-06"),
    ("CDT", "-05"),
    ("MST", "-07"),
    ("MDT", "-06"),
    ("PST", "-08"),
    ("PDT", "-07"),
    ("WET", "+00"),
    ("WEST", "+01"),
    ("CET", "+01"),
    ("CEST", "+02"),
    ("MEZ", "+01"),
    ("MESZ", "+02"),
    ("EET", "+02"),
    ("EEST", "+03"),
    ("MSK", "+03"),
    ("JST", "+09"),
    ("KST", "+09"),
    ("HKT", "+08"),
    ("SGT", "+08"),
    ("NZST", "+12"),
];

/// Reads a time.
pub(super) fn read(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX || !text.is_ascii() {
        return None;
    }
    // "... (Coordinated Universal Time)", as browsers write it.
    let text = text.split(" (").next().unwrap_or(text).trim_end();
    let of = |text: &str, zone: &TimeZone| {
        number(text, zone).or_else(|| standard(text, zone)).or_else(|| other(text, zone))
    };
    // A text that is whole without a look at the names in it is none of these.
    let found = of(text, zone).or_else(|| named_zone(text).and_then(|(text, zone)| of(&text, &zone)))?;
    let year = found.to_zoned(TimeZone::UTC).year();
    Some(found).filter(|_| (1700..2200).contains(&year))
}

fn number(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match text.len() {
        8 => local(strtime::parse("%Y%m%d", text).ok()?.to_date().ok()?.into(), zone),
        10 => Timestamp::from_second(text.parse().ok()?).ok(),
        13 => Timestamp::from_millisecond(text.parse().ok()?).ok(),
        14 => local(strtime::parse("%Y%m%d%H%M%S", text).ok()?.to_datetime().ok()?, zone),
        _ => None,
    }
}

fn standard(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let mut text = text.to_owned();
    for name in [" UTC", " GMT", " Z", "UTC", "GMT"] {
        if let Some(rest) =
            text.strip_suffix(name).filter(|rest| rest.ends_with(|c: char| c.is_ascii_digit()))
        {
            text = format!("{rest}Z");
        }
    }
    // "2026-11-23 08:00:00 +0100"
    if let Some((time, offset)) = text.rsplit_once(' ')
        && offset.starts_with(['+', '-'])
        && time.starts_with(|c: char| c.is_ascii_digit())
    {
        text = format!("{time}{offset}");
    }
    let exact = text.parse::<Timestamp>().ok();
    exact.or_else(|| text.parse::<DateTime>().ok().and_then(|at| local(at, zone)))
}

fn other(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(at) = rfc2822::parse(text) {
        return Some(at.timestamp());
    }
    let text = plain(text);
    let read = |format: &str| {
        let parts = strtime::parse(format, &text).ok()?;
        if parts.offset().is_some() {
            return parts.to_timestamp().ok();
        }
        let at = parts.to_datetime().or_else(|_| parts.to_date().map(DateTime::from)).ok()?;
        local(at, zone)
    };
    let numbers = || {
        let sure = NUMBERS.iter().map(|either| either.map(read)).filter_map(|either| match either {
            [Some(at), None] | [None, Some(at)] => Some(at),
            [Some(one), Some(other)] => (one == other).then_some(one),
            [None, None] => None,
        });
        sure.into_iter().next()
    };
    FORMATS.iter().find_map(|format| read(format)).or_else(numbers)
}

/// The text without what people write around a time: the day of the week, commas, full stops of abbreviations, "at".
fn plain(text: &str) -> String {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let word = |word: &str| {
        let bare = word.trim_matches([',', '.']);
        let lower = bare.to_ascii_lowercase();
        let is_day = bare.len() >= 3 && DAYS.iter().any(|day| lower.starts_with(day)) && lower != "monde";
        match lower.as_str() {
            "at" | "" => None,
            _ if is_day => None,
            "a.m" => Some("AM".to_owned()),
            "p.m" => Some("PM".to_owned()),
            "sept" => Some("Sep".to_owned()),
            _ => Some(bare.to_owned()),
        }
    };
    text.split_whitespace().filter_map(word).collect::<Vec<_>>().join(" ")
}

/// A time with the name of its zone: the time without it, and the zone.
fn named_zone(text: &str) -> Option<(String, TimeZone)> {
    let (name, hours) = ZONES.iter().find(|(name, _)| {
        let word = text.split_whitespace().any(|word| word == *name);
        word || text.strip_suffix(name).is_some_and(|rest| rest.ends_with(|c: char| c.is_ascii_digit()))
    })?;
    let offset = Offset::from_hours(hours.parse().ok()?).ok()?;
    let rest = text.replacen(name, "", 1);
    Some((rest.split_whitespace().collect::<Vec<_>>().join(" "), TimeZone::fixed(offset)))
}

fn local(at: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_zoned(at).compatible().ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let table = [
            ("2026-11-23T08:00:00Z", "2026-11-23T08:00:00Z"),
            ("2026-11-23T08:00:00+01:00", "2026-11-23T07:00:00Z"),
            ("2026-11-23T08:00:00.123-0500", "2026-11-23T13:00:00.123Z"),
            ("2026-11-23T08:00Z", "2026-11-23T08:00:00Z"),
            ("2026-11-23 08:00:00 UTC", "2026-11-23T08:00:00Z"),
            ("2026-11-23 08:00:00 +0100", "2026-11-23T07:00:00Z"),
            ("2026-11-23T08:00:00 GMT", "2026-11-23T08:00:00Z"),
            ("2026-11-23T08:00:00+01:00[Europe/Berlin]", "2026-11-23T07:00:00Z"),
            // Without a zone: the newsroom's.
            ("2026-11-23T08:00:00", "2026-11-23T07:00:00Z"),
            ("2026-07-01 08:00", "2026-07-01T06:00:00Z"),
            ("2026-11-23", "2026-11-22T23:00:00Z"),
            ("20261123", "2026-11-22T23:00:00Z"),
            ("20261123080000", "2026-11-23T07:00:00Z"),
            ("20261123T080000", "2026-11-23T07:00:00Z"),
            ("1795420800", "2026-11-23T08:00:00Z"),
            ("1795420800000", "2026-11-23T08:00:00Z"),
            ("Mon, 23 Nov 2026 08:00:00 GMT", "2026-11-23T08:00:00Z"),
            ("Mon, 23 Nov 2026 08:00:00 +0100", "2026-11-23T07:00:00Z"),
            ("Mon Nov 23 2026 08:00:00 GMT+0000 (Coordinated Universal Time)", "2026-11-23T08:00:00Z"),
            ("2026/11/23 08:00:00", "2026-11-23T07:00:00Z"),
            ("23.11.2026 08:00", "2026-11-23T07:00:00Z"),
            ("23.11.2026", "2026-11-22T23:00:00Z"),
            ("November 23, 2026", "2026-11-22T23:00:00Z"),
            ("Nov 23, 2026", "2026-11-22T23:00:00Z"),
            ("November 23, 2026 8:00 AM", "2026-11-23T07:00:00Z"),
            ("23 November 2026", "2026-11-22T23:00:00Z"),
            ("Monday, November 23, 2026, 12:06 PM", "2026-11-23T11:06:00Z"),
            ("Mon. Nov. 23, 2026 at 8:00 a.m.", "2026-11-23T07:00:00Z"),
            ("Tuesday, Sept. 1, 2026", "2026-08-31T22:00:00Z"),
            ("Mon Nov 23 08:00:00 2026", "2026-11-23T07:00:00Z"),
            // Names of zones.
            ("2026-11-23T08:00:00EET", "2026-11-23T06:00:00Z"),
            ("2026-11-23 08:00 CET", "2026-11-23T07:00:00Z"),
            ("Mon Nov 23 08:00:00 EST 2026", "2026-11-23T13:00:00Z"),
            ("November 23, 2026 8:00 AM PDT", "2026-11-23T15:00:00Z"),
            ("Mon, 23 Nov 2026 08:00:00 EST", "2026-11-23T13:00:00Z"),
            // Only where one of the two is no month.
            ("11/23/2026 08:00:00", "2026-11-23T07:00:00Z"),
            ("23/11/2026", "2026-11-22T23:00:00Z"),
            ("11/11/2026 08:00", "2026-11-11T07:00:00Z"),
        ];
        for (text, expected) in table {
            let read = read(text, &berlin).map(|at| at.to_string());
            assert_eq!(read.as_deref(), Some(expected), "{text}");
        }
        let none = [
            "",
            "yesterday",
            "0000-00-00 00:00:00",
            "2026-13-45",
            "12",
            "-1",
            "9999-12-31",
            "now",
            "23/11",
            "5/11/2026",
            "Mon",
            "at",
            "November",
            "2026-11-23T08:00:00XYZ",
        ];
        for text in none {
            assert_eq!(read(text, &berlin), None, "{text}");
        }
    }
}
