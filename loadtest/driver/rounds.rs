//! Rounds: one server loaded once, with all that is measured around it; and pairs of them in turn.
//!
//! Guarantees: both servers of a pair get the same requests at the same rate, and every other pair begins with the
//! other server; a server's CPU time is taken from a moment when nothing waits to a moment when nothing waits.
//! Refuses to know: what the figures are compared for.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::args::Pacing;
use crate::check::Verdict;
use crate::load::{self, Plan};
use crate::mix::Mix;
use crate::numbers::{Quartiles, float, micros_each, quartiles};
use crate::outcome::{achieved, latency_us};
use crate::schedule::Rate;
use crate::servers::Server;

const SETTLE: Duration = Duration::from_secs(180);
const SEED: u64 = 20_261_122;

/// What one round showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) rate: f64,
    pub(crate) cpu_us: f64,
    /// Of the `redis-server` beside it.
    pub(crate) redis_us: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) driver_us: f64,
    pub(crate) verdict: Option<Verdict>,
    /// Whether every request was sent in time and answered with a redirect.
    pub(crate) held: bool,
}

/// How rounds are run.
pub(crate) struct Course {
    pub(crate) codes: Vec<String>,
    pub(crate) connections: usize,
    pub(crate) round: Duration,
    pub(crate) pin: Option<usize>,
    pub(crate) pacing: Pacing,
}

impl Course {
    /// Both servers get the same mix; only the `Host` differs.
    pub(crate) fn mix(&self, server: &Server) -> Result<Arc<Mix>> {
        Ok(Arc::new(Mix::new(&server.address.to_string(), &self.codes, SEED)?))
    }

    /// Loads one server once.
    pub(crate) fn round(&self, server: &Server, mix: &Arc<Mix>, rate: Rate, number: u64) -> Result<Round> {
        server.tidy()?;
        let plan = Plan {
            target: server.address,
            mix: mix.clone(),
            seed: SEED + 1 + number,
            rate,
            connections: self.connections,
            threads: 1,
            warmup: Duration::ZERO,
            duration: self.round,
            grace: Duration::from_secs(10),
            pin: self.pin,
            pacing: self.pacing,
            redirects: vec![301, 302, 307, 308],
        };
        let settled = || server.api.as_ref().map(|api| api.settled(SETTLE)).transpose();
        let before = settled()?;
        let (cpu, redis) = (server.cpu()?, server.redis_cpu()?);
        let outcome = load::run(&plan)?;
        let after = settled()?;
        let cpu = server.cpu()?.saturating_sub(cpu);
        let redis = server.redis_cpu()?.saturating_sub(redis);
        let (answered, unknown) = (outcome.tally.answered, outcome.tally.unknown);
        ensure!(answered > 0, "{} answered no redirect: {:?}", server.name, outcome.tally.statuses());
        let verdict = before.zip(after).map(|(before, after)| Verdict {
            answered,
            unknown,
            before: before.counted,
            after: after.counted,
        });
        Ok(Round {
            rate: achieved(&plan, &outcome),
            cpu_us: micros_each(cpu, answered).unwrap_or(0.0),
            redis_us: micros_each(redis, answered).unwrap_or(0.0),
            p50: latency_us(&outcome, 0.5),
            p99: latency_us(&outcome, 0.99),
            p999: latency_us(&outcome, 0.999),
            driver_us: micros_each(outcome.driver_cpu, answered).unwrap_or(0.0),
            verdict,
            held: held(&plan, &outcome),
        })
    }

    /// Pairs of rounds, in turn.
    pub(crate) fn pairs(
        &self,
        nginx: &Server,
        slugline: &Server,
        rate: u64,
        pairs: u64,
    ) -> Result<Vec<Pair>> {
        let mixes = (self.mix(nginx)?, self.mix(slugline)?);
        let rate = Rate::PerSecond(rate.max(1));
        let mut done = Vec::new();
        for number in 0..pairs {
            let (first, second);
            if number % 2 == 0 {
                first = self.round(nginx, &mixes.0, rate, number)?;
                second = self.round(slugline, &mixes.1, rate, number)?;
                done.push(Pair { nginx: first, slugline: second });
            } else {
                first = self.round(slugline, &mixes.1, rate, number)?;
                second = self.round(nginx, &mixes.0, rate, number)?;
                done.push(Pair { nginx: second, slugline: first });
            }
            if let Some(pair) = done.last() {
                println!("pair {}: {}", number + 1, pair.line());
            }
        }
        Ok(done)
    }
}

/// All sent, all answered with a redirect, and with a rate: 99 % of them within the round.
fn held(plan: &Plan, outcome: &load::Outcome) -> bool {
    let tally = &outcome.tally;
    let in_time = match plan.rate {
        Rate::Max => true,
        Rate::PerSecond(rate) => achieved(plan, outcome) >= 0.99 * float(rate),
    };
    let all: u64 = tally.statuses().values().sum();
    in_time && tally.unsent == 0 && tally.unknown == 0 && all == tally.answered
}

/// A round of each, one right after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) nginx: Round,
    pub(crate) slugline: Round,
}

impl Pair {
    pub(crate) fn ratio(&self) -> f64 {
        crate::numbers::ratio(self.slugline.cpu_us, self.nginx.cpu_us).unwrap_or(0.0)
    }

    fn line(&self) -> String {
        let side = |name: &str, round: &Round| {
            let held = if round.held { "" } else { ", RATE NOT HELD" };
            format!(
                "{name} {:.2} µs CPU, p50 {:.0} p99 {:.0} p99.9 {:.0} µs{held}",
                round.cpu_us, round.p50, round.p99, round.p999
            )
        };
        format!("{}; {}", side("nginx", &self.nginx), side("Slugline", &self.slugline))
    }
}

/// Quartiles of one figure over all pairs.
pub(crate) fn over(pairs: &[Pair], figure: impl Fn(&Pair) -> f64) -> Quartiles {
    let values: Vec<f64> = pairs.iter().map(figure).collect();
    quartiles(&values).unwrap_or(Quartiles { low: 0.0, median: 0.0, high: 0.0 })
}
