//! The body of an answer: nothing for a redirect, bytes for a page, axum's for all else.
//!
//! One enum, so that a redirect allocates no body.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

/// A body.
pub enum Payload {
    /// Nothing.
    Empty,
    /// Bytes that are there.
    Bytes(Full<Bytes>),
    /// Whatever a handler of the router made.
    Routed(axum::body::Body),
}

impl Payload {
    /// Bytes that are there.
    pub fn bytes(bytes: impl Into<Bytes>) -> Payload {
        Payload::Bytes(Full::new(bytes.into()))
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Payload::Empty => Poll::Ready(None),
            Payload::Bytes(full) => {
                Pin::new(full).poll_frame(cx).map(|f| f.map(|r| r.map_err(|e| match e {})))
            }
            Payload::Routed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Payload::Empty => true,
            Payload::Bytes(full) => full.is_end_stream(),
            Payload::Routed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Payload::Empty => SizeHint::with_exact(0),
            Payload::Bytes(full) => full.size_hint(),
            Payload::Routed(body) => body.size_hint(),
        }
    }
}
