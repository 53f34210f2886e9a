//! The command line.
//!
//! Guarantees: what is accepted here is in range. Refuses to know: what is done with it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::contenders::Contender;
use crate::create_bench::CreateBenchArgs;
use crate::disturb::DisturbArgs;
use crate::instructions::InstructionsArgs;
use crate::numbers::duration;
use crate::scale::ScaleArgs;
use crate::schedule::Rate;
use crate::soak::SoakArgs;

/// Drives load at a URL shortener and compares what it costs.
#[derive(Parser)]
#[command(name = "loadtest")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Task,
}

#[derive(Subcommand)]
pub(crate) enum Task {
    /// Create links and write their codes to a file
    Seed(SeedArgs),
    /// Send the standard mix at a server
    Run(RunArgs),
    /// Wait until all hits are counted, and compare with an earlier `run --json`
    Check(CheckArgs),
    /// Slugline and other ways to answer a redirect, in turn: CPU, throughput, memory, latency, and what is counted
    Bench(BenchArgs),
    /// What a link in the cache takes
    CacheBench(CacheBenchArgs),
    /// Links a second, by single calls and in batches, beside what the handlers do without a store
    CreateBench(CreateBenchArgs),
    /// Times the reports of a running server
    ReportBench(ReportBenchArgs),
    /// How many instructions a redirect takes, by valgrind
    Instructions(InstructionsArgs),
    /// What a scan, a hot link and a million links cost the readers of the others
    Disturb(DisturbArgs),
    /// Half of what the server can do for a long time, with a newsroom at work: does anything grow?
    Soak(SoakArgs),
    /// Start, lists, reports, pages and redirects on stores that `hits grow` has filled
    Scale(ScaleArgs),
}

#[derive(Args, Clone)]
pub(crate) struct ReportBenchArgs {
    #[command(flatten)]
    pub(crate) to: TargetArgs,
    /// The link whose reports are asked for
    #[arg(long)]
    pub(crate) code: String,
    /// How often each
    #[arg(long, default_value_t = 50)]
    pub(crate) times: usize,
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub(crate) struct TargetArgs {
    /// Base address, such as http://127.0.0.1:8080
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub(crate) target: String,
    /// API key
    #[arg(long)]
    pub(crate) key: Option<String>,
}

impl TargetArgs {
    /// The `Host` and the address to connect to.
    pub(crate) fn resolve(&self) -> Result<(String, SocketAddr)> {
        let rest = self.target.strip_prefix("http://").context("the target must begin with http://")?;
        let host = rest.trim_end_matches('/');
        let full = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let address = full.to_socket_addrs().with_context(|| format!("cannot resolve {host}"))?.next();
        Ok((host.to_owned(), address.with_context(|| format!("{host} has no address"))?))
    }

    pub(crate) fn required_key(&self) -> Result<&str> {
        self.key.as_deref().context("this needs --key or SLUGLINE_KEY")
    }
}

#[derive(Args)]
pub(crate) struct SeedArgs {
    #[command(flatten)]
    pub(crate) to: TargetArgs,
    /// How many links
    #[arg(long, default_value_t = 10_000)]
    pub(crate) links: u64,
    /// Number of the first story
    #[arg(long, default_value_t = 1)]
    pub(crate) first: u64,
    /// Where the codes go, one a line
    #[arg(long)]
    pub(crate) out: PathBuf,
    #[arg(long, default_value_t = 1)]
    pub(crate) connections: usize,
}

#[derive(Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) to: TargetArgs,
    /// Requests a second (open loop), or `max` (closed loop)
    #[arg(long, default_value = "1000", value_parser = rate)]
    pub(crate) rate: Rate,
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub(crate) duration: Duration,
    #[arg(long, default_value = "2s", value_parser = duration)]
    pub(crate) warmup: Duration,
    /// How long to wait at the end for what is queued and under way
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub(crate) grace: Duration,
    /// Codes to ask for, one a line, the most popular first
    #[arg(long)]
    pub(crate) codes: Option<PathBuf>,
    /// Without --codes: so many made-up ones
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) code_count: u64,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Bind the driver to this core
    #[arg(long)]
    pub(crate) pin: Option<usize>,
    /// How precisely starts are kept
    #[arg(long, value_enum, default_value_t = Pacing::Timer)]
    pub(crate) pacing: Pacing,
    /// Statuses that count as an answered redirect
    #[arg(long, alias = "batch-redirect-status", value_delimiter = ',', default_value = "301,302,307,308")]
    pub(crate) redirect_status: Vec<u16>,
    /// Compare what was answered with what is counted (needs a key); exit code 1 if they differ
    #[arg(long)]
    pub(crate) check: bool,
    /// How long the server may take to count everything
    #[arg(long, default_value = "3m", value_parser = duration)]
    pub(crate) settle: Duration,
    /// Processes whose CPU time is the server's (their descendants are included)
    #[arg(long, value_delimiter = ',')]
    pub(crate) server_pid: Vec<u32>,
    /// Write the result here too
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

/// How a driver thread waits for the next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pacing {
    /// Woken by each answer and a timer: to about a millisecond
    Timer,
    /// Never sleeps: to a microsecond, and a whole core
    Spin,
}

impl Pacing {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Timer => "timer",
            Self::Spin => "spin",
        }
    }
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) to: TargetArgs,
    /// The JSON of a `run` that had a key
    #[arg(long)]
    pub(crate) result: PathBuf,
    #[arg(long, default_value = "3m", value_parser = duration)]
    pub(crate) settle: Duration,
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// Rounds of each contender
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) rounds: u64,
    /// Length of a round; those that find out a maximum take half of it
    #[arg(long, default_value = "8s", value_parser = duration)]
    pub(crate) round: Duration,
    /// One round of 2 s, to try it
    #[arg(long, conflicts_with_all = ["rounds", "round"])]
    pub(crate) quick: bool,
    /// Which contenders; without it all, and `slugline-b` if there is one
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Contender>,
    /// Whom the others are compared with: nginx-log if it is there, else the first
    #[arg(long, value_enum)]
    pub(crate) baseline: Option<Contender>,
    /// Which part
    #[arg(long, value_enum, default_value_t = Part::All)]
    pub(crate) part: Part,
    /// Links that each holds; the codes asked for remain the first 10,000
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    pub(crate) links: u64,
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    /// Arrival rate of the CPU part, in percent of what the slowest can do
    #[arg(long, default_value_t = 70, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) cpu_percent: u64,
    /// Arrival rates of the latency part, in percent of what the baseline can do there
    #[arg(long, value_delimiter = ',', default_value = "30,60", value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) latency_percent: Vec<u64>,
    /// How the driver waits in the CPU part; in the latency part it spins
    #[arg(long, value_enum, default_value_t = Pacing::Timer)]
    pub(crate) pacing: Pacing,
    #[arg(long, default_value = "nginx")]
    pub(crate) nginx: PathBuf,
    #[arg(long, default_value = "redis-server")]
    pub(crate) redis_server: PathBuf,
    /// Another build of Slugline: the contender `slugline-b`
    #[arg(long)]
    pub(crate) also: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) own: OwnServer,
    /// The results are named DATE-NAME.md; without it `bench`, or `quick`
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[arg(long, default_value = "loadtest/results")]
    pub(crate) results: PathBuf,
}

impl BenchArgs {
    /// Those to be measured, each once, in the order asked for.
    pub(crate) fn contenders(&self) -> Vec<Contender> {
        let mut chosen: Vec<Contender> = vec![];
        let all = Contender::value_variants();
        let asked = if self.only.is_empty() { all } else { &self.only };
        for &contender in asked {
            let there = contender != Contender::SluglineB || self.also.is_some() || !self.only.is_empty();
            if there && !chosen.contains(&contender) {
                chosen.push(contender);
            }
        }
        chosen
    }
}

/// Where a Slugline of our own is found and works.
#[derive(Args, Clone)]
pub(crate) struct OwnServer {
    /// The Slugline to start; without it the one that was built with this program
    #[arg(long)]
    pub(crate) slugline: Option<PathBuf>,
    /// Put the temporary data below this folder
    #[arg(long)]
    pub(crate) work_dir: Option<PathBuf>,
    /// Keep the temporary data
    #[arg(long)]
    pub(crate) keep: bool,
}

impl OwnServer {
    /// The Slugline to start, whatever folder it is started in.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        let program = match &self.slugline {
            Some(program) => program.clone(),
            None => built_beside("../slugline")?,
        };
        program.canonicalize().with_context(|| {
            format!("there is no {}: cargo build --release --bin slugline", program.display())
        })
    }
}

/// A program that is built together with this one, which is in the folder of the examples.
pub(crate) fn built_beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("a program is in a folder")?.join(name))
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    All,
    Cpu,
    Latency,
}

#[derive(Args)]
pub(crate) struct CacheBenchArgs {
    /// Links to make; the second half of them is measured
    #[arg(long, default_value_t = 400_000, value_parser = clap::value_parser!(u64).range(2_000..=1_000_000))]
    pub(crate) links: u64,
    #[command(flatten)]
    pub(crate) own: OwnServer,
}

fn rate(text: &str) -> Result<Rate> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    let rate: u64 = text.parse().context("a number of requests a second, or `max`")?;
    anyhow::ensure!((1..=10_000_000).contains(&rate), "1 to 10,000,000 a second");
    Ok(Rate::PerSecond(rate))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{BenchArgs, Cli, Task};
    use crate::contenders::Contender;

    fn bench(options: &[&str]) -> Option<BenchArgs> {
        match Cli::try_parse_from(["loadtest", "bench"].iter().chain(options)).ok()?.command {
            Task::Bench(args) => Some(args),
            _ => None,
        }
    }

    #[test]
    fn contenders_are_those_asked_for_each_once() {
        let of = |options: &[&str]| bench(options).unwrap().contenders();
        assert_eq!(
            of(&["--only", "slugline,nginx-log,slugline"]),
            [Contender::Slugline, Contender::NginxLog]
        );
        assert_eq!(of(&[]).len(), 6);
        assert!(!of(&[]).contains(&Contender::SluglineB));
        assert!(of(&["--also", "x"]).contains(&Contender::SluglineB));
        assert!(bench(&["--only", "apache"]).is_none());
    }

    #[test]
    fn a_quick_run_has_no_other_length() {
        assert!(bench(&["--quick", "--part", "cpu"]).is_some());
        assert!(bench(&["--quick", "--rounds", "3"]).is_none());
    }
}
