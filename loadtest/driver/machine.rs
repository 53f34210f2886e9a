//! What figures mean nothing without: machine, system, versions, date.
//!
//! Guarantees: what cannot be found out is left out or said to be unknown. Refuses to know: the figures.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::contenders::{Contender, Programs};

/// Lines for the head of a page: the machine, the disk below `folder`, Slugline and what it was built with, and the
/// `versions` of what else runs.
pub(crate) fn lines(folder: &Path, mut versions: Vec<String>) -> String {
    let model = fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| text.lines().find_map(|l| l.strip_prefix("model name")).map(|l| l.replace(':', "")))
        .unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let disk = said(Command::new("stat").args(["-f", "-c", "%T"]).arg(folder));
    versions.push(said(Command::new("rustc").arg("--version")));
    versions.retain(|version| !version.is_empty());
    let commit = said(Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]));
    format!(
        "- {}\n- CPU {}, {cores} cores; Linux {}; data on {}\n- Slugline at commit {}; {}\n",
        jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"),
        model.trim(),
        kernel.trim(),
        known(&disk),
        known(&commit),
        versions.join("; ")
    )
}

/// Of the programs that these contenders need and that are not ours.
pub(crate) fn versions(programs: &Programs, contenders: &[Contender]) -> Vec<String> {
    let mut versions = vec![];
    if contenders.iter().any(|one| one.needs_nginx()) {
        versions.push(said(Command::new(&programs.nginx).arg("-v")));
    }
    if contenders.iter().any(|one| one.needs_redis()) {
        let version = said(Command::new(&programs.redis_server).arg("--version"));
        // Behind that is how it was built.
        versions.extend(version.split(" sha=").next().map(str::to_owned));
    }
    versions
}

/// Whether all programs are there that these contenders are; else says what to do.
pub(crate) fn ensure_installed(programs: &Programs, contenders: &[Contender]) -> Result<()> {
    for &one in contenders {
        if one.needs_nginx() {
            let runs = !said(Command::new(&programs.nginx).arg("-v")).is_empty();
            ensure!(
                runs,
                "{} does not run; as root: apt-get install -y --no-install-recommends nginx",
                programs.nginx.display()
            );
        }
        if one.needs_redis() {
            let runs = !said(Command::new(&programs.redis_server).arg("--version")).is_empty();
            ensure!(
                runs,
                "{} does not run; as root: apt-get install -y --no-install-recommends redis-server",
                programs.redis_server.display()
            );
        }
        let (peer, name) = match one {
            Contender::Bare => (&programs.bare, "bare"),
            Contender::Obvious => (&programs.obvious, "obvious"),
            _ => continue,
        };
        ensure!(peer.is_file(), "there is no {}: cargo build --release --example {name}", peer.display());
    }
    Ok(())
}

fn known(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

/// The first line that a command says, on either stream.
fn said(command: &mut Command) -> String {
    let Ok(output) = command.output() else { return String::new() };
    if !output.status.success() {
        return String::new();
    }
    let all = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&all).lines().next().unwrap_or_default().trim().to_owned()
}
