//! Scale: what a start, lists, reports, pages and redirects take on stores of several sizes.
//!
//! Guarantees: all stores are asked the same in the same order, and what was asked first is told apart from what was asked
//! again; what was refused is in the table in its words. Refuses to know: how a store was filled; it wants a folder with
//! `slugline.toml`, `codes.txt` and `key.txt`, as `hits grow` leaves it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use clap::Args;
use serde_json::Value;

use crate::api::{Api, runtime};
use crate::args::OwnServer;
use crate::load::Sending;
use crate::machine;
use crate::measured::{mix, most, stretch};
use crate::mix::{self, Asking};
use crate::node::{Node, mib};
use crate::numbers::{duration, micros_each, quartiles};
use crate::report;
use crate::report_bench::ago;
use crate::scale_page::{self, Column};
use crate::schedule::Rate;

/// Pages of a list before the later one.
const PAGES: usize = 20;
/// How often a question is asked again.
const AGAIN: usize = 5;
const PASSWORD: &str = "nothing but a load test";

#[derive(Args)]
pub(crate) struct ScaleArgs {
    /// A folder that `hits grow` has filled; several make a column each
    #[arg(long, required = true)]
    pub(crate) data: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) own: OwnServer,
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    /// Length of each load
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub(crate) round: Duration,
    /// Rate of each load, in percent of what the server can do
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=90))]
    pub(crate) percent: u64,
    /// The results are named DATE-NAME.md; without it scale-sqlite or scale-redis
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[arg(long, default_value = "loadtest/results")]
    pub(crate) results: PathBuf,
}

/// A filled folder.
struct Filled {
    folder: PathBuf,
    codes: Vec<String>,
    key: String,
    /// The Redis that it is kept in, if it is.
    redis: Option<String>,
}

impl Filled {
    fn open(folder: &Path) -> Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("no {}", folder.display()))?;
        let codes = mix::codes(Some(&folder.join("codes.txt")), 0)?;
        let key =
            fs::read_to_string(folder.join("key.txt")).context("there is no key.txt")?.trim().to_owned();
        let table: toml::Table = fs::read_to_string(folder.join("slugline.toml"))?.parse()?;
        let url = table.get("store").and_then(|store| store.get("redis")?.get("urls")?.get(0)?.as_str());
        let redis = url.map(str::to_owned);
        Ok(Self { folder, codes, key, redis })
    }
}

/// Measures all stores and writes one page; false if what was answered was not counted.
pub(crate) fn run(args: &ScaleArgs) -> Result<bool> {
    let program = args.own.program()?;
    let filled = args.data.iter().map(|folder| Filled::open(folder)).collect::<Result<Vec<_>>>()?;
    let first = filled.first().context("there is no store")?;
    let on_redis = filled.iter().filter(|filled| filled.redis.is_some()).count();
    ensure!(on_redis == 0 || on_redis == filled.len(), "SQLite and Redis do not stand beside each other");
    let kind = if on_redis > 0 { "redis" } else { "sqlite" };
    let (mut columns, mut holds) = (vec![], true);
    for filled in &filled {
        let mut column = Column::new(format!("{} links", filled.codes.len()));
        holds &= store(args, &program, filled, &mut column)?;
        columns.push(column);
    }
    let head = format!(
        "{}- store: {kind}; {} connections, loads of {} s at {} % of what the server can do in a closed loop\n",
        machine::lines(&first.folder, vec![]),
        args.connections,
        args.round.as_secs_f64(),
        args.percent
    );
    let page = scale_page::page(&head, &columns);
    println!("\n{page}");
    let name = args.name.clone().unwrap_or_else(|| format!("scale-{kind}"));
    println!("written to {}", report::write(&args.results, &name, &page)?.display());
    Ok(holds)
}

fn store(args: &ScaleArgs, program: &Path, filled: &Filled, column: &mut Column) -> Result<bool> {
    let dropped = drop_page_cache();
    if let Err(error) = &dropped {
        column.say("Start", "files out of memory before", format!("no: {error:#}"));
    }
    let node = start(program, filled, &filled.folder.join("data"), "first", column)?;
    let api = node.api(&filled.key);
    ask_all(&api, filled, column)?;
    let holds = loads(args, &node, &api, filled, column)?;
    let memory = node.memory()?;
    column.say("Memory and disk", "RSS after all, MiB", mib(memory.resident));
    column.say("Memory and disk", "RssAnon after all, MiB", mib(memory.anonymous));
    for (name, room) in node.disk()? {
        column.say("Memory and disk", &format!("{name}, MiB"), mib(room));
    }
    if let Some(url) = &filled.redis {
        column.say("Memory and disk", "used_memory of Redis, MiB", mib(redis_memory(url)?));
    }
    column.say("Stop", "after all, ms", millis(node.stop()?));
    let again = start(program, filled, &filled.folder.join("data"), "again", column)?;
    column.say("Stop", "after the second start, ms", millis(again.stop()?));
    if filled.redis.is_some() {
        // A node that joins: all it knows comes from Redis.
        let new = tempfile::Builder::new()
            .prefix("new-node-")
            .tempdir_in(args.own.work_dir.as_deref().unwrap_or(&filled.folder))?;
        let mut node = start(program, filled, new.path(), "as a new node", column)?;
        column.say("Start", "as a new node: all links there after ms", millis(node.unreserved()?));
        node.stop()?;
    }
    Ok(holds)
}

/// Starts a server and notes how soon what is there.
fn start(program: &Path, filled: &Filled, data: &Path, when: &str, column: &mut Column) -> Result<Node> {
    let node = Node::start_on(program, &filled.folder, data)?;
    let popular = filled.codes.first().context("there is no code")?;
    let (took, status) = node.redirect(popular)?;
    let there = node.since_start();
    let seldom = filled.codes.get(filled.codes.len() / 2).context("there is no code")?;
    let (other, other_status) = node.redirect(seldom)?;
    for (code, status) in [(popular, status), (seldom, other_status)] {
        ensure!((300..400).contains(&status), "{code} answered {status}");
    }
    let memory = node.memory()?;
    for (what, value) in [
        ("ready after ms", millis(node.ready_after)),
        ("first redirect after ms", millis(there)),
        ("of it the redirect, ms", millis(took)),
        ("redirect of a seldom link, ms", millis(other)),
        ("RSS MiB", mib(memory.resident)),
        ("RssAnon MiB", mib(memory.anonymous)),
    ] {
        column.say("Start", &format!("{when}: {what}"), value);
    }
    println!("{} started: ready after {} ms", column.name(), millis(node.ready_after));
    Ok(node)
}

fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

/// Lets the system forget what it has read of files.
fn drop_page_cache() -> Result<()> {
    rustix::fs::sync();
    let mut file = fs::OpenOptions::new().write(true).open("/proc/sys/vm/drop_caches")?;
    Ok(file.write_all(b"3\n")?)
}

/// A question: its section, what it is called, its path.
type Question = (&'static str, String, String);

fn ask_all(api: &Api, filled: &Filled, column: &mut Column) -> Result<()> {
    let runtime = runtime()?;
    let code = filled.codes.first().context("there is no code")?;
    let link = runtime.block_on(api.get(&format!("/api/v1/links/{code}")))?;
    let link: Value = serde_json::from_slice(&link)?;
    let article = link.pointer("/article/id").and_then(Value::as_str).context("the link has no story")?;
    let ever = runtime.block_on(api.report("summary?scope=site&from=2000-01-01"))?;
    let ever: Value = serde_json::from_slice(&ever)?;
    let hits: u64 =
        ["clicks", "previews", "bots"].iter().filter_map(|class| ever.get(*class)?.as_u64()).sum();
    column.say("What is there", "hits", hits.to_string());
    let staff = runtime.block_on(api.signed_in("loadtest", PASSWORD))?;
    let later = runtime.block_on(later(api))?;
    for (section, name, path) in questions(code, article, &later) {
        let who = if path.starts_with("/-/") { &staff } else { api };
        let mut times = vec![];
        let mut answer = Ok(Bytes::new());
        for _ in 0..=AGAIN {
            let began = Instant::now();
            answer = runtime.block_on(who.get(&path));
            if answer.is_err() {
                break;
            }
            times.push(began.elapsed());
        }
        let value = match (answer, times.split_first()) {
            (Ok(_), Some((first, again))) => {
                let again: Vec<f64> = again.iter().map(Duration::as_secs_f64).collect();
                let again = quartiles(&again).map_or(0.0, |q| q.median * 1e3);
                format!("{}, {again:.1}", millis(*first))
            }
            (Err(error), _) => format!("{error:#}"),
            (Ok(_), None) => bail!("{path} was not asked"),
        };
        column.say(section, &name, value);
    }
    Ok(())
}

/// Where a list goes on after some pages.
async fn later(api: &Api) -> Result<String> {
    let mut path = "/api/v1/links?limit=50".to_owned();
    for _ in 0..PAGES {
        let page: Value = serde_json::from_slice(&api.get(&path).await?)?;
        // A store of few links ends before; its last page is as good.
        let Some(cursor) = page.get("next_cursor").and_then(Value::as_str) else { break };
        path = format!("/api/v1/links?limit=50&cursor={cursor}");
    }
    Ok(path)
}

fn questions(code: &str, article: &str, later: &str) -> Vec<Question> {
    let (month, half) = (ago(30), ago(180));
    let lists = [
        ("first page", "limit=50"),
        ("made before half a year", &format!("limit=50&to={half}")),
        ("by title", "limit=50&sort=title"),
        ("changed last", "limit=50&sort=-updated"),
        ("of a section", "limit=50&section=World"),
        ("of an author", "limit=50&author=Author%207"),
        ("of a channel", "limit=50&channel=newsletter"),
        ("with a tag", "limit=50&tag=election"),
        ("by a maker", "limit=50&created_by=user:editor-07"),
        ("active, section and channel", "limit=50&status=active&section=Sport&channel=x"),
        ("search: a common word", "limit=50&q=harbour"),
        ("search: a code", &format!("limit=50&q={code}")),
        ("search: words that are seldom together", "limit=50&q=glacier%20orchestra%20ferry"),
        ("search: two letters", "limit=50&q=ry"),
        ("search: nothing", "limit=50&q=zzzqqqzzz"),
    ];
    let reports = [
        ("link: summary", format!("summary?scope=link:{code}")),
        ("link: days of a year", format!("series?scope=link:{code}&unit=day&from={}", ago(365))),
        ("link: sources of 30 days", format!("top?scope=link:{code}&by=source&from={month}")),
        ("story: summary", format!("summary?scope=article:{article}&from={month}")),
        ("site: summary of 30 days", format!("summary?scope=site&from={month}")),
        ("site: hours of 7 days", "series?scope=site&unit=hour".to_owned()),
        ("site: days of a year", format!("series?scope=site&unit=day&from={}", ago(365))),
        ("site: top links of 30 days", format!("top?scope=site&by=link&limit=100&from={month}")),
        ("site: top stories of 30 days", format!("top?scope=site&by=article&limit=100&from={month}")),
        ("site: top referrers of 30 days", format!("top?scope=site&by=referrer&limit=100&from={month}")),
        ("site: top authors of 30 days", format!("top?scope=site&by=author&limit=100&from={month}")),
        ("site: top links of a year", format!("top?scope=site&by=link&limit=100&from={}", ago(365))),
        ("section: sources of 30 days", format!("top?scope=section:World&by=source&from={month}")),
        ("site: hours of the week", format!("heat?scope=site&from={month}")),
    ];
    let pages = [
        ("desk", "/-/".to_owned()),
        ("links", "/-/links".to_owned()),
        ("links with a common word", "/-/links?q=harbour".to_owned()),
        ("a link", format!("/-/links/{code}")),
        ("a story", format!("/-/articles/{article}")),
        ("reports", "/-/reports".to_owned()),
        ("live board", "/-/live".to_owned()),
    ];
    let mut all = vec![(scale_page::LISTS, format!("page {}", PAGES + 1), later.to_owned())];
    all.extend(lists.map(|(name, query)| (scale_page::LISTS, name.into(), format!("/api/v1/links?{query}"))));
    all.extend(
        reports.map(|(name, path)| (scale_page::REPORTS, name.into(), format!("/api/v1/reports/{path}"))),
    );
    all.extend(pages.map(|(name, path)| (scale_page::PAGES, name.into(), path)));
    all
}

/// Redirects of all links alike, and of the popular ones most; false if what was answered was not counted.
fn loads(args: &ScaleArgs, node: &Node, api: &Api, filled: &Filled, column: &mut Column) -> Result<bool> {
    let sending = Sending::freely(args.connections, args.round);
    let mut holds = true;
    for (name, asking) in [("popular ones most", Asking::Popular), ("all alike", Asking::Evenly)] {
        let mix = mix(node, asking, &filled.codes)?;
        let most = most(&sending, node, api, &mix)?;
        let rate = (most * args.percent / 100).max(1);
        let seen = stretch(node, api, &[sending.plan(node.address, &mix, Rate::PerSecond(rate), 1)])?;
        holds &= seen.verdict.holds();
        let part = seen.parts.first().context("there is one part")?;
        for (what, value) in [
            ("at most a second", most.to_string()),
            ("rate a second", format!("{:.0}{}", part.rate, if seen.held() { "" } else { " (not held)" })),
            ("p50 µs", format!("{:.0}", part.p50)),
            ("p99 µs", format!("{:.0}", part.p99)),
            ("CPU µs a redirect", format!("{:.2}", micros_each(seen.cpu, seen.answered()).unwrap_or(0.0))),
            ("from the cache, %", format!("{:.2}", seen.hit_rate() * 100.0)),
            ("counted", seen.verdict.line()),
        ] {
            column.say("Redirects", &format!("{name}: {what}"), value);
        }
        println!("{}, {name}: at most {most}/s", column.name());
    }
    Ok(holds)
}

/// What a Redis uses of memory, by its own words, in KiB.
fn redis_memory(url: &str) -> Result<u64> {
    let mut connection = redis::Client::open(url)?.get_connection()?;
    let said: redis::InfoDict = redis::cmd("INFO").arg("memory").query(&mut connection)?;
    let bytes: u64 = said.get("used_memory").context("Redis does not say what it uses")?;
    Ok(bytes / 1_024)
}
