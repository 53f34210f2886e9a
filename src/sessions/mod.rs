//! Floor 2: who is signed in. Sessions, sign-in links, and what opens a screen or a shared view.
//!
//! Guarantees: a secret is given out once and kept as a hash only; a session that was ended stops working within a
//! second on every node, one of a disabled user as soon as its node hears of it; attempts to sign in are limited, and
//! an answer does not tell which names there are. HTTP is unknown here: where a secret is put, and whether a request
//! may use it, is the surface's.

mod attempts;
mod grants;
mod links;
mod settings;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

pub use attempts::network;
pub use grants::{Grant, GrantKind};
pub use settings::Settings;

use crate::accounts::{self, AccountService, actor_name, user_of};
use crate::domain::access::Actor;
use crate::domain::error::{Reason, Refusal};
use crate::links::codes::system_bytes;
use crate::store::accounts::AuditEntry;
use crate::store::tokens::{Token, TokenId, TokenKind, Tokens};
use crate::store::{self, Accounts};
use attempts::Attempts;
use links::invalid_link;

/// For how long what the store said of a token is not asked again: a session that another node ended works so long here.
const FRESH: SignedDuration = SignedDuration::from_secs(1);
/// For how long a token that the store knew goes on working while the store cannot be asked.
const WITHOUT_STORE: SignedDuration = SignedDuration::from_mins(15);
/// Tokens whose answers are remembered.
const REMEMBERED: usize = 10_000;
/// How often use is noted.
const NOTED_EACH: SignedDuration = SignedDuration::from_hours(1);
/// After a link was used, a password can be set without the one before for so long.
const LINK_SETS_PASSWORD_FOR: SignedDuration = SignedDuration::from_hours(1);
/// Longest name of a browser that is kept, in characters.
const MAX_AGENT: usize = 200;
/// Bytes of a secret: 256 bits.
const SECRET_BYTES: usize = 32;
/// Letters of a secret.
const SECRET_LETTERS: usize = 43;

/// Why a call on sessions failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's to mend.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many attempts; the next may come after so long.
    #[error("too many attempts")]
    Limited(Duration),
    /// Ours.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Password hashing failed.
    #[error("a password could not be hashed: {0}")]
    Hashing(String),
}

impl From<accounts::Error> for Error {
    fn from(error: accounts::Error) -> Error {
        match error {
            accounts::Error::Refused(refusal) => Error::Refused(refusal),
            accounts::Error::Store(error) => Error::Store(error),
            accounts::Error::Hashing(why) => Error::Hashing(why),
        }
    }
}

/// The usual result of a call on sessions.
pub type Result<T> = std::result::Result<T, Error>;

/// How somebody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// With name and password.
    Password,
    /// With a sign-in link.
    Link,
    /// By the proxy in front, for this one request.
    Proxy,
}

/// What is known of a session; no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its public name: the hash of its secret. "" for who was let in by the proxy.
    pub id: String,
    /// The user's name.
    pub user: String,
    /// How it began.
    pub by: By,
    /// What the browser called itself.
    pub agent: String,
    /// When it began.
    pub created_at: Timestamp,
    /// It ends then at the latest.
    pub expires_at: Timestamp,
    /// When it was last used, to the hour.
    pub seen_at: Timestamp,
}

/// A session that has just begun. The secret exists nowhere else.
pub struct Began {
    /// What the browser shows from now on.
    pub secret: String,
    /// Who is signed in.
    pub actor: Actor,
    /// What is known of it.
    pub info: SessionInfo,
}

/// Who tries.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// The client; limits attempts and is kept nowhere.
    pub address: Option<IpAddr>,
    /// What its browser calls itself.
    pub agent: String,
}

/// What a session's token keeps beside its times.
#[derive(Serialize, Deserialize)]
struct Kept {
    by: By,
    agent: String,
}

/// What the store said of a token, and when.
#[derive(Clone)]
struct Answered {
    token: Arc<Token>,
    at: Timestamp,
}

/// Sessions. One for the whole process.
pub struct SessionService {
    tokens: Arc<dyn Tokens>,
    accounts: Arc<AccountService>,
    settings: Settings,
    attempts: Attempts,
    known: Cache<(TokenKind, TokenId), Answered>,
}

/// A new secret.
pub(crate) fn secret() -> String {
    URL_SAFE_NO_PAD.encode(system_bytes(SECRET_BYTES))
}

/// The id of a token with this secret; None for what can be no secret.
pub(crate) fn id_of(secret: &str) -> Option<TokenId> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (secret.len() == SECRET_LETTERS && secret.bytes().all(plain)).then(|| TokenId::of(secret))
}

fn shown(id: TokenId) -> String {
    URL_SAFE_NO_PAD.encode(id.0)
}

fn read_id(shown: &str) -> Option<TokenId> {
    Some(TokenId(URL_SAFE_NO_PAD.decode(shown).ok()?.try_into().ok()?))
}

impl SessionService {
    /// A service over an open store.
    #[must_use]
    pub fn new(tokens: Arc<dyn Tokens>, accounts: Arc<AccountService>, settings: Settings) -> SessionService {
        let attempts = Attempts::new(&settings);
        SessionService { tokens, accounts, settings, attempts, known: Cache::new(REMEMBERED) }
    }

    /// Settings that it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn audit(&self) -> &Arc<dyn Accounts> {
        self.accounts.store()
    }

    async fn note(&self, now: Timestamp, by: &str, action: &str, object: String, detail: &str) -> Result<()> {
        let (by, action, detail) = (by.into(), action.into(), detail.into());
        self.audit().audit(vec![AuditEntry { id: 0, at: now, by, action, object, detail }]).await?;
        Ok(())
    }

    /// Signs somebody in.
    ///
    /// # Errors
    /// `unauthenticated` for a name or password that is not right, `Limited` for too many attempts of that name or
    /// from that address.
    pub async fn sign_in(
        &self,
        name: &str,
        password: String,
        from: &Client,
        now: Timestamp,
    ) -> Result<Began> {
        let name = name.trim();
        // All that are too long to be anybody's have one limit.
        let counted = if name.chars().count() > accounts::MAX_NAME { "" } else { name };
        self.attempts.by(from.address, counted).map_err(Error::Limited)?;
        match self.accounts.verify_password(name, password).await? {
            Some(user) => self.begin(&user.name, By::Password, from, now).await,
            None => {
                // Whether or not there is such a user: the time of an answer tells nothing.
                if self.attempts.may_be_noted() {
                    let user = self.accounts.user_called(name);
                    let object = user.map_or_else(|| "user".to_owned(), |user| actor_name(&user.name));
                    self.note(now, "nobody", "session.failed", object, "").await?;
                }
                let detail = "this name and this password are not a user's";
                Err(Refusal::new(Reason::Unauthenticated, detail).into())
            }
        }
    }

    async fn begin(&self, user: &str, by: By, from: &Client, now: Timestamp) -> Result<Began> {
        let actor = self.accounts.acting(user).ok_or_else(invalid_link)?;
        self.attempts.succeeded(from.address, user);
        let secret = secret();
        let agent = from.agent.chars().filter(|c| !c.is_control()).take(MAX_AGENT).collect();
        let kept = Kept { by, agent };
        let token = Token {
            kind: TokenKind::Session,
            id: TokenId::of(&secret),
            owner: actor.name.clone(),
            value: serde_json::to_value(&kept).unwrap_or_default(),
            created_at: now,
            expires_at: after(now, self.settings.session_for.0),
            seen_at: now,
        };
        let how = if by == By::Link { "sign-in link" } else { "password" };
        self.note(now, &actor.name, "session.began", actor.name.clone(), how).await?;
        self.tokens.put(token.clone()).await?;
        let info = info(&token).ok_or_else(invalid_link)?;
        Ok(Began { secret, actor, info })
    }

    /// Who is signed in with this secret; None for one that is not valid at `now`.
    ///
    /// # Errors
    /// The store's, if it cannot be asked and has not said yes lately.
    pub async fn holder(&self, secret: &str, now: Timestamp) -> store::Result<Option<(Actor, SessionInfo)>> {
        let Some(id) = id_of(secret) else { return Ok(None) };
        let Some(token) = self.token(TokenKind::Session, id, now).await? else { return Ok(None) };
        if now >= after(token.seen_at, self.settings.session_idle.0) {
            return Ok(None);
        }
        let Some(actor) = user_of(&token.owner).and_then(|user| self.accounts.acting(user)) else {
            // It has ended, also for the moment after the user is let in again.
            self.known.remove(&(TokenKind::Session, id));
            return Ok(None);
        };
        if now.duration_since(token.seen_at) >= self.noted_each() {
            self.seen(&token, now).await;
        }
        Ok(info(&token).map(|info| (actor, info)))
    }

    /// Often enough that nobody who works is signed out.
    fn noted_each(&self) -> SignedDuration {
        let idle = SignedDuration::try_from(self.settings.session_idle.0).unwrap_or(SignedDuration::MAX);
        NOTED_EACH.min(idle / 4)
    }

    async fn seen(&self, token: &Token, now: Timestamp) {
        // In memory first, so that of requests at one time one notes it.
        let seen = Token { seen_at: now, ..token.clone() };
        self.remember(Arc::new(seen), now);
        if let Err(error) = self.tokens.touch(token.kind, token.id, now).await {
            tracing::debug!(%error, "the use of a session could not be noted");
        }
    }

    fn remember(&self, token: Arc<Token>, now: Timestamp) {
        self.known.insert((token.kind, token.id), Answered { token, at: now });
    }

    /// A token that has not ended, by what the store said a moment ago; while it is away, by what it said last.
    async fn token(&self, kind: TokenKind, id: TokenId, now: Timestamp) -> store::Result<Option<Arc<Token>>> {
        let key = (kind, id);
        let valid = |token: Arc<Token>| Some(token).filter(|token| token.expires_at > now);
        let known = self.known.get(&key);
        let age = known.as_ref().map(|answered| now.duration_since(answered.at).abs());
        if let (Some(answered), Some(age)) = (&known, age)
            && age < FRESH
        {
            return Ok(valid(Arc::clone(&answered.token)));
        }
        match (self.tokens.get(kind, id, now).await, known) {
            (Ok(Some(token)), _) => {
                let token = Arc::new(token);
                self.remember(Arc::clone(&token), now);
                Ok(Some(token))
            }
            (Ok(None), _) => {
                self.known.remove(&key);
                Ok(None)
            }
            (Err(_), Some(answered)) if age.is_some_and(|age| age < WITHOUT_STORE) => {
                Ok(valid(answered.token))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Sessions that have not ended, newest first; a user's or everybody's.
    ///
    /// # Errors
    /// The store's.
    pub async fn sessions(&self, user: Option<&str>, now: Timestamp) -> Result<Vec<SessionInfo>> {
        let owner = user.map(|name| {
            let user = self.accounts.user_called(name);
            actor_name(user.as_ref().map_or(name, |user| &user.name))
        });
        let tokens = self.tokens.list(TokenKind::Session, owner.as_deref(), now).await?;
        let idle = self.settings.session_idle.0;
        Ok(tokens.iter().filter(|token| now < after(token.seen_at, idle)).filter_map(info).collect())
    }

    /// Ends a session by its public name: one's own, or as an admin anybody's. Again is the same.
    ///
    /// # Errors
    /// `forbidden` for another's.
    pub async fn end(&self, id: &str, by: &Actor, now: Timestamp) -> Result<()> {
        let unknown = || Refusal::new(Reason::NotFound, "there is no session of this name");
        let id = read_id(id).ok_or_else(unknown)?;
        let Some(token) = self.tokens.get(TokenKind::Session, id, now).await? else { return Ok(()) };
        if token.owner != by.name {
            by.require(crate::domain::access::Role::Admin)?;
        }
        self.forget(TokenKind::Session, id).await?;
        self.note(now, &by.name, "session.ended", token.owner, "").await
    }

    /// Ends the session of this secret: signing out. One that is not there has ended.
    ///
    /// # Errors
    /// The store's: then it has not ended.
    pub async fn sign_out(&self, secret: &str, now: Timestamp) -> Result<()> {
        let Some(id) = id_of(secret) else { return Ok(()) };
        let token = self.tokens.get(TokenKind::Session, id, now).await?;
        self.forget(TokenKind::Session, id).await?;
        match token {
            Some(token) => self.note(now, &token.owner, "session.ended", token.owner.clone(), "").await,
            None => Ok(()),
        }
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// `forbidden` for another's, unless by an admin.
    pub async fn end_all(&self, user: &str, by: &Actor, now: Timestamp) -> Result<()> {
        let known = self.accounts.user_called(user);
        let known = known.ok_or_else(|| Refusal::new(Reason::NotFound, "there is no user of this name"))?;
        let owner = actor_name(&known.name);
        if owner != by.name {
            by.require(crate::domain::access::Role::Admin)?;
        }
        self.tokens.remove_of(&[TokenKind::Session], &owner).await?;
        self.known.clear();
        self.note(now, &by.name, "session.ended", owner, "all").await
    }

    async fn forget(&self, kind: TokenKind, id: TokenId) -> Result<()> {
        self.tokens.remove(kind, id).await?;
        self.known.remove(&(kind, id));
        Ok(())
    }

    /// Whether somebody may set their password without saying the one before: they came by a link, a moment ago.
    #[must_use]
    pub fn may_set_password(&self, info: &SessionInfo, now: Timestamp) -> bool {
        info.by == By::Link && now.duration_since(info.created_at) < LINK_SETS_PASSWORD_FOR
    }

    /// Sets one's own password. All sessions of the user end, and another begins for who asks.
    ///
    /// # Errors
    /// `unauthenticated` if `current` is not the password that it was; `Limited`; `invalid_value`.
    pub async fn change_password(
        &self,
        info: &SessionInfo,
        current: Option<String>,
        password: String,
        from: &Client,
        now: Timestamp,
    ) -> Result<Began> {
        if !self.may_set_password(info, now) {
            self.attempts.by(from.address, &info.user).map_err(Error::Limited)?;
            let current = current.unwrap_or_default();
            if self.accounts.verify_password(&info.user, current).await?.is_none() {
                let detail = "this is not your password as it was";
                return Err(Refusal::field(Reason::InvalidValue, "current", detail).into());
            }
        }
        self.accounts.set_password(&info.user, password, &actor_name(&info.user), now).await?;
        self.known.clear();
        self.begin(&info.user, By::Password, from, now).await
    }

    /// Lets go of what has ended. Of many nodes one does it.
    ///
    /// # Errors
    /// The store's.
    pub async fn sweep(&self, now: Timestamp) -> store::Result<()> {
        self.tokens.sweep(now).await
    }

    /// Who the proxy in front says it is, which it is to be believed: the surface asks only then.
    #[must_use]
    pub fn by_proxy(&self, user: &str, now: Timestamp) -> Option<(Actor, SessionInfo)> {
        let actor = self.accounts.acting(user.trim())?;
        let user = user_of(&actor.name)?.to_owned();
        let (id, agent) = (String::new(), String::new());
        let info =
            SessionInfo { id, user, by: By::Proxy, agent, created_at: now, expires_at: now, seen_at: now };
        Some((actor, info))
    }
}

fn after(at: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    at.saturating_add(span).unwrap_or(Timestamp::MAX)
}

fn info(token: &Token) -> Option<SessionInfo> {
    let kept: Kept = serde_json::from_value(token.value.clone()).ok()?;
    Some(SessionInfo {
        id: shown(token.id),
        user: user_of(&token.owner)?.to_owned(),
        by: kept.by,
        agent: kept.agent,
        created_at: token.created_at,
        expires_at: token.expires_at,
        seen_at: token.seen_at,
    })
}

#[cfg(test)]
mod tests;
