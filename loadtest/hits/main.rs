//! The way of a hit without HTTP: how long an append takes, and how many hits a second are counted.
//!
//! Guarantees the real journal on a real disk and the real store. Appends are timed one by one at a fixed rate, alone
//! and while another process keeps the disk busy; counting is timed in batches. Refuses to know anything of redirects.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program whose output is what it prints")]

mod fill;
mod grow;
mod redis;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use hdrhistogram::Histogram;
use slugline::clock;
use slugline::config::Config;
use slugline::domain::calendar::Calendar;
use slugline::domain::hit::{NewHit, Visitor};
use slugline::domain::lane::lane_of;
use slugline::domain::tally::StreamId;
use slugline::hits::applier::Applier;
use slugline::hits::journal::{Journal, Owner};
use slugline::store::cache::Cache;
use slugline::store::{self, Store};

/// Agents and codes differ as they do in the mix of the redirects.
const AGENTS: u64 = 1_000;
const REFERRERS: u64 = 200;
const VISITORS: u64 = 50_000;
/// Lanes of the journal that appends are timed on.
const LANES: u16 = 64;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
    /// A folder on the disk in question; made, and removed afterwards
    #[arg(long, global = true, default_value = "loadtest-hits.tmp")]
    dir: PathBuf,
}

#[derive(Subcommand)]
enum Task {
    /// Times appends at a fixed rate
    Append {
        #[arg(long, default_value_t = 20_000)]
        rate: u64,
        #[arg(long, default_value_t = 400_000)]
        hits: u64,
    },
    /// Times counting, from the journal to the store
    Apply {
        #[arg(long, default_value_t = 1_000_000)]
        hits: u64,
        #[arg(long, default_value_t = 10_000)]
        codes: u64,
        /// Hits in one batch
        #[arg(long, default_value_t = 200_000)]
        batch: u64,
    },
    /// Counts made-up hits of the last days into the store of a server that does not run, for timing its reports
    Fill(fill::Task),
    /// Fills a store with links and the numbers of a year, to see how it grows
    Grow(grow::Task),
    /// What counting costs a redis-server, which is started for it
    Redis(redis::Task),
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.dir)?;
    let done = match arguments.task {
        Task::Append { rate, hits } => append(&arguments.dir, rate, hits),
        Task::Apply { hits, codes, batch } => apply(&arguments.dir, hits, codes, batch),
        Task::Fill(task) => fill::run(&task),
        Task::Grow(task) => grow::run(&task),
        Task::Redis(task) => redis::run(&arguments.dir, &task),
    };
    std::fs::remove_dir_all(&arguments.dir)?;
    done
}

fn append(dir: &Path, rate: u64, hits: u64) -> Result<()> {
    println!("| disk | p50 | p99 | p99.9 | p99.99 | max |\n|---|---|---|---|---|---|");
    for busy in [false, true] {
        let folder = dir.join(if busy { "busy" } else { "quiet" });
        std::fs::create_dir_all(&folder)?;
        let noise = busy.then(|| Noise::start(&folder)).transpose()?;
        let times = time_appends(&folder, rate, hits)?;
        drop(noise);
        let at = |q| times.value_at_quantile(q);
        let name = if busy { "kept busy by another process" } else { "quiet" };
        println!(
            "| {name} | {} ns | {} ns | {} ns | {} ns | {} ns |",
            at(0.5),
            at(0.99),
            at(0.999),
            at(0.9999),
            times.max()
        );
    }
    Ok(())
}

fn time_appends(folder: &Path, rate: u64, hits: u64) -> Result<Histogram<u64>> {
    let config = Config::defaults()?;
    let dataset = slugline::domain::tally::DatasetId(1);
    let owner = Owner { stream: StreamId(1), dataset, lanes: LANES };
    let journal = Journal::open(folder, &config.journal, owner, clock::now_ms())?;
    let mut times = Histogram::<u64>::new(3)?;
    let mut chance = Chance(1);
    let gap = Duration::from_nanos(1_000_000_000 / rate.max(1));
    let mut next = Instant::now();
    for _ in 0..hits {
        next += gap;
        while Instant::now() < next {
            std::hint::spin_loop();
        }
        let code = format!("kx{}", chance.below(10_000));
        let agent = agent(chance.below(AGENTS));
        let referrer = referrer(chance.below(REFERRERS));
        let hit = hit((&code, &agent, &referrer), chance.below(VISITORS), LANES);
        let began = Instant::now();
        journal.append(&hit);
        times.record(u64::try_from(began.elapsed().as_nanos())?)?;
    }
    journal.close(clock::now_ms())?;
    Ok(times)
}

fn apply(dir: &Path, hits: u64, codes: u64, batch: u64) -> Result<()> {
    let mut config = Config::defaults()?;
    config.hits.batch_hits = batch;
    let now = clock::now();
    let store = store::sqlite::open(dir, &config.store, now, "UTC")?.store;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let dataset = store.tallies.dataset().await?;
        let owner = Owner { stream: StreamId(1), dataset: dataset.id, lanes: dataset.lanes };
        let folder = dir.join("journal");
        std::fs::create_dir_all(&folder)?;
        let journal = Arc::new(Journal::open(&folder, &config.journal, owner, clock::now_ms())?);
        let mut chance = Chance(2);
        for _ in 0..hits {
            let code = format!("kx{}", chance.zipf(codes));
            let (agent, referrer) = (agent(chance.below(AGENTS)), referrer(chance.below(REFERRERS)));
            journal.append(&hit((&code, &agent, &referrer), chance.below(VISITORS), dataset.lanes));
        }
        let began = Instant::now();
        counting(&config, &store, &journal, dataset.lanes).settle().await?;
        let taken = began.elapsed();
        let a_second = u128::from(hits) * 1_000_000 / taken.as_micros().max(1);
        println!("{hits} hits of {codes} codes in batches of {batch}: {taken:.2?}, {a_second} hits/s");
        journal.close(clock::now_ms())?;
        store.close().await?;
        anyhow::Ok(())
    })
}

fn counting(config: &Config, store: &Store, journal: &Arc<Journal>, lanes: u16) -> Applier {
    let deadline = config.links.store_timeout.0;
    let links = Arc::clone(&store.links);
    let cache = Arc::new(Cache::new(Arc::clone(&links), lanes, 1 << 20, Duration::from_secs(1), deadline));
    let calendar = Calendar::new(&[(0, "UTC".to_owned())]);
    // UTC is always there.
    let Ok(calendar) = calendar else { std::process::abort() };
    let (journal, tallies) = (Arc::clone(journal), Arc::clone(&store.tallies));
    Applier::new(journal, tallies, links, cache, Arc::default(), config.hits.clone(), calendar)
}

fn hit<'a>((code, agent, referrer): (&'a str, &'a str, &'a str), visitor: u64, lanes: u16) -> NewHit<'a> {
    NewHit {
        user_agent: agent.as_bytes(),
        referrer: referrer.as_bytes(),
        visitor: Visitor { hash: (visitor + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15), own_key: false },
        ..NewHit::plain(lane_of(code, lanes), code, clock::now_ms())
    }
}

fn agent(n: u64) -> String {
    let systems = [
        "Windows NT 10.0; Win64; x64",
        "Macintosh; Intel Mac OS X 10_15_7",
        "X11; Linux x86_64",
        "Linux; Android 10; K",
    ];
    let system = systems[usize::try_from(n % 4).unwrap_or(0)];
    format!("Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.{n}.0 Safari/537.36")
}

/// Three in ten have none; of the others half are of networks and searches that are known.
fn referrer(n: u64) -> String {
    match n % 20 {
        0..=5 => String::new(),
        6..=9 => "https://www.facebook.com/".to_owned(),
        10..=12 => "https://www.google.com/".to_owned(),
        _ => format!("https://www.daily-{n:03}.example/"),
    }
}

/// A process that writes past the page cache, until dropped.
struct Noise(Child);

impl Noise {
    fn start(folder: &Path) -> Result<Noise> {
        let file = folder.join("noise");
        let loop_of_dd =
            format!("while :; do dd if=/dev/zero of='{}' bs=1M count=256 oflag=direct; done", file.display());
        let child = Command::new("sh").args(["-c", &loop_of_dd]).stderr(Stdio::null()).spawn();
        Ok(Noise(child.context("sh and dd are needed to keep the disk busy")?))
    }
}

impl Drop for Noise {
    fn drop(&mut self) {
        // The dd of the moment ends by itself.
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("the noise could not be ended: {error}");
        }
    }
}

/// Numbers that are the same in each run (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n.max(1)
    }

    /// The same for large `n`.
    fn wide(&mut self, n: u64) -> u64 {
        ((self.below(1 << 31) << 31) | self.below(1 << 31)) % n.max(1)
    }

    /// Roughly Zipf: n to the power of an even number, so that each order of magnitude has as many hits.
    fn zipf(&mut self, n: u64) -> u64 {
        let digits = u64::from(n.max(2).ilog2());
        let upper = 1 << (self.below(digits) + 1);
        self.below(upper).min(n - 1)
    }
}
