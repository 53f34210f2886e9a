//! Which characters a page's bytes are.
//!
//! Guarantees text for any bytes. A byte order mark says it, else the header, else the page's own head, else the bytes
//! themselves: UTF-8 if they can be, Windows' Latin letters if not. (A mark goes before the header, as in browsers:
//! no text in another encoding begins like that.)

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How far into a page its own word is looked for: browsers look at 1,024 bytes, pages put it later.
const HEAD: usize = 16 * 1024;

/// The page as text.
pub(super) fn decode<'a>(body: &'a [u8], content_type: Option<&str>) -> Cow<'a, str> {
    let marked = Encoding::for_bom(body).map(|(encoding, _)| encoding);
    let encoding =
        marked.or_else(|| of_header(content_type?)).or_else(|| of_head(body)).unwrap_or_else(|| guess(body));
    let (text, _) = encoding.decode_with_bom_removal(body);
    text
}

fn of_header(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        Encoding::for_label(value.trim().trim_matches(['"', '\'']).as_bytes()).filter(|_| is_charset)
    })
}

fn of_head(body: &[u8]) -> Option<&'static Encoding> {
    let head = body.get(..HEAD).unwrap_or(body).to_ascii_lowercase();
    let declared = in_xml(&head).or_else(|| in_meta(&head))?;
    // A page whose head could be read as ASCII is not in UTF-16, whatever it says.
    let wide = declared == UTF_16BE || declared == UTF_16LE;
    Some(if wide { UTF_8 } else { declared })
}

fn in_xml(head: &[u8]) -> Option<&'static Encoding> {
    let head = head.trim_ascii_start();
    if !head.starts_with(b"<?xml") {
        return None;
    }
    let end = head.iter().position(|b| *b == b'>')?;
    label_after(&head[..end], b"encoding")
}

fn in_meta(head: &[u8]) -> Option<&'static Encoding> {
    let mut rest = head;
    while let Some(at) = find(rest, b"<meta") {
        let tag = &rest[at..];
        let end = tag.iter().position(|b| *b == b'>').unwrap_or(tag.len());
        if let Some(encoding) = label_after(&tag[..end], b"charset") {
            return Some(encoding);
        }
        rest = &tag[end..];
    }
    None
}

/// The encoding that is named after `word`, `=` and perhaps a quote.
fn label_after(text: &[u8], word: &[u8]) -> Option<&'static Encoding> {
    let after = &text[find(text, word)? + word.len()..];
    let value = after.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
    let ends = |b: &u8| matches!(b, b'"' | b'\'' | b';' | b'>' | b'/') || b.is_ascii_whitespace();
    let end = value.iter().position(ends).unwrap_or(value.len());
    Encoding::for_label(&value[..end])
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

fn guess(body: &[u8]) -> &'static Encoding {
    match std::str::from_utf8(body) {
        Ok(_) => UTF_8,
        // Cut within a character at its end.
        Err(error) if error.error_len().is_none() => UTF_8,
        Err(_) => WINDOWS_1252,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_it() {
        let text = |bytes: &[u8], header: Option<&str>| decode(bytes, header).into_owned();
        let html = Some("text/html");
        assert_eq!(text("\u{feff}größer".as_bytes(), Some("text/html; charset=iso-8859-1")), "größer");
        assert_eq!(text(b"gr\xf6\xdfer", Some("text/html; charset=ISO-8859-1")), "größer");
        assert_eq!(text(b"gr\xf6\xdfer", Some("text/html;Charset=\"latin1\"")), "größer");
        assert_eq!(text("größer".as_bytes(), Some("text/html; charset=nonsense")), "größer");
        assert_eq!(text(b"<meta charset=windows-1252>\x93x\x94", html), "<meta charset=windows-1252>“x”");
        let old = b"<META HTTP-EQUIV='Content-Type' CONTENT='text/html; charset=Shift_JIS'>\x93\xfa\x96\x7b";
        assert!(text(old, None).ends_with("日本"));
        assert!(text(b"<meta name=x><meta charset='euc-kr'>\xc7\xd1", html).ends_with('한'));
        assert!(text(b"<?xml version='1.0' encoding='iso-8859-2'?>\xb1", html).ends_with('ą'));
        assert!(text("<meta charset=utf-16>größer".as_bytes(), html).ends_with("größer"));
        assert_eq!(text(b"\xff\xfea\0b\0", html), "ab");
        assert_eq!(text(b"gr\xf6\xdfer", html), "größer");
        assert_eq!(text(b"caf\xc3", html), "caf\u{fffd}");
        assert_eq!(text(b"", None), "");
    }
}
