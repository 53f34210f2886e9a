//! One connection's service: a code goes to the redirect, everything else to the router.
//!
//! The redirect is asked first and without a router, because it is what this service is for.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Request, Response};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt;

use super::body::Payload;
use super::error::Error;
use super::redirect::{self, Answer, Redirector};
use crate::domain::code::is_reserved;

/// The address at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The public surface, made anew for each connection.
#[derive(Clone)]
pub struct Surface {
    /// None where only staff are: there nothing is a code.
    redirector: Option<Arc<Redirector>>,
    router: Router,
    elsewhere: Handle,
    peer: SocketAddr,
}

impl Surface {
    /// For a connection from `peer`; what is no redirect is done on the runtime `elsewhere`, so that it holds up none.
    #[must_use]
    pub fn new(
        redirector: Option<Arc<Redirector>>,
        router: Router,
        elsewhere: Handle,
        peer: SocketAddr,
    ) -> Surface {
        Surface { redirector, router, elsewhere, peer }
    }
}

/// An answer that is there already, or one that has to be waited for.
pub enum Answering {
    /// Most redirects.
    Now(Ready<Result<Response<Payload>, Infallible>>),
    /// Everything else.
    Later(Pin<Box<dyn Future<Output = Response<Payload>> + Send>>),
}

impl Future for Answering {
    type Output = Result<Response<Payload>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Answering::Now(answer) => Pin::new(answer).poll(cx),
            Answering::Later(answer) => answer.as_mut().poll(cx).map(Ok),
        }
    }
}

impl Service<Request<Incoming>> for Surface {
    type Response = Response<Payload>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        if let Some(redirector) = &self.redirector
            && !is_routed(request.uri().path())
        {
            let asked = redirect::Request {
                method: request.method(),
                path: request.uri().path(),
                query: request.uri().query(),
                headers: request.headers().into(),
            };
            return match Redirector::answer(redirector, asked, self.peer.ip()) {
                Answer::Elsewhere(elsewhere) => Answering::Now(ready(Ok(elsewhere.into_response()))),
                Answer::Now(response) => Answering::Now(ready(Ok(response))),
                Answer::Later(response) => Answering::Later(response),
            };
        }
        let (mut request, router) = (request.map(axum::body::Body::new), self.router.clone());
        request.extensions_mut().insert(Peer(self.peer));
        let answer = async move {
            match router.oneshot(request).await {
                Ok(response) => response.map(Payload::Routed),
                Err(never) => match never {},
            }
        };
        // Ends with the connection, as it would have on its thread.
        let answer = AbortOnDropHandle::new(self.elsewhere.spawn(answer));
        Answering::Later(Box::pin(async move {
            answer.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a request was not answered");
                Error::Internal.into_response().map(Payload::Routed)
            })
        }))
    }
}

/// True for a path that belongs to the router; all others are codes, or nothing.
pub(super) fn is_routed(path: &str) -> bool {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let first = rest.split('/').next().unwrap_or_default();
    rest.is_empty() || is_reserved(first)
}
