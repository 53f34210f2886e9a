//! Who gets a digest: asked for, confirmed from its address, changed, ended.
//!
//! Guarantees that an address is used only after somebody opened a link that was sent to it, or an admin gave it; that few
//! such links are sent; and that one user has one digest. A secret is given out once and kept as a hash.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::mail::{Fault, address};
use super::{DigestService, Every, Result, letters};
use crate::accounts::{actor_name, folded, user_of};
use crate::domain::access::{Actor, Role};
use crate::domain::error::{Reason, Refusal};
use crate::sessions::{id_of, secret};
use crate::store::documents::{Document, DocumentChange, DocumentChanged, DocumentKind};
use crate::store::tokens::{Token, TokenId, TokenKind};

/// How long a link that confirms an address is good for, and how many of a user's are at once.
const CONFIRM_FOR: SignedDuration = SignedDuration::from_hours(24);
const CONFIRMATIONS: usize = 5;

/// Where a digest goes, and when: what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// The address.
    pub email: String,
    /// How often.
    pub every: Every,
    /// At which hour of the newsroom's clock.
    pub hour: i8,
}

/// What somebody wants; not looked at yet.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The address.
    pub email: String,
    /// "daily" or "weekly".
    pub every: String,
    /// 0 to 23.
    pub hour: String,
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It is so from now on.
    Done,
    /// A link was sent to the address.
    Sent,
}

/// A digest that somebody gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The user's name.
    pub user: String,
    /// Where and when.
    pub subscription: Subscription,
    /// Since when.
    pub since: Timestamp,
    /// Who said so.
    pub by: String,
    /// The last one: when it was noted, and why it was given up, if it was.
    pub last: Option<(Timestamp, Option<String>)>,
}

impl Wanted {
    fn check(&self) -> std::result::Result<Subscription, Refusal> {
        let wrong =
            |field: &'static str, why: &str| Refusal::field(Reason::InvalidValue, field, why.to_owned());
        let email = self.email.trim();
        address(email).map_err(|why| wrong("email", &why))?;
        let every = Every::from_name(&self.every).ok_or_else(|| wrong("every", "daily or weekly"))?;
        let hour = self.hour.parse().ok().filter(|hour| (0..24).contains(hour));
        let hour = hour.ok_or_else(|| wrong("hour", "an hour, 0 to 23"))?;
        Ok(Subscription { email: email.to_owned(), every, hour })
    }
}

/// One that is kept; None for what another version wrote.
pub(super) fn kept(document: &Document) -> Option<Subscription> {
    (document.kind == DocumentKind::Digest)
        .then(|| serde_json::from_value(document.value.clone()).ok())
        .flatten()
}

impl DigestService {
    /// A user's.
    ///
    /// # Errors
    /// The store's.
    pub async fn of(&self, user: &str, now: Timestamp) -> Result<Option<Standing>> {
        Ok(self.all(now).await?.into_iter().find(|its| folded(&its.user) == folded(user)))
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// The store's.
    pub async fn all(&self, now: Timestamp) -> Result<Vec<Standing>> {
        let documents = self.needs.documents.documents().await?;
        let sent = self.needs.tokens.list(TokenKind::Digest, None, now).await?;
        let standing = |document: &Document| {
            let user = self.needs.accounts.user_called(&document.name)?;
            let owner = actor_name(&user.name);
            let last = sent.iter().filter(|token| token.owner == owner).max_by_key(|token| token.created_at);
            let failed = |token: &Token| token.value.get("failed")?.as_str().map(str::to_owned);
            Some(Standing {
                user: user.name.clone(),
                subscription: kept(document)?,
                since: document.updated_at,
                by: document.updated_by.clone(),
                last: last.map(|token| (token.created_at, failed(token))),
            })
        };
        Ok(documents.iter().filter_map(standing).collect())
    }

    /// Addresses that a user asked for and that were not confirmed.
    ///
    /// # Errors
    /// The store's.
    pub async fn unconfirmed(&self, user: &str, now: Timestamp) -> Result<Vec<String>> {
        let tokens = self.needs.tokens.list(TokenKind::Subscribe, Some(&actor_name(user)), now).await?;
        let wanted = tokens.into_iter().filter_map(|token| serde_json::from_value(token.value).ok());
        Ok(wanted.map(|subscription: Subscription| subscription.email).collect())
    }

    /// A user asks for a digest, or to change theirs. For another address than the one there is a link is sent to it.
    ///
    /// # Errors
    /// `invalid_value`, `conflict` where no mail is sent, `rate_limited`.
    pub async fn ask(&self, user: &str, wanted: &Wanted, now: Timestamp) -> Result<Asked> {
        let wanted = wanted.check()?;
        let there = self.of(user, now).await?;
        if there.is_some_and(|there| there.subscription.email.eq_ignore_ascii_case(&wanted.email)) {
            self.put(user, Some(wanted), &actor_name(user), now).await?;
            return Ok(Asked::Done);
        }
        let about_email = |reason, detail: &str| Refusal::field(reason, "email", detail.to_owned());
        let Some(mailer) = &self.mailer else {
            return Err(about_email(
                Reason::Conflict,
                "no mail is sent here: the operator has not set [mail]",
            )
            .into());
        };
        let owner = actor_name(user);
        if self.needs.tokens.list(TokenKind::Subscribe, Some(&owner), now).await?.len() >= CONFIRMATIONS {
            let detail = "too many addresses were asked for and not confirmed; try again tomorrow";
            return Err(about_email(Reason::RateLimited, detail).into());
        }
        let (secret, value) = (secret(), serde_json::to_value(&wanted).unwrap_or_default());
        let token = Token {
            kind: TokenKind::Subscribe,
            id: TokenId::of(&secret),
            owner,
            value,
            created_at: now,
            expires_at: now.saturating_add(CONFIRM_FOR).unwrap_or(Timestamp::MAX),
            seen_at: now,
        };
        self.needs.tokens.put(token.clone()).await?;
        let url = format!("{}/-/digest/confirm?token={secret}", self.needs.staff_url);
        let id = format!("confirm.{}", short(&token.id.0));
        let user = super::mail::one_line(user);
        let letter = letters::confirm((&self.newsroom(), &user, &url), (&wanted.email, id), now)?;
        if let Err(failure) = mailer.send(letter).await {
            self.needs.tokens.remove(TokenKind::Subscribe, token.id).await?;
            tracing::warn!(why = failure.why, "an address could not be asked");
            let then = if failure.of == Fault::Address { "use another address" } else { "try again later" };
            return Err(about_email(Reason::Conflict, &format!("{}: {then}", failure.why)).into());
        }
        Ok(Asked::Sent)
    }

    /// What a link would confirm: whose digest, and where it would go. It stays as it is.
    ///
    /// # Errors
    /// `not_found` for one that is not valid.
    pub async fn would_confirm(&self, secret: &str, now: Timestamp) -> Result<(String, Subscription)> {
        let token = match id_of(secret) {
            Some(id) => self.needs.tokens.get(TokenKind::Subscribe, id, now).await?,
            None => None,
        };
        self.confirming(token)
    }

    /// Confirms an address: the digest goes there from now on.
    ///
    /// # Errors
    /// As [`DigestService::would_confirm`].
    pub async fn confirm(&self, secret: &str, now: Timestamp) -> Result<(String, Subscription)> {
        let token = match id_of(secret) {
            Some(id) => self.needs.tokens.take(TokenKind::Subscribe, id, now).await?,
            None => None,
        };
        let (user, wanted) = self.confirming(token)?;
        self.put(&user, Some(wanted.clone()), &actor_name(&user), now).await?;
        Ok((user, wanted))
    }

    fn confirming(&self, token: Option<Token>) -> Result<(String, Subscription)> {
        let read = |token: Token| {
            let user = self.live(&token.owner)?;
            Some((user, serde_json::from_value(token.value).ok()?))
        };
        let detail = "this link was used, has ended or never was; ask for another on your own page";
        Ok(token.and_then(read).ok_or_else(|| Refusal::new(Reason::NotFound, detail))?)
    }

    /// The user of an actor's name, if they may do anything.
    fn live(&self, owner: &str) -> Option<String> {
        let actor = self.needs.accounts.acting(user_of(owner)?)?;
        user_of(&actor.name).map(str::to_owned)
    }

    /// An admin says what somebody gets: that they know the address is their word.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `invalid_value`; `conflict` for a user who is disabled.
    pub async fn set(&self, user: &str, wanted: &Wanted, by: &Actor, now: Timestamp) -> Result<()> {
        by.require(Role::Admin)?;
        let unknown = || Refusal::field(Reason::NotFound, "user", "there is no user of this name");
        let user = self.needs.accounts.user_called(user).ok_or_else(unknown)?;
        if user.disabled_at.is_some() {
            return Err(Refusal::field(Reason::Conflict, "user", "this user is disabled").into());
        }
        self.put(&user.name, Some(wanted.check()?), &by.name, now).await
    }

    /// Ends somebody's digest, and what would begin another. Again is the same.
    ///
    /// # Errors
    /// `forbidden` for another's, if one is no admin.
    pub async fn end(&self, user: &str, by: &Actor, now: Timestamp) -> Result<()> {
        if folded(&by.name) != folded(&actor_name(user)) {
            by.require(Role::Admin)?;
        }
        self.stop(user, &by.name, now).await
    }

    async fn stop(&self, user: &str, by: &str, now: Timestamp) -> Result<()> {
        self.needs.tokens.remove_of(&[TokenKind::Subscribe], &actor_name(user)).await?;
        self.put(user, None, by, now).await
    }

    /// Whose digest a link in a letter ends. It stays as it is.
    ///
    /// # Errors
    /// `not_found` for one that is not valid.
    pub async fn would_end(&self, secret: &str, now: Timestamp) -> Result<String> {
        let token = match id_of(secret) {
            Some(id) => self.needs.tokens.get(TokenKind::Unsubscribe, id, now).await?,
            None => None,
        };
        let user = token.and_then(|token| user_of(&token.owner).map(str::to_owned));
        let detail = "this link has ended or never was; sign in to end your digest on your own page";
        Ok(user.ok_or_else(|| Refusal::new(Reason::NotFound, detail))?)
    }

    /// Ends the digest of whoever got this link. Again is the same: programs try again.
    ///
    /// # Errors
    /// As [`DigestService::would_end`].
    pub async fn end_by_link(&self, secret: &str, now: Timestamp) -> Result<String> {
        let user = self.would_end(secret, now).await?;
        self.stop(&user, &actor_name(&user), now).await?;
        Ok(user)
    }

    async fn put(&self, user: &str, value: Option<Subscription>, by: &str, now: Timestamp) -> Result<()> {
        let value = value.map(|value| serde_json::to_value(value).unwrap_or_default());
        let (kind, name, by) = (DocumentKind::Digest, folded(user), by.to_owned());
        let change = DocumentChange { kind, name, value, seen: None, by, at: now };
        let changed = self.needs.documents.change_document(change).await?;
        self.wake.notify_one();
        if changed == DocumentChanged::Full {
            let detail = "too many users have had a digest already";
            return Err(Refusal::field(Reason::OutOfRange, "user", detail).into());
        }
        Ok(())
    }
}

/// A few letters of a hash.
pub(super) fn short(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}
