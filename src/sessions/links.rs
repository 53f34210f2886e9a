//! Links that sign somebody in once: for who has no password yet, or no more.
//!
//! Guarantees that of many who use one at once one is let in, that one ends within the hour, and that to look at what it
//! would do does not use it up: scanners of mail look at everything.

use jiff::{SignedDuration, Timestamp};

use super::{Began, By, Client, Error, Result, SessionService, id_of, secret};
use crate::accounts::{actor_name, user_of};
use crate::domain::error::{Reason, Refusal};
use crate::store;
use crate::store::tokens::{Token, TokenId, TokenKind};

/// How long one is good for.
const LINK_FOR: SignedDuration = SignedDuration::from_hours(1);

/// What is said of one that is not valid, whatever the reason.
pub(super) fn invalid_link() -> Refusal {
    let detail = "this sign-in link was used, has ended or never was; ask an admin for another";
    Refusal::new(Reason::Unauthenticated, detail)
}

impl SessionService {
    /// Makes a link that signs a user in once, within the hour. The secret is shown now only.
    ///
    /// # Errors
    /// `not_found`; `conflict` for a user who is disabled.
    pub async fn sign_in_link(&self, user: &str, by: &str, now: Timestamp) -> Result<(String, Timestamp)> {
        let user = self.accounts.user_called(user);
        let user = user.ok_or_else(|| Refusal::new(Reason::NotFound, "there is no user of this name"))?;
        if user.disabled_at.is_some() {
            return Err(Refusal::field(Reason::Conflict, "name", "this user is disabled").into());
        }
        let (secret, owner) = (secret(), actor_name(&user.name));
        let expires_at = now.saturating_add(LINK_FOR).unwrap_or(Timestamp::MAX);
        let token = Token {
            kind: TokenKind::SignIn,
            id: TokenId::of(&secret),
            owner: owner.clone(),
            value: serde_json::Value::Null,
            created_at: now,
            expires_at,
            seen_at: now,
        };
        self.note(now, by, "user.link_made", owner, "").await?;
        self.tokens.put(token).await?;
        Ok((secret, expires_at))
    }

    /// Whom a sign-in link would sign in; it stays as it is. What only shows a page may ask.
    ///
    /// # Errors
    /// `unauthenticated` for one that is not valid, `Limited` after too many of these from one address.
    pub async fn link_is_for(&self, secret: &str, from: &Client, now: Timestamp) -> Result<String> {
        let found = match id_of(secret) {
            Some(id) => self.tokens.get(TokenKind::SignIn, id, now).await?,
            None => None,
        };
        let user = found.as_ref().and_then(|token| user_of(&token.owner));
        self.know(user).await?;
        match user.and_then(|user| self.accounts.user_called(user)) {
            Some(user) if user.disabled_at.is_none() => Ok(user.name.clone()),
            _ => Err(self.wrong_link(from)),
        }
    }

    /// A link may be followed before this process has heard of its user, who was made elsewhere a moment ago.
    async fn know(&self, user: Option<&str>) -> store::Result<()> {
        match user {
            Some(user) if self.accounts.user_called(user).is_none() => self.accounts.reload().await,
            _ => Ok(()),
        }
    }

    fn wrong_link(&self, from: &Client) -> Error {
        match self.attempts.by_address(from.address) {
            Ok(()) => invalid_link().into(),
            Err(wait) => Error::Limited(wait),
        }
    }

    /// Signs in with a link, which is used up by it.
    ///
    /// # Errors
    /// As [`SessionService::link_is_for`].
    pub async fn use_link(&self, secret: &str, from: &Client, now: Timestamp) -> Result<Began> {
        let taken = match id_of(secret) {
            Some(id) => self.tokens.take(TokenKind::SignIn, id, now).await?,
            None => None,
        };
        let Some(user) = taken.as_ref().and_then(|token| user_of(&token.owner)) else {
            return Err(self.wrong_link(from));
        };
        self.know(Some(user)).await?;
        self.begin(user, By::Link, from, now).await
    }
}
