//! Lines about what staff change: settings, channels, digests.
//!
//! Guarantees nothing but that each field is there and read back. Knows neither files nor stores.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Line;
use crate::store::documents::{Document, DocumentKind};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::transfer) struct DocumentLine {
    name: String,
    value: Value,
    version: u64,
    updated_at: Timestamp,
    updated_by: String,
}

impl DocumentLine {
    pub(super) fn read(self, kind: DocumentKind) -> Document {
        let DocumentLine { name, value, version, updated_at, updated_by } = self;
        Document { kind, name, value, version, updated_at, updated_by }
    }
}

/// A setting, channel or digest, as a line.
pub(in crate::transfer) fn document_line(document: Document) -> Line {
    let Document { kind, name, value, version, updated_at, updated_by } = document;
    let line = DocumentLine { name, value, version, updated_at, updated_by };
    match kind {
        DocumentKind::Setting => Line::Setting(line),
        DocumentKind::Channel => Line::Channel(line),
        DocumentKind::Digest => Line::Digest(line),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::transfer::format::{Item, read};

    #[test]
    fn documents_come_back() {
        for kind in DocumentKind::ALL {
            for value in [json!(null), json!(["a.example"]), json!({ "utm_source": "x" })] {
                let document = Document {
                    kind,
                    name: "n".into(),
                    value,
                    version: 3,
                    updated_at: Timestamp::from_second(5).unwrap(),
                    updated_by: "key:a".into(),
                };
                let text = serde_json::to_string(&document_line(document.clone())).unwrap();
                assert!(text.contains(&format!(r#""kind":"{}""#, kind.as_str())), "{text}");
                let Item::Document(again) = read(text.as_bytes()).unwrap() else { panic!("{text}") };
                assert_eq!(again, document);
            }
        }
    }
}
