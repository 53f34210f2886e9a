//! Keys, users and lines of the audit as rows of the mirror.
//!
//! Guarantees that a line of the audit is there once, whatever order and however often it comes in. Knows hashes
//! only, never a secret.

use rusqlite::{Connection, OptionalExtension, params};

use crate::store::Result;
use crate::store::accounts::{AuditEntry, Key, User};
use crate::store::mirror::audit_id;
use crate::store::sqlite::accounts::fold_name;
use crate::store::sqlite::failure::{ms, signed};
use crate::store::sqlite::links::account_changed;

pub(super) fn put_key(conn: &Connection, key: &Key) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO keys (id, name, role, hash, created_at, created_by, expires_at, revoked_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET name = excluded.name, role = excluded.role, \
         hash = excluded.hash, created_at = excluded.created_at, created_by = excluded.created_by, \
         expires_at = excluded.expires_at, revoked_at = excluded.revoked_at",
    )?
    .execute(params![
        key.id,
        key.name,
        key.role.as_str(),
        key.hash,
        ms(key.created_at),
        key.created_by,
        key.expires_at.map(ms),
        key.revoked_at.map(ms),
    ])?;
    account_changed(conn)
}

pub(super) fn put_user(conn: &Connection, user: &User) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO users (key, name, role, password, created_at, created_by, disabled_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET name = excluded.name, role = excluded.role, \
         password = excluded.password, created_at = excluded.created_at, created_by = excluded.created_by, \
         disabled_at = excluded.disabled_at",
    )?
    .execute(params![
        fold_name(&user.name),
        user.name,
        user.role.as_str(),
        user.password,
        ms(user.created_at),
        user.created_by,
        user.disabled_at.map(ms),
    ])?;
    account_changed(conn)
}

/// Writes a line unless it is there: at the number that its time and words give, or the next one that is free.
pub(super) fn put_audit(conn: &Connection, entry: &AuditEntry) -> Result<()> {
    let mut id = signed(audit_id(entry))?;
    let said = (ms(entry.at), &entry.by, &entry.action, &entry.object, &entry.detail);
    let mut find = conn.prepare_cached("SELECT at, by, action, object, detail FROM audit WHERE id = ?")?;
    type Line = (i64, String, String, String, String);
    let mut at = |id: i64| -> Result<Option<Line>> {
        let line =
            |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?));
        Ok(find.query_row([id], line).optional()?)
    };
    while let Some((time, by, action, object, detail)) = at(id)? {
        if (time, &by, &action, &object, &detail) == said {
            return Ok(());
        }
        id += 1;
    }
    conn.prepare_cached("INSERT INTO audit (id, at, by, action, object, detail) VALUES (?, ?, ?, ?, ?, ?)")?
        .execute(params![id, ms(entry.at), entry.by, entry.action, entry.object, entry.detail])?;
    Ok(())
}
