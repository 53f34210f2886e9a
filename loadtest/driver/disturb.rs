//! Disturbance: what a scan of codes that nobody has, a hot link and a million links cost the readers of the others.
//!
//! Guarantees: each kind of load is measured in every round, in turn, at rates that come from what the server could do
//! just before; the CPU of a scan alone is taken off from that of both together, so what is left is the readers'.
//! Refuses to know: how links are cached.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::api::Api;
use crate::args::OwnServer;
use crate::check::Verdict;
use crate::contenders::ASKED;
use crate::load::Sending;
use crate::machine;
use crate::measured::{Part, Stretch, mix, most, stretch};
use crate::mix::{Asking, Mix};
use crate::node::Node;
use crate::numbers::{Quartiles, count, duration, float, index, micros_each, quartiles, ratio};
use crate::process::Folder;
use crate::report;
use crate::schedule::Rate;
use crate::seed::{self, Stories};

/// What a redirect may cost beside a scan, in parts of what it costs alone.
const COST_BOUND: f64 = 1.10;
/// Of the normal mix, what the cache must answer beside a scan.
const CACHE_BOUND: f64 = 0.99;

#[derive(Args)]
pub(crate) struct DisturbArgs {
    /// Rounds of each kind of load
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) rounds: u64,
    /// Length of a round
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub(crate) round: Duration,
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    /// Links in the store; all rounds together ask for each of them once
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(20_000..=10_000_000))]
    pub(crate) links: u64,
    /// Rate of the normal mix, in percent of what the server can do
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=90))]
    pub(crate) normal_percent: u64,
    /// Rate of the scan, in percent of the normal rate
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) scan_percent: u64,
    #[command(flatten)]
    pub(crate) own: OwnServer,
    /// The results are named DATE-NAME.md
    #[arg(long, default_value = "disturb")]
    pub(crate) name: String,
    #[arg(long, default_value = "loadtest/results")]
    pub(crate) results: PathBuf,
}

/// Runs all rounds and writes their page; false if a bound or a check does not hold.
pub(crate) fn run(args: &DisturbArgs) -> Result<bool> {
    let program = args.own.program()?;
    let folder = Folder::new(args.own.work_dir.as_deref(), args.own.keep)?;
    let node = Node::start(&program, folder.path())?;
    let api = node.first_api()?;
    let codes = seed::make(&api, &Stories::standard(1, args.links), 2)?.codes;
    println!("{} links", codes.len());
    let course = Course::new(args, &node, &api, &codes)?;
    let rounds = (0..args.rounds).map(|n| course.round(n)).collect::<Result<Vec<_>>>()?;
    let page = page(args, folder.path(), &course, &rounds);
    node.stop()?;
    println!("\n{page}");
    println!("written to {}", report::write(&args.results, &args.name, &page)?.display());
    let verdicts = rounds.iter().all(|round| round.verdicts().all(|verdict| verdict.holds()));
    Ok(verdicts && cost(&rounds).median <= COST_BOUND && cached(&rounds) >= CACHE_BOUND)
}

/// Who asks for what, and how fast.
struct Course<'a> {
    node: &'a Node,
    api: &'a Api,
    sending: Sending,
    most: u64,
    normal_rate: u64,
    scan_rate: u64,
    normal: Arc<Mix>,
    scan: Arc<Mix>,
    hot: Arc<Mix>,
    /// Shared by all rounds, so that each is asked for once.
    in_turn: Arc<Mix>,
    /// How long a round of these takes.
    in_turn_for: Duration,
}

impl<'a> Course<'a> {
    fn new(args: &DisturbArgs, node: &'a Node, api: &'a Api, codes: &[String]) -> Result<Self> {
        let asked = codes.get(..index(ASKED)).context("there are too few codes")?;
        let (hottest, others) = (codes.get(..1).context("there is no code")?, codes.get(index(ASKED)..));
        let normal = mix(node, Asking::Popular, asked)?;
        let sending = Sending::freely(args.connections, args.round);
        let most = most(&sending, node, api, &normal)?;
        // Each of them once, so that what is not in the cache afterwards was pushed out of it.
        let warming = Sending { length: for_each(asked.len(), most)?, ..sending };
        stretch(
            node,
            api,
            &[warming.plan(node.address, &mix(node, Asking::InTurn, asked)?, Rate::PerSecond(most), 0)],
        )?;
        let normal_rate = (most * args.normal_percent / 100).max(1);
        let others = others.context("there are too few codes")?;
        let in_turn_for = for_each(others.len() / index(args.rounds), normal_rate)?;
        println!("at most {most}/s; normal {normal_rate}/s");
        Ok(Self {
            node,
            api,
            sending,
            most,
            normal_rate,
            scan_rate: (normal_rate * args.scan_percent / 100).max(1),
            normal,
            scan: mix(node, Asking::Unknown, asked)?,
            hot: mix(node, Asking::Evenly, hottest)?,
            in_turn: mix(node, Asking::InTurn, others)?,
            in_turn_for,
        })
    }

    fn round(&self, number: u64) -> Result<Round> {
        let normal = Rate::PerSecond(self.normal_rate);
        let plan = |mix, rate, more| self.sending.plan(self.node.address, mix, rate, number * 10 + more);
        let go = |plans: &[_]| stretch(self.node, self.api, plans);
        let scanning = || plan(&self.scan, Rate::PerSecond(self.scan_rate), 1);
        let slow = Sending { length: self.in_turn_for, ..self.sending };
        let round = Round {
            alone: go(&[plan(&self.normal, normal, 0)])?,
            scan: go(&[scanning()])?,
            both: go(&[plan(&self.normal, normal, 2), scanning()])?,
            hot: go(&[plan(&self.hot, normal, 3)])?,
            in_turn: go(&[slow.plan(self.node.address, &self.in_turn, normal, number * 10 + 4)])?,
        };
        println!("round {}: {}", number + 1, round.line());
        Ok(round)
    }
}

/// How long so many requests take at this rate.
fn for_each(requests: usize, rate: u64) -> Result<Duration> {
    ensure!(requests > 0 && rate > 0, "there are too few links for so many rounds");
    Ok(Duration::from_nanos(count(requests) * 1_000_000_000 / rate))
}

/// Each kind of load once.
struct Round {
    alone: Stretch,
    scan: Stretch,
    both: Stretch,
    hot: Stretch,
    in_turn: Stretch,
}

/// CPU of the server for a redirect, in microseconds.
fn each(stretch: &Stretch) -> f64 {
    micros_each(stretch.cpu, stretch.answered()).unwrap_or(0.0)
}

impl Round {
    fn scan_each(&self) -> f64 {
        micros_each(self.scan.cpu, self.scan.parts.iter().map(|part| part.all).sum()).unwrap_or(0.0)
    }

    fn scanned(&self) -> u64 {
        self.both.parts.get(1).map_or(0, |part| part.all)
    }

    /// CPU of a normal redirect beside the scan: without what the same scan costs alone.
    fn beside(&self) -> f64 {
        let all = self.both.cpu.as_secs_f64() * 1e6;
        let scan = self.scan_each() * float(self.scanned());
        ratio(all - scan, float(self.both.answered())).unwrap_or(0.0)
    }

    fn beside_ratio(&self) -> f64 {
        ratio(self.beside(), each(&self.alone)).unwrap_or(0.0)
    }

    /// Of the normal redirects beside the scan, those that the cache answered: it knows none of the scan's codes.
    fn cached(&self) -> f64 {
        ratio(self.both.cache.0, float(self.both.answered())).unwrap_or(0.0).min(1.0)
    }

    fn stretches(&self) -> [&Stretch; 5] {
        [&self.alone, &self.scan, &self.both, &self.hot, &self.in_turn]
    }

    fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.stretches().into_iter().map(|stretch| stretch.verdict)
    }

    fn line(&self) -> String {
        format!(
            "alone {:.2} µs, beside a scan {:.2} µs (ratio {:.3}, {:.2} % from the cache), hot {:.2} µs, each once {:.2} µs",
            each(&self.alone),
            self.beside(),
            self.beside_ratio(),
            self.cached() * 100.0,
            each(&self.hot),
            each(&self.in_turn)
        )
    }
}

fn over(rounds: &[Round], figure: impl Fn(&Round) -> f64) -> Quartiles {
    let values: Vec<f64> = rounds.iter().map(figure).collect();
    quartiles(&values).unwrap_or(Quartiles { low: 0.0, median: 0.0, high: 0.0 })
}

fn cost(rounds: &[Round]) -> Quartiles {
    over(rounds, Round::beside_ratio)
}

/// Of all rounds.
fn cached(rounds: &[Round]) -> f64 {
    let hits: f64 = rounds.iter().map(|round| round.both.cache.0).sum();
    let answered: u64 = rounds.iter().map(|round| round.both.answered()).sum();
    ratio(hits, float(answered)).unwrap_or(0.0).min(1.0)
}

type Figure = fn(&Round) -> f64;
/// Name, CPU of a redirect, the generator whose latencies are shown, how much the cache knew.
type Kind = (&'static str, Figure, fn(&Round) -> Option<&Part>, Figure);

fn page(args: &DisturbArgs, folder: &Path, course: &Course<'_>, rounds: &[Round]) -> String {
    let mut page = String::from("# What disturbs redirects\n\n");
    page.push_str(&machine::lines(folder, vec![]));
    let _ = write!(
        page,
        "- SQLite, {} links, {} connections for each generator; {} interleaved rounds of {} s\n- closed loop at most {}/s; \
         normal mix {}/s over {ASKED} codes, scan {}/s of codes that nobody has\n\nCPU is the server's for one redirect \
         until all is counted, in µs; the ratio is to the normal mix alone, round by round. *Beside a scan* is the CPU of \
         both together less that of the scan alone.\n\n",
        args.links,
        args.connections,
        rounds.len(),
        args.round.as_secs_f64(),
        course.most,
        course.normal_rate,
        course.scan_rate
    );
    page.push_str(
        "| | CPU | ratio | quartiles | p50 µs | p99 µs | from the cache |\n|---|---|---|---|---|---|---|\n",
    );
    let kinds: [Kind; 5] = [
        ("normal mix alone", |r| each(&r.alone), |r| r.alone.parts.first(), |r| r.alone.hit_rate()),
        ("**normal mix beside a scan**", Round::beside, |r| r.both.parts.first(), Round::cached),
        ("scan alone (404)", Round::scan_each, |r| r.scan.parts.first(), |r| r.scan.hit_rate()),
        ("one hot link", |r| each(&r.hot), |r| r.hot.parts.first(), |r| r.hot.hit_rate()),
        ("each link once", |r| each(&r.in_turn), |r| r.in_turn.parts.first(), |r| r.in_turn.hit_rate()),
    ];
    for (name, cpu, part, hit_rate) in kinds {
        let to_alone = over(rounds, |round| ratio(cpu(round), each(&round.alone)).unwrap_or(0.0));
        let _ = writeln!(
            page,
            "| {name} | {:.2} | {:.3} | {:.3} to {:.3} | {:.0} | {:.0} | {:.2} % |",
            over(rounds, cpu).median,
            to_alone.median,
            to_alone.low,
            to_alone.high,
            over(rounds, |round| part(round).map_or(0.0, |part| part.p50)).median,
            over(rounds, |round| part(round).map_or(0.0, |part| part.p99)).median,
            over(rounds, hit_rate).median * 100.0
        );
    }
    page.push_str(&bounds(rounds));
    page
}

fn bounds(rounds: &[Round]) -> String {
    let says = |holds: bool| if holds { "holds" } else { "**does not hold**" };
    let (cost, cached) = (cost(rounds).median, cached(rounds));
    let mut text = format!(
        "\n- CPU beside a scan: {cost:.3} of that alone; at most {COST_BOUND:.2}: {}\n- from the cache beside a scan: \
         {:.3} %; at least {:.0} %: {}\n",
        says(cost <= COST_BOUND),
        cached * 100.0,
        CACHE_BOUND * 100.0,
        says(cached >= CACHE_BOUND)
    );
    let bad: Vec<Verdict> =
        rounds.iter().flat_map(Round::verdicts).filter(|verdict| !verdict.holds()).collect();
    if bad.is_empty() {
        let answered: u64 = rounds.iter().flat_map(Round::verdicts).map(|verdict| verdict.answered).sum();
        let _ = writeln!(text, "- counted = answered in all of them ({answered} redirects)");
    }
    for verdict in bad {
        let _ = writeln!(text, "- {}", verdict.line());
    }
    let late = rounds.iter().flat_map(Round::stretches).filter(|stretch| !stretch.held()).count();
    if late > 0 {
        let _ = writeln!(text, "\n**In {late} stretches not every request was sent in time and answered.**");
    }
    text.push_str("\nEach round:\n\n");
    for (number, round) in (1..).zip(rounds) {
        let _ = writeln!(text, "{number}. {}", round.line());
    }
    text
}
