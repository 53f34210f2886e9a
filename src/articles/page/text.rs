//! Texts out of a page, made fit to be kept: decoded, on one line, bounded.
//!
//! Guarantees no control characters, none that turn the direction of writing, no markup and no more than so many
//! characters, whatever comes in.

use std::borrow::Cow;

/// What is looked at of any text, in bytes.
const MAX_RAW: usize = 16 * 1024;

/// The first bytes of a text, cut between two characters.
pub(super) fn first(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

/// Text as a page means it: entities decoded (once more where they were escaped twice), tags out, white space made
/// one space, at most `most` characters. None if nothing is left.
pub(super) fn clean(text: &str, most: usize) -> Option<String> {
    let decoded = decode(first(text, MAX_RAW));
    let twice = if decoded.contains("&amp;") || decoded.contains("&#") || decoded.contains("&quot;") {
        Cow::Owned(decode(&decoded).into_owned())
    } else {
        decoded
    };
    let plain = without_numbers(&without_tags(&twice)).into_owned();
    let mut out = String::new();
    let (mut characters, mut gap) = (0, false);
    for character in plain.chars() {
        if character.is_whitespace() || character == '\u{feff}' {
            gap = characters > 0;
            continue;
        }
        if character.is_control() || turns(character) || character == '\u{fffd}' && characters == 0 {
            continue;
        }
        let needed = 1 + usize::from(gap);
        if characters + needed > most {
            break;
        }
        if gap {
            out.push(' ');
        }
        out.push(character);
        characters += needed;
        gap = false;
    }
    Some(out).filter(|out| !out.is_empty())
}

/// Characters that change how what follows is shown, or that nobody sees.
fn turns(character: char) -> bool {
    matches!(character, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'
        | '\u{2066}'..='\u{2069}' | '\u{00ad}')
}

/// Entities decoded, also the numbers of Windows' own characters.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let decoded = html_escape::decode_html_entities(text);
    if !decoded.chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c)) {
        return decoded;
    }
    let windows = |c: char| match u8::try_from(u32::from(c)) {
        Ok(byte @ 0x80..=0x9f) => {
            let bytes = [byte];
            let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes);
            text.chars().next().unwrap_or(c)
        }
        _ => c,
    };
    Cow::Owned(decoded.chars().map(windows).collect())
}

/// Without what looks like a tag: some CMSs send their headlines with the markup in them.
fn without_tags(text: &str) -> Cow<'_, str> {
    if !text.contains('<') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let begins = tag[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
        // Looked for only where a tag begins, so that this stays linear.
        match begins.then(|| tag.find('>')).flatten() {
            Some(end) => {
                if !is_inline(&tag[1..end]) {
                    out.push(' ');
                }
                rest = &tag[end + 1..];
            }
            None => {
                out.push('<');
                rest = &tag[1..];
                if begins {
                    break;
                }
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Without the numbers of characters that cannot be, `&#1;`, which decoding leaves as they are.
fn without_numbers(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("&#") {
        let digits = rest[at + 2..].trim_start_matches(['x', 'X']);
        let after = digits.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        let from = match after.strip_prefix(';') {
            Some(after) if after.len() + 1 < digits.len() => {
                out.push_str(&rest[..at]);
                after
            }
            _ => {
                out.push_str(&rest[..at + 2]);
                &rest[at + 2..]
            }
        };
        rest = from;
    }
    if out.is_empty() && rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn is_inline(tag: &str) -> bool {
    let name =
        tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    matches!(
        name.to_ascii_lowercase().as_str(),
        "i" | "b"
            | "em"
            | "strong"
            | "span"
            | "a"
            | "u"
            | "sup"
            | "sub"
            | "mark"
            | "small"
            | "wbr"
            | "q"
            | "cite"
    )
}

/// A title without the name of its site at either end: "Story | Site".
pub(super) fn without_site(title: &str, sites: &[String]) -> String {
    const SEPARATORS: [&str; 15] =
        [" | ", " - ", " – ", " — ", " -- ", " :: ", " • ", " » ", " · ", ": ", "|", "-", "_", "｜", "："];
    let same = |part: &str| {
        let part = letters(part);
        !part.is_empty() && sites.iter().any(|site| letters(site) == part)
    };
    let behind = |title: &str| {
        let ends = SEPARATORS.iter().filter_map(|s| title.rfind(s).map(|at| (at, at + s.len())));
        ends.filter(|(at, _)| *at > 0).find(|(_, rest)| same(&title[*rest..])).map(|(at, _)| at)
    };
    let before = |title: &str| {
        let begins = SEPARATORS[..10].iter().filter_map(|s| title.find(s).map(|at| (at, at + s.len())));
        let mut begins = begins.filter(|(_, rest)| !title[*rest..].trim().is_empty());
        begins.find(|(at, _)| same(&title[..*at])).map(|(_, rest)| rest)
    };
    let mut title = title;
    while let Some(at) = behind(title) {
        title = title[..at].trim_end();
    }
    if let Some(rest) = before(title) {
        title = title[rest..].trim_start();
    }
    title.to_owned()
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A language tag in its usual spelling; None if it is none.
pub(super) fn language(text: &str) -> Option<String> {
    let text = text.split([',', ';']).next()?.trim().replace('_', "-");
    let mut parts = text.split('-');
    let first = parts.next()?.to_ascii_lowercase();
    if !(2..=3).contains(&first.len()) || !first.bytes().all(|b| b.is_ascii_lowercase()) {
        return None;
    }
    let mut tag = first;
    for part in parts.take(3) {
        if !(2..=8).contains(&part.len()) || !part.bytes().all(|b| b.is_ascii_alphanumeric()) {
            break;
        }
        tag.push('-');
        match part.len() {
            2 => tag.push_str(&part.to_ascii_uppercase()),
            4 if part.bytes().all(|b| b.is_ascii_alphabetic()) => {
                tag.push_str(&part[..1].to_ascii_uppercase());
                tag.push_str(&part[1..].to_ascii_lowercase());
            }
            _ => tag.push_str(&part.to_ascii_lowercase()),
        }
    }
    Some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaned() {
        let table = [
            ("  A\n\tline \u{a0} here ", "A line here"),
            ("Tom &amp; Ann&#8217;s &quot;day&quot;", "Tom & Ann’s \"day\""),
            ("Tom &amp;amp; Ann", "Tom & Ann"),
            ("It&#146;s", "It’s"),
            ("a\u{0}b\u{1b}[31mc\u{202e}d\u{200b}", "ab[31mcd"),
            ("An <em>old</em> river<br>rose", "An old river rose"),
            ("5 < 6 and 7 > 6", "5 < 6 and 7 > 6"),
            ("a <b", "a <b"),
            ("&unknown; &", "&unknown; &"),
            ("a&#1;b&#x7;c &# &#; &#12", "abc &# &#; &#12"),
        ];
        for (raw, expected) in table {
            assert_eq!(clean(raw, 300).as_deref(), Some(expected), "{raw}");
        }
        assert_eq!(clean(" \u{200b} ", 9), None);
        assert_eq!(clean("äöü äöü", 5).as_deref(), Some("äöü ä"));
        assert_eq!(clean("abc def", 4).as_deref(), Some("abc"));
    }

    #[test]
    fn titles_without_their_site() {
        let sites = ["The Courier".to_owned(), "courier".to_owned()];
        let table = [
            ("River rises | The Courier", "River rises"),
            ("River rises - World - The Courier", "River rises - World"),
            ("River rises — thecourier", "River rises"),
            ("River rises | World", "River rises | World"),
            ("The Courier", "The Courier"),
            ("The Courier | River rises", "River rises"),
            ("Courier: River rises", "River rises"),
            ("River rises-The Courier", "River rises"),
            ("River rises -- Courier", "River rises"),
            ("River rises_World｜courier", "River rises_World"),
            ("River rises | the-courier", "River rises"),
            ("The Courier - Courier", "The Courier"),
            ("The Courier - ", "The Courier - "),
            ("Blue-green - red", "Blue-green - red"),
        ];
        for (title, expected) in table {
            assert_eq!(without_site(title, &sites), expected, "{title}");
        }
    }

    #[test]
    fn languages() {
        let table = [
            ("en", Some("en")),
            ("EN_gb", Some("en-GB")),
            ("zh-hant-tw", Some("zh-Hant-TW")),
            ("de-DE, en", Some("de-DE")),
            ("English", None),
            ("", None),
            ("e1", None),
        ];
        for (text, expected) in table {
            assert_eq!(language(text).as_deref(), expected, "{text}");
        }
    }
}
