//! Names of records: a letter for what it is, and whose it is; and the hash in which it lies.
//!
//! Guarantees that a name says all that is needed to read its record, and that records spread evenly over a lane's
//! hashes. Names never change for a store that exists.

use sha2::{Digest, Sha256};

use crate::domain::article::ArticleId;
use crate::domain::code::Code;
use crate::domain::lane::Lane;
use crate::store::documents::DocumentKind;
use crate::store::redis::lanes::Lanes;
use crate::store::{Error, Result};

/// Hashes of records in each lane: few enough that what each costs by itself is little at 100,000 links, enough that
/// with 64 lanes they stay packed (512 records each) up to five million.
pub const BUCKETS: u32 = 1 << BUCKET_BITS;
const BUCKET_BITS: u32 = 9;
/// So much of a SHA-256 names an alias: nobody can make two addresses that share it.
const HASH: usize = 16;

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// All links of a folded code.
    Links(String),
    /// A story and its slots.
    Article(ArticleId),
    /// An address of a story, by its hash.
    Url([u8; HASH]),
    /// A CMS id of a story, by its hash.
    CmsId([u8; HASH]),
    /// A line of a link's history: the code as it is spelt, the version.
    History(Code, u64),
    /// A line of a story's history: its version.
    ArticleHistory(ArticleId, u64),
    /// An API key.
    Key(String),
    /// A user, by the folded name.
    User(String),
    /// A line of the audit.
    Audit(u64),
    /// A document, by its name.
    Document(DocumentKind, String),
    /// A webhook.
    Webhook(String),
}

impl Name {
    /// An address of a story.
    #[must_use]
    pub fn url(url: &str) -> Name {
        Name::Url(hash(&[url]))
    }

    /// A CMS id within its site.
    #[must_use]
    pub fn cms_id(site: &str, id: &str) -> Name {
        Name::CmsId(hash(&[site, "\0", id]))
    }

    /// A user, whatever the case of the name.
    #[must_use]
    pub fn user(name: &str) -> Name {
        Name::User(name.to_lowercase())
    }

    /// The hash field.
    #[must_use]
    pub fn field(&self) -> Vec<u8> {
        match self {
            Name::Links(key) => [b"l", key.as_bytes()].concat(),
            Name::Article(id) => [b"a", id.0.as_bytes()].concat(),
            Name::Url(hash) => [b"u", hash.as_slice()].concat(),
            Name::CmsId(hash) => [b"x", hash.as_slice()].concat(),
            Name::History(code, version) => {
                [b"h", code.as_str().as_bytes(), b"\0", &version.to_be_bytes()].concat()
            }
            Name::ArticleHistory(id, version) => {
                [b"g", id.0.as_bytes(), b"\0", &version.to_be_bytes()].concat()
            }
            Name::Key(id) => [b"k", id.as_bytes()].concat(),
            Name::User(name) => [b"n", name.as_bytes()].concat(),
            Name::Audit(id) => [b"e".as_slice(), &id.to_be_bytes()].concat(),
            Name::Document(kind, name) => [b"s", letter(*kind).as_slice(), name.as_bytes()].concat(),
            Name::Webhook(id) => [b"w", id.as_bytes()].concat(),
        }
    }

    /// The name of a field.
    ///
    /// # Errors
    /// `Corrupt` for one that is no record's.
    pub fn of(field: &[u8]) -> Result<Name> {
        read(field).ok_or_else(|| Error::Corrupt(format!("a record's name is {}", field.escape_ascii())))
    }

    /// The lane it lies in.
    #[must_use]
    pub fn lane(&self, lanes: &Lanes) -> Lane {
        match self {
            Name::Links(key) => lanes.of(key),
            Name::Article(id) | Name::ArticleHistory(id, _) => lanes.of(&id.0),
            Name::Url(hash) | Name::CmsId(hash) => lanes.of(&hex(hash)),
            Name::History(code, _) => lanes.of(&code.key()),
            Name::Key(_) | Name::User(_) | Name::Audit(_) | Name::Document(..) | Name::Webhook(_) => {
                lanes.root()
            }
        }
    }
}

fn read(field: &[u8]) -> Option<Name> {
    let (kind, rest) = field.split_first()?;
    let text = || std::str::from_utf8(rest).ok().map(str::to_owned);
    Some(match kind {
        b'l' => Name::Links(text()?),
        b'a' => Name::Article(ArticleId(text()?.into())),
        b'u' => Name::Url(rest.try_into().ok()?),
        b'x' => Name::CmsId(rest.try_into().ok()?),
        b'h' => {
            let (code, version) = versioned(rest)?;
            Name::History(Code::parse(code).ok()?, version)
        }
        b'g' => {
            let (id, version) = versioned(rest)?;
            Name::ArticleHistory(ArticleId(id.into()), version)
        }
        b'k' => Name::Key(text()?),
        b'n' => Name::User(text()?),
        b'e' => Name::Audit(u64::from_be_bytes(rest.try_into().ok()?)),
        b's' => {
            let kind = DocumentKind::ALL.into_iter().find(|kind| rest.starts_with(letter(*kind)))?;
            Name::Document(kind, text()?.split_off(1))
        }
        b'w' => Name::Webhook(text()?),
        _ => return None,
    })
}

/// What tells kinds of documents apart.
fn letter(kind: DocumentKind) -> &'static [u8; 1] {
    match kind {
        DocumentKind::Setting => b"s",
        DocumentKind::Channel => b"c",
        DocumentKind::Digest => b"d",
    }
}

/// A name and a version with a zero byte between them.
fn versioned(rest: &[u8]) -> Option<(&str, u64)> {
    let (name, version) = rest.split_at_checked(rest.len().checked_sub(8)?)?;
    let name = std::str::from_utf8(name.strip_suffix(b"\0")?).ok()?;
    Some((name, u64::from_be_bytes(version.try_into().ok()?)))
}

fn hash(parts: &[&str]) -> [u8; HASH] {
    let mut digest = Sha256::new();
    parts.iter().for_each(|part| digest.update(part));
    let mut hash = [0; HASH];
    hash.copy_from_slice(&digest.finalize()[..HASH]);
    hash
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Which of a lane's hashes a field lies in.
///
/// By the upper bits: CRC-32 is linear, so among codes of one length and one lane the lower ones are all the same.
#[must_use]
pub fn bucket(field: &[u8]) -> u32 {
    crc32fast::hash(field) >> (u32::BITS - BUCKET_BITS)
}

/// The key of a lane's hash.
#[must_use]
pub fn bucket_key(lanes: &Lanes, lane: Lane, bucket: u32) -> Vec<u8> {
    let digit = |n: u32| char::from_digit(n % 36, 36).unwrap_or('0');
    let text = match bucket {
        0..36 => digit(bucket).to_string(),
        _ => [digit(bucket / 36), digit(bucket)].iter().collect(),
    };
    lanes.key(lane, &format!("r:{text}"))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::domain::tally::DatasetId;

    #[test]
    fn a_name_is_read_from_its_field() {
        let names = [
            Name::Links("kx7dw4m".into()),
            Name::Article(ArticleId("a2b".into())),
            Name::url("https://news.example.com/"),
            Name::cms_id("news.example.com", "4711"),
            Name::History(Code::parse("Vote-26").unwrap(), 0x0102),
            Name::History(Code::parse("a").unwrap(), 0),
            Name::ArticleHistory(ArticleId("a2b".into()), 3),
            Name::Key("k".into()),
            Name::user("Ödön"),
            Name::Audit(77),
            Name::Document(DocumentKind::Setting, "articles.sites".into()),
            Name::Document(DocumentKind::Channel, "Übersicht".into()),
            Name::Document(DocumentKind::Digest, "ana".into()),
            Name::Webhook("w1".into()),
        ];
        for name in names {
            assert_eq!(Name::of(&name.field()).unwrap(), name);
        }
        for bad in [b"".as_slice(), b"?a", b"u123", b"h12345678", b"e1", b"l\xff", b"s", b"sxa"] {
            assert!(Name::of(bad).is_err(), "{bad:?}");
        }
        assert_ne!(Name::cms_id("a", "b"), Name::cms_id("ab", ""));
        assert_eq!(Name::user("Maria"), Name::user("mARIA"));
    }

    #[test]
    fn codes_of_one_lane_use_all_its_hashes() {
        let lanes = Lanes::new("sl:", DatasetId(1), 64);
        let mut used: BTreeMap<u32, u32> = BTreeMap::new();
        for n in 0..2_000_000 {
            let name = Name::Links(format!("kx{n:07}"));
            if name.lane(&lanes) == 5 {
                *used.entry(bucket(&name.field())).or_default() += 1;
            }
        }
        assert_eq!(used.len(), 512);
        assert!(used.values().all(|n| *n < 120), "{:?}", used.values().max());
    }

    #[test]
    fn each_hash_has_its_key() {
        let lanes = Lanes::new("sl:", DatasetId(1), 64);
        let keys: BTreeSet<Vec<u8>> = (0..BUCKETS).map(|n| bucket_key(&lanes, 0, n)).collect();
        assert_eq!(keys.len(), 512);
        // Pinned: a change would lose every record.
        assert_eq!(bucket(b"lkx7dw4m"), crc32fast::hash(b"lkx7dw4m") >> 23);
        assert!(bucket_key(&lanes, 0, 511).ends_with(b":r:e7"));
    }
}
