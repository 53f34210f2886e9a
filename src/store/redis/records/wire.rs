//! Small things within records: times, ids, who; and the frame around each record.
//!
//! Guarantees that what is read has the format this program writes, and that times are those that will be read
//! again. Knows no record.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::article::ArticleId;
use crate::store::{Error, Result};

/// First byte of every record.
const FORMAT: u8 = 1;
/// Letters of the articles' ids that are packed: [`LETTERS`] to the power of [`DRAWN`] fits into eight bytes.
const LETTERS: &[u8; 27] = b"bcdfghjkmnpqrstvwxz23456789";
const DRAWN: usize = 12;

/// A record's bytes.
pub(super) fn encode(record: &impl Serialize) -> Result<Vec<u8>> {
    let flavor = |e| Error::Corrupt(format!("a record cannot be written: {e}"));
    postcard::to_extend(record, vec![FORMAT]).map_err(flavor)
}

/// A record from its bytes.
pub(super) fn decode<T: DeserializeOwned>(what: &str, raw: &[u8]) -> Result<T> {
    let (format, body) = raw.split_first().ok_or_else(|| Error::Corrupt(format!("{what} is empty")))?;
    if *format != FORMAT {
        return Err(Error::Corrupt(format!("{what} has format {format}, which a newer version wrote")));
    }
    match postcard::take_from_bytes(body) {
        Ok((record, [])) => Ok(record),
        Ok((_, rest)) => Err(Error::Corrupt(format!("{what} is {} bytes too long", rest.len()))),
        Err(error) => Err(Error::Corrupt(format!("{what} cannot be read: {error}"))),
    }
}

/// Milliseconds since 1970: the precision that records are kept in.
pub(super) fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A kept time.
pub(super) fn time(ms: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|_| Error::Corrupt(format!("a time is {ms} ms")))
}

/// The time as it will be read again.
#[must_use]
pub fn cut(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// An article's id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum WireId {
    /// As we draw them, in eight bytes.
    Drawn([u8; 8]),
    /// Any other.
    Text(String),
}

impl WireId {
    pub(super) fn new(id: &ArticleId) -> WireId {
        pack(&id.0).map_or_else(|| WireId::Text(id.0.to_string()), |n| WireId::Drawn(n.to_le_bytes()))
    }

    pub(super) fn id(self) -> ArticleId {
        ArticleId(match self {
            WireId::Drawn(bytes) => unpack(u64::from_le_bytes(bytes)).into(),
            WireId::Text(text) => text.into(),
        })
    }
}

fn pack(id: &str) -> Option<u64> {
    let drawn = id.as_bytes().strip_prefix(b"a").filter(|drawn| drawn.len() == DRAWN)?;
    drawn.iter().try_fold(0u64, |number, letter| {
        let at = LETTERS.iter().position(|l| l == letter)?;
        Some(number * 27 + u64::try_from(at).ok()?)
    })
}

fn unpack(mut number: u64) -> String {
    let mut id = vec![b'a'; DRAWN + 1];
    for place in id.iter_mut().skip(1).rev() {
        *place = usize::try_from(number % 27).map_or(b'?', |at| LETTERS[at]);
        number /= 27;
    }
    id.into_iter().map(char::from).collect()
}

/// Who: the usual beginnings cost a byte.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Who {
    Key(String),
    User(String),
    Other(String),
}

impl Who {
    pub(super) fn new(name: &str) -> Who {
        if let Some(id) = name.strip_prefix("key:") {
            Who::Key(id.to_owned())
        } else if let Some(user) = name.strip_prefix("user:") {
            Who::User(user.to_owned())
        } else {
            Who::Other(name.to_owned())
        }
    }

    pub(super) fn name(self) -> String {
        match self {
            Who::Key(id) => format!("key:{id}"),
            Who::User(user) => format!("user:{user}"),
            Who::Other(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_packed_if_they_can_be() {
        for (id, bytes) in [("abcdfghjkmnpq", 9), ("abbbbbbbbbbbb", 9), ("a999999999999", 9), ("a-path", 8)] {
            let id = ArticleId(id.into());
            let wire = postcard::to_allocvec(&WireId::new(&id)).unwrap();
            assert_eq!(wire.len(), bytes, "{id:?}");
            assert_eq!(postcard::from_bytes::<WireId>(&wire).unwrap().id(), id);
        }
        for id in ["", "a", "aaaaaaaaaaaaa", "bbbbbbbbbbbbb", "abcdfghjkmnpqr"] {
            assert!(pack(id).is_none(), "{id}");
        }
    }

    #[test]
    fn a_record_is_all_that_it_should_be() {
        let raw = encode(&(7u8, "text")).unwrap();
        assert_eq!(decode::<(u8, String)>("a test", &raw).unwrap(), (7, "text".into()));
        assert!(decode::<(u8, String)>("a test", &raw[..4]).is_err());
        assert!(decode::<(u8, String)>("a test", &[raw.as_slice(), b"\0"].concat()).is_err());
        assert!(decode::<(u8, String)>("a test", b"").is_err());
        assert!(decode::<(u8, String)>("a test", b"\x02\x07\x00").is_err());
    }

    #[test]
    fn who_comes_back() {
        for name in ["key:kx7dw4m", "user:maria", "cli", "", "key"] {
            assert_eq!(Who::new(name).name(), name);
        }
    }
}
