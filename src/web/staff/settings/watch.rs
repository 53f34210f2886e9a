//! What is to be watched: who did what, and how the service is.

use askama::Template;

use super::{Frame, rendered};
use crate::app::health::Reason;
use crate::store::accounts::AuditEntry;
use crate::web::State;
use crate::web::error::Result;
use crate::web::staff::format::number;

/// Lines of a page of the audit.
const LINES: usize = 100;

#[derive(Template)]
#[template(path = "staff/templates/settings/audit.html")]
struct Audit<'a> {
    frame: &'a Frame,
    entries: Vec<AuditEntry>,
    next: Option<u64>,
}

#[derive(Template)]
#[template(path = "staff/templates/settings/system.html")]
struct System<'a> {
    frame: &'a Frame,
    standing: &'static str,
    reasons: Vec<Reason>,
    facts: Vec<(&'static str, String)>,
}

pub(super) async fn audit(state: &State, frame: &Frame) -> Result<String> {
    let mut entries = state.accounts.store().audited(frame.asked.before, LINES + 1).await?;
    let more = entries.len() > LINES;
    entries.truncate(LINES);
    let next = entries.last().filter(|_| more).map(|entry| entry.id);
    rendered(&Audit { frame, entries, next })
}

pub(super) fn system(state: &State, frame: &Frame) -> Result<String> {
    let (phase, reasons) =
        state.health.as_ref().map(|health| health.now(frame.times.now)).unwrap_or_default();
    let standing = match phase {
        Some(phase) => phase,
        None if reasons.is_empty() => "ready",
        None => "degraded",
    };
    let now = state.settings.now();
    let kind = serde_json::to_value(now.config.store.kind).unwrap_or_default();
    let lists = &now.left_out;
    let facts = vec![
        ("Version", env!("CARGO_PKG_VERSION").to_owned()),
        ("Store", kind.as_str().unwrap_or_default().to_owned()),
        ("Readers see", state.public_url.to_string()),
        ("Staff see", state.staff_url.to_string()),
        ("Hits that are not counted yet", number(state.hits.standing(frame.times.now).waiting)),
        ("Settings that cannot be in force", number(u64::try_from(lists.len()).unwrap_or(0))),
    ];
    rendered(&System { frame, standing, reasons, facts })
}
