//! What a store of leases must do: say which of many nodes does what one should do.
//!
//! A lease is no lock: after a failover of the store, or a long pause of its holder, two nodes may believe that they
//! hold it. What is done under one must bear being done twice.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;

/// Leases, each with a name.
#[async_trait]
pub trait Leases: Send + Sync {
    /// True if `holder` holds the lease from now on for `span`: it was free, had ended, or was this holder's already.
    /// A store of many nodes goes by its own clock and not by `now`, so that a node whose clock is wrong takes
    /// nothing from others.
    async fn lease(&self, name: &str, holder: &str, now: Timestamp, span: Duration) -> Result<bool>;

    /// Gives it back, if `holder` has it: the next who asks gets it at once.
    async fn release(&self, name: &str, holder: &str) -> Result<()>;
}
