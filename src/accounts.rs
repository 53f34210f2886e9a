//! Floor 2: who is calling. Keys and users, their secrets, and what this process knows of them.
//!
//! Guarantees: a secret is shown once, kept as a hash only, and compared in constant time; a revoked key stops
//! working within a poll of the change feed on every node; checking a key asks no store. HTTP is unknown here.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use argon2::{Argon2, PasswordHasher};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::domain::access::{Actor, Role};
use crate::domain::error::{Reason, Refusal};
use crate::links::codes::{Drawer, Settings as CodeSettings, system_bytes};
use crate::links::request::text;
use crate::store::accounts::{Key, User};
use crate::store::{self, Accounts};

/// What every key begins with, so that scanners for leaked secrets can find it.
pub const KEY_PREFIX: &str = "slk_";
/// Longest name of a key or user, in characters.
pub const MAX_NAME: usize = 100;
/// Shortest password, in characters (NIST SP 800-63B).
pub const MIN_PASSWORD: usize = 8;
/// Longest password, in bytes: a bound on the hashing.
const MAX_PASSWORD: usize = 1024;
const ID_LEN: usize = 12;

/// Why a call on accounts failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's to mend.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Ours.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Password hashing failed.
    #[error("a password could not be hashed: {0}")]
    Hashing(String),
}

/// The usual result of a call on accounts.
pub type Result<T> = std::result::Result<T, Error>;

/// Keys and users. One for the whole process.
pub struct AccountService {
    store: Arc<dyn Accounts>,
    keys: RwLock<Arc<HashMap<String, Key>>>,
}

impl AccountService {
    /// A service over an open store, which reads all keys once.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(store: Arc<dyn Accounts>) -> store::Result<AccountService> {
        let service = AccountService { store, keys: RwLock::new(Arc::default()) };
        service.reload().await?;
        Ok(service)
    }

    /// The store underneath, for reading.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Accounts> {
        &self.store
    }

    /// Reads all keys again: the change feed says that some changed.
    ///
    /// # Errors
    /// The store's; what was known stays.
    pub async fn reload(&self) -> store::Result<()> {
        let keys = self.store.keys().await?;
        let keys: HashMap<String, Key> = keys.into_iter().map(|k| (k.id.clone(), k)).collect();
        let mut known = self.keys.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *known = Arc::new(keys);
        Ok(())
    }

    /// Who holds this key (`slk_ID_SECRET`); None for any that is not valid at `now`.
    #[must_use]
    pub fn holder(&self, key: &str, now: Timestamp) -> Option<Actor> {
        let (id, secret) = key.strip_prefix(KEY_PREFIX)?.split_once('_')?;
        let known = Arc::clone(&self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner));
        let stored = known.get(id);
        // An unknown id is compared with something too, so that its answer takes as long.
        let expected = stored.map_or([0; 32], |k| k.hash);
        let right = bool::from(hash(secret).ct_eq(&expected));
        let stored = stored.filter(|_| right)?;
        let ended = stored.revoked_at.is_some() || stored.expires_at.is_some_and(|t| t <= now);
        (!ended).then(|| Actor { name: format!("key:{}", stored.id), role: stored.role })
    }

    /// Makes a key. The second value is the key itself and exists nowhere else.
    ///
    /// # Errors
    /// `missing`, `out_of_range`, `invalid_value` for a name that cannot be.
    pub async fn create_key(
        &self,
        name: &str,
        role: Role,
        expires_at: Option<Timestamp>,
        by: &str,
        now: Timestamp,
    ) -> Result<(Key, String)> {
        let name = text("name", Some(name.to_owned()), MAX_NAME)?
            .ok_or_else(|| Refusal::field(Reason::Missing, "name", "a key needs a name"))?;
        if expires_at.is_some_and(|t| t <= now) {
            return Err(Refusal::field(Reason::InvalidValue, "expires_at", "that is in the past").into());
        }
        let letters = CodeSettings { alphabet: "abcdefghijkmnpqrstuvwxyz23456789".into(), length: ID_LEN };
        let drawn = Drawer::new(&letters).codes(system_bytes, 1, 0, 0);
        let id = drawn.first().map(ToString::to_string).unwrap_or_default();
        let secret: String = system_bytes(32).iter().map(|b| format!("{b:02x}")).collect();
        let key = Key {
            id: id.clone(),
            name,
            role,
            hash: hash(&secret),
            created_at: now,
            created_by: by.to_owned(),
            expires_at,
            revoked_at: None,
        };
        if !self.store.add_key(key.clone()).await? {
            return Err(store::Error::Corrupt("a key id was drawn twice".into()).into());
        }
        self.reload().await?;
        Ok((key, format!("{KEY_PREFIX}{id}_{secret}")))
    }

    /// Ends a key; again is the same.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn revoke_key(&self, id: &str, by: &str, now: Timestamp) -> Result<Key> {
        let revoked = self.store.revoke_key(id, by, now).await?;
        let key = revoked.ok_or_else(|| Refusal::new(Reason::NotFound, "there is no key with this id"))?;
        self.reload().await?;
        Ok(key)
    }

    /// Adds a user.
    ///
    /// # Errors
    /// `missing`, `out_of_range`, `invalid_value` for a name or password that cannot be; `conflict` for a name
    /// that is there.
    pub async fn add_user(
        &self,
        name: &str,
        role: Role,
        password: Option<String>,
        by: &str,
        now: Timestamp,
    ) -> Result<User> {
        let name = text("name", Some(name.to_owned()), MAX_NAME)?
            .ok_or_else(|| Refusal::field(Reason::Missing, "name", "a user needs a name"))?;
        let password = match password {
            Some(password) => Some(hash_password(password).await?),
            None => None,
        };
        let user =
            User { name, role, password, created_at: now, created_by: by.to_owned(), disabled_at: None };
        if !self.store.add_user(user.clone()).await? {
            return Err(Refusal::field(Reason::Conflict, "name", "there is a user of this name").into());
        }
        Ok(user)
    }

    /// Sets a user's password.
    ///
    /// # Errors
    /// `not_found`, `invalid_value`.
    pub async fn set_password(&self, name: &str, password: String, by: &str, now: Timestamp) -> Result<()> {
        let password = Some(hash_password(password).await?);
        let user = User { password, ..self.user(name).await? };
        self.store.set_user(user, by, "user.password_set", now).await?;
        Ok(())
    }

    /// Ends what a user may do: their keys too. Links and history stay. Again is the same.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn disable_user(&self, name: &str, by: &str, now: Timestamp) -> Result<User> {
        let user = self.user(name).await?;
        if user.disabled_at.is_some() {
            return Ok(user);
        }
        let user = User { disabled_at: Some(now), ..user };
        self.store.set_user(user.clone(), by, "user.disabled", now).await?;
        let theirs = format!("user:{}", user.name);
        for key in self.store.keys().await? {
            if key.created_by == theirs && key.revoked_at.is_none() {
                self.store.revoke_key(&key.id, by, now).await?;
            }
        }
        self.reload().await?;
        Ok(user)
    }

    async fn user(&self, name: &str) -> Result<User> {
        let users = self.store.users().await?;
        let found = users.into_iter().find(|u| u.name.eq_ignore_ascii_case(name));
        Ok(found.ok_or_else(|| Refusal::new(Reason::NotFound, "there is no user of this name"))?)
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// argon2id with the crate's defaults (OWASP's first choice: 19 MiB, 2 passes), away from the runtime's threads.
async fn hash_password(password: String) -> Result<String> {
    if password.chars().count() < MIN_PASSWORD || password.len() > MAX_PASSWORD {
        let detail =
            format!("a password has {MIN_PASSWORD} characters or more, and at most {MAX_PASSWORD} bytes");
        return Err(Refusal::field(Reason::InvalidValue, "password", detail).into());
    }
    let hashing = tokio::task::spawn_blocking(move || {
        Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string())
    });
    match hashing.await {
        Ok(Ok(hash)) => Ok(hash),
        Ok(Err(error)) => Err(Error::Hashing(error.to_string())),
        Err(error) => Err(Error::Hashing(error.to_string())),
    }
}
