//! Floor 3: the outside. The only place that knows HTTP.
//!
//! Two listeners: the public one (redirects, API, pages) and the operations one. A redirect is answered before
//! any router is asked; everything else goes through one route table by surface.

pub mod api;
pub mod auth;
pub mod body;
pub mod client;
mod csv;
pub mod error;
pub mod headers;
pub mod idempotency;
pub mod json;
pub mod mock;
pub mod ops;
pub mod pages;
pub mod plain;
mod reader;
mod redacted;
pub mod redirect;
pub mod server;
pub mod session;
mod staff;
pub mod surface;
pub mod threads;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

// Whether a view can be shared its page knows best; the API asks here, and does not know pages.
use self::staff::require_visible;
use crate::accounts::AccountService;
use crate::app::health::Health;
use crate::digest::DigestService;
use crate::hits::Hits;
use crate::links::{LinkService, Near};
use crate::live::Live;
use crate::orphans::OrphanCounter;
use crate::reports::ReportService;
use crate::sessions::SessionService;
use crate::settings::SettingsService;
use crate::store::Tallies;
use crate::units::Span;
use crate::webhooks::WebhookService;

/// `[server]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The public listener.
    pub listen: SocketAddr,
    /// The operations listener.
    pub ops_listen: SocketAddr,
    /// A listener of its own for staff: their pages, and the API by session.
    #[serde(with = "listener")]
    pub staff_listen: Option<SocketAddr>,
    /// How readers see this service.
    pub public_url: String,
    /// How staff see theirs.
    pub staff_url: String,
    /// Connections open at once.
    pub max_connections: usize,
    /// For the head of a request.
    pub header_timeout: Span,
    /// For a whole request, except redirects (they wait for nothing).
    pub request_timeout: Span,
    /// For requests under way at shutdown.
    pub grace: Span,
    /// Requests a minute of one API key; 0 is no limit.
    pub key_requests_per_minute: u32,
    /// Wrong keys a minute from one address.
    pub failed_keys_per_minute: u32,
}

impl Settings {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// (key, why).
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        plain_url("public_url", &self.public_url)?;
        plain_url("staff_url", &self.staff_url)?;
        if self.staff_listen.is_none() && !self.staff_url.is_empty() {
            return Err(("staff_url", "staff have no listener of their own (server.staff_listen)".into()));
        }
        if self.max_connections == 0 {
            return Err(("max_connections", "at least 1".into()));
        }
        if self.failed_keys_per_minute == 0 {
            return Err(("failed_keys_per_minute", "at least 1".into()));
        }
        for (key, value) in
            [("header_timeout", self.header_timeout), ("request_timeout", self.request_timeout)]
        {
            if value.0 < Duration::from_millis(100) {
                return Err((key, "at least 100ms".into()));
            }
        }
        Ok(())
    }
}

/// Scheme, host and port, or nothing.
fn plain_url(key: &'static str, text: &str) -> Result<(), (&'static str, String)> {
    if text.is_empty() {
        return Ok(());
    }
    let url = url::Url::parse(text).map_err(|e| (key, e.to_string()))?;
    let plain = matches!(url.scheme(), "http" | "https")
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then_some(()).ok_or((key, "scheme, host and port only, like https://sl.example".into()))
}

/// A listener that need not be: "" is none.
mod listener {
    use std::net::SocketAddr;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
        let text = String::deserialize(from)?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| Error::custom(format!("\"{text}\" is no address with a port")))
    }

    pub(super) fn serialize<S: Serializer>(listen: &Option<SocketAddr>, to: S) -> Result<S::Ok, S::Error> {
        match listen {
            Some(address) => to.collect_str(address),
            None => to.serialize_str(""),
        }
    }
}

/// What the handlers of the API and the pages may use.
#[derive(Clone)]
pub struct State {
    /// Links.
    pub links: Arc<LinkService>,
    /// Keys and users.
    pub accounts: Arc<AccountService>,
    /// Reports.
    pub reports: Arc<ReportService>,
    /// Who gets a digest.
    pub digests: Arc<DigestService>,
    /// Codes that nobody has.
    pub orphans: Arc<OrphanCounter>,
    /// Codes that may have been meant.
    pub near: Arc<Near>,
    /// What happens now.
    pub live: Arc<Live>,
    /// Cancelled when the process begins to stop: streams end.
    pub closing: CancellationToken,
    /// Numbers, for the totals beside links.
    pub tallies: Arc<dyn Tallies>,
    /// The way of a hit, for what waits.
    pub hits: Arc<Hits>,
    /// The readers' pages.
    pub pages: Arc<pages::Pages>,
    /// Who clients are.
    pub clients: Arc<client::Clients>,
    /// Limits on keys.
    pub limits: Arc<auth::Limits>,
    /// Who is told what happens.
    pub webhooks: Arc<WebhookService>,
    /// Who is signed in.
    pub sessions: Arc<SessionService>,
    /// Scheme, host and port of the staff's pages, without a slash at its end.
    pub staff_url: Arc<str>,
    /// Whether this listener is for staff: it has their pages and believes their sessions.
    pub staff_here: bool,
    /// Scheme, host and port of this service, without a slash at its end.
    pub public_url: Arc<str>,
    /// What staff change while it runs.
    pub settings: Arc<SettingsService>,
    /// How the process is; None only while it is put together.
    pub health: Option<Arc<Health>>,
}

/// The routes of a listener: everything that is no code.
pub fn router(state: State, security_contact: String, deadline: Duration) -> axum::Router {
    let staff = if state.staff_here { staff::routes(&state) } else { axum::Router::new() };
    pages::routes(security_contact)
        .merge(staff)
        .merge(api::routes(&state, deadline))
        .fallback(pages::nothing)
        .with_state(state)
}
