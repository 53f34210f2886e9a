//! `mirror.db`: a store that is elsewhere, in the tables of links.db, so that lists, searches and history are
//! written once.
//!
//! Guarantees that records, what they mean and how far a lane is followed change in one transaction. Commits do not
//! wait for the disk: what a power cut takes is read from the store again. Several processes may write the file;
//! whoever is not where the file is, is told. Knows no other backend.

mod accounts;
mod put;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::accounts::{SqliteAccounts, forget_audit};
use super::documents::SqliteDocuments;
use super::failure::{ms, signed, unsigned};
use super::file::MIRROR;
use super::links::articles::{URL, with_merged};
use super::links::trail::{Bell, FEED};
use super::links::{SqliteLinks, index_some};
use super::threads::{Readers, State, Writer};
use super::webhooks::SqliteWebhooks;
use super::{join, tallies};
use crate::domain::article::ArticleId;
use crate::domain::lane::Lane;
use crate::store::mirror::{AliasKind, Followed, Mark, Mirror, Put, Raw};
use crate::store::tallies::Dataset;
use crate::store::{Accounts, Documents, Links, Result, Settings, Webhooks};

/// Lanes that are no code's: the site lane and the root lane.
const MORE_LANES: Lane = 2;
/// Lines kept of the audit; the oldest go.
const AUDIT: i64 = 1_000_000;
/// Everything that a mirror of another store must not have. Views follow by themselves.
const WIPE: &str = "DELETE FROM meta; DELETE FROM zones; DELETE FROM lanes; DELETE FROM records; \
    DELETE FROM waiting; DELETE FROM slot_codes; DELETE FROM alias_names; DELETE FROM articles; \
    DELETE FROM article_authors; DELETE FROM links; DELETE FROM link_tags; DELETE FROM history; \
    DELETE FROM article_history; \
    DELETE FROM keys; DELETE FROM users; DELETE FROM documents; DELETE FROM audit; DELETE FROM search_pending; \
    DELETE FROM webhooks; \
    INSERT INTO search (search) VALUES ('delete-all');";

/// Opens the mirror in `dir`, or makes one there.
///
/// # Errors
/// `Refused` for a file of a newer program.
pub fn open(dir: &Path, settings: &Settings) -> Result<Arc<dyn Mirror>> {
    let conn = MIRROR.open_writer(dir, settings.page_cache.0)?;
    let state = MirrorState::default();
    let changed = state.bell.listen();
    let (writer, _, writing) = Writer::start(&MIRROR, conn, state, false)?;
    let (readers, reading) = Readers::start(&MIRROR, dir, settings)?;
    Ok(Arc::new(SqliteMirror {
        links: Arc::new(SqliteLinks { writer: None, readers: readers.clone(), changed }),
        accounts: Arc::new(SqliteAccounts { writer: None, readers: readers.clone() }),
        documents: Arc::new(SqliteDocuments { writer: None, readers: readers.clone() }),
        webhooks: Arc::new(SqliteWebhooks { writer: None, readers: readers.clone() }),
        writer,
        readers,
        reading: Mutex::new(reading),
        writing: Mutex::new(vec![writing]),
    }))
}

#[derive(Default)]
struct MirrorState {
    bell: Bell,
    /// Records put since the audit was last made shorter.
    put: usize,
}

impl State for MirrorState {
    fn before_commit(&mut self, conn: &Connection) -> Result<()> {
        self.bell.before_commit(conn)
    }

    fn committed(&mut self) {
        self.bell.ring();
    }

    fn when_idle(&mut self, conn: &Connection, wanted: &dyn Fn() -> bool) -> Result<bool> {
        // Counting back from the newest line costs more than a put: rarely, and when nobody waits.
        if self.put > 10_000 {
            self.put = 0;
            conn.prepare_cached(
                "DELETE FROM audit WHERE id <= (SELECT id FROM audit ORDER BY id DESC LIMIT 1 OFFSET ?)",
            )?
            .execute([AUDIT])?;
        }
        index_some(conn, wanted)
    }
}

struct SqliteMirror {
    writer: Writer<MirrorState>,
    readers: Readers,
    links: Arc<SqliteLinks>,
    accounts: Arc<SqliteAccounts>,
    documents: Arc<SqliteDocuments>,
    webhooks: Arc<SqliteWebhooks>,
    reading: Mutex<Vec<JoinHandle<()>>>,
    writing: Mutex<Vec<JoinHandle<()>>>,
}

fn followed(conn: &Connection, lane: Lane) -> Result<Followed> {
    let mut find = conn.prepare_cached("SELECT version, tag, complete FROM lanes WHERE lane = ?")?;
    let row = find
        .query_row([lane], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get(2)?)))
        .optional()?;
    row.map_or(Ok(Followed::default()), |(version, tag, complete)| {
        Ok(Followed { mark: Mark { version: unsigned(version)?, tag: tag.cast_unsigned() }, complete })
    })
}

fn follow(conn: &Connection, lane: Lane, to: Followed) -> Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO lanes (lane, version, tag, complete) VALUES (?, ?, ?, ?)")?
        .execute(params![lane, signed(to.mark.version)?, to.mark.tag.cast_signed(), to.complete])?;
    Ok(())
}

fn put_all(conn: &Connection, state: &mut MirrorState, lane: Lane, mut puts: Vec<Put>) -> Result<()> {
    puts.sort_by_key(put::rank);
    state.put += puts.len();
    puts.into_iter().try_for_each(|put| put::put(conn, lane, put))
}

fn set_dataset(conn: &Connection, dataset: &Dataset) -> Result<()> {
    let known = tallies::dataset(conn)?;
    if known.as_ref().is_some_and(|known| known.id != dataset.id) {
        conn.execute_batch(WIPE)?;
        upset(conn)?;
    }
    let mut meta = conn.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)")?;
    meta.execute(["dataset", &dataset.id.to_string()])?;
    meta.execute(["lanes", &dataset.lanes.to_string()])?;
    meta.execute(["created_at", &ms(dataset.created_at).to_string()])?;
    conn.execute("DELETE FROM zones", [])?;
    for (since, zone) in &dataset.zones {
        conn.execute("INSERT INTO zones (since, zone) VALUES (?, ?)", params![since, zone])?;
    }
    Ok(())
}

/// So far ahead that the feed does not go back to what anybody has seen of it.
fn upset(conn: &Connection) -> Result<()> {
    conn.prepare_cached("INSERT INTO feed (version, kind, key) SELECT max(version) + ?, 2, '' FROM feed")?
        .execute([2 * FEED])?;
    Ok(())
}

fn raw(conn: &Connection, lane: Lane, field: Vec<u8>) -> Result<Option<Raw>> {
    let mut find = conn.prepare_cached("SELECT raw, bases FROM records WHERE lane = ? AND field = ?")?;
    let found = find
        .query_row(params![lane, field], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))
        .optional()?;
    Ok(found.map(|(raw, bases)| Raw { field, raw, bases: put::bases(&bases) }))
}

fn page(conn: &Connection, lane: Lane, after: &[u8], limit: usize) -> Result<Vec<Raw>> {
    let mut find = conn.prepare_cached(
        "SELECT field, raw, bases FROM records WHERE lane = ? AND field > ? ORDER BY field LIMIT ?",
    )?;
    let mut rows = find.query(params![lane, after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut page = vec![];
    while let Some(row) = rows.next()? {
        let bases = put::bases(&row.get::<_, Vec<u8>>(2)?);
        page.push(Raw { field: row.get(0)?, raw: row.get(1)?, bases });
    }
    Ok(page)
}

fn missing(conn: &Connection, articles: Vec<ArticleId>) -> Result<Vec<ArticleId>> {
    let mut find = conn.prepare_cached("SELECT 1 FROM articles WHERE name = ?")?;
    let mut missing = vec![];
    for article in articles {
        if !find.exists([&article.0])? {
            missing.push(article);
        }
    }
    Ok(missing)
}

fn aliases(conn: &Connection, article: &ArticleId) -> Result<Vec<(AliasKind, String, String)>> {
    let mut find = conn.prepare_cached("SELECT kind, site, value FROM alias_names WHERE article = ?")?;
    let mut rows = find.query([&article.0])?;
    let mut aliases = vec![];
    while let Some(row) = rows.next()? {
        let kind = if row.get::<_, i64>(0)? == URL { AliasKind::Url } else { AliasKind::CmsId };
        aliases.push((kind, row.get(1)?, row.get(2)?));
    }
    Ok(aliases)
}

#[async_trait]
impl Mirror for SqliteMirror {
    async fn dataset(&self) -> Result<Option<Dataset>> {
        self.readers.read_at_once(tallies::dataset).await
    }

    async fn set_dataset(&self, dataset: Dataset) -> Result<()> {
        self.writer.write(move |conn, _| set_dataset(conn, &dataset)).await
    }

    async fn followed(&self) -> Result<Vec<Followed>> {
        self.readers
            .read_at_once(|conn| {
                let lanes =
                    tallies::dataset(conn)?.map_or(0, |dataset| dataset.lanes.saturating_add(MORE_LANES));
                (0..lanes).map(|lane| followed(conn, lane)).collect()
            })
            .await
    }

    async fn put(&self, lane: Lane, puts: Vec<Put>, from: Followed, to: Followed) -> Result<bool> {
        self.writer
            .write(move |conn, state| {
                if followed(conn, lane)? != from {
                    return Ok(false);
                }
                put_all(conn, state, lane, puts)?;
                follow(conn, lane, to)?;
                Ok(true)
            })
            .await
    }

    async fn put_ahead(&self, lane: Lane, puts: Vec<Put>) -> Result<()> {
        self.writer.write(move |conn, state| put_all(conn, state, lane, puts)).await
    }

    async fn put_missing(&self, lane: Lane, puts: Vec<Put>) -> Result<()> {
        self.writer
            .write(move |conn, state| {
                let mut new = vec![];
                for put in puts {
                    if !put::has(conn, lane, &put.field)? {
                        new.push(put);
                    }
                }
                put_all(conn, state, lane, new)
            })
            .await
    }

    async fn raws(&self, lane: Lane, fields: Vec<Vec<u8>>) -> Result<Vec<Option<Raw>>> {
        self.readers
            .read_at_once(move |conn| fields.into_iter().map(|field| raw(conn, lane, field)).collect())
            .await
    }

    async fn page(&self, lane: Lane, after: Option<Vec<u8>>, limit: usize) -> Result<Vec<Raw>> {
        self.readers.read(move |conn| page(conn, lane, &after.unwrap_or_default(), limit)).await
    }

    async fn forget_audit(&self, before: Timestamp) -> Result<()> {
        while self.writer.write(move |conn, _| forget_audit(conn, before)).await? {}
        Ok(())
    }

    async fn upset(&self) -> Result<()> {
        self.writer.write(|conn, _| upset(conn)).await
    }

    async fn missing(&self, articles: Vec<ArticleId>) -> Result<Vec<ArticleId>> {
        self.readers.read(move |conn| missing(conn, articles)).await
    }

    async fn aliases(&self, article: &ArticleId) -> Result<Vec<(AliasKind, String, String)>> {
        let article = article.clone();
        self.readers.read(move |conn| aliases(conn, &article)).await
    }

    async fn with_merged(&self, article: &ArticleId) -> Result<Vec<ArticleId>> {
        let article = article.clone();
        self.readers.read(move |conn| with_merged(conn, &article)).await
    }

    fn links(&self) -> Arc<dyn Links> {
        Arc::<SqliteLinks>::clone(&self.links)
    }

    fn accounts(&self) -> Arc<dyn Accounts> {
        Arc::<SqliteAccounts>::clone(&self.accounts)
    }

    fn documents(&self) -> Arc<dyn Documents> {
        Arc::<SqliteDocuments>::clone(&self.documents)
    }

    fn webhooks(&self) -> Arc<dyn Webhooks> {
        Arc::<SqliteWebhooks>::clone(&self.webhooks)
    }

    async fn close(&self) -> Result<()> {
        self.readers.close().await;
        let read = join(&self.reading).await;
        let written = self.writer.close().await;
        read.and(written).and(join(&self.writing).await)
    }
}

#[cfg(test)]
mod tests;
