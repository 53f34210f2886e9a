//! Pages: what readers see when a code does not lead on, the first page of staff, the button for article pages, and the
//! small files of a site.
//!
//! Guarantees: everything that is not ours is escaped; no script; a strict content policy in which only the page's
//! own style sheet, by its hash, is let in. A page is in the article's language, else in the reader's, else in the
//! newsroom's (`strings`), and in the newsroom's colour (`color`).

mod address;
mod button;
mod color;
mod site;
mod strings;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use askama::Template;
use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

pub use button::bookmarklet;
pub use color::Color;
pub(crate) use site::accepts;
pub use site::{nothing, routes};
pub use strings::Texts;

use crate::domain::link::Found;
use strings::{Strings, primary};

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

impl Shown {
    const ALL: [Shown; 7] = [
        Shown::Unknown,
        Shown::NotOpen,
        Shown::Expired,
        Shown::Disabled,
        Shown::Withdrawn,
        Shown::Retired,
        Shown::Unavailable,
    ];

    /// Its heading and what it says.
    fn said(self, s: &Strings) -> (&str, &str) {
        match self {
            Shown::Unknown => (&s.unknown_title, &s.unknown_text),
            Shown::NotOpen => (&s.not_open_title, &s.not_open_text),
            Shown::Expired => (&s.expired_title, &s.expired_text),
            Shown::Disabled => (&s.disabled_title, &s.disabled_text),
            Shown::Withdrawn => (&s.withdrawn_title, &s.withdrawn_text),
            Shown::Retired => (&s.retired_title, &s.retired_text),
            Shown::Unavailable => (&s.unavailable_title, &s.unavailable_text),
        }
    }
}

/// What is known of who shall read a page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asks<'a> {
    /// The language of the article that the link is about, where that may be told.
    pub article: Option<&'a str>,
    /// The reader's `Accept-Language`.
    pub accepts: &'a str,
}

/// Whose pages.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The newsroom's name.
    pub newsroom: &'a str,
    /// Its language: that of pages for which nothing else says.
    pub language: &'a str,
    /// Its home page; empty for the desk.
    pub home: &'a str,
    /// Its colour.
    pub color: Color,
    /// Scheme, host and port of this service, without a slash at its end.
    pub public_url: &'a str,
}

#[derive(Template)]
#[template(path = "reader.html")]
struct Reader<'a> {
    language: &'a str,
    strings: &'a Strings,
    newsroom: &'a str,
    style: &'a str,
    title: &'a str,
    text: &'a str,
    message: Option<&'a str>,
    preview: Option<Preview<'a>>,
    /// (where it leads, how it is shown).
    guesses: &'a [(String, String)],
    home: &'a str,
}

/// Where a link leads.
struct Preview<'a> {
    headline: Option<&'a str>,
    /// The headline's language, if it is not the page's.
    spoken: Option<&'a str>,
    target: &'a str,
    shown: address::Shown,
}

/// All pages, in the newsroom's name, languages and colour as they are now.
pub struct Pages(RwLock<Arc<Made>>);

/// Pages in one name and colour.
struct Made {
    newsroom: Arc<str>,
    home: String,
    public_url: String,
    texts: Texts,
    /// The language of pages for which nothing else says.
    usual: String,
    style: String,
    policy: HeaderValue,
    /// Those that are the same for all, by language.
    plain: HashMap<String, HashMap<Shown, Bytes>>,
}

/// Pages could not be made; a release cannot have this, a test makes them all.
#[derive(Debug, thiserror::Error)]
#[error("the pages cannot be made: {0}")]
pub struct Broken(String);

impl Pages {
    /// Makes the pages that are the same for all.
    ///
    /// # Errors
    /// [`Broken`] for templates that cannot be filled.
    pub fn new(look: &Look<'_>, texts: Texts) -> Result<Pages, Broken> {
        Ok(Pages(RwLock::new(Arc::new(Made::new(look, texts)?))))
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
    pub fn shown(&self, shown: Shown, asks: Asks<'_>) -> Html {
        self.made().shown(shown, asks)
    }

    /// The page of a code that nobody has, with codes that may have been meant.
    #[must_use]
    pub fn unknown(&self, guesses: &[String], asks: Asks<'_>) -> Html {
        self.made().unknown(guesses, asks)
    }

    /// The page of a closed link, with the message its editor gave it.
    #[must_use]
    pub fn closed(&self, shown: Shown, message: Option<&str>, asks: Asks<'_>) -> Html {
        self.made().closed(shown, message, asks)
    }

    /// Where an active link leads.
    #[must_use]
    pub fn preview(&self, found: &Found, accepts: &str) -> Html {
        self.made().preview(found, accepts)
    }

    /// Where `/` leads; None for the desk.
    #[must_use]
    pub fn home(&self) -> Option<String> {
        Some(self.made().home.clone()).filter(|home| !home.is_empty())
    }

    /// The newsroom's name and the language it works in.
    #[must_use]
    pub fn newsroom(&self) -> (Arc<str>, String) {
        let made = self.made();
        (Arc::clone(&made.newsroom), made.usual.clone())
    }
}

impl Made {
    fn new(look: &Look<'_>, texts: Texts) -> Result<Made, Broken> {
        let broken = |e: &dyn std::fmt::Display| Broken(e.to_string());
        let style = look.color.style() + STYLE;
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let Look { newsroom, public_url, .. } = *look;
        let mut made = Made {
            newsroom: newsroom.into(),
            home: look.home.to_owned(),
            public_url: public_url.to_owned(),
            usual: texts.usual(look.language),
            texts,
            style,
            policy: HeaderValue::try_from(policy).map_err(|e| broken(&e))?,
            plain: HashMap::new(),
        };
        let mut plain = HashMap::new();
        for (language, strings) in made.texts.all() {
            let pages = Shown::ALL.map(|shown| Ok((shown, made.render(shown, None, (language, strings))?)));
            let pages: askama::Result<_> = pages.into_iter().collect();
            plain.insert(language.to_owned(), pages.map_err(|e| broken(&e))?);
        }
        made.plain = plain;
        Ok(made)
    }

    /// The language of a page, with what is said in it.
    fn spoken(&self, asks: Asks<'_>) -> Option<(&str, &Strings)> {
        let language = self.texts.choose(asks.article, asks.accepts).unwrap_or(&self.usual);
        self.texts.get(language)
    }

    fn shown(&self, shown: Shown, asks: Asks<'_>) -> Html {
        let pages = self.spoken(asks).and_then(|(language, _)| self.plain.get(language));
        self.html(pages.and_then(|pages| pages.get(&shown)).cloned().unwrap_or_default())
    }

    fn closed(&self, shown: Shown, message: Option<&str>, asks: Asks<'_>) -> Html {
        let page = message
            .zip(self.spoken(asks))
            .and_then(|(message, spoken)| self.render(shown, Some(message), spoken).ok());
        page.map_or_else(|| self.shown(shown, asks), |page| self.html(page))
    }

    fn unknown(&self, guesses: &[String], asks: Asks<'_>) -> Html {
        let Some(spoken) = self.spoken(asks).filter(|_| !guesses.is_empty()) else {
            return self.shown(Shown::Unknown, asks);
        };
        let base = &self.public_url;
        let plain = base.split_once("://").map_or(base.as_str(), |(_, host)| host);
        let guesses: Vec<(String, String)> =
            guesses.iter().map(|code| (format!("{base}/{code}"), format!("{plain}/{code}"))).collect();
        let (title, text) = Shown::Unknown.said(spoken.1);
        let page = Reader { title, text, guesses: &guesses, ..self.reader(spoken) };
        page.render().map_or_else(|_| self.shown(Shown::Unknown, asks), |page| self.html(page.into()))
    }

    fn preview(&self, found: &Found, accepts: &str) -> Html {
        let (link, article) = (&found.link, found.article.as_deref());
        let asks = Asks { article: article.and_then(|a| a.facts.language.as_deref()), accepts };
        let unavailable = || self.shown(Shown::Unavailable, asks);
        let Some(spoken) = self.spoken(asks) else { return unavailable() };
        let target = link.target.as_deref().unwrap_or_default();
        let preview = Preview {
            headline: link.title.as_deref().or(article.and_then(|a| a.facts.title.as_deref())),
            spoken: asks.article.filter(|tag| !primary(tag).eq_ignore_ascii_case(primary(spoken.0))),
            target,
            shown: address::Shown::new(target),
        };
        let page = Reader {
            title: &spoken.1.preview_title,
            text: &spoken.1.preview_text,
            preview: Some(preview),
            ..self.reader(spoken)
        };
        match page.render() {
            Ok(page) => self.html(page.into()),
            Err(error) => {
                tracing::error!(%error, "a preview page could not be made");
                unavailable()
            }
        }
    }

    fn html(&self, body: Bytes) -> Html {
        Html { body, policy: self.policy.clone() }
    }

    fn render(&self, shown: Shown, message: Option<&str>, spoken: (&str, &Strings)) -> askama::Result<Bytes> {
        let (title, text) = shown.said(spoken.1);
        Reader { title, text, message, ..self.reader(spoken) }.render().map(Bytes::from)
    }

    fn reader<'a>(&'a self, (language, strings): (&'a str, &'a Strings)) -> Reader<'a> {
        Reader {
            language,
            strings,
            newsroom: &self.newsroom,
            style: &self.style,
            title: "",
            text: "",
            message: None,
            preview: None,
            guesses: &[],
            home: &self.home,
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

    /// Larger than any page of readers may be, in bytes.
    const SMALL: usize = 5_000;

    fn pages(newsroom: &str, language: &str) -> Pages {
        let color = Color::parse("#c2341d").unwrap();
        let (home, public_url) = ("https://news.example.com/", "https://s.example");
        Pages::new(&Look { newsroom, language, home, color, public_url }, Texts::open("").unwrap()).unwrap()
    }

    fn text(html: &Html) -> String {
        String::from_utf8(html.body.to_vec()).unwrap()
    }

    #[test]
    fn pages_escape_what_is_not_ours_and_are_small() {
        for language in ["en", "de-AT", "ar", "xx"] {
            let pages = pages("<b>Post</b>", language);
            let evil = "<script>alert(1)</script>\nsecond line";
            let found =
                Found { link: Arc::new(Link { title: Some(evil.into()), ..link("kx7") }), article: None };
            let asks = Asks::default();
            let guesses = ["election-night".to_owned(), "Election-2".to_owned(), "elections".to_owned()];
            let closed = pages.closed(Shown::Expired, Some(evil), asks);
            assert!(text(&closed).contains("second line"));
            for html in [closed, pages.preview(&found, ""), pages.unknown(&guesses, asks)] {
                let text = text(&html);
                assert!(!text.contains("<script") && !text.contains("<b>Post"), "{text}");
                assert!(text.len() < SMALL, "{}", text.len());
                assert!(html.policy.to_str().unwrap().contains("sha256-"));
            }
        }
    }

    #[test]
    fn each_page_is_in_the_language_it_is_asked_for_in() {
        let pages = pages("Post", "de");
        let asks = |article, accepts| Asks { article, accepts };
        for shown in Shown::ALL {
            let table = [
                (asks(None, ""), "lang=\"de\" dir=\"ltr\""),
                (asks(None, "ar,en;q=0.5"), "lang=\"ar\" dir=\"rtl\""),
                (asks(Some("en-GB"), "ar"), "lang=\"en\" dir=\"ltr\""),
            ];
            for (asks, is) in table {
                let text = text(&pages.shown(shown, asks));
                assert!(text.contains(is) && text.len() < SMALL, "{shown:?} {asks:?}: {text}");
                assert!(!text.contains("<script"), "{text}");
            }
        }
    }

    #[test]
    fn a_preview_shows_whose_the_address_is() {
        let pages = pages("Post", "en");
        let target = "https://xn--80ak6aa92e.com/a?b=c".to_owned();
        let found =
            |target| Found { link: Arc::new(Link { target: Some(target), ..link("kx7") }), article: None };
        let page = text(&pages.preview(&found(target), ""));
        assert!(page.contains("https://<b>xn--80ak6aa92e.com</b>/a?b=c"), "{page}");
        assert!(page.contains("href=\"https://xn--80ak6aa92e.com/a?b=c\""), "{page}");
        let page = text(&pages.preview(&found("https://xn--mnchen-3ya.example/".to_owned()), ""));
        assert!(page.contains("<b>m\u{fc}nchen.example</b>"), "{page}");
    }

    #[test]
    fn codes_that_may_be_meant_are_named_as_addresses() {
        let page = text(&pages("Post", "en").unknown(&["vote".to_owned()], Asks::default()));
        assert!(page.contains("<a dir=\"ltr\" href=\"https://s.example/vote\">s.example/vote</a>"), "{page}");
    }
}
