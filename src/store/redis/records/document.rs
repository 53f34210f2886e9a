//! The record of a document. It bears the random tag of its last write, so that whoever wrote it knows it again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wire::{Who, decode, encode, ms, time};
use crate::store::documents::Remembered;
use crate::store::links::RequestTag;
use crate::store::{Error, Result};

/// What is kept of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// What it says; None for one that was removed.
    pub value: Option<Value>,
    /// Its version.
    pub version: u64,
    /// Its last change.
    pub updated_at: Timestamp,
    /// Whose that was.
    pub updated_by: String,
    /// The request that wrote it last.
    pub tag: RequestTag,
}

impl Kept {
    /// What a change is made over.
    #[must_use]
    pub(in crate::store::redis) fn remembered(self) -> Remembered {
        Remembered { value: self.value, version: self.version }
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    /// As JSON.
    value: Option<String>,
    version: u64,
    updated_ms: i64,
    updated_by: Who,
    tag: RequestTag,
}

/// The record of a document.
///
/// # Errors
/// None that a document can have.
pub fn write(kept: &Kept) -> Result<Vec<u8>> {
    encode(&Wire {
        value: kept.value.as_ref().map(Value::to_string),
        version: kept.version,
        updated_ms: ms(kept.updated_at),
        updated_by: Who::new(&kept.updated_by),
        tag: kept.tag,
    })
}

/// The document of a record; None if there is none.
///
/// # Errors
/// `Corrupt` for bytes that are no document's.
pub fn read(raw: &[u8]) -> Result<Option<Kept>> {
    if raw.is_empty() {
        return Ok(None);
    }
    let wire: Wire = decode("a document", raw)?;
    let no_json = |e: serde_json::Error| Error::Corrupt(format!("a document is no JSON: {e}"));
    Ok(Some(Kept {
        value: wire.value.as_deref().map(serde_json::from_str).transpose().map_err(no_json)?,
        version: wire.version,
        updated_at: time(wire.updated_ms)?,
        updated_by: wire.updated_by.name(),
        tag: wire.tag,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_comes_back() {
        for value in [Some(json!({ "utm_source": "x" })), Some(json!(["a.example"])), Some(json!(null)), None]
        {
            let kept =
                Kept { value, version: 7, updated_at: time(5).unwrap(), updated_by: "key:a".into(), tag: 9 };
            assert_eq!(read(&write(&kept).unwrap()).unwrap(), Some(kept));
        }
        assert_eq!(read(b"").unwrap(), None);
        assert!(read(b"\x01").is_err());
    }
}
