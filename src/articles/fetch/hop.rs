//! One request and its answer: to an address that was looked at, over a connection of its own.
//!
//! Guarantees that at most so much of a body is read and unpacked, and that nothing is kept: no cookie, no connection.
//! The caller's deadline ends it at any point. Proxies of the environment are unknown here.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, LOCATION, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::{Position, Url};

use super::SecretHeader;
use super::body::{ASKED_FOR, Body};
use super::guard::Place;

/// One address that does not answer leaves time for the next.
const CONNECT: Duration = Duration::from_millis(1_500);
/// Addresses of a host that are tried.
const MAX_ADDRESSES: usize = 4;
/// Longest head of an answer, in bytes.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 256;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The page.
    Page,
    /// Whether it is there, of a site that answers such a question.
    Head,
    /// The same, of one that does not: a page of which only the head is read.
    HeadOfPage,
}

/// What is the same in all requests.
pub(super) struct Client {
    tls: TlsConnector,
    agent: HeaderValue,
}

/// An answer, as much of it as is wanted.
pub(super) struct Answer {
    pub status: StatusCode,
    pub location: Option<String>,
    pub content_type: Option<String>,
    /// Packed in a way that was not asked for.
    pub encoded: bool,
    pub body: Vec<u8>,
}

/// Why there is no answer, in words for a log and an editor.
pub(super) type Failure = String;

impl Client {
    /// Names itself so.
    pub fn new(agent: &str) -> Result<Client, String> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?;
        let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let agent = HeaderValue::from_str(agent).map_err(|e| e.to_string())?;
        Ok(Client { tls: TlsConnector::from(Arc::new(tls)), agent })
    }

    /// Asks one of these addresses, which belong to the place.
    pub async fn ask(
        &self,
        ask: Ask,
        url: &Url,
        place: &Place,
        addresses: &[IpAddr],
        secrets: &[SecretHeader],
    ) -> Result<Answer, Failure> {
        let request = self.request(ask, url, place, secrets)?;
        self.send(place, addresses, request, |response| read(response, ask)).await
    }

    /// Posts a message to one of these addresses, which belong to the place. Of the answer only the head is read.
    pub async fn post(
        &self,
        url: &Url,
        place: &Place,
        addresses: &[IpAddr],
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(StatusCode, HeaderMap), Failure> {
        let mut request = Request::post(&url[Position::BeforePath..Position::AfterQuery])
            .header(HOST, host(url, place))
            .header(USER_AGENT, self.agent.clone())
            .header(CONNECTION, "close")
            .body(Full::new(body))
            .map_err(|e| e.to_string())?;
        request.headers_mut().extend(headers);
        let head = |response: Response<Incoming>| async {
            let (head, _) = response.into_parts();
            Ok((head.status, head.headers))
        };
        self.send(place, addresses, request, head).await
    }

    async fn send<B, T, F>(
        &self,
        place: &Place,
        addresses: &[IpAddr],
        request: Request<B>,
        read: impl FnOnce(Response<Incoming>) -> F,
    ) -> Result<T, Failure>
    where
        B: hyper::body::Body<Data = Bytes, Error = Infallible> + 'static,
        F: Future<Output = Result<T, Failure>>,
    {
        let stream = connect(place, addresses).await?;
        if !place.secure {
            return exchange(stream, request, read).await;
        }
        let bare = place.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|e| format!("{}: {e}", place.host))?;
        let stream = self.tls.connect(name, stream).await;
        let stream = stream.map_err(|e| format!("{} cannot be reached encrypted: {e}", place.host))?;
        exchange(stream, request, read).await
    }

    fn request(
        &self,
        ask: Ask,
        url: &Url,
        place: &Place,
        secrets: &[SecretHeader],
    ) -> Result<Request<Empty<Bytes>>, Failure> {
        let method = if ask == Ask::Head { Method::HEAD } else { Method::GET };
        let mut request = Request::builder()
            .method(method)
            .uri(&url[Position::BeforePath..Position::AfterQuery])
            .header(HOST, host(url, place))
            .header(USER_AGENT, self.agent.clone())
            .header(ACCEPT, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.1")
            .header(ACCEPT_ENCODING, ASKED_FOR)
            .header(CONNECTION, "close")
            .body(Empty::new())
            .map_err(|e| e.to_string())?;
        let may_hear = place.secure || place.private;
        for secret in secrets.iter().filter(|s| may_hear && s.rule.is(&place.host, Some(place.port))) {
            request.headers_mut().insert(secret.name.clone(), secret.value.clone());
        }
        Ok(request)
    }
}

fn host(url: &Url, place: &Place) -> String {
    match url.port() {
        Some(port) => format!("{}:{port}", place.host),
        None => place.host.clone(),
    }
}

async fn connect(place: &Place, addresses: &[IpAddr]) -> Result<TcpStream, Failure> {
    let mut why = String::from("it has no address");
    for address in addresses.iter().take(MAX_ADDRESSES) {
        match tokio::time::timeout(CONNECT, TcpStream::connect(SocketAddr::new(*address, place.port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = "it does not answer".into(),
        }
    }
    Err(format!("{} cannot be reached: {why}", place.host))
}

async fn exchange<S, B, T, F>(
    stream: S,
    request: Request<B>,
    read: impl FnOnce(Response<Incoming>) -> F,
) -> Result<T, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
    B: hyper::body::Body<Data = Bytes, Error = Infallible> + 'static,
    F: Future<Output = Result<T, Failure>>,
{
    let handshake = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(stream))
        .await;
    let (mut sender, connection) = handshake.map_err(|e| e.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|e| format!("no answer: {e}"))?;
        read(response).await
    };
    // The connection has to be driven; when it ends first, what has arrived is still to be read.
    let driven = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        answer = answer => answer,
        never = driven => never,
    }
}

async fn read(response: Response<Incoming>, ask: Ask) -> Result<Answer, Failure> {
    let (head, mut incoming) = response.into_parts();
    let content_type = text(&head.headers, CONTENT_TYPE.as_str());
    let is_page = head.status.is_success() && is_page(content_type.as_deref());
    let mut body = Body::new(&text(&head.headers, CONTENT_ENCODING.as_str()).unwrap_or_default());
    let (wanted, encoded) = (ask == Ask::Page && is_page, ask == Ask::Page && body.is_none());
    if let Some(body) = body.as_mut().filter(|_| wanted) {
        while let Some(frame) = incoming.frame().await {
            // A page that is cut short is read as far as it goes.
            let Ok(frame) = frame else { break };
            let more = frame.data_ref().map_or(Ok(true), |data| body.take(data));
            if !more? {
                break;
            }
        }
    }
    let location = text(&head.headers, LOCATION.as_str());
    let body = body.map_or(Ok(vec![]), Body::end)?;
    Ok(Answer { status: head.status, location, content_type, encoded, body })
}

fn is_page(content_type: Option<&str>) -> bool {
    let kind = content_type.and_then(|c| c.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    kind.is_empty() || kind == "text/html" || kind == "text/plain" || kind.ends_with("xml")
}

/// A header as text; bytes that are none are taken as Latin letters, as addresses in old servers' answers are.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.as_bytes();
    Some(String::from_utf8(value.to_vec()).unwrap_or_else(|_| value.iter().map(|b| char::from(*b)).collect()))
}
