//! How far an import is: `import.json` in the data folder.
//!
//! Guarantees that after a kill or a power cut the old or the new note is there, and that it is never ahead of the store. It
//! may be behind: doing a line twice is doing it once.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::transfer::format::Header;
use crate::transfer::{Error, files, io};

/// The file's name.
pub const MARKER: &str = "import.json";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Marker {
    /// The dataset that the file was made from.
    pub(super) source: String,
    /// The hash of its first line.
    pub(super) header: String,
    pub(super) merge: bool,
    /// Lines that are done, the first one included; none behind the first bad one.
    pub(super) lines: u64,
    /// True if the import came to the file's end, with bad lines.
    pub(super) ended: bool,
}

impl Marker {
    pub(super) fn begin(header: &Header, merge: bool, lines: u64) -> Marker {
        Marker { source: header.dataset.clone(), header: header.hash.clone(), merge, lines, ended: false }
    }

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
