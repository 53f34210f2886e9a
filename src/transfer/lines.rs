//! Lines of a file, one after the other, in bounded memory.
//!
//! A line longer than [`MAX_LINE`] is stepped over and told. Knows nothing of what a line says.

use std::io::BufRead;

/// Longest line, in bytes: a link's history entry with two long notes is far below.
pub(super) const MAX_LINE: usize = 4 << 20;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A line, in the buffer.
    Line,
    /// A line that is too long.
    TooLong,
    /// There are no more.
    End,
}

/// Reads the next line into `buf`, without its end.
pub(super) fn next(from: &mut impl BufRead, buf: &mut Vec<u8>) -> std::io::Result<Next> {
    buf.clear();
    let (mut too_long, mut any) = (false, false);
    loop {
        let part = match from.fill_buf() {
            Ok(part) => part,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if part.is_empty() {
            break;
        }
        any = true;
        let end = part.iter().position(|b| *b == b'\n');
        let text = &part[..end.unwrap_or(part.len())];
        if buf.len() + text.len() > MAX_LINE {
            too_long = true;
        } else {
            buf.extend_from_slice(text);
        }
        let used = end.map_or(part.len(), |end| end + 1);
        from.consume(used);
        if end.is_some() {
            break;
        }
    }
    if buf.last() == Some(&b'\r') {
        buf.pop();
    }
    Ok(match (any, too_long) {
        (false, _) => Next::End,
        (true, true) => Next::TooLong,
        (true, false) => Next::Line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_long_and_short() {
        let long = "x".repeat(MAX_LINE + 1);
        let text = format!("a\r\n\n{long}\nlast");
        let mut from = std::io::BufReader::with_capacity(100, text.as_bytes());
        let mut buf = vec![];
        let mut seen = vec![];
        loop {
            match next(&mut from, &mut buf).unwrap() {
                Next::Line => seen.push(String::from_utf8(buf.clone()).unwrap()),
                Next::TooLong => seen.push("too long".into()),
                Next::End => break,
            }
        }
        assert_eq!(seen, ["a", "", "too long", "last"]);
    }
}
