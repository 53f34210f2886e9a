//! Keys of the day: all who share one get the same.

use super::{Store, at};
use crate::domain::calendar::Day;
use crate::store::day_keys::DayKey;

/// Far enough ahead for any clock.
const ENDS: i64 = 3_000_000_000;

async fn share(store: &Store, day: Day, byte: u8) -> DayKey {
    store.day_keys.share(day, DayKey([byte; 16]), at(ENDS), at(0)).await.expect("a key")
}

/// Also for who shares it again, and for bytes of any kind.
pub async fn the_first_key_stays(store: &Store) {
    assert_eq!(share(store, 1, 0).await, DayKey([0; 16]));
    assert_eq!(share(store, 1, 255).await, DayKey([0; 16]));
    assert_eq!(share(store, 1, 0).await, DayKey([0; 16]));
}

/// Each has its own.
pub async fn days_have_their_own_keys(store: &Store) {
    assert_eq!(share(store, 1, 1).await, DayKey([1; 16]));
    assert_eq!(share(store, 2, 255).await, DayKey([255; 16]));
    assert_eq!(share(store, 1, 3).await, DayKey([1; 16]));
}
