//! What is remembered for an Idempotency-Key. Not a record of a lane's hashes, but written like one.

use serde::{Deserialize, Serialize};

use super::wire::{decode, encode};
use crate::store::Result;

/// A request with an Idempotency-Key, and its answer once it has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The hash of its body.
    pub body: [u8; 32],
    /// When it began, in milliseconds since 1970.
    pub began_ms: i64,
    /// Its random name.
    pub mark: u64,
    /// Status and body.
    pub answer: Option<(u16, Vec<u8>)>,
}

impl Remembered {
    /// Its bytes.
    ///
    /// # Errors
    /// None that it can have.
    pub fn write(&self) -> Result<Vec<u8>> {
        encode(self)
    }

    /// What these bytes say; None for none.
    ///
    /// # Errors
    /// `Corrupt` for any others.
    pub fn read(raw: &[u8]) -> Result<Option<Remembered>> {
        if raw.is_empty() {
            return Ok(None);
        }
        decode("a remembered answer", raw).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_back() {
        let kept =
            Remembered { body: [3; 32], began_ms: -5, mark: 9, answer: Some((201, b"{}\xff".to_vec())) };
        assert_eq!(Remembered::read(&kept.write().unwrap()).unwrap(), Some(kept));
        assert_eq!(Remembered::read(b"").unwrap(), None);
    }
}
