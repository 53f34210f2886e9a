//! Keeps the keys of the day: shared with the store before the first hit, then looked at again and again.
//!
//! Guarantees that a key which the store lost is put back, and that a store that was away is asked soon after it is
//! there again. Runs as a task of `tasks`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::domain::calendar::Calendar;
use crate::hits::readers::Readers;
use crate::links::codes::system_bytes;
use crate::store;
use crate::store::day_keys::{DayKey, DayKeys};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(30);
/// Between two tries while a key is not shared.
const TRY: Duration = Duration::from_secs(2);

/// What keeps the keys.
pub(super) struct KeyKeeper {
    pub(super) store: Arc<dyn DayKeys>,
    pub(super) readers: Arc<Readers>,
    pub(super) calendar: Calendar,
}

impl KeyKeeper {
    /// Makes and shares what is needed now and next.
    pub(super) async fn keep(&self, now: Timestamp) -> store::Result<()> {
        self.readers.keys.keep(&*self.store, &self.calendar, now, &mut random_key).await
    }

    /// Until `stop`; `shared` is what came of the first time.
    pub(super) async fn run(self, mut shared: bool, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(if shared { LOOK } else { TRY }) => {}
            }
            let kept = self.keep(clock::now()).await;
            match &kept {
                Ok(()) if !shared => tracing::info!("the keys of the day are shared with the store again"),
                Err(error) if shared => {
                    tracing::warn!(%error, "the keys of the day cannot be shared with the store");
                }
                _ => {}
            }
            shared = kept.is_ok();
        }
    }
}

/// A random key.
pub(super) fn random_key() -> DayKey {
    let mut key = [0; 16];
    key.copy_from_slice(&system_bytes(16));
    DayKey(key)
}
