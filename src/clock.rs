//! The one place that reads the clock. Everything else is given the time.

use jiff::Timestamp;

/// Now, in milliseconds since 1970.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now_ms() -> i64 {
    match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        // A clock before 1970 is wrong, but a redirect must not fail because of it.
        Err(_) => 0,
    }
}

/// Now, to the millisecond: finer times do not survive the store.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_millisecond(now_ms()).unwrap_or(Timestamp::UNIX_EPOCH)
}
