//! Tells webhooks what happens, in the background: deliveries, and looking for spikes.
//!
//! Guarantees that of many nodes one does it, and that it ends at a stop. What is sent where is `webhooks`.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::leases::Lease;
use crate::store::{Links, Tallies};
use crate::webhooks::WebhookService;
use crate::webhooks::dispatcher::Dispatcher;
use crate::webhooks::spikes::Spikes;

/// The tasks.
pub(super) struct Telling {
    pub(super) service: Arc<WebhookService>,
    pub(super) links: Arc<dyn Links>,
    pub(super) tallies: Arc<dyn Tallies>,
    pub(super) lease: Lease,
}

impl Telling {
    /// Delivers and looks until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let Telling { service, links, tallies, lease } = self;
        let dispatcher =
            Dispatcher { service: Arc::clone(&service), links: Arc::clone(&links), held: lease.watch() };
        let spikes = Spikes { service, links, tallies, held: lease.watch() };
        tokio::join!(dispatcher.run(stop.clone()), spikes.run(stop.clone()), lease.keep(&stop));
    }
}
