//! Connections: plain requests beside others, in pieces, at a stop.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{BROWSER, TestApp, eventually, raw};

/// The status lines of answers behind each other.
fn statuses(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect()
}

#[tokio::test]
async fn a_connection_carries_plain_requests_and_others_in_order() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    let head = format!("Host: x\r\nUser-Agent: {BROWSER}\r\n");
    let body = "{\"url\":\"https://news.example.com/b\"}";
    let all = format!(
        "GET /{code} HTTP/1.1\r\n{head}\r\n\
         HEAD /{code} HTTP/1.1\r\n{head}\r\n\
         GET /unknown HTTP/1.1\r\n{head}\r\n\
         \r\n\
         GET /{code} HTTP/1.1\r\n{head}\r\n\
         POST /api/v1/links HTTP/1.1\r\n{head}Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}\
         GET /{code} HTTP/1.1\r\n{head}Connection: close\r\n\r\n\
         GET /{code} HTTP/1.1\r\n{head}\r\n",
        app.key,
        body.len()
    );
    let answers = raw::exchange(app.http.address(), all.as_bytes()).await;
    assert_eq!(statuses(&answers), ["302", "302", "404", "302", "201", "302"], "{answers}");
    assert_eq!(app.totals(&code).await, (3, 1, 0), "nothing behind the last one is read");

    // The same again, in pieces that end anywhere. The link of the body is there already.
    let mut stream = TcpStream::connect(app.http.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in all.as_bytes().chunks(7) {
        // After the last answer nobody reads.
        if stream.write_all(piece).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let answers = raw::rest(&mut stream).await;
    assert_eq!(statuses(&answers), ["302", "302", "404", "302", "200", "302"], "{answers}");
    assert_eq!(app.totals(&code).await, (6, 2, 0));
}

#[tokio::test]
async fn an_unusual_request_is_answered_like_a_plain_one() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    for (method, path) in [("GET", code.clone()), ("GET", "unknown".into()), ("GET", format!("{code}+"))] {
        let mut answers = vec![];
        // A whole address instead of a path is nothing plain.
        for target in [format!("/{path}"), format!("http://sl.example/{path}")] {
            let request = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            let answer = raw::exchange(app.http.address(), request.as_bytes()).await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let mut lines: Vec<String> = head.split("\r\n").map(str::to_lowercase).collect();
            lines[1..].sort();
            lines.retain(|line| !line.starts_with("date: "));
            answers.push((lines, body.to_owned()));
        }
        assert_eq!(answers[0], answers[1], "{path}");
    }
}

#[tokio::test]
async fn what_had_begun_at_a_stop_is_answered_and_told_to_be_the_last() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    let address = app.http.address();
    let begun = [format!("GET /{code} HTTP/1.1\r\nHo"), "GET /api/v1/links HTTP/1.1\r\nHo".to_owned()];
    let mut streams = vec![];
    for begun in &begun {
        for _ in 0..8 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            streams.push(stream);
        }
    }
    let mut idle = TcpStream::connect(address).await.unwrap();
    // What came before these is read when they are answered, on every thread that connections live on.
    for _ in 0..8 {
        raw::exchange(address, b"GET /unknown HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    }
    let readers = async {
        assert_eq!(raw::rest(&mut idle).await, "", "an idle connection is closed at once");
        eventually("nobody is let in", async || TcpStream::connect(address).await.err()).await;
        for (n, stream) in streams.iter_mut().enumerate() {
            stream.write_all(b"st: x\r\n\r\n").await.unwrap();
            let answer = raw::rest(stream).await;
            assert_eq!(raw::status(&answer), if n < 8 { 302 } else { 401 }, "{n}: {answer}");
            assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
        }
    };
    tokio::join!(app.stop(), readers);
}
