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
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use self::head::{Plain, Room, Seen};
use self::write::End;
use super::redirect::{Answer, Redirector, Visited};

/// Room for what is read, in bytes: most heads fit.
const ROOM: usize = 4 * 1024;
/// A longer head is no plain one.
const LONGEST_HEAD: usize = 16 * 1024;
/// Answers to requests that came together are sent when they are this long, in bytes.
const SENT_AT: usize = 32 * 1024;
/// Room that is kept for further answers, in bytes.
const KEPT: usize = 4 * 1024;

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
    /// A request that has begun is answered, with the word that no other will be.
    pub stop: &'a CancellationToken,
    /// True from just before `stop` on: to look at it costs nothing.
    pub stopping: &'a AtomicBool,
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
    let waits = Waits::new(ends);
    let mut connection = Connection { stream, redirector, peer, ends, out: Vec::new(), waits };
    loop {
        let seen = buffer.len();
        match connection.waits.read(connection.stream, &mut buffer).await? {
            Waited::Read => {}
            Waited::Stopped if has_begun(&buffer) => continue,
            Waited::Closed | Waited::Stopped => return Ok(Left::Ended),
            Waited::TooLong => return Err(io::ErrorKind::TimedOut.into()),
        }
        // A head ends with a line: one that comes byte by byte is not read anew for each.
        if !buffer[seen..].contains(&b'\n') && buffer.len() < LONGEST_HEAD {
            buffer.reserve(ROOM / 2);
            continue;
        }
        let more = buffer.len() == buffer.capacity();
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
        if buffer.is_empty() {
            buffer.shrink_to(ROOM);
        }
        // Whoever sends without a pause lets others have their turn.
        if more {
            tokio::task::yield_now().await;
        }
    }
}

/// True if a request has begun; empty lines between requests are none.
fn has_begun(buffer: &[u8]) -> bool {
    buffer.iter().any(|b| !matches!(b, b'\r' | b'\n'))
}

struct Connection<'a> {
    stream: &'a mut TcpStream,
    redirector: &'a Arc<Redirector>,
    peer: IpAddr,
    ends: Ends<'a>,
    /// Answers that are not sent.
    out: Vec<u8>,
    waits: Waits<'a>,
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
            let (answer, mut end) = match head::look(&buffer[at..], &mut Room::new()) {
                Seen::Part => break,
                Seen::Other => return Ok((at, Rest::Other)),
                Seen::Plain(Plain { request, length, last }) => {
                    at += length;
                    let end = End { last, head: request.method == Method::HEAD };
                    (Redirector::answer(self.redirector, request, self.peer), end)
                }
            };
            let visited = match answer {
                Answer::Elsewhere(elsewhere) => Visited::Elsewhere(elsewhere),
                Answer::Now(response) => Visited::Otherwise(response),
                Answer::Later(response) => {
                    // Those before it need not wait. A client that goes away meanwhile has followed the link all the same.
                    self.send().await?;
                    Visited::Otherwise(self.ends.unless_abandoned(response).await?)
                }
            };
            end.last |= self.ends.stopping.load(Ordering::Acquire);
            match visited {
                Visited::Elsewhere(elsewhere) => write::elsewhere(&mut self.out, &elsewhere, end),
                Visited::Otherwise(response) => {
                    write::response(&mut self.out, response, end).await.map_err(io::Error::other)?;
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
        self.out.shrink_to(KEPT);
        self.waits.since = Instant::now();
        Ok(())
    }
}

/// What a connection waits for between requests.
///
/// Bytes come often, the others hardly ever. So these are asked only if one of them may have come: a request costs no timer
/// and no lock.
struct Waits<'a> {
    ends: Ends<'a>,
    /// When the last answer was sent.
    since: Instant,
    timer: Pin<Box<Sleep>>,
    /// The word to stop, after it the word to end at once.
    word: Pin<Box<WaitForCancellationFuture<'a>>>,
    /// True if timer and word know whom to wake.
    armed: bool,
}

/// What came.
enum Waited {
    Read,
    Closed,
    Stopped,
    TooLong,
}

impl<'a> Waits<'a> {
    fn new(ends: Ends<'a>) -> Waits<'a> {
        let since = Instant::now();
        let (timer, word) = (Box::pin(sleep_until(since + ends.limit)), Box::pin(ends.stop.cancelled()));
        Waits { ends, since, timer, word, armed: false }
    }

    /// Reads behind what is in `buffer`.
    async fn read(&mut self, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Waited> {
        let mut woken = false;
        poll_fn(|cx| {
            // Nothing is lost with this future: it has read or it has not.
            if let Poll::Ready(read) = pin!(stream.read_buf(buffer)).poll(cx) {
                return Poll::Ready(read.map(|n| if n == 0 { Waited::Closed } else { Waited::Read }));
            }
            // Their waking may have been the one at which bytes came.
            let came = woken || self.timer.is_elapsed() || self.ends.stopping.load(Ordering::Acquire);
            woken = true;
            if self.armed && !came { Poll::Pending } else { self.poll_others(cx).map(Ok) }
        })
        .await
    }

    fn poll_others(&mut self, cx: &mut Context<'_>) -> Poll<Waited> {
        if self.word.as_mut().poll(cx).is_ready() {
            // Whoever still waits waits for the other one from now on.
            self.word = Box::pin(self.ends.abandon.cancelled());
            self.armed = false;
            return Poll::Ready(Waited::Stopped);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            // It was set when an earlier answer was sent.
            if self.since + self.ends.limit <= Instant::now() {
                return Poll::Ready(Waited::TooLong);
            }
            self.timer.as_mut().reset(self.since + self.ends.limit);
        }
        // A turn that has used itself up asks the timer in vain.
        self.armed = tokio::task::coop::has_budget_remaining();
        Poll::Pending
    }
}
