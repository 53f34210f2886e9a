//! A store as it is after years: many links, and the numbers of a part of them.
//!
//! Guarantees the store's own ways (links by `create`, numbers by `apply`), so that what is there is what a server would
//! have made; that links, days and values are the same for the same sizes; and that what was cut short is gone on with by
//! the same command. Refuses to know: HTTP, journals, and how long a report takes.
//!
//! The folder gets `slugline.toml` for a server on this store, `codes.txt` and `key.txt`, which is all that
//! `loadtest scale` asks for.

mod days;
mod links;
mod spread;

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use slugline::clock;
use slugline::config::Config;
use slugline::domain::access::Role;
use slugline::store::{self, Store, settings::Kind};

const DAY_MS: i64 = 86_400_000;
/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(5);
/// What is set while filling, beside the file: much is changed at once.
const SETTINGS: [&str; 2] = ["store.page_cache=1GiB", "store.redis.timeout=60s"];

#[derive(Args)]
pub(super) struct Task {
    /// The folder that the store and all about it are put into; again with the same sizes goes on
    #[arg(long)]
    to: PathBuf,
    /// How many links, two of each story
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    links: u64,
    /// One in so many has hits
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    one_in: u64,
    /// Days on which such a link has hits, from its first on
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=100))]
    days: u64,
    /// Hits, all together
    #[arg(long, default_value_t = 10_000_000)]
    hits: u64,
    /// Over how many days, up to yesterday, the links were made
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u64).range(30..=390))]
    span: u64,
    /// A Redis for the store, such as redis://127.0.0.1:6379; without it the store is SQLite's
    #[arg(long)]
    redis: Option<String>,
    /// Does not wait until all links can be found by their words (SQLite makes that index when it is idle)
    #[arg(long)]
    no_index: bool,
}

/// What is to be there in the end; kept in the folder, so that going on means the same.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Plan {
    links: u64,
    one_in: u64,
    days: u64,
    hits: u64,
    span: u64,
    /// The first day that has nothing, as days since 1970.
    until: i64,
}

impl Plan {
    fn of(task: &Task) -> Plan {
        let until = clock::now_ms().div_euclid(DAY_MS);
        let Task { links, one_in, days, hits, span, .. } = *task;
        Plan { links, one_in, days, hits, span, until }
    }

    /// The plan of the folder, which the task's is if nothing was begun there.
    fn kept(file: &Path, task: &Task) -> Result<Plan> {
        let new = Plan::of(task);
        if !file.exists() {
            fs::write(file, serde_json::to_string_pretty(&new)?)?;
            return Ok(new);
        }
        let kept: Plan = serde_json::from_str(&fs::read_to_string(file)?)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        ensure!(
            kept == Plan { until: kept.until, ..new },
            "{} was begun with other sizes: take another folder",
            file.display()
        );
        Ok(kept)
    }

    /// When the first link was made.
    fn from(&self) -> Result<i64> {
        Ok((self.until - i64::try_from(self.span)?) * DAY_MS)
    }
}

pub(super) fn run(task: &Task) -> Result<()> {
    fs::create_dir_all(task.to.join("data"))?;
    let folder = task.to.canonicalize()?;
    let plan = Plan::kept(&folder.join("plan.json"), task)?;
    let config = config(&folder, task.redis.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let began = Instant::now();
    let dir = folder.join("data");
    runtime.block_on(async {
        let store = store::open(&dir, &config.store, clock::now(), "UTC").await?;
        let filled = fill(&store, &plan, &folder).await;
        let indexed = match (&filled, config.store.kind) {
            (Ok(()), Kind::Sqlite) if !task.no_index => indexed(&dir.join("links.db")).await,
            _ => Ok(()),
        };
        let closing = Instant::now();
        store.close().await?;
        println!("closed in {:.1?}", closing.elapsed());
        filled.and(indexed)
    })?;
    println!("{} links and {} hits: {:.1?} in all", plan.links, plan.hits, began.elapsed());
    Ok(())
}

/// Writes the server's configuration, and gives it as it is while the store is filled.
fn config(folder: &Path, redis: Option<&str>) -> Result<Config> {
    let mut data = toml::Table::new();
    data.insert("dir".into(), folder.join("data").display().to_string().into());
    let mut all = toml::Table::new();
    all.insert("data".into(), data.into());
    if let Some(url) = redis {
        let mut server = toml::Table::new();
        server.insert("urls".into(), toml::Value::Array(vec![url.into()]));
        let mut store = toml::Table::new();
        store.insert("kind".into(), "redis".into());
        store.insert("redis".into(), server.into());
        all.insert("store".into(), store.into());
    }
    let file = folder.join("slugline.toml");
    fs::write(&file, toml::to_string(&all)?)?;
    Ok(Config::load(Some(&file), std::iter::empty(), &SETTINGS.map(str::to_owned))?)
}

async fn fill(store: &Store, plan: &Plan, folder: &Path) -> Result<()> {
    let dataset = store.tallies.dataset().await?;
    let codes = Arc::new(links::Codes { lanes: dataset.lanes });
    key(store, &folder.join("key.txt")).await?;
    write_codes(plan, &codes, &folder.join("codes.txt"))?;
    let progress = folder.join("made.txt");
    let links = links::make(store, plan, &codes, &progress);
    let numbers = days::count(store, plan, &codes, &dataset);
    // Two files, or many lanes: neither holds up the other.
    tokio::try_join!(links, numbers)?;
    Ok(())
}

/// An admin's key for whoever measures, made once.
async fn key(store: &Store, file: &Path) -> Result<()> {
    if file.exists() {
        return Ok(());
    }
    let accounts = slugline::accounts::of_store(store).await?;
    let made = accounts.create_key("load test", Role::Admin, None, "cli", clock::now()).await;
    let (_, key) = made.map_err(|error| anyhow::anyhow!("no key: {error}"))?;
    Ok(fs::write(file, key)?)
}

/// All codes, those of links with hits first and the most followed of them before all.
fn write_codes(plan: &Plan, codes: &links::Codes, file: &Path) -> Result<()> {
    let mut out = BufWriter::new(fs::File::create(file)?);
    let mut followed: Vec<u64> = (0..plan.links).step_by(usize::try_from(plan.one_in)?).collect();
    followed.sort_unstable_by_key(|n| days::rank(plan, *n));
    let others = (0..plan.links).filter(|n| n % plan.one_in != 0);
    for n in followed.into_iter().chain(others) {
        writeln!(out, "{}", codes.of(n))?;
    }
    Ok(out.flush()?)
}

/// Waits until the writer, which is idle now, has indexed all links.
async fn indexed(file: &Path) -> Result<()> {
    let conn = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    let waiting = || -> Result<u64> {
        let waiting: i64 = conn.query_row("SELECT count(*) FROM search_pending", [], |row| row.get(0))?;
        Ok(u64::try_from(waiting)?)
    };
    let (began, first) = (Instant::now(), waiting()?);
    let (mut last, mut still) = (first, 0);
    while last > 0 {
        tokio::time::sleep(PROGRESS).await;
        let now = waiting()?;
        still = if now < last { 0 } else { still + 1 };
        if still > 60 {
            bail!("{now} links wait to be indexed, and nobody does it");
        }
        println!("search index: {now} links wait, {}/s", rate(first - now.min(first), began));
        last = now;
    }
    Ok(())
}

/// So many a second since then.
fn rate(amount: u64, since: Instant) -> u128 {
    u128::from(amount) * 1_000 / since.elapsed().as_millis().max(1)
}

/// Says now and then how far something is.
struct Progress {
    what: &'static str,
    whole: u64,
    began: Instant,
    /// How far it was when this run began.
    first: u64,
    told: Instant,
}

impl Progress {
    fn new(what: &'static str, first: u64, whole: u64) -> Progress {
        let now = Instant::now();
        Progress { what, whole, began: now, first, told: now }
    }

    fn at(&mut self, done: u64) {
        if self.told.elapsed() >= PROGRESS || done >= self.whole {
            self.told = Instant::now();
            let a_second = rate(done.saturating_sub(self.first), self.began);
            println!("{}: {done} of {}, {a_second}/s, {:.0?}", self.what, self.whole, self.began.elapsed());
        }
    }
}

/// Numbers that look like chance and are the same for the same `n` (SplitMix64).
fn mixed(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One of these, by `n`.
fn one<T: Copy>(of: &[T], n: u64) -> T {
    of[usize::try_from(n % of.len() as u64).unwrap_or(0)]
}
