//! Keys of the day in a file of the data folder: one line each, readable by its owner alone.
//!
//! A file of its own, and not a table, because tables are copied by backups and their free pages keep what was
//! deleted. Guarantees that it is replaced whole, and that a key which has ended goes with the next look at it. One
//! process at a time shares keys: who serves holds the folder's lock.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::calendar::Day;
use crate::store::day_keys::{DayKey, DayKeys};
use crate::store::{Error, Result};

/// The file's name.
pub const FILE: &str = "day-keys";
const NEW: &str = "day-keys.new";
/// Today's, tomorrow's, yesterday's and a few more would be: what is longer is none of ours.
const MAX_BYTES: u64 = 4096;

/// Keys in the folder.
pub(super) struct FileDayKeys {
    pub(super) dir: PathBuf,
}

/// A line of the file.
#[derive(Clone, Copy)]
struct Line {
    day: Day,
    /// In seconds since 1970.
    ends: i64,
    key: DayKey,
}

impl Line {
    fn write(&self) -> String {
        format!("{} {} {:032x}\n", self.day, self.ends, u128::from_be_bytes(self.key.0))
    }

    /// A line that cannot be read is none: its day gets another key.
    fn read(line: &str) -> Option<Line> {
        let mut words = line.split(' ');
        let (day, ends, key) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
        let key = u128::from_str_radix(key, 16).ok().filter(|_| key.len() == 32)?;
        words.next().is_none().then_some(Line { day, ends, key: DayKey(key.to_be_bytes()) })
    }
}

#[async_trait]
impl DayKeys for FileDayKeys {
    async fn share(&self, day: Day, ours: DayKey, ends: Timestamp, now: Timestamp) -> Result<DayKey> {
        let dir = self.dir.clone();
        let ours = Line { day, ends: ends.as_second(), key: ours };
        let shared = tokio::task::spawn_blocking(move || share(&dir, ours, now.as_second())).await;
        let shared = shared.map_err(|_| Error::Unavailable("the thread for day-keys had died".into()))?;
        shared.map_err(|e| Error::Unavailable(format!("{FILE}: {e}")))
    }
}

fn share(dir: &Path, ours: Line, now: i64) -> std::io::Result<DayKey> {
    let there = read(&dir.join(FILE))?;
    let mut kept: Vec<Line> = there.iter().copied().filter(|line| line.ends > now).collect();
    let found = kept.iter().find(|line| line.day == ours.day).map(|line| line.key);
    if found.is_none() {
        kept.push(ours);
    }
    if found.is_none() || kept.len() < there.len() {
        write(dir, &kept)?;
    }
    Ok(found.unwrap_or(ours.key))
}

fn read(path: &Path) -> std::io::Result<Vec<Line>> {
    match fs::metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(vec![]),
        Ok(there) if there.len() > MAX_BYTES => return Ok(vec![]),
        there => there?,
    };
    let bytes = fs::read(path)?;
    Ok(String::from_utf8_lossy(&bytes).lines().filter_map(Line::read).collect())
}

fn write(dir: &Path, lines: &[Line]) -> std::io::Result<()> {
    let new = dir.join(NEW);
    // One that a stop left behind may have been made with other rights.
    match fs::remove_file(&new) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    for line in lines {
        file.write_all(line.write().as_bytes())?;
    }
    file.sync_all()?;
    fs::rename(&new, dir.join(FILE))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn line(day: Day, key: u8) -> Line {
        Line { day, ends: i64::from(day) * 10, key: DayKey([key; 16]) }
    }

    #[test]
    fn the_first_key_stays_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let share = |line, now| share(dir.path(), line, now).unwrap();
        assert_eq!(share(line(1, 7), 0), DayKey([7; 16]));
        assert_eq!(share(line(1, 8), 0), DayKey([7; 16]));
        assert_eq!(share(line(2, 9), 9), DayKey([9; 16]));
        let text = || fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(text().lines().count(), 2);
        assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(share(line(2, 1), 10), DayKey([9; 16]), "only the one that has ended is gone");
        assert_eq!(text(), format!("2 20 {}\n", "09".repeat(16)));
        assert!(!dir.path().join(NEW).exists());
    }

    #[test]
    fn what_cannot_be_read_is_another_key() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "1 2", "1 99 xyz\n", "1 99 00 11\n", &"x".repeat(5000)] {
            fs::write(dir.path().join(FILE), text).unwrap();
            assert_eq!(share(dir.path(), line(1, 7), 0).unwrap(), DayKey([7; 16]), "{text}");
        }
        assert_eq!(format!("{:?}", DayKey([7; 16])), "DayKey(..)");
    }
}
