//! The redirect: what this service is for.
//!
//! Guarantees that a cached link is answered without a store round trip, a lock held across an await or a wait for
//! a disk, and that the hit is in the journal before the answer is made. Knows codes, routes and the journal;
//! knows nothing of accounts or reports.

use std::net::IpAddr;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use http::header::{ALLOW, CACHE_CONTROL, LOCATION, REFERER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::body::Payload;
use super::client::Clients;
use super::headers::Headers;
use super::pages::{Asks, Pages, Shown, accepts};
use super::reader;
use crate::clock;
use crate::domain::code::{Asked, asked};
use crate::domain::hit::{MissedReason, NewHit, Outcome, Signals};
use crate::domain::target::with_query;
use crate::hits::Hits;
use crate::hits::classify::Current;
use crate::hits::journal::Receipt;
use crate::hits::readers::{self, Reader, Readers};
use crate::links::{LinkService, Near};
use crate::orphans::OrphanCounter;
use crate::store::cache::{Cache, Cached, Picked, Route, Routes};
use crate::telemetry::RedirectMetrics;

const NO_STORE: HeaderValue = HeaderValue::from_static("private, no-store");
const KEPT_AN_HOUR: HeaderValue = HeaderValue::from_static("private, max-age=3600");
const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD");
const NOINDEX: HeaderValue = HeaderValue::from_static("noindex");
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// A request for anything that is no route.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// GET, HEAD, or one that is refused.
    pub method: &'a Method,
    /// With its slash.
    pub path: &'a str,
    /// Without its question mark.
    pub query: Option<&'a str>,
    /// All of them.
    pub headers: Headers<'a>,
}

/// An answer, now or later.
pub enum Answer {
    /// Go there.
    Elsewhere(Elsewhere),
    /// It is there.
    Now(Response<Payload>),
    /// The store or the disk has to be asked.
    Later(Pin<Box<dyn Future<Output = Response<Payload>> + Send>>),
}

/// Where an open link leads.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// 301, 302, 307 or 308.
    pub status: StatusCode,
    /// The address.
    pub location: Location,
}

/// An address in visible ASCII.
#[derive(Clone, Debug)]
pub enum Location {
    /// As it is kept: the target of a link.
    Kept(Picked),
    /// Made for this request.
    Made(String),
}

impl Deref for Location {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Location::Kept(route) => route.target(),
            Location::Made(address) => address,
        }
    }
}

impl Elsewhere {
    /// How long a browser may keep it, as `Cache-Control` says it.
    #[must_use]
    pub fn cache_control(&self) -> HeaderValue {
        match self.status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT => KEPT_AN_HOUR,
            _ => NO_STORE,
        }
    }

    /// The whole answer.
    #[must_use]
    pub fn into_response(self) -> Response<Payload> {
        let mut response = Response::new(Payload::Empty);
        let cache_control = self.cache_control();
        *response.status_mut() = self.status;
        // Visible ASCII always is a header's value.
        if let Ok(location) = HeaderValue::from_str(&self.location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response.headers_mut().insert(CACHE_CONTROL, cache_control);
        response
    }
}

/// What comes of a visit.
pub(super) enum Visited {
    Elsewhere(Elsewhere),
    Otherwise(Response<Payload>),
}

impl Visited {
    fn status(&self) -> StatusCode {
        match self {
            Visited::Elsewhere(elsewhere) => elsewhere.status,
            Visited::Otherwise(response) => response.status(),
        }
    }

    fn into_response(self) -> Response<Payload> {
        match self {
            Visited::Elsewhere(elsewhere) => elsewhere.into_response(),
            Visited::Otherwise(response) => response,
        }
    }
}

/// Answers codes.
pub struct Redirector {
    /// Links in this process.
    pub cache: Arc<Cache>,
    /// Codes that may be meant by one that nobody has.
    pub near: Arc<Near>,
    /// Links in the store, for preview pages.
    pub links: Arc<LinkService>,
    /// Where hits go.
    pub hits: Arc<Hits>,
    /// What readers are shown instead of a redirect.
    pub pages: Arc<Pages>,
    /// Who clients are.
    pub clients: Arc<Clients>,
    /// What is known of readers by their addresses.
    pub readers: Arc<Readers>,
    /// Which parameters of a query say where a reader came from.
    pub tables: Arc<Current>,
    /// What nobody has and is asked for.
    pub orphans: Arc<OrphanCounter>,
    /// What is measured.
    pub metrics: RedirectMetrics,
    /// Where visits to closed links go; empty for a notice.
    pub fallback_url: RwLock<Arc<str>>,
}

/// What of a request is needed after its head is gone.
struct Visit {
    head: bool,
    query: Option<String>,
    headers: HeaderMap,
    path: String,
    peer: IpAddr,
    began: Instant,
}

/// What of a request goes into its hit, wherever it is kept meanwhile.
#[derive(Clone, Copy)]
struct Seen<'a> {
    peer: IpAddr,
    head: bool,
    headers: Headers<'a>,
    query: Option<&'a str>,
    now_ms: i64,
}

impl Redirector {
    /// Answers a request that came over a connection from `peer`.
    pub fn answer(this: &Arc<Redirector>, request: Request<'_>, peer: IpAddr) -> Answer {
        let began = Instant::now();
        let now_ms = clock::now_ms();
        let Request { method, path, query, headers } = request;
        this.clients.notice(peer, headers, now_ms);
        if method != Method::GET && method != Method::HEAD {
            return Answer::Now(this.done(began, not_allowed()));
        }
        let head = method == Method::HEAD;
        let Some(asked) = asked(path) else {
            return Answer::Now(this.done(began, this.unknown(&[], headers)));
        };
        match this.cache.get(&asked.code) {
            Cached::Known(routes) if !asked.preview => {
                this.metrics.cache_hits.increment(1);
                let (visited, receipt) =
                    this.visit(routes, &asked, Seen { peer, head, headers, query, now_ms });
                this.when_synced(began, visited, receipt)
            }
            // A code that may be meant is asked first whether it is open.
            Cached::Unknown if this.near.guess(&asked.code, now_ms).is_empty() => {
                this.metrics.cache_hits.increment(1);
                this.count_orphan(&asked, now_ms);
                Answer::Now(this.done(began, this.unknown(&[], headers)))
            }
            Cached::Known(_) | Cached::Unknown | Cached::Miss => {
                let visit = Visit {
                    head,
                    query: query.map(str::to_owned),
                    headers: headers.to_map(),
                    path: path.to_owned(),
                    peer,
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
        let headers = Headers::Map(&visit.headers);
        let Some(asked) = asked(&visit.path) else {
            return self.done(visit.began, self.unknown(&[], headers));
        };
        if asked.preview {
            let response = self.preview(&asked, headers).await;
            return self.done(visit.began, response);
        }
        self.metrics.cache_misses.increment(1);
        let response = match self.cache.load(&asked.code).await {
            Ok(None) => self.orphan(&asked, headers).await,
            Ok(Some(routes)) => {
                let Visit { peer, head, query, .. } = &visit;
                let (peer, head, query, now_ms) = (*peer, *head, query.as_deref(), clock::now_ms());
                let (visited, receipt) =
                    self.visit(routes, &asked, Seen { peer, head, headers, query, now_ms });
                if let Some(receipt) = receipt {
                    self.hits.synced(receipt).await;
                }
                visited.into_response()
            }
            Err(error) => self.unavailable(&error, headers),
        };
        self.done(visit.began, response)
    }

    /// Journals a visit to a known code and makes its answer. The receipt must be waited for, if there is one.
    fn visit(&self, routes: Arc<Routes>, asked: &Asked<'_>, seen: Seen<'_>) -> (Visited, Option<Receipt>) {
        let Seen { head, headers, query, now_ms, .. } = seen;
        let Some(route) = routes.pick(&asked.code, asked.folded_first) else {
            self.count_orphan(asked, now_ms);
            return (Visited::Otherwise(self.unknown(&[], headers)), None);
        };
        let status = route.status(now_ms);
        let outcome = match status.missed() {
            None => Outcome::Followed { target: route.target_version },
            Some(reason) => Outcome::Missed(reason),
        };
        let user_agent = headers.get(&USER_AGENT);
        let Reader { network, country, visitor } = self.reader(seen, user_agent);
        let (hints, params) = (reader::hints(headers), self.tables.cut(query));
        let hit = NewHit {
            outcome,
            trigger: asked.trigger,
            signals: Signals { head, prefetch: reader::is_prefetch(headers) },
            network,
            country,
            visitor,
            user_agent,
            referrer: reader::origin(headers.get(&REFERER)),
            hints: hints.as_bytes(),
            params: params.as_bytes(),
            ..NewHit::plain(route.lane, route.code(), now_ms)
        };
        let receipt = self.hits.record(&hit);
        let visited = match outcome {
            Outcome::Followed { .. } => redirect(route, query),
            Outcome::Missed(reason) => Visited::Otherwise(self.closed(&route, reason, headers)),
        };
        (visited, receipt)
    }

    /// What is known of the reader. The address ends here.
    fn reader(&self, seen: Seen<'_>, user_agent: &[u8]) -> Reader {
        let (address, country) = self.clients.place(seen.peer, seen.headers);
        let shown = readers::Shown {
            address,
            user_agent,
            country: country.map(readers::place::said).unwrap_or_default(),
            unfollowed: reader::asks_not_to_be_followed(seen.headers),
        };
        self.readers.see(&shown, seen.now_ms)
    }

    fn when_synced(&self, began: Instant, visited: Visited, receipt: Option<Receipt>) -> Answer {
        self.metrics.answered(visited.status(), began);
        match (visited, receipt) {
            (Visited::Elsewhere(elsewhere), None) => Answer::Elsewhere(elsewhere),
            (Visited::Otherwise(response), None) => Answer::Now(response),
            (visited, Some(receipt)) => {
                let hits = Arc::clone(&self.hits);
                Answer::Later(Box::pin(async move {
                    hits.synced(receipt).await;
                    visited.into_response()
                }))
            }
        }
    }

    fn done(&self, began: Instant, response: Response<Payload>) -> Response<Payload> {
        self.metrics.answered(response.status(), began);
        response
    }

    /// What is known of a code, in this process or in the store.
    async fn routes(&self, code: &str) -> crate::store::Result<Option<Arc<Routes>>> {
        match self.cache.get(code) {
            Cached::Known(routes) => Ok(Some(routes)),
            Cached::Unknown => Ok(None),
            Cached::Miss => self.cache.load(code).await,
        }
    }

    async fn preview(&self, asked: &Asked<'_>, headers: Headers<'_>) -> Response<Payload> {
        let routes = match self.routes(&asked.code).await {
            Ok(routes) => routes,
            Err(error) => return self.unavailable(&error, headers),
        };
        let Some(route) = routes.and_then(|routes| routes.pick(&asked.code, asked.folded_first)) else {
            return self.orphan(asked, headers).await;
        };
        if let Some(reason) = route.status(clock::now_ms()).missed() {
            return self.closed(&route, reason, headers);
        }
        match self.links.get(route.code()).await {
            Ok(found) => page(StatusCode::OK, self.pages.preview(&found, accepts(headers))),
            Err(crate::links::Error::Refused(_)) => self.unknown(&[], headers),
            Err(crate::links::Error::Store(error)) => self.unavailable(&error, headers),
        }
    }

    /// Answers a code that nobody has, with those that may be meant. Each is asked itself whether it is open now.
    async fn orphan(&self, asked: &Asked<'_>, headers: Headers<'_>) -> Response<Payload> {
        let now_ms = clock::now_ms();
        self.count_orphan(asked, now_ms);
        let mut guesses = vec![];
        for code in self.near.guess(&asked.code, now_ms) {
            let routes = self.routes(&code).await.ok().flatten();
            let route = routes.and_then(|routes| routes.pick(&code, false));
            if route.is_some_and(|route| route.code() == code && route.status(now_ms).missed().is_none()) {
                guesses.push(code);
            }
        }
        self.unknown(&guesses, headers)
    }

    /// To be shown where a code would lead is no visit.
    fn count_orphan(&self, asked: &Asked<'_>, now_ms: i64) {
        if !asked.preview {
            self.orphans.count(&asked.code, now_ms);
        }
    }

    fn unknown(&self, guesses: &[String], headers: Headers<'_>) -> Response<Payload> {
        page(StatusCode::NOT_FOUND, self.pages.unknown(guesses, asks(None, headers)))
    }

    fn closed(&self, route: &Route, reason: MissedReason, headers: Headers<'_>) -> Response<Payload> {
        let life = route.life.as_deref();
        let message = life.and_then(|life| life.link.message.as_deref());
        let withdrawn = life.and_then(|life| life.withdrawn.as_ref());
        let (shown, message, own) = match reason {
            // Nothing tells it from an unknown code but its text.
            MissedReason::NotOpen => {
                return page(StatusCode::NOT_FOUND, self.pages.shown(Shown::NotOpen, asks(None, headers)));
            }
            MissedReason::Expired => {
                (Shown::Expired, message, life.and_then(|life| life.link.expired_url.as_deref()))
            }
            MissedReason::Disabled => (Shown::Disabled, message, None),
            MissedReason::Withdrawn => {
                let story = withdrawn.and_then(|story| story.message.as_deref());
                (Shown::Withdrawn, story.or(message), withdrawn.and_then(|w| w.replacement_url.as_deref()))
            }
            MissedReason::Retired => (Shown::Retired, message, None),
        };
        let fallback = Arc::clone(&self.fallback_url.read().unwrap_or_else(PoisonError::into_inner));
        let elsewhere = own.unwrap_or(&fallback);
        match HeaderValue::from_str(elsewhere) {
            Ok(location) if !elsewhere.is_empty() => {
                let mut response = Response::new(Payload::Empty);
                *response.status_mut() = StatusCode::FOUND;
                response.headers_mut().insert(LOCATION, location);
                response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
                response.headers_mut().insert(ROBOTS, NOINDEX);
                response
            }
            _ => {
                let language = life.and_then(|life| life.language.as_deref());
                page(StatusCode::GONE, self.pages.closed(shown, message, asks(language, headers)))
            }
        }
    }

    /// Sends visits to closed links there from now on; nowhere if it is empty.
    pub fn set_fallback(&self, url: &str) {
        *self.fallback_url.write().unwrap_or_else(PoisonError::into_inner) = url.into();
    }

    fn unavailable(&self, error: &crate::store::Error, headers: Headers<'_>) -> Response<Payload> {
        tracing::error!(%error, "a code could not be looked up");
        let html = self.pages.shown(Shown::Unavailable, asks(None, headers));
        let mut response = page(StatusCode::SERVICE_UNAVAILABLE, html);
        response.headers_mut().insert(http::header::RETRY_AFTER, RETRY_AFTER);
        response
    }
}

fn redirect(route: Picked, query: Option<&str>) -> Visited {
    let status = match route.shared.redirect_status {
        301 => StatusCode::MOVED_PERMANENTLY,
        308 => StatusCode::PERMANENT_REDIRECT,
        307 => StatusCode::TEMPORARY_REDIRECT,
        _ => StatusCode::FOUND,
    };
    let forwarded = query.filter(|query| route.shared.forward_query && !query.is_empty());
    let made = forwarded.map(|query| with_query(route.target(), query));
    if route.target().is_empty() || !made.as_deref().is_none_or(is_visible) {
        tracing::error!(code = route.code(), "a stored target is no address");
        let mut response = Response::new(Payload::Empty);
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return Visited::Otherwise(response);
    }
    let location = made.map_or(Location::Kept(route), Location::Made);
    Visited::Elsewhere(Elsewhere { status, location })
}

/// True for what can stand in a header as it is.
fn is_visible(address: &str) -> bool {
    address.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Which language a reader is answered in.
fn asks<'a>(article: Option<&'a str>, headers: Headers<'a>) -> Asks<'a> {
    Asks { article, accepts: accepts(headers) }
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
