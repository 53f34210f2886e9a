//! A copy of the embedded store and of the journal, taken while a server works on both.
//!
//! Guarantees that every hit beyond the copied numbers is in the copied journal: the journal is copied before
//! and after the numbers, so nothing can go in between; the numbers before the links, so no number is without
//! its link. What could not be had all the same is told. The manifest is written last: without it a backup is
//! none.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Seek;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::files::{self, Sum};
use super::{Error, Progress, io};
use crate::hits::journal::{Entry, Survey};
use crate::store::Store;
use crate::store::tallies::{Dataset, StreamState};

/// The manifest's name.
pub const MANIFEST: &str = "backup.json";
/// The journal's folder in a backup and in a data folder.
pub(super) const JOURNAL: &str = "journal";
/// The version of the manifest.
pub(super) const FORMAT: u32 = 1;
/// Segments at a stream's end that may have grown since they were copied: the one appended to, the one made
/// ready, and one more for a turn in between.
const MAY_GROW: usize = 3;
/// How often numbers and journal are copied again if a segment went in between.
const ATTEMPTS: u32 = 3;
/// What is compared to see that a file was not made into another while it was copied: a segment's first sector
/// says whose it is and is written before anything else of a new one.
const FIRST: usize = 512;

/// In a data folder: when it was backed up last.
const LAST: &str = "last-backup";

/// When the data folder `data` was backed up last, as far as that is known there.
#[must_use]
pub fn last_backup(data: &Path) -> Option<Timestamp> {
    fs::read_to_string(data.join(LAST)).ok()?.trim().parse().ok()
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this manifest.
    pub(super) format: u32,
    /// Whose.
    pub dataset: String,
    /// When it was begun.
    pub made_at: Timestamp,
    /// Hits that neither its numbers nor its journal have. Counted as lost when it is restored.
    pub missing: u64,
    /// All other files, by their path in it.
    pub files: BTreeMap<String, Entered>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entered {
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content.
    pub sha256: String,
}

impl From<Sum> for Entered {
    fn from(sum: Sum) -> Entered {
        Entered { size: sum.size, sha256: sum.sha256 }
    }
}

struct Copying<'a> {
    journal: &'a Path,
    target: &'a Path,
    files: BTreeMap<String, Entered>,
    bytes: u64,
    progress: Progress<'a>,
}

/// Copies the store in the data folder `data` and the journal in `journal` into `target`, an empty folder or one
/// to be made. `progress` is told the bytes copied.
///
/// # Errors
/// `Refused` for a target that is not empty, or while an import or restore is unfinished; else the store's or a file's, and the target has no manifest.
pub async fn backup(
    store: &Store,
    data: &Path,
    journal: &Path,
    target: &Path,
    progress: Progress<'_>,
    now: Timestamp,
) -> Result<Manifest, Error> {
    let fail = |what: &str| format!("{what} {}", target.display());
    if let Some(unfinished) = super::unfinished(data)? {
        return Err(Error::Refused(format!("there is only a part to back up: {unfinished}")));
    }
    files::make_folder(&target.join(JOURNAL)).map_err(io(fail("cannot make")))?;
    let mut there = fs::read_dir(target).map_err(io(fail("cannot read")))?;
    let journal_there = fs::read_dir(target.join(JOURNAL)).map_err(io(fail("cannot read")))?.count();
    if there.any(|entry| entry.map_or(true, |entry| entry.file_name() != JOURNAL)) || journal_there > 0 {
        return Err(Error::Refused(format!("{} is not empty", target.display())));
    }
    let dataset = store.tallies.dataset().await?;
    let mut copying = Copying { journal, target, files: BTreeMap::new(), bytes: 0, progress };
    let mut missing = 0;
    for _attempt in 0..ATTEMPTS {
        let first = copying.segments(&[])?;
        let counted = store.tallies.streams().await?;
        for name in store.backend.snapshot(target).await? {
            let sum = files::sum(&target.join(&name)).map_err(io(fail("cannot read")))?;
            copying.tell(sum.size);
            copying.files.insert(name, sum.into());
        }
        copying.segments(&first)?;
        copying.finished_streams()?;
        missing = gaps(target, &dataset, &counted)?;
        if missing == 0 {
            break;
        }
    }
    let manifest = Manifest {
        format: FORMAT,
        dataset: dataset.id.to_string(),
        made_at: now,
        missing,
        files: copying.files,
    };
    for folder in [&target.join(JOURNAL), target] {
        files::sync_folder(folder).map_err(io(fail("cannot sync")))?;
    }
    let text = serde_json::to_vec_pretty(&manifest).map_err(|e| io(fail("cannot write"))(e.into()))?;
    files::replace(&target.join(MANIFEST), &text).map_err(io(fail("cannot write")))?;
    // The backup is good without it.
    if let Err(error) = files::replace(&data.join(LAST), now.to_string().as_bytes()) {
        tracing::warn!(%error, "it could not be noted that there is a backup");
    }
    Ok(manifest)
}

/// True for a segment's name: those of spare files begin otherwise.
fn is_segment(name: &str) -> bool {
    let parts = name.strip_suffix(".seg").and_then(|name| name.split_once('-'));
    parts.is_some_and(|(stream, number)| {
        stream.len() == 16
            && stream.bytes().all(|b| b.is_ascii_hexdigit())
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

impl Copying<'_> {
    fn tell(&mut self, bytes: u64) {
        self.bytes += bytes;
        (self.progress)(self.bytes, None);
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        let what = || format!("cannot read {}", self.journal.display());
        let listed = match fs::read_dir(self.journal) {
            Ok(listed) => listed,
            // A store that was never served from has no journal.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            Err(e) => return Err(io(what())(e)),
        };
        let mut names = vec![];
        for entry in listed {
            let name = entry.map_err(io(what()))?.file_name().to_string_lossy().into_owned();
            if is_segment(&name) {
                names.push(name);
            }
        }
        // By stream, then number.
        names.sort();
        Ok(names)
    }

    /// Copies all segments that are new or may have grown since the names in `before` were listed. Gives the
    /// names it listed.
    fn segments(&mut self, before: &[String]) -> Result<Vec<String>, Error> {
        let names = self.names()?;
        for name in &names {
            let stream = name.get(..16).unwrap_or_default();
            let later = before.iter().filter(|b| b.starts_with(stream) && b.as_str() > name.as_str()).count();
            let entry = format!("{JOURNAL}/{name}");
            let done = self.files.contains_key(&entry) && before.contains(name) && later >= MAY_GROW;
            if !done {
                self.segment(name, entry)?;
            }
        }
        Ok(names)
    }

    /// Copies one segment, unless it goes meanwhile: then all its hits are in the store for good.
    fn segment(&mut self, name: &str, entry: String) -> Result<(), Error> {
        let (from, to) = (self.journal.join(name), self.target.join(JOURNAL).join(name));
        let new = to.with_extension("copying");
        let what = || format!("cannot copy {}", from.display());
        let mut file = match File::open(&from) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(io(what())(e)),
        };
        let before = first(&mut file).map_err(io(what()))?;
        let (bytes, progress) = (self.bytes, self.progress);
        let mut copied = 0;
        let sum = files::copy(&mut file, &new, |n| {
            copied += n;
            progress(bytes + copied, None);
        })
        .map_err(io(what()))?;
        self.bytes += sum.size;
        if first(&mut file).map_err(io(what()))? != before {
            return fs::remove_file(&new).map_err(io(what()));
        }
        fs::rename(&new, &to).map_err(io(what()))?;
        self.files.insert(entry, sum.into());
        Ok(())
    }

    /// Copies the node's list of finished streams.
    fn finished_streams(&mut self) -> Result<(), Error> {
        let name = "streams.json";
        let (from, to) = (self.journal.join(name), self.target.join(JOURNAL).join(name));
        let bytes = match fs::read(&from) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(io(format!("cannot read {}", from.display()))(e)),
        };
        files::replace(&to, &bytes).map_err(io(format!("cannot write {}", to.display())))?;
        let sum = files::sum(&to).map_err(io(format!("cannot read {}", to.display())))?;
        self.files.insert(format!("{JOURNAL}/{name}"), sum.into());
        Ok(())
    }
}

fn first(file: &mut File) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    file.rewind()?;
    let mut bytes = vec![];
    Read::by_ref(file).take(u64::try_from(FIRST).unwrap_or(0)).read_to_end(&mut bytes)?;
    file.rewind()?;
    Ok(bytes)
}

/// How many hits beyond what the store had counted the copied journal lacks, in the site lane.
fn gaps(target: &Path, dataset: &Dataset, counted: &[StreamState]) -> Result<u64, Error> {
    let fail = |e| Error::Refused(format!("the copied journal cannot be read: {e}"));
    let survey = Survey::open(&target.join(JOURNAL), dataset.id, dataset.lanes).map_err(fail)?;
    let mut missing = 0;
    for info in survey.streams() {
        let known = counted.iter().find(|state| state.stream == info.stream);
        let done = known.map_or(&[][..], |state| &state.ordinals);
        let Some(mut reader) = survey.read(info.stream, done) else { continue };
        while let Some(entry) = reader.next() {
            if let Entry::Gap(gap) = entry
                && gap.lane == dataset.lanes
            {
                missing += gap.to - gap.from;
            }
        }
    }
    Ok(missing)
}
