//! The one place with `unsafe`: storing into a file that is mapped shared.
//!
//! A store is a memory copy into the page cache, which a `kill -9` cannot take back. Refuses every store that
//! is not inside the mapping. Knows nothing of records beyond "the first 8 bytes last".

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{Advice, MmapOptions, MmapRaw};

use super::disk::SegmentWriter;
use super::format::index;

/// A shared mapping of the first bytes of a file.
pub(super) struct Mapping {
    map: MmapRaw,
}

/// The only way to store into a [`Mapping`]: made once with it, and not clonable.
pub(super) struct MapWriter {
    mapping: Arc<Mapping>,
}

/// Maps `len` bytes of a file that is at least that long, and is never cut while the mapping lives.
pub(super) fn map(file: &File, len: u64) -> io::Result<(MapWriter, Arc<Mapping>)> {
    if file.metadata()?.len() < len {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the file is shorter than its mapping"));
    }
    let mapping = Arc::new(Mapping { map: MmapOptions::new().len(index(len)).map_raw(file)? });
    Ok((MapWriter { mapping: Arc::clone(&mapping) }, mapping))
}

impl Mapping {
    /// Makes the pages of this range present and writable, without changing a byte.
    pub(super) fn warm(&self, from: u64, to: u64) {
        let (from, to) = (index(from).min(self.map.len()), index(to).min(self.map.len()));
        if from < to {
            // Kernels before 5.14 refuse; then the first store into each page pays for it.
            let _refused = self.map.advise_range(Advice::PopulateWrite, from, to - from);
        }
    }
}

impl MapWriter {
    fn check(&self, at: u64, len: usize) -> io::Result<usize> {
        let at = index(at);
        match at.checked_add(len) {
            Some(end) if end <= self.mapping.map.len() => Ok(at),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "a store beyond the end of the mapping")),
        }
    }
}

impl SegmentWriter for MapWriter {
    fn put(&mut self, at: u64, record: &[u8]) -> io::Result<()> {
        let start = self.check(at, record.len())?;
        let Some((head, body)) = record.split_first_chunk::<8>().filter(|_| start.is_multiple_of(8)) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a record that is short or not aligned"));
        };
        let base = self.mapping.map.as_mut_ptr();
        // SAFETY: `check` proved `start + 8 + body.len() <= map.len()`, so the destination is inside the
        // mapping, which lives as long as `self.mapping`. `record` is ordinary memory and cannot overlap a
        // mapping to which no reference is ever given out. No other thread of this process stores here: this
        // is the mapping's only writer and it is borrowed mutably; readers go through `pread`.
        unsafe { std::ptr::copy_nonoverlapping(body.as_ptr(), base.add(start + 8), body.len()) };
        // SAFETY: the 8 bytes at `start` are inside the mapping as shown above, and aligned: the mapping
        // begins at a page and `start` is a multiple of 8. All stores to them within this process are made
        // by this writer.
        let word = unsafe { AtomicU64::from_ptr(base.add(start).cast::<u64>()) };
        // Release: a kill between two instructions must not leave a head without its payload.
        word.store(u64::from_ne_bytes(*head), Ordering::Release);
        Ok(())
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let start = self.check(at, bytes.len())?;
        // SAFETY: as in `put`: inside the mapping, not overlapping, the only writer.
        unsafe {
            let to = self.mapping.map.as_mut_ptr().add(start);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn stores_are_seen_and_bounds_are_kept() {
        let file = tempfile::tempfile().unwrap();
        assert!(map(&file, 4096).is_err(), "shorter than the mapping");
        file.set_len(8192).unwrap();
        let (mut out, mapping) = map(&file, 8192).unwrap();
        out.put(4096, b"12345678abcdefgh").unwrap();
        out.write_at(1, b"zz").unwrap();
        mapping.warm(0, u64::MAX);
        let mut back = [0; 16];
        file.read_exact_at(&mut back, 4096).unwrap();
        assert_eq!(&back, b"12345678abcdefgh");
        file.read_exact_at(&mut back[..4], 0).unwrap();
        assert_eq!(&back[..4], b"\0zz\0");
        assert!(out.put(8184, b"12345678abcdefgh").is_err());
        assert!(out.put(4, b"12345678").is_err());
        assert!(out.put(0, b"1234").is_err());
        assert!(out.put(u64::MAX, b"12345678").is_err());
        assert!(out.write_at(8191, b"12").is_err());
    }
}
