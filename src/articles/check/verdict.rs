//! What is known of a target after several looks. Pure.
//!
//! Guarantees that a site that cannot be reached breaks no link before it was seen so twice, an hour apart, and that
//! what cannot be judged changes nothing.

use jiff::Timestamp;

use super::Health;
use crate::domain::link::Broken;

/// Between two looks that show a site as unreachable.
const APART: i64 = 3_600;

/// What is known of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// It is there, or nothing speaks against it.
    #[default]
    Good,
    /// It is there, and lives at another address for good.
    Moved {
        /// When that was first seen.
        since: Timestamp,
        /// Its new address: a proposal.
        to: String,
    },
    /// Its site could not be reached, which may pass.
    Doubtful {
        /// When that was first seen.
        since: Timestamp,
    },
    /// It is not there.
    Broken {
        /// When that was first seen.
        since: Timestamp,
        /// What its site answered, if it did.
        status: Option<u16>,
        /// In words.
        why: String,
    },
}

impl Verdict {
    /// What was known of a target, from what is kept of it.
    #[must_use]
    pub fn kept(broken: Option<&Broken>) -> Verdict {
        match broken {
            None => Verdict::Good,
            Some(Broken { since, proposal: Some(to), .. }) => {
                Verdict::Moved { since: *since, to: to.clone() }
            }
            Some(Broken { since, status, .. }) => {
                Verdict::Broken { since: *since, status: *status, why: String::new() }
            }
        }
    }

    /// What is known after another look.
    #[must_use]
    pub fn after(&self, seen: &Health, now: Timestamp) -> Verdict {
        match seen {
            Health::Good => Verdict::Good,
            Health::Unknown => self.clone(),
            Health::Moved { to } => {
                let since = match self {
                    Verdict::Moved { since, to: before } if *before == to.as_str() => *since,
                    _ => now,
                };
                Verdict::Moved { since, to: to.to_string() }
            }
            Health::Broken { status, why } => {
                let since = match self {
                    Verdict::Broken { since, .. } | Verdict::Doubtful { since } => *since,
                    Verdict::Good | Verdict::Moved { .. } => now,
                };
                Verdict::Broken { since, status: *status, why: why.clone() }
            }
            Health::Unreachable { why } => match self {
                Verdict::Broken { since, .. } => {
                    Verdict::Broken { since: *since, status: None, why: why.clone() }
                }
                Verdict::Doubtful { since } if now.as_second() - since.as_second() >= APART => {
                    Verdict::Broken { since: *since, status: None, why: why.clone() }
                }
                Verdict::Doubtful { since } => Verdict::Doubtful { since: *since },
                Verdict::Good | Verdict::Moved { .. } => Verdict::Doubtful { since: now },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    /// As one short text.
    fn short(verdict: &Verdict) -> String {
        let minute = |at: &Timestamp| at.as_second() / 60;
        match verdict {
            Verdict::Good => "good".into(),
            Verdict::Moved { since, to } => format!("moved {} {to}", minute(since)),
            Verdict::Doubtful { since } => format!("doubtful {}", minute(since)),
            Verdict::Broken { since, status, .. } => format!("broken {} {status:?}", minute(since)),
        }
    }

    #[test]
    fn looks_one_after_the_other() {
        let gone = || Health::Broken { status: Some(404), why: "gone".into() };
        let error = || Health::Broken { status: Some(503), why: "ill".into() };
        let away = || Health::Unreachable { why: "away".into() };
        let moved = |to: &str| Health::Moved { to: Url::parse(to).unwrap() };
        // (minute, what is seen, what is known then)
        let table: [&[(i64, Health, &str)]; 7] = [
            &[(0, Health::Good, "good"), (9, gone(), "broken 9 Some(404)"), (99, Health::Good, "good")],
            &[(0, error(), "broken 0 Some(503)"), (60, gone(), "broken 0 Some(404)")],
            &[
                (0, away(), "doubtful 0"),
                (59, away(), "doubtful 0"),
                (60, away(), "broken 0 None"),
                (120, away(), "broken 0 None"),
            ],
            &[(0, away(), "doubtful 0"), (30, Health::Good, "good"), (61, away(), "doubtful 61")],
            &[(0, away(), "doubtful 0"), (5, gone(), "broken 0 Some(404)")],
            &[
                (0, gone(), "broken 0 Some(404)"),
                (60, Health::Unknown, "broken 0 Some(404)"),
                (120, away(), "broken 0 None"),
            ],
            &[
                (0, moved("https://a.test/b"), "moved 0 https://a.test/b"),
                (9, moved("https://a.test/b"), "moved 0 https://a.test/b"),
                (10, moved("https://a.test/c"), "moved 10 https://a.test/c"),
                (11, Health::Unknown, "moved 10 https://a.test/c"),
                (12, away(), "doubtful 12"),
                (13, Health::Good, "good"),
            ],
        ];
        for looks in table {
            let mut verdict = Verdict::default();
            for (minute, seen, known) in looks {
                verdict = verdict.after(seen, at(*minute));
                assert_eq!(short(&verdict), *known, "{minute}: {seen:?}");
            }
        }
    }
}
