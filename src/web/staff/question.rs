//! What a page of numbers is about: a scope, a time, and what it is compared with; all of it in the page's address.

use jiff::Timestamp;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::domain::error::Refusal;
use crate::domain::report::{Range, ReportScope};
use crate::reports::Question;
use crate::web::State;

/// Periods that are a press away: what stands in the address, and what people say.
pub(super) const PERIODS: [(&str, &str); 6] = [
    ("all", "Since it began"),
    ("24h", "24 hours"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("90d", "90 days"),
    ("365d", "A year"),
];

/// The part of an address that says when.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct When {
    /// One of [`PERIODS`].
    pub(super) period: String,
    /// A date, instead.
    pub(super) from: String,
    /// A date.
    pub(super) to: String,
}

impl When {
    /// The range that is asked for; `began` is when its subject did.
    pub(super) fn range(&self, state: &State, began: Timestamp, now: Timestamp) -> Result<Range, Refusal> {
        let text = |value: &String| Some(value.clone()).filter(|value| !value.is_empty());
        if !self.from.is_empty() || !self.to.is_empty() {
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
            _ => (now.duration_since(began).as_hours().max(0) / 24 + 2).min(20 * 365),
        };
        // Whole days, today included: their numbers are the same in tiles, chart and panels.
        let calendar = state.reports.calendar();
        let today = calendar.day(now);
        let first = today.saturating_sub(i32::try_from(days - 1).unwrap_or(0));
        let first = if self.name() == "all" { first.max(calendar.day(began)) } else { first };
        Ok(Range { from: calendar.start_of(first), to: calendar.start_of(today.saturating_add(1)) })
    }

    /// The address of the same view of another period.
    pub(super) fn other(path: &str, period: &str) -> String {
        let query = Serializer::new(String::new()).append_pair("period", period).finish();
        format!("{path}?{query}")
    }

    /// Which of the periods it is; "" for dates.
    pub(super) fn name(&self) -> &str {
        match self.period.as_str() {
            _ if !self.from.is_empty() || !self.to.is_empty() => "",
            "" => "all",
            name => name,
        }
    }
}

/// A question about such a range.
pub(super) fn question(state: &State, scope: ReportScope, range: Range, now: Timestamp) -> Question {
    state.hits.watch();
    Question { scope, range, now, as_of: now }
}
