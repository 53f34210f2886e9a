//! The comparison: Slugline beside nginx, on one machine, in one run.
//!
//! Guarantees: both are measured with the same mix, rates and connections, in turn; the arrival rate comes from what
//! was measured just before, never from a constant. Refuses to know: what a good ratio is.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::args::{CompareArgs, Pacing, Part};
use crate::numbers::float;
use crate::report::{self, CpuPart, LatencyPart, Report};
use crate::rounds::{Course, Pair};
use crate::schedule::Rate;
use crate::seed::{self, Stories};
use crate::servers::{self, Folder, Server};

/// Codes that are asked for, however many the store holds.
const ASKED: u64 = 10_000;
const SERVER_CORE: usize = 0;
const DRIVER_CORE: usize = 1;

/// Runs the comparison and writes its page; false if a check failed.
pub(crate) fn run(args: &CompareArgs) -> Result<bool> {
    ensure!(
        args.nginx.is_file(),
        "there is no nginx at {}; as root: apt-get install -y nginx",
        args.nginx.display()
    );
    let program = args.own.slugline.canonicalize().with_context(|| {
        format!("no {}: cargo build --release --bin slugline", args.own.slugline.display())
    })?;
    let folder = Folder::new(args.own.work_dir.as_deref(), args.own.keep)?;
    let cores = std::thread::available_parallelism()?.get();
    let (pairs, round) =
        if args.quick { (3, std::time::Duration::from_secs(2)) } else { (args.pairs, args.round) };

    let slugline = servers::slugline(&program, folder.path(), None)?;
    let codes = fill(&slugline, args.links)?;
    let course = Course { codes, connections: args.connections, round, pin: None, pacing: args.pacing };
    let cpu = if args.part == Part::Latency {
        None
    } else {
        Some(cpu_part(args, &course, &slugline, folder.path(), cores.min(2), pairs)?)
    };
    slugline.stop()?;
    let latency = if args.part == Part::Cpu {
        None
    } else if cores < 2 {
        println!("latency part left out: it needs a core for the server and one for the driver");
        None
    } else {
        let course = Course { pin: Some(DRIVER_CORE), pacing: Pacing::Spin, ..course };
        Some(latency_part(args, &course, &program, folder.path(), pairs)?)
    };

    let report = Report { links: args.links, connections: args.connections, round, pairs, cpu, latency };
    let page = report.page(&args.nginx);
    println!("\n{page}");
    let file = report::write(&args.results, &args.name, &page)?;
    println!("written to {}", file.display());
    Ok(report.checks_hold())
}

/// Puts the links into the store; gives the codes to ask for.
pub(crate) fn fill(slugline: &Server, links: u64) -> Result<Vec<String>> {
    let api = slugline.api.as_ref().context("Slugline has an API")?;
    let asked = seed::make(api, &Stories::standard(1, links.min(ASKED)), 1)?;
    let rest = links.saturating_sub(ASKED);
    if rest > 0 {
        let more = seed::make(api, &Stories::standard(ASKED + 1, rest), 2)?;
        let rate = crate::numbers::per_second(rest, more.time);
        println!("{rest} more links at {rate:.0}/s");
    }
    Ok(asked.codes)
}

/// Closed loop: how much `server` can do, in redirects a second.
pub(crate) fn most(course: &Course, server: &Server) -> Result<u64> {
    let mix = course.mix(server)?;
    // The first round warms caches and is not looked at.
    let mut best = 0.0_f64;
    for number in 0..2 {
        best = course.round(server, &mix, Rate::Max, 1_000 + number)?.rate;
    }
    println!("{}: at most {best:.0}/s", server.name);
    whole(best)
}

/// The whole part of a rate.
fn whole(rate: f64) -> Result<u64> {
    Ok(std::time::Duration::try_from_secs_f64(rate)?.as_secs())
}

fn cpu_part(
    args: &CompareArgs,
    course: &Course,
    slugline: &Server,
    folder: &Path,
    workers: usize,
    pairs: u64,
) -> Result<CpuPart> {
    let nginx = servers::nginx(&args.nginx, folder, crate::numbers::count(workers), None)?;
    let most_nginx = most(course, &nginx)?;
    let most_slugline = most(course, slugline)?;
    let rate = most_nginx.min(most_slugline) * args.cpu_percent / 100;
    println!("CPU part at {rate}/s");
    let pairs = course.pairs(&nginx, slugline, rate, pairs)?;
    nginx.stop()?;
    Ok(CpuPart { most_nginx, most_slugline, rate, pairs })
}

fn latency_part(
    args: &CompareArgs,
    course: &Course,
    program: &Path,
    folder: &Path,
    pairs: u64,
) -> Result<LatencyPart> {
    let nginx = servers::nginx(&args.nginx, folder, 1, Some(SERVER_CORE))?;
    let slugline = servers::slugline(program, folder, Some(SERVER_CORE))?;
    let most_nginx = most(course, &nginx)?;
    // Its caches are warm then, as nginx's are.
    most(course, &slugline)?;
    let rate = most_nginx * args.latency_percent / 100;
    println!("latency part at {rate}/s");
    let pairs: Vec<Pair> = course.pairs(&nginx, &slugline, rate, pairs)?;
    nginx.stop()?;
    slugline.stop()?;
    ensure!(float(rate) > 0.0, "nginx answered nothing");
    Ok(LatencyPart { most_nginx, rate, pairs })
}
