//! Everything from one store into another, whatever the two are.
//!
//! Guarantees that the other store is a new one (numbers are set and never added), that what was cut short goes on
//! where it was, and that both are compared, item by item and number by number, before anybody is told that it is
//! done. Streams do not move: all that they counted is in the numbers, so every journal must have been counted before.
//! Nor do answers remembered for Idempotency-Keys: they live for a day. Opens no store and fences none.

mod admit;
mod compare;
mod copy;
mod digest;
mod marker;
mod numbers;
#[cfg(test)]
mod tests;

use std::path::Path;

use super::{Error, Unfinished};
use crate::domain::tally::DatasetId;
pub use compare::{Compared, compare};
pub use copy::{Copied, copy};
pub use marker::MARKER;
use marker::{Marker, Stage};

/// What a migration in this data folder that was cut short was about.
pub(super) fn unfinished(dir: &Path) -> Result<Option<Unfinished>, Error> {
    let marker = Marker::load(dir)?;
    Ok(marker.map(|marker| Unfinished::Migration { source: marker.source, target: marker.target }))
}

/// The dataset that is to be left for good, and the one it was migrated to: if an earlier run in this data folder has
/// moved and compared everything, and was cut short then.
///
/// # Errors
/// The marker's.
pub fn compared(dir: &Path) -> Result<Option<(DatasetId, DatasetId)>, Error> {
    let Some(marker) = Marker::load(dir)?.filter(|marker| marker.stage == Stage::Leave) else {
        return Ok(None);
    };
    let id = |text: &str| {
        text.parse().map_err(|_| Error::Refused(format!("{MARKER} names no dataset, but \"{text}\"")))
    };
    Ok(Some((id(&marker.source)?, id(&marker.target)?)))
}

/// The store that was left is left for good: nothing more is to be done.
///
/// # Errors
/// The marker's.
pub fn done(dir: &Path) -> Result<(), Error> {
    Marker::remove(dir)
}
