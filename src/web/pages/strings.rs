//! What readers' pages say, by language, and which language a page is in.
//!
//! Guarantees that a language that is there has every line. Texts are `config/lists/reader-strings.toml`, with the
//! operator's file over it. Knows no HTTP but the form of `Accept-Language`.

use std::collections::HashMap;

use serde::Deserialize;
use toml::{Table, Value};

/// The texts that are compiled in.
const BUILT_IN: &str = include_str!("../../../config/lists/reader-strings.toml");
/// The language that is always there.
const LAST: &str = "en";
/// Languages at most, and characters of a text.
const MAX_LANGUAGES: usize = 100;
const MAX_TEXT: usize = 300;
/// Parts of a language tag that are looked at.
const MAX_PARTS: usize = 8;
/// Languages of a reader that are looked at.
const MAX_ASKED: usize = 20;

/// Which way a language is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Direction {
    Ltr,
    Rtl,
}

impl Direction {
    /// For `dir`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Direction::Ltr => "ltr",
            Direction::Rtl => "rtl",
        }
    }
}

/// Everything that is said in one language.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Strings {
    pub(super) direction: Direction,
    pub(super) unknown_title: String,
    pub(super) unknown_text: String,
    pub(super) not_open_title: String,
    pub(super) not_open_text: String,
    pub(super) expired_title: String,
    pub(super) expired_text: String,
    pub(super) disabled_title: String,
    pub(super) disabled_text: String,
    pub(super) withdrawn_title: String,
    pub(super) withdrawn_text: String,
    pub(super) retired_title: String,
    pub(super) retired_text: String,
    pub(super) unavailable_title: String,
    pub(super) unavailable_text: String,
    pub(super) preview_title: String,
    pub(super) preview_text: String,
    pub(super) preview_go: String,
    pub(super) guess_text: String,
    pub(super) home: String,
}

/// All texts, by language.
#[derive(Clone, Debug)]
pub struct Texts(HashMap<String, Strings>);

impl Texts {
    /// The compiled-in texts with those of this file over them; "" for no file.
    ///
    /// # Errors
    /// What is wrong with the file, naming the line at fault.
    pub fn open(file: &str) -> Result<Texts, String> {
        let over = match file {
            "" => String::new(),
            file => std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?,
        };
        Texts::read(&over).map_err(|why| if file.is_empty() { why } else { format!("{file}: {why}") })
    }

    fn read(over: &str) -> Result<Texts, String> {
        let mut all = languages(BUILT_IN)?;
        for (language, lines) in languages(over)? {
            if let (Some(Value::Table(known)), Value::Table(lines)) = (all.get_mut(&language), &lines) {
                known.extend(lines.clone());
            } else {
                all.insert(language, lines);
            }
        }
        if all.len() > MAX_LANGUAGES {
            return Err(format!("more than {MAX_LANGUAGES} languages"));
        }
        let texts = all.into_iter().map(|(language, lines)| {
            text_lengths(&language, &lines)?;
            let strings = Strings::deserialize(lines).map_err(|e| format!("{language}: {}", e.message()))?;
            Ok((language, strings))
        });
        texts.collect::<Result<_, String>>().map(Texts)
    }

    /// Each language with what is said in it.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Strings)> {
        self.0.iter().map(|(language, strings)| (language.as_str(), strings))
    }

    /// What is said in a language that is here.
    pub(super) fn get(&self, language: &str) -> Option<(&str, &Strings)> {
        self.0.get_key_value(language).map(|(language, strings)| (language.as_str(), strings))
    }

    /// The language here that comes nearest to a tag: itself, else without its last part, and so on.
    fn nearest(&self, tag: &str) -> Option<&str> {
        let tag = tag.to_ascii_lowercase();
        let tags = std::iter::successors(Some(tag.as_str()), |tag| Some(tag.rsplit_once('-')?.0));
        tags.take(MAX_PARTS).find_map(|tag| self.0.get_key_value(tag)).map(|(language, _)| language.as_str())
    }

    /// The language that pages are in if nothing else says.
    pub(super) fn usual(&self, newsroom: &str) -> String {
        self.nearest(newsroom).unwrap_or(LAST).to_owned()
    }

    /// The language of a page: the article's, else the reader's (`Accept-Language`); None if neither is here.
    pub(super) fn choose(&self, article: Option<&str>, accepts: &str) -> Option<&str> {
        article.and_then(|tag| self.nearest(tag)).or_else(|| self.accepted(accepts))
    }

    fn accepted(&self, accepts: &str) -> Option<&str> {
        let mut asked: Vec<(&str, f32)> = accepts.split(',').take(MAX_ASKED).map(weighed).collect();
        // Stable: of those wished for alike, the first.
        asked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let wished = asked.into_iter().take_while(|(_, weight)| *weight > 0.0);
        // What is wished for less than "whatever you have" is not asked for.
        wished.take_while(|(tag, _)| *tag != "*").find_map(|(tag, _)| self.nearest(tag))
    }
}

/// The language of a tag, without region and script.
pub(super) fn primary(tag: &str) -> &str {
    tag.split('-').next().unwrap_or_default()
}

/// One part of `Accept-Language`: a tag, and how much it is wished for.
fn weighed(part: &str) -> (&str, f32) {
    let (tag, weight) = part.split_once(';').unwrap_or((part, ""));
    let weight = match weight.trim() {
        "" => 1.0,
        weight => weight.strip_prefix("q=").and_then(|q| q.trim().parse().ok()).unwrap_or(0.0),
    };
    (tag.trim(), weight)
}

/// The tables of a file, by language in lower case.
fn languages(text: &str) -> Result<Table, String> {
    let mut table: Table = text.parse().map_err(|e: toml::de::Error| e.message().to_owned())?;
    table.remove("dated");
    table
        .into_iter()
        .map(|(language, lines)| {
            let tag = |c: char| c.is_ascii_alphanumeric() || c == '-';
            let is_tag = (2..=35).contains(&language.len()) && language.chars().all(tag);
            match (is_tag, lines.is_table()) {
                (true, true) => Ok((language.to_ascii_lowercase(), lines)),
                _ => {
                    Err(format!("{language}: a language tag like [de] or [pt-BR] with its lines is expected"))
                }
            }
        })
        .collect()
}

fn text_lengths(language: &str, lines: &Value) -> Result<(), String> {
    let bad = |text: &str| {
        text.trim().is_empty() || text.chars().count() > MAX_TEXT || text.chars().any(char::is_control)
    };
    let wrong = lines.as_table().into_iter().flatten().find(|(_, line)| line.as_str().is_some_and(bad));
    match wrong {
        Some((name, _)) => Err(format!("{language}: {name}: one line of 1 to {MAX_TEXT} characters")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_languages_are_there_and_one_is_written_from_right_to_left() {
        // That each has every line is what reading them checks.
        let texts = Texts::open("").unwrap();
        let mut all: Vec<(&str, &str)> = texts.all().map(|(l, s)| (l, s.direction.as_str())).collect();
        all.sort_unstable();
        assert_eq!(all, [("ar", "rtl"), ("de", "ltr"), ("en", "ltr")]);
    }

    #[test]
    fn an_operators_lines_lie_over_those_here() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("strings.toml");
        let open = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Texts::open(file.to_str().unwrap())
        };
        let english = BUILT_IN.split("[de]").next().unwrap().split("[en]").nth(1).unwrap();
        let texts =
            open(&format!("[DE]\nhome = \"Zum Kurier\"\n[pt-BR]\n{}", english.replace("Please", "Favor")))
                .unwrap();
        assert_eq!(texts.0["de"].home, "Zum Kurier");
        assert_eq!(texts.0["de"].preview_go, "Dorthin");
        assert!(texts.0["pt-br"].unknown_text.starts_with("Favor"));
        assert_eq!(texts.nearest("PT-br-x-abc"), Some("pt-br"));
        assert_eq!((texts.nearest("pt-PT"), texts.nearest("-")), (None, None));
        let table = [
            ("[fr]\nhome = \"Accueil\"", "fr: missing field"),
            ("[de]\nhomme = \"x\"", "homme"),
            ("[de]\nhome = \"\"", "de: home: one line"),
            ("[de]\nhome = 5", "de: "),
            ("[de]\ndirection = \"up\"", "de: "),
            ("home = \"x\"", "home: a language tag"),
            ("[d e]", "unclosed"),
        ];
        for (text, why) in table {
            let error = open(text).unwrap_err();
            assert!(error.contains(why) && error.contains("strings.toml"), "{text}: {error}");
        }
        assert!(Texts::open("/nowhere").unwrap_err().contains("/nowhere"));
    }

    #[test]
    fn a_page_is_in_the_articles_language_else_in_the_readers() {
        let texts = Texts::open("").unwrap();
        let table: [(Option<&str>, &str, Option<&str>); 12] = [
            (None, "", None),
            (Some("de-AT"), "en", Some("de")),
            (Some("fr"), "ar", Some("ar")),
            (None, "de-CH,de;q=0.9,en;q=0.8", Some("de")),
            (None, "fr-FR, fr;q=0.9, AR-eg;q=0.5, de;q=0.4", Some("ar")),
            (None, "en;q=0.2, de;q=0.7", Some("de")),
            (None, "de;q=0, en;q=0.1", Some("en")),
            (None, "fr, *;q=0.5, de;q=0.1", None),
            (None, "*", None),
            (None, ";;;,,q=1,de;q=x", None),
            (None, "xx, yy", None),
            (Some(""), "de", Some("de")),
        ];
        for (article, accepts, language) in table {
            assert_eq!(texts.choose(article, accepts), language, "{article:?} {accepts}");
        }
        assert_eq!((texts.usual("DE-at"), texts.usual("fr")), ("de".to_owned(), "en".to_owned()));
    }
}
