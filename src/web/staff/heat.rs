//! The hours of a week in which a link or a story is followed.
//!
//! Guarantees that there is none without clicks: a page without data stays small.

use askama::Template;

use super::format::Times;
use super::numbers::Subject;
use super::question::{Address, question};
use super::reports::{Week, week};
use crate::domain::error::Reason;
use crate::reports::Error as ReportError;
use crate::web::State;
use crate::web::error::Result;

/// A panel with a table.
#[derive(Template)]
#[template(path = "staff/templates/heat.html")]
pub(super) struct Heat {
    week: Week,
    zone: String,
    /// The same as a report.
    href: Option<String>,
}

impl Heat {
    /// Of a subject; None without clicks, or if hours of that time are not kept any more.
    pub(super) async fn new(
        state: &State,
        subject: &Subject<'_>,
        zone: &str,
        times: &Times,
    ) -> Result<Option<Heat>> {
        let asked = question(state, subject.scope.clone(), subject.range, times.now);
        let rows = match state.reports.heat(&asked).await {
            Ok(heat) => heat.rows,
            Err(ReportError::Refused(refusal)) if refusal.reason == Reason::OutOfRange => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if rows.iter().all(|row| row.counts.clicks == 0) {
            return Ok(None);
        }
        let view = vec![("tab", "times".to_owned()), ("scope", subject.scope.to_string())];
        let when = subject.when.elsewhere(subject.range, state.reports.calendar());
        let href = Address { path: "/-/reports".into(), view }.at(&when);
        Ok(Some(Heat { week: week(&rows), zone: zone.to_owned(), href: subject.linked.then_some(href) }))
    }

    fn hours(&self) -> std::ops::Range<u8> {
        0..24
    }
}
