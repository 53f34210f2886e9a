//! Documents in links.db, so that a change of one is durable when it returns and is in the change feed.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::failure::{corrupt, ms, signed, time, unsigned};
use super::links::{LinksState, account_changed, audited, writer};
use super::threads::{Readers, Writer};
use crate::store::documents::{
    Document, DocumentChange, DocumentChanged, DocumentKind, Documents, NAMES, Remembered,
};
use crate::store::{Error, Result};

/// The embedded store's documents.
pub(super) struct SqliteDocuments {
    /// None in a mirror.
    pub(super) writer: Option<Writer<LinksState>>,
    pub(super) readers: Readers,
}

fn document(row: &Row<'_>) -> Result<Document> {
    let kind: String = row.get(0)?;
    Ok(Document {
        kind: DocumentKind::from_name(&kind).ok_or_else(|| corrupt("a document's kind", &kind))?,
        name: row.get(1)?,
        value: json(&row.get::<_, String>(2)?)?,
        version: unsigned(row.get(3)?)?,
        updated_at: time(row.get(4)?)?,
        updated_by: row.get(5)?,
    })
}

fn json(text: &str) -> Result<serde_json::Value> {
    serde_json::from_str(text).map_err(|e| Error::Corrupt(format!("a document is no JSON: {e}")))
}

fn remembered(conn: &Connection, kind: DocumentKind, name: &str) -> Result<Option<Remembered>> {
    let mut find = conn.prepare_cached("SELECT value, version FROM documents WHERE kind = ? AND name = ?")?;
    let found: Option<(Option<String>, i64)> =
        find.query_row([kind.as_str(), name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((value, version)) = found else { return Ok(None) };
    let value = value.as_deref().map(json).transpose()?;
    Ok(Some(Remembered { value, version: unsigned(version)? }))
}

/// Writes a document over what is there, and tells the change feed.
pub(super) fn put_document(
    conn: &Connection,
    (kind, name): (DocumentKind, &str),
    remembered: &Remembered,
    (at, by): (Timestamp, &str),
) -> Result<()> {
    let value = remembered.value.as_ref().map(ToString::to_string);
    conn.prepare_cached(
        "INSERT OR REPLACE INTO documents (kind, name, value, version, updated_at, updated_by) \
         VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![kind.as_str(), name, value, signed(remembered.version)?, ms(at), by])?;
    account_changed(conn)
}

fn change(conn: &Connection, change: &DocumentChange) -> Result<DocumentChanged> {
    let there = remembered(conn, change.kind, &change.name)?;
    let version = match change.over(there.as_ref()) {
        Ok(version) => version,
        Err(answer) => return Ok(answer),
    };
    if there.is_none() && names(conn, change.kind)? >= NAMES {
        return Ok(DocumentChanged::Full);
    }
    let becomes = Remembered { value: change.value.clone(), version };
    put_document(conn, (change.kind, &change.name), &becomes, (change.at, &change.by))?;
    let line = change.line(there.as_ref());
    audited(conn, ms(line.at), &line.by, &line.action, &line.object, &line.detail)?;
    Ok(DocumentChanged::Done(version))
}

/// How many names a kind has, removed ones included.
fn names(conn: &Connection, kind: DocumentKind) -> Result<usize> {
    let mut count = conn.prepare_cached("SELECT count(*) FROM documents WHERE kind = ?")?;
    let names: i64 = count.query_row([kind.as_str()], |row| row.get(0))?;
    Ok(usize::try_from(names).unwrap_or(usize::MAX))
}

fn import(conn: &Connection, document: &Document) -> Result<()> {
    let Document { kind, name, value, version, updated_at, updated_by } = document;
    if remembered(conn, *kind, name)?.is_some() {
        return Ok(());
    }
    let becomes = Remembered { value: Some(value.clone()), version: *version };
    put_document(conn, (*kind, name), &becomes, (*updated_at, updated_by))
}

#[async_trait]
impl Documents for SqliteDocuments {
    async fn documents(&self) -> Result<Vec<Document>> {
        self.readers
            .read(|conn| {
                let mut find = conn.prepare_cached(
                    "SELECT kind, name, value, version, updated_at, updated_by FROM documents \
                     WHERE value IS NOT NULL",
                )?;
                let mut rows = find.query([])?;
                let mut found = vec![];
                while let Some(row) = rows.next()? {
                    found.push(document(row)?);
                }
                found.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
                Ok(found)
            })
            .await
    }

    async fn names(&self, kind: DocumentKind) -> Result<usize> {
        self.readers.read(move |conn| names(conn, kind)).await
    }

    async fn change_document(&self, asked: DocumentChange) -> Result<DocumentChanged> {
        writer(&self.writer)?.write(move |conn, _| change(conn, &asked)).await
    }

    async fn import_documents(&self, documents: Vec<Document>) -> Result<()> {
        writer(&self.writer)?
            .write(move |conn, _| documents.iter().try_for_each(|document| import(conn, document)))
            .await
    }
}
