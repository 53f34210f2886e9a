//! The lock on a data folder: one process serves from it, imports into it or restores it at a time.
//!
//! An advisory lock of the system (`flock`), so that it goes with its process however that ends. The file says who
//! holds it; what it says is for people, the lock is what counts.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::{Context, bail};

/// A held lock; gone when dropped.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

/// Makes the data folder if need be, and locks it for `purpose` ("serve", "import").
///
/// # Errors
/// If it is locked: says by whom. If it cannot be written: says so.
pub fn lock(dir: &Path, purpose: &str) -> anyhow::Result<DataLock> {
    // Hashes of keys and passwords lie in it: nobody else's business.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("the data folder {} cannot be made", dir.display()))?;
    let path = dir.join("lock");
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = opened.with_context(|| format!("the data folder {} cannot be written", dir.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Whoever holds it may just be writing its name.
            if file.read_to_string(&mut holder).is_err() || holder.trim().is_empty() {
                holder = "another process".into();
            }
            bail!("the data folder {} is in use by {}", dir.display(), holder.trim());
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
        }
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "slugline {purpose} (process {})", std::process::id())?;
    Ok(DataLock { _file: file })
}

/// True if some process holds the lock now.
#[must_use]
pub fn is_locked(dir: &Path) -> bool {
    let Ok(file) = OpenOptions::new().read(true).write(true).open(dir.join("lock")) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_told_by_whom() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_locked(dir.path()));
        let held = lock(dir.path(), "serve").unwrap();
        let refused = lock(dir.path(), "import").unwrap_err().to_string();
        assert!(refused.contains("slugline serve (process"), "{refused}");
        assert!(is_locked(dir.path()));
        drop(held);
        assert!(lock(dir.path(), "import").is_ok());
    }
}
