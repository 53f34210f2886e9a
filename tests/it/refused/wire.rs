//! Requests that no client would send.

use std::time::{Duration, Instant};

use slugline::units::Span;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{BROWSER, TestApp, raw};

#[tokio::test]
async fn malformed_requests() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    let head = "Host: x\r\nConnection: close\r\n\r\n";
    let long_header = format!("GET /{code} HTTP/1.1\r\nX: {}\r\n{head}", "x".repeat(200_000));
    let many: String = (0..200).map(|i| format!("X-{i}: y\r\n")).collect();
    let many = format!("GET /{code} HTTP/1.1\r\n{many}{head}");
    let long_line = format!("GET /{} HTTP/1.1\r\n{head}", "x".repeat(200_000));
    let table: [(&str, &[u16]); 9] = [
        ("GET /a\0b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[400]),
        ("GET /a b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &[400]),
        ("nonsense\r\n\r\n", &[400]),
        ("GET / HTTP/9.9\r\nHost: x\r\n\r\n", &[400, 505]),
        ("GET / HTTP/1.1\r\nbad header\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", &[400]),
        (&long_line, &[414, 431]),
        (&long_header, &[431]),
        (&many, &[431]),
    ];
    for (request, expected) in table {
        let answer = raw::exchange(app.http.address(), request.as_bytes()).await;
        assert!(expected.contains(&raw::status(&answer)), "{:.60}: {answer:.200}", request);
        assert!(!answer.to_lowercase().contains("location:"), "{answer}");
    }
    app.follow(&code).await.expect(302);
}

#[tokio::test]
async fn broken_escapes_and_long_paths_are_no_code() {
    let app = TestApp::start().await;
    let long = format!("/{}", "x".repeat(9_000));
    let paths = [
        "/%00",
        "/a%00b",
        "/%zz",
        "/%",
        "/%2",
        "/%ff%fe",
        "/%E2%82",
        "/a%0d%0aSet-Cookie:x",
        "/..%2f..%2fetc",
        &long,
    ];
    for path in paths {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = raw::exchange(app.http.address(), request.as_bytes()).await;
        assert_eq!(raw::status(&answer), 404, "{path:.40}: {answer:.100}");
        assert!(!answer.to_lowercase().contains("set-cookie"), "{answer}");
    }
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let app = TestApp::start().await;
    let post = |path: &str, size: usize| {
        let head = format!(
            "POST /api/v1{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n",
            app.key
        );
        let mut request = head.into_bytes();
        request.resize(request.len() + size, b' ');
        request
    };
    const KIB64: usize = 64 * 1024;
    const MIB16: usize = 16 * 1024 * 1024;
    // Blanks alone are not JSON, so what is not too large gets as far as being read.
    let table = [
        ("/links", KIB64, 400, "bad_json"),
        ("/links", KIB64 + 1, 413, "too_large"),
        ("/keys", KIB64 + 1, 413, "too_large"),
        ("/links/batch", KIB64 + 1, 400, "bad_json"),
        ("/links/batch", MIB16, 400, "bad_json"),
        ("/links/batch", MIB16 + 1, 413, "too_large"),
    ];
    for (path, size, status, code) in table {
        let answer = raw::exchange(app.http.address(), &post(path, size)).await;
        assert_eq!(raw::status(&answer), status, "{path} {size}: {answer}");
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{path} {size}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_ends_too_soon_makes_nothing() {
    let app = TestApp::start().await;
    let body = "{\"url\": \"https://news.example.com/a\"}";
    let request = format!(
        "POST /api/v1/links HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        app.key,
        body.len() + 1
    );
    let mut stream = TcpStream::connect(app.http.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = raw::rest(&mut stream).await;
    assert!([0, 400].contains(&raw::status(&answer)), "{answer}");
    assert_eq!(app.all("/links").await.len(), 0);
}

#[tokio::test]
async fn who_sends_its_head_too_slowly_is_disconnected() {
    let timeout = Duration::from_millis(400);
    let app = TestApp::start_with(|c| c.server.header_timeout = Span(timeout)).await;
    let code = app.shorten("https://news.example.com/a").await;
    let began = Instant::now();
    let mut slow = TcpStream::connect(app.http.address()).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    let mut silent = TcpStream::connect(app.http.address()).await.unwrap();
    // Others are served meanwhile.
    app.follow(&code).await.expect(302);
    for stream in [&mut slow, &mut silent] {
        let answer = raw::rest(stream).await;
        assert!([0, 408].contains(&raw::status(&answer)), "{answer}");
    }
    assert!(began.elapsed() >= timeout, "not before its time: {:?}", began.elapsed());
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_order() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    let one = format!("GET /{code} HTTP/1.1\r\nHost: x\r\nUser-Agent: {BROWSER}\r\n\r\n");
    let last = "GET /unknown HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = raw::exchange(app.http.address(), format!("{}{last}", one.repeat(50)).as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 302").count(), 50);
    assert!(answer.rfind("HTTP/1.1 404") > answer.rfind("HTTP/1.1 302"), "{answer}");
    assert_eq!(app.totals(&code).await, (50, 0, 0));
}

#[tokio::test]
async fn more_connections_than_allowed_wait_their_turn() {
    let app = TestApp::start_with(|c| c.server.max_connections = 3).await;
    let address = app.http.address();
    let request = b"GET /unknown HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut holders = vec![];
    for _ in 0..3 {
        let mut held = TcpStream::connect(address).await.unwrap();
        held.write_all(b"GET /unknown HTTP/1.1\r\n").await.unwrap();
        holders.push(held);
    }
    let waiting = raw::exchange(address, request);
    let mut waiting = std::pin::pin!(waiting);
    // Nothing can come while all places are taken; one look is enough to have sent it.
    let early = tokio::time::timeout(Duration::from_millis(200), waiting.as_mut()).await;
    assert!(early.is_err(), "it was answered although all places were taken");
    drop(holders);
    assert_eq!(raw::status(&waiting.await), 404);
}
