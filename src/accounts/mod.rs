//! Floor 2: who is calling. Keys and users, their secrets, and what this process knows of them.
//!
//! Guarantees: a secret is shown once, kept as a hash only, and compared in constant time; a revoked key stops
//! working within a poll of the change feed on every node, and so does a disabled user; checking a key asks no store.
//! HTTP is unknown here.

mod passwords;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::domain::access::{Actor, Role};
use crate::domain::error::{Reason, Refusal};
use crate::links::codes::{Drawer, Settings as CodeSettings, system_bytes};
use crate::links::request::text;
use crate::store::accounts::{Key, User};
use crate::store::documents::{DocumentChange, DocumentKind};
use crate::store::tokens::TokenKind;
use crate::store::{self, Accounts, Documents, Store, Tokens};

pub use passwords::MIN_PASSWORD;
use passwords::Passwords;

/// What every key begins with, so that scanners for leaked secrets can find it.
pub const KEY_PREFIX: &str = "slk_";
/// Longest name of a key or user, in characters.
pub const MAX_NAME: usize = 100;
const ID_LEN: usize = 12;
const USER: &str = "user:";
const KEY: &str = "key:";

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
    tokens: Arc<dyn Tokens>,
    documents: Arc<dyn Documents>,
    known: RwLock<Arc<Known>>,
    /// Held from reading the store to `known`: else what was read earlier could replace what was read later.
    order: tokio::sync::Mutex<()>,
    passwords: Passwords,
}

/// What this process knows of all.
#[derive(Default)]
struct Known {
    /// By id.
    keys: HashMap<String, Key>,
    /// By name in lower case.
    users: HashMap<String, Arc<User>>,
}

/// Who a user is in `created_by`, history and audit, and whose tokens are theirs.
#[must_use]
pub fn actor_name(user: &str) -> String {
    format!("{USER}{user}")
}

/// The user of an actor's name, if it is one.
#[must_use]
pub fn user_of(actor: &str) -> Option<&str> {
    actor.strip_prefix(USER)
}

/// The service over a whole store.
///
/// # Errors
/// The store's.
pub async fn of_store(store: &Store) -> store::Result<AccountService> {
    let (tokens, documents) = (Arc::clone(&store.tokens), Arc::clone(&store.documents));
    AccountService::open(Arc::clone(&store.accounts), tokens, documents).await
}

impl AccountService {
    /// A service over an open store, which reads all keys and users once.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(
        store: Arc<dyn Accounts>,
        tokens: Arc<dyn Tokens>,
        documents: Arc<dyn Documents>,
    ) -> store::Result<AccountService> {
        let (known, order, passwords) = Default::default();
        let service = AccountService { store, tokens, documents, known, order, passwords };
        service.reload().await?;
        Ok(service)
    }

    /// The store underneath, for reading.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Accounts> {
        &self.store
    }

    /// Reads all keys and users again: the change feed says that some changed.
    ///
    /// # Errors
    /// The store's; what was known stays.
    pub async fn reload(&self) -> store::Result<()> {
        let _turn = self.order.lock().await;
        let keys = self.store.keys().await?.into_iter().map(|key| (key.id.clone(), key)).collect();
        let users = self.store.users().await?.into_iter().map(|user| (folded(&user.name), Arc::new(user)));
        let known = Arc::new(Known { keys, users: users.collect() });
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The user of this name, without regard to case, disabled or not. Asks no store.
    #[must_use]
    pub fn user_called(&self, name: &str) -> Option<Arc<User>> {
        self.known().users.get(&folded(name)).cloned()
    }

    /// All users' names, in order, those of disabled ones too. Asks no store.
    #[must_use]
    pub fn user_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.known().users.values().map(|user| user.name.clone()).collect();
        names.sort();
        names
    }

    /// As whom the user of this name acts; None for one who may do nothing.
    #[must_use]
    pub fn acting(&self, name: &str) -> Option<Actor> {
        let user = self.user_called(name).filter(|user| user.disabled_at.is_none())?;
        Some(Actor { name: actor_name(&user.name), role: user.role })
    }

    /// Whether an actor may still do anything: a user who is not disabled, a key that has not ended, the operator.
    #[must_use]
    pub fn is_live(&self, actor: &str, now: Timestamp) -> bool {
        match (user_of(actor), actor.strip_prefix(KEY)) {
            (Some(user), _) => self.acting(user).is_some(),
            (None, Some(id)) => self.known().keys.get(id).is_some_and(|key| !has_ended(key, now)),
            (None, None) => true,
        }
    }

    /// The user of this name, if this is their password and they may sign in. Takes as long if not, for whatever reason.
    ///
    /// # Errors
    /// `rate_limited` if too many passwords wait to be looked at.
    pub async fn verify_password(&self, name: &str, password: String) -> Result<Option<Arc<User>>> {
        let user = self.user_called(name).filter(|user| user.disabled_at.is_none());
        let hash = user.as_ref().and_then(|user| user.password.clone());
        let right = self.passwords.verify(hash, password).await?;
        Ok(user.filter(|_| right))
    }

    /// Who holds this key (`slk_ID_SECRET`); None for any that is not valid at `now`.
    #[must_use]
    pub fn holder(&self, key: &str, now: Timestamp) -> Option<Actor> {
        let (id, secret) = key.strip_prefix(KEY_PREFIX)?.split_once('_')?;
        let known = self.known();
        let stored = known.keys.get(id);
        // An unknown id is compared with something too, so that its answer takes as long.
        let expected = stored.map_or([0; 32], |k| k.hash);
        let right = bool::from(hash(secret).ct_eq(&expected));
        let stored = stored.filter(|key| right && !has_ended(key, now))?;
        Some(Actor { name: format!("{KEY}{}", stored.id), role: stored.role })
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
        let id = drawn.texts().next().unwrap_or_default().to_owned();
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
            Some(password) => Some(self.passwords.hash(password).await?),
            None => None,
        };
        let user =
            User { name, role, password, created_at: now, created_by: by.to_owned(), disabled_at: None };
        if !self.store.add_user(user.clone()).await? {
            return Err(Refusal::field(Reason::Conflict, "name", "there is a user of this name").into());
        }
        self.reload().await?;
        Ok(user)
    }

    /// Sets a user's password. All their sessions and sign-in links end: whoever else had one is out.
    ///
    /// # Errors
    /// `not_found`, `invalid_value`, `rate_limited`.
    pub async fn set_password(&self, name: &str, password: String, by: &str, now: Timestamp) -> Result<()> {
        let password = Some(self.passwords.hash(password).await?);
        let user = User { password, ..self.user(name).await? };
        let theirs = actor_name(&user.name);
        self.store.set_user(user, by, "user.password_set", now).await?;
        self.tokens.remove_of(&[TokenKind::Session, TokenKind::SignIn], &theirs).await?;
        self.reload().await?;
        Ok(())
    }

    /// Says what a user may from now on. The same again is no change.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn set_role(&self, name: &str, role: Role, by: &str, now: Timestamp) -> Result<User> {
        let user = self.user(name).await?;
        if user.role == role {
            return Ok(user);
        }
        let user = User { role, ..user };
        self.store.set_user(user.clone(), by, "user.role_set", now).await?;
        self.reload().await?;
        Ok(user)
    }

    /// Ends what a user may do: their sessions, keys, tokens and digest too. Links and history stay. Again is the same.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn disable_user(&self, name: &str, by: &str, now: Timestamp) -> Result<User> {
        let mut user = self.user(name).await?;
        if user.disabled_at.is_none() {
            user.disabled_at = Some(now);
            self.store.set_user(user.clone(), by, "user.disabled", now).await?;
        }
        // Also again: the first time may have been cut short here.
        let theirs = actor_name(&user.name);
        for key in self.store.keys().await? {
            if key.created_by == theirs && key.revoked_at.is_none() {
                self.store.revoke_key(&key.id, by, now).await?;
            }
        }
        self.tokens.remove_of(&TokenKind::ALL, &theirs).await?;
        let (kind, name, by) = (DocumentKind::Digest, folded(&user.name), by.to_owned());
        let ended = DocumentChange { kind, name, value: None, seen: None, by, at: now };
        self.documents.change_document(ended).await?;
        self.reload().await?;
        Ok(user)
    }

    /// Lets a disabled user in again. What they had before has ended all the same. Again is the same.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn enable_user(&self, name: &str, by: &str, now: Timestamp) -> Result<User> {
        let user = self.user(name).await?;
        if user.disabled_at.is_none() {
            return Ok(user);
        }
        self.tokens.remove_of(&TokenKind::ALL, &actor_name(&user.name)).await?;
        let user = User { disabled_at: None, ..user };
        self.store.set_user(user.clone(), by, "user.enabled", now).await?;
        self.reload().await?;
        Ok(user)
    }

    async fn user(&self, name: &str) -> Result<User> {
        let users = self.store.users().await?;
        let found = users.into_iter().find(|user| folded(&user.name) == folded(name));
        Ok(found.ok_or_else(|| Refusal::new(Reason::NotFound, "there is no user of this name"))?)
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// A name as it is compared.
pub(crate) fn folded(name: &str) -> String {
    name.to_lowercase()
}

fn has_ended(key: &Key, now: Timestamp) -> bool {
    key.revoked_at.is_some() || key.expires_at.is_some_and(|at| at <= now)
}
