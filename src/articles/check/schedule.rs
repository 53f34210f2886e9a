//! Which targets are looked at next.
//!
//! Guarantees that a target is looked at once however many links lead there, at most once a day, once an hour while
//! something is wrong with it; that those with the most clicks come first; and that a run and the memory are bounded.
//! Remembers what was seen in this process only: after a restart all are due again, so many at a time. Asks nobody.

use std::collections::HashMap;

use jiff::Timestamp;
use url::Url;

use super::{Health, Verdict};
use crate::domain::link::Broken;

/// Targets that are remembered: of more, those with the fewest clicks are not looked at.
const MAX_KNOWN: usize = 20_000;
/// Seconds after which a target is looked at again.
const A_DAY: i64 = 86_400;
/// The same while something is wrong with it.
const AN_HOUR: i64 = 3_600;

/// A link that still gets clicks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its code.
    pub code: String,
    /// Where it leads.
    pub target: String,
    /// Its clicks in the last seven days.
    pub clicks: u64,
    /// What is kept of its target, if that is not there or has moved.
    pub broken: Option<Broken>,
}

/// A target that is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The target.
    pub target: Url,
    /// The codes that lead there.
    pub codes: Vec<String>,
}

/// Decides, and remembers what was seen.
#[derive(Debug)]
pub struct Scheduler {
    most: usize,
    known: HashMap<String, Known>,
}

#[derive(Debug, Default)]
struct Known {
    verdict: Verdict,
    looked: Option<Timestamp>,
}

impl Known {
    fn is_due(&self, now: Timestamp) -> bool {
        let after = match self.verdict {
            Verdict::Good | Verdict::Moved { .. } => A_DAY,
            Verdict::Doubtful { .. } | Verdict::Broken { .. } => AN_HOUR,
        };
        self.looked.is_none_or(|looked| now.as_second() - looked.as_second() >= after)
    }
}

/// All links to one target.
#[derive(Default)]
struct Target<'a> {
    clicks: u64,
    codes: Vec<&'a str>,
    broken: Option<&'a Broken>,
}

impl Scheduler {
    /// One that gives at most so many targets a run.
    #[must_use]
    pub fn new(most: usize) -> Scheduler {
        Scheduler { most, known: HashMap::new() }
    }

    /// The targets that are due, of all links with clicks in the last seven days; what leads elsewhere by now is
    /// forgotten.
    pub fn due(&mut self, rows: &[Row], now: Timestamp) -> Vec<Due> {
        let mut targets: HashMap<&str, Target<'_>> = HashMap::new();
        for row in rows.iter().filter(|row| row.clicks > 0) {
            let target = targets.entry(&row.target).or_default();
            target.clicks = target.clicks.saturating_add(row.clicks);
            target.codes.push(&row.code);
            target.broken = target.broken.or(row.broken.as_ref());
        }
        let mut targets: Vec<(&str, Target<'_>)> = targets.into_iter().collect();
        targets.sort_unstable_by(|(a, of_a), (b, of_b)| of_b.clicks.cmp(&of_a.clicks).then(a.cmp(b)));
        targets.truncate(MAX_KNOWN);
        let mut known = std::mem::take(&mut self.known);
        let mut due = vec![];
        for (address, target) in targets {
            let before = known
                .remove(address)
                .unwrap_or_else(|| Known { verdict: Verdict::kept(target.broken), looked: None });
            if due.len() < self.most
                && before.is_due(now)
                && let Ok(url) = Url::parse(address)
            {
                let codes = target.codes.iter().map(|code| (*code).to_owned()).collect();
                due.push(Due { target: url, codes });
            }
            self.known.insert(address.to_owned(), before);
        }
        due
    }

    /// Takes what a look showed, and says what is known of the target now. `target` as in the row, or as it was due.
    pub fn seen(&mut self, target: &str, health: &Health, now: Timestamp) -> Verdict {
        let Some(known) = self.known.get_mut(target) else {
            // Meanwhile all its links lead elsewhere.
            return Verdict::default().after(health, now);
        };
        known.looked = Some(now);
        known.verdict = known.verdict.after(health, now);
        known.verdict.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(code: &str, path: &str, clicks: u64) -> Row {
        Row { code: code.into(), target: format!("https://a.test/{path}"), clicks, broken: None }
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    /// Paths and codes of those that are due.
    fn due(scheduler: &mut Scheduler, rows: &[Row], minute: i64) -> Vec<String> {
        let due = scheduler.due(rows, at(minute));
        due.into_iter().map(|due| format!("{} {}", &due.target.path()[1..], due.codes.join(","))).collect()
    }

    fn gone() -> Health {
        Health::Broken { status: Some(404), why: "gone".into() }
    }

    #[test]
    fn most_clicked_first_and_each_once_a_day() {
        let mut scheduler = Scheduler::new(2);
        let rows = [row("a", "1", 5), row("b", "2", 9), row("c", "1", 6), row("d", "3", 1), row("e", "4", 0)];
        assert_eq!(due(&mut scheduler, &rows, 0), ["1 a,c", "2 b"]);
        // What was given out and not seen is due still.
        assert_eq!(due(&mut scheduler, &rows, 1), ["1 a,c", "2 b"]);
        assert_eq!(scheduler.seen("https://a.test/1", &Health::Good, at(1)), Verdict::Good);
        assert!(matches!(scheduler.seen("https://a.test/2", &gone(), at(1)), Verdict::Broken { .. }));
        assert_eq!(due(&mut scheduler, &rows, 2), ["3 d"]);
        scheduler.seen("https://a.test/3", &Health::Unreachable { why: "away".into() }, at(2));
        assert_eq!(due(&mut scheduler, &rows, 60), [""; 0]);
        assert_eq!(due(&mut scheduler, &rows, 61), ["2 b"], "what is broken once an hour");
        assert_eq!(due(&mut scheduler, &rows, 62), ["2 b", "3 d"], "what is in doubt too");
        scheduler.seen("https://a.test/2", &Health::Good, at(62));
        let doubt = scheduler.seen("https://a.test/3", &Health::Unreachable { why: "away".into() }, at(62));
        assert!(matches!(doubt, Verdict::Broken { since, status: None, .. } if since == at(2)));
        assert_eq!(due(&mut scheduler, &rows, 24 * 60), ["3 d"]);
        assert_eq!(due(&mut scheduler, &rows, 24 * 60 + 1), ["1 a,c", "3 d"]);
    }

    #[test]
    fn what_was_kept_is_known_after_a_restart() {
        let mut scheduler = Scheduler::new(9);
        let kept = |status, proposal: Option<&str>| {
            let (target, proposal) = ("https://a.test/1".into(), proposal.map(str::to_owned));
            Some(Broken { target, since: at(7), status, proposal })
        };
        let broken = Row { broken: kept(Some(410), None), ..row("a", "1", 1) };
        assert_eq!(due(&mut scheduler, std::slice::from_ref(&broken), 100), ["1 a"]);
        let verdict = scheduler.seen("https://a.test/1", &Health::Unknown, at(100));
        assert!(matches!(verdict, Verdict::Broken { since, status: Some(410), .. } if since == at(7)));
        assert_eq!(due(&mut scheduler, &[broken], 160), ["1 a"]);
        // What has moved is still there, and is not broken by one look that fails.
        let (mut scheduler, to) = (Scheduler::new(9), "https://a.test/new");
        let moved = Row { broken: kept(Some(301), Some(to)), ..row("a", "1", 1) };
        assert_eq!(due(&mut scheduler, std::slice::from_ref(&moved), 100), ["1 a"]);
        let verdict = scheduler.seen("https://a.test/1", &Health::Unknown, at(100));
        assert_eq!(verdict, Verdict::Moved { since: at(7), to: to.into() });
        let verdict =
            scheduler.seen("https://a.test/1", &Health::Unreachable { why: "away".into() }, at(101));
        assert_eq!(verdict, Verdict::Doubtful { since: at(101) });
    }

    #[test]
    fn what_leads_elsewhere_is_forgotten() {
        let mut scheduler = Scheduler::new(9);
        assert_eq!(due(&mut scheduler, &[row("a", "1", 1), row("b", "2", 1)], 0), ["1 a", "2 b"]);
        assert_eq!(due(&mut scheduler, &[row("a", "3", 1), row("b", "2", 1)], 0), ["2 b", "3 a"]);
        assert!(matches!(scheduler.seen("https://a.test/1", &gone(), at(0)), Verdict::Broken { .. }));
        assert_eq!(scheduler.known.len(), 2);
        let many: Vec<Row> = (0..MAX_KNOWN + 5).map(|n| row("a", &n.to_string(), 2)).collect();
        assert_eq!(scheduler.due(&many, at(0)).len(), 9);
        assert_eq!(scheduler.known.len(), MAX_KNOWN);
        let none = Row { target: "no address".into(), ..row("a", "", 1) };
        assert!(scheduler.due(&[none], at(0)).is_empty());
    }
}
