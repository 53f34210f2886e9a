//! Everything that is kept, moved: to JSON lines and back, to a backup and back, into another store.
//!
//! Guarantees that what was begun and not ended can be seen ([`unfinished`]), and that nothing is written over
//! what is there already. Knows stores by their traits and the data folder by its names; draws no progress bars
//! and reads no clock.

pub mod backup;
mod check;
pub mod export;
mod files;
mod format;
pub mod import;
mod lines;
pub mod migrate;
pub mod restore;
pub mod sheet;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use crate::store;

pub use backup::{Manifest, backup, last_backup};
pub use export::{Exported, export, links_only};
pub use format::Header;
pub use import::{Imported, adopt_zones, import, read_header};
pub use restore::restore;

/// Told how much is done, and of how much if that is known. What is counted is said by who calls it.
pub type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Sync);

/// Why nothing more was moved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store's.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file's.
    #[error("{what}: {source}")]
    Io {
        /// What was to be done.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It must not be done like this; the text says why and what helps.
    #[error("{0}")]
    Refused(String),
}

/// Names what was to be done when a file could not be read or written.
fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.into();
    move |source| Error::Io { what, source }
}

/// How many lines of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(pub BTreeMap<&'static str, u64>);

impl Lines {
    fn add(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Lines of this kind.
    #[must_use]
    pub fn of(&self, kind: &str) -> u64 {
        self.0.get(kind).copied().unwrap_or(0)
    }

    /// All lines.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.0.values().sum()
    }
}

/// What a data folder waits for before it may be served from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// An import that was cut short: run it again with the same file.
    Import {
        /// The dataset that the file was made from.
        source: String,
        /// Lines of the file that are done.
        lines: u64,
    },
    /// A restore that was cut short: run it again.
    Restore,
    /// A migration that was cut short: run it again with the same two configurations.
    Migration {
        /// The dataset that is left.
        source: String,
        /// The dataset that is filled.
        target: String,
    },
}

impl std::fmt::Display for Unfinished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unfinished::Import { source, lines } => write!(
                f,
                "an import of dataset {source} was cut short after line {lines}; run `slugline import` again with \
                 the same file, or remove {} to leave it at that",
                import::MARKER
            ),
            Unfinished::Migration { source, target } => write!(
                f,
                "a migration of dataset {source} into dataset {target} was cut short; run `slugline migrate` again, or \
                 remove {} to leave it at that",
                migrate::MARKER
            ),
            Unfinished::Restore => {
                f.write_str("a restore was cut short; run `slugline restore` again with the same backup")
            }
        }
    }
}

/// What was begun in a data folder and not ended.
///
/// # Errors
/// A marker that cannot be read.
pub fn unfinished(dir: &Path) -> Result<Option<Unfinished>, Error> {
    if restore::unfinished(dir) {
        return Ok(Some(Unfinished::Restore));
    }
    if let Some(migration) = migrate::unfinished(dir)? {
        return Ok(Some(migration));
    }
    import::unfinished(dir)
}
