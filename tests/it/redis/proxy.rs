//! A line to one `redis-server` with a hand on it: replies dropped after the command was passed on, commands held
//! and delivered late, connections cut, stalled, split into single bytes.
//!
//! It knows where commands and replies begin and end, and nothing of what they mean. It has a thread of its own, so
//! that a test which waits does not hold it up.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot, watch};
use tokio_util::task::TaskTracker;

/// Longest a held command waits for its reply once it is delivered.
const LATE: Duration = Duration::from_secs(10);

/// What is done to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is passed on and done; its reply is thrown away and the connection ended.
    DropReply,
    /// The connection is ended, and the command kept until [`Proxy::deliver`].
    Hold,
}

type Which = Box<dyn Fn(&[Vec<u8>]) -> bool + Send>;

struct Plan {
    fault: Fault,
    times: u64,
    which: Which,
}

/// A command that was held, with the server's end of its connection.
struct Held {
    server: TcpStream,
    bytes: Vec<u8>,
    /// Replies to commands before it.
    before: usize,
}

#[derive(Default)]
struct Hand {
    plan: Mutex<Option<Plan>>,
    struck: Mutex<u64>,
    held: Mutex<Vec<Held>>,
}

/// How the line is; each connection follows it.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// Connections before this one are to end.
    cuts: u64,
    stalled: bool,
    split: bool,
    away: bool,
}

/// The proxy.
pub struct Proxy {
    address: SocketAddr,
    hand: Arc<Hand>,
    line: watch::Sender<Line>,
    deliver: Arc<Notify>,
    delivered: watch::Receiver<u64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A line to the server at `target` (`host:port`).
    pub fn start(target: &str) -> Proxy {
        Proxy::listen(target, 0)
    }

    /// The same on this port; 0 is a free one.
    pub fn listen(target: &str, port: u16) -> Proxy {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let hand = Arc::new(Hand::default());
        let (line, follow) = watch::channel(Line::default());
        let (counted, delivered) = watch::channel(0);
        let deliver = Arc::new(Notify::new());
        let (stop, stopped) = oneshot::channel();
        let end = End { target: target.to_owned(), hand: Arc::clone(&hand), line: follow };
        let late = (Arc::clone(&deliver), counted);
        let thread = std::thread::spawn(move || serve(listener, end, late, stopped));
        Proxy { address, hand, line, deliver, delivered, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens, as `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Does this to the next `times` commands that `which` chooses, by their words.
    pub fn plan(&self, fault: Fault, times: u64, which: impl Fn(&[Vec<u8>]) -> bool + Send + 'static) {
        *self.hand.plan.lock().unwrap() = Some(Plan { fault, times, which: Box::new(which) });
    }

    /// How many commands met a fault.
    pub fn struck(&self) -> u64 {
        *self.hand.struck.lock().unwrap()
    }

    /// Delivers all held commands and waits until the server has done them; gives how many.
    pub async fn deliver(&mut self) -> u64 {
        let before = *self.delivered.borrow_and_update();
        let held = u64::try_from(self.hand.held.lock().unwrap().len()).unwrap();
        self.deliver.notify_one();
        self.delivered.wait_for(|now| *now >= before + held).await.unwrap();
        held
    }

    /// Ends all connections; new ones are made again.
    pub fn cut(&self) {
        self.line.send_modify(|line| line.cuts += 1);
    }

    /// While true, connections are ended and new ones refused.
    pub fn away(&self, away: bool) {
        self.line.send_modify(|line| {
            line.away = away;
            line.cuts += u64::from(away);
        });
    }

    /// While true, nothing gets through in either direction, and nothing is ended.
    pub fn stall(&self, stalled: bool) {
        self.line.send_modify(|line| line.stalled = stalled);
    }

    /// While true, everything is passed on byte by byte.
    pub fn split(&self, split: bool) {
        self.line.send_modify(|line| line.split = split);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // A thread that has ended already is as good.
        let _ = self.stop.take().unwrap().send(());
        let _ = self.thread.take().unwrap().join();
    }
}

/// What each connection gets.
#[derive(Clone)]
struct End {
    target: String,
    hand: Arc<Hand>,
    line: watch::Receiver<Line>,
}

fn serve(
    listener: std::net::TcpListener,
    end: End,
    (deliver, counted): (Arc<Notify>, watch::Sender<u64>),
    mut stop: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener).unwrap();
        let connections = TaskTracker::new();
        loop {
            tokio::select! {
                _ = &mut stop => return,
                Ok((client, _)) = listener.accept() => drop(connections.spawn(connection(client, end.clone()))),
                () = deliver.notified() => {
                    let held = std::mem::take(&mut *end.hand.held.lock().unwrap());
                    for one in held {
                        let _ = tokio::time::timeout(LATE, late(one)).await;
                        counted.send_modify(|n| *n += 1);
                    }
                }
            }
        }
    });
}

/// Passes a held command on and reads until its reply is there.
async fn late(mut held: Held) -> std::io::Result<()> {
    held.server.write_all(&held.bytes).await?;
    let (mut buffer, mut seen) = (vec![], 0);
    while seen <= held.before {
        if held.server.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        while let Some(length) = value(&buffer) {
            drop(buffer.drain(..length));
            seen += 1;
        }
    }
    Ok(())
}

async fn connection(client: TcpStream, end: End) {
    if end.line.borrow().away {
        return;
    }
    let Ok(server) = TcpStream::connect(&end.target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let cuts = end.line.borrow().cuts;
    let pair = Pair { client, server, end, waiting: VecDeque::new(), raw: false };
    // An end that went away is no news.
    let _ = pair.run(cuts).await;
}

struct Pair {
    client: TcpStream,
    server: TcpStream,
    end: End,
    /// For each reply that will come: is it passed on?
    waiting: VecDeque<bool>,
    /// True once it is no longer command by command (replication, subscriptions, TLS).
    raw: bool,
}

enum Next {
    GoOn,
    End,
    Hold(Vec<u8>),
}

impl Pair {
    async fn run(mut self, cuts: u64) -> std::io::Result<()> {
        let (mut up, mut down) = (vec![], vec![]);
        loop {
            let line = *self.end.line.borrow_and_update();
            if line.cuts != cuts {
                return Ok(());
            }
            tokio::select! {
                biased;
                changed = self.end.line.changed() => if changed.is_err() { return Ok(()) },
                n = self.client.read_buf(&mut up), if !line.stalled => {
                    if n? == 0 { return Ok(()) }
                    match self.commands(&mut up, line.split).await? {
                        Next::GoOn => {}
                        Next::End => return Ok(()),
                        Next::Hold(bytes) => {
                            let held = Held { server: self.server, bytes, before: self.waiting.len() };
                            self.end.hand.held.lock().unwrap().push(held);
                            return Ok(());
                        }
                    }
                }
                n = self.server.read_buf(&mut down), if !line.stalled => {
                    if n? == 0 { return Ok(()) }
                    if let Next::End = self.replies(&mut down, line.split).await? { return Ok(()) }
                }
            }
        }
    }

    async fn commands(&mut self, up: &mut Vec<u8>, split: bool) -> std::io::Result<Next> {
        self.raw |= up.first().is_some_and(|b| *b != b'*');
        if self.raw {
            pass(&mut self.server, &std::mem::take(up), split).await?;
            return Ok(Next::GoOn);
        }
        while let Some(length) = value(up) {
            let bytes: Vec<u8> = up.drain(..length).collect();
            let words = words(&bytes);
            match self.fault(&words) {
                Some(Fault::Hold) => return Ok(Next::Hold(bytes)),
                fault => self.waiting.push_back(fault.is_none()),
            }
            pass(&mut self.server, &bytes, split).await?;
            let name = words.first().map(|w| w.to_ascii_uppercase()).unwrap_or_default();
            if matches!(&*name, b"PSYNC" | b"SYNC" | b"SUBSCRIBE" | b"PSUBSCRIBE" | b"MONITOR") {
                self.raw = true;
                pass(&mut self.server, &std::mem::take(up), split).await?;
            }
        }
        Ok(Next::GoOn)
    }

    async fn replies(&mut self, down: &mut Vec<u8>, split: bool) -> std::io::Result<Next> {
        if self.raw {
            pass(&mut self.client, &std::mem::take(down), split).await?;
            return Ok(Next::GoOn);
        }
        while let Some(length) = value(down) {
            let bytes: Vec<u8> = down.drain(..length).collect();
            // What the server pushes answers nothing.
            if bytes[0] != b'>' && !self.waiting.pop_front().unwrap_or(true) {
                return Ok(Next::End);
            }
            pass(&mut self.client, &bytes, split).await?;
        }
        Ok(Next::GoOn)
    }

    fn fault(&self, words: &[Vec<u8>]) -> Option<Fault> {
        let mut plan = self.end.hand.plan.lock().unwrap();
        let met = plan.as_mut().filter(|plan| plan.times > 0 && (plan.which)(words))?;
        met.times -= 1;
        *self.end.hand.struck.lock().unwrap() += 1;
        Some(met.fault)
    }
}

async fn pass(to: &mut TcpStream, bytes: &[u8], split: bool) -> std::io::Result<()> {
    if !split {
        return to.write_all(bytes).await;
    }
    for byte in bytes {
        to.write_all(&[*byte]).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// The length of the whole value that these bytes begin with, if all of it is there.
fn value(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let number = || std::str::from_utf8(&bytes[1..line - 2]).ok()?.parse::<i64>().ok();
    match bytes[0] {
        b'$' | b'=' | b'!' => {
            let end = usize::try_from(number()?).map_or(line, |length| line + length + 2);
            (bytes.len() >= end).then_some(end)
        }
        b'*' | b'~' | b'>' | b'%' => {
            let items = usize::try_from(number()?).unwrap_or(0) * if bytes[0] == b'%' { 2 } else { 1 };
            (0..items).try_fold(line, |at, _| Some(at + value(&bytes[at..])?))
        }
        _ => Some(line),
    }
}

/// The words of a whole command.
fn words(bytes: &[u8]) -> Vec<Vec<u8>> {
    let line_end = |at: usize| bytes[at..].windows(2).position(|pair| pair == b"\r\n").map(|n| at + n + 2);
    let mut words = vec![];
    let mut at = line_end(0).unwrap();
    while at < bytes.len() {
        let begin = line_end(at).unwrap();
        let length: usize = std::str::from_utf8(&bytes[at + 1..begin - 2]).unwrap().parse().unwrap();
        words.push(bytes[begin..begin + length].to_vec());
        at = begin + length + 2;
    }
    words
}
