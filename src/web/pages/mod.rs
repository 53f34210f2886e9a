//! Pages: what readers see when a code does not lead on, the first page of staff, and the small files of a site.
//!
//! Guarantees: everything that is not ours is escaped; no script; a strict content policy in which only the page's
//! own style sheet, by its hash, is let in. Texts come from `config/lists/reader-strings.toml`.

mod site;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use askama::Template;
use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use sha2::{Digest, Sha256};

pub use site::{nothing, routes};

use crate::domain::link::Found;

const STRINGS: &str = include_str!("../../../config/lists/reader-strings.toml");
const STYLE: &str = include_str!("templates/reader.css");

/// A page and its content policy.
#[derive(Clone)]
pub struct Html {
    /// UTF-8.
    pub body: Bytes,
    /// For `Content-Security-Policy`.
    pub policy: HeaderValue,
}

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shown {
    /// No link has the code.
    Unknown,
    /// Scheduled or reserved.
    NotOpen,
    /// Past its time.
    Expired,
    /// Switched off.
    Disabled,
    /// Its story was taken back.
    Withdrawn,
    /// For good.
    Retired,
    /// The store cannot be asked.
    Unavailable,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strings {
    direction: String,
    unknown_title: String,
    unknown_text: String,
    not_open_title: String,
    not_open_text: String,
    expired_title: String,
    expired_text: String,
    disabled_title: String,
    disabled_text: String,
    withdrawn_title: String,
    withdrawn_text: String,
    retired_title: String,
    retired_text: String,
    unavailable_title: String,
    unavailable_text: String,
    preview_title: String,
    preview_text: String,
    preview_go: String,
    home: String,
}

#[derive(Deserialize)]
struct StringsFile {
    #[serde(rename = "dated")]
    _dated: String,
    #[serde(flatten)]
    languages: HashMap<String, Strings>,
}

#[derive(Template)]
#[template(path = "reader.html")]
struct Reader<'a> {
    language: &'a str,
    direction: &'a str,
    newsroom: &'a str,
    style: &'a str,
    title: &'a str,
    text: &'a str,
    message: Option<&'a str>,
    leads_to: Option<(&'a str, &'a str, &'a str)>,
    home: &'a str,
    home_text: &'a str,
}

#[derive(Template)]
#[template(path = "desk.html")]
struct Desk<'a> {
    newsroom: &'a str,
    style: &'a str,
    public_url: &'a str,
}

/// All pages, in the newsroom's name and language as they are now.
pub struct Pages(RwLock<Arc<Made>>);

/// Pages in one name and language.
struct Made {
    newsroom: Arc<str>,
    language: String,
    home: String,
    strings: Strings,
    policy: HeaderValue,
    plain: HashMap<Shown, Bytes>,
    desk: Bytes,
}

/// Pages could not be made; a release cannot have this, a test makes them all.
#[derive(Debug, thiserror::Error)]
#[error("the pages cannot be made: {0}")]
pub struct Broken(String);

impl Pages {
    /// Makes the pages that are the same for all.
    ///
    /// # Errors
    /// [`Broken`] for built-in texts that cannot be read.
    pub fn new(newsroom: &str, language: &str, home: &str, public_url: &str) -> Result<Pages, Broken> {
        Ok(Pages(RwLock::new(Arc::new(Made::new(newsroom, language, home, public_url)?))))
    }

    /// Puts these in the place of others, all at once.
    pub fn set(&self, pages: Pages) {
        let made = pages.made();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = made;
    }

    fn made(&self) -> Arc<Made> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A page without anything of a link in it.
    #[must_use]
    pub fn shown(&self, shown: Shown) -> Html {
        self.made().shown(shown)
    }

    /// The page of a closed link, with the message its editor gave it.
    #[must_use]
    pub fn closed(&self, shown: Shown, message: Option<&str>) -> Html {
        self.made().closed(shown, message)
    }

    /// Where an active link leads.
    #[must_use]
    pub fn preview(&self, found: &Found) -> Html {
        self.made().preview(found)
    }

    /// The first page of staff.
    #[must_use]
    pub fn desk(&self) -> Html {
        let made = self.made();
        made.html(made.desk.clone())
    }

    /// Where `/` leads; None for the desk.
    #[must_use]
    pub fn home(&self) -> Option<String> {
        Some(self.made().home.clone()).filter(|home| !home.is_empty())
    }
}

impl Made {
    fn new(newsroom: &str, language: &str, home: &str, public_url: &str) -> Result<Made, Broken> {
        let broken = |e: &dyn std::fmt::Display| Broken(e.to_string());
        let mut file: StringsFile = toml::from_str(STRINGS).map_err(|e| broken(&e))?;
        let primary = language.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let language = if file.languages.contains_key(&primary) { primary } else { "en".to_owned() };
        let strings = file.languages.remove(&language).ok_or_else(|| broken(&"no texts"))?;
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let desk = Desk { newsroom, style: STYLE, public_url }.render().map_err(|e| broken(&e))?;
        let mut pages = Made {
            newsroom: newsroom.into(),
            language,
            home: home.to_owned(),
            strings,
            policy: HeaderValue::try_from(policy).map_err(|e| broken(&e))?,
            plain: HashMap::new(),
            desk: desk.into(),
        };
        for shown in [
            Shown::Unknown,
            Shown::NotOpen,
            Shown::Expired,
            Shown::Disabled,
            Shown::Withdrawn,
            Shown::Retired,
            Shown::Unavailable,
        ] {
            let page = pages.render(shown, None).map_err(|e| broken(&e))?;
            pages.plain.insert(shown, page);
        }
        Ok(pages)
    }

    fn shown(&self, shown: Shown) -> Html {
        self.html(self.plain.get(&shown).cloned().unwrap_or_default())
    }

    fn closed(&self, shown: Shown, message: Option<&str>) -> Html {
        match message.and_then(|_| self.render(shown, message).ok()) {
            Some(page) => self.html(page),
            None => self.shown(shown),
        }
    }

    fn preview(&self, found: &Found) -> Html {
        let (link, article) = (&found.link, found.article.as_deref());
        let title = link.title.as_deref().or(article.and_then(|a| a.facts.title.as_deref()));
        let address = link.target.as_deref().unwrap_or_default();
        let page = Reader {
            title: &self.strings.preview_title,
            text: &self.strings.preview_text,
            leads_to: Some((title.unwrap_or_default(), address, &self.strings.preview_go)),
            ..self.reader()
        };
        match page.render() {
            Ok(page) => self.html(page.into()),
            Err(error) => {
                tracing::error!(%error, "a preview page could not be made");
                self.shown(Shown::Unavailable)
            }
        }
    }

    fn html(&self, body: Bytes) -> Html {
        Html { body, policy: self.policy.clone() }
    }

    fn render(&self, shown: Shown, message: Option<&str>) -> askama::Result<Bytes> {
        let s = &self.strings;
        let (title, text) = match shown {
            Shown::Unknown => (&s.unknown_title, &s.unknown_text),
            Shown::NotOpen => (&s.not_open_title, &s.not_open_text),
            Shown::Expired => (&s.expired_title, &s.expired_text),
            Shown::Disabled => (&s.disabled_title, &s.disabled_text),
            Shown::Withdrawn => (&s.withdrawn_title, &s.withdrawn_text),
            Shown::Retired => (&s.retired_title, &s.retired_text),
            Shown::Unavailable => (&s.unavailable_title, &s.unavailable_text),
        };
        Reader { title, text, message, ..self.reader() }.render().map(Bytes::from)
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            language: &self.language,
            direction: &self.strings.direction,
            newsroom: &self.newsroom,
            style: STYLE,
            title: "",
            text: "",
            message: None,
            leads_to: None,
            home: &self.home,
            home_text: &self.strings.home,
        }
    }
}

/// The headers of every page, of readers and of staff: never kept, never indexed, in its own policy.
pub fn never_kept(headers: &mut HeaderMap, policy: HeaderValue) {
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    headers.insert(http::header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(http::header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::link::{Link, tests::link};

    #[test]
    fn pages_escape_what_is_not_ours_and_are_small() {
        for language in ["en", "de-AT", "xx"] {
            let pages = Pages::new("<b>Post</b>", language, "https://news.example.com/", "https://s.example")
                .unwrap();
            let evil = "<script>alert(1)</script>\nsecond line";
            let found =
                Found { link: Arc::new(Link { title: Some(evil.into()), ..link("kx7") }), article: None };
            for html in [pages.closed(Shown::Expired, Some(evil)), pages.preview(&found), pages.desk()] {
                let text = String::from_utf8(html.body.to_vec()).unwrap();
                assert!(!text.contains("<script") && !text.contains("<b>Post"), "{text}");
                assert!(text.len() < 5_000, "{}", text.len());
                assert!(html.policy.to_str().unwrap().contains("sha256-"));
            }
            assert!(
                String::from_utf8_lossy(&pages.closed(Shown::Expired, Some(evil)).body)
                    .contains("second line")
            );
        }
    }
}
