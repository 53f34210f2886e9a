//! Soak: half of what the server can do, for a long time, with a newsroom at work beside it. Does anything grow?
//!
//! Guarantees: readers come as fast as they were meant to, whatever the answers; memory is looked at each second; at the
//! end all that was answered must be counted. Refuses to know: what memory is used for.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use clap::Args;

use crate::api::Api;
use crate::args::OwnServer;
use crate::check::Verdict;
use crate::load::{self, Sending};
use crate::machine;
use crate::measured::{Part, SETTLE, mix, most};
use crate::mix::Asking;
use crate::newsroom::{self, Diary};
use crate::node::{Node, mib};
use crate::numbers::{duration, float, micros_each, quartiles, ratio};
use crate::process::Folder;
use crate::procs::Memory;
use crate::report;
use crate::schedule::Rate;
use crate::seed::{self, Stories};

const SAMPLE: Duration = Duration::from_secs(1);
/// Memory and p99 of the last third, in parts of the second third's.
const MEMORY_BOUND: f64 = 1.05;
const LATENCY_BOUND: f64 = 1.5;

#[derive(Args)]
pub(crate) struct SoakArgs {
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) minutes: u64,
    /// A line for each of these
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub(crate) every: Duration,
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    pub(crate) links: u64,
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    /// Arrival rate, in percent of what the server can do
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=90))]
    pub(crate) percent: u64,
    #[command(flatten)]
    pub(crate) own: OwnServer,
    /// The results are named DATE-NAME.md
    #[arg(long, default_value = "soak")]
    pub(crate) name: String,
    #[arg(long, default_value = "loadtest/results")]
    pub(crate) results: PathBuf,
}

/// What was seen at one moment.
#[derive(Clone, Copy)]
struct Sample {
    memory: Memory,
    waiting: f64,
}

/// One line of the table.
struct Line {
    part: Part,
    cpu: Duration,
    memory: Memory,
    waiting: f64,
    /// Answers that were no redirects, and what had none.
    errors: u64,
    newsroom_errors: u64,
}

/// Runs it and writes its page; false if something grew or was not counted.
pub(crate) fn run(args: &SoakArgs) -> Result<bool> {
    let lines = (Duration::from_secs(args.minutes * 60).as_nanos() / args.every.as_nanos().max(1)).max(1);
    ensure!(lines >= 3, "three lines at least: choose a smaller --every");
    let program = args.own.program()?;
    let folder = Folder::new(args.own.work_dir.as_deref(), args.own.keep)?;
    let node = Node::start(&program, folder.path())?;
    let api = node.first_api()?;
    let codes = seed::make(&api, &Stories::standard(1, args.links), 2)?.codes;
    let trying = Sending::freely(args.connections, Duration::from_secs(5));
    let most = most(&trying, &node, &api, &mix(&node, Asking::Popular, &codes)?)?;
    let rate = (most * args.percent / 100).max(1);
    println!("at most {most}/s; {rate}/s for {} min", args.minutes);

    let before = api.settled(SETTLE)?;
    let soaked = soak(args, &node, &api, &codes, (rate, u64::try_from(lines)?))?;
    let after = api.settled(SETTLE)?;
    let (parts, disk) = (soaked.lines.iter().map(|line| &line.part), node.disk()?);
    let verdict = Verdict {
        answered: parts.clone().map(|part| part.answered).sum(),
        unknown: parts.map(|part| part.unknown).sum(),
        before: before.counted,
        after: after.counted,
    };
    let stopped = node.stop()?;
    let holds = verdict.holds() && soaked.memory().is_some_and(|n| n <= MEMORY_BOUND);
    let holds = holds && soaked.p99().is_some_and(|n| n <= LATENCY_BOUND);
    let mut page = heading(args, folder.path(), most, rate);
    page.push_str(&soaked.page(&verdict));
    let _ = writeln!(page, "\n## On the disk\n\n| | MiB |\n|---|---|");
    for (name, room) in disk {
        let _ = writeln!(page, "| {name} | {} |", mib(room));
    }
    let _ = writeln!(page, "\nStopped in {:.2} s.", stopped.as_secs_f64());
    println!("\n{page}");
    println!("written to {}", report::write(&args.results, &args.name, &page)?.display());
    Ok(holds)
}

fn heading(args: &SoakArgs, folder: &Path, most: u64, rate: u64) -> String {
    let mut page = String::from("# A long time at half load\n\n");
    page.push_str(&machine::lines(folder, vec![]));
    let _ = writeln!(
        page,
        "- SQLite, {} links, {} connections; {} min at {rate}/s, {} % of {most}/s in a closed loop\n- beside it a newsroom: links \
         made one by one and in batches, targets changed, lists, reports, a viewer of the live board",
        args.links, args.connections, args.minutes, args.percent
    );
    page
}

/// Readers and newsroom, side by side.
fn soak(
    args: &SoakArgs,
    node: &Node,
    api: &Api,
    codes: &[String],
    (rate, lines): (u64, u64),
) -> Result<Soaked> {
    let (over, diary) = (AtomicBool::new(false), Diary::default());
    let samples = Mutex::new(vec![]);
    let sending = Sending::freely(args.connections, args.every);
    let mix = mix(node, Asking::Popular, codes)?;
    let done = std::thread::scope(|scope| {
        let newsroom = scope.spawn(|| newsroom::work(&api.another(), codes, &diary, &over));
        let sampler = scope.spawn(|| sample(node, &samples, &over));
        let mut done = vec![];
        for number in 0..lines {
            let plan = sending.plan(node.address, &mix, Rate::PerSecond(rate), number);
            let line = line(node, &plan, &diary, &samples);
            // Whatever comes, the others end too.
            let ended = line.is_err();
            if let Ok(line) = &line {
                println!("{}", line.row(number + 1));
            }
            done.push(line);
            if ended {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
        let ended = |thread: std::thread::ScopedJoinHandle<'_, Result<()>>| {
            thread.join().map_err(|_| anyhow!("a thread broke down"))?
        };
        ended(newsroom)?;
        ended(sampler)?;
        done.into_iter().collect::<Result<Vec<_>>>()
    })?;
    let samples = samples.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Soaked { lines: done, samples, diary })
}

fn sample(node: &Node, samples: &Mutex<Vec<Sample>>, over: &AtomicBool) -> Result<()> {
    while !over.load(Ordering::Relaxed) {
        let now =
            Sample { memory: node.memory()?, waiting: node.metrics()?.sum("slugline_journal_waiting")? };
        samples.lock().unwrap_or_else(PoisonError::into_inner).push(now);
        std::thread::sleep(SAMPLE);
    }
    Ok(())
}

fn line(node: &Node, plan: &load::Plan, diary: &Diary, samples: &Mutex<Vec<Sample>>) -> Result<Line> {
    let seen = || samples.lock().unwrap_or_else(PoisonError::into_inner);
    let (cpu, from, errors) = (node.cpu()?, seen().len(), diary.errors());
    let part = Part::of(plan, &load::run(plan)?);
    let waiting = seen().iter().skip(from).map(|sample| sample.waiting).fold(0.0, f64::max);
    Ok(Line {
        cpu: node.cpu()?.saturating_sub(cpu),
        memory: node.memory()?,
        waiting,
        errors: part.all - part.answered + part.unknown + part.unsent,
        newsroom_errors: diary.errors() - errors,
        part,
    })
}

impl Line {
    fn row(&self, number: u64) -> String {
        let Part { answered, p50, p99, .. } = self.part;
        format!(
            "| {number} | {answered} | {p50:.0} | {p99:.0} | {} | {} | {:.2} | {:.0} | {} | {} |",
            mib(self.memory.resident),
            mib(self.memory.anonymous),
            micros_each(self.cpu, answered).unwrap_or(0.0),
            self.waiting,
            self.errors,
            self.newsroom_errors
        )
    }
}

/// What came of it.
struct Soaked {
    lines: Vec<Line>,
    samples: Vec<Sample>,
    diary: Diary,
}

/// The median of the last third, in parts of the second third's.
fn growth(values: &[f64]) -> Option<f64> {
    let third = values.len() / 3;
    let median = |some: &[f64]| quartiles(some).map(|q| q.median);
    let (second, last) = (values.get(third..2 * third)?, values.get(2 * third..)?);
    ratio(median(last)?, median(second)?)
}

impl Soaked {
    fn memory(&self) -> Option<f64> {
        growth(&self.samples.iter().map(|sample| float(sample.memory.anonymous)).collect::<Vec<_>>())
    }

    fn p99(&self) -> Option<f64> {
        growth(&self.lines.iter().map(|line| line.part.p99).collect::<Vec<_>>())
    }

    fn page(self, verdict: &Verdict) -> String {
        let mut text = String::from(
            "\n| | answered | p50 µs | p99 µs | RSS MiB | RssAnon MiB | CPU µs a redirect | most waiting | errors | of the newsroom |\n\
             |---|---|---|---|---|---|---|---|---|---|\n",
        );
        for (number, line) in (1..).zip(&self.lines) {
            let _ = writeln!(text, "{}", line.row(number));
        }
        text.push_str("\n## At the end\n\n");
        for (what, growth, bound) in
            [("RssAnon", self.memory(), MEMORY_BOUND), ("p99", self.p99(), LATENCY_BOUND)]
        {
            let growth = growth.unwrap_or(f64::INFINITY);
            let flat = if growth <= bound { "flat" } else { "**not flat**" };
            let _ = writeln!(
                text,
                "- {what}: the last third's median is {growth:.3} of the second third's, at most {bound}: {flat}"
            );
        }
        let _ = writeln!(text, "- {}", verdict.line());
        let late = self.lines.iter().filter(|line| !line.part.held).count();
        if late > 0 {
            let _ = writeln!(text, "- **in {late} lines not every request was sent in time and answered**");
        }
        text.push_str(&told(self.diary));
        text
    }
}

/// What the newsroom did.
fn told(diary: Diary) -> String {
    let events = diary.events.load(Ordering::Relaxed);
    let (done, words) = diary.into_parts();
    let mut text = String::from(
        "\n## The newsroom\n\n| | times | median ms | longest ms | errors |\n|---|---|---|---|---|\n",
    );
    for (kind, done) in done {
        let millis: Vec<f64> = done.took.iter().map(|&took| float(took) / 1e6).collect();
        let median = quartiles(&millis).map_or(0.0, |q| q.median);
        let longest = millis.iter().copied().fold(0.0, f64::max);
        if kind == "live" {
            let _ = writeln!(text, "| {kind}: {events} events | {} | | | {} |", millis.len(), done.errors);
        } else {
            let _ = writeln!(
                text,
                "| {kind} | {} | {median:.1} | {longest:.1} | {} |",
                millis.len(),
                done.errors
            );
        }
    }
    for line in words {
        let _ = writeln!(text, "- {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::growth;

    #[test]
    fn growth_is_of_the_last_third() {
        assert!(growth(&[9.0, 9.0, 2.0, 2.0, 3.0, 3.0]).is_some_and(|n| (n - 1.5).abs() < 1e-9));
        assert!(growth(&[1.0, 1.0]).is_none());
    }
}
