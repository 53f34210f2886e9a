//! Bytes of a request as text that can be judged and shown.
//!
//! Guarantees that what comes out has no control characters and is at most as long as asked. Knows nothing of
//! what the text means.

/// Longest name, source or referrer, in bytes.
pub const MAX_VALUE: usize = 200;

/// What a field of a request says.
pub(super) enum Text {
    /// Nothing: absent, blank, or the `-` that logs write for nothing.
    Nothing,
    /// UTF-8.
    Plain(String),
    /// Bytes that are not UTF-8; what can be read of them.
    Broken(String),
}

/// Reads at most `max` bytes. Control characters become blanks.
pub(super) fn read(bytes: &[u8], max: usize) -> Text {
    let cut = &bytes[..bytes.len().min(max)];
    let (text, broken) = match std::str::from_utf8(cut) {
        Ok(text) => (text.to_owned(), false),
        // A character that the cut went through is no fault of the sender.
        Err(error) if error.error_len().is_none() && cut.len() < bytes.len() => {
            (String::from_utf8_lossy(&cut[..error.valid_up_to()]).into_owned(), false)
        }
        Err(_) => (String::from_utf8_lossy(cut).into_owned(), true),
    };
    let cleaned: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let trimmed = cleaned.trim();
    match (trimmed, broken) {
        // Nothing but control characters was sent as something.
        ("", _) if text.chars().any(|c| c.is_control() && !c.is_whitespace()) => Text::Broken(String::new()),
        ("" | "-", false) => Text::Nothing,
        (text, false) => Text::Plain(text.to_owned()),
        (text, true) => Text::Broken(text.to_owned()),
    }
}

/// At most `max` bytes of a text, cut between characters, without control characters and outer blanks.
pub(super) fn value(text: &str, max: usize) -> String {
    let mut value = String::with_capacity(text.len().min(max));
    for c in text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if value.len() + c.len_utf8() > max {
            break;
        }
        value.push(c);
    }
    value.truncate(value.trim_end().len());
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(bytes: &[u8]) -> Option<String> {
        match read(bytes, 12) {
            Text::Plain(text) => Some(text),
            Text::Nothing | Text::Broken(_) => None,
        }
    }

    #[test]
    fn bytes_are_read() {
        assert_eq!(plain(b" curl/8\r\n").as_deref(), Some("curl/8"));
        assert_eq!(plain(b"a\x00b\x1b[1m").as_deref(), Some("a b [1m"));
        assert_eq!(
            plain("elevenchars\u{e9}".as_bytes()).as_deref(),
            Some("elevenchars"),
            "cut in a character"
        );
        for nothing in [&b""[..], b"  ", b"-", b"\t"] {
            assert!(matches!(read(nothing, 12), Text::Nothing), "{nothing:?}");
        }
        for broken in [&b"\xff\xfe"[..], b"Mozilla \xe9", b"\x00\x01"] {
            assert!(matches!(read(broken, 12), Text::Broken(_)), "{broken:?}");
        }
    }

    #[test]
    fn values_are_bounded_and_harmless() {
        assert_eq!(value("  x\ny  ", 200), "x y");
        assert_eq!(value("\u{e9}\u{e9}\u{e9}", 5), "\u{e9}\u{e9}");
        assert_eq!(value("ab cd", 3), "ab");
    }
}
