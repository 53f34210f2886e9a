//! Turns: one request at a time for each host, and none for a host that was too slow a moment ago.
//!
//! Guarantees bounds: so many wait for one host, so many hosts are asked at once, so many are remembered. Time comes
//! from the caller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::shunned::Shunned;

/// Requests that wait for one host.
const MAX_WAITING: usize = 16;
/// Hosts that are asked or waited for at once.
const MAX_BUSY: usize = 64;

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Hosts(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    busy: HashMap<String, Queue>,
    /// They were too slow.
    slow: Shunned,
}

struct Queue {
    one: Arc<Semaphore>,
    /// Those that are being answered, too.
    waiting: usize,
}

/// Why it is nobody's turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoTurn {
    /// It was too slow a moment ago.
    Slow,
    /// Too many wait already.
    Busy,
}

/// A turn; gives it back when it is dropped, also while it is only waited for.
pub(super) struct Turn {
    hosts: Arc<Mutex<State>>,
    host: String,
    permit: Option<OwnedSemaphorePermit>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hosts {
    /// Waits for the host's turn.
    pub async fn turn(&self, host: &str, now: Instant) -> Result<Turn, NoTurn> {
        let (mut turn, one) = self.queue(host, now)?;
        // A semaphore that is never closed always gives its permit.
        turn.permit = one.acquire_owned().await.ok();
        // Who was before may have found it slow.
        if self.is_slow(host, now) { Err(NoTurn::Slow) } else { Ok(turn) }
    }

    fn queue(&self, host: &str, now: Instant) -> Result<(Turn, Arc<Semaphore>), NoTurn> {
        if self.is_slow(host, now) {
            return Err(NoTurn::Slow);
        }
        let mut state = lock(&self.0);
        let known = state.busy.contains_key(host);
        if !known && state.busy.len() >= MAX_BUSY {
            return Err(NoTurn::Busy);
        }
        let fresh = || Queue { one: Arc::new(Semaphore::new(1)), waiting: 0 };
        let queue = state.busy.entry(host.to_owned()).or_insert_with(fresh);
        if queue.waiting >= MAX_WAITING {
            return Err(NoTurn::Busy);
        }
        queue.waiting += 1;
        let one = Arc::clone(&queue.one);
        Ok((Turn { hosts: Arc::clone(&self.0), host: host.to_owned(), permit: None }, one))
    }

    /// True if this host was too slow a moment ago.
    pub fn is_slow(&self, host: &str, now: Instant) -> bool {
        lock(&self.0).slow.has(host, now)
    }

    /// Remembers a host as slow.
    pub fn was_slow(&self, host: &str, now: Instant, for_: Duration) {
        lock(&self.0).slow.add(host, now, now + for_);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = lock(&self.hosts);
        // First the permit: who waits next must find the queue that it waits in.
        self.permit = None;
        if let Some(queue) = state.busy.get_mut(&self.host) {
            queue.waiting = queue.waiting.saturating_sub(1);
            if queue.waiting == 0 {
                state.busy.remove(&self.host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_and_not_too_many() {
        let (hosts, now) = (Hosts::default(), Instant::now());
        let first = hosts.turn("a", now).await.unwrap();
        let mut waiting: Vec<_> = (1..MAX_WAITING).map(|_| Box::pin(hosts.turn("a", now))).collect();
        for turn in &mut waiting {
            assert!(futures_util::FutureExt::now_or_never(turn.as_mut()).is_none(), "it waits");
        }
        assert_eq!(hosts.turn("a", now).await.err(), Some(NoTurn::Busy));
        assert!(hosts.turn("b", now).await.is_ok(), "another host does not wait");
        drop(first);
        let next = waiting.remove(0).await.unwrap();
        // Who gives up while it waits leaves its place.
        drop(waiting);
        drop(next);
        assert!(lock(&hosts.0).busy.is_empty());
    }

    #[tokio::test]
    async fn slow_hosts_are_left_alone_for_a_while() {
        let (hosts, now) = (Hosts::default(), Instant::now());
        let minute = Duration::from_secs(60);
        let first = hosts.turn("a", now).await.unwrap();
        let mut second = Box::pin(hosts.turn("a", now));
        assert!(futures_util::FutureExt::now_or_never(second.as_mut()).is_none());
        hosts.was_slow("a", now, minute);
        drop(first);
        assert_eq!(second.await.err(), Some(NoTurn::Slow), "who waited is told");
        assert_eq!(hosts.turn("a", now + minute / 2).await.err(), Some(NoTurn::Slow));
        assert!(hosts.turn("a", now + minute).await.is_ok());
        let busy: Vec<Turn> = {
            let mut busy = vec![];
            for n in 0..MAX_BUSY {
                busy.push(hosts.turn(&format!("host {n}"), now).await.unwrap());
            }
            busy
        };
        assert_eq!(hosts.turn("one more", now).await.err(), Some(NoTurn::Busy));
        drop(busy);
    }
}
