//! Sends digests, in the background.
//!
//! Guarantees that of many nodes one does it, and that it ends at a stop. What is sent to whom is `digest`.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::leases::Lease;
use crate::digest::DigestService;

/// The task.
pub(super) struct Digests {
    pub(super) service: Arc<DigestService>,
    pub(super) lease: Lease,
}

impl Digests {
    /// Sends until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        tokio::join!(self.service.run(self.lease.watch(), stop.clone()), self.lease.keep(&stop));
    }
}
