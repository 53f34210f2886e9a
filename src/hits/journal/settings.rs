//! The `[journal]` section of the configuration.
//!
//! Guarantees that a section which passes [`Settings::check`] can be run. Knows nothing of where the
//! configuration comes from.

use serde::{Deserialize, Serialize};

use crate::units::{Size, Span};

/// When hits are made to survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sync {
    /// Every `sync_interval`: a power cut loses at most that much.
    Interval,
    /// Before a redirect is answered, many at once.
    Always,
    /// When the operating system sees fit.
    Never,
}

/// How records reach the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Io {
    /// `mmap` on ext2/3/4, xfs and tmpfs, else `write`.
    Auto,
    /// A memory copy into the shared mapping of a preallocated file.
    Mmap,
    /// One `pwrite` a record.
    Write,
}

/// What an operator can set of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// When hits are made to survive a power cut: `interval`, `always` or `never`.
    pub sync: Sync,
    /// How often, with `sync = "interval"`: 1 ms to 60 s.
    pub sync_interval: Span,
    /// How long counted hits are kept, to be counted again if the store is rolled back.
    pub retain_age: Span,
    /// How many bytes of segments may lie there before counted hits go earlier than `retain_age`.
    pub retain_bytes: Size,
    /// How many bytes of segments may hold hits that are not counted yet; beyond it new hits are lost, their
    /// number is not. At least four segments.
    pub max_bytes: Size,
    /// How records reach the file: `auto`, `mmap` or `write`.
    pub io: Io,
    /// The size of one file: 1 MiB to 1 GiB, whole 4 KiB blocks.
    pub segment_bytes: Size,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sync: Sync::Interval,
            sync_interval: Span(std::time::Duration::from_millis(50)),
            retain_age: Span(std::time::Duration::from_secs(26 * 3600)),
            retain_bytes: Size(4 << 30),
            max_bytes: Size(16 << 30),
            io: Io::Auto,
            segment_bytes: Size(64 << 20),
        }
    }
}

impl Settings {
    /// Says which key cannot be run with, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let interval = self.sync_interval.0.as_millis();
        if !(1..=60_000).contains(&interval) {
            return Err(("sync_interval", format!("{} is not between 1ms and 60s", self.sync_interval)));
        }
        let segment = self.segment_bytes.0;
        if !(1 << 20..=1 << 30).contains(&segment) || !segment.is_multiple_of(4096) {
            return Err((
                "segment_bytes",
                format!("{} is not between 1MiB and 1GiB in whole 4KiB blocks", self.segment_bytes),
            ));
        }
        if self.max_bytes.0 < 4 * segment {
            return Err(("max_bytes", format!("{} is less than four segments", self.max_bytes)));
        }
        if self.retain_bytes.0 < segment {
            return Err(("retain_bytes", format!("{} is less than one segment", self.retain_bytes)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_run_and_nonsense_does_not() {
        let settings = Settings::default();
        assert_eq!(settings.check(), Ok(()));
        assert_eq!(toml::from_str::<Settings>("").unwrap(), settings);
        assert!(toml::from_str::<Settings>("snyc = \"always\"").is_err());
        let wrong = [
            ("sync_interval", "sync_interval = \"0s\""),
            ("segment_bytes", "segment_bytes = \"512KiB\""),
            ("segment_bytes", "segment_bytes = \"1048577B\""),
            ("max_bytes", "max_bytes = \"255MiB\""),
            ("retain_bytes", "retain_bytes = \"1MiB\""),
        ];
        for (key, text) in wrong {
            let settings: Settings = toml::from_str(text).unwrap();
            assert_eq!(settings.check().unwrap_err().0, key, "{text}");
        }
    }
}
