//! `[newsroom]`: whose service this is.

use serde::{Deserialize, Serialize};

use super::Invalid;
use crate::web::pages::{Color, Look, Pages, Texts};

/// Longest name of a newsroom, in characters, and longest language tag (BCP 47 advises 35).
const MAX_NAME: usize = 100;
const MAX_LANGUAGE: usize = 35;

/// `[newsroom]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newsroom {
    /// Shown to readers.
    pub name: String,
    /// IANA zone.
    pub timezone: String,
    /// BCP 47.
    pub language: String,
    /// Where `/` leads; empty for the desk.
    pub home: String,
    /// `#rrggbb`, of the readers' pages.
    pub color: String,
    /// What readers' pages say, over what is compiled in; empty for none.
    pub strings_file: String,
    /// For security.txt; empty for none.
    pub security_contact: String,
}

impl Newsroom {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// (key, why).
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let name = &self.name;
        if name.trim().is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(("name", format!("one line of 1 to {MAX_NAME} characters")));
        }
        let subtags = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if self.language.is_empty()
            || self.language.len() > MAX_LANGUAGE
            || !self.language.chars().all(subtags)
        {
            return Err(("language", "a language tag like en or de-AT".into()));
        }
        // Pages link to it.
        let web = |home: &url::Url| matches!(home.scheme(), "http" | "https");
        if !self.home.is_empty() && !url::Url::parse(&self.home).as_ref().is_ok_and(web) {
            return Err(("home", "an http(s) address, or empty".into()));
        }
        if Color::parse(&self.color).is_none() {
            return Err(("color", "a colour like #c2341d".into()));
        }
        self.texts()?;
        Ok(())
    }

    /// What readers' pages say.
    ///
    /// # Errors
    /// (key, why).
    fn texts(&self) -> Result<Texts, (&'static str, String)> {
        Texts::open(&self.strings_file).map_err(|why| ("strings_file", why))
    }

    /// The readers' pages of a service that is reached at `public_url`.
    ///
    /// # Errors
    /// In words; the file of its texts is read again.
    pub fn pages(&self, public_url: &str) -> anyhow::Result<Pages> {
        let wrong = |(key, why)| Invalid::new(format!("newsroom.{key}"), why);
        let color = Color::parse(&self.color).ok_or_else(|| wrong(("color", self.color.clone())))?;
        let texts = self.texts().map_err(wrong)?;
        let look =
            Look { newsroom: &self.name, language: &self.language, home: &self.home, color, public_url };
        Ok(Pages::new(&look, texts)?)
    }
}
