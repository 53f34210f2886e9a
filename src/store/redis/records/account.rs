//! The records of keys, users and the audit.
//!
//! Keys and users bear the random tag of their last write, so that whoever wrote it knows it again.

use serde::{Deserialize, Serialize};

use super::wire::{Who, decode, encode, ms, time};
use crate::domain::access::Role;
use crate::store::accounts::{AuditEntry, Key, User};
use crate::store::links::RequestTag;
use crate::store::{Error, Result};

/// A record with the name of its last write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned<T> {
    /// What is kept.
    pub of: T,
    /// The request that wrote it last.
    pub tag: RequestTag,
}

#[derive(Serialize, Deserialize)]
struct WireKey {
    name: String,
    role: String,
    hash: [u8; 32],
    created_ms: i64,
    created_by: Who,
    expires_ms: Option<i64>,
    revoked_ms: Option<i64>,
    tag: RequestTag,
}

#[derive(Serialize, Deserialize)]
struct WireUser {
    name: String,
    role: String,
    password: Option<String>,
    created_ms: i64,
    created_by: Who,
    disabled_ms: Option<i64>,
    tag: RequestTag,
}

#[derive(Serialize, Deserialize)]
struct WireAudit {
    at_ms: i64,
    by: Who,
    action: String,
    object: String,
    detail: String,
}

fn role(name: &str) -> Result<Role> {
    name.parse().map_err(|_| Error::Corrupt(format!("a role is \"{name}\"")))
}

/// Keys.
pub mod key {
    use super::*;

    /// The record of a key.
    ///
    /// # Errors
    /// None that a key can have.
    pub fn write(key: &Key, tag: RequestTag) -> Result<Vec<u8>> {
        encode(&WireKey {
            name: key.name.clone(),
            role: key.role.as_str().into(),
            hash: key.hash,
            created_ms: ms(key.created_at),
            created_by: Who::new(&key.created_by),
            expires_ms: key.expires_at.map(ms),
            revoked_ms: key.revoked_at.map(ms),
            tag,
        })
    }

    /// The key of a record; None if there is none.
    ///
    /// # Errors
    /// `Corrupt` for bytes that are no key's.
    pub fn read(id: &str, raw: &[u8]) -> Result<Option<Owned<Key>>> {
        if raw.is_empty() {
            return Ok(None);
        }
        let wire: WireKey = decode("a key", raw)?;
        let key = Key {
            id: id.to_owned(),
            name: wire.name,
            role: role(&wire.role)?,
            hash: wire.hash,
            created_at: time(wire.created_ms)?,
            created_by: wire.created_by.name(),
            expires_at: wire.expires_ms.map(time).transpose()?,
            revoked_at: wire.revoked_ms.map(time).transpose()?,
        };
        Ok(Some(Owned { of: key, tag: wire.tag }))
    }
}

/// Users.
pub mod user {
    use super::*;

    /// The record of a user.
    ///
    /// # Errors
    /// None that a user can have.
    pub fn write(user: &User, tag: RequestTag) -> Result<Vec<u8>> {
        encode(&WireUser {
            name: user.name.clone(),
            role: user.role.as_str().into(),
            password: user.password.clone(),
            created_ms: ms(user.created_at),
            created_by: Who::new(&user.created_by),
            disabled_ms: user.disabled_at.map(ms),
            tag,
        })
    }

    /// The user of a record; None if there is none.
    ///
    /// # Errors
    /// `Corrupt` for bytes that are no user's.
    pub fn read(raw: &[u8]) -> Result<Option<Owned<User>>> {
        if raw.is_empty() {
            return Ok(None);
        }
        let wire: WireUser = decode("a user", raw)?;
        let user = User {
            name: wire.name,
            role: role(&wire.role)?,
            password: wire.password,
            created_at: time(wire.created_ms)?,
            created_by: wire.created_by.name(),
            disabled_at: wire.disabled_ms.map(time).transpose()?,
        };
        Ok(Some(Owned { of: user, tag: wire.tag }))
    }
}

/// Lines of the audit.
pub mod audit {
    use super::*;

    /// The record of a line.
    ///
    /// # Errors
    /// None that a line can have.
    pub fn write(entry: &AuditEntry) -> Result<Vec<u8>> {
        encode(&WireAudit {
            at_ms: ms(entry.at),
            by: Who::new(&entry.by),
            action: entry.action.clone(),
            object: entry.object.clone(),
            detail: entry.detail.clone(),
        })
    }

    /// The line of a record.
    ///
    /// # Errors
    /// `Corrupt` for bytes that are no line's.
    pub fn read(id: u64, raw: &[u8]) -> Result<AuditEntry> {
        let wire: WireAudit = decode("a line of the audit", raw)?;
        Ok(AuditEntry {
            id,
            at: time(wire.at_ms)?,
            by: wire.by.name(),
            action: wire.action,
            object: wire.object,
            detail: wire.detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_come_back() {
        let at = |ms| time(ms).unwrap();
        let a_key = Key {
            id: "k1".into(),
            name: "desk".into(),
            role: Role::Admin,
            hash: [7; 32],
            created_at: at(1),
            created_by: "user:maria".into(),
            expires_at: Some(at(2)),
            revoked_at: Some(at(3)),
        };
        let owned = key::read("k1", &key::write(&a_key, 9).unwrap()).unwrap();
        assert_eq!(owned, Some(Owned { of: a_key, tag: 9 }));
        let a_user = User {
            name: "Maria".into(),
            role: Role::Viewer,
            password: Some("$".into()),
            created_at: at(1),
            created_by: "cli".into(),
            disabled_at: Some(at(4)),
        };
        let owned = user::read(&user::write(&a_user, 8).unwrap()).unwrap();
        assert_eq!(owned, Some(Owned { of: a_user, tag: 8 }));
        let line = AuditEntry {
            id: 5,
            at: at(1),
            by: "cli".into(),
            action: "key.created".into(),
            object: "key:k1".into(),
            detail: "desk".into(),
        };
        assert_eq!(audit::read(5, &audit::write(&line).unwrap()).unwrap(), line);
        assert_eq!((key::read("k", b"").unwrap(), user::read(b"").unwrap()), (None, None));
    }
}
