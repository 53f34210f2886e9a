//! The page that a bench leaves: a table for each part, and what they were measured on.
//!
//! Guarantees: every figure is a median with its quartiles, beside those it is compared with; who could not keep up, and
//! whose check failed, is named. Refuses to know: how the rounds were run.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::check::Verdict;
use crate::contenders::Contender;
use crate::numbers::{Quartiles, float};
use crate::rounds::Round;
use crate::series::Series;

const NONE: &str = "–";

pub(crate) struct CpuPart {
    /// Of what the slowest can do.
    pub(crate) percent: u64,
    /// What each can do.
    pub(crate) most: Series,
    pub(crate) fixed: Series,
}

pub(crate) struct LatencyPart {
    /// What each can do on one core.
    pub(crate) most: Series,
    /// At percents of what the baseline can do there.
    pub(crate) fixed: Vec<(u64, Series)>,
}

pub(crate) struct Report {
    /// Machine, versions, date: whole lines.
    pub(crate) head: String,
    pub(crate) contenders: Vec<Contender>,
    /// The place of the one whom the others are compared with.
    pub(crate) baseline: usize,
    pub(crate) links: u64,
    pub(crate) connections: usize,
    pub(crate) rounds: u64,
    pub(crate) round: Duration,
    pub(crate) cpu: Option<CpuPart>,
    pub(crate) latency: Option<LatencyPart>,
}

impl Report {
    /// The whole page.
    pub(crate) fn page(&self) -> String {
        let mut page = String::from("# Slugline beside other ways to redirect\n\n");
        page.push_str(&self.head);
        // Writing into a string cannot fail.
        let _ = writeln!(
            page,
            "- {} links, {} keep-alive connections; rounds of each, interleaved: {}, of {} s (half of it in closed \
             loops)\n- In cells: the median of the rounds, and their quartiles\n",
            self.links,
            self.connections,
            self.rounds,
            self.round.as_secs_f64()
        );
        page.push_str(
            &self.table(&["does for a redirect"], |which| vec![self.contenders[which].does().to_owned()]),
        );
        if let Some(part) = &self.cpu {
            page.push_str(&self.cpu_section(part));
        }
        page.push_str(&self.throughput_section());
        if let Some(part) = &self.cpu {
            page.push_str(&self.memory_section(part));
        }
        for (percent, series) in self.latency.iter().flat_map(|part| &part.fixed) {
            page.push_str(&self.latency_section(*percent, series));
        }
        page.push_str(&self.checks_section());
        page
    }

    /// Whether in every round of Slugline what was counted is what was answered.
    pub(crate) fn checks_hold(&self) -> bool {
        let sluglines = (0..self.contenders.len()).filter(|&which| self.contenders[which].is_slugline());
        sluglines.flat_map(|which| self.verdicts(which)).all(|verdict| verdict.holds())
    }

    /// A row for each contender, under these heads.
    fn table(&self, heads: &[&str], cells: impl Fn(usize) -> Vec<String>) -> String {
        let mut text = format!("| | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
        for (which, contender) in self.contenders.iter().enumerate() {
            let _ = writeln!(text, "| {} | {} |", contender.title(), cells(which).join(" | "));
        }
        text
    }

    /// A row for each round, a column for each contender.
    fn each_round(&self, series: &Series, figure: impl Fn(&Round) -> String) -> String {
        let titles: Vec<&str> = self.contenders.iter().map(|one| one.title()).collect();
        let mut text = format!("| round | {} |\n|---|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
        for (number, sweep) in (1..).zip(&series.sweeps) {
            let cells: Vec<String> = sweep.iter().map(&figure).collect();
            let _ = writeln!(text, "| {number} | {} |", cells.join(" | "));
        }
        text
    }

    fn base(&self) -> &'static str {
        self.contenders.get(self.baseline).map_or("", |one| one.title())
    }

    fn cpu_section(&self, part: &CpuPart) -> String {
        let series = &part.fixed;
        let mut text = format!(
            "\n## CPU for a redirect\n\nAll at {}/s, {} % of what the slowest can do. User and system time, all threads, \
             until nothing waits to be counted. The ratio is of the sums, round by round.\n\n",
            series.rate.unwrap_or(0),
            part.percent
        );
        let ratio_to = format!("**: {}**", self.base());
        text.push_str(&self.table(&["process, µs", "redis-server, µs", "sum, µs", &ratio_to], |which| {
            vec![
                cell(series.over(which, |round| round.cpu.server), 2),
                self.if_redis(which, cell(series.over(which, |round| round.cpu.redis), 2)),
                cell(series.over(which, Round::cpu_sum), 2),
                cell(series.ratio(which, self.baseline, Round::cpu_sum), 3),
            ]
        }));
        text.push_str("\nThe sums, in µs:\n\n");
        text.push_str(&self.each_round(series, |round| format!("{:.2}", round.cpu_sum())));
        text
    }

    fn throughput_section(&self) -> String {
        let mut heads = vec![];
        let mut all = vec![];
        if let Some(part) = &self.cpu {
            heads.extend(["all cores, driver among them, /s", "driver, cores"]);
            all.push(&part.most);
        }
        if let Some(part) = &self.latency {
            heads.extend(["one core, driver on another, /s", "driver, cores"]);
            all.push(&part.most);
        }
        let mut text = String::from(
            "\n## Throughput\n\nClosed loop: each connection asks again when it is answered. Where the driver has used \
             all of a core, the maximum is its own.\n\n",
        );
        text.push_str(&self.table(&heads, |which| {
            let figures = all.iter().flat_map(|most| {
                [
                    cell(most.over(which, |round| round.rate), 0),
                    cell(most.over(which, |round| round.driver), 2),
                ]
            });
            figures.collect()
        }));
        text
    }

    fn memory_section(&self, part: &CpuPart) -> String {
        let series = &part.fixed;
        let mib = |kib: u64| float(kib) / 1024.0;
        let mut text = String::from(
            "\n## Memory at the end of a round\n\nIn MiB, of the rounds of the CPU part. RSS has pages of files in it \
             (a journal that is mapped), which the kernel takes back when it needs them; RssAnon has not.\n\n",
        );
        let heads = ["RSS", "RssAnon", "redis-server, RSS", "redis-server, RssAnon"];
        text.push_str(&self.table(&heads, |which| {
            vec![
                cell(series.over(which, |round| mib(round.memory.server.resident)), 1),
                cell(series.over(which, |round| mib(round.memory.server.anonymous)), 1),
                self.if_redis(which, cell(series.over(which, |round| mib(round.memory.redis.resident)), 1)),
                self.if_redis(which, cell(series.over(which, |round| mib(round.memory.redis.anonymous)), 1)),
            ]
        }));
        text
    }

    fn latency_section(&self, percent: u64, series: &Series) -> String {
        let base = self.base();
        let mut text = format!(
            "\n## Latency at {}/s\n\n{percent} % of what {base} can do on one core. Server (and its redis-server) on core 0, \
             driver on core 1. In µs from the intended start; the last column round by round.\n\n",
            series.rate.unwrap_or(0)
        );
        let beyond = format!("p99 beyond that of {base}");
        text.push_str(&self.table(&["p50", "p99", "p99.9", &beyond], |which| {
            if let Some(answered) = series.kept(which) {
                let none = NONE.to_owned();
                return vec![format!("cannot keep up: {answered:.0}/s"), none.clone(), none.clone(), none];
            }
            vec![
                cell(series.over(which, |round| round.p50), 1),
                cell(series.over(which, |round| round.p99), 1),
                cell(series.over(which, |round| round.p999), 1),
                cell(series.beyond(which, self.baseline, |round| round.p99), 0),
            ]
        }));
        text.push_str("\np99, in µs:\n\n");
        text.push_str(&self.each_round(series, |round| {
            // Of a round that was not held it would be the length of the queue.
            if round.held { format!("{:.0}", round.p99) } else { NONE.to_owned() }
        }));
        text
    }

    fn checks_section(&self) -> String {
        let mut text = String::from(
            "\n## Answered and counted\n\nOver all rounds. *Unknown* was sent, and its answer did not come whole: it may \
             be counted or not.\n\n",
        );
        let heads = ["answered", "unknown", "counted", "by", "rounds in which that holds"];
        text.push_str(&self.table(&heads, |which| {
            let verdicts: Vec<&Verdict> = self.verdicts(which).collect();
            let Some(by) = self.contenders[which].counts_in() else {
                return vec![NONE.to_owned(); heads.len()];
            };
            let sum =
                |figure: fn(&Verdict) -> u64| verdicts.iter().map(|one| figure(one)).sum::<u64>().to_string();
            let holding = verdicts.iter().filter(|one| one.holds()).count();
            vec![
                sum(|one| one.answered),
                sum(|one| one.unknown),
                sum(Verdict::counted),
                by.to_owned(),
                format!("{holding} of {}", verdicts.len()),
            ]
        }));
        text.push('\n');
        for (which, contender) in self.contenders.iter().enumerate() {
            for verdict in self.verdicts(which).filter(|verdict| !verdict.holds()) {
                let _ = writeln!(text, "- **{}: {}**", contender.title(), verdict.line());
            }
            let missed: usize = self.series().map(|series| series.missed(which)).sum();
            if missed > 0 {
                let _ = writeln!(
                    text,
                    "- **{}: rounds in which not every request was sent in time and answered with a redirect: {missed}.**",
                    contender.title()
                );
            }
        }
        text
    }

    fn series(&self) -> impl Iterator<Item = &Series> {
        let cpu = self.cpu.iter().flat_map(|part| [&part.most, &part.fixed]);
        let latency = self.latency.iter();
        cpu.chain(
            latency.flat_map(|part| {
                std::iter::once(&part.most).chain(part.fixed.iter().map(|(_, series)| series))
            }),
        )
    }

    fn verdicts(&self, which: usize) -> impl Iterator<Item = &Verdict> {
        self.series().flat_map(move |series| series.of(which)).filter_map(|round| round.verdict.as_ref())
    }

    fn if_redis(&self, which: usize, cell: String) -> String {
        if self.contenders[which].needs_redis() { cell } else { NONE.to_owned() }
    }
}

fn cell(figure: Option<Quartiles>, digits: usize) -> String {
    figure.map_or_else(
        || NONE.to_owned(),
        |Quartiles { low, median, high }| format!("{median:.digits$} ({low:.digits$} to {high:.digits$})"),
    )
}

/// Writes the page as `DATE-NAME.md`; an earlier one of the same day and name is replaced.
pub(crate) fn write(folder: &Path, name: &str, page: &str) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let file = folder.join(format!("{}-{name}.md", jiff::Timestamp::now().strftime("%Y-%m-%d")));
    fs::write(&file, page)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CpuPart, LatencyPart, Report};
    use crate::check::Verdict;
    use crate::contenders::Contender;
    use crate::series::Series;
    use crate::series::tests::slowing;

    fn report() -> Report {
        let closed = || Series { rate: None, ..slowing() };
        Report {
            head: "- here\n".to_owned(),
            contenders: vec![Contender::NginxLog, Contender::SluglineRedis],
            baseline: 0,
            links: 10_000,
            connections: 64,
            rounds: 3,
            round: Duration::from_secs(8),
            cpu: Some(CpuPart { percent: 70, most: closed(), fixed: slowing() }),
            latency: Some(LatencyPart { most: closed(), fixed: vec![(30, slowing())] }),
        }
    }

    #[test]
    fn every_figure_has_its_place() {
        let page = report().page();
        for line in [
            "All at 1000/s, 70 % of what the slowest can do.",
            // A redis-server is in the sum, and a column only of those who have one.
            "| nginx with log | 20.00 (15.00 to 30.00) | – | 21.00 (16.00 to 31.00) | 1.000 (1.000 to 1.000) |",
            "| Slugline on Redis | 30.00 (22.50 to 45.00) | 1.00 (1.00 to 1.00) | 31.00 (23.50 to 46.00) |",
            "| 3 | 41.00 | 61.00 |",
            "| Slugline on Redis | 500 (500 to 500) | 0.50 (0.50 to 0.50) | 500 (500 to 500) | 0.50 (0.50 to 0.50) |",
            "| nginx with log | 20.0 (20.0 to 20.0) | 10.0 (10.0 to 10.0) | – | – |",
            "| nginx with log | 30.0 (30.0 to 30.0) | 200.0 (150.0 to 300.0) |",
            "| Slugline on Redis | cannot keep up: 500/s | – | – | – |",
            "| 3 | 400 | – |",
            "| Slugline on Redis | 1200 | 0 | 1200 | its report, once nothing waits | 12 of 12 |",
            "answered with a redirect: 12.**",
        ] {
            assert!(page.contains(line), "{line}\nis not in\n{page}");
        }
        assert!(report().checks_hold());
    }

    #[test]
    fn a_check_that_fails_is_told() {
        let mut report = report();
        let lost = Verdict { answered: 100, unknown: 0, before: 0, after: 99 };
        let sweeps = report.cpu.iter_mut().flat_map(|part| &mut part.fixed.sweeps);
        sweeps.flatten().for_each(|round| round.verdict = Some(lost));
        assert!(!report.checks_hold());
        let page = report.page();
        assert!(page.contains("| 1200 | 0 | 1197 | its report, once nothing waits | 9 of 12 |"), "{page}");
        assert!(page.contains("- **Slugline on Redis: FAILED: counted 99 is 1 fewer than answered 100**"));
        // A peer that miscounts is named, and no failure of ours.
        report.contenders = vec![Contender::NginxLog, Contender::Obvious];
        assert!(report.checks_hold() && report.page().contains("- **axum and Redis: FAILED"));
    }

    #[test]
    fn a_part_that_was_left_out_is_not_told() {
        let page = Report { latency: None, ..report() }.page();
        assert!(
            page.contains("## CPU") && !page.contains("## Latency") && !page.contains("one core"),
            "{page}"
        );
        let page = Report { cpu: None, ..report() }.page();
        assert!(
            !page.contains("## CPU") && !page.contains("## Memory") && page.contains("## Latency at 1000/s")
        );
    }
}
