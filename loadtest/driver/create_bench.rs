//! How fast links are made: one by one by many callers at once, and in batches.
//!
//! Guarantees: servers of our own, asked in turn in every round, each time for new stories; all are counted as made only
//! if each answer said 201. Their rates are compared, round by round, with that of a server that keeps no link, which is
//! what the handlers alone can do. Refuses to know: how a store makes a link durable.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use clap::Args;
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use crate::api::{Api, runtime};
use crate::args::{OwnServer, built_beside};
use crate::machine;
use crate::numbers::{per_second, quartiles};
use crate::process::Folder;
use crate::redis_server::Redis;
use crate::report;
use crate::seed::{self, Stories};
use crate::servers::{self, Server};

/// What single calls must reach of what they reach without a store, and batches in links a second.
const SQLITE_SHARE: f64 = 0.3;
const REDIS_SHARE: f64 = 0.5;
const BATCHES: f64 = 20_000.0;

#[derive(Args)]
pub(crate) struct CreateBenchArgs {
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) rounds: u64,
    /// Single calls of a round
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub(crate) calls: u64,
    /// Callers at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) connections: u64,
    /// Links of a round in batches of 1,000, over 4 connections
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub(crate) links: u64,
    /// The redis-server to start
    #[arg(long, default_value = "redis-server")]
    pub(crate) redis_server: PathBuf,
    #[command(flatten)]
    pub(crate) own: OwnServer,
    /// The results are named DATE-NAME.md
    #[arg(long, default_value = "create")]
    pub(crate) name: String,
    #[arg(long, default_value = "loadtest/results")]
    pub(crate) results: PathBuf,
}

/// One server, and what it reached in each round, in links a second.
struct Maker {
    name: &'static str,
    /// What single calls must reach of the rate without a store.
    share: Option<f64>,
    /// Links a second that batches must reach.
    in_batches: Option<f64>,
    server: Server,
    single: Vec<f64>,
    batches: Vec<f64>,
}

/// Runs all rounds and writes their page; false if a bound does not hold.
pub(crate) fn run(args: &CreateBenchArgs) -> Result<bool> {
    let folder = Folder::new(args.own.work_dir.as_deref(), args.own.keep)?;
    let mut makers = start(args, &folder)?;
    for round in 0..args.rounds {
        for turn in 0..makers.len() {
            let which = (turn + usize::try_from(round)?) % makers.len();
            if let Some(maker) = makers.get_mut(which) {
                maker.round(args)?;
            }
        }
    }
    let page = page(args, &folder, &makers);
    let holds = makers.iter().all(|maker| maker.holds(&makers));
    for maker in makers {
        maker.server.stop()?;
    }
    println!("{page}\nwritten to {}", report::write(&args.results, &args.name, &page)?.display());
    Ok(holds)
}

fn start(args: &CreateBenchArgs, folder: &Folder) -> Result<Vec<Maker>> {
    let place = |name: &str| -> Result<PathBuf> {
        let place = folder.path().join(name);
        std::fs::create_dir_all(&place)?;
        Ok(place)
    };
    let program = args.own.program()?;
    let noop = servers::slugline(&built_beside("noop")?, &place("noop")?, None, None)?;
    let sqlite = servers::slugline(&program, &place("sqlite")?, None, None)?;
    let redis = Redis::start(&args.redis_server, &place("redis-server")?, None)?;
    let redis = servers::slugline(&program, &place("redis")?, None, Some(redis))?;
    let maker = |name, share, in_batches, server| {
        let (single, batches) = (vec![], vec![]);
        Maker { name, share, in_batches, server, single, batches }
    };
    Ok(vec![
        maker("without a store", None, None, noop),
        maker("SQLite", Some(SQLITE_SHARE), Some(BATCHES), sqlite),
        maker("Redis", Some(REDIS_SHARE), None, redis),
    ])
}

impl Maker {
    fn round(&mut self, args: &CreateBenchArgs) -> Result<()> {
        // New stories each time: one that has its link already is found, not made.
        let tag = getrandom::u64().map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let prefix = format!("https://news.example.com/bench/{tag:016x}/story-");
        let api = self.server.api()?;
        let stories = Stories { prefix: format!("{prefix}s"), first: 1, amount: args.calls };
        let single = per_second(args.calls, single(api, &stories, args.connections)?);
        let stories = Stories { prefix, first: 1, amount: args.links };
        let batches = per_second(args.links, seed::make(api, &stories, 4)?.time);
        println!("{}: {single:.0} single calls/s, {batches:.0} links/s in batches", self.name);
        self.single.push(single);
        self.batches.push(batches);
        Ok(())
    }

    /// Its rate of single calls as parts of the other's, round by round.
    fn share_of(&self, of: &Maker) -> Option<f64> {
        let ratios: Vec<f64> = self.single.iter().zip(&of.single).map(|(own, other)| own / other).collect();
        Some(quartiles(&ratios)?.median)
    }

    fn holds(&self, all: &[Maker]) -> bool {
        let share = all.first().and_then(|without| self.share_of(without));
        let batches = quartiles(&self.batches).map(|rates| rates.median);
        reaches(share, self.share) && reaches(batches, self.in_batches)
    }
}

/// Whether a figure, if there has to be one, is there and large enough.
fn reaches(figure: Option<f64>, bound: Option<f64>) -> bool {
    bound.is_none_or(|bound| figure.is_some_and(|figure| figure >= bound))
}

/// How long it takes to make these links, each by a call of its own.
fn single(api: &Api, stories: &Stories, connections: u64) -> Result<Duration> {
    runtime()?.block_on(async {
        let next = Arc::new(AtomicU64::new(stories.first));
        let mut callers = JoinSet::new();
        let start = Instant::now();
        for _ in 0..connections {
            let (api, stories, next) = (api.another(), stories.clone(), Arc::clone(&next));
            callers.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= stories.first + stories.amount {
                        return anyhow::Ok(());
                    }
                    let body = json!({ "url": stories.url(number) }).to_string();
                    let (status, said) = api.call(Method::POST, "/api/v1/links", Bytes::from(body)).await?;
                    ensure!(status == StatusCode::CREATED, "{status}: {}", String::from_utf8_lossy(&said));
                }
            });
        }
        while let Some(done) = callers.join_next().await {
            done??;
        }
        Ok(start.elapsed())
    })
}

fn page(args: &CreateBenchArgs, folder: &Folder, makers: &[Maker]) -> String {
    let mut page = String::from("# Links made\n\n");
    page.push_str(&machine::lines(folder.path(), vec![]));
    // Writing into a string cannot fail.
    let _ = write!(
        page,
        "- {} rounds; each: {} single calls over {} connections, then {} links in batches of 1,000 over 4; each link durable \
         when it is answered\n- Medians with quartiles; bounds: {SQLITE_SHARE} (SQLite) and {REDIS_SHARE} (Redis) of the \
         rate of single calls without a store; {BATCHES} links/s in batches on SQLite\n\n\
         | | single calls/s | of those without a store | links/s in batches |\n|---|---|---|---|\n",
        args.rounds, args.calls, args.connections, args.links
    );
    for maker in makers {
        let share = makers.first().and_then(|without| maker.share_of(without));
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            maker.name,
            shown(&maker.single),
            share.map_or_else(String::new, |share| format!("{share:.2}")),
            shown(&maker.batches)
        );
    }
    page
}

fn shown(values: &[f64]) -> String {
    quartiles(values).map_or_else(String::new, |q| format!("{:.0} ({:.0} to {:.0})", q.median, q.low, q.high))
}
