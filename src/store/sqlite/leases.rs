//! Leases of the embedded store: in memory, because one process at a time serves from its folder.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::store::Result;
use crate::store::leases::Leases;

/// By name: who holds it, until when.
#[derive(Default)]
pub(super) struct MemoryLeases(Mutex<HashMap<String, (String, Timestamp)>>);

#[async_trait]
impl Leases for MemoryLeases {
    async fn lease(&self, name: &str, holder: &str, now: Timestamp, span: Duration) -> Result<bool> {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if leases.get(name).is_some_and(|(other, until)| other != holder && *until > now) {
            return Ok(false);
        }
        let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
        let until = now.saturating_add(span).unwrap_or(Timestamp::MAX);
        leases.insert(name.to_owned(), (holder.to_owned(), until));
        Ok(true)
    }

    async fn release(&self, name: &str, holder: &str) -> Result<()> {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if leases.get(name).is_some_and(|(held, _)| held == holder) {
            leases.remove(name);
        }
        Ok(())
    }
}
