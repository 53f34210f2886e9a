//! Names of the tables that live as long as the process.
//!
//! Kinds of bots and networks of previews are what hits are counted by: as `&'static str` they are copied and compared
//! for next to nothing. Guarantees that each is kept once, and at most [`MAX_NAMES`] of them however often an
//! operator's tables are read again.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Names kept; further ones are [`BEYOND`].
const MAX_NAMES: usize = 10_000;
/// What names beyond that are called.
const BEYOND: &str = "other";

static KEPT: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);

/// Keeps a name for good.
pub(super) fn keep(name: &str) -> &'static str {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = kept.get_or_insert_default();
    if let Some(known) = kept.get(name) {
        return known;
    }
    if kept.len() >= MAX_NAMES {
        return BEYOND;
    }
    let name: &'static str = Box::leak(name.into());
    kept.insert(name);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let (first, second) = (keep("Some Network"), keep(&["Some", "Network"].join(" ")));
        assert!(std::ptr::eq(first, second));
    }
}
