//! Copies of both files, taken while they are written to, here or in another process.
//!
//! Guarantees that each copy is its file at one moment, and numbers are copied first: so no number is without
//! its link. Tokens are left out: a session that was ended since must not come back with a copy. Knows no other table.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::file::{Kind, LINKS, TALLIES};
use crate::store::{Error, Result};

/// Memory for cached pages while copying, in bytes.
const PAGE_CACHE: u64 = 4 << 20;

/// Copies both files into the folder `to`; gives their names.
pub(super) fn snapshot(from: &Path, to: &Path) -> Result<Vec<String>> {
    let mut names = vec![];
    for kind in [&TALLIES, &LINKS] {
        copy(kind, from, to)?;
        names.push(kind.name.to_owned());
    }
    Ok(names)
}

fn copy(kind: &Kind, from: &Path, to: &Path) -> Result<()> {
    let unavailable = |e: std::io::Error| Error::Unavailable(format!("{} cannot be copied: {e}", kind.name));
    let path = kind.path(to);
    // An earlier copy would be written over page by page, and the rest of a longer one would stay.
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(unavailable(e)),
        _ => {}
    }
    let source = kind.open_reader(from, PAGE_CACHE)?;
    let mut target = Connection::open(&path)?;
    // All pages in one step: in several, each write of another process would begin it anew.
    match Backup::new(&source, &mut target)?.step(-1)? {
        StepResult::Done => {}
        _ => return Err(Error::Unavailable(format!("{} is busy", kind.name))),
    }
    // One file, without a log beside it.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    if kind.name == LINKS.name {
        // Not in free pages either.
        target.pragma_update(None, "secure_delete", true)?;
        target.execute("DELETE FROM tokens", [])?;
    }
    target.close().map_err(|(_, e)| Error::from(e))?;
    std::fs::File::open(&path).and_then(|file| file.sync_all()).map_err(unavailable)
}
