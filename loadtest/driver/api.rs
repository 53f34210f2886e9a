//! The few calls of Slugline's API that a measurement needs.
//!
//! Guarantees: what is asked for is what the contract names; `settled` answers only when the server says that no hit
//! waits. Refuses to know: the load, and what the figures are used for.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A client of one server with one key; clones share nothing but the settings.
#[derive(Clone)]
pub(crate) struct Api {
    base: String,
    key: String,
    /// The session of somebody who signed in, for staff's pages.
    cookie: Option<String>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What `GET /reports/summary` says.
#[derive(Debug, Deserialize)]
struct Summary {
    clicks: u64,
    previews: u64,
    bots: u64,
    waiting: u64,
}

/// What is counted, at a moment when nothing waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    pub(crate) counted: u64,
}

impl Api {
    pub(crate) fn new(base: &str, key: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build_http();
        let base = base.trim_end_matches('/').to_owned();
        Self { base, key: key.to_owned(), cookie: None, client }
    }

    /// The same with connections of its own.
    pub(crate) fn another(&self) -> Self {
        Self::new(&self.base, &self.key)
    }

    /// Sends one request and gives the answer's head; its body is still to come.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        } else if !self.key.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.key));
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
            // As a page of the server's own would say it: who signs in has no key yet.
            request = request.header(header::ORIGIN, &self.base);
        }
        Ok(tokio::time::timeout(PATIENCE, self.client.request(request.body(Full::new(body))?)).await??)
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes)> {
        let answer = self.ask(method, path, body).await?;
        let status = answer.status();
        Ok((status, tokio::time::timeout(PATIENCE, answer.into_body().collect()).await??.to_bytes()))
    }

    async fn summary(&self) -> Result<Summary> {
        let (status, body) =
            self.call(Method::GET, "/api/v1/reports/summary?scope=site", Bytes::new()).await?;
        ensure!(status == StatusCode::OK, "summary answered {status}: {}", excerpt(&body));
        serde_json::from_slice(&body).context("summary is not what the contract says")
    }

    /// Waits until no hit waits to be counted, through restarts of the server, for at most `limit`.
    pub(crate) fn settled(&self, limit: Duration) -> Result<Settled> {
        runtime()?.block_on(async {
            let give_up = Instant::now() + limit;
            loop {
                let last = match self.summary().await {
                    Ok(now) if now.waiting == 0 => {
                        return Ok(Settled { counted: now.clicks + now.previews + now.bots });
                    }
                    Ok(now) => anyhow!("{} hits still wait to be counted", now.waiting),
                    Err(error) => error,
                };
                if Instant::now() >= give_up {
                    return Err(last.context(format!("not settled within {} s", limit.as_secs())));
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        })
    }

    /// Whether `path` answers 200.
    pub(crate) fn answers(&self, path: &str) -> Result<bool> {
        Ok(matches!(runtime()?.block_on(self.finds(path)), Ok(true)))
    }

    /// The same, unless nobody answers.
    pub(crate) async fn finds(&self, path: &str) -> Result<bool> {
        let (status, _) = self.call(Method::GET, path, Bytes::new()).await?;
        Ok(status == StatusCode::OK)
    }

    /// What `path` gives, which must be there.
    pub(crate) async fn get(&self, path: &str) -> Result<Bytes> {
        let (status, body) = self.call(Method::GET, path, Bytes::new()).await?;
        ensure!(status == StatusCode::OK, "{path} answered {status}: {}", excerpt(&body));
        Ok(body)
    }

    /// Changes something, with whatever status it is told.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Result<(StatusCode, Bytes)> {
        self.call(method, path, Bytes::from(body.to_string())).await
    }

    /// The same server as somebody sees it who signed in as this user, who is made if need be.
    pub(crate) async fn signed_in(&self, name: &str, password: &str) -> Result<Self> {
        let user = json!({ "name": name, "role": "admin", "password": password });
        let (status, body) = self.send(Method::POST, "/api/v1/users", &user).await?;
        ensure!(
            matches!(status, StatusCode::CREATED | StatusCode::CONFLICT),
            "the user {name} answered {status}: {}",
            excerpt(&body)
        );
        let asked = json!({ "name": name, "password": password }).to_string();
        let nobody = Self::new(&self.base, "");
        let answer = nobody.ask(Method::POST, "/api/v1/sessions", Bytes::from(asked)).await?;
        ensure!(answer.status() == StatusCode::CREATED, "signing in answered {}", answer.status());
        let cookie = answer.headers().get(header::SET_COOKIE).context("there is no session")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { cookie: Some(cookie), ..nobody })
    }

    /// One report as it is.
    pub(crate) async fn report(&self, path: &str) -> Result<Bytes> {
        let (status, body) = self.call(Method::GET, &format!("/api/v1/reports/{path}"), Bytes::new()).await?;
        ensure!(status == StatusCode::OK, "{path} answered {status}: {}", excerpt(&body));
        Ok(body)
    }

    /// Creates one batch of links and gives their codes, in order.
    pub(crate) async fn create(&self, body: Bytes) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Answer {
            results: Vec<Item>,
        }
        #[derive(Deserialize)]
        struct Item {
            status: u16,
            link: Option<Link>,
        }
        #[derive(Deserialize)]
        struct Link {
            code: String,
        }
        let (status, bytes) = self.call(Method::POST, "/api/v1/links/batch", body).await?;
        ensure!(status == StatusCode::OK, "the batch answered {status}: {}", excerpt(&bytes));
        let answer: Answer =
            serde_json::from_slice(&bytes).context("the batch is not what the contract says")?;
        let mut codes = Vec::with_capacity(answer.results.len());
        for item in answer.results {
            match item {
                Item { status: 200 | 201, link: Some(link) } => codes.push(link.code),
                Item { status, .. } => bail!("an item of the batch has {status}: {}", excerpt(&bytes)),
            }
        }
        Ok(codes)
    }
}

/// A runtime for calls that are made one after another.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

pub(crate) fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(300).collect()
}
