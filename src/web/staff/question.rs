//! What a page of numbers is about: a scope, a time, and what it is compared with; all of it in the page's address.

use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::domain::calendar::{Calendar, date_of};
use crate::domain::error::{Reason, Refusal};
use crate::domain::report::{Compare, Range, ReportScope};
use crate::reports::Question;
use crate::web::State;

/// Periods that are a press away: what stands in the address, what people say, and the key.
const PERIODS: [(&str, &str, &str); 6] = [
    ("all", "Since it began", ""),
    ("24h", "24 hours", "1"),
    ("7d", "7 days", "7"),
    ("30d", "30 days", "3"),
    ("90d", "90 days", "9"),
    ("365d", "A year", "y"),
];
/// What numbers can be compared with, likewise.
const COMPARES: [(&str, &str); 4] = [
    ("weekday", "Same weekdays before"),
    ("previous", "The time before"),
    ("year", "A year before"),
    ("none", "Nothing"),
];

/// The part of an address that says when.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct When {
    /// One of [`PERIODS`].
    pub(super) period: String,
    /// A date or time, instead.
    pub(super) from: String,
    /// Likewise; a date includes that day.
    pub(super) to: String,
    /// One of [`COMPARES`].
    pub(super) compare: String,
}

/// Why an address that asks for something that is not there has no numbers.
pub(super) struct NoNumbers {
    /// What stands in their place.
    pub(super) text: String,
    /// What stands beside the dates, if these are why.
    pub(super) dates: Option<String>,
}

impl NoNumbers {
    /// What is not there, and how it was called.
    pub(super) fn named(what: &str, value: &str) -> NoNumbers {
        let value: String = value.chars().take(40).collect();
        NoNumbers { text: format!("{what} “{value}”."), dates: None }
    }
}

impl When {
    /// The same, or this period if it says none.
    pub(super) fn or(self, usual: &str) -> When {
        match self.period.is_empty() && !self.has_dates() {
            true => When { period: usual.to_owned(), ..self },
            false => self,
        }
    }

    pub(super) fn has_dates(&self) -> bool {
        !self.from.is_empty() || !self.to.is_empty()
    }

    /// The range that is asked for; `began` is when its subject did.
    pub(super) fn range(&self, state: &State, began: Timestamp, now: Timestamp) -> Result<Range, Refusal> {
        let text = |value: &String| Some(value.clone()).filter(|value| !value.is_empty());
        if self.has_dates() {
            let (from, to) = (text(&self.from), text(&self.to));
            return Range::parse(from.as_deref(), to.as_deref(), state.reports.calendar(), now);
        }
        let hour = (now.as_second().div_euclid(3_600) + 1) * 3_600;
        let days = match self.period.as_str() {
            "24h" => return Ok(Range { from: hour - 24 * 3_600, to: hour }),
            "7d" => 7,
            "30d" => 30,
            "90d" => 90,
            "365d" => 365,
            "" | "all" => (now.duration_since(began).as_hours().max(0) / 24 + 2).min(20 * 365),
            _ => return Err(Refusal::field(Reason::InvalidValue, "period", "there is no such period")),
        };
        // Whole days, today included: their numbers are the same in tiles, chart and panels.
        let calendar = state.reports.calendar();
        let today = calendar.day(now);
        let first = today.saturating_sub(i32::try_from(days - 1).unwrap_or(0));
        let first = if self.name() == "all" { first.max(calendar.day(began)) } else { first };
        Ok(Range { from: calendar.start_of(first), to: calendar.start_of(today.saturating_add(1)) })
    }

    /// What it is compared with. Before it began there is nothing.
    pub(super) fn compare(&self) -> Result<Option<Compare>, Refusal> {
        match self.compare.as_str() {
            _ if self.name() == "all" => Ok(None),
            "" => Ok(Some(Compare::Weekday)),
            "none" => Ok(None),
            text => Compare::parse(text).map(Some),
        }
    }

    /// The same without a period and a comparison that there are none of. Dates stay: they are mended where they stand.
    pub(super) fn known(&self) -> When {
        let (mut period, mut compare) = (self.period.clone(), self.compare.clone());
        if !PERIODS.iter().any(|(name, ..)| *name == period) {
            period.clear();
        }
        if !COMPARES.iter().any(|(name, _)| *name == compare) {
            compare.clear();
        }
        When { period, compare, ..self.clone() }
    }

    /// Why there is no such time or comparison, as its page says it; None for what is wrong elsewhere.
    pub(super) fn wrong(&self, refusal: &Refusal) -> Option<NoNumbers> {
        match refusal.field.as_deref()? {
            "period" => Some(NoNumbers::named("There is no period", &self.period)),
            "compare" => Some(NoNumbers::named("Nothing can be compared with", &self.compare)),
            "from" | "to" => Some(NoNumbers {
                text: "No numbers are shown until the dates are a time.".into(),
                dates: Some(format!("These dates are no time: {}.", refusal.detail)),
            }),
            _ => None,
        }
    }

    /// Which of the periods it is; "" for dates.
    pub(super) fn name(&self) -> &str {
        match self.period.as_str() {
            _ if self.has_dates() => "",
            "" => "all",
            name => name,
        }
    }

    /// As it stands in an address.
    fn pairs(&self) -> [(&'static str, String); 4] {
        let When { period, from, to, compare } = self.clone();
        [("period", period), ("from", from), ("to", to), ("compare", compare)]
    }

    /// As it stands in the address of a page that does not know when its subject began.
    pub(super) fn elsewhere(&self, range: Range, calendar: &Calendar) -> When {
        if self.name() != "all" {
            return self.clone();
        }
        When { compare: self.compare.clone(), ..dates(range, calendar) }
    }
}

/// A range by its ends: dates if it is of whole days, else times.
fn dates(range: Range, calendar: &Calendar) -> When {
    let (first, end) = range.days(calendar);
    let time = |second: i64| Timestamp::from_second(second).map(|at| at.to_string()).unwrap_or_default();
    let (from, to) = match range.to_days(calendar) == range {
        true => (date_of(first).to_string(), date_of(end - 1).to_string()),
        false => (time(range.from), time(range.to)),
    };
    When { from, to, ..When::default() }
}

/// In words: what is compared with.
pub(super) fn in_words(compare: Compare) -> &'static str {
    match compare {
        Compare::Previous => "the time before",
        Compare::Weekday => "the same weekdays before",
        Compare::Year => "the same weekdays a year before",
    }
}

/// An address: a path, and what says which view of it.
#[derive(Clone, Default)]
pub(super) struct Address {
    pub(super) path: String,
    pub(super) view: Vec<(&'static str, String)>,
}

impl Address {
    /// The address with this view; what is empty is left out.
    pub(super) fn with<'a>(&'a self, view: impl IntoIterator<Item = (&'a str, String)>) -> String {
        let mut query = Serializer::new(String::new());
        let own = self.view.iter().map(|(name, value)| (*name, value.clone()));
        for (name, value) in own.chain(view).filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, &value);
        }
        let query = query.finish();
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }

    /// The address of this time.
    pub(super) fn at(&self, when: &When) -> String {
        self.with(when.pairs())
    }
}

/// Something to choose.
struct Choice {
    href: String,
    words: &'static str,
    here: bool,
    key: &'static str,
}

/// Where another time and another comparison are chosen: links and one form, so that each view has its address.
#[derive(Template)]
#[template(path = "staff/templates/picker.html")]
pub(super) struct Picker {
    address: Address,
    periods: Vec<Choice>,
    compares: Vec<Choice>,
    /// None where the time is none.
    before: Option<String>,
    after: Option<String>,
    when: When,
    /// What is wrong with the dates.
    wrong: Option<String>,
}

impl Picker {
    /// For this page; `all` if it knows when its subject began.
    pub(super) fn new(
        state: &State,
        address: Address,
        asked: (&When, Range),
        all: bool,
        now: Timestamp,
    ) -> Picker {
        let (when, range) = asked;
        let calendar = state.reports.calendar();
        let periods = PERIODS.iter().filter(|(name, ..)| all || *name != "all");
        let periods = periods.map(|(name, words, key)| {
            let compare = when.compare.clone();
            let its = When { period: (*name).to_owned(), compare, ..When::default() };
            Choice { href: address.at(&its), words, here: when.name() == *name, key }
        });
        let chosen = if when.compare.is_empty() { "weekday" } else { when.compare.as_str() };
        let by = |name: &str| address.at(&When { compare: name.to_owned(), ..when.clone() });
        let place = COMPARES.iter().position(|(name, _)| *name == chosen).unwrap_or(0);
        let (next, _) = COMPARES[(place + 1) % COMPARES.len()];
        let compares = COMPARES.iter().map(|(name, words)| Choice {
            href: by(name),
            words,
            here: *name == chosen,
            key: if *name == next { "x" } else { "" },
        });
        let moved =
            |range: Range| address.at(&When { compare: when.compare.clone(), ..dates(range, calendar) });
        Picker {
            periods: periods.collect(),
            compares: if when.name() == "all" { vec![] } else { compares.collect() },
            before: Some(moved(range.before(Compare::Previous, calendar))),
            after: (range.to <= now.as_second()).then(|| moved(after(range, calendar))),
            when: when.clone(),
            address,
            wrong: None,
        }
    }

    /// For a page that may have no numbers, and then is at none of the choices: what is wrong with its dates stands
    /// beside them.
    pub(super) fn without(self, none: Option<&NoNumbers>) -> Picker {
        let Some(none) = none else { return self };
        let nowhere = |choice| Choice { here: false, ..choice };
        let compares = if none.dates.is_some() { vec![] } else { self.compares };
        Picker {
            periods: self.periods.into_iter().map(nowhere).collect(),
            compares: compares.into_iter().map(nowhere).collect(),
            before: None,
            after: None,
            wrong: none.dates.clone(),
            ..self
        }
    }

    /// Without anything to compare with.
    pub(super) fn alone(self) -> Picker {
        Picker { compares: vec![], ..self }
    }

    /// What a date field shows.
    fn dates(&self) -> [&str; 2] {
        [&self.when.from, &self.when.to].map(|text| if text.len() == 10 { text.as_str() } else { "" })
    }

    /// What the form keeps of the view.
    fn kept(&self) -> Vec<(&'static str, &str)> {
        let own = self.address.view.iter().map(|(name, value)| (*name, value.as_str()));
        own.chain([("compare", self.when.compare.as_str())]).filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// The range of the same length after this one, by days if both ends are midnights.
fn after(range: Range, calendar: &Calendar) -> Range {
    let (first, end) = range.days(calendar);
    match range.to_days(calendar) == range {
        true => Range { from: range.to, to: calendar.start_of(end + (end - first)) },
        false => Range { from: range.to, to: range.to + (range.to - range.from) },
    }
}

/// A question about such a range.
pub(super) fn question(state: &State, scope: ReportScope, range: Range, now: Timestamp) -> Question {
    state.hits.watch();
    Question { scope, range, now, as_of: now }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vienna() -> Calendar {
        Calendar::new(&[(0, "Europe/Vienna".into())]).unwrap()
    }

    #[test]
    fn an_address_says_what_it_is_about_and_nothing_else() {
        let address = Address { path: "/-/reports".into(), view: vec![("tab", "link".into())] };
        let when = When { period: "7d".into(), compare: "year".into(), ..When::default() };
        assert_eq!(address.at(&when), "/-/reports?tab=link&period=7d&compare=year");
        assert_eq!(Address { path: "/-/x".into(), view: vec![] }.at(&When::default()), "/-/x");
        assert_eq!(When::default().or("7d").name(), "7d");
        assert_eq!(When { from: "2026-01-01".into(), ..When::default() }.or("7d").name(), "");
    }

    #[test]
    fn days_are_dates_and_move_by_days_over_a_change_of_clocks() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        let week = Range { from: at("2026-10-18T22:00:00Z"), to: at("2026-10-25T23:00:00Z") };
        let when = dates(week, &vienna());
        assert_eq!((when.from.as_str(), when.to.as_str()), ("2026-10-19", "2026-10-25"));
        let next = dates(after(week, &vienna()), &vienna());
        assert_eq!((next.from.as_str(), next.to.as_str()), ("2026-10-26", "2026-11-01"));
        let hours = Range { from: week.from + 3_600, to: week.from + 7_200 };
        assert_eq!(dates(hours, &vienna()).from, "2026-10-18T23:00:00Z");
        assert_eq!(after(hours, &vienna()), Range { from: hours.to, to: hours.to + 3_600 });
    }

    #[test]
    fn what_there_is_none_of_is_left_out_but_for_dates() {
        let when = |period: &str, compare: &str| When {
            period: period.into(),
            compare: compare.into(),
            from: "soon".into(),
            ..When::default()
        };
        for (asked, known) in [(when("7d", "year"), ["7d", "year"]), (when("x", "x"), ["", ""])] {
            let its = asked.known();
            assert_eq!(([its.period.as_str(), its.compare.as_str()], its.from.as_str()), (known, "soon"));
        }
    }

    #[test]
    fn nothing_is_compared_with_before_it_began() {
        let by = |period: &str, compare: &str| {
            When { period: period.into(), compare: compare.into(), ..When::default() }.compare()
        };
        assert_eq!(by("7d", "").unwrap(), Some(Compare::Weekday));
        assert_eq!(by("7d", "year").unwrap(), Some(Compare::Year));
        assert_eq!((by("7d", "none").unwrap(), by("", "year").unwrap()), (None, None));
        assert!(by("7d", "x").is_err());
    }
}
