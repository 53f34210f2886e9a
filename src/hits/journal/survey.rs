//! A journal looked at from outside, while another process may be appending to it.
//!
//! Guarantees that nothing in its folder is changed: no stream is begun, nothing renamed, removed or kept
//! aside. What is read is what was there when it was opened, and perhaps a little more. A segment that is
//! recycled meanwhile shows as a gap. Knows nothing of what is looked for.

use std::io::{Error as IoError, ErrorKind, Result};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::tally::{DatasetId, StreamId};

use super::disk::{Disk, Listed, Opened, SegmentFile, SegmentWriter};
use super::format::index;
use super::real::RealDisk;
use super::{Error, Journal, Odd, Owner, Reader, Settings, StreamInfo};
use crate::units::Size;

/// How often a folder is looked at again because a file went while it was being looked at.
const ATTEMPTS: u32 = 10;

/// The name under which the stream that every open journal has is begun, in memory only.
const NOBODY: StreamId = StreamId(0);

/// What lies in a journal's folder.
pub struct Survey {
    journal: Journal,
}

impl Survey {
    /// Looks at a folder, which must be there.
    ///
    /// # Errors
    /// The disk's.
    pub fn open(folder: &Path, dataset: DatasetId, lanes: u16) -> std::result::Result<Survey, Error> {
        let owner = Owner { stream: NOBODY, dataset, lanes };
        let settings = Settings { segment_bytes: Size(0), ..Settings::default() };
        let mut attempt = 0;
        loop {
            let disk = Arc::new(LookOnly(RealDisk::existing(folder)));
            match Journal::open_still(disk, &settings, owner, 0) {
                Err(Error::Io { source, .. })
                    if source.kind() == ErrorKind::NotFound && attempt < ATTEMPTS && folder.is_dir() =>
                {
                    attempt += 1;
                }
                opened => return opened.map(|journal| Survey { journal }),
            }
        }
    }

    /// Every stream of our dataset that has segments here.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamInfo> {
        let dataset = self.journal.core.owner.dataset;
        self.journal.streams().into_iter().filter(|s| !s.current && s.dataset == dataset).collect()
    }

    /// How many lanes segments of our dataset were made for, if that is another number than ours.
    #[must_use]
    pub fn other_lanes(&self) -> Option<u16> {
        self.journal.odd().iter().find_map(|odd| match odd {
            Odd::OtherLanes { lanes, .. } => Some(*lanes),
            _ => None,
        })
    }

    /// See [`Journal::read`].
    #[must_use]
    pub fn read(&self, stream: StreamId, done: &[u64]) -> Option<Reader> {
        self.journal.read(stream, done)
    }
}

/// A folder of which only reading is real. New files are in memory; all else that would change it is not done.
struct LookOnly(RealDisk);

impl Disk for LookOnly {
    fn create(&self, _name: &str, len: u64) -> Result<Opened> {
        let file = Arc::new(Scratch(Mutex::new(vec![0; index(len)])));
        Ok(Opened { out: Box::new(ScratchWriter(Arc::clone(&file))), file })
    }

    fn reopen(&self, _name: &str) -> Result<Opened> {
        Err(IoError::from(ErrorKind::ReadOnlyFilesystem))
    }

    fn open(&self, name: &str) -> Result<Arc<dyn SegmentFile>> {
        self.0.open(name)
    }

    fn list(&self, corrupt: bool) -> Result<Vec<Listed>> {
        self.0.list(corrupt)
    }

    fn rename(&self, _from: &str, _to: &str) -> Result<()> {
        Ok(())
    }

    fn link(&self, _from: &str, _to: &str) -> Result<()> {
        Ok(())
    }

    fn remove(&self, _name: &str) -> Result<()> {
        Ok(())
    }

    fn sync_dir(&self) -> Result<()> {
        Ok(())
    }
}

struct Scratch(Mutex<Vec<u8>>);

struct ScratchWriter(Arc<Scratch>);

impl SegmentWriter for ScratchWriter {
    fn put(&mut self, at: u64, record: &[u8]) -> Result<()> {
        self.write_at(at, record)
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        let mut all = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = index(at);
        let place = start.checked_add(bytes.len()).and_then(|end| all.get_mut(start..end));
        place.ok_or_else(|| IoError::from(ErrorKind::UnexpectedEof))?.copy_from_slice(bytes);
        Ok(())
    }
}

impl SegmentFile for Scratch {
    fn len(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    fn read_at(&self, at: u64, buf: &mut [u8]) -> Result<usize> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = all.get(index(at)..).unwrap_or_default();
        let n = from.len().min(buf.len());
        buf[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn warm(&self, _from: u64, _to: u64) {}

    fn fill(&self, _from: u64) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hit::NewHit;
    use crate::hits::journal::Entry;

    const DATASET: DatasetId = DatasetId(7);

    fn append(journal: &Journal, n: i64) {
        for at in 0..n {
            journal.append(&NewHit { user_agent: b"Mozilla/5.0", ..NewHit::plain(0, "kx7dw4m", at * 1_000) });
        }
    }

    fn listing(folder: &Path) -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_file())
            .map(|e| (e.file_name().to_string_lossy().into_owned(), std::fs::read(e.path()).unwrap()))
            .collect();
        all.sort();
        all
    }

    fn hits(survey: &Survey, stream: StreamId) -> usize {
        let mut reader = survey.read(stream, &[]).unwrap();
        let mut hits = 0;
        while let Some(entry) = reader.next() {
            assert!(matches!(entry, Entry::Hit(_)), "{entry:?}");
            hits += 1;
        }
        hits
    }

    #[test]
    fn looks_at_a_journal_that_is_appended_to_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { segment_bytes: Size(16 << 10), ..Settings::default() };
        assert!(Survey::open(&dir.path().join("none"), DATASET, 1).is_err());
        for boot in 1..=2_u64 {
            let owner = Owner { stream: StreamId(boot), dataset: DATASET, lanes: 1 };
            let disk = Arc::new(RealDisk::open(dir.path(), super::super::settings::Io::Auto).unwrap());
            let journal = Journal::open_still(disk, &settings, owner, 5).unwrap();
            append(&journal, 500);
            journal.prepare_now().unwrap();
            let before = listing(dir.path());
            let survey = Survey::open(dir.path(), DATASET, 1).unwrap();
            assert_eq!(survey.streams().len(), usize::try_from(boot).unwrap());
            assert_eq!(hits(&survey, StreamId(boot)), 500);
            assert!(survey.streams().iter().all(|s| s.first_retained == [1, 1]));
            assert_eq!(listing(dir.path()), before);
            append(&journal, 1);
            let survey = Survey::open(dir.path(), DATASET, 1).unwrap();
            assert_eq!(hits(&survey, StreamId(boot)), 501);
            assert!(Survey::open(dir.path(), DatasetId(8), 1).unwrap().streams().is_empty());
        }
    }
}
