//! An HTTP client that shows what came: status, headers, bytes. It follows no redirect and adds no header.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::wait::LONG;

/// A client of one address.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A request that is being put together.
#[must_use]
pub struct Call {
    http: Http,
    request: http::request::Builder,
    body: Bytes,
}

impl Http {
    pub fn new(address: SocketAddr) -> Http {
        Http { client: Client::builder(TokioExecutor::new()).build_http(), address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A request for a path, spelt exactly like this.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let uri = format!("http://{}{path}", self.address);
        let request = Request::builder().method(method).uri(uri);
        Call { http: self.clone(), request, body: Bytes::new() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }
}

impl Call {
    pub fn header(mut self, name: &str, value: &str) -> Call {
        self.request = self.request.header(name, value);
        self
    }

    pub fn headers(self, headers: &[(&str, &str)]) -> Call {
        headers.iter().fold(self, |call, (name, value)| call.header(name, value))
    }

    pub fn key(self, key: &str) -> Call {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub fn json(self, body: &Value) -> Call {
        self.text("application/json", body.to_string())
    }

    pub fn text(self, kind: &str, body: impl Into<Bytes>) -> Call {
        let mut call = self.header(header::CONTENT_TYPE.as_str(), kind);
        call.body = body.into();
        call
    }

    /// Sends it; fails the test if no whole answer comes.
    pub async fn send(self) -> Answer {
        self.try_send().await.unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// Sends it; an error if no whole answer came.
    pub async fn try_send(self) -> Result<Answer, String> {
        let request = self.request.body(Full::new(self.body)).map_err(|e| e.to_string())?;
        let whole = async {
            let response = self.http.client.request(request).await.map_err(|e| format!("{e:?}"))?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|e| format!("{e:?}"))?.to_bytes();
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
        };
        tokio::time::timeout(LONG, whole).await.map_err(|_| "it took too long".to_owned())?
    }
}

/// Server-sent events, as they come.
pub struct Events {
    body: hyper::body::Incoming,
    read: String,
}

/// One of them; what it does not have is "".
#[derive(Clone, Debug, Default)]
pub struct Event {
    pub name: String,
    pub id: String,
    pub data: String,
    pub retry: String,
}

impl Event {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Call {
    /// Sends it, and reads what comes event by event.
    pub async fn events(self) -> Events {
        let request = self.request.body(Full::new(self.body)).unwrap();
        let response = tokio::time::timeout(LONG, self.http.client.request(request)).await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events { body: response.into_body(), read: String::new() }
    }
}

impl Events {
    /// The next event; None when there are no more.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let mut event = Event::default();
                for (field, value) in block.lines().filter_map(|line| line.split_once(':')) {
                    let value = value.trim_start().to_owned();
                    match field {
                        "event" => event.name = value,
                        "id" => event.id = value,
                        "data" => event.data = value,
                        "retry" => event.retry = value,
                        _ => {}
                    }
                }
                self.read = rest.to_owned();
                if event.name.is_empty() {
                    continue;
                }
                return Some(event);
            }
            let frame = tokio::time::timeout(LONG, self.body.frame()).await.expect("an event in time")?;
            let data = frame.ok()?.into_data().ok()?;
            self.read.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    /// The next one of this name for which `is` holds.
    pub async fn find(&mut self, name: &str, is: impl Fn(&Value) -> bool) -> Event {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended without {name}"));
            if event.name == name && is(&event.json()) {
                return event;
            }
        }
    }
}

impl Answer {
    /// Itself, if it has this status; else the test fails and shows it.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// A header's value; "" if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap_or("(not text)"))
    }

    pub fn location(&self) -> &str {
        self.header("location")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// Status, code and field of a problem document, after checking that it is a whole one (RFC 9457).
    #[track_caller]
    pub fn problem(&self) -> (u16, String, Option<String>) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let body = self.json();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let code = text("code").unwrap_or_else(|| panic!("no code: {body}"));
        assert_eq!(body["type"], format!("/errors/{code}"), "{body}");
        assert_eq!(body["status"], self.status, "{body}");
        assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
        (self.status, code, text("field"))
    }

    /// Fails the test unless this is that problem.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, code: &str, field: Option<&str>) {
        let (got, its_code, its_field) = self.problem();
        assert_eq!((got, &*its_code, its_field.as_deref()), (status, code, field), "{}", self.text());
    }
}
