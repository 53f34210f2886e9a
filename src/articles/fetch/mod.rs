//! Fetches pages, safely: an editor's paste must not make this machine ask its own network.
//!
//! Guarantees that every hop is looked at like the first: scheme, port, the address where it is written, and all
//! addresses of a name, of which the public ones are connected to and nothing else, so that a second look-up cannot
//! change them. At most [`MAX_HOPS`] redirects, 1 MiB and one deadline for all of it; one request of ours at a time for
//! each host; no cookies, no proxy. Whoever asks for a stranger bounds it. Knows nothing of what is on a page.

mod body;
mod guard;
mod hop;
mod hosts;
mod post;
mod resolve;
mod shunned;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, StatusCode};
use url::Url;

pub use hop::Ask;
pub use post::{Posted, Poster};
pub use resolve::{Resolve, System};
pub(super) use shunned::Shunned;

use super::page;
use crate::domain::target::{HostRule, MAX_URL};
use guard::Place;
use hop::{Answer, Client};
use hosts::{Hosts, NoTurn};

/// Most redirects that are followed.
pub const MAX_HOPS: usize = 5;

/// How pages are fetched.
#[derive(Clone, Debug)]
pub struct Options {
    /// Hosts that may have private addresses and any port.
    pub private_hosts: Vec<HostRule>,
    /// What lets us through newsrooms' own walls.
    pub secrets: Vec<SecretHeader>,
    /// How we name ourselves.
    pub agent: String,
    /// Everything has to be done by then: turn, names, all hops, the body.
    pub deadline: Duration,
    /// How long a host that was too slow is left alone.
    pub slow_for: Duration,
}

impl Options {
    /// The usual ones; `about` is an address at which a site's operator learns who asks.
    #[must_use]
    pub fn new(about: &str) -> Options {
        Options {
            private_hosts: vec![],
            secrets: vec![],
            agent: format!("SluglineBot/{} (+{about})", env!("CARGO_PKG_VERSION")),
            deadline: Duration::from_secs(5),
            slow_for: Duration::from_secs(60),
        }
    }
}

/// A header for one host alone. Not shown when it is printed.
#[derive(Clone, Debug)]
pub struct SecretHeader {
    rule: HostRule,
    name: HeaderName,
    value: HeaderValue,
}

impl SecretHeader {
    /// From `Name: value`; None if it is not that, or a header that is not the operator's to choose.
    #[must_use]
    pub fn parse(rule: HostRule, text: &str) -> Option<SecretHeader> {
        let (name, value) = text.split_once(':')?;
        let name: HeaderName = name.trim().parse().ok()?;
        let mut value = HeaderValue::from_str(value.trim()).ok().filter(|value| !value.is_empty())?;
        value.set_sensitive(true);
        let ours =
            ["host", "connection", "content-length", "transfer-encoding", "accept-encoding", "upgrade", "te"];
        (!ours.contains(&name.as_str())).then_some(SecretHeader { rule, name, value })
    }
}

/// A page that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it was found in the end.
    pub url: Url,
    /// All redirects on the way were permanent, and there was one.
    pub moved: bool,
    /// The header's value.
    pub content_type: Option<String>,
    /// At most 1 MiB of it; nothing of what is no page (a picture, a PDF).
    pub body: Vec<u8>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is there.
    Page(Page),
    /// It is there and not for us (401, 402, 403, 407, 429, 451, or packed in a way that we did not ask for): never
    /// "broken".
    NotReadable {
        /// What the site answered.
        status: u16,
    },
    /// It is not there any more (404, 410).
    Gone {
        /// What the site answered.
        status: u16,
    },
    /// The site cannot be reached, or answers what is no answer.
    Broken {
        /// What the site answered, if it did.
        status: Option<u16>,
        /// In words.
        why: String,
    },
    /// It took too long, or a moment ago it did, or too many wait for this host.
    TooSlow,
    /// We do not ask there.
    Refused {
        /// In words for an editor.
        why: String,
    },
}

/// Fetches pages. One for the whole process.
pub struct Fetcher {
    options: Options,
    resolve: Arc<dyn Resolve>,
    client: Client,
    hosts: Hosts,
}

/// For whom a page is asked for.
#[derive(Clone, Copy)]
enum Who<'a> {
    /// The newsroom: what lets it through its walls is sent, and hosts have their turns.
    Newsroom,
    /// Anybody: what they would get themselves, where this is true.
    Stranger(&'a (dyn Fn(&Url) -> bool + Sync)),
}

/// What one hop comes to.
enum Step {
    Done(Outcome),
    Redirect { to: Url, status: u16 },
}

impl Fetcher {
    /// Ready to fetch.
    ///
    /// # Errors
    /// Why not: a name for ourselves that cannot be a header, or no encryption.
    pub fn new(options: Options, resolve: Arc<dyn Resolve>) -> Result<Fetcher, String> {
        let client = Client::new(&options.agent)?;
        Ok(Fetcher { options, resolve, client, hosts: Hosts::default() })
    }

    /// True if this address's host was too slow a moment ago, so that nobody should wait for it.
    #[must_use]
    pub fn is_slow(&self, url: &Url, now: Instant) -> bool {
        guard::place(url, &self.options.private_hosts)
            .is_ok_and(|place| self.hosts.is_slow(&key(&place), now))
    }

    /// The host of this address, with its port, as turns are given by; None if nobody asks there.
    #[must_use]
    pub fn host(&self, url: &Url) -> Option<String> {
        guard::place(url, &self.options.private_hosts).ok().map(|place| key(&place))
    }

    /// Reads the page at this address. It may be dropped at any point; a host is only remembered as slow if somebody
    /// stayed to the end.
    pub async fn fetch(&self, url: &Url, now: Instant) -> Outcome {
        self.ask(Ask::Page, url, now).await
    }

    /// The same for what is asked for. Only [`Ask::Page`] has a body.
    pub async fn ask(&self, ask: Ask, url: &Url, now: Instant) -> Outcome {
        self.follow(ask, Who::Newsroom, url, now).await
    }

    /// Reads the page as a stranger gets it: no secret header is sent. It takes nobody's turn and says nothing of its
    /// host, so whoever calls this has to bound how often. Redirects are followed to where `own` is true.
    pub async fn fetch_as_stranger(
        &self,
        url: &Url,
        own: impl Fn(&Url) -> bool + Sync,
        now: Instant,
    ) -> Outcome {
        self.follow(Ask::Page, Who::Stranger(&own), url, now).await
    }

    async fn follow(&self, ask: Ask, who: Who<'_>, url: &Url, now: Instant) -> Outcome {
        let until = tokio::time::Instant::now() + self.options.deadline;
        let (mut at, mut moved, mut seen) = (url.clone(), false, vec![url.clone()]);
        loop {
            match self.hop(ask, who, &at, now, until).await {
                Step::Done(Outcome::Page(page)) => return Outcome::Page(Page { moved, ..page }),
                Step::Done(outcome) => return outcome,
                Step::Redirect { to, status } if seen.contains(&to) => {
                    return broken(Some(status), format!("{to} redirects in a circle"));
                }
                Step::Redirect { to, status } if seen.len() > MAX_HOPS => {
                    return broken(Some(status), format!("more than {MAX_HOPS} redirects, the last to {to}"));
                }
                Step::Redirect { to, status } => {
                    moved = matches!(status, 301 | 308) && (moved || seen.len() == 1);
                    seen.push(to.clone());
                    at = to;
                }
            }
        }
    }

    async fn hop(
        &self,
        ask: Ask,
        who: Who<'_>,
        url: &Url,
        now: Instant,
        until: tokio::time::Instant,
    ) -> Step {
        if let Who::Stranger(own) = who
            && !own(url)
        {
            return Step::Done(Outcome::Refused { why: "it is elsewhere".into() });
        }
        let place = match guard::place(url, &self.options.private_hosts) {
            Ok(place) => place,
            Err(why) => return Step::Done(refused(url, why)),
        };
        let host = key(&place);
        let (_turn, secrets) = match who {
            Who::Newsroom => match tokio::time::timeout_at(until, self.hosts.turn(&host, now)).await {
                Ok(Ok(turn)) => (Some(turn), &*self.options.secrets),
                // Waiting for others says nothing of the host.
                Ok(Err(NoTurn::Slow | NoTurn::Busy)) | Err(_) => return Step::Done(Outcome::TooSlow),
            },
            Who::Stranger(_) if self.hosts.is_slow(&host, now) => return Step::Done(Outcome::TooSlow),
            Who::Stranger(_) => (None, &[][..]),
        };
        let asked = tokio::time::timeout_at(until, self.answer(ask, url, &place, secrets));
        match asked.await {
            Ok(Ok(answer)) => judged(url, answer),
            Ok(Err(outcome)) => {
                if let Outcome::Refused { why } = &outcome {
                    tracing::warn!(url = without_query(url), why, "not fetched");
                }
                Step::Done(outcome)
            }
            Err(_) => {
                // Strangers choose the page, so that it hangs says nothing of its host.
                if matches!(who, Who::Newsroom) {
                    self.hosts.was_slow(&host, now, self.options.deadline + self.options.slow_for);
                }
                Step::Done(Outcome::TooSlow)
            }
        }
    }

    async fn answer(
        &self,
        ask: Ask,
        url: &Url,
        place: &Place,
        secrets: &[SecretHeader],
    ) -> Result<Answer, Outcome> {
        let addresses = addresses(&*self.resolve, place).await.map_err(|no| match no {
            NoAddress::Unknown(why) => broken(None, why),
            NoAddress::Private(why) => Outcome::Refused { why },
        })?;
        let answer = self.client.ask(ask, url, place, &addresses, secrets).await;
        answer.map_err(|why| broken(None, why))
    }
}

/// Why nothing can be connected to, in words.
enum NoAddress {
    /// The name leads nowhere.
    Unknown(String),
    /// It leads to what is not public.
    Private(String),
}

/// The addresses of a place that may be connected to: what was looked at, and nothing that a later look-up gives.
async fn addresses(resolve: &dyn Resolve, place: &Place) -> Result<Vec<IpAddr>, NoAddress> {
    if let Some(literal) = place.literal {
        return Ok(vec![literal]);
    }
    let found = resolve.resolve(&place.host).await;
    let found = found.map_err(|e| NoAddress::Unknown(format!("{} is not known: {e}", place.host)))?;
    if found.is_empty() {
        return Err(NoAddress::Unknown(format!("{} has no address", place.host)));
    }
    let good: Vec<IpAddr> =
        found.into_iter().filter(|address| place.private || guard::is_public(*address)).collect();
    if good.is_empty() {
        return Err(NoAddress::Private(format!("{} is not on the public internet", place.host)));
    }
    Ok(good)
}

/// An address as it may be logged: what is behind its path may be a reader's own, such as a gift token.
#[must_use]
pub fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// What turns are given by: a host and its port.
fn key(place: &Place) -> String {
    format!("{}:{}", place.host, place.port)
}

fn broken(status: Option<u16>, why: String) -> Outcome {
    Outcome::Broken { status, why }
}

fn refused(url: &Url, why: String) -> Outcome {
    tracing::warn!(url = without_query(url), why, "not fetched");
    Outcome::Refused { why }
}

fn judged(url: &Url, answer: Answer) -> Step {
    let status = answer.status.as_u16();
    Step::Done(match answer.status {
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => {
            let to = answer.location.as_deref().and_then(|to| url.join(to).ok());
            match to.filter(|to| to.as_str().len() <= MAX_URL) {
                Some(to) => return Step::Redirect { to, status },
                None => broken(Some(status), "a redirect that leads nowhere".into()),
            }
        }
        _ if answer.status.is_success() && answer.encoded => Outcome::NotReadable { status },
        _ if answer.status.is_success() => Outcome::Page(Page {
            url: url.clone(),
            moved: false,
            content_type: answer.content_type,
            body: answer.body,
        }),
        StatusCode::NOT_FOUND | StatusCode::GONE => Outcome::Gone { status },
        _ if matches!(status, 401 | 402 | 403 | 407 | 429 | 451) => Outcome::NotReadable { status },
        _ => broken(Some(status), format!("the site answers {status}")),
    })
}
