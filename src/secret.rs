//! Texts that nobody may read: passwords in the configuration.
//!
//! Guarantees that neither a log line nor `config print` shows one; only [`Secret::reveal`] gives it, and only to
//! whom it is meant for.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// What stands in the place of one that is set.
const HIDDEN: &str = "(secret)";

/// A password, or "" for none.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text, for the one place that needs it; None if there is none.
    #[must_use]
    pub fn reveal(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|text| !text.is_empty())
    }

    fn shown(&self) -> &'static str {
        if self.0.is_empty() { "" } else { HIDDEN }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_asking_shows_it() {
        let secret = Secret::new("hunter2");
        assert_eq!(secret.reveal(), Some("hunter2"));
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert_eq!(serde_json::to_string(&secret).unwrap(), format!("\"{HIDDEN}\""));
        assert_eq!(serde_json::to_string(&Secret::default()).unwrap(), "\"\"");
        assert_eq!(Secret::default().reveal(), None);
    }
}
