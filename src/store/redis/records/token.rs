//! A token's bytes. Its kind and id are its place, and not in them.

use serde::{Deserialize, Serialize};

use super::wire::{decode, encode, ms, time};
use crate::store::tokens::{Token, TokenId, TokenKind};
use crate::store::{Error, Result};

#[derive(Serialize, Deserialize)]
struct WireToken {
    owner: String,
    /// JSON.
    value: String,
    created_ms: i64,
    expires_ms: i64,
    seen_ms: i64,
}

/// A token's bytes.
///
/// # Errors
/// None that a token can have.
pub fn pack_token(token: &Token) -> Result<Vec<u8>> {
    encode(&WireToken {
        owner: token.owner.clone(),
        value: token.value.to_string(),
        created_ms: ms(token.created_at),
        expires_ms: ms(token.expires_at),
        seen_ms: ms(token.seen_at),
    })
}

/// A token from its place and bytes.
///
/// # Errors
/// `Corrupt` for bytes that are no token's.
pub fn unpack_token(kind: TokenKind, id: &[u8], raw: &[u8]) -> Result<Token> {
    let wire: WireToken = decode("a token", raw)?;
    let wrong = |what: &str| Error::Corrupt(format!("a token's {what} is wrong"));
    Ok(Token {
        kind,
        id: TokenId(id.try_into().map_err(|_| wrong("id"))?),
        owner: wire.owner,
        value: serde_json::from_str(&wire.value).map_err(|_| wrong("value"))?,
        created_at: time(wire.created_ms)?,
        expires_at: time(wire.expires_ms)?,
        seen_at: time(wire.seen_ms)?,
    })
}
