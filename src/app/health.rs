//! How the process is: its phase, what is not well and since when, and the gauges that need asking.
//!
//! Reasons have stable codes for alerting rules. Knows no HTTP.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::coherence::Coherence;
use crate::hits::Hits;
use crate::hits::journal::Alarm;
use crate::settings::SettingsService;
use crate::store::cache::Cache;
use crate::store::{Backend, Tallies};
use crate::telemetry::{self, gauge};
use crate::web::client::Clients;

/// Hits that wait for longer than this are worth telling, in seconds.
const SLOW_APPLY: i64 = 180;

/// The store cannot be asked.
const UNAVAILABLE: &str = "store_unavailable";

/// Something that is not well.
#[derive(Clone, Debug, Serialize)]
pub struct Reason {
    /// Stable, for alerting rules.
    pub code: &'static str,
    /// For people.
    pub detail: String,
    /// Since when.
    pub since: Timestamp,
}

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not ready yet.
    Starting = 0,
    /// Redirects.
    Running = 1,
    /// Takes no new connections.
    Stopping = 2,
}

/// What health is read from.
pub struct Health {
    phase: AtomicU8,
    hits: Arc<Hits>,
    cache: Arc<Cache>,
    clients: Arc<Clients>,
    coherence: Arc<Coherence>,
    tallies: Arc<dyn Tallies>,
    backend: Arc<dyn Backend>,
    settings: Arc<SettingsService>,
    /// Since when each reason holds, for those that do not know it themselves.
    since: Mutex<BTreeMap<&'static str, Timestamp>>,
}

impl Health {
    /// Over the parts of a process that is starting.
    #[must_use]
    pub fn new(
        hits: Arc<Hits>,
        cache: Arc<Cache>,
        clients: Arc<Clients>,
        coherence: Arc<Coherence>,
        (tallies, backend): (Arc<dyn Tallies>, Arc<dyn Backend>),
        settings: Arc<SettingsService>,
    ) -> Health {
        let phase = AtomicU8::new(Phase::Starting as u8);
        let since = Mutex::default();
        Health { phase, hits, cache, clients, coherence, tallies, backend, settings, since }
    }

    /// Goes on to the next phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// The phase's name unless it is running, and what is not well.
    #[must_use]
    pub fn now(&self, now: Timestamp) -> (Option<&'static str>, Vec<Reason>) {
        let phase = match self.phase.load(Ordering::Acquire) {
            p if p == Phase::Starting as u8 => Some("starting"),
            p if p == Phase::Running as u8 => self.blind().then_some("fenced"),
            _ => Some("stopping"),
        };
        (phase, self.reasons(now))
    }

    /// True if not even known links can be told.
    fn blind(&self) -> bool {
        self.backend.troubles().iter().any(|trouble| trouble.blind)
    }

    fn reasons(&self, now: Timestamp) -> Vec<Reason> {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap_or(now);
        let mut reasons = vec![];
        for alarm in self.hits.journal().alarms() {
            reasons.push(match alarm {
                Alarm::NoRoom { since_ms, lost } => Reason {
                    code: "journal_no_room",
                    detail: format!("there is no room for hits; {lost} were lost, redirects go on"),
                    since: at(since_ms),
                },
                Alarm::SyncFailing { since_ms, uncovered, error } => Reason {
                    code: "journal_sync_failing",
                    detail: format!("hits cannot be synced ({error}); a power cut would take {uncovered}"),
                    since: at(since_ms),
                },
            });
        }
        for trouble in self.backend.troubles() {
            let lasting = SignedDuration::try_from(trouble.lasting).unwrap_or_default();
            reasons.push(Reason { code: trouble.code, detail: trouble.detail, since: now - lasting });
        }
        let known = reasons.iter().any(|reason| reason.code == UNAVAILABLE);
        if let Some(since) = self.coherence.failing_since(now).filter(|_| !known) {
            let detail = "the store cannot be reached; known links redirect, their hits wait in the journal";
            reasons.push(Reason { code: UNAVAILABLE, detail: detail.into(), since });
        }
        if let Some(seen) = self.clients.untrusted_header(now.as_millisecond()) {
            let detail = "requests come with X-Forwarded-For or Forwarded from an address that is not trusted; if that \
                          is your own proxy, add its range to clients.trusted_proxies";
            reasons.push(Reason {
                code: "untrusted_forwarded_header",
                detail: detail.into(),
                since: at(seen),
            });
        }
        let standing = self.hits.standing(now);
        let lag = now.as_second() - standing.as_of.as_second();
        if standing.waiting > 0 && lag > SLOW_APPLY {
            let detail = format!("{} hits wait to be counted, the oldest for {lag} s", standing.waiting);
            reasons.push(Reason { code: "apply_lag", detail, since: standing.as_of });
        }
        let foreign = self.hits.journal().odd().len();
        if foreign > 0 {
            let detail =
                format!("{foreign} files in the journal's folder are not of this store and are left alone");
            let since = self.first_seen("journal_odd_files", now);
            reasons.push(Reason { code: "journal_odd_files", detail, since });
        }
        let held = self.hits.held();
        if held > 0 {
            let detail = format!(
                "{held} journal streams begun over 29 days ago are unknown to the store and are not counted: their \
                 hits may have been counted before"
            );
            let since = self.first_seen("journal_stream_held", now);
            reasons.push(Reason { code: "journal_stream_held", detail, since });
        }
        reasons.extend(self.left_out(now));
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.retain(|code, _| reasons.iter().any(|reason| reason.code == *code));
        reasons
    }

    /// What staff have set and cannot be.
    fn left_out(&self, now: Timestamp) -> Option<Reason> {
        let composed = self.settings.now();
        let named =
            composed.left_out.iter().map(|out| format!("{} {} ({})", out.kind.as_str(), out.name, out.why));
        let named: Vec<String> = named.take(5).collect();
        let more = composed.left_out.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!named.is_empty()).then(|| Reason {
            code: "setting_left_out",
            detail: format!("what staff have set cannot be and is left out: {}{more}", named.join(", ")),
            since: self.first_seen("setting_left_out", now),
        })
    }

    fn first_seen(&self, code: &'static str, now: Timestamp) -> Timestamp {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        *since.entry(code).or_insert(now)
    }

    /// Sets the gauges that need asking.
    pub async fn measure(&self, now: Timestamp) {
        use metrics::gauge as set;
        let numbers = self.hits.journal().numbers();
        let standing = self.hits.standing(now);
        let (links, bytes) = self.cache.size();
        set!(telemetry::JOURNALLED).set(gauge(numbers.appended));
        set!(telemetry::UNJOURNALLED).set(gauge(numbers.lost));
        set!(telemetry::JOURNAL_BYTES).set(gauge(numbers.bytes));
        set!(telemetry::UNSYNCED).set(gauge(numbers.unsynced));
        set!(telemetry::SYNC_SECONDS).set(numbers.syncs.last.as_secs_f64());
        set!(telemetry::WAITING).set(gauge(standing.waiting));
        let lag = now.as_millisecond() - standing.as_of.as_millisecond();
        set!(telemetry::APPLY_LAG).set(gauge(u64::try_from(lag).unwrap_or(0)) / 1000.0);
        set!(telemetry::CACHE_LINKS).set(gauge(u64::try_from(links).unwrap_or(u64::MAX)));
        set!(telemetry::CACHE_BYTES).set(gauge(bytes));
        set!(telemetry::STALENESS).set(self.coherence.staleness(now));
        if let Ok(lost) = self.tallies.lost().await {
            let (site, lanes) = lost.split_last().map_or((0, &[][..]), |(site, lanes)| (*site, lanes));
            set!(telemetry::LOST, "lanes" => "links").set(gauge(lanes.iter().sum()));
            set!(telemetry::LOST, "lanes" => "site").set(gauge(site));
        }
    }
}
