//! The bench: Slugline beside other ways to answer a redirect, on one machine, in one run.
//!
//! Guarantees: all are measured with the same mix, rates and connections, in turn; rates come from what was measured
//! just before, never from a constant. Refuses to know: what a good figure is.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::args::{BenchArgs, Pacing, Part, built_beside};
use crate::contenders::{Contender, Entrant, Programs, Stable};
use crate::load::Sending;
use crate::machine;
use crate::numbers::{count, whole};
use crate::process::Folder;
use crate::report::{self, CpuPart, LatencyPart, Report};
use crate::rounds::sweeps;
use crate::schedule::Rate;
use crate::series::Series;

const SERVER_CORE: usize = 0;
const DRIVER_CORE: usize = 1;
/// No two series draw the same requests: so many rounds lie between them.
const APART: u64 = 10_000;

/// Runs the bench and writes its page; false if Slugline's check failed.
pub(crate) fn run(args: &BenchArgs) -> Result<bool> {
    let contenders = args.contenders();
    let programs = programs(args)?;
    machine::ensure_installed(&programs, &contenders)?;
    let baseline = baseline(args, &contenders)?;
    let (rounds, round) = if args.quick { (1, Duration::from_secs(2)) } else { (args.rounds, args.round) };
    let folder = Folder::new(args.own.work_dir.as_deref(), args.own.keep)?;
    let cores = std::thread::available_parallelism()?.get();
    let stable =
        Stable { programs: &programs, folder: folder.path(), links: args.links, workers: count(cores) };
    let sending = Sending { pacing: args.pacing, ..Sending::freely(args.connections, round) };
    let bench = Bench { args, contenders: &contenders, baseline, rounds, stable };

    let cpu = if args.part == Part::Latency { None } else { Some(bench.cpu_part(sending)?) };
    let latency = if args.part == Part::Cpu {
        None
    } else if cores < 2 {
        println!("latency part left out: it needs a core for the server and one for the driver");
        None
    } else {
        Some(bench.latency_part(Sending { pin: Some(DRIVER_CORE), pacing: Pacing::Spin, ..sending })?)
    };

    let report = Report {
        head: machine::lines(folder.path(), machine::versions(&programs, &contenders)) + &builds(args),
        contenders,
        baseline,
        links: args.links,
        connections: args.connections,
        rounds,
        round,
        cpu,
        latency,
    };
    let page = report.page();
    println!("\n{page}");
    let name = args.name.as_deref().unwrap_or(if args.quick { "quick" } else { "bench" });
    println!("written to {}", report::write(&args.results, name, &page)?.display());
    if args.own.keep {
        println!("data kept in {}", folder.path().display());
    }
    Ok(report.checks_hold())
}

fn programs(args: &BenchArgs) -> Result<Programs> {
    let also = args.also.as_ref().map(|also| {
        also.canonicalize().with_context(|| format!("there is no other Slugline at {}", also.display()))
    });
    Ok(Programs {
        nginx: args.nginx.clone(),
        redis_server: args.redis_server.clone(),
        bare: built_beside("bare")?,
        obvious: built_beside("obvious")?,
        slugline: args.own.program()?,
        also: also.transpose()?,
    })
}

/// The place of the one whom the others are compared with.
fn baseline(args: &BenchArgs, contenders: &[Contender]) -> Result<usize> {
    let place = |wanted| contenders.iter().position(|&one| one == wanted);
    match args.baseline {
        Some(wanted) => place(wanted).with_context(|| format!("{} is not measured", wanted.title())),
        None => Ok(place(Contender::NginxLog).unwrap_or(0)),
    }
}

/// Which builds of Slugline were measured, if that was asked for.
fn builds(args: &BenchArgs) -> String {
    let line = |name: &str, build: &Option<PathBuf>| {
        build.as_ref().map_or_else(String::new, |build| format!("- {name} is `{}`\n", build.display()))
    };
    line("Slugline", &args.own.slugline) + &line("Slugline (B)", &args.also)
}

struct Bench<'a> {
    args: &'a BenchArgs,
    contenders: &'a [Contender],
    baseline: usize,
    rounds: u64,
    stable: Stable<'a>,
}

impl Bench<'_> {
    fn start(&self, core: Option<usize>) -> Result<Vec<Entrant>> {
        self.contenders
            .iter()
            .map(|one| self.stable.start(*one, core).with_context(|| format!("cannot start {}", one.title())))
            .collect()
    }

    /// Closed loop: how much each can do. The first sweep warms caches and is not looked at.
    fn most(&self, sending: Sending, entrants: &[Entrant]) -> Result<Series> {
        let sending = Sending { length: sending.length / 2, ..sending };
        println!("closed loop; a sweep to warm up, then {}", self.rounds);
        sweeps(&sending, entrants, Rate::Max, 0, 1)?;
        Ok(Series { rate: None, sweeps: sweeps(&sending, entrants, Rate::Max, APART, self.rounds)? })
    }

    fn at(&self, sending: Sending, entrants: &[Entrant], rate: u64, first: u64) -> Result<Series> {
        println!("at {rate}/s");
        ensure!(rate > 0, "there is no rate that low");
        let sweeps = sweeps(&sending, entrants, Rate::PerSecond(rate), first, self.rounds)?;
        Ok(Series { rate: Some(rate), sweeps })
    }

    fn cpu_part(&self, sending: Sending) -> Result<CpuPart> {
        let entrants = self.start(None)?;
        let most = self.most(sending, &entrants)?;
        let slowest = (0..entrants.len())
            .filter_map(|which| median_rate(&most, which))
            .min_by(f64::total_cmp)
            .context("nobody was measured")?;
        let rate = whole(slowest)? * self.args.cpu_percent / 100;
        let fixed = self.at(sending, &entrants, rate, 2 * APART)?;
        stop(entrants)?;
        Ok(CpuPart { percent: self.args.cpu_percent, most, fixed })
    }

    fn latency_part(&self, sending: Sending) -> Result<LatencyPart> {
        let entrants = self.start(Some(SERVER_CORE))?;
        let most = self.most(sending, &entrants)?;
        let able = whole(median_rate(&most, self.baseline).context("the baseline was not measured")?)?;
        let mut fixed = vec![];
        for (number, &percent) in (3..).zip(&self.args.latency_percent) {
            fixed.push((percent, self.at(sending, &entrants, able * percent / 100, number * APART)?));
        }
        stop(entrants)?;
        Ok(LatencyPart { most, fixed })
    }
}

fn stop(entrants: Vec<Entrant>) -> Result<()> {
    entrants.into_iter().try_for_each(|entrant| entrant.server.stop())
}

fn median_rate(most: &Series, which: usize) -> Option<f64> {
    most.over(which, |round| round.rate).map(|rate| rate.median)
}
