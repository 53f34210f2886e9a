//! `[store]` of the configuration.

use serde::{Deserialize, Serialize};

use super::redis;

/// Which backend keeps links and numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Two SQLite files in the data folder.
    Sqlite,
    /// Redis or Valkey, which many nodes may share.
    Redis,
}

/// `[store]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which backend.
    pub kind: Kind,
    /// Lanes of a store that is made now; 0 is the backend's own choice (SQLite: 1, Redis: 64).
    pub lanes: u16,
    /// Reader threads of each file in the data folder, a mirror's too, 1 to 64.
    pub readers: usize,
    /// Memory for cached pages of each connection to one, in bytes.
    pub page_cache: crate::units::Size,
    /// Redis: where it is and how to come in.
    pub redis: redis::Settings,
}
