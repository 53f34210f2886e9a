//! Files: written whole or not at all, copied with their checksum, and hexadecimal.
//!
//! Guarantees that what is said to be written survives a power cut. Knows nothing of what is in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use sha2::{Digest, Sha256};

const CHUNK: usize = 1 << 20;
/// Hashes of keys and passwords are for the owner only.
const PRIVATE: u32 = 0o600;

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// 32 bytes from hexadecimal.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A copy's size and SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) size: u64,
    pub(super) sha256: String,
}

/// Copies what `from` has from where it stands into a new file, which is on the disk when this returns. Long
/// runs of zeros take no room.
pub(super) fn copy(from: &mut File, to: &Path, mut copied: impl FnMut(u64)) -> std::io::Result<Sum> {
    let mut out = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(to)?;
    let (mut hash, mut size) = (Sha256::new(), 0_u64);
    let mut buf = vec![0; CHUNK];
    loop {
        let n = fill(from, &mut buf)?;
        let Some(part) = buf.get(..n).filter(|part| !part.is_empty()) else { break };
        hash.update(part);
        if part.iter().all(|b| *b == 0) {
            out.seek(SeekFrom::Current(i64::try_from(n).unwrap_or(0)))?;
        } else {
            out.write_all(part)?;
        }
        let n = u64::try_from(n).unwrap_or(0);
        size += n;
        copied(n);
    }
    out.set_len(size)?;
    out.sync_all()?;
    Ok(Sum { size, sha256: hex(&hash.finalize()) })
}

/// What a file holds, by size and SHA-256.
pub(super) fn sum(path: &Path) -> std::io::Result<Sum> {
    let mut from = File::open(path)?;
    let (mut hash, mut size) = (Sha256::new(), 0_u64);
    let mut buf = vec![0; CHUNK];
    loop {
        let n = fill(&mut from, &mut buf)?;
        let Some(part) = buf.get(..n).filter(|part| !part.is_empty()) else { break };
        hash.update(part);
        size += u64::try_from(n).unwrap_or(0);
    }
    Ok(Sum { size, sha256: hex(&hash.finalize()) })
}

fn fill(from: &mut File, buf: &mut [u8]) -> std::io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Replaces a file: after a kill or a power cut the old one or the new one is there, never a part.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(PRIVATE).open(&new)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    drop(out);
    fs::rename(&new, path)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Makes a folder, and those above it, where they are missing; those made are the owner's alone.
pub(super) fn make_folder(folder: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Makes the names in a folder survive a power cut.
pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_the_same_and_hexadecimal_returns() {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = vec![0; 3 * CHUNK + 7];
        bytes[CHUNK + 5] = 9;
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&from, &bytes).unwrap();
        let said = copy(&mut File::open(&from).unwrap(), &to, |_| {}).unwrap();
        assert_eq!(fs::read(&to).unwrap(), bytes);
        assert_eq!(said, sum(&to).unwrap());
        assert_eq!(said.sha256, sha256(&bytes));
        assert!(copy(&mut File::open(&from).unwrap(), &to, |_| {}).is_err(), "the name is taken");
        let hash = [7; 32];
        assert_eq!(unhex(&hex(&hash)), Some(hash));
        for bad in ["", "7", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }
}
