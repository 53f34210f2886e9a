//! What a link in Slugline's cache takes.
//!
//! Guarantees: a server of our own, started anew after its links were made; each link is asked for once, by its preview,
//! which is answered from the cache as a redirect is and counts nothing. The first half fills what else fills (pages of
//! the database, connections); memory is compared from there to the end. Refuses to know: how the cache is made.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Result, ensure};
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::api::{Api, runtime};
use crate::args::CacheBenchArgs;
use crate::numbers::{count, index};
use crate::process::Folder;
use crate::seed::BATCH;
use crate::servers;

/// As a newsroom has them: many links of the same authors, sections and channels.
const SECTIONS: u64 = 20;
const AUTHORS: u64 = 300;
const CHANNELS: u64 = 3;
const CONNECTIONS: usize = 16;
/// So that pages of the database have their memory long before half of the links were asked for.
const SETTINGS: [(&str, &str); 1] = [("SLUGLINE__STORE__PAGE_CACHE", "1MiB")];

/// Prints what a link takes above its code and target.
pub(crate) fn run(args: &CacheBenchArgs) -> Result<bool> {
    let folder = Folder::new(args.own.work_dir.as_deref(), args.own.keep)?;
    let program = args.own.program()?;
    let server = servers::slugline(&program, folder.path(), None, None)?;
    let codes = runtime()?.block_on(make(server.api()?, args.links))?;
    server.stop()?;
    let server = servers::slugline_with(&SETTINGS, &program, folder.path(), None, None)?;
    let codes = Arc::new(codes);
    let half = codes.len() / 2;
    ask(server.api()?, &codes, 0..half)?;
    let before = server.memory()?.server.anonymous;
    ask(server.api()?, &codes, half..codes.len())?;
    let after = server.memory()?.server.anonymous;
    server.stop()?;
    let texts: usize = (half..codes.len()).map(|n| codes[n].len() + url(count(n)).len()).sum();
    let links = count(codes.len() - half);
    let (all, texts) = (after.saturating_sub(before) * 1024 / links, count(texts) / links);
    println!("| links | RssAnon before | after | bytes a link | code and target | above them |");
    println!("|---|---|---|---|---|---|");
    println!("| {links} | {before} KiB | {after} KiB | {all} | {texts} | {} |", all.saturating_sub(texts));
    Ok(true)
}

/// The address of one story; no shorter one means the same.
fn url(number: u64) -> String {
    format!("https://news.example.com/2026/11/22/a-story-of-usual-length-{number:07}")
}

/// Makes the links and gives their codes, in order.
async fn make(api: &Api, links: u64) -> Result<Vec<String>> {
    let mut codes = vec![];
    for first in (0..links).step_by(index(BATCH)) {
        let mut text = String::from("{\"links\":[");
        for number in first..(first + BATCH).min(links) {
            let comma = if number > first { "," } else { "" };
            let author = number % AUTHORS;
            // Writing into a string cannot fail.
            let _ = write!(
                text,
                "{comma}{{\"url\":\"{}\",\"channel\":\"channel {}\",\"article\":{{\"title\":\"Story {number}\",\
                 \"section\":\"Section {}\",\"authors\":[\"Author Number {author}\"]}}}}",
                url(number),
                number % CHANNELS,
                author % SECTIONS,
            );
        }
        text.push_str("]}");
        codes.extend(api.create(Bytes::from(text)).await?);
    }
    ensure!(count(codes.len()) == links, "{} links instead of {links}", codes.len());
    Ok(codes)
}

/// Asks for the preview of each of these links once.
fn ask(api: &Api, codes: &Arc<Vec<String>>, which: std::ops::Range<usize>) -> Result<()> {
    runtime()?.block_on(async {
        let mut tasks = JoinSet::new();
        for worker in 0..CONNECTIONS {
            let (api, codes, which) = (api.another(), Arc::clone(codes), which.clone());
            tasks.spawn(async move {
                for code in codes[which].iter().skip(worker).step_by(CONNECTIONS) {
                    ensure!(api.finds(&format!("/{code}+")).await?, "the preview of {code} did not come");
                }
                Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(())
    })
}
