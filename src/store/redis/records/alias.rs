//! The record of an alias: the article that an address or a CMS id leads to.
//!
//! Guarantees that an alias leads to one article until staff say otherwise, once that article is there. An article's
//! own address stands only in the article's record. An alias that is freed leaves its record, which says nothing but
//! whose it was: one that is gone would be taken for lost, and put back.

use serde::{Deserialize, Serialize};

use super::wire::{WireId, decode, encode};
use crate::domain::article::ArticleId;
use crate::store::Result;

/// What an alias says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// Whose.
    pub article: ArticleId,
    /// What it is an alias of, as far as its article does not say it.
    pub name: AliasName,
}

/// What an alias is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AliasName {
    /// The address that its article has, or will have once it is made.
    Own,
    /// The same, by a request that still has to claim its CMS id: if that turns out to be another article's, and
    /// this one was not made, the alias is turned to the other.
    Claimed,
    /// Another address.
    Url(String),
    /// A CMS id.
    CmsId {
        /// The site that it counts in.
        site: String,
        /// The id.
        id: String,
    },
    /// Another address, by a request whose article is still to be made: until it is there, the alias may be turned to
    /// another article.
    Coming(String),
    /// Nothing any more: its article was redacted.
    Freed,
}

impl Alias {
    /// The record.
    ///
    /// # Errors
    /// None that an alias can have.
    pub fn write(&self) -> Result<Vec<u8>> {
        encode(&(WireId::new(&self.article), &self.name))
    }

    /// The alias of a record; None if there is none, or if it was freed.
    ///
    /// # Errors
    /// `Corrupt` for bytes that are no alias's.
    pub fn read(raw: &[u8]) -> Result<Option<Alias>> {
        Ok(Alias::read_any(raw)?.filter(|alias| alias.name != AliasName::Freed))
    }

    /// The same, and one that was freed.
    ///
    /// # Errors
    /// As [`Alias::read`].
    pub fn read_any(raw: &[u8]) -> Result<Option<Alias>> {
        if raw.is_empty() {
            return Ok(None);
        }
        let (article, name): (WireId, AliasName) = decode("an alias", raw)?;
        Ok(Some(Alias { article: article.id(), name }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_comes_back() {
        let id = || ArticleId("abcdfghjkmnpq".into());
        let names = [
            (AliasName::Own, 11),
            (AliasName::Claimed, 11),
            (AliasName::Url("https://a.example/".into()), 30),
            (AliasName::CmsId { site: "a.example".into(), id: "1".into() }, 23),
            (AliasName::Coming("https://a.example/".into()), 30),
        ];
        for (name, bytes) in names {
            let alias = Alias { article: id(), name };
            let raw = alias.write().unwrap();
            assert_eq!(raw.len(), bytes, "{alias:?}");
            assert_eq!(Alias::read(&raw).unwrap(), Some(alias));
        }
        assert_eq!(Alias::read(b"").unwrap(), None);
        let freed = Alias { article: id(), name: AliasName::Freed };
        let raw = freed.write().unwrap();
        assert_eq!((Alias::read(&raw).unwrap(), Alias::read_any(&raw).unwrap()), (None, Some(freed)));
        assert!(Alias::read(b"\x01\x00").is_err());
    }
}
