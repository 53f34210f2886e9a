//! Rounds: one contender loaded once, with all that is measured around it; and sweeps, a round of each in turn.
//!
//! Guarantees: in a sweep all get the same mix at the same rate, and each sweep begins with another; CPU time is taken
//! from a moment when nothing waits to a moment when nothing waits. Refuses to know: what the figures are compared for.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::check::Verdict;
use crate::contenders::Entrant;
use crate::load::{self, Sending};
use crate::mix::{Mix, SEED};
use crate::numbers::{count, index, micros_each, ratio};
use crate::outcome::{achieved, held, latency_us};
use crate::procs::Memory;
use crate::schedule::Rate;
use crate::servers::Used;

/// What one round showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// Whole answers a second.
    pub(crate) rate: f64,
    /// CPU time for a redirect, in µs.
    pub(crate) cpu: Used<f64>,
    /// At the end of the round.
    pub(crate) memory: Used<Memory>,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// How much of a core the driver used, from 0 to 1.
    pub(crate) driver: f64,
    pub(crate) verdict: Option<Verdict>,
    /// Whether every request was sent in time and answered with a redirect.
    pub(crate) held: bool,
}

impl Round {
    /// CPU time of both processes.
    pub(crate) fn cpu_sum(&self) -> f64 {
        self.cpu.server + self.cpu.redis
    }
}

/// A round of each, in the order of the contenders, whoever began.
pub(crate) type Sweep = Vec<Round>;

/// Loads one contender once.
fn round(sending: &Sending, entrant: &Entrant, mix: &Arc<Mix>, rate: Rate, number: u64) -> Result<Round> {
    let server = &entrant.server;
    let plan = sending.plan(server.address, mix, rate, number);
    server.counts.tidy()?;
    server.counts.settle()?;
    let before = server.counts.now()?;
    let cpu = server.cpu()?;
    let outcome = load::run(&plan)?;
    server.counts.settle()?;
    let cpu_after = server.cpu()?;
    let memory = server.memory()?;
    // Reading the figure may cost the server something, so that comes last.
    let after = server.counts.now()?;
    let (answered, unknown) = (outcome.tally.answered, outcome.tally.unknown);
    let title = entrant.contender.title();
    ensure!(answered > 0, "{title} answered no redirect: {:?}", outcome.tally.statuses());
    let each = |before: Duration, after: Duration| {
        micros_each(after.saturating_sub(before), answered).unwrap_or(0.0)
    };
    let all: u64 = outcome.tally.statuses().values().sum();
    Ok(Round {
        rate: achieved(&plan, &outcome),
        cpu: Used { server: each(cpu.server, cpu_after.server), redis: each(cpu.redis, cpu_after.redis) },
        memory,
        p50: latency_us(&outcome, 0.5),
        p99: latency_us(&outcome, 0.99),
        p999: latency_us(&outcome, 0.999),
        driver: ratio(outcome.driver_cpu.as_secs_f64(), sending.length.as_secs_f64()).unwrap_or(0.0),
        verdict: before.zip(after).map(|(before, after)| Verdict { answered, unknown, before, after }),
        held: held(&plan, &outcome) && all == answered,
    })
}

/// So many rounds of each, in turn. Their numbers begin with `first`, so that no two series draw the same requests.
pub(crate) fn sweeps(
    sending: &Sending,
    entrants: &[Entrant],
    rate: Rate,
    first: u64,
    amount: u64,
) -> Result<Vec<Sweep>> {
    let mixes = entrants
        .iter()
        // Only the host differs, and the codes, where a contender draws its own.
        .map(|entrant| Ok(Arc::new(Mix::new(&entrant.server.address.to_string(), &entrant.codes, SEED)?)))
        .collect::<Result<Vec<_>>>()?;
    let mut sweeps = vec![];
    for number in 0..amount {
        let mut rounds: Vec<Option<Round>> = vec![None; entrants.len()];
        for turn in order(number, entrants.len()) {
            rounds[turn] = Some(round(sending, &entrants[turn], &mixes[turn], rate, first + number)?);
        }
        let sweep: Sweep = rounds.into_iter().collect::<Option<_>>().context("each has its turn")?;
        for (entrant, round) in entrants.iter().zip(&sweep) {
            println!("{:>3} {:<18} {}", number + 1, entrant.contender.title(), line(round));
        }
        sweeps.push(sweep);
    }
    Ok(sweeps)
}

/// Whose turn it is in a sweep, one after another: each sweep begins with another.
fn order(sweep: u64, contenders: usize) -> impl Iterator<Item = usize> {
    let begin = index(sweep % count(contenders.max(1)));
    (begin..contenders).chain(0..begin)
}

fn line(round: &Round) -> String {
    format!(
        "{:.0}/s, {:.2} + {:.2} µs CPU, p50 {:.0} p99 {:.0} p99.9 {:.0} µs{}",
        round.rate,
        round.cpu.server,
        round.cpu.redis,
        round.p50,
        round.p99,
        round.p999,
        if round.held { "" } else { ", RATE NOT HELD" }
    )
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn each_sweep_begins_with_another_and_all_have_their_turn() {
        let turns = |sweep| order(sweep, 3).collect::<Vec<_>>();
        assert_eq!(
            [turns(0), turns(1), turns(2), turns(3)],
            [vec![0, 1, 2], vec![1, 2, 0], vec![2, 0, 1], vec![0, 1, 2]]
        );
        assert_eq!(order(5, 0).count(), 0);
    }
}
