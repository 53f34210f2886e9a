//! `slugline store status`, `adopt`, `rebuild`: what the store is, and the operator's word.

use std::io::{BufRead, IsTerminal};
use std::path::Path;

use anyhow::bail;
use jiff::Timestamp;

use super::block_on;
use super::data::Bar;
use crate::app::{self, JOURNAL, lock};
use crate::clock;
use crate::config::Config;
use crate::domain::calendar::Calendar;
use crate::hits::journal::Survey;
use crate::store::care::{self, Status};
use crate::store::tallies::{Dataset, StreamState};

pub(super) fn status(config: Config) -> anyhow::Result<()> {
    if !config.data.dir.is_dir() {
        bail!("there is no data folder {}", config.data.dir.display());
    }
    let status = block_on(async { Ok(care::status(&config.data.dir, &config.store, clock::now()).await?) })?;
    say(&status, clock::now());
    say_journal(&config, &status);
    match status.wrong {
        None => Ok(()),
        Some(why) => bail!("the store cannot be worked with: {why}"),
    }
}

fn say(status: &Status, now: Timestamp) {
    println!("store      {}", status.place);
    println!("state      {}", if status.wrong.is_none() { "ready" } else { "not ready" });
    if let Some(dataset) = &status.dataset {
        println!("dataset    {}, {} lanes, made {}", dataset.id, dataset.lanes, dataset.created_at);
        if let Ok(calendar) = Calendar::new(&dataset.zones) {
            println!("days       of {}", calendar.zone_name(now));
        }
    }
    if let Some(mirror) = &status.mirror {
        match &mirror.dataset {
            Some(Dataset { id, lanes, .. }) => {
                println!(
                    "mirror     of dataset {id}, {} of {} lanes",
                    mirror.complete,
                    u32::from(*lanes) + 2
                );
            }
            None => println!("mirror     new"),
        }
    }
    if let Some(links) = status.links {
        println!("links      {links}");
    }
    if let Some(numbers) = &status.numbers {
        let finished = numbers.streams.iter().filter(|stream| stream.finished_at.is_some()).count();
        println!("streams    {} open, {finished} finished", numbers.streams.len() - finished);
        if let Some(site) = numbers.audit.last() {
            println!("counted    {} hits and missed visits, {} lost", site.tallies, site.lost);
        }
        let wrong = numbers.audit.iter().filter(|lane| !lane.holds()).count();
        println!(
            "books      {}",
            if wrong == 0 { "balance".into() } else { format!("{wrong} lanes do not balance") }
        );
    }
    for (risk, text) in &status.findings {
        println!("{} {text}", if *risk { "RISK      " } else { "note      " });
    }
}

/// Hits that wait in this node's journal.
fn say_journal(config: &Config, status: &Status) {
    let known = status.mirror.as_ref().and_then(|mirror| mirror.dataset.as_ref());
    let (Some(dataset), folder) = (status.dataset.as_ref().or(known), config.data.dir.join(JOURNAL)) else {
        return;
    };
    let streams = status.numbers.as_ref().map_or(&[][..], |numbers| &numbers.streams);
    let Ok((kept, waiting)) = in_journal(&folder, dataset, streams) else { return };
    let waits = if status.numbers.is_some() {
        format!(", {waiting} of them are not counted yet")
    } else {
        String::new()
    };
    println!("journal    {kept} hits{waits}");
}

/// How many hits a journal has of a dataset, and how many of them the store, which knows these streams, has not
/// counted.
pub(super) fn in_journal(
    folder: &Path,
    dataset: &Dataset,
    streams: &[StreamState],
) -> anyhow::Result<(u64, u64)> {
    let survey = Survey::open(folder, dataset.id, dataset.lanes)?;
    let (mut kept, mut waiting) = (0, 0);
    for info in survey.streams() {
        let state = streams.iter().find(|state| state.stream == info.stream);
        let ends = info.ends.last().copied().unwrap_or(0);
        let first = info.first_retained.last().copied().unwrap_or(1);
        kept += (ends + 1).saturating_sub(first);
        waiting += ends.saturating_sub(state.and_then(|state| state.ordinals.last().copied()).unwrap_or(0));
    }
    Ok((kept, waiting))
}

/// Asks before something that cannot be taken back.
fn confirm(yes: bool, what: &str) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        bail!("{what} Say --yes if that is meant");
    }
    eprint!("{what} Is that meant? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was done"),
    }
}

pub(super) fn adopt(config: Config, yes: bool) -> anyhow::Result<()> {
    let _lock = lock::lock(&config.data.dir, "store adopt")?;
    confirm(
        yes,
        "The store that is there is taken for the right one; what this node knows of another one goes.",
    )?;
    let said = block_on(async { Ok(care::adopt(&config.data.dir, &config.store).await?) })?;
    println!("{said}");
    Ok(())
}

pub(super) fn rebuild(config: Config, yes: bool) -> anyhow::Result<()> {
    let _lock = lock::lock(&config.data.dir, "store rebuild")?;
    confirm(
        yes,
        "What is gone of the store is made anew; numbers begin at 0 there, and the journals count again what they \
         still have.",
    )?;
    block_on(async {
        let bar = Bar::new("putting back records");
        let (folder, lanes) = (config.data.dir.join(JOURNAL), config.store.lanes.max(1));
        let of_journal = move |dataset| {
            let survey = Survey::open(&folder, dataset, lanes).ok();
            survey.and_then(|survey| survey.other_lanes()).unwrap_or(lanes)
        };
        let zone = &config.newsroom.timezone;
        let rebuilt =
            care::rebuild(&config.data.dir, &config.store, zone, of_journal, clock::now(), &bar.tell())
                .await?;
        drop(bar);
        println!("dataset {}: {} records put back", rebuilt.dataset, rebuilt.records);
        let store = app::open_store(&config, clock::now()).await?;
        let settled = app::settle_all(&config, &store).await;
        let audit = store.tallies.audit().await;
        store.close().await?;
        settled?;
        if let Some(site) = audit?.last() {
            println!(
                "{} hits and missed visits counted from this node's journal, {} lost",
                site.tallies, site.lost
            );
        }
        Ok(())
    })
}
