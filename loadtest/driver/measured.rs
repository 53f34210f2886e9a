//! One stretch of load at a server of our own, by one or more load generators at once, and all that is measured around it.
//!
//! Guarantees: the server's CPU time and its cache are taken from a moment when nothing waits to a moment when nothing
//! waits; all generators begin together. Refuses to know: what the figures are compared for.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use crate::api::Api;
use crate::check::Verdict;
use crate::load::{self, Outcome, Plan, Sending};
use crate::mix::{Asking, Mix, SEED};
use crate::node::Node;
use crate::numbers::{ratio, whole};
use crate::outcome::{achieved, held, latency_us};
use crate::schedule::Rate;

pub(crate) const SETTLE: Duration = Duration::from_secs(300);

/// The mix that asks this server so.
pub(crate) fn mix(node: &Node, asking: Asking, codes: &[String]) -> Result<Arc<Mix>> {
    Ok(Arc::new(Mix::asking(asking, &node.address.to_string(), codes, SEED)?))
}

/// Closed loop: how many of these redirects a second the server can do. What goes before warms its cache.
pub(crate) fn most(sending: &Sending, node: &Node, api: &Api, mix: &Arc<Mix>) -> Result<u64> {
    let mut last = 0.0;
    for number in 0..2 {
        let seen = stretch(node, api, &[sending.plan(node.address, mix, Rate::Max, 1_000 + number)])?;
        last = seen.parts.first().context("there is one part")?.rate;
    }
    Ok(whole(last)?.max(1))
}

/// What one generator saw.
pub(crate) struct Part {
    pub(crate) rate: f64,
    /// Redirects.
    pub(crate) answered: u64,
    /// Whole answers, redirects or not.
    pub(crate) all: u64,
    pub(crate) unknown: u64,
    pub(crate) unsent: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Whether all was sent in time and answered.
    pub(crate) held: bool,
}

impl Part {
    pub(crate) fn of(plan: &Plan, outcome: &Outcome) -> Self {
        let tally = &outcome.tally;
        Self {
            rate: achieved(plan, outcome),
            answered: tally.answered,
            all: tally.statuses().values().sum(),
            unknown: tally.unknown,
            unsent: tally.unsent,
            p50: latency_us(outcome, 0.5),
            p99: latency_us(outcome, 0.99),
            held: held(plan, outcome),
        }
    }
}

/// What a stretch showed.
pub(crate) struct Stretch {
    pub(crate) parts: Vec<Part>,
    /// Of the server, all parts together.
    pub(crate) cpu: Duration,
    /// Codes answered from the links' cache, and such for which the store was asked.
    pub(crate) cache: (f64, f64),
    pub(crate) verdict: Verdict,
}

impl Stretch {
    pub(crate) fn answered(&self) -> u64 {
        self.parts.iter().map(|part| part.answered).sum()
    }

    /// Of all codes asked for, those that the cache knew.
    pub(crate) fn hit_rate(&self) -> f64 {
        ratio(self.cache.0, self.cache.0 + self.cache.1).unwrap_or(0.0)
    }

    pub(crate) fn held(&self) -> bool {
        self.parts.iter().all(|part| part.held)
    }
}

/// Runs all plans at once.
pub(crate) fn stretch(node: &Node, api: &Api, plans: &[Plan]) -> Result<Stretch> {
    let before = api.settled(SETTLE)?;
    let (cpu, cache) = (node.cpu()?, node.metrics()?.cache()?);
    let outcomes = std::thread::scope(|scope| {
        let running: Vec<_> = plans.iter().map(|plan| scope.spawn(move || load::run(plan))).collect();
        let ended = running.into_iter().map(|run| run.join().map_err(|_| anyhow!("a load broke down"))?);
        ended.collect::<Result<Vec<_>>>()
    })?;
    let after = api.settled(SETTLE)?;
    let now = node.metrics()?.cache()?;
    let parts: Vec<Part> =
        plans.iter().zip(&outcomes).map(|(plan, outcome)| Part::of(plan, outcome)).collect();
    ensure!(parts.iter().all(|part| part.all > 0), "the server at {} answered nothing", node.address);
    Ok(Stretch {
        cpu: node.cpu()?.saturating_sub(cpu),
        cache: (now.0 - cache.0, now.1 - cache.1),
        verdict: Verdict {
            answered: parts.iter().map(|part| part.answered).sum(),
            unknown: parts.iter().map(|part| part.unknown).sum(),
            before: before.counted,
            after: after.counted,
        },
        parts,
    })
}
