//! What a server itself says it has counted, to hold beside what was answered.
//!
//! Guarantees: what is read is all that was counted up to the last `settle`; nothing is estimated. Refuses to know: how
//! many were answered.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::api::Api;
use crate::numbers::count;

/// How long a server may take to count what it answered.
const LIMIT: Duration = Duration::from_secs(180);
/// A log that has not grown for so long is written.
const STILL: Duration = Duration::from_millis(50);
const KEYS_AT_ONCE: usize = 1_000;

/// Where it is read.
pub(crate) enum Counts {
    /// It counts nothing.
    Nothing,
    /// A line of an access log for each request.
    Log(PathBuf),
    /// A key in Redis for each code.
    Keys { redis: redis::Client, codes: Vec<String> },
    /// Slugline's reports.
    Reports(Api),
}

impl Counts {
    /// Waits until nothing that was answered waits to be counted.
    pub(crate) fn settle(&self) -> Result<()> {
        match self {
            // Whoever is answered by these has been counted before.
            Self::Nothing | Self::Keys { .. } => Ok(()),
            Self::Log(log) => still(log),
            Self::Reports(api) => api.settled(LIMIT).map(drop),
        }
    }

    /// How many are counted; `None` if that is not its business.
    pub(crate) fn now(&self) -> Result<Option<u64>> {
        match self {
            Self::Nothing => Ok(None),
            Self::Log(log) => lines(log).map(Some),
            Self::Keys { redis, codes } => sum(redis, codes).map(Some),
            Self::Reports(api) => Ok(Some(api.settled(LIMIT)?.counted)),
        }
    }

    /// Empties a log between rounds, so that a long run does not fill the disk.
    pub(crate) fn tidy(&self) -> Result<()> {
        if let Self::Log(log) = self {
            OpenOptions::new().write(true).open(log)?.set_len(0)?;
        }
        Ok(())
    }
}

fn still(log: &Path) -> Result<()> {
    let give_up = Instant::now() + LIMIT;
    let mut before = fs::metadata(log)?.len();
    loop {
        std::thread::sleep(STILL);
        let now = fs::metadata(log)?.len();
        if now == before {
            return Ok(());
        }
        ensure!(Instant::now() < give_up, "{} grows though nothing is asked", log.display());
        before = now;
    }
}

fn lines(log: &Path) -> Result<u64> {
    let mut file = File::open(log).with_context(|| format!("cannot read {}", log.display()))?;
    let mut buffer = vec![0; 1 << 20];
    let mut lines = 0;
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(lines);
        }
        lines += count(buffer[..length].iter().filter(|&&byte| byte == b'\n').count());
    }
}

fn sum(redis: &redis::Client, codes: &[String]) -> Result<u64> {
    let mut connection = redis.get_connection()?;
    let mut sum = 0;
    for codes in codes.chunks(KEYS_AT_ONCE) {
        let keys: Vec<String> = codes.iter().map(|code| format!("clicks:{code}")).collect();
        let clicks: Vec<Option<u64>> = redis::cmd("MGET").arg(keys).query(&mut connection)?;
        sum += clicks.into_iter().flatten().sum::<u64>();
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Counts, lines};

    #[test]
    fn lines_of_a_log_are_counted_and_gone_when_it_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("access.log");
        fs::write(&log, "a line\n".repeat(300_000)).unwrap();
        let counts = Counts::Log(log.clone());
        counts.settle().unwrap();
        assert_eq!(counts.now().unwrap(), Some(300_000));
        counts.tidy().unwrap();
        assert_eq!(lines(&log).unwrap(), 0);
    }
}
