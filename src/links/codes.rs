//! Drawing codes: random, speakable, never a rude word.
//!
//! Guarantees that a draw comes from the system's random source, or, for a request with an Idempotency-Key, from
//! that key alone, so that its retry draws the same codes. Knows nothing of which codes are taken.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::article::ArticleId;
use crate::domain::code::{Codes, MAX_LEN, is_reserved};

/// Links beyond which codes are one longer.
const MANY_LINKS: u64 = 1_000_000;
/// Length of an article's id, without its first letter.
const ARTICLE_ID_LEN: usize = 12;
/// Of a rude word that is looked for.
const SHORTEST_WORD: usize = 4;
/// What codes are drawn from by default, and ids always.
pub(super) const USUAL_ALPHABET: &str = "bcdfghjkmnpqrstvwxz23456789";

/// `[codes]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Characters of drawn codes.
    pub alphabet: String,
    /// Length of drawn codes.
    pub length: usize,
}

impl Settings {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// (key, why).
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let letters: HashSet<char> = self.alphabet.chars().collect();
        let folded: HashSet<char> = letters.iter().map(char::to_ascii_lowercase).collect();
        if letters.len() != self.alphabet.chars().count()
            || letters.len() < 10
            || folded.len() != letters.len()
        {
            return Err((
                "alphabet",
                "at least 10 characters, none twice, none differing only in case".into(),
            ));
        }
        if !letters.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            return Err(("alphabet", "only A-Z a-z 0-9 - _ can be in a code".into()));
        }
        if !(4..=MAX_LEN - 8).contains(&self.length) {
            return Err(("length", format!("4 to {}", MAX_LEN - 8)));
        }
        Ok(())
    }
}

/// Where a request's random bytes come from.
#[derive(Clone, Debug)]
pub enum Entropy {
    /// The system.
    System,
    /// A hash of who asks and its Idempotency-Key: the same for each retry.
    Derived([u8; 32]),
}

impl Entropy {
    /// Derived from the parts of a request that its retry repeats.
    #[must_use]
    pub fn derived(owner: &str, key: &str) -> Entropy {
        let mut hash = Sha256::new();
        hash.update(u64::try_from(owner.len()).unwrap_or(0).to_le_bytes());
        hash.update(owner);
        hash.update(key);
        Entropy::Derived(hash.finalize().into())
    }

    /// A source of bytes for one purpose ("code", "tag") of the `item`th part of the request.
    pub fn bytes(&self, purpose: &str, item: usize) -> impl FnMut(usize) -> Vec<u8> {
        let seed = match self {
            Entropy::System => None,
            Entropy::Derived(seed) => Some(*seed),
        };
        let purpose = purpose.to_owned();
        let mut block: u64 = 0;
        move |size| match seed {
            None => system_bytes(size),
            Some(seed) => {
                let mut bytes = Vec::with_capacity(size + 32);
                while bytes.len() < size {
                    let mut hash = Sha256::new();
                    hash.update(seed);
                    hash.update(&purpose);
                    hash.update(u64::try_from(item).unwrap_or(u64::MAX).to_le_bytes());
                    hash.update(block.to_le_bytes());
                    block += 1;
                    bytes.extend_from_slice(&hash.finalize());
                }
                bytes.truncate(size);
                bytes
            }
        }
    }

    /// The request tag of the `item`th write of the request; never 0.
    pub fn tag(&self, item: usize) -> u64 {
        let mut tag = [0; 8];
        tag.copy_from_slice(&self.bytes("tag", item)(8));
        u64::from_le_bytes(tag).max(1)
    }
}

/// Bytes of the system's random source.
#[must_use]
pub fn system_bytes(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    // It fails only where the system has no random source at all. Going on with zeros would give guessable keys.
    if getrandom::fill(&mut bytes).is_err() {
        tracing::error!("the system has no random source");
        std::process::abort();
    }
    bytes
}

/// Draws codes and article ids.
pub struct Drawer {
    alphabet: Vec<char>,
    length: usize,
    /// Rude words that the alphabet can spell.
    rude: HashSet<String>,
    /// Of the longest of them.
    longest: usize,
}

impl Drawer {
    /// From checked settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Drawer {
        let alphabet: Vec<char> = settings.alphabet.chars().collect();
        let spelt =
            |word: &str| word.chars().all(|c| alphabet.iter().any(|own| own.eq_ignore_ascii_case(&c)));
        // Shorter entries would refuse too much of an alphabet without vowels and mean nothing in it.
        let told = |word: &String| word.len() >= SHORTEST_WORD && spelt(word);
        let rude: HashSet<String> = sqids::default_blocklist().into_iter().filter(told).collect();
        let longest = rude.iter().map(String::len).max().unwrap_or(0);
        Drawer { alphabet, length: settings.length, rude, longest }
    }

    /// `n` codes for a store of `links` links, each `longer` more than usual.
    pub fn codes(&self, bytes: impl FnMut(usize) -> Vec<u8>, n: usize, links: u64, longer: usize) -> Codes {
        let length = (self.length + usize::from(links >= MANY_LINKS) + longer).min(MAX_LEN);
        let (mut bytes, mut codes) = (bytes, Codes::with_capacity(n * (length + 1)));
        while codes.len() < n {
            // All in one: a store may want hundreds for each link.
            let drawn = nanoid::format(&mut bytes, &self.alphabet, (n - codes.len()) * length);
            let texts = (0..drawn.len()).step_by(length).filter_map(|at| drawn.get(at..at + length));
            texts.filter(|text| !is_reserved(text) && !self.is_rude(text)).for_each(|text| codes.push(text));
        }
        codes
    }

    /// A new article's id.
    pub fn article_id(&self, bytes: impl FnMut(usize) -> Vec<u8>) -> ArticleId {
        let alphabet: Vec<char> = USUAL_ALPHABET.chars().collect();
        ArticleId(format!("a{}", nanoid::format(bytes, &alphabet, ARTICLE_ID_LEN)).into())
    }

    /// Pieces are looked up rather than words searched for: hundreds of codes may be drawn for one link.
    fn is_rude(&self, code: &str) -> bool {
        if self.rude.is_empty() {
            return false;
        }
        let folded = code.to_ascii_lowercase();
        (SHORTEST_WORD..=self.longest.min(folded.len())).any(|length| {
            let pieces = (0..=folded.len() - length).filter_map(|at| folded.get(at..at + length));
            pieces.into_iter().any(|piece| self.rude.contains(piece))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { alphabet: "bcdfghjkmnpqrstvwxz23456789".into(), length: 7 }
    }

    #[test]
    fn codes_are_of_the_alphabet_and_differ() {
        let drawer = Drawer::new(&settings());
        let codes = drawer.codes(Entropy::System.bytes("code", 0), 500, 0, 0);
        assert_eq!(codes.texts().collect::<HashSet<_>>().len(), 500);
        assert!(codes.texts().all(|c| c.len() == 7 && c.chars().all(|c| settings().alphabet.contains(c))));
        let longer = drawer.codes(Entropy::System.bytes("code", 0), 1, MANY_LINKS, 1);
        assert_eq!(longer.texts().map(str::len).collect::<Vec<_>>(), [9]);
    }

    #[test]
    fn a_retry_draws_the_same() {
        let drawer = Drawer::new(&settings());
        let draw =
            |key: &str, item| drawer.codes(Entropy::derived("key:a", key).bytes("code", item), 4, 0, 0);
        assert_eq!(draw("k1", 0), draw("k1", 0));
        assert_ne!(draw("k1", 0), draw("k1", 1));
        assert_ne!(draw("k1", 0), draw("k2", 0));
        assert_eq!(Entropy::derived("a", "k").tag(3), Entropy::derived("a", "k").tag(3));
        assert_ne!(Entropy::System.tag(0), Entropy::System.tag(0));
    }

    #[test]
    fn no_rude_words() {
        let drawer = Drawer::new(&Settings { alphabet: "abcdefghijklmnopqrstuvwxyz".into(), length: 7 });
        assert!(drawer.is_rude("xxShItx"));
        assert!(drawer.is_rude("shit") && drawer.is_rude("a-shit") && !drawer.is_rude("shi"));
        assert!(drawer.codes(system_bytes, 20_000, 0, 0).texts().all(|code| !drawer.is_rude(code)));
        assert!(!drawer.is_rude("kx7dw4m") && !drawer.is_rude(""));
    }

    #[test]
    fn settings_that_cannot_work() {
        for (alphabet, length) in [("abc", 7), ("aabcdefghijk", 7), ("abcdefghijA", 7), ("abcdefghij.", 7)] {
            assert!(Settings { alphabet: alphabet.into(), length }.check().is_err(), "{alphabet}");
        }
        assert!(Settings { length: 3, ..settings() }.check().is_err());
        assert!(settings().check().is_ok());
    }
}
