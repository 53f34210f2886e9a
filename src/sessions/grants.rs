//! What lets somebody look who is not signed in: a screen (the live board, for a wall) and a shared view.
//!
//! Guarantees that each shows what it was made for and nothing else, that it ends with its time, when it is revoked,
//! and when who made it may do nothing any more.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Result, SessionService, id_of, read_id, secret, shown};
use crate::domain::access::{Actor, Role};
use crate::domain::error::{Reason, Refusal};
use crate::links::request::text;
use crate::store;
use crate::store::tokens::{Token, TokenId, TokenKind};

/// A wall is up for long.
const SCREEN_FOR: SignedDuration = SignedDuration::from_hours(365 * 24);
/// A shared view.
const SHARE_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Longest name, in characters.
const MAX_NAME: usize = 100;
/// Longest address of a view, in bytes.
const MAX_VIEW: usize = 2_048;
/// Where all views are.
const VIEWS: &str = "/-/";

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// Reads the live board.
    Screen,
    /// Reads one view.
    Share,
}

impl GrantKind {
    fn token(self) -> TokenKind {
        match self {
            GrantKind::Screen => TokenKind::Screen,
            GrantKind::Share => TokenKind::Share,
        }
    }

    fn noun(self) -> &'static str {
        self.token().as_str()
    }
}

/// One that was made; no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its public name: the hash of its secret.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The view that it shows, as path and query; "" for a screen.
    pub view: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// It is not valid from then on.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    name: String,
    view: String,
}

fn grant(token: &Token) -> Option<Grant> {
    let kept: Kept = serde_json::from_value(token.value.clone()).ok()?;
    Some(Grant {
        id: shown(token.id),
        name: kept.name,
        view: kept.view,
        created_by: token.owner.clone(),
        created_at: token.created_at,
        expires_at: token.expires_at,
    })
}

fn view(kind: GrantKind, view: &str) -> Result<String> {
    let wrong = |detail: &'static str| Refusal::field(Reason::InvalidValue, "view", detail);
    match kind {
        GrantKind::Screen if view.is_empty() => Ok(String::new()),
        GrantKind::Screen => Err(wrong("a screen has no view").into()),
        GrantKind::Share => {
            let plain = view.bytes().all(|b| b.is_ascii_graphic() && b != b'#' && b != b'\\');
            if !view.starts_with(VIEWS) || !plain || view.len() > MAX_VIEW || view.contains("..") {
                return Err(wrong("the path and query of a page, which begins with /-/").into());
            }
            Ok(view.to_owned())
        }
    }
}

impl SessionService {
    /// Makes one. The secret is shown now only.
    ///
    /// # Errors
    /// `forbidden` for viewers; `missing`, `out_of_range`, `invalid_value` for what cannot be.
    pub async fn make_grant(
        &self,
        kind: GrantKind,
        (name, shows): (&str, &str),
        by: &Actor,
        now: Timestamp,
    ) -> Result<(String, Grant)> {
        by.require(Role::Creator)?;
        let name = text("name", Some(name.to_owned()), MAX_NAME)?
            .ok_or_else(|| Refusal::field(Reason::Missing, "name", "say what it is for"))?;
        let kept = Kept { name, view: view(kind, shows)? };
        let span = if kind == GrantKind::Screen { SCREEN_FOR } else { SHARE_FOR };
        let secret = secret();
        let token = Token {
            kind: kind.token(),
            id: TokenId::of(&secret),
            owner: by.name.clone(),
            value: serde_json::to_value(&kept).unwrap_or_default(),
            created_at: now,
            expires_at: now.saturating_add(span).unwrap_or(Timestamp::MAX),
            seen_at: now,
        };
        self.tokens.put(token.clone()).await?;
        let object = format!("{}:{}", kind.noun(), shown(token.id));
        self.note(now, &by.name, &format!("{}.made", kind.noun()), object, &kept.name).await?;
        let made = Grant {
            id: shown(token.id),
            name: kept.name,
            view: kept.view,
            created_by: token.owner,
            created_at: now,
            expires_at: token.expires_at,
        };
        Ok((secret, made))
    }

    /// Those that have not ended, newest first: one's own, for admins all.
    ///
    /// # Errors
    /// The store's.
    pub async fn grants(&self, kind: GrantKind, by: &Actor, now: Timestamp) -> Result<Vec<Grant>> {
        let owner = (by.role < Role::Admin).then_some(by.name.as_str());
        let tokens = self.tokens.list(kind.token(), owner, now).await?;
        Ok(tokens.iter().filter_map(grant).collect())
    }

    /// Ends one: one's own, or as an admin any. Again is the same.
    ///
    /// # Errors
    /// `not_found` for what is no name of one, `forbidden` for another's.
    pub async fn revoke_grant(&self, kind: GrantKind, id: &str, by: &Actor, now: Timestamp) -> Result<()> {
        let unknown = || Refusal::new(Reason::NotFound, "there is nothing of this name");
        let id = read_id(id).ok_or_else(unknown)?;
        let Some(token) = self.tokens.get(kind.token(), id, now).await? else { return Ok(()) };
        if token.owner != by.name {
            by.require(Role::Admin)?;
        }
        self.forget(kind.token(), id).await?;
        let object = format!("{}:{}", kind.noun(), shown(id));
        self.note(now, &by.name, &format!("{}.revoked", kind.noun()), object, "").await
    }

    /// What this secret shows; None for one that is not valid at `now`. Remembered like a session.
    ///
    /// # Errors
    /// The store's, if it cannot be asked and has not said yes lately.
    pub async fn granted(
        &self,
        kind: GrantKind,
        secret: &str,
        now: Timestamp,
    ) -> store::Result<Option<Grant>> {
        let Some(id) = id_of(secret) else { return Ok(None) };
        let token = self.token(kind.token(), id, now).await?;
        let Some(token) = token else { return Ok(None) };
        if !self.accounts.is_live(&token.owner, now) {
            self.known.remove(&(token.kind, id));
            return Ok(None);
        }
        Ok(grant(&token))
    }
}
