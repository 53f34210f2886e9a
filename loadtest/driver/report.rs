//! The page that a comparison leaves: a table for each part, and what they were measured on.
//!
//! Guarantees: every figure stands beside the one it is compared with, with the spread of the rounds. Refuses to know:
//! how the rounds were run.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::numbers::Quartiles;
use crate::rounds::{Pair, Round, over};

pub(crate) struct CpuPart {
    pub(crate) most_nginx: u64,
    pub(crate) most_slugline: u64,
    pub(crate) rate: u64,
    pub(crate) pairs: Vec<Pair>,
}

pub(crate) struct LatencyPart {
    pub(crate) most_nginx: u64,
    pub(crate) rate: u64,
    pub(crate) pairs: Vec<Pair>,
}

pub(crate) struct Report {
    pub(crate) links: u64,
    pub(crate) connections: usize,
    pub(crate) round: Duration,
    pub(crate) pairs: u64,
    pub(crate) cpu: Option<CpuPart>,
    pub(crate) latency: Option<LatencyPart>,
}

impl Report {
    fn rounds(&self) -> impl Iterator<Item = &Pair> {
        let cpu = self.cpu.iter().flat_map(|part| &part.pairs);
        cpu.chain(self.latency.iter().flat_map(|part| &part.pairs))
    }

    /// Whether in every round of Slugline what was counted is what was answered.
    pub(crate) fn checks_hold(&self) -> bool {
        self.rounds().all(|pair| pair.slugline.verdict.is_none_or(|verdict| verdict.holds()))
    }

    pub(crate) fn page(&self, nginx: &Path) -> String {
        let mut page = String::from("# Slugline beside nginx\n\n");
        push(&mut page, &machine(nginx));
        push(
            &mut page,
            &format!(
                "- {} links in the store, {} keep-alive connections, {} interleaved pairs of rounds of {} s\n",
                self.links,
                self.connections,
                self.pairs,
                self.round.as_secs_f64()
            ),
        );
        if let Some(part) = &self.cpu {
            push(&mut page, &part.section());
        }
        if let Some(part) = &self.latency {
            push(&mut page, &part.section());
        }
        push(&mut page, &self.checks());
        page
    }

    fn checks(&self) -> String {
        let verdicts: Vec<_> = self.rounds().filter_map(|pair| pair.slugline.verdict).collect();
        let mut text = String::from("\n## Checks\n\n");
        let bad: Vec<String> =
            verdicts.iter().filter(|v| !v.holds()).map(|v| format!("- {}\n", v.line())).collect();
        if bad.is_empty() {
            let answered: u64 = verdicts.iter().map(|v| v.answered).sum();
            push(
                &mut text,
                &format!("Counted = answered in all {} rounds ({answered} redirects).\n", verdicts.len()),
            );
        }
        text.extend(bad);
        let late =
            self.rounds().flat_map(|pair| [&pair.nginx, &pair.slugline]).filter(|round| !round.held).count();
        if late > 0 {
            push(
                &mut text,
                &format!(
                    "**In {late} rounds not every request was sent in time and answered with a redirect.**\n"
                ),
            );
        }
        text
    }
}

impl CpuPart {
    fn section(&self) -> String {
        let mut text = format!(
            "\n## CPU for a redirect\n\nAt {}/s; closed loop at most {}/s (nginx), {}/s (Slugline). All threads of the \
             server, until nothing waits to be counted.\n\n| | lower quartile | median | upper quartile |\n|---|---|---|---|\n",
            self.rate, self.most_nginx, self.most_slugline
        );
        push(&mut text, &row("nginx, µs", over(&self.pairs, |p| p.nginx.cpu_us), 2));
        push(&mut text, &row("Slugline, µs", over(&self.pairs, |p| p.slugline.cpu_us), 2));
        push(&mut text, &row("**ratio**", over(&self.pairs, Pair::ratio), 3));
        push(
            &mut text,
            "\n| pair | nginx µs | Slugline µs | ratio | rates /s | driver µs |\n|---|---|---|---|---|---|\n",
        );
        for (number, pair) in (1..).zip(&self.pairs) {
            let Pair { nginx, slugline } = pair;
            let _ = writeln!(
                text,
                "| {number} | {:.2} | {:.2} | {:.3} | {:.0}, {:.0} | {:.2}, {:.2} |",
                nginx.cpu_us,
                slugline.cpu_us,
                pair.ratio(),
                nginx.rate,
                slugline.rate,
                nginx.driver_us,
                slugline.driver_us
            );
        }
        text
    }
}

impl LatencyPart {
    fn section(&self) -> String {
        let mut text = format!(
            "\n## Latency\n\nServer on core 0, driver on core 1, {}/s; nginx's maximum there is {}/s. From the intended \
             start, in µs; medians of the rounds, with quartiles.\n\n| | p50 | p99 | p99.9 |\n|---|---|---|---|\n",
            self.rate, self.most_nginx
        );
        let line = |name: &str, side: fn(&Pair) -> &Round| {
            let cell = |figure: fn(&Round) -> f64| {
                let Quartiles { low, median, high } = over(&self.pairs, |pair| figure(side(pair)));
                format!("{median:.1} ({low:.1} to {high:.1})")
            };
            format!("| {name} | {} | {} | {} |\n", cell(|r| r.p50), cell(|r| r.p99), cell(|r| r.p999))
        };
        push(&mut text, &line("nginx", |pair| &pair.nginx));
        push(&mut text, &line("Slugline", |pair| &pair.slugline));
        // What else runs on the machine troubles both rounds of a pair alike.
        let more = over(&self.pairs, |pair| pair.slugline.p99 - pair.nginx.p99);
        let _ = write!(
            text,
            "\nSlugline's p99 beyond nginx's, pair by pair: median {:.0} µs (quartiles {:.0}, {:.0}). Each pair, nginx \
             and Slugline:",
            more.median, more.low, more.high
        );
        for pair in &self.pairs {
            let _ = write!(text, " {:.0}, {:.0};", pair.nginx.p99, pair.slugline.p99);
        }
        text.push('\n');
        text
    }
}

fn push(text: &mut String, more: &str) {
    text.push_str(more);
}

fn row(name: &str, q: Quartiles, digits: usize) -> String {
    format!("| {name} | {:.digits$} | {:.digits$} | {:.digits$} |\n", q.low, q.median, q.high)
}

/// What a figure means nothing without.
pub(crate) fn machine(nginx: &Path) -> String {
    let model = fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| text.lines().find_map(|l| l.strip_prefix("model name")).map(|l| l.replace(':', "")))
        .unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let version = said(Command::new(nginx).arg("-v"));
    let commit = said(Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]));
    format!(
        "- {}\n- CPU {}, {cores} cores; Linux {}\n- Slugline at commit {}; {}\n",
        jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"),
        model.trim(),
        kernel.trim(),
        if commit.is_empty() { "unknown" } else { &commit },
        version
    )
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

/// Writes the page as `DATE-NAME.md`; an earlier one of the same day and name is replaced.
pub(crate) fn write(folder: &Path, name: &str, page: &str) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let file = folder.join(format!("{}-{name}.md", jiff::Timestamp::now().strftime("%Y-%m-%d")));
    fs::write(&file, page)?;
    Ok(file)
}
