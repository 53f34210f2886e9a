//! Lets go of sessions and other tokens that have ended, from time to time.
//!
//! Guarantees that of many nodes one does it. Nothing depends on it: what has ended is refused whether or not it is there.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::leases::Lease;
use crate::clock;
use crate::sessions::SessionService;

/// Between two times.
const EACH: Duration = Duration::from_secs(600);

/// The task.
pub(super) struct Sweeping {
    pub(super) sessions: Arc<SessionService>,
    pub(super) lease: Lease,
}

impl Sweeping {
    /// Sweeps until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let held = self.lease.watch();
        let sweeps = async {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(EACH) => {}
                }
                if !*held.borrow() {
                    continue;
                }
                if let Err(error) = self.sessions.sweep(clock::now()).await {
                    tracing::warn!(%error, "sessions that have ended could not be let go of");
                }
            }
        };
        tokio::join!(sweeps, self.lease.keep(&stop));
    }
}
