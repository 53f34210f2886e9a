//! Writes answers as they go over the wire (RFC 9112).
//!
//! Guarantees that every answer has a length, a date, and nothing behind a head that was asked for alone. Knows no
//! connection.

use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use http::{Response, StatusCode};
use http_body_util::BodyExt;

use crate::clock;
use crate::web::body::Payload;
use crate::web::redirect::Elsewhere;

thread_local! {
    /// The date of a second, as it is written: it is written often and changes seldom.
    static NOW: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// How an answer ends.
#[derive(Clone, Copy)]
pub(super) struct End {
    /// True if no other answer follows.
    pub(super) last: bool,
    /// True if only the head was asked for.
    pub(super) head: bool,
}

/// Writes where a link leads.
pub(super) fn elsewhere(out: &mut Vec<u8>, elsewhere: &Elsewhere, end: End) {
    status(out, elsewhere.status);
    out.extend_from_slice(b"location: ");
    out.extend_from_slice(elsewhere.location.as_bytes());
    out.extend_from_slice(b"\r\ncache-control: ");
    out.extend_from_slice(elsewhere.cache_control().as_bytes());
    out.extend_from_slice(b"\r\ncontent-length: 0");
    finish(out, end);
}

/// Writes any answer whose body is there.
///
/// # Errors
/// The body's.
pub(super) async fn response(
    out: &mut Vec<u8>,
    response: Response<Payload>,
    end: End,
) -> Result<(), axum::Error> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    status(out, parts.status);
    for (name, value) in &parts.headers {
        if ![CONNECTION, CONTENT_LENGTH, DATE].contains(name) {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"content-length: ");
    out.extend_from_slice(body.len().to_string().as_bytes());
    finish(out, end);
    if !end.head {
        out.extend_from_slice(&body);
    }
    Ok(())
}

fn status(out: &mut Vec<u8>, status: StatusCode) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The last headers and the empty line, behind a header without its line's end.
fn finish(out: &mut Vec<u8>, end: End) {
    if end.last {
        out.extend_from_slice(b"\r\nconnection: close");
    }
    out.extend_from_slice(b"\r\ndate: ");
    let second = u64::try_from(clock::now_ms() / 1_000).unwrap_or(0);
    NOW.with_borrow_mut(|(of, text)| {
        if *of != second {
            (*of, *text) = (second, httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second)));
        }
        out.extend_from_slice(text.as_bytes());
    });
    out.extend_from_slice(b"\r\n\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::redirect::Location;

    fn text(out: &[u8]) -> String {
        let text = String::from_utf8(out.to_vec()).unwrap();
        let date = text.split("date: ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
        assert!(httpdate::parse_http_date(&date).is_ok(), "{date}");
        text.replace(&date, "D")
    }

    #[test]
    fn where_a_link_leads() {
        let there = |status| Elsewhere { status, location: Location::Made("https://a.test/x".into()) };
        let mut out = vec![];
        elsewhere(&mut out, &there(StatusCode::FOUND), End { last: false, head: false });
        let expected = "HTTP/1.1 302 Found\r\nlocation: https://a.test/x\r\ncache-control: private, no-store\r\n\
                        content-length: 0\r\ndate: D\r\n\r\n";
        assert_eq!(text(&out), expected);
        out.clear();
        elsewhere(&mut out, &there(StatusCode::PERMANENT_REDIRECT), End { last: true, head: true });
        let expected = "HTTP/1.1 308 Permanent Redirect\r\nlocation: https://a.test/x\r\n\
                        cache-control: private, max-age=3600\r\ncontent-length: 0\r\nconnection: close\r\n\
                        date: D\r\n\r\n";
        assert_eq!(text(&out), expected);
    }

    #[tokio::test]
    async fn pages_and_heads_of_pages() {
        for (head, body) in [(false, "hello"), (true, "")] {
            let mut page = Response::new(Payload::bytes("hello"));
            *page.status_mut() = StatusCode::GONE;
            page.headers_mut().insert("x-a", "b".parse().unwrap());
            page.headers_mut().insert(CONTENT_LENGTH, "77".parse().unwrap());
            let mut out = vec![];
            response(&mut out, page, End { last: false, head }).await.unwrap();
            let expected =
                format!("HTTP/1.1 410 Gone\r\nx-a: b\r\ncontent-length: 5\r\ndate: D\r\n\r\n{body}");
            assert_eq!(text(&out), expected);
        }
    }
}
