//! Keys, users, audit and remembered answers, in links.db: so that a change of them is durable when it returns
//! and is in the change feed.
//!
//! Knows hashes only, never a secret.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::failure::{corrupt, maybe_time, ms, signed, time, unsigned};
use super::links::{AUDIT, LinksState, account_changed, audited, writer};
use super::threads::{Readers, Writer};
use crate::domain::access::Role;
use crate::store::Result;
use crate::store::accounts::{AccountItem, Accounts, Answer, AuditEntry, Begun, Key, User};

/// A request that has not been answered for so long is taken for dead, in milliseconds.
const RUNNING_MS: i64 = 60_000;
/// An answer is remembered for so long, in milliseconds.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1_000;
/// Old lines of the audit that go in one step: so that nobody waits for long.
const GO_AT_ONCE: i64 = 5_000;

/// The embedded store's accounts.
pub(super) struct SqliteAccounts {
    /// None in a mirror.
    pub(super) writer: Option<Writer<LinksState>>,
    pub(super) readers: Readers,
}

const KEYS: &str = "SELECT id, name, role, hash, created_at, created_by, expires_at, revoked_at FROM keys \
                    ORDER BY created_at, rowid";
const KEY: &str =
    "SELECT id, name, role, hash, created_at, created_by, expires_at, revoked_at FROM keys WHERE id = ?";
const USERS: &str = "SELECT name, role, password, created_at, created_by, disabled_at FROM users \
                     ORDER BY created_at, rowid";

fn role(name: String) -> Result<Role> {
    name.parse().map_err(|_| corrupt("a role", name))
}

fn key(row: &Row<'_>) -> Result<Key> {
    Ok(Key {
        id: row.get(0)?,
        name: row.get(1)?,
        role: role(row.get(2)?)?,
        hash: row.get(3)?,
        created_at: time(row.get(4)?)?,
        created_by: row.get(5)?,
        expires_at: maybe_time(row.get(6)?)?,
        revoked_at: maybe_time(row.get(7)?)?,
    })
}

fn user(row: &Row<'_>) -> Result<User> {
    Ok(User {
        name: row.get(0)?,
        role: role(row.get(1)?)?,
        password: row.get(2)?,
        created_at: time(row.get(3)?)?,
        created_by: row.get(4)?,
        disabled_at: maybe_time(row.get(5)?)?,
    })
}

fn entry(row: &Row<'_>) -> Result<AuditEntry> {
    Ok(AuditEntry {
        id: unsigned(row.get(0)?)?,
        at: time(row.get(1)?)?,
        by: row.get(2)?,
        action: row.get(3)?,
        object: row.get(4)?,
        detail: row.get(5)?,
    })
}

fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    read: fn(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = vec![];
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

pub(super) fn insert_key(conn: &Connection, key: &Key) -> Result<bool> {
    let added = conn
        .prepare_cached(
            "INSERT OR IGNORE INTO keys (id, name, role, hash, created_at, created_by, expires_at, revoked_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
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
    Ok(added > 0)
}

pub(super) fn fold_name(name: &str) -> String {
    name.to_lowercase()
}

fn insert_user(conn: &Connection, user: &User) -> Result<bool> {
    let added = conn
        .prepare_cached(
            "INSERT OR IGNORE INTO users (key, name, role, password, created_at, created_by, disabled_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
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
    Ok(added > 0)
}

fn replace_user(conn: &Connection, user: &User) -> Result<bool> {
    let changed = conn
        .prepare_cached(
            "UPDATE users SET name = ?, role = ?, password = ?, created_at = ?, created_by = ?, disabled_at = ? \
             WHERE key = ?",
        )?
        .execute(params![
            user.name,
            user.role.as_str(),
            user.password,
            ms(user.created_at),
            user.created_by,
            user.disabled_at.map(ms),
            fold_name(&user.name),
        ])?;
    Ok(changed > 0)
}

fn revoke(conn: &Connection, id: &str, by: &str, now: i64) -> Result<Option<Key>> {
    let ended = conn
        .prepare_cached("UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")?
        .execute(params![now, id])?;
    if ended > 0 {
        audited(conn, now, by, "key.revoked", &format!("key:{id}"), "")?;
        account_changed(conn)?;
    }
    Ok(all(conn, KEY, [id], key)?.pop())
}

fn begin(conn: &Connection, owner: &str, key: &str, body: [u8; 32], now: i64) -> Result<Begun> {
    conn.prepare_cached("DELETE FROM idempotency WHERE began_at <= ?")?.execute([now - REMEMBERED_MS])?;
    let mut find = conn.prepare_cached(
        "SELECT body, began_at, status, answer FROM idempotency WHERE owner = ? AND key = ?",
    )?;
    type Kept = ([u8; 32], i64, Option<u16>, Option<Vec<u8>>);
    let kept: Option<Kept> = find
        .query_row([owner, key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    match kept {
        Some((other, ..)) if other != body => return Ok(Begun::Other),
        Some((_, _, Some(status), answer)) => {
            return Ok(Begun::Done(Answer { status, body: answer.unwrap_or_default() }));
        }
        Some((_, began, None, _)) if now.saturating_sub(began) < RUNNING_MS => return Ok(Begun::Running),
        _ => {}
    }
    conn.prepare_cached(
        "INSERT OR REPLACE INTO idempotency (owner, key, body, began_at) VALUES (?, ?, ?, ?)",
    )?
    .execute(params![owner, key, body, now])?;
    Ok(Begun::New)
}

fn finish(conn: &Connection, owner: &str, key: &str, answer: Option<Answer>) -> Result<()> {
    match answer {
        Some(answer) => conn
            .prepare_cached("UPDATE idempotency SET status = ?, answer = ? WHERE owner = ? AND key = ?")?
            .execute(params![answer.status, answer.body, owner, key])?,
        None => conn
            .prepare_cached("DELETE FROM idempotency WHERE owner = ? AND key = ? AND status IS NULL")?
            .execute([owner, key])?,
    };
    Ok(())
}

/// Where a line of another store goes.
enum Place {
    /// Under this number, unless it is taken.
    At(i64),
    /// Behind all others.
    Last,
    /// Nowhere: it is older than all that are kept.
    None,
}

/// Lines keep their numbers, unless those are none of ours (Redis numbers by time): then they come from the newest to
/// the oldest and are numbered downwards, so that numbers stay dense and the oldest are the first to go.
fn place_of(conn: &Connection, entry: &AuditEntry) -> Result<Place> {
    let id = signed(entry.id)?;
    if id <= AUDIT {
        return Ok(Place::At(id));
    }
    let ends = "SELECT coalesce(min(id), ?1 + 1), coalesce(max(id), 0) FROM audit";
    let (first, last): (i64, i64) =
        conn.prepare_cached(ends)?.query_row([AUDIT], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(match first {
        2.. => Place::At(first - 1),
        _ if last >= AUDIT => Place::None,
        _ => Place::Last,
    })
}

/// Lines that are there already, under whatever number, are not written again.
fn import_entry(conn: &Connection, entry: &AuditEntry) -> Result<()> {
    let AuditEntry { at, by, action, object, detail, .. } = entry;
    let there: Option<i64> = conn
        .prepare_cached(
            "SELECT id FROM audit WHERE at = ? AND by = ? AND action = ? AND object = ? AND detail = ? LIMIT 1",
        )?
        .query_row(params![ms(*at), by, action, object, detail], |row| row.get(0))
        .optional()?;
    if there.is_some() {
        return Ok(());
    }
    let added = match place_of(conn, entry)? {
        Place::None => return Ok(()),
        Place::Last => 0,
        Place::At(id) => conn
            .prepare_cached(
                "INSERT OR IGNORE INTO audit (id, at, by, action, object, detail) VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![id, ms(*at), by, action, object, detail])?,
    };
    if added == 0 {
        audited(conn, ms(*at), by, action, object, detail)?;
    }
    Ok(())
}

/// Lets some lines of the audit go that are of before `before`, the oldest first. False if there was none.
pub(super) fn forget_audit(conn: &Connection, before: Timestamp) -> Result<bool> {
    let gone = conn
        .prepare_cached(
            "DELETE FROM audit WHERE id IN \
             (SELECT id FROM audit INDEXED BY audit_at WHERE at < ? ORDER BY at LIMIT ?)",
        )?
        .execute([ms(before), GO_AT_ONCE])?;
    Ok(gone > 0)
}

fn import_item(conn: &Connection, item: AccountItem) -> Result<()> {
    let news = match item {
        AccountItem::Key(key) => insert_key(conn, &key)?,
        AccountItem::User(user) => insert_user(conn, &user)?,
        AccountItem::Audit(entry) => {
            import_entry(conn, &entry)?;
            false
        }
    };
    if news { account_changed(conn) } else { Ok(()) }
}

#[async_trait]
impl Accounts for SqliteAccounts {
    async fn keys(&self) -> Result<Vec<Key>> {
        self.readers.read(|conn| all(conn, KEYS, [], key)).await
    }

    async fn add_key(&self, key: Key) -> Result<bool> {
        writer(&self.writer)?
            .write(move |conn, _| {
                let added = insert_key(conn, &key)?;
                if added {
                    let object = format!("key:{}", key.id);
                    audited(conn, ms(key.created_at), &key.created_by, "key.created", &object, &key.name)?;
                    account_changed(conn)?;
                }
                Ok(added)
            })
            .await
    }

    async fn revoke_key(&self, id: &str, by: &str, now: Timestamp) -> Result<Option<Key>> {
        let (id, by) = (id.to_owned(), by.to_owned());
        writer(&self.writer)?.write(move |conn, _| revoke(conn, &id, &by, ms(now))).await
    }

    async fn users(&self) -> Result<Vec<User>> {
        self.readers.read(|conn| all(conn, USERS, [], user)).await
    }

    async fn add_user(&self, user: User) -> Result<bool> {
        writer(&self.writer)?
            .write(move |conn, _| {
                let added = insert_user(conn, &user)?;
                if added {
                    let object = format!("user:{}", user.name);
                    audited(conn, ms(user.created_at), &user.created_by, "user.created", &object, "")?;
                    account_changed(conn)?;
                }
                Ok(added)
            })
            .await
    }

    async fn set_user(&self, user: User, by: &str, action: &str, now: Timestamp) -> Result<bool> {
        let (by, action) = (by.to_owned(), action.to_owned());
        writer(&self.writer)?
            .write(move |conn, _| {
                let changed = replace_user(conn, &user)?;
                if changed {
                    audited(conn, ms(now), &by, &action, &format!("user:{}", user.name), "")?;
                    account_changed(conn)?;
                }
                Ok(changed)
            })
            .await
    }

    async fn audit(&self, entries: Vec<AuditEntry>) -> Result<()> {
        writer(&self.writer)?
            .write(move |conn, _| {
                entries.iter().try_for_each(|entry| {
                    let AuditEntry { at, by, action, object, detail, .. } = entry;
                    audited(conn, ms(*at), by, action, object, detail)
                })
            })
            .await
    }

    async fn audited(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>> {
        let before = before.and_then(|b| i64::try_from(b).ok()).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql =
            "SELECT id, at, by, action, object, detail FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?";
        self.readers.read(move |conn| all(conn, sql, [before, limit], entry)).await
    }

    async fn forget_audit(&self, before: Timestamp) -> Result<()> {
        let writer = writer(&self.writer)?;
        while writer.write(move |conn, _| forget_audit(conn, before)).await? {}
        Ok(())
    }

    async fn begin(&self, owner: &str, key: &str, body: [u8; 32], now: Timestamp) -> Result<Begun> {
        let (owner, key) = (owner.to_owned(), key.to_owned());
        writer(&self.writer)?.write(move |conn, _| begin(conn, &owner, &key, body, ms(now))).await
    }

    async fn finish(&self, owner: &str, key: &str, answer: Option<Answer>) -> Result<()> {
        let (owner, key) = (owner.to_owned(), key.to_owned());
        writer(&self.writer)?.write(move |conn, _| finish(conn, &owner, &key, answer)).await
    }

    async fn import(&self, items: Vec<AccountItem>) -> Result<()> {
        writer(&self.writer)?
            .write(move |conn, _| items.into_iter().try_for_each(|item| import_item(conn, item)))
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{at, run};
    use crate::store::settings::Kind;
    use crate::store::{Settings, Store};

    fn open(dir: &std::path::Path) -> Store {
        let page_cache = crate::units::Size(1 << 20);
        let settings =
            Settings { kind: Kind::Sqlite, lanes: 1, readers: 1, page_cache, redis: Default::default() };
        crate::store::sqlite::open(dir, &settings, at(0), "UTC").unwrap().store
    }

    fn line(seconds: i64, id: u64) -> AuditEntry {
        let (by, action) = ("cli".into(), "thing.done".into());
        AuditEntry {
            id,
            at: at(seconds),
            by,
            action,
            object: format!("thing:{seconds}"),
            detail: String::new(),
        }
    }

    #[test]
    fn lines_numbered_by_time_keep_their_order_and_are_kept() {
        run(async {
            let dir = tempfile::tempdir().unwrap();
            let store = open(dir.path());
            let number = |seconds: i64| crate::store::mirror::audit_id(&line(seconds, 0));
            let lines = (0..50).rev().map(|seconds| line(seconds, number(seconds)));
            for some in lines.collect::<Vec<_>>().chunks(7) {
                for _ in 0..2 {
                    store
                        .accounts
                        .import(some.iter().cloned().map(AccountItem::Audit).collect())
                        .await
                        .unwrap();
                }
            }
            store.accounts.audit(vec![line(50, 0)]).await.unwrap();
            let all = store.accounts.audited(None, 100).await.unwrap();
            let expected: Vec<String> = (0..=50).rev().map(|seconds| format!("thing:{seconds}")).collect();
            assert_eq!(all.iter().map(|line| line.object.clone()).collect::<Vec<_>>(), expected);
            // Numbers are dense: what is written next lets nothing go that is not too old.
            assert_eq!(all[0].id - all[50].id, 50);
            store.close().await.unwrap();
        });
    }

    #[test]
    fn lines_of_elsewhere_find_a_place_behind_own_ones() {
        run(async {
            let dir = tempfile::tempdir().unwrap();
            let store = open(dir.path());
            store.accounts.audit(vec![line(1, 0)]).await.unwrap();
            let others = [line(9, 1 << 60), line(8, 1 << 59)];
            store.accounts.import(others.map(AccountItem::Audit).to_vec()).await.unwrap();
            let all = store.accounts.audited(None, 100).await.unwrap();
            let ids: Vec<u64> = all.iter().map(|line| line.id).collect();
            assert_eq!(ids, [3, 2, 1]);
            store.close().await.unwrap();
        });
    }
}
