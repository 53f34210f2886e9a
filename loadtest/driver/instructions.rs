//! Instructions of a redirect: a figure that does not depend on what else the machine does.
//!
//! Guarantees: a server of our own under `valgrind --tool=callgrind`, asked for few or many redirects and stopped, which
//! counts them; what the many took more is divided by how many more they were, so what a start and a stop take is not in
//! it. Only instructions outside the kernel are seen. Refuses to know: what they are spent on (`--keep` leaves what
//! `callgrind_annotate` reads).

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::args::OwnServer;
use crate::load::{self, Sending};
use crate::mix::Mix;
use crate::numbers::float;
use crate::process::Folder;
use crate::schedule::Rate;
use crate::seed::{self, Stories};
use crate::servers;

/// Few, so that all are in the cache after the first moment of both runs.
const LINKS: u64 = 100;
/// The server does a few thousand a second there.
const FEW: Duration = Duration::from_secs(10);
const MANY: Duration = Duration::from_secs(40);

#[derive(Args)]
pub(crate) struct InstructionsArgs {
    /// Pairs of runs
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) rounds: u64,
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    #[command(flatten)]
    pub(crate) own: OwnServer,
}

/// Prints what each pair of runs gave.
pub(crate) fn run(args: &InstructionsArgs) -> Result<bool> {
    let folder = Folder::new(args.own.work_dir.as_deref(), args.own.keep)?;
    let program = args.own.program()?;
    let server = servers::slugline(&program, folder.path(), None, None)?;
    let codes = seed::make(server.api()?, &Stories::standard(1, LINKS), 1)?.codes;
    server.stop()?;
    println!("| redirects | instructions | of a redirect |\n|---|---|---|");
    for round in 0..args.rounds {
        let few = counted(&program, folder.path(), &codes, args.connections, FEW, round)?;
        let many = counted(&program, folder.path(), &codes, args.connections, MANY, round)?;
        let (redirects, instructions) = (many.0.saturating_sub(few.0), many.1.saturating_sub(few.1));
        ensure!(redirects > 0, "the longer run had no more redirects than the shorter one");
        println!("| {redirects} | {instructions} | {:.0} |", float(instructions) / float(redirects));
    }
    Ok(true)
}

/// How many redirects a server answered in this time, and how many instructions its life took.
fn counted(
    program: &Path,
    folder: &Path,
    codes: &[String],
    connections: usize,
    length: Duration,
    round: u64,
) -> Result<(u64, u64)> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=callgrind.out.%p"]).arg(program);
    let server = servers::slugline_by(valgrind, &[], folder, None, None)
        .context("is valgrind there? apt-get install valgrind")?;
    let mix = Arc::new(Mix::new(&server.address.to_string(), codes, crate::mix::SEED)?);
    let plan = Sending::freely(connections, length).plan(server.address, &mix, Rate::Max, round);
    let outcome = load::run(&plan)?;
    ensure!(outcome.tally.unknown == 0, "{} requests were not answered", outcome.tally.unknown);
    server.stop()?;
    // All servers' words are there, its own last.
    let said = fs::read_to_string(folder.join("slugline.err"))?;
    let total = said.lines().rev().find_map(|line| line.split_once("Collected :"));
    Ok((outcome.tally.answered, total.context("callgrind gave no total")?.1.trim().parse()?))
}
