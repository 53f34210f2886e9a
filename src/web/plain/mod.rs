//! A connection while its requests are plain: a look-up of a code, and nothing else.
//!
//! Most requests are, and they need less than a whole HTTP server does for them. Guarantees that a request that is not
//! plain is left as it came to one that knows all of HTTP, with everything behind it, in order; that the head of each
//! request has a deadline, and an idle connection too; and that at a stop requests under way are answered. Knows no
//! routes.

mod head;
mod write;

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use self::head::{Plain, Room, Seen};
use self::write::End;
use super::body::Payload;
use super::redirect::{Answer, Redirector};

/// Room for what is read, in bytes: most heads fit.
const ROOM: usize = 4 * 1024;
/// A longer head is no plain one.
const LONGEST_HEAD: usize = 16 * 1024;
/// Answers to requests that came together are sent when they are this long, in bytes.
const SENT_AT: usize = 32 * 1024;
/// The word to stop is asked for after so many turns at the latest, however busy a connection is.
const TURNS: u32 = 64;

/// How a connection stopped being plain.
pub enum Left {
    /// It has ended.
    Ended,
    /// It goes on with these bytes, of which none is answered.
    Other(Vec<u8>),
}

/// What ends a connection.
#[derive(Clone, Copy)]
pub struct Ends<'a> {
    /// How long the head of a request may take, from the answer before it, and the reading of an answer by its client.
    pub limit: Duration,
    /// A request that has begun is answered, and none after it.
    pub stop: &'a CancellationToken,
    /// It ends at once.
    pub abandon: &'a CancellationToken,
}

impl Ends<'_> {
    /// Waits for what takes long, unless everything is to end.
    async fn unless_abandoned<T>(self, work: impl Future<Output = T>) -> io::Result<T> {
        tokio::select! {
            done = work => Ok(done),
            () = self.abandon.cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

/// Answers what comes over `stream` from `peer` as long as it is plain.
///
/// # Errors
/// The connection's; the client is gone, or too slow, or everything ends.
pub async fn live(
    stream: &mut TcpStream,
    redirector: &Arc<Redirector>,
    peer: IpAddr,
    ends: Ends<'_>,
) -> io::Result<Left> {
    let mut buffer = Vec::with_capacity(ROOM);
    let mut connection = Connection {
        stream,
        redirector,
        peer,
        ends,
        out: Vec::new(),
        waits: Waits::new(ends),
        stopping: false,
    };
    loop {
        match connection.waits.read(connection.stream, &mut buffer).await? {
            Waited::Read => {}
            Waited::Stopped if !buffer.is_empty() && !connection.stopping => {
                connection.stopping = true;
                continue;
            }
            Waited::Closed | Waited::Stopped => return Ok(Left::Ended),
            Waited::TooLong => return Err(io::ErrorKind::TimedOut.into()),
        }
        let (answered, rest) = connection.answer_all(&buffer).await?;
        connection.send().await?;
        buffer.drain(..answered);
        match rest {
            Rest::Part if buffer.len() < LONGEST_HEAD => buffer.reserve(ROOM / 2),
            Rest::Part | Rest::Other => return Ok(Left::Other(buffer)),
            Rest::Unwanted => {
                connection.stream.shutdown().await?;
                return Ok(Left::Ended);
            }
        }
    }
}

struct Connection<'a> {
    stream: &'a mut TcpStream,
    redirector: &'a Arc<Redirector>,
    peer: IpAddr,
    ends: Ends<'a>,
    /// Answers that are not sent.
    out: Vec<u8>,
    waits: Waits<'a>,
    /// True after the word to stop: the next answer is the last one.
    stopping: bool,
}

/// What is behind the requests that are answered.
enum Rest {
    /// Nothing, or a part of a head.
    Part,
    /// Something that is not plain.
    Other,
    /// Whatever it is, no answer to it is wanted.
    Unwanted,
}

impl Connection<'_> {
    /// Answers all whole plain requests in `buffer`, and says how many bytes of it they were. The last answers may not be
    /// sent yet.
    async fn answer_all(&mut self, buffer: &[u8]) -> io::Result<(usize, Rest)> {
        let mut at = 0;
        while at < buffer.len() {
            let (answer, end) = match head::look(&buffer[at..], &mut Room::new()) {
                Seen::Part => break,
                Seen::Other => return Ok((at, Rest::Other)),
                Seen::Plain(Plain { request, length, last }) => {
                    at += length;
                    let end = End { last: last || self.stopping, head: request.method == Method::HEAD };
                    (Redirector::answer(self.redirector, request, self.peer), end)
                }
            };
            match answer {
                Answer::Elsewhere(elsewhere) => write::elsewhere(&mut self.out, &elsewhere, end),
                Answer::Now(response) => self.write(response, end).await?,
                Answer::Later(response) => {
                    // Those before it need not wait.
                    self.send().await?;
                    let response = self.ends.unless_abandoned(response).await?;
                    self.write(response, end).await?;
                }
            }
            if end.last {
                return Ok((at, Rest::Unwanted));
            }
            if self.out.len() >= SENT_AT {
                self.send().await?;
            }
        }
        Ok((at, Rest::Part))
    }

    async fn write(&mut self, response: Response<Payload>, end: End) -> io::Result<()> {
        write::response(&mut self.out, response, end).await.map_err(io::Error::other)
    }

    /// Sends what there is to be sent, as fast as the client reads it.
    async fn send(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let sent = match self.stream.try_write(&self.out) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if sent < self.out.len() {
            let rest = timeout(self.ends.limit, self.stream.write_all(&self.out[sent..]));
            self.ends.unless_abandoned(rest).await???;
        }
        self.out.clear();
        self.waits.since = Instant::now();
        Ok(())
    }
}

/// What a connection waits for between requests.
///
/// Bytes come often, the others hardly ever. So these are asked only when the connection was woken and there are no
/// bytes: a request costs no timer and no lock.
struct Waits<'a> {
    limit: Duration,
    /// When the last answer was sent.
    since: Instant,
    timer: Pin<Box<Sleep>>,
    /// The word to stop, after it the word to end at once.
    word: Pin<Box<WaitForCancellationFuture<'a>>>,
    abandon: &'a CancellationToken,
    /// Turns until timer and word are asked again; 0 before they were asked the first time.
    turns: u32,
}

/// What came.
enum Waited {
    Read,
    Closed,
    Stopped,
    TooLong,
}

impl<'a> Waits<'a> {
    fn new(Ends { limit, stop, abandon }: Ends<'a>) -> Waits<'a> {
        let since = Instant::now();
        let (timer, word) = (Box::pin(sleep_until(since + limit)), Box::pin(stop.cancelled()));
        Waits { limit, since, timer, word, abandon, turns: 0 }
    }

    /// Reads behind what is in `buffer`.
    async fn read(&mut self, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Waited> {
        let mut woken = false;
        poll_fn(|cx| {
            // Nothing is lost with this future: it has read or it has not.
            if let Poll::Ready(read) = pin!(stream.read_buf(buffer)).poll(cx) {
                self.turns = self.turns.saturating_sub(1);
                return Poll::Ready(read.map(|n| if n == 0 { Waited::Closed } else { Waited::Read }));
            }
            // Unless one of them woke it, both still know whom to wake.
            if self.turns > 0 && !woken {
                woken = true;
                return Poll::Pending;
            }
            self.turns = TURNS;
            self.poll_others(cx).map(Ok)
        })
        .await
    }

    fn poll_others(&mut self, cx: &mut Context<'_>) -> Poll<Waited> {
        if self.word.as_mut().poll(cx).is_ready() {
            // Whoever still waits waits for the other one from now on.
            self.word = Box::pin(self.abandon.cancelled());
            self.turns = 0;
            return Poll::Ready(Waited::Stopped);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            // It was set when an earlier answer was sent.
            if self.since + self.limit <= Instant::now() {
                return Poll::Ready(Waited::TooLong);
            }
            self.timer.as_mut().reset(self.since + self.limit);
        }
        Poll::Pending
    }
}
