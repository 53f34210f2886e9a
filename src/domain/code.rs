//! Short codes: what may be one, how one is found in a path, which are reserved.
//!
//! Guarantees that no code can shadow a route (one list, walked by a test with the routes). Knows nothing of
//! how codes are drawn at random.

use std::borrow::Cow;

use super::error::{Reason, Refusal};
use super::hit::Trigger;

/// Longest code, in characters.
pub const MAX_LEN: usize = 64;

/// First path segments that belong to routes (contract 3). Compared without regard to case.
pub const RESERVED: &[&str] =
    &["-", "api", "errors", "openapi.json", "widget.js", "robots.txt", "favicon.ico", ".well-known"];

/// A code as its maker spelt it: 1 to 64 of `A-Z a-z 0-9 - _`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Code(Box<str>);

impl Code {
    /// A code that is well-formed; reserved ones too, because imports and paths must be able to name them.
    pub fn parse(text: &str) -> Result<Code, Refusal> {
        if !is_well_formed(text) {
            return Err(Refusal::field(
                Reason::CodeInvalid,
                "code",
                format!("a code is 1 to {MAX_LEN} of A-Z a-z 0-9 - _"),
            ));
        }
        Ok(Code(text.into()))
    }

    /// A code that a new link may take.
    pub fn for_new_link(text: &str) -> Result<Code, Refusal> {
        let code = Code::parse(text)?;
        if is_reserved(text) {
            let detail = format!("\"{text}\" is a page of this service");
            return Err(Refusal::field(Reason::CodeReserved, "code", detail));
        }
        Ok(code)
    }

    /// The spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The case-folded form, by which lane and key are found.
    #[must_use]
    pub fn key(&self) -> Cow<'_, str> {
        fold(&self.0)
    }
}

/// Codes in one piece of memory: a store may want hundreds for a link, and takes one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codes {
    /// Each with a space after it, which is in no code.
    text: String,
    amount: usize,
}

impl Codes {
    /// None, with room for `bytes` of codes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Codes {
        Codes { text: String::with_capacity(bytes), amount: 0 }
    }

    /// Adds one, if it is well-formed.
    pub fn push(&mut self, text: &str) {
        if is_well_formed(text) {
            self.text.push_str(text);
            self.text.push(' ');
            self.amount += 1;
        }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.amount
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.amount == 0
    }

    /// Their spellings, in order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.text.split_terminator(' ')
    }

    /// Each by itself, in order.
    pub fn iter(&self) -> impl Iterator<Item = Code> {
        self.texts().map(|text| Code(text.into()))
    }

    /// The first.
    #[must_use]
    pub fn first(&self) -> Option<Code> {
        self.iter().next()
    }
}

impl FromIterator<Code> for Codes {
    fn from_iter<I: IntoIterator<Item = Code>>(codes: I) -> Codes {
        let mut all = Codes::default();
        codes.into_iter().for_each(|code| all.push(code.as_str()));
        all
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The case-folded form of a code.
#[must_use]
pub fn fold(code: &str) -> Cow<'_, str> {
    if code.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(code.to_ascii_lowercase())
    } else {
        Cow::Borrowed(code)
    }
}

/// True for a first path segment that belongs to a route.
#[must_use]
pub fn is_reserved(segment: &str) -> bool {
    RESERVED.iter().any(|r| r.eq_ignore_ascii_case(segment))
}

fn is_well_formed(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_LEN && text.bytes().all(is_code_byte)
}

fn is_code_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
}

/// What a reader's path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The code, as written.
    pub code: Cow<'a, str>,
    /// `qr` for a path that ends in `.q`.
    pub trigger: Trigger,
    /// True for a path that ends in `+`.
    pub preview: bool,
    /// True for an all-upper-case `.Q` path: the folded form is looked for first.
    pub folded_first: bool,
}

/// Reads a path like `/kx7dw4m`, `/KX7DW4M.Q`, `/kx7dw4m+`, `/kx7dw4m).`; None if no code can be meant.
///
/// A trailing `/` and glued `. , ; ) ]` are forgiven (they come from sentences that end with the address).
#[must_use]
pub fn asked(path: &str) -> Option<Asked<'_>> {
    let segment: Cow<'_, str> = if path.contains('%') {
        percent_encoding::percent_decode_str(path).decode_utf8().ok()?
    } else {
        Cow::Borrowed(path)
    };
    let (code, trigger, preview, folded_first) = split(&segment)?;
    let code = match &segment {
        // Only the borrowed case can hand out a piece of the path itself.
        Cow::Borrowed(s) => Cow::Borrowed(&s[code]),
        Cow::Owned(s) => Cow::Owned(s[code].to_owned()),
    };
    Some(Asked { code, trigger, preview, folded_first })
}

type Piece = (std::ops::Range<usize>, Trigger, bool, bool);

fn split(segment: &str) -> Option<Piece> {
    let start = usize::from(segment.starts_with('/'));
    let mut rest = segment[start..].trim_end_matches(is_glued);
    let preview = rest.ends_with('+');
    if preview {
        rest = rest[..rest.len() - 1].trim_end_matches(is_glued);
    }
    let mut trigger = Trigger::Link;
    let mut folded_first = false;
    if rest.ends_with(".q") || rest.ends_with(".Q") {
        folded_first = rest.ends_with(".Q") && !rest.bytes().any(|b| b.is_ascii_lowercase());
        trigger = Trigger::Qr;
        rest = &rest[..rest.len() - 2];
    }
    if rest.is_empty() || rest.len() > MAX_LEN || !rest.bytes().all(is_code_byte) || is_reserved(rest) {
        return None;
    }
    Some((start..start + rest.len(), trigger, preview, folded_first))
}

fn is_glued(c: char) -> bool {
    matches!(c, '/' | '.' | ',' | ';' | ')' | ']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let ask = |p: &str| {
            asked(p).map(|a| (a.code.into_owned(), a.trigger == Trigger::Qr, a.preview, a.folded_first))
        };
        let table = [
            ("/kx7", Some(("kx7", false, false, false))),
            ("/kx7/", Some(("kx7", false, false, false))),
            ("/kx7).", Some(("kx7", false, false, false))),
            ("/kx7+", Some(("kx7", false, true, false))),
            ("/kx7%2B", Some(("kx7", false, true, false))),
            ("/kx7.q", Some(("kx7", true, false, false))),
            ("/kx7.q,", Some(("kx7", true, false, false))),
            ("/KX7.Q", Some(("KX7", true, false, true))),
            ("/Kx7.Q", Some(("Kx7", true, false, false))),
            ("/", None),
            ("/api", None),
            ("/API", None),
            ("/-", None),
            ("/a%00b", None),
            ("/a%zz", None),
            ("/%ff", None),
            ("/a/b", None),
            ("/grüße", None),
        ];
        for (path, expected) in table {
            let expected = expected.map(|(c, q, p, f)| (c.to_owned(), q, p, f));
            assert_eq!(ask(path), expected, "{path}");
        }
        assert_eq!(ask(&format!("/{}", "a".repeat(65))), None);
    }

    #[test]
    fn codes_in_one_piece() {
        let codes: Codes = ["One", "two"].iter().map(|text| Code::parse(text).unwrap()).collect();
        assert_eq!(codes.texts().collect::<Vec<_>>(), ["One", "two"]);
        assert_eq!((codes.len(), codes.first().unwrap().as_str(), codes.is_empty()), (2, "One", false));
        let mut none = Codes::with_capacity(8);
        ["", "a b", "ä", &"a".repeat(65)].iter().for_each(|text| none.push(text));
        assert_eq!((none.len(), none.first(), none.is_empty()), (0, None, true));
    }

    #[test]
    fn codes() {
        assert!(Code::for_new_link("Night_1-a").is_ok());
        for bad in ["", "a b", "a.q", "a+", "ä", "a/b", &"a".repeat(65)] {
            assert_eq!(Code::parse(bad).unwrap_err().reason, Reason::CodeInvalid, "{bad}");
        }
        assert_eq!(Code::for_new_link("API").unwrap_err().reason, Reason::CodeReserved);
    }
}
