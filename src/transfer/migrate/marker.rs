//! How far a migration is: `migrate.json` in the data folder of the store that is filled.
//!
//! Guarantees that after a kill or a power cut the old or the new note is there, and that it is never ahead of the
//! store. It may be behind: doing a step twice is doing it once.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::tally::ScopeKind;
use crate::transfer::{Error, files, io};

/// The file's name.
pub const MARKER: &str = "migrate.json";

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    /// Articles, links and their history, those after this.
    Links(Option<String>),
    /// Keys, users and the audit.
    Accounts,
    /// Numbers, those after the scope of this kind and name.
    Numbers(Option<(String, String)>),
    /// Comparing.
    Compare,
    /// All is the same; the store that was left is to be left for good.
    Leave,
}

impl Stage {
    pub(super) fn numbers_after(kind: ScopeKind, name: &str) -> Stage {
        Stage::Numbers(Some((kind.as_str().to_owned(), name.to_owned())))
    }
}

/// The note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Marker {
    /// The dataset that is left.
    pub(super) source: String,
    /// The dataset that is filled.
    pub(super) target: String,
    pub(super) stage: Stage,
}

impl Marker {
    pub(super) fn load(dir: &Path) -> Result<Option<Marker>, Error> {
        let path = dir.join(MARKER);
        let what = format!("cannot read {}", path.display());
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io(what)(e)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| Error::Refused(format!("{what}: {e}")))
    }

    pub(super) fn save(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(MARKER);
        let what = format!("cannot write {}", path.display());
        let bytes = serde_json::to_vec(self).map_err(|e| io(what.clone())(e.into()))?;
        files::replace(&path, &bytes).map_err(io(what))
    }

    pub(super) fn remove(dir: &Path) -> Result<(), Error> {
        let path = dir.join(MARKER);
        std::fs::remove_file(&path)
            .and_then(|()| files::sync_folder(dir))
            .map_err(io(format!("cannot remove {}", path.display())))
    }
}
