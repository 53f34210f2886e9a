//! What the client's errors mean to a connection and to a store.
//!
//! Guarantees that a lost connection, whose commands may have been done, is told from an answer that says no.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::store::Error;

/// What an error says of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// It is gone.
    Lost,
    /// The server is not, or no longer, the one that takes writes.
    WrongServer,
    /// The server has answered; it is well.
    Answered,
}

/// What an error says of its connection.
pub(super) fn means(error: &RedisError) -> Means {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) => Means::WrongServer,
        ErrorKind::Server(_) | ErrorKind::UnexpectedReturnType | ErrorKind::Extension => Means::Answered,
        _ => Means::Lost,
    }
}

/// True if the server does not know a script.
pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(ServerErrorKind::NoScript))
}

/// The store's word for an error.
pub(super) fn unavailable(error: &RedisError) -> Error {
    Error::Unavailable(error.to_string())
}

/// A call that took too long.
pub(super) fn late() -> Error {
    Error::Unavailable("Redis did not answer in time".into())
}
