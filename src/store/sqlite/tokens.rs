//! Tokens in links.db: a sign-out that was answered survives what a link does.
//!
//! Knows hashes only, never a secret. Backups leave these rows out.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::failure::{corrupt, ms, time};
use super::links::LinksState;
use super::threads::{Readers, Writer};
use crate::store::Result;
use crate::store::tokens::{KEPT, Token, TokenId, TokenKind, Tokens};

const COLUMNS: &str = "id, owner, value, created_at, expires_at, seen_at";

/// The embedded store's tokens.
pub(super) struct SqliteTokens {
    pub(super) writer: Writer<LinksState>,
    pub(super) readers: Readers,
}

fn token(kind: TokenKind, row: &Row<'_>) -> Result<Token> {
    let value: String = row.get(2)?;
    Ok(Token {
        kind,
        id: TokenId(row.get(0)?),
        owner: row.get(1)?,
        value: serde_json::from_str(&value).map_err(|e| corrupt("a token's value", e))?,
        created_at: time(row.get(3)?)?,
        expires_at: time(row.get(4)?)?,
        seen_at: time(row.get(5)?)?,
    })
}

fn all(conn: &Connection, kind: TokenKind, rest: &str, params: impl rusqlite::Params) -> Result<Vec<Token>> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM tokens {rest}"))?;
    let mut rows = statement.query(params)?;
    let mut found = vec![];
    while let Some(row) = rows.next()? {
        found.push(token(kind, row)?);
    }
    Ok(found)
}

fn one(conn: &Connection, kind: TokenKind, id: TokenId, now: Timestamp) -> Result<Option<Token>> {
    let rest = "WHERE kind = ? AND id = ? AND expires_at > ?";
    Ok(all(conn, kind, rest, params![kind.as_str(), id.0, ms(now)])?.pop())
}

fn remove(conn: &Connection, kind: TokenKind, id: TokenId) -> Result<()> {
    conn.prepare_cached("DELETE FROM tokens WHERE kind = ? AND id = ?")?
        .execute(params![kind.as_str(), id.0])?;
    Ok(())
}

fn put(conn: &Connection, token: &Token) -> Result<()> {
    let kind = token.kind.as_str();
    conn.prepare_cached(
        "INSERT OR REPLACE INTO tokens (kind, id, owner, value, created_at, expires_at, seen_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        kind,
        token.id.0,
        token.owner,
        token.value.to_string(),
        ms(token.created_at),
        ms(token.expires_at),
        ms(token.seen_at),
    ])?;
    let kept = i64::try_from(KEPT).unwrap_or(i64::MAX);
    conn.prepare_cached(
        "DELETE FROM tokens WHERE kind = ?1 AND id IN (SELECT id FROM tokens WHERE kind = ?1 \
         ORDER BY expires_at DESC, id DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute(params![kind, kept])?;
    Ok(())
}

#[async_trait]
impl Tokens for SqliteTokens {
    async fn put(&self, token: Token) -> Result<()> {
        self.writer.write(move |conn, _| put(conn, &token)).await
    }

    async fn get(&self, kind: TokenKind, id: TokenId, now: Timestamp) -> Result<Option<Token>> {
        self.readers.read(move |conn| one(conn, kind, id, now)).await
    }

    async fn take(&self, kind: TokenKind, id: TokenId, now: Timestamp) -> Result<Option<Token>> {
        self.writer
            .write(move |conn, _| {
                let found = one(conn, kind, id, now)?;
                remove(conn, kind, id)?;
                Ok(found)
            })
            .await
    }

    async fn touch(&self, kind: TokenKind, id: TokenId, at: Timestamp) -> Result<()> {
        self.writer
            .write(move |conn, _| {
                conn.prepare_cached(
                    "UPDATE tokens SET seen_at = ?3 WHERE kind = ?1 AND id = ?2 AND seen_at < ?3",
                )?
                .execute(params![kind.as_str(), id.0, ms(at)])?;
                Ok(())
            })
            .await
    }

    async fn remove(&self, kind: TokenKind, id: TokenId) -> Result<()> {
        self.writer.write(move |conn, _| remove(conn, kind, id)).await
    }

    async fn remove_of(&self, kinds: &[TokenKind], owner: &str) -> Result<()> {
        let (kinds, owner) = (kinds.to_vec(), owner.to_owned());
        self.writer
            .write(move |conn, _| {
                for kind in &kinds {
                    conn.prepare_cached("DELETE FROM tokens WHERE kind = ? AND owner = ?")?
                        .execute(params![kind.as_str(), owner])?;
                }
                Ok(())
            })
            .await
    }

    async fn list(&self, kind: TokenKind, owner: Option<&str>, now: Timestamp) -> Result<Vec<Token>> {
        let owner = owner.map(str::to_owned);
        self.readers
            .read(move |conn| {
                let rest = "WHERE kind = ?1 AND expires_at > ?2 AND (?3 IS NULL OR owner = ?3) \
                            ORDER BY created_at DESC, id DESC";
                all(conn, kind, rest, params![kind.as_str(), ms(now), owner])
            })
            .await
    }

    async fn sweep(&self, now: Timestamp) -> Result<()> {
        self.writer
            .write(move |conn, _| {
                conn.prepare_cached("DELETE FROM tokens WHERE expires_at <= ?")?.execute([ms(now)])?;
                Ok(())
            })
            .await
    }
}
