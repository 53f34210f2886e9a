//! What is done for stories in the background: pages that came late, pages that are due, and link checks.
//!
//! Guarantees that a failure is logged and tried again later, that of many nodes one looks at pages and targets, and that
//! all of it ends at a stop. What is decided is `links` and `articles`; here is only when.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::leases::Lease;
use crate::articles::check::{PAUSE, Row, Scheduler, look_at_all};
use crate::articles::fetch::without_query;
use crate::articles::{Reader, Reading};
use crate::clock;
use crate::domain::link::Status;
use crate::domain::tally::ScopeKind;
use crate::links::LinkService;
use crate::store::Tallies;
use crate::telemetry;

/// Between two looks for pages that are due.
const DUE_EVERY: Duration = Duration::from_secs(5);
/// Between two rounds of link checks.
const CHECK_EVERY: Duration = Duration::from_secs(600);
/// Before the first one: a start has other things to do.
const FIRST_CHECK: Duration = Duration::from_secs(60);
/// Targets that are looked at in one round.
const ROUND: usize = 300;
/// Links with clicks in this time are looked at, in days.
const LOOK_BACK: i64 = 7;
/// Links that are asked for at once.
const LINKS: usize = 10_000;

/// The tasks.
pub(super) struct Stories {
    pub(super) links: Arc<LinkService>,
    pub(super) tallies: Arc<dyn Tallies>,
    pub(super) reader: Reader,
    pub(super) late: mpsc::Receiver<Arc<Reading>>,
    /// Whose turn it is to look at pages and targets.
    pub(super) lease: Lease,
}

impl Stories {
    /// Does what comes up until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let Stories { links, tallies, reader, late, lease } = self;
        let held = lease.watch();
        tokio::join!(
            until(&stop, hear(&links, late)),
            until(&stop, read_due(&links, held.clone())),
            until(&stop, check(&links, &*tallies, &reader, held)),
            lease.keep(&stop),
        );
        reader.stop().await;
    }
}

async fn until(stop: &CancellationToken, work: impl Future<Output = ()>) {
    stop.run_until_cancelled(work).await;
}

/// Keeps readings that came after their links were made.
async fn hear(links: &LinkService, mut late: mpsc::Receiver<Arc<Reading>>) {
    while let Some(reading) = late.recv().await {
        if let Err(error) = links.hear(&reading, clock::now()).await {
            // Its story is due in a while.
            tracing::error!(%error, page = without_query(&reading.form.url), "what a page says could not be kept");
        }
    }
    std::future::pending().await
}

async fn read_due(links: &LinkService, held: watch::Receiver<bool>) {
    loop {
        tokio::time::sleep(DUE_EVERY).await;
        if !*held.borrow() {
            continue;
        }
        match links.read_due(clock::now()).await {
            Ok(0) => {}
            Ok(pages) => tracing::debug!(pages, "pages were read again"),
            Err(error) => tracing::error!(%error, "pages that are due could not be read"),
        }
    }
}

/// Looks whether the targets that still get clicks are there.
async fn check(links: &LinkService, tallies: &dyn Tallies, reader: &Reader, mut held: watch::Receiver<bool>) {
    let mut scheduler = Scheduler::new(ROUND);
    tokio::time::sleep(FIRST_CHECK).await;
    loop {
        if !*held.borrow_and_update() {
            // Another node says how many are broken.
            metrics::gauge!(telemetry::BROKEN_LINKS).set(0.0);
            if held.changed().await.is_err() {
                return;
            }
            continue;
        }
        // Staff may want pages to be read, or not, at any time.
        if !links.reads_pages() {
            tokio::time::sleep(CHECK_EVERY).await;
            continue;
        }
        if let Err(error) = round(links, tallies, reader, &mut scheduler).await {
            tracing::error!(%error, "targets could not be checked");
        }
        // Who loses the lease says so at once.
        let _ = tokio::time::timeout(CHECK_EVERY, held.changed()).await;
    }
}

async fn round(
    links: &LinkService,
    tallies: &dyn Tallies,
    reader: &Reader,
    scheduler: &mut Scheduler,
) -> crate::links::Result<()> {
    let rows = rows(links, tallies, clock::now()).await?;
    let broken = rows.iter().filter(|row| row.broken.is_some()).count();
    metrics::gauge!(telemetry::BROKEN_LINKS).set(f64::from(u32::try_from(broken).unwrap_or(u32::MAX)));
    let due = scheduler.due(&rows, clock::now());
    let (tell, mut told) = mpsc::channel(ROUND);
    let looking = async move {
        look_at_all(reader.fetcher(), &reader.canon(), due, PAUSE, &tell).await;
    };
    let keeping = async {
        while let Some((due, health)) = told.recv().await {
            let verdict = scheduler.seen(due.target.as_str(), &health, clock::now());
            metrics::counter!(telemetry::LINK_CHECKS).increment(1);
            if let Err(error) = links.judged(&due, &verdict, clock::now()).await {
                tracing::error!(%error, target = without_query(&due.target), "what a check found could not be kept");
            }
        }
    };
    tokio::join!(looking, keeping);
    Ok(())
}

/// Open links that got clicks lately.
async fn rows(links: &LinkService, tallies: &dyn Tallies, now: Timestamp) -> crate::links::Result<Vec<Row>> {
    let (from, to) = (now.as_second() - LOOK_BACK * 86_400, now.as_second() + 1);
    let counts = links.within(tallies.by_scope(ScopeKind::Link, from, to, None)).await?;
    let mut clicks: HashMap<String, u64> = HashMap::new();
    for (code, counts) in counts.into_iter().filter(|(_, counts)| counts.clicks > 0) {
        clicks.insert(code, counts.clicks);
    }
    let codes: Vec<&String> = clicks.keys().collect();
    let mut rows = vec![];
    for codes in codes.chunks(LINKS) {
        let keys: Vec<String> =
            codes.iter().map(|code| crate::domain::code::fold(code).into_owned()).collect();
        for found in links.within(links.store().find_many(&keys)).await? {
            let link = &found.link;
            let (Some(target), Some(clicks)) = (&link.target, clicks.get(link.code.as_str())) else {
                continue;
            };
            if found.status(now) == Status::Active {
                rows.push(Row {
                    code: link.code.to_string(),
                    target: target.clone(),
                    clicks: *clicks,
                    broken: link.broken.clone(),
                });
            }
        }
    }
    Ok(rows)
}
