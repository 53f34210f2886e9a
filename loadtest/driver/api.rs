//! The few calls of Slugline's API that a measurement needs.
//!
//! Guarantees: what is asked for is what the contract names; `settled` answers only when the server says that no hit
//! waits. Refuses to know: the load, and what the figures are used for.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A client of one server with one key; clones share nothing but the settings.
#[derive(Clone)]
pub(crate) struct Api {
    base: String,
    key: String,
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
        Self { base: base.trim_end_matches('/').to_owned(), key: key.to_owned(), client }
    }

    /// The same with connections of its own.
    pub(crate) fn another(&self) -> Self {
        Self::new(&self.base, &self.key)
    }

    async fn call(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes)> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if !self.key.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.key));
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let answer =
            tokio::time::timeout(PATIENCE, self.client.request(request.body(Full::new(body))?)).await??;
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

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(300).collect()
}
