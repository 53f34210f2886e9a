//! Logs and metrics: every metric's name and help text, in one place.
//!
//! Guarantees few series and no reader's address, no code and no secret in any label or line. Gauges that need
//! asking are set when `/metrics` is read.

use std::sync::OnceLock;
use std::time::Instant;

use http::StatusCode;
use metrics::{Counter, Histogram, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};

/// Requests by route and status.
pub const REQUESTS: &str = "slugline_requests_total";
/// Time to answer a code, without the network.
pub const REDIRECT_SECONDS: &str = "slugline_redirect_seconds";
/// Codes answered from this process's cache.
pub const CACHE_HITS: &str = "slugline_cache_hits_total";
/// Codes for which the store was asked.
pub const CACHE_MISSES: &str = "slugline_cache_misses_total";
/// Links in the cache.
pub const CACHE_LINKS: &str = "slugline_cache_links";
/// Bytes of the cache.
pub const CACHE_BYTES: &str = "slugline_cache_bytes";
/// Seconds for which this node may not have seen a change.
pub const STALENESS: &str = "slugline_link_cache_staleness_seconds";
/// Hits counted, by class.
pub const HITS: &str = "slugline_hits_total";
/// Hits and missed visits written to the journal.
pub const JOURNALLED: &str = "slugline_journal_records_total";
/// Hits in the journal that are not counted yet.
pub const WAITING: &str = "slugline_journal_waiting";
/// Bytes of the journal's segments.
pub const JOURNAL_BYTES: &str = "slugline_journal_bytes";
/// Duration of the last sync.
pub const SYNC_SECONDS: &str = "slugline_journal_sync_seconds";
/// Hits written since the last good sync.
pub const UNSYNCED: &str = "slugline_journal_unsynced";
/// Hits that could not be journalled.
pub const UNJOURNALLED: &str = "slugline_journal_lost_total";
/// Hits known to be gone, as the store counts them.
pub const LOST: &str = "slugline_hits_lost";
/// Age of the oldest hit that is not counted.
pub const APPLY_LAG: &str = "slugline_apply_lag_seconds";
/// Applies by outcome.
pub const APPLIES: &str = "slugline_applies_total";
/// Store ordinals that were lower than what had been applied.
pub const ROLLBACKS: &str = "slugline_store_rollbacks_total";
/// Corrupt places found in journals.
pub const CORRUPT: &str = "slugline_journal_corrupt_total";
/// Targets that were looked at.
pub const LINK_CHECKS: &str = "slugline_link_checks_total";
/// Links with clicks in the last days whose targets are broken or have moved.
pub const BROKEN_LINKS: &str = "slugline_broken_links";
/// Tries of webhooks' messages by outcome.
pub const WEBHOOK_DELIVERIES: &str = "slugline_webhook_deliveries_total";
/// Messages that could not be put on their way.
pub const WEBHOOK_LOST: &str = "slugline_webhook_messages_lost_total";

/// Digests that were sent, tried, given up.
pub const DIGESTS: &str = "slugline_digests_total";

/// Redirects take microseconds: the buckets begin there.
const REDIRECT_BUCKETS: [f64; 13] =
    [2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 1.0];

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the recorder of this process, once; tests start several services in one process.
pub fn metrics() -> Option<&'static PrometheusHandle> {
    RECORDER
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Full(REDIRECT_SECONDS.to_owned()), &REDIRECT_BUCKETS);
            let recorder = builder.ok()?.build_recorder();
            let handle = recorder.handle();
            metrics::set_global_recorder(recorder).ok()?;
            describe();
            begin_at_zero();
            Some(handle)
        })
        .as_ref()
}

fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram};
    counter!(REQUESTS, "Requests by route and status.");
    histogram!(REDIRECT_SECONDS, Unit::Seconds, "Time to answer a code, without the network.");
    counter!(CACHE_HITS, "Codes answered from this process's cache.");
    counter!(CACHE_MISSES, "Codes for which the store was asked.");
    gauge!(CACHE_LINKS, "Links in this process's cache.");
    gauge!(CACHE_BYTES, Unit::Bytes, "Estimated size of this process's cache.");
    gauge!(STALENESS, Unit::Seconds, "For how long this node may not have seen a change of a link or key.");
    counter!(HITS, "Hits counted, by class (click, preview, bot, missed).");
    gauge!(JOURNALLED, "Hits and missed visits written to the journal since the start.");
    gauge!(WAITING, "Hits in the journal that are not counted yet.");
    gauge!(JOURNAL_BYTES, Unit::Bytes, "Size of the journal's segments.");
    gauge!(SYNC_SECONDS, Unit::Seconds, "Duration of the journal's last sync.");
    gauge!(UNSYNCED, "Hits written since the journal's last good sync.");
    gauge!(UNJOURNALLED, "Hits that could not be written to the journal (no room).");
    gauge!(LOST, "Hits known to be gone, by lane kind.");
    gauge!(APPLY_LAG, Unit::Seconds, "Age of the oldest hit that is not counted yet.");
    counter!(APPLIES, "Batches applied to the store, by outcome (done, mismatch, failed).");
    counter!(ROLLBACKS, "Times the store's ordinal was lower than what had been applied.");
    counter!(CORRUPT, "Corrupt places found in journals.");
    counter!(LINK_CHECKS, "Targets that were looked at.");
    gauge!(BROKEN_LINKS, "Links with clicks in the last days whose targets are broken or have moved.");
    counter!(WEBHOOK_DELIVERIES, "Tries of webhooks' messages, by outcome (delivered, again, given_up).");
    counter!(DIGESTS, "Sendings of digests by mail, by outcome (sent, again, given_up).");
    counter!(
        WEBHOOK_LOST,
        "Messages for webhooks that could not be put on their way (store away, too many waiting)."
    );
}

/// A counter that has not counted yet is 0 and not absent, so that an alert on its rise sees the first one.
fn begin_at_zero() {
    for class in ["click", "preview", "bot", "missed"] {
        metrics::counter!(HITS, "class" => class).absolute(0);
    }
    for outcome in ["done", "mismatch", "failed"] {
        metrics::counter!(APPLIES, "outcome" => outcome).absolute(0);
    }
    metrics::counter!(ROLLBACKS).absolute(0);
    metrics::counter!(CORRUPT).absolute(0);
    metrics::counter!(LINK_CHECKS).absolute(0);
    metrics::gauge!(BROKEN_LINKS).set(0.0);
    for outcome in ["delivered", "again", "given_up"] {
        metrics::counter!(WEBHOOK_DELIVERIES, "outcome" => outcome).absolute(0);
    }
    metrics::counter!(WEBHOOK_LOST).absolute(0);
    for outcome in ["sent", "again", "given_up"] {
        metrics::counter!(DIGESTS, "outcome" => outcome).absolute(0);
    }
}

/// The handles of the redirect, looked up once.
pub struct RedirectMetrics {
    /// Answered from the cache.
    pub cache_hits: Counter,
    /// The store was asked.
    pub cache_misses: Counter,
    seconds: Histogram,
    by_status: [(StatusCode, Counter); 9],
    other: Counter,
}

impl RedirectMetrics {
    /// Looks the handles up.
    #[must_use]
    pub fn new() -> RedirectMetrics {
        let of = |status: StatusCode| {
            (
                status,
                metrics::counter!(REQUESTS, "route" => "/{code}", "status" => status.as_str().to_owned()),
            )
        };
        RedirectMetrics {
            cache_hits: metrics::counter!(CACHE_HITS),
            cache_misses: metrics::counter!(CACHE_MISSES),
            seconds: metrics::histogram!(REDIRECT_SECONDS),
            by_status: [
                of(StatusCode::FOUND),
                of(StatusCode::MOVED_PERMANENTLY),
                of(StatusCode::TEMPORARY_REDIRECT),
                of(StatusCode::PERMANENT_REDIRECT),
                of(StatusCode::NOT_FOUND),
                of(StatusCode::GONE),
                of(StatusCode::OK),
                of(StatusCode::METHOD_NOT_ALLOWED),
                of(StatusCode::SERVICE_UNAVAILABLE),
            ],
            other: metrics::counter!(REQUESTS, "route" => "/{code}", "status" => "other"),
        }
    }

    /// Counts one answer.
    #[inline]
    pub fn answered(&self, status: StatusCode, began: Instant) {
        let counter = self.by_status.iter().find(|(s, _)| *s == status).map_or(&self.other, |(_, c)| c);
        counter.increment(1);
        self.seconds.record(began.elapsed().as_secs_f64());
    }
}

impl Default for RedirectMetrics {
    fn default() -> RedirectMetrics {
        RedirectMetrics::new()
    }
}

/// A whole number as a metric's value. Above 2^53 the last digits are lost, which no gauge shows.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "a gauge is a float; counts that large are not exact in it")]
pub fn gauge(value: u64) -> f64 {
    value as f64
}

/// Sends log lines to stderr. Once for a process; again does nothing.
pub fn init_logs(log: &Log) {
    let filter = log.filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let filtered = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let set = match log.format {
        LogFormat::Json => filtered.with(lines.json().flatten_event(true)).try_init(),
        LogFormat::Text => {
            filtered.with(lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))).try_init()
        }
    };
    // A second service in one process logs where the first one does.
    drop(set);
}
