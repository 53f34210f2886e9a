//! Hits of many days, counted into a data folder as if they had come in those days.
//!
//! Guarantees that the days and the values are the same however many hits there are, so that reports over few and over
//! many hits can be compared. Refuses to know links: codes come from a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use slugline::clock;
use slugline::config::Config;
use slugline::domain::hit::{Country, NewHit, Visitor};
use slugline::domain::lane::lane_of;
use slugline::domain::tally::StreamId;
use slugline::hits::journal::{Journal, Owner};
use slugline::store;

use super::{Chance, agent, counting, referrer};

const DAY_MS: i64 = 86_400_000;
/// Of each: few enough that a link has them all on every day.
const AGENTS: u64 = 20;
const REFERRERS: u64 = 40;
const COUNTRIES: [&[u8; 2]; 8] = [b"AT", b"DE", b"CH", b"FR", b"GB", b"US", b"IT", b"ES"];

#[derive(Args)]
pub(super) struct Task {
    /// The data folder of a server that does not run
    #[arg(long)]
    data: PathBuf,
    /// Codes, one a line; half of the hits are the first one's
    #[arg(long)]
    codes: PathBuf,
    #[arg(long, default_value_t = 100_000)]
    hits: u64,
    #[arg(long, default_value_t = 90)]
    days: u32,
}

pub(super) fn run(task: &Task) -> Result<()> {
    let config = Config::defaults()?;
    let now = clock::now();
    let codes = std::fs::read_to_string(&task.codes).context("the codes cannot be read")?;
    let codes: Vec<&str> = codes.lines().collect();
    let first = *codes.first().context("there is no code")?;
    let store = store::sqlite::open(&task.data, &config.store, now, "UTC")?.store;
    let folder = task.data.join("filling");
    std::fs::create_dir_all(&folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let dataset = store.tallies.dataset().await?;
        let stream = StreamId(now.as_microsecond().unsigned_abs());
        let owner = Owner { stream, dataset: dataset.id, lanes: dataset.lanes };
        let journal = Arc::new(Journal::open(&folder, &config.journal, owner, clock::now_ms())?);
        let mut applier = counting(&config, &store, &journal, dataset.lanes);
        let began = Instant::now();
        let mut chance = Chance(task.hits);
        // Day by day, as hits come.
        for day in (0..i64::from(task.days)).rev() {
            let midnight = clock::now_ms().div_euclid(DAY_MS) * DAY_MS - day * DAY_MS;
            let in_day = if day == 0 { clock::now_ms() - midnight } else { DAY_MS };
            for _ in 0..task.hits / u64::from(task.days.max(1)) {
                let (agent, referrer) = (agent(chance.below(AGENTS)), referrer(chance.below(REFERRERS) * 5));
                let other = usize::try_from(chance.zipf(codes.len() as u64))?;
                let code =
                    if chance.below(2) == 0 { first } else { codes.get(other).copied().unwrap_or(first) };
                let country = usize::try_from(chance.below(8))?;
                journal.append(&NewHit {
                    user_agent: agent.as_bytes(),
                    referrer: referrer.as_bytes(),
                    country: Country(*COUNTRIES[country]),
                    visitor: Visitor { hash: chance.wide(u64::MAX), own_key: false },
                    ..NewHit::plain(
                        lane_of(code, dataset.lanes),
                        code,
                        midnight + i64::try_from(chance.wide(in_day.unsigned_abs()))?,
                    )
                });
            }
            applier.settle().await?;
        }
        applier.end().await?;
        drop(applier);
        journal.close(clock::now_ms())?;
        store.close().await?;
        println!("{} hits of {} days in {:.1?}", task.hits, task.days, began.elapsed());
        anyhow::Ok(())
    })?;
    Ok(std::fs::remove_dir_all(&folder)?)
}
