//! Why hits of a link were not clicks, in words that people understand.
//!
//! Guarantees a bounded answer: what is beyond [`MOST`] rows is summed under `other`, by class and reason.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{ReportService, Result};
use crate::domain::code::Code;
use crate::domain::hit::Class;
use crate::domain::link::Found;
use crate::domain::report::{Range, ReportScope};
use crate::domain::tally::{BEYOND, Scope, Series, shown_value};

/// Most rows.
const MOST: usize = 500;

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonRow {
    /// What the hits were instead of clicks.
    pub class: Class,
    /// Why, as a word.
    pub reason: String,
    /// Whose they were, where that is known: a network's, a bot's.
    pub name: Option<String>,
    /// How many.
    pub count: u64,
}

/// `GET /links/{code}/reasons`.
#[derive(Clone, Debug)]
pub struct Reasons {
    /// The link.
    pub link: Found,
    /// What the numbers really cover.
    pub range: Range,
    /// Hits that were clicks.
    pub clicks: u64,
    /// All others, the most first.
    pub rows: Vec<ReasonRow>,
}

impl ReportService {
    /// Why a link's hits were not clicks; without a range, of all time.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn reasons(&self, code: &Code, range: Option<Range>, now: Timestamp) -> Result<Reasons> {
        let mut links = self.links_of(&ReportScope::Link(code.clone())).await?;
        let Some(link) = links.pop() else { return Err(super::no_such_link().into()) };
        let calendar = self.calendar();
        let (from, to) = range.map_or((i64::MIN, i64::MAX), |range| {
            let (first, end) = range.days(calendar);
            (first.into(), end.into())
        });
        let scope = Scope::Link(link.link.code.as_str().into());
        let days = self.tallies.rows(&scope, Series::Day, from, to).await?;
        let mut counts: BTreeMap<(Class, String), u64> = BTreeMap::new();
        for row in self.tallies.rows(&scope, Series::Reason, from, to).await? {
            for (class, n) in [(Class::Preview, row.counts.previews), (Class::Bot, row.counts.bots)] {
                *counts.entry((class, row.value.to_string())).or_default() += n;
            }
        }
        let missed = self.tallies.rows(&scope, Series::Missed, from, to).await?;
        for row in &missed {
            *counts.entry((Class::Missed, row.value.to_string())).or_default() += row.counts.missed;
        }
        let first_day = days.iter().chain(&missed).map(|row| row.bucket).min();
        let range = range.map_or_else(
            || {
                let made = calendar.day(link.link.created_at);
                let first =
                    first_day.and_then(|day| i32::try_from(day).ok()).map_or(made, |day| day.min(made));
                let end = calendar.day(now) + 1;
                Range { from: calendar.start_of(first.min(end - 1)), to: calendar.start_of(end) }
            },
            |range| range.to_days(calendar),
        );
        let clicks = days.iter().map(|row| row.counts.clicks).sum();
        Ok(Reasons { link, range, clicks, rows: rows(counts) })
    }
}

/// The most first; what is beyond [`MOST`] is summed.
fn rows(counts: BTreeMap<(Class, String), u64>) -> Vec<ReasonRow> {
    let mut rows: Vec<ReasonRow> = counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|((class, value), count)| {
            let (reason, name) = match shown_value(&value).split_once(':') {
                Some((reason, name)) => (reason, Some(name.to_owned())),
                None => (shown_value(&value), None),
            };
            ReasonRow { class, reason: reason.to_owned(), name, count }
        })
        .collect();
    let order = |rows: &mut Vec<ReasonRow>| {
        rows.sort_by(|a, b| {
            let of = |row: &ReasonRow| (row.class, row.reason.clone(), row.name.clone());
            b.count.cmp(&a.count).then_with(|| of(a).cmp(&of(b)))
        });
    };
    order(&mut rows);
    let mut beyond: BTreeMap<(Class, String), u64> = BTreeMap::new();
    for row in rows.drain(rows.len().min(MOST)..) {
        *beyond.entry((row.class, row.reason)).or_default() += row.count;
    }
    rows.extend(beyond.into_iter().map(|((class, reason), count)| ReasonRow {
        class,
        reason,
        name: Some(BEYOND.to_owned()),
        count,
    }));
    order(&mut rows);
    rows
}

/// What a reason means, as a sentence.
#[must_use]
pub fn explanation(class: Class, reason: &str) -> &'static str {
    match (class, reason) {
        (_, "head") => "Only the head of the page was asked for (HEAD), as link previews and checkers do.",
        (_, "prefetch") => "A browser loaded the page ahead; the reader had not come yet.",
        (_, "unfurl") => "An app or network fetched the link to show a preview of it where it was shared.",
        (_, "excluded") => "Your own configuration excludes this address or this program from the clicks.",
        (_, "data_centre") => "The request came from a data centre, where no readers are.",
        (_, "mail_scanner") => "A mail server opened the link to check it before the reader got the mail.",
        (_, "known_bot") => "The program is on the list of known crawlers, monitors and other bots.",
        (_, "says_so") => "The program says of itself that it is a bot, a crawler or a tool.",
        (_, "contact") => "The program names an address to ask at, as crawlers do and browsers never.",
        (_, "no_engine") => "The program names nothing that can show a page to a reader.",
        (_, "no_agent") => "The request did not say what program it came from; every browser does.",
        (_, "unreadable") => "What the request said of its program could not be read.",
        (Class::Missed, "not_open") => {
            "The link was not open yet: it was scheduled, or reserved without a target."
        }
        (Class::Missed, "disabled") => "The link was disabled by hand.",
        (Class::Missed, "expired") => "The link had expired.",
        (Class::Missed, "withdrawn") => "The story had been withdrawn.",
        (Class::Missed, "retired") => "The link had been retired.",
        (_, BEYOND) => "More different reasons than are kept apart on one day.",
        _ => "It was not classed as a person's.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hit::MissedReason;
    use crate::hits::classify::Reason;

    #[test]
    fn every_reason_has_its_words() {
        let unknown = explanation(Class::Bot, "?");
        let reasons = [
            Reason::Head,
            Reason::Prefetch,
            Reason::Unfurl,
            Reason::Excluded,
            Reason::DataCentre,
            Reason::MailScanner,
            Reason::KnownBot,
            Reason::SaysSo,
            Reason::Contact,
            Reason::NoEngine,
            Reason::NoAgent,
            Reason::Unreadable,
        ];
        for reason in reasons {
            assert_ne!(explanation(Class::Bot, reason.as_str()), unknown, "{}", reason.as_str());
        }
        for reason in MissedReason::ALL {
            assert_ne!(explanation(Class::Missed, reason.as_str()), unknown, "{}", reason.as_str());
        }
    }

    #[test]
    fn many_reasons_are_bounded_and_their_sum_stays() {
        let mut counts = BTreeMap::new();
        for n in 0..2_000_u64 {
            counts.insert((Class::Bot, format!("~says_so:bot {n}")), n);
        }
        counts.insert((Class::Preview, "head".to_owned()), 5_000);
        let rows = rows(counts);
        assert!(rows.len() <= MOST + 1, "{}", rows.len());
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 5_000 + 1_999 * 1_000);
        assert_eq!((rows[0].reason.as_str(), rows[0].name.as_deref()), ("says_so", Some(BEYOND)));
        assert_eq!((rows[1].reason.as_str(), rows[1].name.as_deref()), ("head", None));
        assert_eq!((rows[2].name.as_deref(), rows[2].count), (Some("bot 1999"), 1_999));
    }
}
