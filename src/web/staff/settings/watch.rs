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

/// What a reason means, for people.
fn in_words(code: &str) -> &str {
    match code {
        "store_unavailable" => "The store cannot be reached",
        "store_fenced" => "The store is not the one that was here",
        "mirror_incomplete" => "Not all links are known here yet",
        "journal_no_room" => "There is no room for hits",
        "journal_sync_failing" => "Hits do not reach the disk",
        "journal_odd_files" => "Files of others are in the journal's folder",
        "journal_stream_held" => "Old hits wait for the operator's word",
        "untrusted_forwarded_header" => "A proxy in front is not known",
        "apply_lag" => "Counting is behind",
        "setting_left_out" => "A setting is not in force",
        other => other,
    }
}

impl System<'_> {
    fn in_words<'a>(&self, reason: &'a Reason) -> &'a str {
        in_words(reason.code)
    }

    /// How it is, in a sentence.
    fn says(&self) -> &'static str {
        match self.standing {
            "ready" => "All is well.",
            "degraded" => "Links lead on, and hits are kept; but something wants to be looked at.",
            "starting" => "It is starting.",
            "stopping" => "It is stopping.",
            _ => "It cannot say where links lead.",
        }
    }
}

/// When the data folder was backed up last.
async fn last_backup(state: &State, frame: &Frame) -> String {
    let folder = state.settings.now().config.data.dir.clone();
    let last = tokio::task::spawn_blocking(move || crate::transfer::last_backup(&folder)).await;
    match last.ok().flatten() {
        Some(at) => frame.times.long(at),
        None => "none is known here (slugline backup DIR)".into(),
    }
}

pub(super) async fn system(state: &State, frame: &Frame) -> Result<String> {
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
        ("Time zone", state.reports.calendar().zone_name(frame.times.now)),
        ("Last backup", last_backup(state, frame).await),
        ("Mail", if state.digests.has_mail() { "on" } else { "off" }.to_owned()),
        ("Hits waiting in the journal", number(state.hits.standing(frame.times.now).waiting)),
        ("Settings that cannot be in force", number(u64::try_from(lists.len()).unwrap_or(0))),
    ];
    rendered(&System { frame, standing, reasons, facts })
}
