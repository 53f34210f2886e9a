//! The listener: accepts connections, bounds them, and ends them in order.
//!
//! Guarantees a cap on connections (further ones wait in the system's queue), a deadline for the head of each
//! request, and that at stop nobody new is accepted while requests under way are finished. Knows no routes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::plain::{self, Left};
use super::redirect::Redirector;
use super::threads::Threads;

/// Bounds of one listener.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections open at once.
    pub connections: usize,
    /// For the head of each request, and for the reading of a plain one's answer; an idle connection is closed after it
    /// too.
    pub header_timeout: Duration,
    /// For requests under way at stop.
    pub grace: Duration,
}

/// Largest head of a request, in bytes: the longest address and generous headers.
const MAX_HEAD: usize = 64 * 1024;
/// Most headers of a request.
const MAX_HEADERS: usize = 100;

/// Where connections live, and who answers plain requests there before any service is asked.
#[derive(Default)]
pub struct Place {
    /// None: where the listener is.
    pub threads: Option<Threads>,
    /// None: no request is plain.
    pub redirector: Option<Arc<Redirector>>,
}

/// Accepts connections until `stop`, then finishes what is under way within the grace.
///
/// `service_for` makes the service of one connection from its peer's address.
pub async fn serve<S, B, F>(
    listener: TcpListener,
    service_for: F,
    bounds: Bounds,
    Place { mut threads, redirector }: Place,
    stop: CancellationToken,
) where
    F: Fn(SocketAddr) -> S,
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let room = Arc::new(Semaphore::new(bounds.connections));
    let connections = TaskTracker::new();
    let ending = Arc::new(Ending::default());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else { continue };
        let (header_timeout, ending) = (bounds.header_timeout, Arc::clone(&ending));
        let connection = Connection { stream, peer, header_timeout, ending };
        let (service, redirector) = (service_for(peer), redirector.clone());
        let life = async move {
            let _permit = permit;
            if let Err(error) = connection.live(service, redirector).await {
                // Clients go away all the time; nothing of ours is wrong.
                tracing::debug!(%error, "connection ended");
            }
        };
        let taken = match &mut threads {
            Some(threads) => threads.spawn(connections.track_future(life)).await,
            None => {
                connections.spawn(life);
                true
            }
        };
        if !taken {
            tracing::error!("a thread for connections has ended");
            break;
        }
    }
    drop(listener);
    ending.stopping.store(true, Ordering::Release);
    ending.stop.cancel();
    connections.close();
    if tokio::time::timeout(bounds.grace, connections.wait()).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "the grace ran out; ending connections that are still busy"
        );
        ending.abandon.cancel();
        connections.wait().await;
    }
}

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// What the connections of a listener end by.
#[derive(Default)]
struct Ending {
    /// True from just before `stop` on.
    stopping: AtomicBool,
    /// Requests under way are finished.
    stop: CancellationToken,
    /// Nothing is.
    abandon: CancellationToken,
}

/// One connection.
struct Connection {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    header_timeout: Duration,
    ending: Arc<Ending>,
}

impl Connection {
    async fn live<S, B>(self, service: S, redirector: Option<Arc<Redirector>>) -> Ended
    where
        S: Service<Request<Incoming>, Response = Response<B>>,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        B: Body + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Connection { stream, peer, header_timeout, ending } = self;
        let Ending { stopping, stop, abandon } = &*ending;
        // It belongs to the runtime of the thread that it lives on.
        let mut stream = TcpStream::from_std(stream)?;
        // Small answers must not wait for the client's acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let mut read = Vec::new();
        if let Some(redirector) = redirector {
            let ends = plain::Ends { limit: header_timeout, stop, stopping, abandon };
            match plain::live(&mut stream, &redirector, peer.ip(), ends).await? {
                Left::Ended => return Ok(()),
                Left::Other(rest) => read = rest,
            }
        }
        read.shrink_to_fit();
        let (reading, writing) = stream.into_split();
        let stream = tokio::io::join(std::io::Cursor::new(read).chain(reading), writing);
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            // What is handed over at a stop is answered, and told that it was the last.
            .keep_alive(!stopping.load(Ordering::Acquire))
            .header_read_timeout(header_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD)
            .pipeline_flush(false)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            // First, so that what was handed over is a request under way also if the stop is there already.
            biased;
            ended = connection.as_mut() => Ok(ended?),
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection.as_mut() => Ok(ended?),
                    () = abandon.cancelled() => Ok(()),
                }
            }
        }
    }
}

type Accepted = (std::net::TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<Accepted> {
    // The semaphore is never closed.
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    let accepted = listener.accept().await;
    match accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
        Ok((stream, peer)) => Some((stream, peer, permit)),
        Err(error) => {
            // Out of file descriptors, or the client is gone already. Try again, not in a busy loop.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(20)).await;
            None
        }
    }
}
