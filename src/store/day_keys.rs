//! Keys of the day: what visitors' hashes are made with, the same on all nodes of a store.
//!
//! Guarantees that all who share a day's key end with one, and that it is gone a day after its day. A key is in no
//! export, no backup and no mirror: who has it and an address can tell whether that address was here on that day.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::domain::calendar::Day;

/// A day's random key. It does not show when it is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DayKey(pub [u8; 16]);

impl fmt::Debug for DayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DayKey(..)")
    }
}

/// Where nodes agree on keys.
#[async_trait]
pub trait DayKeys: Send + Sync {
    /// Puts `ours` for `day` unless there is a key already, to be forgotten at `ends`, and gives the one that is
    /// there then. Doing it twice is doing it once.
    ///
    /// # Errors
    /// `Unavailable` or `Fenced`: whether ours is there now is not known.
    async fn share(&self, day: Day, ours: DayKey, ends: Timestamp, now: Timestamp) -> Result<DayKey>;
}
