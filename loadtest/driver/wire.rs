//! The wire: where one HTTP/1.1 response ends, and its status.
//!
//! Guarantees: `Whole` is said only when every byte of the response is there. Refuses to know: what was asked, and
//! what a header means beyond the length of the body and the end of the connection.

/// What the bytes read so far amount to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A part of a response.
    Part,
    /// A response and all of its body, in the first `length` bytes.
    Whole { status: u16, length: usize, close: bool },
    /// Not a response this driver can find the end of.
    Strange,
}

/// How the end of a body is found.
#[derive(Clone, Copy)]
enum Body {
    Length(usize),
    Chunks,
    Unstated,
}

/// Looks for one response at the start of `bytes`.
pub(crate) fn look(bytes: &[u8]) -> Seen {
    let Some((first, mut at)) = line(bytes, 0) else { return Seen::Part };
    let Some(status) = status(first) else { return Seen::Strange };
    let mut body = Body::Unstated;
    let mut close = first.starts_with(b"HTTP/1.0");
    loop {
        let Some((header, next)) = line(bytes, at) else { return Seen::Part };
        at = next;
        if header.is_empty() {
            break;
        }
        match header.first() {
            Some(b'c' | b'C') => {
                if let Some(value) = value_of(header, b"content-length") {
                    let Some(length) = number(value, 10) else { return Seen::Strange };
                    body = Body::Length(length);
                } else if let Some(value) = value_of(header, b"connection") {
                    close |= value.eq_ignore_ascii_case(b"close");
                }
            }
            Some(b't' | b'T') if is_chunked(header) => body = Body::Chunks,
            _ => {}
        }
    }
    match (status, body) {
        (100..200, _) => Seen::Strange,
        (204 | 304, _) => Seen::Whole { status, length: at, close },
        (_, Body::Unstated) => Seen::Strange,
        (_, Body::Length(length)) => match at.checked_add(length) {
            Some(end) if end <= bytes.len() => Seen::Whole { status, length: end, close },
            Some(_) => Seen::Part,
            None => Seen::Strange,
        },
        (_, Body::Chunks) => chunks(bytes, at, status, close),
    }
}

/// Follows a chunked body to its end.
fn chunks(bytes: &[u8], mut at: usize, status: u16, close: bool) -> Seen {
    loop {
        let Some((size, next)) = line(bytes, at) else { return Seen::Part };
        let digits = size.split(|&b| b == b';').next().unwrap_or_default();
        let Some(size) = number(digits, 16) else { return Seen::Strange };
        if size == 0 {
            at = next;
            break;
        }
        let Some(end) = next.checked_add(size).and_then(|end| end.checked_add(2)) else {
            return Seen::Strange;
        };
        at = end;
    }
    loop {
        let Some((trailer, next)) = line(bytes, at) else { return Seen::Part };
        at = next;
        if trailer.is_empty() {
            return Seen::Whole { status, length: at, close };
        }
    }
}

/// The line that starts at `from`, and where the next one starts.
fn line(bytes: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(from..)?;
    let end = rest.iter().position(|&b| b == b'\n')?;
    let text = rest.get(..end)?;
    Some((text.strip_suffix(b"\r").unwrap_or(text), from + end + 1))
}

/// `HTTP/1.1 302 Found` -> 302.
fn status(line: &[u8]) -> Option<u16> {
    if !line.starts_with(b"HTTP/1.") {
        return None;
    }
    let code = number(line.get(9..12)?, 10)?;
    u16::try_from(code).ok().filter(|code| (100..600).contains(code))
}

/// The value of `header` if its name is `name`.
fn value_of<'a>(header: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = header.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn is_chunked(header: &[u8]) -> bool {
    value_of(header, b"transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked"))
}

fn number(digits: &[u8], radix: u32) -> Option<usize> {
    let text = str::from_utf8(digits.trim_ascii()).ok()?;
    usize::from_str_radix(text, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::{Seen, look};

    #[test]
    fn every_prefix_of_a_response_is_a_part() {
        let lengthy: &[u8] = b"HTTP/1.1 302 Found\r\nLocation: /x\r\ncontent-length: 5\r\n\r\nhello";
        let chunky: &[u8] =
            b"HTTP/1.1 302 Found\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n0\r\n\r\n";
        for whole in [lengthy, chunky] {
            for end in 0..whole.len() {
                assert_eq!(look(&whole[..end]), Seen::Part);
            }
            assert_eq!(look(whole), Seen::Whole { status: 302, length: whole.len(), close: false });
        }
    }

    #[test]
    fn the_end_of_the_connection_is_told() {
        let bytes = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(look(bytes), Seen::Whole { status: 404, length: bytes.len(), close: true });
    }

    #[test]
    fn what_is_no_response_is_strange() {
        assert_eq!(look(b"SSH-2.0-x\r\n"), Seen::Strange);
        assert_eq!(look(b"HTTP/1.1 200 OK\r\n\r\n"), Seen::Strange);
    }
}
