//! Floor 1: keeps links, numbers and accounts.
//!
//! One trait by noun, object-safe; [`Store`] holds one of each. A backend is one folder here and one line in
//! [`open`]; nothing above this floor can tell which it is. Knows the domain and nothing above.

pub mod accounts;
pub mod links;
pub mod settings;
pub mod tallies;

use std::sync::Arc;

pub use accounts::Accounts;
pub use links::Links;
pub use settings::Settings;
pub use tallies::Tallies;

/// What can go wrong inside a store. None of it is ever shown to a client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached or is out of room; the same call may work later.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// What it holds cannot be.
    #[error("the store holds what cannot be: {0}")]
    Corrupt(String),
    /// It was written by a newer version of this program.
    #[error("{0}")]
    Refused(String),
}

/// The usual result of a store call.
pub type Result<T> = std::result::Result<T, Error>;

/// One open store.
#[derive(Clone)]
pub struct Store {
    /// Links, articles, history.
    pub links: Arc<dyn Links>,
    /// Numbers and ordinals.
    pub tallies: Arc<dyn Tallies>,
    /// Keys, users, audit, remembered answers.
    pub accounts: Arc<dyn Accounts>,
}
