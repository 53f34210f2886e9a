//! What SQLite's errors mean to a store, and how numbers and times become columns.
//!
//! Guarantees that "out of room or locked" ([`Error::Unavailable`], worth a retry) is told from "this cannot be"
//! ([`Error::Corrupt`]). Knows no table.

use jiff::Timestamp;
use rusqlite::ErrorCode;

use crate::store::{Error, Result};

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OperationInterrupted
                | ErrorCode::OperationAborted,
            ) => Error::Unavailable(error.to_string()),
            _ => Error::Corrupt(error.to_string()),
        }
    }
}

/// The same error for each caller of a group whose commit failed.
pub(super) fn copy_of(error: &Error) -> Error {
    match error {
        Error::Unavailable(text) => Error::Unavailable(text.clone()),
        Error::Corrupt(text) => Error::Corrupt(text.clone()),
        Error::Refused(text) => Error::Refused(text.clone()),
        Error::Fenced(text) => Error::Fenced(text.clone()),
    }
}

/// What a call gets when the thread that should answer it is gone.
pub(super) fn gone() -> Error {
    Error::Unavailable("the embedded store is closed".into())
}

/// A value that does not belong where it was found.
pub(super) fn corrupt(what: &str, value: impl std::fmt::Display) -> Error {
    Error::Corrupt(format!("{what} is \"{value}\""))
}

/// Milliseconds since 1970: the precision that links and accounts are kept in.
pub(super) fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A kept time.
pub(super) fn time(ms: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|_| corrupt("a time", ms))
}

/// A kept time that may be missing.
pub(super) fn maybe_time(ms: Option<i64>) -> Result<Option<Timestamp>> {
    ms.map(time).transpose()
}

/// The time as it will be read again.
pub(super) fn cut(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// A count as a column.
pub(super) fn signed(count: u64) -> Result<i64> {
    i64::try_from(count).map_err(|_| corrupt("a count", count))
}

/// A column as a count.
pub(super) fn unsigned(count: i64) -> Result<u64> {
    u64::try_from(count).map_err(|_| corrupt("a count", count))
}
