//! Pages that strangers ask about.
//!
//! Guarantees that a stranger learns of no page that they could not read themselves (no secret header is sent), and that
//! however many ask, editors' reading suffers nothing: at most [`AT_ONCE`] at once and none that waits, no host becomes
//! slow by it, no title is learnt. A page that gave nothing is not asked again for a while. Bounded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use super::Reader;
use super::learn::{self, Found};
use crate::articles::fetch::{self, Shunned};

/// Strangers whose pages are read or whose links are made, at once.
const AT_ONCE: usize = 2;
/// How long a page that gave nothing is not asked again.
const NOT_ASKED_FOR: Duration = Duration::from_secs(60);

/// What is known of pages that strangers asked about.
pub(super) struct Strangers {
    places: Arc<Semaphore>,
    /// Pages that gave nothing.
    vain: Mutex<Shunned>,
}

impl Default for Strangers {
    fn default() -> Strangers {
        Strangers { places: Arc::new(Semaphore::new(AT_ONCE)), vain: Mutex::default() }
    }
}

impl Strangers {
    fn vain(&self) -> MutexGuard<'_, Shunned> {
        self.vain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a stranger finds.
#[derive(Debug)]
pub enum Public {
    /// A page that says itself that it is at the address that was asked for. What is done with it counts as one of the
    /// few that are read at once until this is dropped.
    Named(OwnedSemaphorePermit),
    /// No such page.
    Nothing,
    /// Too many ask now.
    Busy,
}

impl Reader {
    /// Whether everybody can read this page, and it says itself that it is at this address.
    pub async fn public(&self, address: &Url, now: Instant) -> Public {
        let page = self.page(address);
        let strangers = &self.0.strangers;
        if strangers.vain().has(page.as_str(), now) {
            return Public::Nothing;
        }
        let Ok(place) = Arc::clone(&strangers.places).try_acquire_owned() else { return Public::Busy };
        if self.names_itself(&page, now).await {
            return Public::Named(place);
        }
        strangers.vain().add(page.as_str(), now, now + NOT_ASKED_FOR);
        Public::Nothing
    }

    async fn names_itself(&self, page: &Url, now: Instant) -> bool {
        let canon = self.canon();
        let form = canon.identity(page);
        let own = |to: &Url| canon.identity(to).site == form.site;
        let fetch::Outcome::Page(found) = self.0.fetcher.fetch_as_stranger(page, own, now).await else {
            return false;
        };
        let (at, moved) = (found.url.clone(), found.moved);
        let Some(facts) = self.0.parse(found).await else { return false };
        // What others' pages are called is not asked: only its own address is believed.
        let agree = |claim: &_, own: &_, _: Option<&str>| *claim == form || claim == own;
        let reading = learn::learn(&canon, Found { asked: page, at, moved, facts }, agree);
        reading.claimed && reading.identity.as_ref() == Some(&form)
    }
}
