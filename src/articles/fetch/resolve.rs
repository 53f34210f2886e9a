//! Names to addresses. A parameter of the fetcher, so that a test may be a resolver that lies.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

/// Look-ups at once. One that hangs cannot be ended, only no longer waited for.
const LOOK_UPS: usize = 8;

/// Gives the addresses of a name.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// All addresses of this name, none of them judged yet.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
pub struct System(Arc<Semaphore>);

impl System {
    /// One for the process.
    #[must_use]
    pub fn new() -> System {
        System::of(LOOK_UPS)
    }

    /// One that does so many look-ups at once.
    #[must_use]
    pub fn of(look_ups: usize) -> System {
        System(Arc::new(Semaphore::new(look_ups)))
    }
}

impl Default for System {
    fn default() -> System {
        System::new()
    }
}

#[async_trait]
impl Resolve for System {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let place = Arc::clone(&self.0).acquire_owned().await.map_err(io::Error::other)?;
        let host = host.to_owned();
        let look_up = move || {
            // Held until the system answers, whoever waits: so no more than these threads ever hang.
            let _place = place;
            (host.as_str(), 0).to_socket_addrs().map(|found| found.map(|at| at.ip()).collect())
        };
        tokio::task::spawn_blocking(look_up).await.map_err(io::Error::other)?
    }
}
