//! The disk in use: files in a folder, mapped or written.
//!
//! Guarantees that a file's room is taken before it is given out, so that a store into a mapping never meets
//! a full disk. Knows nothing of what is written.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FallocateFlags;

use super::disk::{CORRUPT, Disk, Listed, Opened, SegmentFile, SegmentWriter};
use super::mapping::{self, Mapping};
use super::settings::Io;
use crate::priority::give_way;

/// What `statfs` says of file systems on which storing into a preallocated mapping cannot fail: they neither
/// copy on write nor live on another machine.
const MAPPABLE: [u64; 3] = [0xef53, 0x5846_5342, 0x0102_1994];

/// Bytes written at once into a new file. The kernel keeps them as one piece, and whoever first stores into a page of it
/// after a sync pays for the whole piece.
const ZEROS: usize = 16 << 10;
/// Bytes of a new file that are synced at once: one large sync would stand in the way of the journal's own.
const SYNCED_AT_ONCE: u64 = 1 << 20;
/// Bytes made writable between two pauses.
const WARMED_AT_ONCE: u64 = 16 << 10;

/// A folder on a file system.
pub struct RealDisk {
    folder: PathBuf,
    mapped: bool,
}

impl RealDisk {
    /// Opens a folder, and makes it (and [`CORRUPT`] in it) where it is missing.
    pub fn open(folder: &Path, io: Io) -> io::Result<RealDisk> {
        fs::create_dir_all(folder.join(CORRUPT))?;
        if let Some(parent) = folder.parent().filter(|p| !p.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        let mapped = match io {
            Io::Mmap => true,
            Io::Write => false,
            Io::Auto => {
                let kind = rustix::fs::statfs(folder)?.f_type;
                u64::try_from(kind).is_ok_and(|kind| MAPPABLE.contains(&kind))
            }
        };
        Ok(RealDisk { folder: folder.to_path_buf(), mapped })
    }

    /// A folder that is there, to be looked at.
    pub(super) fn existing(folder: &Path) -> RealDisk {
        RealDisk { folder: folder.to_path_buf(), mapped: false }
    }

    /// True if records are stored through a mapping, false if by `pwrite`.
    #[must_use]
    pub fn mapped(&self) -> bool {
        self.mapped
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn opened(&self, file: File, len: u64) -> io::Result<Opened> {
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, len) {
            Ok(()) => {}
            // Without preallocation a mapping could meet a full disk; a `pwrite` can say so.
            Err(rustix::io::Errno::OPNOTSUPP) if !self.mapped => file.set_len(len)?,
            Err(e) => return Err(e.into()),
        }
        let file = Arc::new(file);
        let (out, mapping): (Box<dyn SegmentWriter>, _) = if self.mapped {
            let (out, mapping) = mapping::map(&file, len)?;
            (Box::new(out), Some(mapping))
        } else {
            (Box::new(PlainWriter(Arc::clone(&file))), None)
        };
        Ok(Opened { out, file: Arc::new(RealFile { file, len, mapping }) })
    }
}

impl Disk for RealDisk {
    fn create(&self, name: &str, len: u64) -> io::Result<Opened> {
        let path = self.path(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        self.opened(file, len).inspect_err(|_| {
            // What could not take its room must not take the name either.
            let _left = fs::remove_file(&path);
        })
    }

    fn reopen(&self, name: &str) -> io::Result<Opened> {
        let file = OpenOptions::new().read(true).write(true).open(self.path(name))?;
        let len = file.metadata()?.len();
        self.opened(file, len)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn SegmentFile>> {
        let file = File::open(self.path(name))?;
        let len = file.metadata()?.len();
        Ok(Arc::new(RealFile { file: Arc::new(file), len, mapping: None }))
    }

    fn list(&self, corrupt: bool) -> io::Result<Vec<Listed>> {
        let folder = if corrupt { self.path(CORRUPT) } else { self.folder.clone() };
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let about = entry.metadata()?;
            if about.is_file() {
                found.push(Listed {
                    name: entry.file_name().to_string_lossy().into_owned(),
                    len: about.len(),
                });
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        fs::hard_link(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()?;
        File::open(self.path(CORRUPT))?.sync_all()
    }
}

struct PlainWriter(Arc<File>);

impl SegmentWriter for PlainWriter {
    fn put(&mut self, at: u64, record: &[u8]) -> io::Result<()> {
        // One call; if a kill cuts it short, the checksum says so.
        self.0.write_all_at(record, at)
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, at)
    }
}

struct RealFile {
    file: Arc<File>,
    len: u64,
    mapping: Option<Arc<Mapping>>,
}

impl SegmentFile for RealFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.file.read_at(&mut buf[done..], at + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn sync(&self) -> io::Result<()> {
        // Also writes what was stored through the mapping: the kernel knows its dirty pages by the file.
        self.file.sync_data()
    }

    fn warm(&self, from: u64, to: u64) {
        let Some(mapping) = &self.mapping else { return };
        let mut at = from;
        while at < to {
            let end = to.min(at + WARMED_AT_ONCE);
            mapping.warm(at, end);
            at = end;
            give_way(0);
        }
    }

    fn fill(&self, from: u64) -> io::Result<()> {
        if self.mapping.is_none() {
            return Ok(());
        }
        let zeros = vec![0; ZEROS];
        let (mut at, mut unsynced) = (from, 0);
        while at < self.len {
            let n = usize::try_from(self.len - at).unwrap_or(ZEROS).min(ZEROS);
            self.file.write_all_at(&zeros[..n], at)?;
            at += n as u64;
            unsynced += n as u64;
            if unsynced >= SYNCED_AT_ONCE || at >= self.len {
                self.file.sync_data()?;
                unsynced = 0;
            }
            give_way(0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_store_the_same() {
        for io in [Io::Mmap, Io::Write, Io::Auto] {
            let folder = tempfile::tempdir().unwrap();
            let disk = RealDisk::open(&folder.path().join("journal"), io).unwrap();
            let mut made = disk.create("a", 8192).unwrap();
            assert!(disk.create("a", 8192).is_err(), "the name is taken");
            made.file.fill(0).unwrap();
            made.out.put(4096, b"12345678abcdefgh").unwrap();
            made.file.warm(0, 8192);
            made.file.sync().unwrap();
            disk.rename("a", "b").unwrap();
            disk.link("b", "corrupt/c").unwrap();
            disk.sync_dir().unwrap();
            assert_eq!(disk.list(false).unwrap(), [Listed { name: "b".into(), len: 8192 }]);
            assert_eq!(disk.list(true).unwrap(), [Listed { name: "c".into(), len: 8192 }]);
            let mut back = [0; 5000];
            assert_eq!(disk.open("b").unwrap().read_at(4096, &mut back).unwrap(), 4096);
            assert_eq!(&back[..16], b"12345678abcdefgh");
            assert_eq!(disk.reopen("b").unwrap().file.len(), 8192);
            disk.remove("b").unwrap();
            assert!(disk.open("b").is_err());
        }
    }
}
