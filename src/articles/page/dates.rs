//! Times as pages write them.
//!
//! Guarantees that what cannot be read is no time rather than a wrong one. A time without a zone is in the zone that
//! the caller gives, the newsroom's.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

/// Longest text that is looked at, in bytes.
const MAX: usize = 80;
/// What is left of the ways to write a time. Those with an offset say so.
const FORMATS: [&str; 17] = [
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y%m%dT%H%M%S",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y, %H:%M",
    "%d.%m.%Y",
    "%B %d, %Y %I:%M %p",
    "%B %d, %Y, %I:%M %p",
    "%B %d, %Y",
    "%b %d, %Y",
    "%d %B %Y %H:%M",
    "%d %B %Y",
    "%d %b %Y",
    "%a %b %d %Y %H:%M:%S GMT%z",
    "%a %b %d %H:%M:%S %Y",
];

/// Reads a time.
pub(super) fn read(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX || !text.is_ascii() {
        return None;
    }
    // "... (Coordinated Universal Time)", as browsers write it.
    let text = text.split(" (").next().unwrap_or(text).trim_end();
    let found = number(text, zone).or_else(|| standard(text, zone)).or_else(|| other(text, zone))?;
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
    FORMATS.iter().find_map(|format| {
        let parts = strtime::parse(format, text).ok()?;
        if parts.offset().is_some() {
            return parts.to_timestamp().ok();
        }
        let at = parts.to_datetime().or_else(|_| parts.to_date().map(DateTime::from)).ok()?;
        local(at, zone)
    })
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
        ];
        for (text, expected) in table {
            let read = read(text, &berlin).map(|at| at.to_string());
            assert_eq!(read.as_deref(), Some(expected), "{text}");
        }
        let none =
            ["", "yesterday", "0000-00-00 00:00:00", "2026-13-45", "12", "-1", "9999-12-31", "now", "23/11"];
        for text in none {
            assert_eq!(read(text, &berlin), None, "{text}");
        }
    }
}
