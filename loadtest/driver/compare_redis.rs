//! The comparison on Redis: Slugline, nginx, and the obvious way, on one machine, in one run.
//!
//! Guarantees: all get the same mix at the same rate, in turn, each round beginning with another; the CPU time of each
//! `redis-server` is counted apart, until nothing waits to be counted. Refuses to know: what a good ratio is.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};

use crate::args::{CompareRedisArgs, Pacing};
use crate::compare::{fill, most};
use crate::numbers::{Quartiles, quartiles, ratio};
use crate::report;
use crate::rounds::{Course, Round};
use crate::schedule::Rate;
use crate::servers::{self, Folder};

const LINKS: u64 = 10_000;

/// A round of each, in the order nginx, Slugline, the obvious way.
type Rounds = [Round; 3];

/// Runs the comparison and writes its page; false if a check failed.
pub(crate) fn run(args: &CompareRedisArgs) -> Result<bool> {
    for (program, line) in [
        (&args.nginx, "as root: apt-get install -y nginx"),
        (&args.redis_server, "as root: apt-get install -y redis-server"),
        (&args.obvious, "cargo build --release --example obvious"),
        (&args.own.slugline, "cargo build --release --bin slugline"),
    ] {
        ensure!(program.is_file(), "there is no {}: {line}", program.display());
    }
    let folder = Folder::new(args.own.work_dir.as_deref(), args.own.keep)?;
    let workers = std::thread::available_parallelism()?.get().min(2);
    let program = args.own.slugline.canonicalize()?;
    let slugline = servers::slugline_on_redis(&program, &args.redis_server, folder.path())?;
    let codes = fill(&slugline, LINKS)?;
    let obvious = servers::obvious(&args.obvious, &args.redis_server, folder.path(), &codes)?;
    let nginx = servers::nginx(&args.nginx, folder.path(), crate::numbers::count(workers), None)?;
    let all = [nginx, slugline, obvious];
    let course =
        Course { codes, connections: args.connections, round: args.round, pin: None, pacing: Pacing::Timer };
    let mut slowest = u64::MAX;
    for server in &all {
        slowest = slowest.min(most(&course, server)?);
    }
    let rate = slowest * args.cpu_percent / 100;
    println!("at {rate}/s");
    let mut done: Vec<Rounds> = vec![];
    for number in 0..args.rounds {
        let mut rounds: [Option<Round>; 3] = [None; 3];
        for turn in 0..3 {
            let which = usize::try_from((number + turn) % 3)?;
            let mix = course.mix(&all[which])?;
            rounds[which] = Some(course.round(&all[which], &mix, Rate::PerSecond(rate.max(1)), number)?);
        }
        let [Some(nginx), Some(slugline), Some(obvious)] = rounds else { unreachable!("each had its turn") };
        println!(
            "round {}: nginx {:.2}; Slugline {:.2} + Redis {:.2}; obvious {:.2} + Redis {:.2} µs",
            number + 1,
            nginx.cpu_us,
            slugline.cpu_us,
            slugline.redis_us,
            obvious.cpu_us,
            obvious.redis_us
        );
        done.push([nginx, slugline, obvious]);
    }
    for server in all {
        server.stop()?;
    }
    let page = page(args, rate, &done)?;
    println!("\n{page}");
    println!("written to {}", report::write(&args.results, &args.name, &page)?.display());
    Ok(done.iter().all(|[_, slugline, _]| slugline.verdict.is_some_and(|verdict| verdict.holds())))
}

fn page(args: &CompareRedisArgs, rate: u64, done: &[Rounds]) -> Result<String> {
    let over = |figure: &dyn Fn(&Rounds) -> f64| -> Result<Quartiles> {
        quartiles(&done.iter().map(figure).collect::<Vec<_>>()).context("no round")
    };
    let both = |round: &Round| round.cpu_us + round.redis_us;
    let rows: [(&str, Quartiles); 9] = [
        ("nginx, access log on, µs", over(&|[nginx, ..]| nginx.cpu_us)?),
        ("Slugline's process, µs", over(&|[_, slugline, _]| slugline.cpu_us)?),
        ("its redis-server, µs", over(&|[_, slugline, _]| slugline.redis_us)?),
        ("the obvious way's process, µs", over(&|[.., obvious]| obvious.cpu_us)?),
        ("its redis-server, µs", over(&|[.., obvious]| obvious.redis_us)?),
        (
            "**Slugline's process : nginx**",
            over(&|[nginx, slugline, _]| ratio(slugline.cpu_us, nginx.cpu_us).unwrap_or(0.0))?,
        ),
        (
            "**its redis-server : nginx**",
            over(&|[nginx, slugline, _]| ratio(slugline.redis_us, nginx.cpu_us).unwrap_or(0.0))?,
        ),
        (
            "**Slugline : the obvious way, both processes**",
            over(&|[_, slugline, obvious]| ratio(both(slugline), both(obvious)).unwrap_or(0.0))?,
        ),
        ("Slugline, p99 in µs", over(&|[_, slugline, _]| slugline.p99)?),
    ];
    let mut page = String::from("# Slugline on Redis, nginx, and the obvious way on Redis\n\n");
    page.push_str(&report::machine(&args.nginx));
    writeln!(
        page,
        "- {LINKS} links, {} keep-alive connections, {} interleaved rounds of {} s at {rate}/s; \
         redis-server with appendonly\n\n| | lower quartile | median | upper quartile |\n|---|---|---|---|",
        args.connections,
        done.len(),
        args.round.as_secs_f64()
    )?;
    for (name, q) in rows {
        writeln!(page, "| {name} | {:.3} | {:.3} | {:.3} |", q.low, q.median, q.high)?;
    }
    let (mut answered, mut counted) = (0, 0);
    for verdict in done.iter().filter_map(|[_, slugline, _]| slugline.verdict) {
        answered += verdict.answered;
        counted += verdict.after.saturating_sub(verdict.before);
    }
    writeln!(page, "\nSlugline: {answered} answered, {counted} counted.")?;
    Ok(page)
}
