//! What counting costs a Redis: its CPU for a hit, and its memory for a link.
//!
//! Guarantees a real `redis-server` of its own with the settings that we recommend, and what a batch of that second
//! really is: hits are folded as the applier does it. Time runs faster than the clock, so that an hour's minutes and
//! a day's hours are there while it is measured. Refuses to know: journals, links, HTTP.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use slugline::config::Config;
use slugline::domain::calendar::Calendar;
use slugline::domain::hit::{Country, Hit, Network, Outcome, Signals, Trigger, Visitor};
use slugline::domain::lane::{Lane, lane_of};
use slugline::domain::tally::{Batch, DatasetId, StreamId};
use slugline::hits::classify::Classifier;
use slugline::hits::fold::{Fold, LinkFacts, Placer};
use slugline::store::Tallies;
use slugline::store::redis::conn::Conn;
use slugline::store::redis::dataset;
use slugline::store::redis::tallies::RedisTallies;
use slugline::store::tallies::{Applied, Dataset};

use crate::{Chance, agent};

/// 2026-11-22T00:00:00Z, in milliseconds.
const MIDNIGHT: i64 = 1_795_305_600_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const SECTIONS: usize = 12;
const AUTHORS: usize = 60;

/// What is measured.
#[derive(Args)]
pub(crate) struct Task {
    /// Lanes of the store
    #[arg(long, default_value_t = 64)]
    lanes: u16,
    /// Links; hits go to them by Zipf's law with s = 1
    #[arg(long, default_value_t = 10_000)]
    codes: usize,
    /// Hits in one batch of all lanes
    #[arg(long, default_value_t = 20_000)]
    batch: u64,
    /// Batches that are measured, a minute apart from each other
    #[arg(long, default_value_t = 60)]
    batches: u32,
    /// Instead: so many hits for each link, spread over 30 days, and what of Redis's memory that takes
    #[arg(long)]
    month: Option<u64>,
    /// A further line of redis.conf; may be given again
    #[arg(long = "line")]
    lines: Vec<String>,
}

pub(crate) fn run(dir: &Path, task: &Task) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let server = Server::start(dir, &task.lines)?;
        let config = Config::load(Some(&server.config(dir)?), std::iter::empty(), &[])?;
        let conn = Conn::open(&config.store.redis).await?;
        let zones = vec![(0, "Europe/Vienna".to_owned())];
        let created_at = slugline::clock::now();
        let new = Dataset { id: DatasetId(1), lanes: task.lanes, zones: zones.clone(), created_at };
        let (lanes, _) = dataset::open(&conn, &config.store.redis.prefix, new, None).await?;
        let calendar = Calendar::new(&zones).map_err(|e| anyhow::anyhow!("{e}"))?;
        let mut counting = Counting {
            tallies: RedisTallies::new(conn.clone(), lanes),
            lanes: task.lanes,
            codes: Codes::new(task.codes),
            done: vec![0; usize::from(task.lanes) + 1],
            chance: Chance(3),
            placer: Placer::new(calendar),
            classifier: Classifier::default(),
            folding: Duration::ZERO,
            rows: 0,
        };
        match task.month {
            None => cpu(&conn, &mut counting, task).await?,
            Some(hits) => memory(&conn, &mut counting, task, hits).await?,
        }
        conn.close().await;
        Ok(())
    })
}

async fn cpu(conn: &Conn, counting: &mut Counting, task: &Task) -> Result<()> {
    // A day so far, so that what is changed has the size that it has in the afternoon.
    for hour in 0..15 {
        counting.batch(MIDNIGHT + hour * HOUR, 10 * 60_000, task.batch).await?;
    }
    (counting.folding, counting.rows) = (Duration::ZERO, 0);
    let (before, began) = (Used::of(conn).await?, Instant::now());
    reset(conn).await?;
    for n in 0..task.batches {
        counting.batch(MIDNIGHT + 15 * HOUR + i64::from(n) * 60_000, 1_000, task.batch).await?;
    }
    let (after, took) = (Used::of(conn).await?, began.elapsed());
    let hits = task.batch * u64::from(task.batches);
    println!(
        "{hits} hits of {} links in batches of {}: redis-server used {:.2} µs for a hit ({} rows a batch; {:.2?} in all, {:.2?} of it classifying and folding)",
        task.codes,
        task.batch,
        (after.cpu - before.cpu) * 1e6 / as_float(hits),
        counting.rows / u64::from(task.batches),
        took,
        counting.folding
    );
    println!("memory in use: {:.1} MB", as_float(after.memory) / 1e6);
    for line in info(conn, "commandstats").await?.lines().filter(|l| l.starts_with("cmdstat_")) {
        println!("{line}");
    }
    Ok(())
}

async fn memory(conn: &Conn, counting: &mut Counting, task: &Task, hits: u64) -> Result<()> {
    let before = Used::of(conn).await?;
    let all = hits * u64::try_from(task.codes)?;
    for day in 0..30 {
        // By hours, as a day's hits come.
        for hour in 0..24 {
            let some = share(all, 30 * 24, day * 24 + hour);
            let at = MIDNIGHT + i64::try_from(day)? * DAY + i64::try_from(hour)? * HOUR;
            counting.even(at, HOUR, some).await?;
        }
        let now = (MIDNIGHT + i64::try_from(day)? * DAY) / 1_000;
        counting.tallies.forget_minutes(now - 24 * 3_600).await?;
    }
    let after = Used::of(conn).await?;
    let links = as_float(u64::try_from(task.codes)?);
    println!(
        "{} links with {hits} hits each in 30 days: {:.0} bytes of Redis memory a link",
        task.codes,
        (as_float(after.memory) - as_float(before.memory)) / links
    );
    let now = MIDNIGHT / 1_000 + 40 * 86_400;
    counting.tallies.forget_minutes(now).await?;
    let left = Used::of(conn).await?;
    println!("without minutes: {:.0} bytes", (as_float(left.memory) - as_float(before.memory)) / links);
    Ok(())
}

/// The n-th of so many even parts of a whole.
fn share(whole: u64, parts: u64, n: u64) -> u64 {
    whole * (n + 1) / parts - whole * n / parts
}

#[allow(clippy::cast_precision_loss, reason = "for people to read")]
fn as_float(n: u64) -> f64 {
    n as f64
}

/// Codes with their ranks.
struct Codes {
    names: Vec<String>,
    /// Up to which draw a rank is meant.
    ranks: Vec<u64>,
}

impl Codes {
    fn new(amount: usize) -> Codes {
        let mut sum = 0;
        let ranks = (1..).take(amount).map(|rank| {
            sum += (1 << 40) / rank;
            sum
        });
        let ranks = ranks.collect();
        // Codes as ours are: seven letters, in no order.
        let mut chance = Chance(11);
        let letters = b"bcdfghjkmnpqrstvwxz23456789";
        let mut letter = || char::from(letters[usize::try_from(chance.below(27)).unwrap_or(0)]);
        let names = (0..amount).map(|_| (0..7).map(|_| letter()).collect()).collect();
        Codes { names, ranks }
    }
}

/// The applier's work without a journal.
struct Counting {
    tallies: RedisTallies,
    lanes: Lane,
    codes: Codes,
    /// The store's ordinals.
    done: Vec<u64>,
    chance: Chance,
    placer: Placer,
    classifier: Classifier,
    folding: Duration,
    rows: u64,
}

impl Counting {
    /// Hits by Zipf's law within `span` milliseconds, folded and applied.
    async fn batch(&mut self, from_ms: i64, span: i64, hits: u64) -> Result<()> {
        let last = self.codes.ranks.last().copied().unwrap_or(1);
        let drawn: Vec<usize> = (0..hits)
            .map(|_| {
                let at = self.chance.wide(last);
                self.codes.ranks.partition_point(|&upto| upto <= at)
            })
            .collect();
        self.apply(from_ms, span, &drawn).await
    }

    /// Hits on links that are all alike.
    async fn even(&mut self, from_ms: i64, span: i64, hits: u64) -> Result<()> {
        let amount = u64::try_from(self.codes.names.len())?;
        for first in (0..hits).step_by(20_000) {
            let drawn = (first..hits.min(first + 20_000)).map(|_| self.chance.below(amount));
            let drawn: Vec<usize> = drawn.map(|n| usize::try_from(n).unwrap_or(0)).collect();
            self.apply(from_ms, span, &drawn).await?;
        }
        Ok(())
    }

    async fn apply(&mut self, from_ms: i64, span: i64, drawn: &[usize]) -> Result<()> {
        let began = Instant::now();
        let (mut fold, mut to) = (Fold::default(), self.done.clone());
        for code in drawn {
            let code = self.codes.names[*code].clone();
            let kind = self.chance.below(100);
            let agent = match kind {
                0..80 => agent(self.chance.below(1_000)),
                80..95 => "Googlebot/2.1 (+http://www.google.com/bot.html)".to_owned(),
                _ => "WhatsApp/2.23.20.0".to_owned(),
            };
            let lane = lane_of(&code, self.lanes);
            to[usize::from(lane)] += 1;
            to[usize::from(self.lanes)] += 1;
            let at_ms = from_ms + i64::try_from(self.chance.below(u64::try_from(span)?))?;
            let hit = Hit {
                lane,
                lane_ordinal: 1,
                site_ordinal: 1,
                code: &code,
                at_ms,
                outcome: Outcome::Followed { target: 1 },
                trigger: if kind.is_multiple_of(20) { Trigger::Qr } else { Trigger::Link },
                signals: Signals::default(),
                network: Network::Unknown,
                country: Country(*b"AT"),
                visitor: Visitor { hash: self.chance.below(u64::MAX), own_key: false },
                user_agent: agent.as_bytes(),
                referrer: b"https://www.facebook.com",
                hints: b"",
                params: b"",
            };
            let seen = self.classifier.classify(&hit);
            fold.add(&hit, seen, &self.classifier, self.placer.place(at_ms));
        }
        let mut groups = fold.of_lanes(self.lanes);
        groups.push(fold.of_site(facts));
        self.folding += began.elapsed();
        for (lane, groups) in (0..).zip(groups) {
            let (from, to) = (self.done[usize::from(lane)], to[usize::from(lane)]);
            if from == to {
                continue;
            }
            let rows: usize = groups.iter().map(|group| group.rows.len()).sum();
            ensure!(rows <= self.tallies.max_rows(), "{rows} rows in lane {lane}: smaller batches");
            self.rows += u64::try_from(rows)?;
            let stream = StreamId(7);
            let batch =
                Batch { stream, stream_began_ms: MIDNIGHT, lane, from, to, lost: 0, groups: groups.into() };
            match self.tallies.apply(&batch).await? {
                Applied::Done => self.done[usize::from(lane)] = to,
                Applied::At(at) => bail!("lane {lane} is at {at} instead of {from}"),
            }
        }
        Ok(())
    }
}

/// A story has a section and one or two authors.
fn facts(code: &str) -> LinkFacts {
    let n = code.bytes().fold(7, |n: usize, byte| n.wrapping_mul(31).wrapping_add(usize::from(byte)));
    let author = |n: usize| format!("Author {}", n % AUTHORS).into();
    LinkFacts {
        channel: Some(["x", "whatsapp", "newsletter", "print"][n % 4].into()),
        section: Some(format!("Section {}", n % SECTIONS).into()),
        authors: (0..=n % 2).map(|more| author(n / 7 + more)).collect(),
    }
}

/// What a server has used so far.
struct Used {
    /// Seconds of CPU, of its main thread.
    cpu: f64,
    /// Bytes.
    memory: u64,
}

impl Used {
    async fn of(conn: &Conn) -> Result<Used> {
        let (cpu, memory) = (info(conn, "cpu").await?, info(conn, "memory").await?);
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(|value| value.trim().to_owned()).with_context(|| format!("INFO has no {name}"))
        };
        let user: f64 = field(&cpu, "used_cpu_user_main_thread")?.parse()?;
        let sys: f64 = field(&cpu, "used_cpu_sys_main_thread")?.parse()?;
        Ok(Used { cpu: user + sys, memory: field(&memory, "used_memory")?.parse()? })
    }
}

async fn info(conn: &Conn, section: &str) -> Result<String> {
    let mut cmd = redis::cmd("INFO");
    cmd.arg(section);
    Ok(slugline::store::redis::conn::read(conn.ask(cmd).await?)?)
}

async fn reset(conn: &Conn) -> Result<()> {
    let mut cmd = redis::cmd("CONFIG");
    cmd.arg("RESETSTAT");
    conn.ask(cmd).await?;
    Ok(())
}

/// A server that ends when this is dropped.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(dir: &Path, lines: &[String]) -> Result<Server> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let file = dir.join("redis.conf");
        let common = "bind 127.0.0.1\nsave \"\"\nappendonly no\nhash-max-listpack-value 1024\nmaxmemory-policy noeviction\n";
        let folder = dir.canonicalize()?;
        let text = format!("port {port}\ndir \"{}\"\n{common}{}\n", folder.display(), lines.join("\n"));
        std::fs::write(&file, text)?;
        let process = Command::new("redis-server").arg(&file).stdout(Stdio::null()).spawn();
        let server = Server { process: process.context("redis-server is needed")?, port };
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(began.elapsed() < Duration::from_secs(10), "redis-server does not listen on port {port}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    fn config(&self, dir: &Path) -> Result<std::path::PathBuf> {
        let file = dir.join("slugline.toml");
        let text =
            format!("[store.redis]\nurls = [\"redis://127.0.0.1:{}\"]\ntimeout = \"10s\"\n", self.port);
        std::fs::write(&file, text)?;
        Ok(file)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            eprintln!("redis-server could not be ended: {error}");
        }
    }
}
