//! The redirect: what this service is for.
//!
//! Guarantees that a cached link is answered without a store round trip, a lock held across an await or a wait for
//! a disk, and that the hit is in the journal before the answer is made. Knows codes, routes and the journal;
//! knows nothing of accounts or reports.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use http::header::{ALLOW, CACHE_CONTROL, LOCATION, REFERER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use super::body::Payload;
use super::client::Clients;
use super::pages::{Pages, Shown};
use crate::clock;
use crate::domain::code::{Asked, asked};
use crate::domain::hit::{MissedReason, NewHit, Outcome, Signals};
use crate::domain::target::with_query;
use crate::hits::Hits;
use crate::hits::journal::Receipt;
use crate::links::LinkService;
use crate::store::cache::{Cache, Cached, Route, Routes};
use crate::telemetry::RedirectMetrics;

const NO_STORE: HeaderValue = HeaderValue::from_static("private, no-store");
const KEPT_AN_HOUR: HeaderValue = HeaderValue::from_static("private, max-age=3600");
const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD");
const NOINDEX: HeaderValue = HeaderValue::from_static("noindex");
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");
const SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");
const PURPOSE: HeaderName = HeaderName::from_static("purpose");
const X_MOZ: HeaderName = HeaderName::from_static("x-moz");

/// An answer, now or later.
pub enum Answer {
    /// It is there.
    Now(Response<Payload>),
    /// The store or the disk has to be asked.
    Later(Pin<Box<dyn Future<Output = Response<Payload>> + Send>>),
}

/// Answers codes.
pub struct Redirector {
    /// Links in this process.
    pub cache: Arc<Cache>,
    /// Links in the store, for preview pages.
    pub links: Arc<LinkService>,
    /// Where hits go.
    pub hits: Arc<Hits>,
    /// What readers are shown instead of a redirect.
    pub pages: Arc<Pages>,
    /// Who clients are.
    pub clients: Arc<Clients>,
    /// What is measured.
    pub metrics: RedirectMetrics,
    /// Where visits to closed links go; empty for a notice.
    pub fallback_url: String,
}

/// What of a request is needed after its head is gone.
struct Visit {
    head: bool,
    query: Option<String>,
    headers: HeaderMap,
    path: String,
    began: Instant,
}

impl Redirector {
    /// Who clients are.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Answers a request for anything that is no route.
    pub fn answer<B>(this: &Arc<Redirector>, request: &Request<B>, peer_is_trusted: bool) -> Answer {
        let began = Instant::now();
        let now_ms = clock::now_ms();
        this.clients.notice(peer_is_trusted, request.headers(), now_ms);
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Answer::Now(this.done(began, not_allowed()));
        }
        let Some(asked) = asked(request.uri().path()) else {
            return Answer::Now(this.done(began, this.unknown()));
        };
        match this.cache.get(&asked.code) {
            Cached::Known(routes) if !asked.preview => {
                this.metrics.cache_hits.increment(1);
                let head = request.method() == Method::HEAD;
                let (headers, query) = (request.headers(), request.uri().query());
                let (response, receipt) = this.visit(&routes, &asked, head, headers, query, now_ms);
                this.when_synced(began, response, receipt)
            }
            Cached::Unknown => {
                this.metrics.cache_hits.increment(1);
                Answer::Now(this.done(began, this.unknown()))
            }
            Cached::Known(_) | Cached::Miss => {
                let visit = Visit {
                    head: request.method() == Method::HEAD,
                    query: request.uri().query().map(str::to_owned),
                    headers: request.headers().clone(),
                    path: request.uri().path().to_owned(),
                    began,
                };
                let this = Arc::clone(this);
                Answer::Later(Box::pin(async move { this.answer_later(visit).await }))
            }
        }
    }

    /// The same for a code that is not in the cache, and for previews.
    async fn answer_later(&self, visit: Visit) -> Response<Payload> {
        // It was read once already and could be read.
        let Some(asked) = asked(&visit.path) else { return self.done(visit.began, self.unknown()) };
        if asked.preview {
            let response = self.preview(&asked).await;
            return self.done(visit.began, response);
        }
        self.metrics.cache_misses.increment(1);
        let response = match self.cache.load(&asked.code).await {
            Ok(None) => self.unknown(),
            Ok(Some(routes)) => {
                let (head, headers, query) = (visit.head, &visit.headers, visit.query.as_deref());
                let (response, receipt) = self.visit(&routes, &asked, head, headers, query, clock::now_ms());
                if let Some(receipt) = receipt {
                    self.hits.synced(receipt).await;
                }
                response
            }
            Err(error) => self.unavailable(&error),
        };
        self.done(visit.began, response)
    }

    /// Journals a visit to a known code and makes its answer. The receipt must be waited for, if there is one.
    fn visit(
        &self,
        routes: &Routes,
        asked: &Asked<'_>,
        head: bool,
        headers: &HeaderMap,
        query: Option<&str>,
        now_ms: i64,
    ) -> (Response<Payload>, Option<Receipt>) {
        let Some(route) = routes.pick(&asked.code, asked.folded_first) else { return (self.unknown(), None) };
        let status = route.status(now_ms);
        let outcome = match status.missed() {
            None => Outcome::Followed { target: route.target_version },
            Some(reason) => Outcome::Missed(reason),
        };
        let hit = NewHit {
            lane: route.lane,
            code: &route.code,
            at_ms: now_ms,
            outcome,
            trigger: asked.trigger,
            signals: Signals { head, prefetch: is_prefetch(headers) },
            user_agent: headers.get(USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes),
            referrer: headers.get(REFERER).map_or(&b""[..], |v| origin(v.as_bytes())),
        };
        let receipt = self.hits.record(&hit);
        let response = match outcome {
            Outcome::Followed { .. } => redirect(route, query),
            Outcome::Missed(reason) => self.closed(route, reason),
        };
        (response, receipt)
    }

    fn when_synced(&self, began: Instant, response: Response<Payload>, receipt: Option<Receipt>) -> Answer {
        let response = self.done(began, response);
        match receipt {
            None => Answer::Now(response),
            Some(receipt) => {
                let hits = Arc::clone(&self.hits);
                Answer::Later(Box::pin(async move {
                    hits.synced(receipt).await;
                    response
                }))
            }
        }
    }

    fn done(&self, began: Instant, response: Response<Payload>) -> Response<Payload> {
        self.metrics.answered(response.status(), began);
        response
    }

    async fn preview(&self, asked: &Asked<'_>) -> Response<Payload> {
        let routes = match self.cache.get(&asked.code) {
            Cached::Known(routes) => Ok(Some(routes)),
            Cached::Unknown => Ok(None),
            Cached::Miss => self.cache.load(&asked.code).await,
        };
        let routes = match routes {
            Ok(routes) => routes,
            Err(error) => return self.unavailable(&error),
        };
        let Some(route) = routes.as_deref().and_then(|r| r.pick(&asked.code, asked.folded_first)) else {
            return self.unknown();
        };
        if let Some(reason) = route.status(clock::now_ms()).missed() {
            return self.closed(route, reason);
        }
        match self.links.get(&route.code).await {
            Ok(found) => page(StatusCode::OK, self.pages.preview(&found)),
            Err(crate::links::Error::Refused(_)) => self.unknown(),
            Err(crate::links::Error::Store(error)) => self.unavailable(&error),
        }
    }

    fn unknown(&self) -> Response<Payload> {
        page(StatusCode::NOT_FOUND, self.pages.shown(Shown::Unknown))
    }

    fn closed(&self, route: &Route, reason: MissedReason) -> Response<Payload> {
        let link = route.life.as_ref().map(|life| &life.link);
        let message = link.and_then(|l| l.message.as_deref());
        let shown = match reason {
            // Nothing tells it from an unknown code but its text.
            MissedReason::NotOpen => return page(StatusCode::NOT_FOUND, self.pages.shown(Shown::NotOpen)),
            MissedReason::Expired => Shown::Expired,
            MissedReason::Disabled => Shown::Disabled,
            MissedReason::Withdrawn | MissedReason::Retired => Shown::Retired,
        };
        let own = link.filter(|_| reason == MissedReason::Expired).and_then(|l| l.expired_url.as_deref());
        let elsewhere = own.unwrap_or(&self.fallback_url);
        match HeaderValue::from_str(elsewhere) {
            Ok(location) if !elsewhere.is_empty() => {
                let mut response = Response::new(Payload::Empty);
                *response.status_mut() = StatusCode::FOUND;
                response.headers_mut().insert(LOCATION, location);
                response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
                response.headers_mut().insert(ROBOTS, NOINDEX);
                response
            }
            _ => page(StatusCode::GONE, self.pages.closed(shown, message)),
        }
    }

    fn unavailable(&self, error: &crate::store::Error) -> Response<Payload> {
        tracing::error!(%error, "a code could not be looked up");
        let mut response = page(StatusCode::SERVICE_UNAVAILABLE, self.pages.shown(Shown::Unavailable));
        response.headers_mut().insert(http::header::RETRY_AFTER, RETRY_AFTER);
        response
    }
}

fn redirect(route: &Route, query: Option<&str>) -> Response<Payload> {
    let location = match query {
        Some(query) if route.forward_query && !query.is_empty() => {
            let target = String::from_utf8_lossy(&route.target);
            HeaderValue::try_from(with_query(&target, query))
        }
        _ => HeaderValue::from_maybe_shared(route.target.clone()),
    };
    let mut response = Response::new(Payload::Empty);
    // A stored target is a URL's own serialisation, which is always a valid header value.
    let Ok(location) = location else {
        tracing::error!(code = %route.code, "a stored target is no header value");
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    };
    let (status, cache) = match route.redirect_status {
        301 => (StatusCode::MOVED_PERMANENTLY, KEPT_AN_HOUR),
        308 => (StatusCode::PERMANENT_REDIRECT, KEPT_AN_HOUR),
        307 => (StatusCode::TEMPORARY_REDIRECT, NO_STORE),
        _ => (StatusCode::FOUND, NO_STORE),
    };
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(CACHE_CONTROL, cache);
    response
}

fn page(status: StatusCode, html: super::pages::Html) -> Response<Payload> {
    let mut response = Response::new(Payload::bytes(html.body));
    *response.status_mut() = status;
    super::pages::never_kept(response.headers_mut(), html.policy);
    response
}

fn not_allowed() -> Response<Payload> {
    let mut response = Response::new(Payload::Empty);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, ALLOWED);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    let says = |name: &HeaderName| {
        headers.get(name).is_some_and(|v| {
            let value = v.as_bytes().to_ascii_lowercase();
            value.windows(8).any(|w| w == b"prefetch") || value.windows(7).any(|w| w == b"preview")
        })
    };
    says(&SEC_PURPOSE) || says(&PURPOSE) || says(&X_MOZ)
}

/// Scheme and host of a referrer: all that reports use of it, and all that is kept.
fn origin(referrer: &[u8]) -> &[u8] {
    let Some(scheme) = referrer.windows(3).position(|w| w == b"://") else { return b"" };
    let host = scheme + 3;
    let end = referrer[host..].iter().position(|b| matches!(b, b'/' | b'?' | b'#' | b'\\'));
    let origin = &referrer[..end.map_or(referrer.len(), |e| host + e)];
    // Whoever puts a name and password into an address does not want them kept.
    if origin.contains(&b'@') { b"" } else { origin }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn referrers_are_cut() {
        let table: [(&[u8], &[u8]); 6] = [
            (b"https://www.facebook.com/story?id=1", b"https://www.facebook.com"),
            (b"https://t.co", b"https://t.co"),
            (b"android-app://com.google.android.gm/", b"android-app://com.google.android.gm"),
            (b"https://me:secret@intranet.example/x", b""),
            (b"nonsense", b""),
            (b"", b""),
        ];
        for (referrer, expected) in table {
            assert_eq!(origin(referrer), expected, "{}", String::from_utf8_lossy(referrer));
        }
    }
}
