//! Who waits for a site, and for how long nobody does.
//!
//! Guarantees that a site that does not answer is waited for once: when the first has waited in vain, all others who
//! wait for it go too, and nobody begins to for a while. A site that answers somebody is only busy. Bounded.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use crate::articles::fetch::Shunned;

/// The sites.
#[derive(Default)]
pub(super) struct Patience(Mutex<State>);

#[derive(Default)]
struct State {
    shunned: Shunned,
    waiting: HashMap<String, Waiting>,
}

/// Those who wait for one site now.
struct Waiting {
    count: usize,
    /// Pages that it has answered since the first of them came.
    answered: u64,
    over: watch::Sender<bool>,
}

/// Somebody who waits.
pub(super) struct Wait<'a> {
    of: &'a Patience,
    host: String,
    answered: u64,
    over: watch::Receiver<bool>,
}

impl Patience {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to wait; None for a site that is not waited for.
    pub fn begin(&self, host: &str, now: Instant) -> Option<Wait<'_>> {
        let mut state = self.state();
        if state.shunned.has(host, now) {
            return None;
        }
        let fresh = || Waiting { count: 0, answered: 0, over: watch::Sender::new(false) };
        let waiting = state.waiting.entry(host.to_owned()).or_insert_with(fresh);
        waiting.count += 1;
        let (answered, over) = (waiting.answered, waiting.over.subscribe());
        Some(Wait { of: self, host: host.to_owned(), answered, over })
    }

    /// A site has answered.
    pub fn answered(&self, host: &str) {
        if let Some(waiting) = self.state().waiting.get_mut(host) {
            waiting.answered += 1;
        }
    }
}

impl Wait<'_> {
    /// Ends when somebody else has found that it is of no use.
    pub async fn over(&mut self) {
        // The sender lives as long as anybody waits.
        if self.over.wait_for(|over| *over).await.is_err() {
            std::future::pending().await
        }
    }

    /// It was of no use: nobody waits for this site until then, unless it answered others meanwhile.
    pub fn in_vain(self, now: Instant, until: Instant) {
        let mut guard = self.of.state();
        let state = &mut *guard;
        if let Some(waiting) = state.waiting.get_mut(&self.host)
            && waiting.answered == self.answered
        {
            waiting.over.send_replace(true);
            state.shunned.add(&self.host, now, until);
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut state = self.of.state();
        if let Some(waiting) = state.waiting.get_mut(&self.host) {
            waiting.count -= 1;
            if waiting.count == 0 {
                state.waiting.remove(&self.host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn one_waits_in_vain_for_all() {
        let (patience, now) = (Patience::default(), Instant::now());
        let until = now + Duration::from_secs(60);
        let (first, mut second) = (patience.begin("a", now).unwrap(), patience.begin("a", now).unwrap());
        let mut other = patience.begin("b", now).unwrap();
        assert!(second.over().now_or_never().is_none());
        first.in_vain(now, until);
        assert!(second.over().now_or_never().is_some());
        assert!(other.over().now_or_never().is_none());
        drop((second, other));
        assert!(patience.begin("a", now).is_none() && patience.begin("b", now).is_some());
        assert!(patience.begin("a", until).is_some());
        assert!(patience.state().waiting.is_empty());
    }

    #[test]
    fn a_site_that_answers_somebody_is_only_busy() {
        let (patience, now) = (Patience::default(), Instant::now());
        let (first, mut second) = (patience.begin("a", now).unwrap(), patience.begin("a", now).unwrap());
        patience.answered("a");
        first.in_vain(now, now + Duration::from_secs(60));
        assert!(second.over().now_or_never().is_none());
        assert!(patience.begin("a", now).is_some());
    }
}
