//! `[auth]`: how long somebody stays signed in, how often one may try, and which proxy is believed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::{Network, Span};

/// `[auth]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A session ends so long after it began.
    pub session_for: Span,
    /// And so long after it was last used.
    pub session_idle: Span,
    /// Attempts with one name at once; as many again in a quarter of an hour.
    pub attempts_per_user: u32,
    /// Attempts from one address, likewise.
    pub attempts_per_address: u32,
    /// The header in which the proxy in front names the user; empty for none.
    pub trusted_header: String,
    /// From where it is believed.
    pub trusted_ranges: Vec<Network>,
}

#[cfg(test)]
impl Settings {
    /// As `config/default.toml` has them.
    pub(super) fn for_tests() -> Settings {
        let days = |days: u64| Span(Duration::from_secs(days * 86_400));
        Settings {
            session_for: days(30),
            session_idle: days(7),
            attempts_per_user: 10,
            attempts_per_address: 100,
            trusted_header: String::new(),
            trusted_ranges: vec![],
        }
    }
}

impl Settings {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// (key, why).
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        for (key, span) in [("session_for", self.session_for), ("session_idle", self.session_idle)] {
            if !(Duration::from_secs(60)..=Duration::from_secs(366 * 86_400)).contains(&span.0) {
                return Err((key, "1m to 366d".into()));
            }
        }
        for (key, attempts) in [
            ("attempts_per_user", self.attempts_per_user),
            ("attempts_per_address", self.attempts_per_address),
        ] {
            if attempts == 0 {
                return Err((key, "at least 1".into()));
            }
        }
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if !self.trusted_header.bytes().all(token) {
            return Err(("trusted_header", format!("\"{}\" is no name of a header", self.trusted_header)));
        }
        if !self.trusted_header.is_empty() && self.trusted_ranges.is_empty() {
            return Err(("trusted_ranges", "say from which addresses the header is believed".into()));
        }
        // A range of everybody would let anybody in as anybody.
        if let Some(wide) = self.trusted_ranges.iter().find(|range| range.0.prefix_len() == 0) {
            return Err(("trusted_ranges", format!("{wide} is everybody")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be() {
        let refused = |change: &dyn Fn(&mut Settings)| {
            let mut settings = Settings::for_tests();
            change(&mut settings);
            settings.check().err().map(|(key, _)| key)
        };
        let networks = |text: &str| vec![text.parse::<Network>().unwrap()];
        let header = |s: &mut Settings| s.trusted_header = "X-User".into();
        assert_eq!(refused(&|_| {}), None);
        assert_eq!(refused(&|s| s.session_for = Span(Duration::from_secs(59))), Some("session_for"));
        assert_eq!(
            refused(&|s| s.session_idle = Span(Duration::from_secs(400 * 86_400))),
            Some("session_idle")
        );
        assert_eq!(refused(&|s| s.attempts_per_user = 0), Some("attempts_per_user"));
        assert_eq!(refused(&header), Some("trusted_ranges"), "from nobody");
        for everybody in ["0.0.0.0/0", "::/0"] {
            let wide = |s: &mut Settings| {
                header(s);
                s.trusted_ranges = networks(everybody);
            };
            assert_eq!(refused(&wide), Some("trusted_ranges"));
        }
        let wrong = |s: &mut Settings| {
            s.trusted_header = "X User".into();
            s.trusted_ranges = networks("10.0.0.5");
        };
        assert_eq!(refused(&wrong), Some("trusted_header"));
    }
}
