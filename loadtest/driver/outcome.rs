//! The outcome of a run, for people and for machines.
//!
//! Guarantees: table and JSON hold the same facts. Refuses to know: how they came about.

use std::time::Duration;

use serde_json::{Value, json};

use crate::check::Verdict;
use crate::load::{Outcome, Plan};
use crate::numbers::{float, micros_each, per_second};
use crate::schedule::Rate;

/// A run with everything that was measured around it.
pub(crate) struct Told<'a> {
    pub(crate) target: &'a str,
    pub(crate) plan: &'a Plan,
    pub(crate) outcome: &'a Outcome,
    pub(crate) server_cpu: Option<Duration>,
    pub(crate) counted_before: Option<u64>,
    pub(crate) verdict: Option<&'a Verdict>,
}

/// A latency in microseconds at a quantile.
pub(crate) fn latency_us(outcome: &Outcome, quantile: f64) -> f64 {
    float(outcome.tally.latency.value_at_quantile(quantile)) / 1e3
}

fn delay_us(outcome: &Outcome, quantile: f64) -> f64 {
    float(outcome.tally.delay.value_at_quantile(quantile)) / 1e3
}

/// Whole answers a second within the measured window.
pub(crate) fn achieved(plan: &Plan, outcome: &Outcome) -> f64 {
    per_second(outcome.tally.in_window, plan.duration)
}

/// Whether every request was sent and had its whole answer, whatever it was, and, with a rate, 99 % of them in the
/// measured window.
pub(crate) fn held(plan: &Plan, outcome: &Outcome) -> bool {
    let in_time = match plan.rate {
        Rate::Max => true,
        Rate::PerSecond(rate) => achieved(plan, outcome) >= 0.99 * float(rate),
    };
    in_time && outcome.tally.unsent == 0 && outcome.tally.unknown == 0
}

impl Told<'_> {
    fn all_answers(&self) -> u64 {
        self.outcome.tally.statuses().values().sum()
    }

    fn server_cpu_us(&self) -> Option<f64> {
        micros_each(self.server_cpu?, self.outcome.tally.answered)
    }

    fn driver_cpu_us(&self) -> Option<f64> {
        micros_each(self.outcome.driver_cpu, self.all_answers())
    }

    pub(crate) fn json(&self) -> Value {
        let tally = &self.outcome.tally;
        let wanted = match self.plan.rate {
            Rate::Max => Value::Null,
            Rate::PerSecond(rate) => json!(rate),
        };
        let statuses: serde_json::Map<String, Value> =
            tally.statuses().into_iter().map(|(status, n)| (status.to_string(), json!(n))).collect();
        json!({
            "target": self.target,
            "connections": self.plan.connections,
            "threads": self.plan.threads,
            "seed": self.plan.seed,
            "pacing": self.plan.pacing.name(),
            "warmup_s": self.plan.warmup.as_secs_f64(),
            "duration_s": self.plan.duration.as_secs_f64(),
            "rate_wanted": wanted,
            "rate_achieved": achieved(self.plan, self.outcome),
            "answered": tally.answered,
            "unknown": tally.unknown,
            "unsent": tally.unsent,
            "cut": tally.cut,
            "connect_failures": tally.connect_failures,
            "statuses": statuses,
            "measured": tally.latency.len(),
            "latency_us": {
                "p50": latency_us(self.outcome, 0.5),
                "p90": latency_us(self.outcome, 0.9),
                "p99": latency_us(self.outcome, 0.99),
                "p99_9": latency_us(self.outcome, 0.999),
                "max": float(tally.latency.max()) / 1e3,
            },
            "send_delay_us": { "p50": delay_us(self.outcome, 0.5), "p99": delay_us(self.outcome, 0.99) },
            "driver_cpu_us_per_request": self.driver_cpu_us(),
            "server_cpu_s": self.server_cpu.map(|cpu| cpu.as_secs_f64()),
            "server_cpu_us_per_redirect": self.server_cpu_us(),
            "counted_before": self.counted_before,
            "check": self.verdict.map(Verdict::json),
        })
    }

    pub(crate) fn table(&self) -> String {
        let tally = &self.outcome.tally;
        let wanted = match self.plan.rate {
            Rate::Max => "closed loop".to_owned(),
            Rate::PerSecond(rate) => format!("{rate} wanted"),
        };
        let statuses: Vec<String> =
            tally.statuses().iter().map(|(status, n)| format!("{status}: {n}")).collect();
        let mut rows = vec![
            ("target", self.target.to_owned()),
            ("rate", format!("{:.0}/s ({wanted})", achieved(self.plan, self.outcome))),
            ("answered", tally.answered.to_string()),
            ("unknown", format!("{} ({} cut)", tally.unknown, tally.cut)),
            ("unsent", tally.unsent.to_string()),
            ("connects refused", tally.connect_failures.to_string()),
            ("statuses", statuses.join(", ")),
        ];
        for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)] {
            rows.push((name, format!("{:.1} µs", latency_us(self.outcome, quantile))));
        }
        rows.push((
            "sent late by",
            format!("p50 {:.1} µs, p99 {:.1} µs", delay_us(self.outcome, 0.5), delay_us(self.outcome, 0.99)),
        ));
        if let Some(cpu) = self.driver_cpu_us() {
            rows.push(("driver CPU", format!("{cpu:.2} µs a request")));
        }
        if let Some(cpu) = self.server_cpu_us() {
            rows.push(("server CPU", format!("{cpu:.2} µs a redirect")));
        }
        if let Some(verdict) = self.verdict {
            rows.push(("check", verdict.line()));
        }
        rows.iter().map(|(name, value)| format!("{name:<18}{value}\n")).collect()
    }
}
