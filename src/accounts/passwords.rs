//! Hashing of passwords, in a bounded pool.
//!
//! Guarantees that however many ask, at most [`AT_ONCE`] are hashed and [`WAITING`] wait, the rest is `rate_limited`;
//! that nothing is hashed on the runtime's threads; and that a password for nobody takes as long as one for somebody.

use std::sync::{Arc, LazyLock};

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use super::{Error, Result};
use crate::domain::error::{Reason, Refusal};

/// Shortest password, in characters (NIST SP 800-63B).
pub const MIN_PASSWORD: usize = 8;
/// Longest password, in bytes: a bound on the hashing.
const MAX_PASSWORD: usize = 1024;
/// Hashed at once: each takes 19 MiB and a core for some 20 ms.
const AT_ONCE: usize = 2;
/// Waiting for their turn.
const WAITING: usize = 32;

/// What a password of nobody is compared with. Made like any other, so that it costs the same.
static NOBODYS: LazyLock<Option<String>> = LazyLock::new(|| hashed("the password of nobody").ok());

/// The pool.
pub(super) struct Passwords {
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Passwords {
        let of = |permits| Arc::new(Semaphore::new(permits));
        Passwords { running: of(AT_ONCE), places: of(AT_ONCE + WAITING) }
    }
}

/// argon2id with the crate's defaults (OWASP's first choice: 19 MiB, 2 passes).
fn hashed(password: &str) -> std::result::Result<String, String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

impl Passwords {
    /// A password's PHC string.
    ///
    /// # Errors
    /// `invalid_value` for one that cannot be, `rate_limited` if too many wait.
    pub(super) async fn hash(&self, password: String) -> Result<String> {
        if password.chars().count() < MIN_PASSWORD || password.len() > MAX_PASSWORD {
            let detail =
                format!("a password has {MIN_PASSWORD} characters or more, and at most {MAX_PASSWORD} bytes");
            return Err(Refusal::field(Reason::InvalidValue, "password", detail).into());
        }
        self.run(move || hashed(&password)).await?.map_err(Error::Hashing)
    }

    /// Whether it is the password of this PHC string; None is nobody's, and false.
    ///
    /// # Errors
    /// `rate_limited` if too many wait.
    pub(super) async fn verify(&self, hash: Option<String>, password: String) -> Result<bool> {
        // None that was set is longer.
        if password.len() > MAX_PASSWORD {
            return Ok(false);
        }
        self.run(move || {
            // Also if it is not needed: the first to be asked for must not tell by taking longer.
            let nobodys = NOBODYS.as_deref().unwrap_or_default();
            let against = hash.as_deref().unwrap_or(nobodys);
            let right = Argon2::default().verify_password(password.as_bytes(), against).is_ok();
            right && hash.is_some()
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let full = |_| Refusal::new(Reason::RateLimited, "too many people sign in right now; wait a little");
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(full)?;
        let gone = |_| Error::Hashing("the pool is closed".into());
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(gone)?;
        // Both go when it is done, and not when whoever asked has gone.
        let hashing = tokio::task::spawn_blocking(move || {
            let _held = (place, turn);
            work()
        });
        hashing.await.map_err(|error| Error::Hashing(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_one_is_right() {
        let pool = Passwords::default();
        let hash = pool.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let verify = async |hash: Option<&String>, password: &str| {
            pool.verify(hash.cloned(), password.to_owned()).await.unwrap()
        };
        assert!(verify(Some(&hash), "correct horse").await);
        assert!(!verify(Some(&hash), "correct horsf").await);
        assert!(!verify(Some(&hash), "").await);
        assert!(!verify(None, "the password of nobody").await, "nobody has one");
        assert!(!verify(Some(&"$argon2id$x".to_owned()), "x").await, "what cannot be read lets nobody in");
        for wrong in ["short", &"x".repeat(1025)] {
            assert!(matches!(pool.hash(wrong.to_owned()).await, Err(Error::Refused(_))));
        }
    }

    #[tokio::test]
    async fn a_queue_has_an_end() {
        let pool = Arc::new(Passwords::default());
        let turns = Arc::clone(&pool.running).acquire_many_owned(2).await.unwrap();
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..AT_ONCE + WAITING {
            let pool = Arc::clone(&pool);
            waiting.spawn(async move { pool.verify(None, "x".into()).await });
        }
        while pool.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = pool.verify(None, "x".into()).await;
        assert!(matches!(refused, Err(Error::Refused(r)) if r.reason == Reason::RateLimited));
        // Who goes away leaves the queue.
        waiting.shutdown().await;
        drop(turns);
        assert!(!pool.verify(None, "x".into()).await.unwrap());
    }
}
