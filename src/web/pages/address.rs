//! An address as readers are shown it, so that they see whose it is.
//!
//! Guarantees that a host is shown in its own script only if all of it is in one; else as it is sent (punycode): letters
//! of several scripts may look alike.

use std::borrow::Cow;

use idna::AsciiDenyList;
use idna::uts46::{Hyphens, Uts46};
use url::{Position, Url};

/// Characters of an address that are shown.
const MAX_SHOWN: usize = 300;

/// An address in three parts: what comes before the host, the host, what comes after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) before: String,
    pub(super) host: String,
    pub(super) after: String,
}

impl Shown {
    /// Takes an address apart; one that is none is shown as it is.
    pub(super) fn new(address: &str) -> Shown {
        let apart = Url::parse(address).ok().and_then(|url| {
            let host = host_shown(url.host_str()?).into_owned();
            let (before, after) = (&url[..Position::BeforeHost], &url[Position::AfterHost..]);
            Some(Shown { before: cut(before), host, after: cut(after) })
        });
        apart.unwrap_or_else(|| Shown { before: cut(address), host: String::new(), after: String::new() })
    }
}

/// The end of a long address says nothing of whose it is.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// A host as it is written where it is at home.
fn host_shown(host: &str) -> Cow<'_, str> {
    if !host.split('.').any(|label| label.starts_with("xn--")) {
        return Cow::Borrowed(host);
    }
    let (shown, outcome) =
        Uts46::new().to_user_interface(host.as_bytes(), AsciiDenyList::URL, Hyphens::Allow, |_, _, _| true);
    let mut letters = shown.chars().filter(|c| !c.is_ascii_digit() && !matches!(c, '.' | '-'));
    let first = letters.next().and_then(Script::of);
    match first {
        Some(script) if outcome.is_ok() && letters.all(|c| Script::of(c) == Some(script)) => {
            Cow::Owned(shown.into_owned())
        }
        _ => Cow::Borrowed(host),
    }
}

/// The scripts in which hosts are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Hebrew,
    Arabic,
    Devanagari,
    Thai,
    Georgian,
    Hangul,
    /// Han, Hiragana and Katakana, which are written together.
    Japanese,
}

/// First and last letter of each block.
const SCRIPTS: [(char, char, Script); 17] = [
    ('a', 'z', Script::Latin),
    ('ß', 'ö', Script::Latin),
    ('ø', 'ɏ', Script::Latin),
    ('Ḁ', 'ỿ', Script::Latin),
    ('Ά', 'ϡ', Script::Greek),
    ('Ѐ', 'ӿ', Script::Cyrillic),
    ('ա', 'և', Script::Armenian),
    ('א', 'ת', Script::Hebrew),
    ('ؠ', 'ي', Script::Arabic),
    ('ٮ', 'ە', Script::Arabic),
    ('ऄ', 'ॡ', Script::Devanagari),
    ('ก', 'ฺ', Script::Thai),
    ('ა', 'ჺ', Script::Georgian),
    ('가', '힣', Script::Hangul),
    ('ぁ', 'ゖ', Script::Japanese),
    ('ァ', 'ー', Script::Japanese),
    ('一', '鿿', Script::Japanese),
];

impl Script {
    /// The script of a letter; None where it is none of these.
    fn of(letter: char) -> Option<Script> {
        let block = SCRIPTS.iter().find(|(first, last, _)| (*first..=*last).contains(&letter));
        block.map(|(_, _, script)| *script)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_told_from_the_rest() {
        let shown = Shown::new("https://www.news.example:8443/a/b?c=d#e");
        assert_eq!(
            (shown.before.as_str(), shown.host.as_str(), shown.after.as_str()),
            ("https://", "www.news.example", ":8443/a/b?c=d#e")
        );
        // What stands before an @ is no host, however it looks.
        let shown = Shown::new("https://evil.example@evil.example/");
        assert_eq!((shown.before.as_str(), shown.host.as_str()), ("https://evil.example@", "evil.example"));
        assert_eq!(Shown::new("nothing").before, "nothing");
        let long = Shown::new(&format!("https://news.example/{}", "a".repeat(8_000)));
        assert!(long.after.ends_with("a…") && long.after.chars().count() == MAX_SHOWN + 1);
    }

    #[test]
    fn hosts_of_several_scripts_are_shown_as_they_are_sent() {
        let table = [
            ("münchen.example", "münchen.example"),
            ("пример.рф", "пример.рф"),
            ("דוגמה.קום", "דוגמה.קום"),
            // Cyrillic letters that look like Latin ones.
            ("аррӏе.com", "xn--80ak6aa92e.com"),
            ("pаypal.example", "xn--pypal-4ve.example"),
            ("faß.example", "faß.example"),
            ("日本.example", "xn--wgv71a.example"),
            ("日本語.コム", "日本語.コム"),
            ("☃.example", "xn--n3h.example"),
        ];
        for (typed, shown) in table {
            let url = Url::parse(&format!("https://{typed}/x")).unwrap();
            assert_eq!(Shown::new(url.as_str()).host, shown, "{typed}");
        }
    }
}
