//! What the journal asks of a disk.
//!
//! Two traits, so that tests can cut the power and fill the disk: [`super::real::RealDisk`] is the one in
//! use, [`super::sim::SimDisk`] the one that breaks. Names are relative to the journal's folder; the only
//! folder below it is [`CORRUPT`]. Knows nothing of what is written.

use std::io;
use std::sync::Arc;

/// The folder in which damaged files are kept for people to look at.
pub const CORRUPT: &str = "corrupt";

/// What a disk lists: a file's name within the folder, and its length in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, without the folder.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
}

/// The two ends of one open file.
pub struct Opened {
    /// The one that stores; there is only one.
    pub out: Box<dyn SegmentWriter>,
    /// The one that reads and syncs; may be shared.
    pub file: Arc<dyn SegmentFile>,
}

/// A folder of files.
pub trait Disk: Send + std::marker::Sync {
    /// Makes a file of `len` zero bytes whose room is taken at once; fails if the name is taken.
    fn create(&self, name: &str, len: u64) -> io::Result<Opened>;

    /// Opens a file of ours to be written again from its start; its room is taken at once.
    fn reopen(&self, name: &str) -> io::Result<Opened>;

    /// Opens a file to be read.
    fn open(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>>;

    /// The files in the journal's folder, or in [`CORRUPT`].
    fn list(&self, corrupt: bool) -> io::Result<Vec<Listed>>;

    /// Renames; replaces what has the new name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Gives a file a second name.
    fn link(&self, from: &str, to: &str) -> io::Result<()>;

    /// Takes a name away.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes all of the above survive a power cut.
    fn sync_dir(&self) -> io::Result<()>;
}

/// The end of a file that stores. One owner at a time, so stores never overlap.
pub trait SegmentWriter: Send {
    /// Stores a record, its first 8 bytes last; `at` and the record's length are multiples of 8.
    fn put(&mut self, at: u64, record: &[u8]) -> io::Result<()>;

    /// Stores bytes in no promised order.
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;
}

/// The end of a file that reads and syncs. Sees at once what its writer has stored.
pub trait SegmentFile: Send + std::marker::Sync {
    /// Its length in bytes.
    fn len(&self) -> u64;

    /// True if it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` as far as the file goes, and says how far.
    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Makes the bytes stored so far survive a power cut.
    fn sync(&self) -> io::Result<()>;

    /// Takes the cost of first stores into this range ahead of them. A hint.
    fn warm(&self, from: u64, to: u64);

    /// Writes zeros over a new file, so that later stores need nothing of the file system. May take long.
    fn fill(&self, from: u64) -> io::Result<()>;
}

/// Reads as much of `[at, at + buf.len())` as can be read. A block that cannot be read after three attempts is
/// zeros, as if nothing had ever been stored there: what it held shows as a gap.
pub(super) fn read_all(file: &dyn SegmentFile, at: u64, buf: &mut [u8]) -> usize {
    if let Ok(n) = file.read_at(at, buf) {
        return n;
    }
    let mut done = 0;
    for block in buf.chunks_mut(4096) {
        let from = at + done as u64;
        let want = block.len();
        match (0..3).find_map(|_| file.read_at(from, block).ok()) {
            Some(n) if n < want => return done + n,
            Some(_) => {}
            None => block.fill(0),
        }
        done += want;
    }
    done
}
