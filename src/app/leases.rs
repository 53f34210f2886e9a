//! Keeps a lease for this node: that of many nodes one does what one should do.
//!
//! Guarantees that it is given back at a stop, so that another node goes on at once, and that a node which cannot ask
//! the store any more takes it for lost when it ends. A node that dies is followed within [`SPAN`] and [`ASK`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::links::codes::system_bytes;
use crate::store::Leases;

/// For how long it is taken.
const SPAN: Duration = Duration::from_secs(30);
/// How often the one that holds it goes on with it.
const RENEW: Duration = Duration::from_secs(10);
/// How often the others ask.
const ASK: Duration = Duration::from_secs(5);

/// A lease of this node.
pub(super) struct Lease {
    leases: Arc<dyn Leases>,
    name: &'static str,
    holder: String,
    held: watch::Sender<bool>,
}

impl Lease {
    /// One that nobody has asked for yet.
    pub(super) fn new(leases: Arc<dyn Leases>, name: &'static str) -> Lease {
        let holder = system_bytes(8).iter().map(|byte| format!("{byte:02x}")).collect();
        Lease { leases, name, holder, held: watch::channel(false).0 }
    }

    /// Says whether this node has it.
    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.held.subscribe()
    }

    /// Asks for it and goes on with it until `stop`, then gives it back.
    pub(super) async fn keep(&self, stop: &CancellationToken) {
        let mut until = Instant::now();
        loop {
            let asked = Instant::now();
            match self.leases.lease(self.name, &self.holder, clock::now(), SPAN).await {
                Ok(true) => {
                    until = asked + SPAN;
                    self.set(true);
                }
                Ok(false) => self.set(false),
                Err(error) => {
                    tracing::debug!(%error, lease = self.name, "a lease cannot be asked for");
                    // Another may have it soon: before that, one round less.
                    self.set(*self.held.borrow() && Instant::now() + RENEW < until);
                }
            }
            let pause = if *self.held.borrow() { RENEW } else { ASK };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.set(false);
        if let Err(error) = self.leases.release(self.name, &self.holder).await {
            tracing::debug!(%error, lease = self.name, "a lease ends by itself: it could not be given back");
        }
    }

    fn set(&self, held: bool) {
        if self.held.send_if_modified(|is| std::mem::replace(is, held) != held) {
            tracing::debug!(lease = self.name, held, "a lease has changed hands");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use jiff::Timestamp;

    use super::*;
    use crate::store::{self, Error};

    /// Answers as it is told, and notes who gave what back.
    struct Scripted {
        answers: Mutex<Vec<store::Result<bool>>>,
        released: Mutex<Vec<(String, String)>>,
    }

    #[async_trait]
    impl Leases for Scripted {
        async fn lease(
            &self,
            _name: &str,
            _holder: &str,
            _now: Timestamp,
            span: Duration,
        ) -> store::Result<bool> {
            assert_eq!(span, SPAN);
            self.answers.lock().unwrap().pop().unwrap_or(Ok(true))
        }

        async fn release(&self, name: &str, holder: &str) -> store::Result<()> {
            self.released.lock().unwrap().push((name.into(), holder.into()));
            Ok(())
        }
    }

    fn scripted(answers: Vec<store::Result<bool>>) -> (Arc<Scripted>, Lease) {
        let leases = Arc::new(Scripted { answers: Mutex::new(answers), released: Mutex::default() });
        let lease = Lease::new(Arc::<Scripted>::clone(&leases), "stories");
        (leases, lease)
    }

    #[tokio::test]
    async fn it_is_held_and_given_back_at_a_stop() {
        let (leases, lease) = scripted(vec![]);
        let (stop, mut held) = (CancellationToken::new(), lease.watch());
        assert!(!*held.borrow());
        let watching = async {
            held.changed().await.unwrap();
            assert!(*held.borrow_and_update());
            stop.cancel();
        };
        tokio::join!(lease.keep(&stop), watching);
        assert!(!*held.borrow());
        assert_eq!(*leases.released.lock().unwrap(), [("stories".to_owned(), lease.holder.clone())]);
        assert_ne!(scripted(vec![]).1.holder, lease.holder, "each node is another holder");
    }

    #[tokio::test]
    async fn who_does_not_get_it_does_not_have_it() {
        for answer in [Ok(false), Err(Error::Unavailable("away".into()))] {
            let (_, lease) = scripted(vec![answer]);
            let (stop, held) = (CancellationToken::new(), lease.watch());
            stop.cancel();
            lease.keep(&stop).await;
            assert!(!*held.borrow() && !held.has_changed().unwrap());
        }
    }
}
