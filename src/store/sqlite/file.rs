//! One database file: how it is opened, what it must be, how an older one is brought up to date.
//!
//! Guarantees that a file of a newer program, or of another kind, is refused and untouched, and that each
//! migration happens whole or not at all. Knows the numbered migrations, not what is in them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::store::{Error, Result};

/// How long a call waits for another process's write before it is `Unavailable`.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// How often it is tried in that time to make a new file one with a write-ahead log.
const WAL_TRIES: u32 = 250;
/// Prepared statements kept by a connection.
const STATEMENTS: usize = 200;
/// The write-ahead log is cut back to this size when a checkpoint has emptied it, in bytes.
const WAL_KEPT: i64 = 64 << 20;

/// What one of the files is.
pub(super) struct Kind {
    /// Its name in the data folder.
    pub(super) name: &'static str,
    /// `PRAGMA application_id`, set by its first migration.
    application_id: i64,
    /// Numbered from 1.
    migrations: &'static [&'static str],
    /// Waits for the disk at each commit (`PRAGMA synchronous`). The numbers leave that to the journal of hits.
    waits: bool,
    /// Bytes of a page of a new file.
    page_size: u32,
    /// Pages in the write-ahead log at which a commit copies it into the file.
    checkpoint_pages: u32,
}

/// Links, articles, history, accounts.
pub(super) const LINKS: Kind = Kind {
    name: "links.db",
    application_id: 1_399_613_260,
    migrations: &[
        include_str!("migrations/links/0001_begin.sql"),
        include_str!("migrations/links/0002_aliases.sql"),
        include_str!("migrations/links/0003_stories.sql"),
        include_str!("migrations/links/0004_documents.sql"),
        include_str!("migrations/links/0005_webhooks.sql"),
        include_str!("migrations/links/0006_tokens.sql"),
        include_str!("migrations/links/0007_notes.sql"),
    ],
    waits: true,
    page_size: 4_096,
    checkpoint_pages: 8_000,
};

/// A copy of a store that is elsewhere. Its tables are those of [`LINKS`] with some changed and added: a later
/// migration of [`LINKS`] is one of this file too.
pub(super) const MIRROR: Kind = Kind {
    name: "mirror.db",
    application_id: 1_399_613_261,
    migrations: &[
        concat!(
            include_str!("migrations/links/0001_begin.sql"),
            include_str!("migrations/mirror/0001_begin.sql")
        ),
        include_str!("migrations/links/0002_aliases.sql"),
        include_str!("migrations/links/0003_stories.sql"),
        include_str!("migrations/links/0004_documents.sql"),
        include_str!("migrations/links/0005_webhooks.sql"),
        include_str!("migrations/links/0006_tokens.sql"),
        include_str!("migrations/links/0007_notes.sql"),
    ],
    // What a power cut takes of it is read again from the store.
    waits: false,
    page_size: 4_096,
    checkpoint_pages: 8_000,
};

/// Numbers and ordinals.
pub(super) const TALLIES: Kind = Kind {
    name: "tallies.db",
    application_id: 1_399_613_268,
    migrations: &[
        include_str!("migrations/tallies/0001_begin.sql"),
        include_str!("migrations/tallies/0002_sketches.sql"),
    ],
    waits: false,
    // What a link's hits of a day are told apart by is some KiB, and mostly fits.
    page_size: 8_192,
    checkpoint_pages: 4_000,
};

/// SQLite does not wait for others here, as it does in a transaction: two first starts at once would fail.
fn use_wal(conn: &Connection) -> Result<()> {
    let mut tries = 0;
    loop {
        match conn.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && tries < WAL_TRIES => {
                tries += 1;
                std::thread::sleep(BUSY_WAIT / WAL_TRIES);
            }
            done => return Ok(done?),
        }
    }
}

impl Kind {
    /// Where it is.
    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(self.name)
    }

    /// The schema this program writes.
    fn version(&self) -> i64 {
        i64::try_from(self.migrations.len()).unwrap_or(i64::MAX)
    }

    /// Opens the file, made if it is missing, and brings it up to date.
    pub(super) fn open_writer(&self, dir: &Path, page_cache: u64) -> Result<Connection> {
        let mut conn = self.connect(dir, page_cache, OpenFlags::SQLITE_OPEN_CREATE)?;
        self.check(&conn)?;
        // Means nothing to a file that is there.
        conn.pragma_update(None, "page_size", self.page_size)?;
        use_wal(&conn)?;
        self.synchronous(&conn, true)?;
        conn.pragma_update(None, "wal_autocheckpoint", self.checkpoint_pages)?;
        conn.pragma_update(None, "journal_size_limit", WAL_KEPT)?;
        // Off: every reference is made and followed by the same few functions, and none is ever left dangling
        // because nothing that is referred to is deleted.
        conn.pragma_update(None, "foreign_keys", false)?;
        self.migrate(&mut conn)?;
        Ok(conn)
    }

    /// Makes commits wait for the disk, if `waits` and the file is one whose commits do.
    pub(super) fn synchronous(&self, conn: &Connection, waits: bool) -> Result<()> {
        let level = if waits && self.waits { "FULL" } else { "NORMAL" };
        Ok(conn.pragma_update(None, "synchronous", level)?)
    }

    /// Opens the file for reading.
    pub(super) fn open_reader(&self, dir: &Path, page_cache: u64) -> Result<Connection> {
        let conn = self.connect(dir, page_cache, OpenFlags::empty())?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(conn)
    }

    fn connect(&self, dir: &Path, page_cache: u64, more: OpenFlags) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
        let conn = Connection::open_with_flags(self.path(dir), flags)?;
        conn.busy_timeout(BUSY_WAIT)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        // Without it every new value of a parameter that a partial index might care about parses the statement
        // again (measured: 65 µs instead of 8 for a lookup).
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // Negative: KiB instead of pages.
        let kib = i64::try_from(page_cache / 1024).unwrap_or(i64::MAX).max(64);
        conn.pragma_update(None, "cache_size", -kib)?;
        // Off: a truncated file would be a SIGBUS instead of an error.
        conn.pragma_update(None, "mmap_size", 0)?;
        Ok(conn)
    }

    fn check(&self, conn: &Connection) -> Result<()> {
        // All of one moment: another first start may be making the file now.
        let conn = &conn.unchecked_transaction()?;
        let id: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables > 0 && id != self.application_id {
            return Err(Error::Refused(format!(
                "{} is not the file of that name that slugline writes; it is left as it is",
                self.name
            )));
        }
        let version = self.found_version(conn)?;
        if version > self.version() {
            return Err(Error::Refused(format!(
                "{} has schema {version}, written by a newer slugline; this one knows schemas up to {}",
                self.name,
                self.version()
            )));
        }
        Ok(())
    }

    fn found_version(&self, conn: &Connection) -> Result<i64> {
        Ok(conn.pragma_query_value(None, "user_version", |row| row.get(0))?)
    }

    fn migrate(&self, conn: &mut Connection) -> Result<()> {
        // A command beside a server that writes much does not wait for its turn to change nothing.
        if self.found_version(conn)? == self.version() {
            return Ok(());
        }
        for (done, sql) in (1i64..).zip(self.migrations) {
            let step = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Read again under the lock: another process may be doing the same.
            if self.found_version(&step)? < done {
                step.execute_batch(sql)?;
                step.pragma_update(None, "user_version", done)?;
            }
            step.commit()?;
        }
        Ok(())
    }
}
