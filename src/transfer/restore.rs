//! A backup, put into a new data folder.
//!
//! Guarantees that nothing is put there which is not what was backed up, nothing over what is there, and that a
//! restore which was cut short shows: it is made whole in a folder of its own first ([`PARTIAL`]), which goes
//! last. A sibling folder and one rename would not do where the data folder is a mount.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Component, Path};

use super::backup::{FORMAT, JOURNAL, MANIFEST, Manifest};
use super::{Error, Progress, files, io};

/// The folder within the data folder in which a restore is prepared.
pub const PARTIAL: &str = "restore.partial";
/// What may be in an empty data folder: the lock of who restores.
const LOCK: &str = "lock";

/// True if a restore into this folder was cut short.
pub(super) fn unfinished(dir: &Path) -> bool {
    dir.join(PARTIAL).exists()
}

/// Reads and checks a backup's manifest.
///
/// # Errors
/// `Refused` for a folder that is no backup, an incomplete one, or one of another version.
pub fn manifest(backup: &Path) -> Result<Manifest, Error> {
    let path = backup.join(MANIFEST);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::Refused(format!(
                "{} has no {MANIFEST}: it is no backup, or one that was not finished",
                backup.display()
            )));
        }
        Err(e) => return Err(io(format!("cannot read {}", path.display()))(e)),
    };
    let refused = |why: String| Error::Refused(format!("{} cannot be used: {why}", path.display()));
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(|e| refused(e.to_string()))?;
    if value.get("format").and_then(serde_json::Value::as_u64) != Some(u64::from(FORMAT)) {
        return Err(refused(format!("its version is not {FORMAT}")));
    }
    let manifest: Manifest = serde_json::from_value(value).map_err(|e| refused(e.to_string()))?;
    for name in manifest.files.keys() {
        let mut parts = Path::new(name).components();
        if name.is_empty() || !parts.all(|part| matches!(part, Component::Normal(_))) {
            return Err(refused(format!("it names \"{name}\"")));
        }
    }
    Ok(manifest)
}

/// Puts the backup in `backup` into the data folder `data`, which is empty or to be made. `progress` is told
/// the bytes copied.
///
/// # Errors
/// `Refused` for a backup that is not whole, or a data folder that is not empty; else a file's. After an error
/// it can be run again.
pub fn restore(backup: &Path, data: &Path, progress: Progress<'_>) -> Result<Manifest, Error> {
    let manifest = manifest(backup)?;
    let what = |verb: &str| format!("cannot {verb} {}", data.display());
    files::make_folder(data).map_err(io(what("make")))?;
    let partial = data.join(PARTIAL);
    clear(data, &partial, &manifest)?;
    files::make_folder(&partial.join(JOURNAL)).map_err(io(what("write")))?;
    files::sync_folder(data).map_err(io(what("sync")))?;
    copy_all(backup, &partial, &manifest, progress)?;
    for name in order(&manifest) {
        fs::rename(partial.join(&name), data.join(&name)).map_err(io(what("write")))?;
    }
    files::sync_folder(data).map_err(io(what("sync")))?;
    fs::remove_dir_all(&partial).map_err(io(what("write")))?;
    files::sync_folder(data).map_err(io(what("sync")))?;
    Ok(manifest)
}

/// What is put in place, the journal first and the files of the store last.
fn order(manifest: &Manifest) -> Vec<String> {
    let first = std::iter::once(JOURNAL.to_owned());
    first.chain(manifest.files.keys().filter(|name| !name.contains('/')).cloned()).collect()
}

/// Refuses a folder that is not empty, and takes away what an earlier try left: while [`PARTIAL`] is there,
/// what bears a name of the backup is from that try, because it began with an empty folder.
fn clear(data: &Path, partial: &Path, manifest: &Manifest) -> Result<(), Error> {
    let what = || format!("cannot clear {}", data.display());
    let earlier = partial.exists();
    let ours = order(manifest);
    for entry in fs::read_dir(data).map_err(io(what()))? {
        let name = entry.map_err(io(what()))?.file_name().to_string_lossy().into_owned();
        if name != LOCK && name != PARTIAL && !(earlier && ours.contains(&name)) {
            return Err(Error::Refused(format!(
                "{} is not empty ({name} is there): a backup is restored into a new data folder",
                data.display()
            )));
        }
    }
    if !earlier {
        return Ok(());
    }
    for name in &ours {
        let path = data.join(name);
        let gone = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match gone {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(what())(e)),
            _ => {}
        }
    }
    files::sync_folder(data).map_err(io(what()))?;
    fs::remove_dir_all(partial).map_err(io(what()))
}

fn copy_all(backup: &Path, partial: &Path, manifest: &Manifest, progress: Progress<'_>) -> Result<(), Error> {
    let total = manifest.files.values().map(|file| file.size).sum();
    let mut folders = BTreeMap::from([(partial.to_path_buf(), ()), (partial.join(JOURNAL), ())]);
    let mut done = 0;
    for (name, said) in &manifest.files {
        let (from, to) = (backup.join(name), partial.join(name));
        let what = || format!("cannot copy {}", from.display());
        if let Some(folder) = to.parent() {
            files::make_folder(folder).map_err(io(what()))?;
            folders.insert(folder.to_path_buf(), ());
        }
        let mut file = match File::open(&from) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Refused(format!("the backup lacks {name}")));
            }
            Err(e) => return Err(io(what())(e)),
        };
        let sum = files::copy(&mut file, &to, |n| {
            done += n;
            progress(done, Some(total));
        })
        .map_err(io(what()))?;
        if sum.size != said.size || sum.sha256 != said.sha256 {
            return Err(Error::Refused(format!("{name} is not what was backed up: its checksum differs")));
        }
    }
    for folder in folders.keys() {
        files::sync_folder(folder).map_err(io(format!("cannot sync {}", folder.display())))?;
    }
    Ok(())
}
