//! One keep-alive connection, blocking, that tells an answer which came whole from one that did not.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// No answer may take longer than this.
const TIMEOUT: Duration = Duration::from_secs(20);

/// An answer that came whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value, "" if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim());
        values.next().unwrap_or("")
    }

    /// True if the server ends the connection after it.
    pub fn closes(&self) -> bool {
        self.header("connection").eq_ignore_ascii_case("close")
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        let text = || String::from_utf8_lossy(&self.body).into_owned();
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {} {}", self.status, text()))
    }
}

/// A connection.
pub struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub fn open(address: SocketAddr) -> Result<Wire> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Wire { stream, read: Vec::new() })
    }

    /// Sends a request without a body; any part of it may arrive if this fails.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Result<()> {
        self.send_with(method, path, headers, "")
    }

    fn send_with(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<()> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: short.example\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            request
                .push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        request.push_str(body);
        self.stream.write_all(request.as_bytes())
    }

    /// Reads one answer whole. `head` says that it is one to HEAD, which has no body.
    pub fn answer(&mut self, head: bool) -> Result<Answer> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.more()?;
        };
        let text = String::from_utf8_lossy(&self.read[..end]).into_owned();
        let status = text.split(' ').nth(1).and_then(|s| s.parse().ok());
        let mut answer =
            Answer { status: status.ok_or(ErrorKind::InvalidData)?, head: text, body: Vec::new() };
        let len = if head { 0 } else { answer.header("content-length").parse().unwrap_or(0) };
        while self.read.len() < end + len {
            self.more()?;
        }
        answer.body = self.read[end..end + len].to_vec();
        self.read.drain(..end + len);
        Ok(answer)
    }

    fn more(&mut self) -> Result<()> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece)? {
            0 => Err(Error::from(ErrorKind::UnexpectedEof)),
            n => {
                self.read.extend_from_slice(&piece[..n]);
                Ok(())
            }
        }
    }
}

/// One request on a connection of its own.
pub fn ask(address: SocketAddr, method: &str, path: &str, key: &str, body: &str) -> Result<Answer> {
    let mut wire = Wire::open(address)?;
    let key = format!("Bearer {key}");
    let headers: &[(&str, &str)] = if key.len() > 7 { &[("Authorization", &key)] } else { &[] };
    wire.send_with(method, path, headers, body)?;
    wire.answer(method == "HEAD")
}
