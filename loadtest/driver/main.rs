//! The load driver: an open-loop HTTP client for redirects, and the measurements built on it.
//!
//! Guarantees: each request has an intended start that no answer can delay, and latency is counted from there; what
//! was answered whole and what has an unknown outcome are told apart. Refuses to know: anything of Slugline but its
//! HTTP contract, and its environment where a comparison starts it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program whose output is what it prints")]

mod agents;
mod api;
mod args;
mod bench;
mod cache_bench;
mod check;
mod contenders;
mod counts;
mod create_bench;
mod desk;
mod disturb;
mod instructions;
mod load;
mod machine;
mod measured;
mod mix;
mod newsroom;
mod node;
mod numbers;
mod outcome;
mod process;
mod procs;
mod random;
mod redis_server;
mod report;
mod report_bench;
mod rounds;
mod scale;
mod scale_page;
mod schedule;
mod seed;
mod series;
mod servers;
mod soak;
mod tally;
mod wire;

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;

use crate::api::Api;
use crate::args::{CheckArgs, Cli, ReportBenchArgs, RunArgs, SeedArgs, Task};
use crate::check::Verdict;
use crate::load::Plan;
use crate::mix::Mix;
use crate::numbers::per_second;
use crate::outcome::Told;
use crate::seed::Stories;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Task::Seed(args) => seed(&args),
        Task::Run(args) => run(&args),
        Task::Check(args) => check(&args),
        Task::Bench(args) => bench::run(&args),
        Task::CacheBench(args) => cache_bench::run(&args),
        Task::CreateBench(args) => create_bench::run(&args),
        Task::ReportBench(args) => report_bench(&args),
        Task::Instructions(args) => instructions::run(&args),
        Task::Disturb(args) => disturb::run(&args),
        Task::Soak(args) => soak::run(&args),
        Task::Scale(args) => scale::run(&args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn seed(args: &SeedArgs) -> Result<bool> {
    let api = Api::new(&args.to.target, args.to.required_key()?);
    let made = seed::make(&api, &Stories::standard(args.first, args.links), args.connections)?;
    let mut text = made.codes.join("\n");
    text.push('\n');
    fs::write(&args.out, text).with_context(|| format!("cannot write {}", args.out.display()))?;
    println!(
        "{} links in {:.1} s, {:.0} links/s",
        args.links,
        made.time.as_secs_f64(),
        per_second(args.links, made.time)
    );
    Ok(true)
}

fn plan(args: &RunArgs) -> Result<Plan> {
    let (host, target) = args.to.resolve()?;
    let codes = mix::codes(args.codes.as_deref(), args.code_count)?;
    Ok(Plan {
        target,
        mix: Arc::new(Mix::new(&host, &codes, args.seed)?),
        seed: args.seed,
        rate: args.rate,
        connections: args.connections,
        threads: args.threads,
        warmup: args.warmup,
        duration: args.duration,
        grace: args.grace,
        pin: args.pin,
        pacing: args.pacing,
        redirects: args.redirect_status.clone(),
    })
}

fn run(args: &RunArgs) -> Result<bool> {
    let plan = plan(args)?;
    if args.check {
        args.to.required_key()?;
    }
    let api = args.to.key.as_deref().map(|key| Api::new(&args.to.target, key));
    let before = api.as_ref().map(|api| api.settled(args.settle)).transpose()?;
    let cpu_before = procs::cpu_of(&args.server_pid)?;
    let outcome = load::run(&plan)?;
    let verdict = match (args.check, &api, before) {
        (true, Some(api), Some(before)) => Some(Verdict {
            answered: outcome.tally.answered,
            unknown: outcome.tally.unknown,
            before: before.counted,
            after: api.settled(args.settle)?.counted,
        }),
        _ => None,
    };
    let server_cpu = if args.server_pid.is_empty() {
        None
    } else {
        Some(procs::cpu_of(&args.server_pid)?.saturating_sub(cpu_before))
    };
    let told = Told {
        target: &args.to.target,
        plan: &plan,
        outcome: &outcome,
        server_cpu,
        counted_before: before.map(|before| before.counted),
        verdict: verdict.as_ref(),
    };
    print!("{}", told.table());
    if let Some(file) = &args.json {
        fs::write(file, format!("{:#}\n", told.json()))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    anyhow::ensure!(outcome.tally.answered > 0, "no redirect was answered");
    Ok(verdict.is_none_or(|verdict| verdict.holds()))
}

fn check(args: &CheckArgs) -> Result<bool> {
    let (answered, unknown, before) = check::recorded(&args.result)?;
    let api = Api::new(&args.to.target, args.to.required_key()?);
    let after = api.settled(args.settle)?.counted;
    let verdict = Verdict { answered, unknown, before, after };
    println!("{}", verdict.line());
    Ok(verdict.holds())
}

fn report_bench(args: &ReportBenchArgs) -> Result<bool> {
    let api = Api::new(&args.to.target, args.to.required_key()?);
    let medians = report_bench::run(&api, &args.code, args.times)?;
    if let Some(file) = &args.json {
        fs::write(file, format!("{medians:#}\n"))?;
    }
    Ok(true)
}
