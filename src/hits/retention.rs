//! `[retention]`: how long numbers are kept, by what they are of, and lines of the audit.
//!
//! Guarantees that what reports promise is kept. Days and sums are kept for ever: a link's total is the sum of its days,
//! and `slugline verify` proves it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::report::HOURS_BACK;
use crate::units::Span;

const DAY: Duration = Duration::from_secs(86_400);
/// Shortest time that lines of the audit are kept.
const LEAST_AUDIT: Duration = Duration::from_secs(30 * 86_400);

/// `[retention]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Hits by minute.
    pub minutes: Span,
    /// Hits by hour.
    pub hours: Span,
    /// Hits by day, and all that is counted by day; zero is for ever.
    pub days: Span,
    /// Which readers a day had, without saying who; their number stays.
    pub sketches: Span,
    /// Who did what to which link or account.
    pub audit: Span,
}

impl Default for Settings {
    fn default() -> Settings {
        let days = |n: u32| Span(DAY * n);
        Settings {
            minutes: days(2),
            hours: days(400),
            days: Span(Duration::ZERO),
            sketches: days(60),
            audit: days(730),
        }
    }
}

impl Settings {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// (key, why).
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if self.minutes.0 < 2 * DAY {
            return Err(("minutes", "at least 48h: reports promise them".into()));
        }
        let least = HOURS_BACK.unsigned_abs() + 1;
        if self.hours.0 < DAY * least {
            return Err(("hours", format!("at least {least}d: reports compare with the last month")));
        }
        if self.days.0 != Duration::ZERO {
            return Err(("days", "0s, which is for ever: totals are their sum".into()));
        }
        if self.sketches.0 < DAY {
            return Err(("sketches", "at least 1d: today's are being added to".into()));
        }
        if self.audit.0 < LEAST_AUDIT {
            return Err(("audit", "at least 30d: it is asked when something was found out".into()));
        }
        Ok(())
    }
}

/// The end of what is older than `kept` at `now_ms`, in milliseconds since 1970 and not before.
#[must_use]
pub fn before_ms(kept: Span, now_ms: i64) -> i64 {
    now_ms.saturating_sub(i64::try_from(kept.0.as_millis()).unwrap_or(i64::MAX)).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reports_need_is_kept() {
        let with = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check().err().map(|(key, _)| key)
        };
        assert_eq!(with(|_| {}), None);
        assert_eq!(with(|s| s.minutes = Span(DAY)), Some("minutes"));
        assert_eq!(with(|s| s.hours = Span(DAY * 39)), Some("hours"));
        assert_eq!(with(|s| s.hours = Span(DAY * 40)), None);
        assert_eq!(with(|s| s.days = Span(DAY)), Some("days"));
        assert_eq!(with(|s| s.sketches = Span(Duration::ZERO)), Some("sketches"));
        assert_eq!(with(|s| s.audit = Span(DAY * 29)), Some("audit"));
        assert_eq!(with(|s| s.audit = Span(DAY * 30)), None);
        assert_eq!(before_ms(Span(DAY), 86_400_001), 1);
        assert_eq!(before_ms(Span(Duration::MAX), 86_400_000), 0);
    }
}
