//! Requests that no client would send, byte by byte.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wait::LONG;

/// Sends these bytes, then reads until the server closes the connection.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that refuses early may close before it has read everything.
    drop(stream.write_all(request).await);
    rest(&mut stream).await
}

/// Everything that still comes, until the server closes the connection.
pub async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = vec![];
    let reading = async {
        let mut piece = [0; 4096];
        // A reset ends it like a close: what came before it counts.
        while let Ok(n) = stream.read(&mut piece).await {
            if n == 0 {
                break;
            }
            answer.extend_from_slice(&piece[..n]);
        }
    };
    let ended = tokio::time::timeout(LONG, reading).await;
    assert!(ended.is_ok(), "the connection was not closed; so far: {}", String::from_utf8_lossy(&answer));
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of an answer; 0 if there is none.
pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
}
