//! Reads the head of a plain request out of a buffer.
//!
//! Guarantees that a head is called plain only if nothing in it can mean more than a look-up: HTTP/1.1, GET or HEAD, a
//! path that is no route, no body, nothing about the connection but whether it stays. Everything else, what is broken or
//! strange above all, is somebody else's to judge. Copies nothing. Knows no codes.

use std::mem::MaybeUninit;

use http::Method;
use httparse::Header;

use crate::web::headers::{Headers, MOST, Row};
use crate::web::redirect::Request;
use crate::web::surface::is_routed;

/// Room for the headers of a plain request; one with more is no plain one.
pub(super) struct Room<'b>([MaybeUninit<Header<'b>>; MOST]);

impl Room<'_> {
    pub(super) fn new() -> Self {
        Room([const { MaybeUninit::uninit() }; MOST])
    }
}

/// What lies at the start of a buffer.
pub(super) enum Seen<'r> {
    /// A plain request.
    Plain(Plain<'r>),
    /// The beginning of a request.
    Part,
    /// Something else.
    Other,
}

/// A plain request, `length` bytes long.
pub(super) struct Plain<'r> {
    pub(super) request: Request<'r>,
    pub(super) length: usize,
    /// True if the client wants no answer after this one.
    pub(super) last: bool,
}

/// Looks at the start of a buffer.
pub(super) fn look<'r, 'b: 'r>(buffer: &'b [u8], room: &'r mut Room<'b>) -> Seen<'r> {
    let mut parsed = httparse::Request::new(&mut []);
    let length = match parsed.parse_with_uninit_headers(buffer, &mut room.0) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Seen::Part,
        Err(_) => return Seen::Other,
    };
    let method = match parsed.method {
        Some("GET") => &Method::GET,
        Some("HEAD") => &Method::HEAD,
        _ => return Seen::Other,
    };
    let Some((path, query)) = parsed.path.and_then(split) else { return Seen::Other };
    if parsed.version != Some(1) || is_routed(path) {
        return Seen::Other;
    }
    let mut last = false;
    for header in parsed.headers.iter() {
        match said(header) {
            Said::Nothing => {}
            Said::Last => last = true,
            Said::More => return Seen::Other,
        }
    }
    let request = Request { method, path, query, headers: Headers::Row(Row::new(parsed.headers)) };
    Seen::Plain(Plain { request, length, last })
}

/// Path and query, if they are written in the letters that addresses have (RFC 3986) and begin with a slash.
fn split(target: &str) -> Option<(&str, Option<&str>)> {
    if !target.starts_with('/') || !target.bytes().all(is_letter) {
        return None;
    }
    Some(target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query))))
}

fn is_letter(b: u8) -> bool {
    b.is_ascii_graphic() && !matches!(b, b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

/// What a header says of the request or the connection.
enum Said {
    Nothing,
    /// No request follows.
    Last,
    /// That the request is no plain one.
    More,
}

fn said(header: &Header<'_>) -> Said {
    let is = |name: &str| header.name.eq_ignore_ascii_case(name);
    match header.name.len() {
        6 if is("expect") => Said::More,
        7 if is("upgrade") => Said::More,
        10 if is("connection") => match header.value {
            value if value.eq_ignore_ascii_case(b"keep-alive") => Said::Nothing,
            value if value.eq_ignore_ascii_case(b"close") => Said::Last,
            _ => Said::More,
        },
        14 if is("content-length") => Said::More,
        17 if is("transfer-encoding") => Said::More,
        _ => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P for a plain one, L for a last one, - for a part, O for something else; and how long it is.
    fn seen(buffer: &str) -> (char, usize) {
        match look(buffer.as_bytes(), &mut Room::new()) {
            Seen::Plain(plain) => (if plain.last { 'L' } else { 'P' }, plain.length),
            Seen::Part => ('-', 0),
            Seen::Other => ('O', 0),
        }
    }

    #[test]
    fn what_is_plain() {
        let plain = |head: &str| seen(&format!("{head}\r\n\r\n")).0;
        let table = [
            ("GET /kx7 HTTP/1.1", 'P'),
            ("HEAD /kx7?a=b&c HTTP/1.1\r\nHost: x", 'P'),
            ("GET /kx7%2B HTTP/1.1\r\nconnection: Keep-Alive", 'P'),
            ("GET /kx7). HTTP/1.1\r\nConnection: close", 'L'),
            ("GET /kx7 HTTP/1.1\r\nConnection: keep-alive, close", 'O'),
            ("GET /kx7 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c", 'O'),
            ("GET /kx7 HTTP/1.1\r\nContent-Length: 0", 'O'),
            ("GET /kx7 HTTP/1.1\r\nTransfer-Encoding: chunked", 'O'),
            ("GET /kx7 HTTP/1.1\r\nExpect: 100-continue", 'O'),
            ("GET /kx7 HTTP/1.1\r\nbad header", 'O'),
            ("GET /kx7 HTTP/1.1\r\nX: a\r\n b", 'O'),
            ("GET /kx7 HTTP/1.0", 'O'),
            ("GET /kx7 HTTP/2.0", 'O'),
            ("POST /kx7 HTTP/1.1", 'O'),
            ("get /kx7 HTTP/1.1", 'O'),
            ("GET http://sl.example/kx7 HTTP/1.1", 'O'),
            ("GET kx7 HTTP/1.1", 'O'),
            ("OPTIONS * HTTP/1.1", 'O'),
            ("GET /k<x7 HTTP/1.1", 'O'),
            ("GET /kx7#a HTTP/1.1", 'O'),
            ("GET /k\u{e9} HTTP/1.1", 'O'),
            ("GET / HTTP/1.1", 'O'),
            ("GET /?a HTTP/1.1", 'O'),
            ("GET /api/v1/links HTTP/1.1", 'O'),
            ("GET /API HTTP/1.1", 'O'),
            ("GET /- HTTP/1.1", 'O'),
            ("GET /apiary HTTP/1.1", 'P'),
            ("nonsense", 'O'),
        ];
        for (head, expected) in table {
            assert_eq!(plain(head), expected, "{head}");
        }
        let many: String = (0..=MOST).map(|n| format!("\r\nX-{n}: y")).collect();
        assert_eq!(plain(&format!("GET /kx7 HTTP/1.1{many}")), 'O');
    }

    #[test]
    fn a_part_is_no_request_wherever_it_ends() {
        let whole = "GET /kx7 HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(seen(&whole[..end]), ('-', 0), "{end}");
        }
        assert_eq!(seen(whole), ('P', whole.len()));
        assert_eq!(seen(&whole.repeat(2)), ('P', whole.len()), "the second one is for later");
    }

    #[test]
    fn path_query_and_headers_are_read() {
        let mut room = Room::new();
        let buffer = b"HEAD /kx7.q?a=b?c HTTP/1.1\r\nUSER-AGENT:  Firefox \r\n\r\n";
        let Seen::Plain(plain) = look(buffer, &mut room) else { panic!("no plain request") };
        let Request { method, path, query, headers } = plain.request;
        assert_eq!((method, path, query), (&Method::HEAD, "/kx7.q", Some("a=b?c")));
        assert_eq!(headers.get(&http::header::USER_AGENT), b"Firefox");
    }
}
