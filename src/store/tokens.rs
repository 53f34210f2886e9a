//! What a store of tokens must do: small secrets that end by themselves (sessions, sign-in links, what opens a screen or
//! a shared view, what a digest is confirmed and ended with).
//!
//! Secrets arrive here as hashes only. Tokens are in no export, backup, mirror or migration and in no change feed; a copy
//! that Redis makes of itself has them, as hashes. A failover may lose the last ones: then somebody signs in again.

use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::Result;

/// So many of a kind are kept; of more, the one that would end first goes.
pub const KEPT: usize = 10_000;

/// What a token is for. One is never another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenKind {
    /// Somebody is signed in.
    Session,
    /// A link that signs in once.
    SignIn,
    /// Shows the live board.
    Screen,
    /// Shows one view.
    Share,
    /// Confirms that a digest may go to an address.
    Subscribe,
    /// Ends somebody's digest.
    Unsubscribe,
    /// No secret: notes that a digest was sent.
    Digest,
}

impl TokenKind {
    /// All of them.
    pub const ALL: [TokenKind; 7] = [
        TokenKind::Session,
        TokenKind::SignIn,
        TokenKind::Screen,
        TokenKind::Share,
        TokenKind::Subscribe,
        TokenKind::Unsubscribe,
        TokenKind::Digest,
    ];

    /// Its name in stores.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TokenKind::Session => "session",
            TokenKind::SignIn => "sign_in",
            TokenKind::Screen => "screen",
            TokenKind::Share => "share",
            TokenKind::Subscribe => "subscribe",
            TokenKind::Unsubscribe => "unsubscribe",
            TokenKind::Digest => "digest",
        }
    }
}

/// SHA-256 of a token's secret: what it is kept under, and no secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub [u8; 32]);

impl TokenId {
    /// The id of the token with this secret.
    #[must_use]
    pub fn of(secret: &str) -> TokenId {
        TokenId(Sha256::digest(secret.as_bytes()).into())
    }
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is for.
    pub kind: TokenKind,
    /// Its secret's hash.
    pub id: TokenId,
    /// Whose it is, or who made it: `user:NAME`, as [`crate::domain::access::Actor`] has it.
    pub owner: String,
    /// What else is known of it; small.
    pub value: serde_json::Value,
    /// When it was made.
    pub created_at: Timestamp,
    /// It is not valid from then on.
    pub expires_at: Timestamp,
    /// When it was last used, as far as that was noted.
    pub seen_at: Timestamp,
}

/// Tokens of all kinds.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Keeps a new token. If there are more than [`KEPT`] of its kind then, the one that would end first goes.
    async fn put(&self, token: Token) -> Result<()>;

    /// The token of this kind and id, if it has not ended at `now`.
    async fn get(&self, kind: TokenKind, id: TokenId, now: Timestamp) -> Result<Option<Token>>;

    /// Gives a token that has not ended at `now` and removes it, in one step: of many who take one, one gets it. If the
    /// answer is lost, nobody has got it.
    async fn take(&self, kind: TokenKind, id: TokenId, now: Timestamp) -> Result<Option<Token>>;

    /// Notes that it was used, if it is still there and nothing later is noted.
    async fn touch(&self, kind: TokenKind, id: TokenId, at: Timestamp) -> Result<()>;

    /// Removes it; one that is not there is removed already.
    async fn remove(&self, kind: TokenKind, id: TokenId) -> Result<()>;

    /// Removes all of these kinds that an owner has. One that is put meanwhile may stay.
    async fn remove_of(&self, kinds: &[TokenKind], owner: &str) -> Result<()>;

    /// Those of a kind that have not ended at `now`, newest first; an owner's, or everybody's.
    async fn list(&self, kind: TokenKind, owner: Option<&str>, now: Timestamp) -> Result<Vec<Token>>;

    /// Lets go of those that have ended at `now`.
    async fn sweep(&self, now: Timestamp) -> Result<()>;
}
