//! Reads the page of an address: what it says of its story, and what the story is known by.
//!
//! One for the process. Guarantees that the same page is fetched once however many ask for it at one time, that
//! whoever asks waits no longer than they said, and that of a site that does not answer only the first waits at all.
//! A page that nobody waits for any more is still read, and comes over a bounded channel. Keeps no articles.

mod learn;
mod patience;
mod strangers;
#[cfg(test)]
mod tests;
mod titles;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::fetch::{self, Fetcher};
use super::page::{self, Metadata};
use crate::domain::canonical::{Canon, Identity};
use learn::Found;
use patience::Patience;
pub use strangers::Public;
use strangers::Strangers;
use titles::{Agreed, Titles};

/// Pages that are read at once.
const MAX_FLIGHTS: usize = 256;
/// Readings that came too late and wait for somebody to keep them.
const MAX_LATE: usize = 256;
/// How long nobody waits for a site that somebody waited for in vain.
const NOT_WAITED_FOR: Duration = Duration::from_secs(60);

/// What came of reading a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was read, whatever is on it.
    Read,
    /// It is not for us, or stands before the page that was meant. Never "broken".
    NotReadable,
    /// It is not there.
    Gone,
    /// Its site cannot be reached, or answers what is no page.
    Broken,
    /// Its site takes too long, or too many pages are being read.
    Slow,
    /// We do not ask there.
    Refused,
}

/// What was learnt of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What came of it.
    pub outcome: Outcome,
    /// What the site answered in the end, if that was no page.
    pub status: Option<u16>,
    /// Why it was not read, in words for an editor.
    pub why: Option<String>,
    /// What the story is known by if only the address that was asked for is looked at.
    pub form: Identity,
    /// Where the page was found.
    pub at: Url,
    /// What the story is known by, as form, redirects and page say. None if nothing was read.
    pub identity: Option<Identity>,
    /// The page itself says that it is that one.
    pub claimed: bool,
    /// Canonical forms of all addresses that are the story's: the one asked for, where it led, what its page claims.
    pub spellings: Vec<Url>,
    /// What the page says.
    pub facts: Metadata,
    /// Where it lives now, if nothing but permanent redirects led there and it is known by another address there.
    pub moved_to: Option<Url>,
}

impl Reading {
    /// What is known without the page.
    fn without_page(canon: &Canon, asked: &Url, outcome: Outcome, why: &str) -> Reading {
        let form = canon.identity(asked);
        Reading {
            outcome,
            status: None,
            why: Some(why.to_owned()),
            at: asked.clone(),
            identity: None,
            claimed: false,
            spellings: vec![form.url.clone()],
            form,
            facts: Metadata::default(),
            moved_to: None,
        }
    }
}

/// What a page says that somebody has at hand; nothing is fetched.
#[must_use]
pub fn read_body(canon: &Canon, zone: &TimeZone, address: &Url, body: &[u8]) -> Reading {
    let asked = canon.target(address, false).url;
    let facts = page::read(body, None, &asked, zone);
    learn::learn(canon, Found { asked: &asked, at: asked.clone(), moved: false, facts }, |_, _, _| true)
}

/// Reads pages. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Reader(Arc<Inner>);

struct Inner {
    canon: RwLock<Arc<Canon>>,
    fetcher: Arc<Fetcher>,
    zone: TimeZone,
    titles: Titles,
    patience: Patience,
    strangers: Strangers,
    flights: Mutex<HashMap<Url, Flight>>,
    late: mpsc::Sender<Arc<Reading>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

type Landed = watch::Receiver<Option<Arc<Reading>>>;

/// A page that is being read.
struct Flight {
    landed: Landed,
    /// Somebody did not wait for it, so its reading is to be told of.
    left: bool,
}

impl Reader {
    /// One that reads times without a zone as of this one. The channel gives readings of which somebody did not wait
    /// for the end; what does not fit into it is dropped, and is read again another time.
    #[must_use]
    pub fn new(
        canon: Canon,
        fetcher: Arc<Fetcher>,
        zone: TimeZone,
    ) -> (Reader, mpsc::Receiver<Arc<Reading>>) {
        let (late, comes_late) = mpsc::channel(MAX_LATE);
        let inner = Inner {
            canon: RwLock::new(Arc::new(canon)),
            fetcher,
            zone,
            titles: Titles::default(),
            patience: Patience::default(),
            strangers: Strangers::default(),
            flights: Mutex::default(),
            late,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        (Reader(Arc::new(inner)), comes_late)
    }

    /// What tells which addresses are one article.
    #[must_use]
    pub fn canon(&self) -> Arc<Canon> {
        self.0.canon()
    }

    /// Puts another in its place. A page that is being read is judged by one or the other.
    pub fn set_canon(&self, canon: Canon) {
        *self.0.canon.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(canon);
    }

    /// What fetches; link checks take their turns at it too.
    #[must_use]
    pub fn fetcher(&self) -> &Arc<Fetcher> {
        &self.0.fetcher
    }

    /// Reads the page of this address, however long it takes: seconds at most, if not too many are before it.
    pub async fn read(&self, address: &Url, now: Instant) -> Arc<Reading> {
        let page = self.page(address);
        match self.join(&page, now) {
            Some(mut landed) => self.0.landed(&page, &mut landed).await,
            None => self.0.slow(&page),
        }
    }

    /// Reads the page of this address and waits at most so long for it. None: it goes on, and comes over the channel.
    pub async fn read_within(&self, address: &Url, wait: Duration, now: Instant) -> Option<Arc<Reading>> {
        let page = self.page(address);
        if self.0.fetcher.is_slow(&page, now) {
            return Some(self.0.slow(&page));
        }
        let Some(mut landed) = self.join(&page, now) else { return Some(self.0.slow(&page)) };
        let host = self.0.fetcher.host(&page).unwrap_or_default();
        if let Some(mut waiting) = self.0.patience.begin(&host, now) {
            tokio::select! {
                biased;
                reading = self.0.landed(&page, &mut landed) => return Some(reading),
                () = waiting.over() => {}
                () = tokio::time::sleep(wait) => waiting.in_vain(now, now + wait + NOT_WAITED_FOR),
            }
        }
        self.0.leave(&page, &landed)
    }

    /// Ends all reading and waits for that. Whoever still asks is told that it takes too long.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// What is fetched for an address: the page behind AMP and mobile forms, without tracking, which would tell a
    /// site of a reader that there was not.
    fn page(&self, address: &Url) -> Url {
        let mut page = self.0.canon().target(address, false).url;
        page.set_fragment(None);
        page
    }

    /// Begins to read a page, or joins who does already. None if too many are being read.
    fn join(&self, page: &Url, now: Instant) -> Option<Landed> {
        let mut flights = self.0.flights();
        // One whose task has ended without a word (the runtime is going away) is begun anew.
        let known = flights.get(page).filter(|flight| flight.landed.has_changed().is_ok());
        if let Some(flight) = known {
            return Some(flight.landed.clone());
        }
        if flights.len() >= MAX_FLIGHTS || self.0.stop.is_cancelled() {
            return None;
        }
        let (land, landed) = watch::channel(None);
        flights.insert(page.clone(), Flight { landed: landed.clone(), left: false });
        let (inner, page) = (Arc::clone(&self.0), page.clone());
        self.0.tasks.spawn(async move {
            let reading = tokio::select! {
                reading = inner.look(&page, now) => Arc::new(reading),
                () = inner.stop.cancelled() => inner.slow(&page),
            };
            inner.land(&page, reading, &land);
        });
        Some(landed)
    }
}

impl Inner {
    fn canon(&self) -> Arc<Canon> {
        Arc::clone(&self.canon.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Url, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slow(&self, page: &Url) -> Arc<Reading> {
        Arc::new(Reading::without_page(&self.canon(), page, Outcome::Slow, "the site takes too long"))
    }

    /// Waits for the end.
    async fn landed(&self, page: &Url, landed: &mut Landed) -> Arc<Reading> {
        let reading = landed.wait_for(Option::is_some).await;
        reading.ok().and_then(|reading| reading.clone()).unwrap_or_else(|| self.slow(page))
    }

    /// Goes away before the end, unless that is now.
    fn leave(&self, page: &Url, landed: &Landed) -> Option<Arc<Reading>> {
        let mut flights = self.flights();
        let reading = landed.borrow().clone();
        if reading.is_none()
            && let Some(flight) = flights.get_mut(page)
        {
            flight.left = true;
        }
        reading
    }

    /// Tells all who wait, and the channel if somebody went away.
    fn land(&self, page: &Url, reading: Arc<Reading>, land: &watch::Sender<Option<Arc<Reading>>>) {
        if reading.outcome != Outcome::Slow
            && let Some(host) = self.fetcher.host(page)
        {
            self.patience.answered(&host);
        }
        let mut flights = self.flights();
        let left = flights.remove(page).is_some_and(|flight| flight.left);
        // Under the lock: whoever leaves has either left before this or sees it.
        land.send_replace(Some(Arc::clone(&reading)));
        drop(flights);
        if left && self.late.try_send(reading).is_err() {
            tracing::warn!(
                page = fetch::without_query(page),
                "what a page says came too late and was dropped"
            );
        }
    }

    async fn look(&self, page: &Url, now: Instant) -> Reading {
        let without = |outcome, status, why: &str| Reading {
            status,
            ..Reading::without_page(&self.canon(), page, outcome, why)
        };
        let answers = |status: u16| format!("the site answers {status}");
        match self.fetcher.fetch(page, now).await {
            fetch::Outcome::Page(found) => self.understand(page, found, now).await,
            fetch::Outcome::NotReadable { status } => {
                without(Outcome::NotReadable, Some(status), &answers(status))
            }
            fetch::Outcome::Gone { status } => without(Outcome::Gone, Some(status), &answers(status)),
            fetch::Outcome::Broken { status, why } => without(Outcome::Broken, status, &why),
            fetch::Outcome::TooSlow => without(Outcome::Slow, None, "the site takes too long"),
            fetch::Outcome::Refused { why } => without(Outcome::Refused, None, &why),
        }
    }

    async fn understand(&self, asked: &Url, page: fetch::Page, now: Instant) -> Reading {
        let (at, moved, canon) = (page.url.clone(), page.moved, self.canon());
        let Some(facts) = self.parse(page).await else {
            return Reading::without_page(&canon, asked, Outcome::Slow, "it was not read to its end");
        };
        let found = Found { asked, at, moved, facts };
        let mut doubtful = None;
        let reading = learn::learn(&canon, found.clone(), |claim, own, title| {
            let agreed = self.titles.agree(claim, own, title);
            doubtful = (agreed == Agreed::Doubtful).then(|| claim.clone());
            agreed == Agreed::Yes
        });
        let Some(claim) = doubtful else { return reading };
        self.settle(&claim, &found.facts.claims, now).await;
        let agree = |claim: &Identity, own: &Identity, title: Option<&str>| {
            self.titles.agree(claim, own, title) == Agreed::Yes
        };
        learn::learn(&canon, found, agree)
    }

    /// Asks the page at an address what its title is now: a headline is changed more often than an address is wrong.
    async fn settle(&self, claim: &Identity, claims: &[Url], now: Instant) {
        // As the page spells it, which may be the only host that there is.
        let canon = self.canon();
        let spelt = claims.iter().find(|spelt| canon.identity(spelt) == *claim);
        if let fetch::Outcome::Page(page) = self.fetcher.fetch(spelt.unwrap_or(&claim.url), now).await {
            let own = canon.identity(&page.url);
            let title = self.parse(page).await.and_then(|facts| facts.title);
            if own == *claim && title.is_some() {
                self.titles.agree(claim, &own, title.as_deref());
                return;
            }
        }
        self.titles.contest(claim);
    }

    /// What a page says; None if the process ends meanwhile.
    async fn parse(&self, page: fetch::Page) -> Option<Metadata> {
        let zone = self.zone.clone();
        let read = move || page::read(&page.body, page.content_type.as_deref(), &page.url, &zone);
        tokio::task::spawn_blocking(read).await.ok()
    }
}
